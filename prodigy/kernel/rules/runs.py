"""The rules of a run as a whole: it begins, stops, rests, and ends as its root did."""

from prodigy.kernel import events as ev
from prodigy.kernel import signals as sig
from prodigy.kernel.lifecycle import Status
from prodigy.kernel.moves import Enter, FinishRun, Moves, Rest
from prodigy.kernel.queries import culprit_of
from prodigy.kernel.turn import Turn
from prodigy.plan.nodes import ROOT


def begin(turn: Turn, signal: sig.CookRequested) -> Moves:
    """Start a run, or start it over in a new generation."""
    if signal.generation > 1:
        parent = signal.generation - 1
        turn.record(ev.GenerationStarted, signal, parent=parent, from_seq=0, workflow_id="")
    turn.record(ev.RunStarted, signal, format=ev.FORMAT)
    return (Enter(ROOT),)


def stop(turn: Turn, signal: sig.StopRequested) -> Moves:
    """Begin nothing more; the run rests as soon as nothing of it is in flight."""
    if turn.state.is_over or turn.state.stopping or turn.state.origin is None:
        return ()
    turn.emit(ev.StopRequested(by=signal.by))
    return (Rest(),)


def rest(turn: Turn, move: Rest) -> Moves:
    """Interrupt a run that is stopping once nothing of it is in flight; pause or fail one that is about to."""
    if turn.state.in_flight or turn.state.is_over:
        return ()
    if turn.state.stopping:
        turn.emit(ev.RunInterrupted())
    elif pausing := turn.state.pausing:
        if pausing.fails:
            turn.emit(ev.RunFailed(at=pausing.at, error=pausing.reason))
        else:
            turn.emit(ev.RunPaused(at=pausing.at, reason=pausing.reason))
    return ()


def rested(turn: Turn, signal: sig.Rested) -> Moves:
    """Note that the process stood still: a resume counts what of a timeout was used by the times in the log."""
    if signal.rested_s > 0 and not turn.state.is_over and turn.state.origin is not None:
        turn.emit(ev.RunRested(rested_s=signal.rested_s))
    return ()


def finish(turn: Turn, move: FinishRun) -> Moves:
    """End a run whose root has settled."""
    root = turn.state.root
    if root.status is Status.FAILED:
        culprit = culprit_of(turn.state)
        turn.emit(ev.RunFailed(at=culprit, error=turn.state.node(culprit).failure))
    else:
        turn.emit(ev.RunCompleted())
    return ()


def clean(turn: Turn, signal: sig.CleanRequested) -> Moves:
    """End the log of a run of which only the log is kept from now on; it cannot go on."""
    turn.emit(ev.RunCleaned(by=signal.by, size_bytes=signal.size_bytes))
    return ()
