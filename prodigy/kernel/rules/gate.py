"""The rules by which claude steps begin: while claude is within reach, and while the budget has room.

What may not begin is held, with the attempt that will; it costs no attempt, and nothing has failed. Weather parks all
of claude: when the wait is over one step goes first, then the rest. What only a person can mend pauses the run.
"""

from datetime import UTC, datetime

from prodigy.kernel import events as ev
from prodigy.kernel import signals as sig
from prodigy.kernel.budget import committed, fits, limit_of, reservation
from prodigy.kernel.conversations import session_of
from prodigy.kernel.gating import hold, next_held
from prodigy.kernel.lifecycle import Status
from prodigy.kernel.moves import Admit, BeginClaude, Moves, Park, PauseRun, Release, Rest, Start
from prodigy.kernel.queries import is_held
from prodigy.kernel.retry import due_at, elapsed_s, remaining_s
from prodigy.kernel.turn import Turn
from prodigy.plan.headline import headline
from prodigy.plan.nodes import ROOT, Node

FIRST_WAIT_S = 15.0
LONGEST_WAIT_S = 600.0
RESET_SLACK_S = 1.0  # clocks differ

WAITS_FOR_BUDGET = "the budget has no room for another attempt until one that is at work has ended"


def begin(turn: Turn, move: BeginClaude) -> Moves:
    """Begin an attempt of a claude step, or hold it."""
    node, at, attempt, parked = turn.node(move.at), move.at, move.attempt, turn.state.parked
    if parked is not None and parked.trying != at:
        return hold(turn, at, attempt, parked.reason)
    reserved_usd = reservation(turn.state, at)
    if reserved_usd is not None and reserved_usd <= 0:
        return _start(turn, node, attempt, 0.0)  # whose effect is its refusal: its own budget is used up
    if fits(turn.state, reserved_usd):
        return _start(turn, node, attempt, reserved_usd)
    return (*hold(turn, at, attempt, WAITS_FOR_BUDGET), Admit())


def _start(turn: Turn, node: Node, attempt: int, reserved_usd: float | None) -> Moves:
    conversation = turn.state.node(node.address).conversation
    resumes = conversation.is_cut and conversation.id != "" and node.policy.on_interrupt != "rerun"
    new = session_of(turn.state, node, attempt, time=turn.time)
    turn.emit(
        ev.CommandStarted(
            at=node.address,
            attempt=attempt,
            command=headline(node),
            session=conversation.id if resumes else new,
            resumes=resumes,
            reserved_usd=reserved_usd,
        )
    )
    return ()


def admit(turn: Turn, move: Admit) -> Moves:
    """Begin what was held and has room now; where nothing is at work and nothing has room, the budget is at its end."""
    if turn.state.parked is not None or (at := next_held(turn.state)) is None:
        return ()
    if fits(turn.state, reservation(turn.state, at)):
        return (Start(at, turn.state.node(at).held_attempt), Admit())
    if turn.state.reserved_usd > 0:
        return ()
    spent_usd, limit_usd = committed(turn.state), limit_of(turn.state)
    budget, wanted_usd = turn.state.plan.budget, reservation(turn.state, at)
    reason = (
        f"{_usd(spent_usd)} of the budget of {_usd(limit_usd)} is used, and another attempt needs {_usd(wanted_usd)}"
    )
    return (PauseRun(at, reason, fails=budget is not None and budget.on_exceed == "fail"),)


def _usd(amount: float | None) -> str:
    return f"${(amount or 0.0):.4f}".rstrip("0").rstrip(".")


def pause(turn: Turn, move: PauseRun) -> Moves:
    """Begin nothing more, and pause or fail as soon as nothing is in flight."""
    if turn.state.pausing is None and not turn.state.stopping:
        turn.emit(ev.PauseRequested(at=move.at, reason=move.reason, fails=move.fails))
    return (Rest(),)


def park(turn: Turn, move: Park) -> Moves:
    """Wait for better weather; the step that met it goes on then, as if nothing had been."""
    plan, here = turn.state.plan, turn.state.node(move.at)
    hold(turn, move.at, here.attempt, move.reason)
    if turn.state.pausing or turn.state.stopping:
        return ()
    if plan.on_limit == "pause":
        return (PauseRun(move.at, move.reason),)
    parked = turn.state.parked
    if parked is not None and parked.trying not in ("", move.at):
        return ()  # another step tries the way already
    since = turn.time if parked is None else parked.since
    is_again = parked is not None and parked.trying == move.at
    tries = 1 if parked is None else parked.tries + is_again
    delay_s = _delay_s(turn.time, move.resets_at_s, tries)
    if parked is not None and not is_again:
        left_s = remaining_s(turn.time, due=parked.due, delay_s=elapsed_s(turn.time, parked.due))
        if move.resets_at_s is None or delay_s <= left_s:
            return ()  # only a limit that is known to end later makes the wait longer
    due = due_at(turn.time, delay_s)
    if elapsed_s(since, due) > plan.max_wait_s:
        longest = f"longer than max_wait, {plan.max_wait_s:g} s"
        return (PauseRun(move.at, f"{move.reason}; it would take until {due}, {longest}"),)
    number = 1 if parked is None else parked.number + 1
    turn.emit(ev.ClaudeParked(reason=move.reason, since=since, delay_s=delay_s, due=due, tries=tries, number=number))
    return ()


def _delay_s(now: str, resets_at_s: int | None, tries: int) -> float:
    """Return for how long to wait: until the limit ends, where that is told, else longer each time."""
    if resets_at_s is not None:
        try:
            resets_at = datetime.fromtimestamp(resets_at_s, UTC).isoformat()
        except (OverflowError, ValueError, OSError):
            resets_at = now
        if left_s := elapsed_s(now, resets_at):
            return left_s + RESET_SLACK_S
    return min(FIRST_WAIT_S * 2.0 ** min(tries - 1, 16), LONGEST_WAIT_S)


def wake(turn: Turn, signal: sig.WakeFired) -> Moves:
    """Let the step that was held first try the way; with none there is nothing to wait for."""
    parked = turn.state.parked
    if parked is None or parked.number != signal.number or parked.trying or turn.state.is_over:
        return ()
    if is_held(turn.state, ROOT):
        return ()
    at = next_held(turn.state)
    if at is None:
        return (Release(),)
    turn.emit(ev.ClaudeTried(at=at, number=parked.number))
    return (Start(at, turn.state.node(at).held_attempt),)


def release(turn: Turn, move: Release) -> Moves:
    """Claude is within reach again: whatever is limited in time goes on with what it had, and what was held begins."""
    parked = turn.state.parked
    assert parked is not None, "only what was parked is released"
    turn.emit(ev.ClaudeReleased())
    for at, here in sorted(turn.state.nodes.items()):
        if here.limit_since and here.status is Status.RUNNING:
            used_s = elapsed_s(here.limit_since, parked.since)
            spent_s, left_s = here.spent_s + used_s, max(0.0, here.left_s - used_s)
            turn.emit(ev.LimitStarted(at=at, attempt=here.attempt, left_s=left_s, spent_s=spent_s))
    return (Admit(),)


def raised(turn: Turn, signal: sig.RaiseRequested) -> Moves:
    """Note a larger budget, and begin what has room now."""
    if limit_of(turn.state) is None or turn.state.origin is None:
        return ()
    turn.record(ev.BudgetRaised, signal)
    return (Admit(),) if signal.is_live and not turn.state.is_over else ()
