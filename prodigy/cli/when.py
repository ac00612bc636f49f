"""Moments as people read them: by the clock on their wall, or how long ago. Documents keep UTC."""

from datetime import datetime

from prodigy.plan.words import ago


def local(time: str) -> str:
    """Return a logged moment in local time, to the second: `2026-01-31 10:00:05`; nothing of nothing."""
    return datetime.fromisoformat(time).astimezone().strftime("%Y-%m-%d %H:%M:%S") if time else ""


def since(time: str) -> str:
    """Return how long ago a logged moment was, in one unit; nothing of nothing."""
    from prodigy.runtime.clock import now

    if not time:
        return ""
    return ago((datetime.fromisoformat(now()) - datetime.fromisoformat(time)).total_seconds())


def dated(time: str) -> str:
    """Return a logged moment in both ways: `2026-01-31 10:00:05, 5 minutes ago`."""
    return f"{local(time)}, {since(time)}" if time else ""
