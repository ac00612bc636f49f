"""`events export`: the events of a run for another program."""

from typing import Annotated, Literal

import typer

from prodigy.cli import event_filters as filters
from prodigy.cli.output.answers import as_json_too
from prodigy.cli.output.events import print_events
from prodigy.cli.output.spreadsheet import print_csv
from prodigy.cli.rescue import tell_lost_end
from prodigy.projections.timeline import CSV_COLUMNS, cells_of


def events_export(
    ref: filters.Ref = None,
    job_id: filters.JobId = None,
    format_: Annotated[
        Literal["json", "jsonl", "csv"] | None,
        typer.Option(
            "--format",
            help="One document, a record per line (which is so without it), or a table; exact values in all.",
            show_default=False,
        ),
    ] = None,
    type_: filters.Types = None,
    step: filters.Step = None,
    since: filters.Since = None,
    after_seq: filters.AfterSeq = 0,
    generation: filters.Number = None,
    json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
) -> None:
    """Print the events of a run for another program.

    In CSV a text that a spreadsheet would take for a formula has a ' before it.
    """
    chosen = as_json_too(format_, json=json) or "jsonl"
    project, workflow_id = filters.run_meant(ref, job_id)
    found = filters.records_wanted(project, workflow_id, generation, type_, step, since, after_seq)
    if chosen == "csv":
        print_csv(CSV_COLUMNS, map(cells_of, found))
    else:
        print_events(found, workflow_id, is_document=chosen == "json")
    tell_lost_end(project, workflow_id, generation)
