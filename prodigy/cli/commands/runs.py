"""`ps` and `stop`: the runs that are live now."""

import time
from typing import Annotated

import typer

from prodigy.cli.output.advice import advice
from prodigy.cli.output.answers import print_json, print_table
from prodigy.cli.output.columns import columns_of_terminal
from prodigy.cli.output.times import dated
from prodigy.cli.program import program
from prodigy.cli.projects import mirror_of, project_here, run_of
from prodigy.cli.rescue import lines
from prodigy.errors import RunNotFound
from prodigy.store.catalog import list_standings, listed
from prodigy.store.inbox import send
from prodigy.store.layout import Project
from prodigy.store.lock import holder
from prodigy.store.orders import Stop

STOP_POLL_S = 0.1


def ps(json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False) -> None:
    """List the runs that are live now, with the process that owns each."""
    live = [run for run in list_standings(project_here()) if run.owner]
    if json:
        runs = [
            {
                "workflow_id": run.workflow_id,
                "status": run.status,
                "pid": run.owner.pid if run.owner else None,
                "since": run.owner.started if run.owner else None,
                "running": run.running,
            }
            for run in live
        ]
        print_json({"schema_version": 1, "runs": runs})
    elif not live:
        print(f"no run is live here; all of them: {program()} checkpoints list")
    else:
        print_table(
            ("RUN", "PID", "STATUS", "STEP", "SINCE"),
            (
                (
                    run.workflow_id,
                    str(run.owner.pid) if run.owner else "",
                    run.status,
                    run.step,
                    dated(run.owner.started) if run.owner else "",
                )
                for run in live
            ),
        )
        for run in live:
            if not run.is_damaged and (len(live) == 1 or run.rest.awaiting):
                print("\n" + "\n".join(advice(run.rest, columns_of_terminal())))


def stop(
    ref: Annotated[str, typer.Argument(help="The run: its id, its workflow's name, or the beginning of an id.")],
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Stop a live run as Ctrl-C would; it can be resumed."""
    project = project_here()
    workflow_id = run_of(project, ref)
    folder = project.run(workflow_id)
    owner = holder(folder.lock)
    if owner is None:
        raise RunNotFound(f"{workflow_id} is not running", hint=_next(project, workflow_id))
    send(folder.inbox, Stop(by="prodigy stop"))
    if not json:
        print(f"{workflow_id} was asked to stop (process {owner.pid}); waiting for it")
    while holder(folder.lock) is not None:
        time.sleep(STOP_POLL_S)
    if json:
        print_json({"schema_version": 1, "workflow_id": workflow_id, "stopped": True, "pid": owner.pid})
    else:
        print(f"stopped; go on with:  {program()} resume {workflow_id}")


def _next(project: Project, workflow_id: str) -> str:
    """Return what can be done with a run that is not running."""
    if listed(project, workflow_id).state is None:
        return "\n  ".join(lines(project, mirror_of(project), workflow_id))
    return f"Go on with it: `prodigy resume {workflow_id}`."
