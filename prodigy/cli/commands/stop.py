"""`stop`: stop a live run from another terminal, as Ctrl-C would, and wait for it."""

import sys
import time

from prodigy.cli.options import Json, RunReference
from prodigy.cli.output.advice import advice
from prodigy.cli.output.answers import print_json
from prodigy.cli.output.columns import columns_of_terminal
from prodigy.cli.output.sentences import print_prose, print_with_command
from prodigy.cli.program import program
from prodigy.cli.projects import mirror_of, project_here, run_of
from prodigy.cli.rescue import lines
from prodigy.errors import RunNotFound
from prodigy.store.catalog import read_run
from prodigy.store.inbox import send
from prodigy.store.layout import Project
from prodigy.store.lock import holder
from prodigy.store.orders import Stop

STOP_POLL_S = 0.1


def stop(
    ref: RunReference,
    json: Json = False,
) -> None:
    """Stop a live run as Ctrl-C would; it can be resumed."""
    project = project_here()
    workflow_id = run_of(project, ref)
    folder = project.run(workflow_id)
    owner = holder(folder.lock)
    if owner is None:
        raise RunNotFound(f"{workflow_id} is not running", hint=_next(project, workflow_id))
    order = send(folder.inbox, Stop(by="prodigy stop"))
    if not json:
        print_prose(f"{workflow_id} was asked to stop (process {owner.pid}); waiting for it")
        sys.stdout.flush()
    while holder(folder.lock) == owner:
        time.sleep(STOP_POLL_S)
    order.unlink(missing_ok=True)  # it had ended before it looked, and whoever goes on is not meant
    if json:
        print_json({"schema_version": 1, "workflow_id": workflow_id, "stopped": True, "pid": owner.pid})
    elif successor := holder(folder.lock):
        print_prose(f"stopped; process {successor.pid} goes on with it")
    else:
        _print_end(project, workflow_id)


def _print_end(project: Project, workflow_id: str) -> None:
    """Print how a run that was asked to stop came to rest, for it may not have heard that, and what is next."""
    run = read_run(project, workflow_id)
    if run.status == "interrupted":
        print_with_command("stopped; go on with", f"{program()} resume {workflow_id}")
        return
    print_prose(f"it is {run.status}")
    for line in advice(run.rest, columns_of_terminal(), indent="  "):
        print(line)


def _next(project: Project, workflow_id: str) -> str:
    """Return what can be done with a run that is not running."""
    run = read_run(project, workflow_id)
    if run.state is None:
        return "\n  ".join(lines(project, mirror_of(project), workflow_id))
    if run.status == "completed":
        return f"It is completed. Look at it: `prodigy status {workflow_id}`."
    return f"Go on with it: `prodigy resume {workflow_id}`."
