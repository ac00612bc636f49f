"""Fold what keeps claude steps from beginning: they are held, claude is parked, the run pauses; a budget is raised."""

from msgspec.structs import replace

from prodigy.kernel import events as ev
from prodigy.kernel.lifecycle import after, is_repair
from prodigy.kernel.state import Parked, Pausing, State


def command_held(state: State, event: ev.CommandHeld, time: str) -> State:
    """The step waits, and what the handlers repaired has been repaired."""
    before = state.node(event.at)
    node = replace(
        before,
        status=after("command_held", before.status),
        repairs=before.repairs + is_repair(before.status),
        held_attempt=event.attempt,
        since=time,
    )
    return replace(state, nodes=state.nodes.set(event.at, node), held=state.held.set(event.at, state.seq + 1))


def claude_parked(state: State, event: ev.ClaudeParked, time: str) -> State:
    """Nothing goes first any more."""
    parked = Parked(reason=event.reason, since=event.since, due=event.due, tries=event.tries, number=event.number)
    return replace(state, parked=parked)


def claude_tried(state: State, event: ev.ClaudeTried, time: str) -> State:
    """One step goes first."""
    assert state.parked is not None, "only what is parked tries the way"
    return replace(state, parked=replace(state.parked, trying=event.at))


def claude_released(state: State, event: ev.ClaudeReleased, time: str) -> State:
    """Claude is within reach."""
    return replace(state, parked=None)


def pause_requested(state: State, event: ev.PauseRequested, time: str) -> State:
    """A resume will begin with a try, whatever was waited for."""
    return replace(state, pausing=Pausing(at=event.at, reason=event.reason, fails=event.fails), parked=None)


def budget_neared(state: State, event: ev.BudgetNeared, time: str) -> State:
    """It is told once."""
    return replace(state, is_warned=True)


def budget_raised(state: State, event: ev.BudgetRaised, time: str) -> State:
    """It is told again when the new budget is nearly spent."""
    return replace(state, raised_usd=state.raised_usd + event.usd, is_warned=False)
