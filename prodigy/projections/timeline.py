"""One row per event, for people who read a log; and the same as cells of a spreadsheet.

Records are taken as they were logged and never decoded into events, so any log can be listed.
"""

import json
from collections.abc import Iterator
from typing import Any

from prodigy.kernel.cause import meaningful_line
from prodigy.plan.phrases import clipped

DETAIL_CHARS_MAX = 200
CSV_COLUMNS = (
    "seq",
    "time",
    "type",
    "at",
    "attempt",
    "epoch",
    "exit_code",
    "signal",
    "duration_s",
    "cost_usd",
    "error",
    "version",
    "details",
)

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
        "session",
        "session_usd",
        "models",
    }
)


def row_of(record: dict[str, Any], *, most: int | None = DETAIL_CHARS_MAX) -> tuple[str, str, str, str, str]:
    """Return (seq, time, type, address, details) of a record as logged.

    Args:
        most: the most characters of the details; all of them with None.
    """
    details = " ".join(f"{key}={_short(key, value, most)}" for key, value in record.items() if key not in _HIDDEN)
    return (
        str(record["seq"]),
        str(record["time"])[:19] + "Z",
        str(record["type"]),
        str(record.get("at", "")),
        clipped(details, most),
    )


def cells_of(record: dict[str, Any]) -> list[Any]:
    """Return a record as the values of `CSV_COLUMNS`; `details` has as JSON what has no column of its own."""
    rest = {key: value for key, value in record.items() if key not in (*CSV_COLUMNS, "chain", "commit")}
    shown = [record.get(column) for column in CSV_COLUMNS[:-1]]
    return [*shown, json.dumps(rest, ensure_ascii=False) if rest else ""]


def texts_in(value: Any) -> Iterator[str]:
    """Yield every text in a JSON value, keys among them."""
    stack = [value]
    while stack:
        here = stack.pop()
        if isinstance(here, str):
            yield here
        elif isinstance(here, dict):
            stack += [*here.values(), *here]
        elif isinstance(here, list):
            stack += here


def _short(key: str, value: Any, most: int | None) -> str:
    """Return a value in one line: seconds rounded, text quoted where it would not be one word."""
    if key == "error" and most is not None and isinstance(value, str):
        value = meaningful_line(value)
    if isinstance(value, float) and key.endswith("_s"):
        return f"{round(value, 3 if value < 10 else 1):g}"
    if isinstance(value, str) and value and not any(character.isspace() or character in '"=' for character in value):
        return clipped(value, most)
    return clipped(json.dumps(value, ensure_ascii=False), most)
