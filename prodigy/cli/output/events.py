"""Events as people and programs read them."""

from collections.abc import Iterable
from typing import Any

from prodigy.cli.output.answers import print_json, print_json_line
from prodigy.cli.output.times import local
from prodigy.projections.timeline import row_of


def event_row(record: dict[str, Any], most: int | None = 200) -> tuple[str, ...]:
    """Return (seq, time, type, address, details) of a record, its time as people here read it.

    Args:
        most: how many characters of the details there may be; all without.
    """
    seq, time, *rest = row_of(record, most=most)
    return (seq, local(time), *rest)


def print_events(found: Iterable[dict[str, Any]], workflow_id: str, *, is_document: bool, **more: Any) -> None:
    """Print records as one document, which has `more` before them, or as a line each."""
    if is_document:
        print_json({"schema_version": 1, "workflow_id": workflow_id, **more, "events": list(found)})
        return
    for record in found:
        print_json_line(record)
