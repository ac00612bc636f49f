"""The rules of a command's end: it was interrupted, it failed, or its result is recorded and captured."""

from typing import Any

from prodigy.kernel import events as ev
from prodigy.kernel import signals as sig
from prodigy.kernel.effects import kept_bytes_max
from prodigy.kernel.gating import after, freed
from prodigy.kernel.ledger import cost_of
from prodigy.kernel.moves import EndExpired, Fail, Moves, Rest, Succeed
from prodigy.kernel.outcome import NOT_FOUND, captured, end_of, explained, judge, may_be_stopped
from prodigy.kernel.scope import lookup_in
from prodigy.kernel.turn import Turn


def exited(turn: Turn, signal: sig.Exited) -> Moves:
    """Record a command's end. Exits of an earlier epoch are ignored.

    What stops the run may reach its commands too, before we do: then they were interrupted as if by us.
    """
    if turn.state.in_flight.get(signal.at) != signal.epoch:
        return ()
    is_ending = turn.state.stopping or turn.state.pausing or turn.state.expired
    then: Moves = (EndExpired(), Rest()) if is_ending else ()
    if signal.stopped or (turn.state.stopping and may_be_stopped(signal)):
        turn.record(ev.CommandInterrupted, signal, **_booking(turn, signal))
        return then
    return (*_finish(turn, signal), *then)


def _finish(turn: Turn, signal: sig.Exited) -> Moves:
    node = turn.node(signal.at)
    outcome = judge(signal)
    if outcome.exit_code == NOT_FOUND:
        outcome = explained(node, outcome, lookup_in(turn.state, signal.at))
    value, outcome = captured(node, signal, outcome)
    turn.emit(
        ev.CommandFinished(  # every command ends so: to hand it on by name costs a tenth of all that is decided
            at=signal.at,
            epoch=signal.epoch,
            exit_code=signal.exit_code,
            duration_s=signal.duration_s,
            signal=signal.signal,
            timed_out_s=signal.timed_out_s,
            idle_s=signal.idle_s,
            error=outcome.error,
            is_final=outcome.is_final,
            fault=signal.fault if outcome.error is not None else "",
            output=end_of(signal.output, kept_bytes_max(node)).removesuffix("\n"),
            stderr=signal.stderr.removesuffix("\n"),
            output_file=signal.output_file,
            structured=signal.structured,
            model=signal.model,
            claude_version=signal.claude_version,
            warnings=signal.warnings + outcome.warnings,
            **_booking(turn, signal),
        )
    )
    more: Moves = ()
    if node.is_claude:
        if (then := after(turn, signal.at, outcome, signal)) is not None:
            return then
        more = freed(turn.state, signal.at)
    if outcome.error is not None:
        return (Fail(signal.at, outcome), *more)
    if node.policy.capture:
        turn.emit(ev.ValueCaptured(at=signal.at, name=node.policy.capture, value=value))
    return (Succeed(signal.at), *more)


def _booking(turn: Turn, signal: sig.Exited) -> dict[str, Any]:
    """Return the fields with which an attempt of claude books its cost; no others have one."""
    if not turn.state.plan.template(signal.at).is_claude:
        return {}
    return cost_of(turn.state.node(signal.at).conversation, signal.spent).fields()
