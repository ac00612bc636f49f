"""`status`: where one run stands, once or until it rests."""

import time
from typing import Annotated, Any

import typer

from prodigy.cli.job import job_lines
from prodigy.cli.options import Json
from prodigy.cli.output.advice import advice
from prodigy.cli.output.advice import document as advised
from prodigy.cli.output.answers import print_json
from prodigy.cli.output.columns import MARGIN, columns_of_terminal, folded, prose
from prodigy.cli.output.costs import cost_of
from prodigy.cli.output.formatting import duration
from prodigy.cli.output.redrawn import LiveLines, can_move_cursor
from prodigy.cli.output.streams import check_reader
from prodigy.cli.output.summary import summary, took
from prodigy.cli.output.times import dated, due
from prodigy.cli.program import program
from prodigy.cli.projects import mirror_of, project_here
from prodigy.cli.rescue import lines as ways_out
from prodigy.errors import ExitCode
from prodigy.kernel.cause import meaningful_line
from prodigy.kernel.lifecycle import Status
from prodigy.kernel.retry import elapsed_s
from prodigy.kernel.state import State
from prodigy.plan.phrases import counted
from prodigy.projections.failure import reason_of
from prodigy.runtime.clock import now
from prodigy.runtime.terminal import visible
from prodigy.store.catalog import find_run, last_run, read_run
from prodigy.store.overview import RunOverview

WATCH_INTERVAL_S = 0.5


def status(
    ref: Annotated[
        str | None,
        typer.Argument(help="The run: id, name or beginning of an id; the last without.", show_default=False),
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Show it until the run rests.")] = False,
    json: Json = False,
) -> None:
    """Show where a run stands; of one that is damaged the ways out of it, with exit 7."""
    project = project_here()
    mirror = mirror_of(project)
    workflow_id = find_run(project, ref, mirror) if ref is not None else last_run(project, mirror)
    if watch:
        _watch(lambda: read_run(project, workflow_id, mirror))
    run = read_run(project, workflow_id, mirror)
    if json and not watch:
        print_json(document(run))
    elif not watch:
        print("\n".join(lines(run)))
    if run.state is None:
        if not json and run.owner is None:
            ways, columns = ways_out(project, mirror, workflow_id), columns_of_terminal()
            print("\n".join(line for way in ways for line in prose(way, columns, indent="  ", more="    ")))
        raise typer.Exit(ExitCode.DAMAGED)


def document(run: RunOverview) -> dict[str, Any]:
    """Return the document of `--json`."""
    if run.state is None:
        pid = run.owner.pid if run.owner else None
        about = {"workflow_id": run.workflow_id, "status": run.status, "pid": pid}
        return {"schema_version": 1, **about, "problem": run.problem}
    fields = summary(run.state)
    del fields["exit_code"]
    return (
        fields
        | advised(run.rest)
        | {
            "status": run.status,
            "mirror_only": run.is_mirror_only,
            "pid": run.owner.pid if run.owner else None,
            "running": run.running,
        }
    )


def lines(run: RunOverview, *, is_watched: bool = False) -> list[str]:
    """Return what to show of a run, a line each, and then what to type next; a watcher knows how to watch."""
    state = run.state
    if state is None:
        columns, shown = columns_of_terminal(), [f"  {run.problem}"]
        if run.owner:
            shown.append(f"  live     process {run.owner.pid} owns it: {program()} stop {run.workflow_id}")
        return [f"{run.workflow_id}  damaged", *(line for text in shown for line in _folded(text, columns))]
    end = now() if run.owner else state.time
    status = f"{run.status} (mirror only)" if run.is_mirror_only else run.status
    shown = [f"{run.workflow_id}  {status}  {run.step}  {took(state, end)}"]
    if cost := cost_of(state.ledger):
        shown[0] += f"  {cost}"
    if run.owner is None and not is_watched:
        shown.append(f"  updated  {dated(state.time)}")
    for at in run.running if run.owner else ():
        node = state.node(at)
        shown.append(f"  running  {visible(at)}  attempt {node.attempt}, for {duration(elapsed_s(node.since, end))}")
    for at, node in state.nodes.items():
        if node.status is Status.WAITING and not node.held_attempt:
            shown.append(f"  waiting  {visible(at)}  attempt {node.attempt + 1} at {due(node.due)}")
    shown += [f"  {text}" for text in waits(state)]
    shown += [f"  {text}" for text in job_lines(state)]
    if state.failure:
        word = {"paused": "waits", "cancelled": "refused"}.get(state.status, "failed")
        shown.append(f"  {word:<7}  {visible(reason_of(state))}")
    columns = columns_of_terminal()
    lines = [line for text in shown for line in _folded(text, columns)]
    if not is_watched or run.owner is None:
        lines += advice(run.rest, columns, indent="  ")
    return lines


def waits(state: State) -> list[str]:
    """Return why claude steps are held, and how many, if any are."""
    held = [at for at in state.held if state.node(at).held_attempt]
    if state.status != "running":
        return []
    items = state.map_items
    left = "" if items is None else f", {counted(items.total - len(items.settled), 'item')} left"
    if parked := state.parked:
        return [f"parked until {due(parked.due)}{left}: {visible(meaningful_line(parked.reason))}"]
    if pausing := state.pausing:
        return [f"pausing{left}: {visible(meaningful_line(pausing.reason))}"]
    return [f"held    {counted(len(held), 'claude step')} until the budget has room{left}"] if held else []


def _folded(text: str, columns: int | None) -> list[str]:
    """Return a line about a run; what does not fit goes on below its words."""
    head = " " * (len(text) - len(text.lstrip()))
    return folded(text.lstrip(), columns, indent=head, more=head + MARGIN)


def _watch(look: Any) -> None:
    """Show the run again and again: in place on a terminal, each change as a line elsewhere."""
    live = LiveLines() if can_move_cursor() else None
    seen = -1
    while True:
        run = look()
        if live is not None:
            live.show(lines(run, is_watched=True))
        elif run.state is not None and run.state.seq != seen:
            seen = run.state.seq
            print("\n".join(lines(run, is_watched=True)), flush=True)
            check_reader()
        if run.owner is None:
            return
        time.sleep(WATCH_INTERVAL_S)
