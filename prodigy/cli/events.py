"""`events`: what happened in a run, for people and for `jq`."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prodigy.store.layout import Project

app = typer.Typer(help="Look at what happened: the event log of a run.", no_args_is_help=True)

_JobId = Annotated[
    str | None,
    typer.Option("--job-id", metavar="REF", help="The run: id, name or beginning of an id; the last without."),
]


@app.command("ls")
def ls(
    job_id: _JobId = None,
    type_: Annotated[
        list[str] | None, typer.Option("--type", help="Only events of this type; may be given again.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(help="Only what is younger: `2h`, `90s`, or a time such as 2026-01-31T09:00."),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the last so many.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    jsonl: Annotated[bool, typer.Option("--jsonl", help="Print one JSON record per line, as logged.")] = False,
) -> None:
    """List the events of a run, oldest first."""
    from prodigy.cli.output import print_json, print_json_line, print_table
    from prodigy.cli.place import project_here
    from prodigy.projections.timeline import row_of
    from prodigy.store.catalog import find_run, last_run

    project = project_here()
    workflow_id = find_run(project, job_id) if job_id is not None else last_run(project)
    types = _types(type_ or [])
    earliest = _earliest(since)
    records: Iterator[dict[str, Any]] = (
        record
        for record in _records(project, workflow_id)
        if (not types or record["type"] in types) and record["time"] >= earliest
    )
    if limit is not None:
        from collections import deque

        records = iter(deque(records, maxlen=limit))
    if jsonl:
        for record in records:
            print_json_line(record)
    elif json:
        print_json({"schema_version": 1, "workflow_id": workflow_id, "events": list(records)})
    else:
        print_table(("SEQ", "TIME", "EVENT", "AT", "DETAILS"), (row_of(record) for record in records))


@app.command("follow")
def follow(
    job_id: _JobId = None,
    jsonl: Annotated[bool, typer.Option("--jsonl", help="Print one JSON record per line, as logged.")] = False,
) -> None:
    """Print the events of a run as they happen, until it rests."""
    import anyio

    from prodigy.cli.following import follow_records
    from prodigy.cli.output import print_json_line
    from prodigy.cli.place import project_here
    from prodigy.projections.timeline import row_of
    from prodigy.runtime.terminal import visible
    from prodigy.store.catalog import find_run, last_run

    project = project_here()
    workflow_id = find_run(project, job_id) if job_id is not None else last_run(project)

    async def print_all() -> None:
        async for record in follow_records(project, workflow_id):
            if jsonl:
                print_json_line(record)
            else:
                print(*(visible(cell) for cell in row_of(record)), sep="  ")
            sys.stdout.flush()

    anyio.run(print_all)


@app.command("verify")
def verify(
    job_id: Annotated[str | None, typer.Argument(metavar="[REF]", help="The run; the last without.")] = None,
) -> None:
    """Check every line of a run's log: its order, its chain, and that it can be read."""
    from prodigy.cli.place import project_here
    from prodigy.store.catalog import find_run, last_run
    from prodigy.store.history import events_of

    project = project_here()
    workflow_id = find_run(project, job_id) if job_id is not None else last_run(project)
    folder = project.run(workflow_id)
    for generation in folder.generations():
        count = sum(1 for _ in events_of(folder, generation))
        print(f"{folder.events(generation).name}: {count} events, every one as it was written")


def _records(project: "Project", workflow_id: str) -> "Iterator[dict[str, Any]]":
    """Yield the records of the run's present generation, as logged."""
    import msgspec

    from prodigy.errors import DamagedState
    from prodigy.store.history import start_of
    from prodigy.store.log import read_chunks, scan

    folder = project.run(workflow_id)
    generations = folder.generations()
    if not generations:
        raise DamagedState(f"{folder.path} has no log", hint="List what there is: `prodigy checkpoints list`.")
    path = folder.events(generations[-1])
    for record in scan(read_chunks(path), start_of(folder, generations[-1]), name=str(path)):
        yield msgspec.json.decode(record.line)


def _types(wanted: list[str]) -> set[str]:
    from prodigy.errors import UsageProblem
    from prodigy.kernel.events import TYPES
    from prodigy.plan.reference import suggestion

    for name in wanted:
        if name not in TYPES:
            near = suggestion(name, tuple(TYPES), form="--type {}")
            raise UsageProblem(f"there is no event type {name!r}", hint=near or f"Types: {', '.join(TYPES)}")
    return set(wanted)


def _earliest(since: str | None) -> str:
    """Return the earliest time wanted, in the log's form; everything without `since`."""
    import re
    from datetime import UTC, datetime, timedelta

    from prodigy.errors import UsageProblem

    if since is None:
        return ""
    units = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
    if match := re.fullmatch(r"(\d{1,6})([smhd])", since):
        moment = datetime.now(UTC) - timedelta(**{units[match[2]]: int(match[1])})
    else:
        try:
            moment = datetime.fromisoformat(since).astimezone(UTC)
        except ValueError:
            raise UsageProblem(
                f"--since {since!r} is neither a duration nor a time",
                hint="For example: 2h, 30m, 2026-01-31T09:00",
            ) from None
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
