"""`events follow`: the events of a run as they happen."""

import sys
from typing import Annotated, Any

import anyio
import typer

from prodigy.cli.event_filters import JobId, Jsonl, Ref, run_meant
from prodigy.cli.following import follow_records
from prodigy.cli.output.answers import print_json_line
from prodigy.cli.output.events import event_row, print_events
from prodigy.cli.output.streams import check_reader
from prodigy.cli.rescue import tell_lost_end
from prodigy.runtime.terminal import visible


def events_follow(
    ref: Ref = None,
    job_id: JobId = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document, when the run rests.")] = False,
    jsonl: Jsonl = False,
) -> None:
    """Print the events of a run as they happen, until it rests."""
    project, workflow_id = run_meant(ref, job_id)
    kept = list[dict[str, Any]]()

    async def print_all() -> None:
        async for record in follow_records(project, workflow_id):
            if json:
                kept.append(record)
                continue
            if jsonl:
                print_json_line(record)
            else:
                print(*(visible(cell) for cell in event_row(record)), sep="  ")
            sys.stdout.flush()
            check_reader()

    anyio.run(print_all)
    if json:
        print_events(kept, workflow_id, is_document=True)
    tell_lost_end(project, workflow_id)
