"""`approve`: say yes to a stage or step that waits for confirmation, from any terminal."""

import shlex
from typing import Annotated

import typer

from prodigy.cli.foreground import go_on
from prodigy.cli.live_orders import is_carried_out
from prodigy.cli.options import JsonSummary, RunReference
from prodigy.cli.output.answers import print_json
from prodigy.cli.output.display import user
from prodigy.cli.output.sentences import print_prose
from prodigy.cli.projects import project_here, run_of
from prodigy.errors import RunNotFound, UsageProblem
from prodigy.kernel.events import ConfirmationAnswered
from prodigy.kernel.lifecycle import Status
from prodigy.kernel.state import State
from prodigy.plan.phrases import agreeing, together
from prodigy.projections.naming import address_of
from prodigy.store.catalog import read_run
from prodigy.store.history import lineage
from prodigy.store.layout import Project
from prodigy.store.lock import Holder
from prodigy.store.orders import Approve
from prodigy.store.overview import RunOverview


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
    run = read_run(project, workflow_id)
    order = _order(workflow_id, run.sound(), node)
    if run.owner is None:
        go_on(project, workflow_id, order, json=json)
    else:
        _approve_in_owner(project, run, order, run.owner, json=json)


def _order(workflow_id: str, state: State, node: str | None) -> Approve:
    """Return the order that is meant; `node` is an id, address or name, None for the only one that waits.

    Raises:
        UsageProblem: there is no such node, it does not wait for confirmation, or several do; the hint names them.
    """
    waiting = [at for at, here in state.nodes.items() if here.status is Status.AWAITING]
    if node is None and len(waiting) != 1:
        what = "several things wait" if waiting else "nothing waits"
        raise UsageProblem(
            f"{what} for confirmation in {workflow_id}", hint=f"{_subject(waiting)}." if waiting else None
        )
    address = waiting[0] if node is None else address_of(workflow_id, state, node)
    if address not in waiting:
        raise UsageProblem(f"{node!r} of {workflow_id} does not wait for confirmation", hint=f"{_subject(waiting)}.")
    return Approve(at=address, by=f"{user()} with prodigy approve")


def _approve_in_owner(project: Project, run: RunOverview, order: Approve, owner: Holder, *, json: bool) -> None:
    """Have the owner of a live run take the yes, and say so once the log shows it.

    Raises:
        RunNotFound: the owner ended first, or took the yes and did nothing.
    """
    workflow_id, before = run.workflow_id, run.sound()

    def is_done(now: State) -> bool:
        was, here = before.node(order.at), now.node(order.at)
        is_asked_still = here.status is Status.AWAITING and here.since == was.since
        return not is_asked_still and _is_approved(project, before, order.at)

    if not is_carried_out(project, workflow_id, order, is_done):
        raise RunNotFound(
            f"{order.at} was not approved: process {owner.pid}, which ran {workflow_id}, ended first",
            hint=_next(project, workflow_id, order.at),
        )
    if json:
        print_json({"schema_version": 1, "workflow_id": workflow_id, "approved": order.at, "pid": owner.pid})
    else:
        print_prose(f"{order.at} of {workflow_id} was approved; process {owner.pid} goes on")


def _is_approved(project: Project, before: State, address: str) -> bool:
    """Whether the log shows, after a state, that somebody said yes; what is approved may wait once more by now."""
    history = lineage(project.run(before.run.workflow_id), before.generation)
    events = (moment.event for moment in history.logged_events() if moment.seq > before.seq)
    return any(isinstance(one, ConfirmationAnswered) and one.at == address and one.is_confirmed for one in events)


def _next(project: Project, workflow_id: str, address: str) -> str:
    """Return how to say yes to a run that nobody runs any more."""
    if read_run(project, workflow_id).status == "cancelled":
        return f"Somebody said no. To be asked again: `prodigy resume {workflow_id}`."
    return f"Say it again, and go on with the run: `prodigy approve {workflow_id} {shlex.quote(address)}`."


def _subject(waiting: list[str]) -> str:
    """Return what waits, as a sentence without its end."""
    return f"{together(waiting)} {agreeing(len(waiting), 'waits', 'wait')}" if waiting else "Nothing waits"
