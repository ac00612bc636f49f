"""What keeps claude steps from beginning, and what their ends mean for that: shared by the rules that meet it.

What may not begin is held, with the attempt that will; it costs no attempt, and nothing has failed.
"""

from prodigy.kernel import events as ev
from prodigy.kernel import signals as sig
from prodigy.kernel.budget import limit_of, own_bound
from prodigy.kernel.lifecycle import Status
from prodigy.kernel.moves import Admit, Moves, Park, PauseRun, Release, Start
from prodigy.kernel.outcome import Outcome
from prodigy.kernel.queries import is_held, is_open
from prodigy.kernel.retry import elapsed_s, remaining_s
from prodigy.kernel.state import State
from prodigy.kernel.turn import Turn


def hold(turn: Turn, at: str, attempt: int, reason: str) -> Moves:
    """Let a step wait; one that does already is not told again."""
    here = turn.state.node(at)
    if here.status is not Status.WAITING or here.held_attempt != attempt:
        turn.emit(ev.CommandHeld(at=at, attempt=attempt, reason=reason))
    return ()


def next_held(state: State) -> str | None:
    """Return the step that was held first and may still begin."""
    return min((at for at in state.held if _may_begin(state, at)), key=state.held.__getitem__, default=None)


def _may_begin(state: State, at: str) -> bool:
    here = state.node(at)
    is_waiting = here.status is Status.WAITING and here.held_attempt > 0
    return is_waiting and is_open(state, at) and not is_held(state, at)


def freed(state: State, at: str) -> Moves:
    """Return what may begin because an attempt has ended, which met no weather: all, where it had tried the way."""
    if state.parked is not None and state.parked.trying == at:
        return (Release(),)
    return (Admit(),) if state.held else ()


def after(turn: Turn, at: str, outcome: Outcome, signal: sig.Exited) -> Moves | None:
    """Return what follows an end of an attempt of claude that is no failure of its step; None where that is for it."""
    warn(turn)
    reason, here = outcome.error, turn.state.node(at)
    if reason is None:
        return None
    match signal.fault:
        case "weather" if turn.state.plan.on_limit != "fail":
            return (Park(at, reason, signal.resets_at_s),)
        case "account":
            hold(turn, at, here.attempt, reason)
            return (PauseRun(at, reason),)
        case "conversation" if here.conversation.is_resumed:
            return (Start(at, here.attempt), *freed(turn.state, at))
        case "budget" if own_bound(turn.state, at) is None and limit_of(turn.state) is not None:
            hold(turn, at, here.attempt, reason)
            return freed(turn.state, at)
    return None


def warn(turn: Turn) -> None:
    """Tell a person, once, that the budget is nearly spent."""
    limit_usd, budget = limit_of(turn.state), turn.state.plan.budget
    share = 0.8 if budget is None else budget.warn_at
    if limit_usd is not None and not turn.state.is_warned and turn.state.ledger.spent_usd >= share * limit_usd:
        turn.emit(ev.BudgetNeared(spent_usd=turn.state.ledger.spent_usd, usd=limit_usd))


def wait_again(turn: Turn) -> None:
    """Wait for the rest, in another process than the one that began it."""
    parked = turn.state.parked
    if parked is None:
        return
    left_s = remaining_s(turn.time, due=parked.due, delay_s=elapsed_s(turn.time, parked.due))
    turn.emit(
        ev.ClaudeParked(
            reason=parked.reason,
            since=parked.since,
            delay_s=left_s,
            due=parked.due,
            tries=parked.tries,
            number=parked.number + 1,
        )
    )
