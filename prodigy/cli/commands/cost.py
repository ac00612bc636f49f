"""`cost`: what the claude steps of a run cost."""

import sys
from enum import StrEnum
from itertools import chain
from typing import Annotated

import typer

from prodigy.cli.event_filters import records
from prodigy.cli.options import Json
from prodigy.cli.output.answers import print_json, print_table
from prodigy.cli.output.formatting import dollars
from prodigy.cli.output.sentences import print_prose
from prodigy.cli.projects import project_here, run_of
from prodigy.cli.rescue import tell_lost_end
from prodigy.plan.phrases import counted
from prodigy.projections.costs import By, Costs, costs
from prodigy.store.history import present_generation

ROWS_SHOWN_MAX = 20


class Row(StrEnum):
    """What a row is about."""

    STEP = "step"
    ITEM = "item"
    MODEL = "model"
    ATTEMPT = "attempt"


def cost(
    ref: Annotated[
        str | None,
        typer.Argument(help="The run: id, name or beginning of an id; the last without.", show_default=False),
    ] = None,
    by: Annotated[Row, typer.Option("--by", help="A row for each of these.")] = Row.STEP,
    json: Json = False,
) -> None:
    """Show what the claude steps of a run cost: spent, wasted on attempts that came to nothing, estimated, unknown."""
    project = project_here()
    workflow_id = run_of(project, ref)
    folder = project.run(workflow_id)
    present_generation(folder)
    rows: By = by.value
    total, found = costs(chain.from_iterable(records(folder, number) for number in folder.generations()), rows)
    if json:
        print_json({"schema_version": 1, "workflow_id": workflow_id, "by": rows, "total": total, "rows": found})
    else:
        _print(workflow_id, rows, total, found)
    tell_lost_end(project, workflow_id)


def _print(workflow_id: str, by: By, total: Costs, rows: list[Costs]) -> None:
    print_prose(f"{workflow_id}  {said(total)}")
    if not rows:
        return
    print()
    shown = rows[:ROWS_SHOWN_MAX] if sys.stdout.isatty() else rows
    print_table(
        (by.upper(), "ATTEMPTS", "SPENT", "WASTED", "ESTIMATED", "UNKNOWN"),
        (
            (
                row.name,
                str(row.attempts),
                dollars(row.spent_usd),
                "" if row.wasted_usd is None else dollars(row.wasted_usd),
                dollars(row.estimated_usd),
                counted(row.unknown, "attempt") if row.unknown else "",
            )
            for row in shown
        ),
        cut=by.upper(),
        keeps_end=True,
    )
    if len(shown) < len(rows):
        print_prose(f"and {counted(len(rows) - len(shown), 'more row')}, which cost less: --json has all")


def said(total: Costs) -> str:
    """Return in a sentence what attempts cost, and how well that is known."""
    if not total.attempts:
        return "no claude step has run"
    parts = [f"{dollars(total.spent_usd)} spent in {counted(total.attempts, 'attempt')}"]
    parts += [f"{dollars(total.wasted_usd)} of it wasted"] if total.wasted_usd else []
    parts += [f"{dollars(total.estimated_usd)} estimated"] if total.estimated_usd else []
    parts += [f"{counted(total.unknown, 'attempt')} of unknown cost"] if total.unknown else []
    return ", ".join(parts)
