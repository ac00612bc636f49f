"""The rules of a node that asks a person before it begins."""

from prodigy.kernel import events as ev
from prodigy.kernel import signals as sig
from prodigy.kernel.lifecycle import Status
from prodigy.kernel.moves import AskAgain, Moves, Start
from prodigy.kernel.queries import is_held, is_open
from prodigy.kernel.turn import Turn


def answered(turn: Turn, signal: sig.Answered) -> Moves:
    """Record a person's answer about a node that waits for it; if there is nobody to ask, the run pauses."""
    here = turn.state.node(signal.at)
    if here.status is not Status.AWAITING or turn.state.is_over:
        return ()
    if is_held(turn.state, signal.at) or not is_open(turn.state, signal.at):
        return ()
    if signal.is_confirmed is None:
        turn.emit(ev.RunPaused(at=signal.at, reason=f"{signal.at} waits for confirmation"))
        return ()
    turn.record(ev.ConfirmationAnswered, signal)
    if signal.is_confirmed:
        return (Start(signal.at, here.attempt + 1),)
    turn.emit(ev.RunCancelled(at=signal.at, by=signal.by))
    return ()


def ask_again(turn: Turn, move: AskAgain) -> Moves:
    """Ask once more: the process that asked before is gone."""
    turn.emit(ev.ConfirmationRequested(at=move.at))
    return ()
