"""Decide what happens next: `decide(state, signal)` returns the events of one turn. Pure.

A signal is answered by a rule, which emits events and returns the moves that follow; each move is made by a rule of its
own, until none is left and the turn must wait for an outside signal. A node that settles can only affect its ancestors:
its sequence enters the next child or settles, its map begins the next item, a handler settles its owner. Nothing scans
the plan, and nothing recurses, however many steps or items there are.

The rules are in `rules/`, by what they are about. They know the moves and not each other; only this module knows both.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, assert_never

from prodigy.kernel import events as ev
from prodigy.kernel import moves as mv
from prodigy.kernel import signals as sig
from prodigy.kernel.rules import (
    commands,
    confirmations,
    gate,
    handlers,
    maps,
    nodes,
    recovery,
    rewinding,
    runs,
    sequences,
    timers,
)
from prodigy.kernel.state import State
from prodigy.kernel.turn import Turn


class Decision(NamedTuple):
    """The events of one turn, none where nothing happens, and the state after them."""

    events: list[ev.Event]
    state: State


def decide(state: State, signal: sig.Signal) -> Decision:
    """Return what happens because of `signal`. A signal that comes too late changes nothing."""
    turn = Turn(state, signal.time)
    agenda = list(reversed(_answer(turn, signal)))  # the next move stands last
    while agenda:
        move = agenda.pop()
        following = RULES[type(move)](turn, move)
        if following and isinstance(following[-1], mv.Fill) and _is_filled(agenda, following[-1].at):
            following = following[:-1]
        agenda += following[::-1]
    turn.close()
    return Decision(turn.events, turn.state)


def _is_filled(agenda: list[mv.Move], at: str) -> bool:
    """Whether a map will be filled anyway; a `Fill` always stands last among the moves that follow one."""
    return any(isinstance(move, mv.Fill) and move.at == at for move in agenda)


def _answer(turn: Turn, signal: sig.Signal) -> mv.Moves:
    """Answer a signal by the rule that is for it."""
    match signal:
        case sig.Exited():
            return commands.exited(turn, signal)
        case sig.TimerFired():
            return timers.timer_fired(turn, signal)
        case sig.LimitFired():
            return timers.limit_fired(turn, signal)
        case sig.Listed():
            return maps.listed(turn, signal)
        case sig.Answered():
            return confirmations.answered(turn, signal)
        case sig.CookRequested():
            return runs.begin(turn, signal)
        case sig.ResumeRequested():
            return recovery.resume(turn, signal)
        case sig.PurgeRequested():
            return maps.purge(turn, signal)
        case sig.RequeueRequested():
            return maps.requeue(turn, signal)
        case sig.CleanRequested():
            return runs.clean(turn, signal)
        case sig.Rested():
            return runs.rested(turn, signal)
        case sig.WakeFired():
            return gate.wake(turn, signal)
        case sig.RaiseRequested():
            return gate.raised(turn, signal)
        case sig.StopRequested():
            return runs.stop(turn, signal)
        case _:
            assert_never(signal)


# Each move is made by the rule that is for it. A table, and no match as for signals: there are eight moves a step, and
# a match asks for one kind after another, which took a third of the time of all that is decided.
RULES: dict[type[Any], Callable[[Turn, Any], mv.Moves]] = {
    mv.Enter: nodes.enter,
    mv.Start: nodes.start,
    mv.BeginClaude: gate.begin,
    mv.Succeed: nodes.succeed,
    mv.Fail: nodes.fail,
    mv.GiveUp: nodes.give_up,
    mv.Mark: nodes.mark,
    mv.Settled: nodes.settled,
    mv.Advance: sequences.advance,
    mv.Fill: maps.fill,
    mv.SettleItem: maps.settle_item,
    mv.HandlersSettled: handlers.settled,
    mv.GoBack: rewinding.go_back,
    mv.GoOn: recovery.go_on,
    mv.TakeUp: recovery.take_up,
    mv.RunAgain: recovery.run_again,
    mv.ReadOn: recovery.read_on,
    mv.WaitOn: recovery.wait_on,
    mv.AskAgain: confirmations.ask_again,
    mv.Expire: timers.expire,
    mv.EndExpired: timers.end_expired,
    mv.Park: gate.park,
    mv.Release: gate.release,
    mv.Admit: gate.admit,
    mv.PauseRun: gate.pause,
    mv.FinishRun: runs.finish,
    mv.Rest: runs.rest,
}
