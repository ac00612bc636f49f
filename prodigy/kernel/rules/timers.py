"""The rules of time: a wait or a pause is over, or a sequence has used the time that it may take."""

from prodigy.kernel import events as ev
from prodigy.kernel import signals as sig
from prodigy.kernel.lifecycle import Status
from prodigy.kernel.limits import limit_of
from prodigy.kernel.moves import EndExpired, Expire, Fail, Fill, Moves, Start
from prodigy.kernel.outcome import Outcome
from prodigy.kernel.queries import is_awaited
from prodigy.kernel.turn import Turn
from prodigy.plan.nodes import is_below


def timer_fired(turn: Turn, signal: sig.TimerFired) -> Moves:
    """Begin the next attempt of a node that waited; or let one item try the way, where a map's breaker paused."""
    if not is_awaited(turn.state, signal):
        return ()
    if turn.state.node(signal.at).status is not Status.RUNNING:
        return (Start(signal.at, signal.attempt),)
    turn.emit(ev.BreakerTried(at=signal.at))
    return (Fill(signal.at),)


def limit_fired(turn: Turn, signal: sig.LimitFired) -> Moves:
    """End what runs in a sequence that has used its time, and fail it once nothing does."""
    if not is_awaited(turn.state, signal):
        return ()
    turn.emit(ev.LimitReached(at=signal.at, timeout_s=turn.state.node(signal.at).left_s))
    return (EndExpired(),)


def end_expired(turn: Turn, move: EndExpired) -> Moves:
    """Fail the innermost sequence that has reached its timeout and has nothing in flight any more; then look again."""
    for address in sorted(turn.state.expired, key=len, reverse=True):
        if not any(is_below(turn.state.plan, at, address) for at in turn.state.in_flight):
            limit_s = limit_of(turn.state, turn.node(address))
            outcome = Outcome(error=f"timed out after {limit_s:g} s", is_timeout=True)
            return (Fail(address, outcome), EndExpired())
    return ()


def expire(turn: Turn, move: Expire) -> Moves:
    """End a sequence whose time was over when the run stopped: nothing in it is repeated."""
    turn.emit(ev.LimitReached(at=move.at, timeout_s=0.0))
    return (EndExpired(),)
