"""The only place that reads the wall clock for the log."""

from datetime import UTC, datetime


def now() -> str:
    """Return the time as records have it: UTC, ISO 8601 with microseconds and Z."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
