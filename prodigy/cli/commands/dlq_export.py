"""`dlq export`: dead letters for other programs."""

from typing import Annotated

import typer

from prodigy.cli.dead_letters import Filter, Ref, document, letter, run_meant
from prodigy.cli.output.answers import as_json_too, print_json, print_json_line
from prodigy.cli.output.spreadsheet import print_csv
from prodigy.errors import UsageProblem
from prodigy.projections.failure import item_cause
from prodigy.runtime.orders.requeuing import dead_letters


def dlq_export(
    ref: Ref = None,
    format_: Annotated[
        str | None, typer.Option("--format", help="`json`, which is so without it, `jsonl` or `csv`.")
    ] = None,
    filter_: Filter = None,
    json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
) -> None:
    """Print dead letters for other programs.

    In CSV a text that a spreadsheet would take for a formula has a ' before it.
    """
    format_ = as_json_too(format_, json=json) or "json"
    _, workflow_id, state = run_meant(ref)
    rows = dead_letters(state, filter_=filter_)
    match format_:
        case "json":
            print_json(document(workflow_id, rows))
        case "jsonl":
            for row in rows:
                print_json_line(letter(*row))
        case "csv":
            cells = ((key, value, dead.step, dead.attempts, dead.error, item_cause(dead)) for key, value, dead in rows)
            print_csv(("key", "item", "step", "attempts", "error", "cause"), cells)
        case _:
            raise UsageProblem(f"--format is json, jsonl or csv, not {format_!r}")
