"""`approve`: say yes to a stage or step that waits for confirmation, from any terminal."""

from typing import Annotated

import typer

from prodigy.cli.foreground import go_on
from prodigy.cli.options import JsonSummary, RunReference
from prodigy.cli.output.answers import print_json
from prodigy.cli.output.display import user
from prodigy.cli.projects import project_here, run_of
from prodigy.errors import UsageProblem
from prodigy.kernel.lifecycle import Status
from prodigy.plan.phrases import agreeing, together
from prodigy.projections.naming import address_of
from prodigy.store.catalog import listed
from prodigy.store.inbox import send
from prodigy.store.layout import Project
from prodigy.store.orders import Approve


def approve(
    ref: RunReference,
    node: Annotated[
        str | None,
        typer.Argument(help="The stage or step that waits for confirmation; the only one without.", show_default=False),
    ] = None,
    json: JsonSummary = False,
) -> None:
    """Say yes to a stage or step that waits for confirmation, and go on with the run."""
    project = project_here()
    workflow_id = run_of(project, ref)
    if order := _approve_in_owner(project, workflow_id, node, json=json):
        go_on(project, workflow_id, order, json=json)


def _approve_in_owner(project: Project, workflow_id: str, node: str | None, *, json: bool) -> Approve | None:
    """Leave the yes in the run's inbox if somebody owns the run; else return the order: the caller goes on with it.

    Args:
        node: what is approved, by id, address or name; None for the only one that waits.

    Raises:
        DamagedState: the run cannot be read.
        UsageProblem: there is no such node, it does not wait for confirmation, or several do; the hint names them.
    """
    run = listed(project, workflow_id)
    state = run.sound()
    waiting = [at for at, here in state.nodes.items() if here.status is Status.AWAITING]
    if node is None and len(waiting) != 1:
        what = "several things wait" if waiting else "nothing waits"
        raise UsageProblem(
            f"{what} for confirmation in {workflow_id}", hint=f"{_subject(waiting)}." if waiting else None
        )
    address = waiting[0] if node is None else address_of(workflow_id, state, node)
    if address not in waiting:
        raise UsageProblem(f"{node!r} of {workflow_id} does not wait for confirmation", hint=f"{_subject(waiting)}.")
    order = Approve(at=address, by=f"{user()} with prodigy approve")
    if run.owner is None:
        return order
    send(project.run(workflow_id).inbox, order)
    if json:
        print_json({"schema_version": 1, "workflow_id": workflow_id, "approved": address, "pid": run.owner.pid})
    else:
        print(f"{address} of {workflow_id} was approved; process {run.owner.pid} goes on")
    return None


def _subject(waiting: list[str]) -> str:
    """Return what waits, as a sentence without its end."""
    return f"{together(waiting)} {agreeing(len(waiting), 'waits', 'wait')}" if waiting else "Nothing waits"
