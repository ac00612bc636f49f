"""Turn an order to a live run into a signal, or refuse it with the reason."""

from prodigy.errors import RunNotFound, UsageProblem
from prodigy.kernel import signals as sig
from prodigy.kernel.lifecycle import Status
from prodigy.kernel.state import State
from prodigy.runtime.clock import now
from prodigy.runtime.orders.costs import check_budget
from prodigy.runtime.orders.requeuing import chosen
from prodigy.store.orders import Approve, Order, Purge, Raise, Retry, Stop


def signal_of(order: Order, state: State) -> sig.Signal:
    """Return the signal that an order to a live run is.

    Raises:
        UsageProblem: it means nothing while the run is live, or no such dead letter can be meant.
        RunNotFound: what it is about is not there, or not any more.
    """
    match order:
        case Stop(by=by):
            return sig.StopRequested(time=now(), by=by)
        case Approve(at=at, by=by):
            return sig.Answered(time=now(), at=at, is_confirmed=True, by=by)
        case Purge(by=by):
            at, keys = chosen(state, order)
            return sig.PurgeRequested(time=now(), at=at, keys=keys, by=by, is_live=True)
        case Raise(usd=usd, by=by):
            check_budget(state)
            return sig.RaiseRequested(time=now(), usd=usd, by=by, is_live=True)
        case Retry(by=by):
            return _requeue(order, state, by)
        case _:
            name = type(order).__struct_config__.tag
            raise UsageProblem(f"an order to {name} means nothing to a run that is live")


def _requeue(order: Retry, state: State, by: str) -> sig.Signal:
    at, keys = chosen(state, order)
    workflow_id = state.run.workflow_id
    if order.max_parallel is not None:
        raise UsageProblem(
            f"--max-parallel is for a run that is taken up, and {workflow_id} is live",
            hint=f"Leave it out, or stop the run first: `prodigy stop {workflow_id}`.",
        )
    if state.node(at).status is not Status.RUNNING:
        raise RunNotFound(
            f"{workflow_id} is live, and its map is done: dead letters cannot be put back while what follows it runs",
            hint=f"Wait for it, or end it with `prodigy stop {workflow_id}`; then `prodigy dlq retry {workflow_id}`.",
        )
    return sig.RequeueRequested(time=now(), at=at, keys=keys, by=by)
