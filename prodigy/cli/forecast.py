"""`cook --dry-run`: what a run would do, without doing it."""

from pathlib import Path
from typing import Any

from prodigy.cli.output.answers import print_json
from prodigy.cli.output.display import note
from prodigy.cli.output.sentences import print_prose
from prodigy.kernel.signals import Listed
from prodigy.plan.address import is_template
from prodigy.plan.phrases import counted
from prodigy.projections.forecast import Forecast, forecast
from prodigy.runtime.orders.preflight import items_now, outlook
from prodigy.runtime.orders.workflow import compiled_anew, read_workflow
from prodigy.runtime.terminal import visible

ITEMS_SHOWN_MAX = 5
_INDENT = "  "


def print_forecast(file: Path, parameters: dict[str, Any], *, json: bool, claude_bin: str = "") -> None:
    """Print every step with its final command; nothing is run and nothing is written."""
    plan, notices = compiled_anew(read_workflow(file), file, parameters)
    if notices:
        note(notices)
    rows = forecast(plan)
    found = outlook(plan, Path.cwd(), claude_bin=claude_bin)
    items = items_now(plan, Path.cwd())
    if json:
        missing = {"missing": [*found.lacks, *found.notes]}
        print_json({"schema_version": 1, "name": plan.name, "steps": rows} | missing | _document(items))
        return
    for text in (*found.lacks, *found.notes):
        note(text)
    print_prose(f"{visible(plan.name)}: {_counted(rows)}; nothing is run, nothing is written")
    print()
    for row in rows:
        _print(row)
        if row.kind == "map" and items is not None and not row.skipped:
            print_prose(_items(items), indent=_INDENT * (row.depth + 1))


def _items(listed: Listed) -> str:
    """Return what the map would have for items if it began now: a step before it may change that."""
    if listed.error:
        return f"no items now: {visible(listed.error)}"
    first = ", ".join(visible(key) for key in listed.keys[:ITEMS_SHOWN_MAX])
    more = ", …" if len(listed.keys) > ITEMS_SHOWN_MAX else ""
    told = f"{first}{more}" or visible(listed.note)
    return f"{counted(len(listed.keys), 'item')} now" + (f": {told}" if told else "")


def _document(listed: Listed | None) -> dict[str, Any]:
    if listed is None:
        return {}
    first, note = listed.keys[:ITEMS_SHOWN_MAX], listed.note or None
    return {"items": {"count": len(listed.keys), "first": first, "error": listed.error, "note": note}}


def _counted(rows: list[Forecast]) -> str:
    """Return how many stages and steps there are, as a run counts: no handlers, and a map as one step."""
    counting = [row for row in rows if not row.is_handler and not is_template(row.address)]
    kinds = ["stage" if row.kind == "stage" else "step" for row in counting]
    counts = [(kinds.count(kind), kind) for kind in ("stage", "step") if kind in kinds]
    return ", ".join(counted(count, kind) for count, kind in counts)


def _print(row: Forecast) -> None:
    margin = _INDENT * row.depth
    indent = margin + _INDENT
    verb = "on failure  " if row.is_handler else "stage  " if row.kind == "stage" else ""
    print(f"{margin}{verb}{visible(row.address)}")
    if row.skipped:
        print_prose(f"would be skipped: {visible(row.skipped)}", indent=indent)
        return
    if row.command:
        first, *more = row.command.rstrip("\n").split("\n")
        print(f"{indent}{row.kind}: {visible(first)}")
        for line in more:
            print(f"{indent}{' ' * len(row.kind)}  {visible(line)}")
    if row.condition:
        print_prose(f"only if {visible(row.condition)}", indent=indent)
    if row.unknown:
        print_prose(f"known only when it runs: {visible(', '.join(row.unknown))}", indent=indent)
