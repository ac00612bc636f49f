"""One row per event, for people who read a log."""

from typing import Any

DETAIL_CHARS_MAX = 200

_HIDDEN = frozenset(
    {
        "seq",
        "time",
        "type",
        "at",
        "commit",
        "chain",
        "plan",
        "workflow_text",
        "stored",
        "output",
        "stderr",
        "format",
    }
)


def row_of(record: dict[str, Any]) -> tuple[str, str, str, str, str]:
    """Return (seq, time, type, address, details) of a record as logged."""
    details = " ".join(f"{key}={_short(value)}" for key, value in record.items() if key not in _HIDDEN)
    return (
        str(record["seq"]),
        str(record["time"])[:19] + "Z",
        str(record["type"]),
        str(record.get("at", "")),
        details if len(details) <= DETAIL_CHARS_MAX else details[:DETAIL_CHARS_MAX] + "…",
    )


def _short(value: Any) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= DETAIL_CHARS_MAX else text[:DETAIL_CHARS_MAX] + "…"
