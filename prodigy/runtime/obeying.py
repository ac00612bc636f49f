"""What an order means to a run that is live: one signal, or a sentence of why it means nothing there."""

from prodigy.errors import UsageProblem
from prodigy.kernel import signals as sig
from prodigy.kernel.state import State
from prodigy.runtime.clock import now
from prodigy.store.orders import Approve, Order, Stop


def signal_of(order: Order, state: State) -> sig.Signal:
    """Return the signal that an order to a live run is.

    Raises:
        UsageProblem: it means nothing while the run is live.
    """
    match order:
        case Stop(by=by):
            return sig.StopRequested(time=now(), by=by)
        case Approve(at=at, by=by):
            return sig.Answered(time=now(), at=at, is_confirmed=True, by=by)
        case _:
            name = type(order).__struct_config__.tag
            raise UsageProblem(f"an order to {name} came into the inbox, which means nothing while the run is live")
