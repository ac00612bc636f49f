"""`cook --dry-run`: what a run would do, without doing it."""

from pathlib import Path
from typing import Any

from prodigy.cli.output import print_json
from prodigy.projections.forecast import Forecast, forecast
from prodigy.runtime.bootstrap import compiled, read_workflow
from prodigy.runtime.terminal import visible

_INDENT = "  "


def print_forecast(file: Path, parameters: dict[str, Any], *, json: bool) -> None:
    """Print every step with its final command; nothing is run and nothing is written."""
    plan = compiled(read_workflow(file), file, parameters)
    rows = forecast(plan)
    if json:
        print_json({"schema_version": 1, "name": plan.name, "steps": rows})
        return
    count = sum(row.depth == 0 for row in rows)
    print(f"{visible(plan.name)}: {count} step{'s' if count != 1 else ''}; nothing is run, nothing is written\n")
    for row in rows:
        _print(row)


def _print(row: Forecast) -> None:
    indent = _INDENT * (row.depth + 1)
    verb = "on failure  " if row.depth else ""
    print(f"{_INDENT * row.depth}{verb}{visible(row.address)}")
    if row.skipped:
        print(f"{indent}would be skipped: {visible(row.skipped)}")
        return
    first, *more = row.command.rstrip("\n").split("\n")
    print(f"{indent}{row.kind}: {visible(first)}")
    for line in more:
        print(f"{indent}{' ' * len(row.kind)}  {visible(line)}")
    if row.condition:
        print(f"{indent}only if {visible(row.condition)}")
    if row.unknown:
        print(f"{indent}known only when it runs: {visible(', '.join(row.unknown))}")
