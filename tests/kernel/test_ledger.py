"""Every attempt of claude books what it cost once, whatever kind of end it had."""

from typing import Any

import pytest
from msgspec.structs import replace

from prodigy.kernel import events as ev
from prodigy.kernel import signals as sig
from prodigy.kernel.ledger import (
    BOOKED,
    NOTHING,
    UNKNOWN,
    Conversation,
    Cost,
    Ledger,
    ModelUsage,
    Spent,
    booked,
    cost_of,
    counted,
)
from prodigy.kernel.lifecycle import Epoch
from tests.kernel.story import Given, begun, exited, given, resume, resumes, stops
from tests.simulation.plans import compiled, step

SESSION = "00000000-0000-4000-8000-000000000001"
TALKED = Conversation(id=SESSION, counted_usd=1.0, models={"opus": ModelUsage(output_tokens=10, cost_usd=1.0)})


def asking(**keys: Any) -> dict[str, Any]:
    return {"claude": "look", "id": "a", **keys}


def asks(at: str = "a", attempt: int = 1, **fields: Any) -> ev.Event:
    return ev.CommandStarted(at=at, attempt=attempt, command="claude: look", **{"session": SESSION, **fields})


def answered(at: str, epoch: int, cost: Cost, **fields: Any) -> ev.CommandFinished:
    known: dict[str, Any] = {"at": at, "epoch": epoch, "exit_code": 0, "duration_s": 1.0} | cost.fields() | fields
    return ev.CommandFinished(**known)


def exact(usd: float) -> Spent:
    return Spent(kind="exact", session_usd=usd)


ONE = compiled(asking(), step("b"))


# What one attempt costs --------------------------------------------------------------------------------------


def test_what_the_result_says_is_exact() -> None:
    """In dollars and by model."""
    models = {"opus": ModelUsage(input_tokens=3, output_tokens=4, cost_usd=0.5)}
    spent = Spent(kind="exact", session_usd=0.5, models=models)
    assert cost_of(Conversation(), spent) == Cost(kind="exact", usd=0.5, session_usd=0.5, models=models)


def test_what_a_conversation_cost_before_is_not_booked_again() -> None:
    """Its counter contains that, by model too."""
    now = {
        "opus": ModelUsage(output_tokens=25, cost_usd=1.5),
        "haiku": ModelUsage(output_tokens=5, cost_usd=0.25),
    }
    cost = cost_of(TALKED, Spent(kind="exact", session_usd=1.75, models=now))
    since = {"opus": ModelUsage(output_tokens=15, cost_usd=0.5), "haiku": now["haiku"]}
    assert cost == Cost(kind="exact", usd=0.75, session_usd=1.75, models=since)


def test_a_model_that_was_not_used_since_is_left_out() -> None:
    """There is nothing to say of it."""
    cost = cost_of(TALKED, Spent(kind="exact", session_usd=1.0, models=TALKED.models))
    assert cost == Cost(kind="exact", usd=0.0, session_usd=1.0)


def test_a_counter_that_stands_lower_has_begun_from_nothing() -> None:
    """All of it is new."""
    assert cost_of(TALKED, exact(0.25)) == Cost(kind="exact", usd=0.25, session_usd=0.25)


def test_without_a_result_the_counter_that_was_written_down_is_an_estimate() -> None:
    """As after a SIGTERM; the next attempt is counted from there."""
    cost = cost_of(TALKED, Spent(kind="estimated", session_usd=1.5, own_usd=0.25))
    assert cost == Cost(kind="estimated", usd=0.5, session_usd=1.5)


def test_an_estimate_is_at_least_what_the_stream_shows() -> None:
    """The counter may have been written down before the last answer."""
    cost = cost_of(TALKED, Spent(kind="estimated", session_usd=1.25, own_usd=0.75))
    assert cost == Cost(kind="estimated", usd=0.75, session_usd=1.25)


def test_a_process_that_was_killed_leaves_the_counter_where_it_stood() -> None:
    """What it cost is estimated from its stream, and what comes after it is counted from the same place."""
    cost = cost_of(TALKED, Spent(kind="estimated", session_usd=1.0, own_usd=0.125))
    assert cost == Cost(kind="estimated", usd=0.125)
    assert counted(TALKED, cost) == replace(TALKED, paid_usd=0.125)


@pytest.mark.parametrize("spent", [UNKNOWN, Spent(kind="estimated", session_usd=1.0), Spent(kind="exact")])
def test_what_nothing_tells_is_unknown(spent: Spent) -> None:
    """It is never 0, and never left out."""
    assert cost_of(TALKED, spent) == Cost(kind="unknown", usd=None)


def test_what_never_started_cost_nothing() -> None:
    """That is known."""
    assert cost_of(TALKED, NOTHING) == Cost(kind="nothing", usd=0.0)


ENDS = {
    "normally": (exact(0.5), 0.5, 0.5),
    "by an interrupt": (exact(0.5), 0.5, 0.5),
    "by SIGINT": (Spent(kind="estimated", session_usd=0.5, own_usd=0.4), 0.5, 0.5),
    "by SIGTERM": (Spent(kind="estimated", session_usd=0.5, own_usd=0.4), 0.5, 0.5),
    "by SIGKILL": (Spent(kind="estimated", own_usd=0.4), 0.4, 0.0),
    "unheard of": (UNKNOWN, 0.0, 0.0),
}


@pytest.mark.parametrize("how", ENDS)
def test_a_conversation_that_is_gone_on_with_is_booked_once(how: str) -> None:
    """As the real program counts after each kind of end: its next result says where its counter had been, and more."""
    spent, usd, base = ENDS[how]
    first = cost_of(Conversation(id=SESSION), spent)
    assert (first.usd or 0.0) == usd
    second = cost_of(counted(Conversation(id=SESSION), first), exact(base + 0.25))
    assert second.usd == 0.25


# What is decided ---------------------------------------------------------------------------------------------


def test_an_attempt_books_its_cost_with_its_end() -> None:
    """And with nothing else."""
    events, state = given(ONE, asks()).when(exited("a", 3, spent=exact(0.5)))
    assert events[0] == answered("a", 3, Cost(kind="exact", usd=0.5, session_usd=0.5))
    assert state.ledger == Ledger(spent_usd=0.5, most_usd=0.5, exact=1)


def test_an_attempt_that_failed_is_paid_and_wasted() -> None:
    """The next one begins a conversation of its own."""
    plan = compiled(asking(retry=1))
    _, state = given(plan, asks()).when(exited("a", 3, exit_code=1, error="boom", spent=exact(0.5)))
    assert state.ledger == Ledger(spent_usd=0.5, wasted_usd=0.5, most_usd=0.5, exact=1)


def test_an_attempt_that_was_stopped_is_paid_and_not_wasted_yet() -> None:
    """Its conversation can be gone on with."""
    spent = Spent(kind="estimated", session_usd=0.5)
    _, state = given(ONE, asks(), stops()).when(exited("a", 3, stopped=True, spent=spent))
    assert state.ledger == Ledger(spent_usd=0.5, estimated_usd=0.5, most_usd=0.5, estimated=1)
    assert state.node("a").conversation == Conversation(id=SESSION, counted_usd=0.5, paid_usd=0.5, is_cut=True)


def test_what_a_conversation_cost_that_is_begun_anew_was_wasted() -> None:
    """Whatever it had come to."""
    cost = Cost(kind="exact", usd=0.5, session_usd=0.5)
    stopped = ev.CommandInterrupted(at="a", epoch=Epoch(3), duration_s=1.0, **cost.fields())
    again = given(ONE, asks(), stops(), stopped, ev.RunInterrupted(), resumes("a"), asks(session="another"))
    assert again.state.ledger == Ledger(spent_usd=0.5, wasted_usd=0.5, most_usd=0.5, exact=1)


def test_a_shell_step_costs_nothing_and_is_not_counted() -> None:
    """The ledger is about claude."""
    events, state = given(compiled(step("a")), ev.CommandStarted(at="a", attempt=1, command="x")).when(exited("a", 3))
    assert state.ledger == Ledger()
    assert isinstance(events[0], ev.CommandFinished)
    assert (events[0].cost_usd, events[0].cost_kind) == (None, "")


def test_what_was_in_flight_at_a_crash_is_booked_by_resume() -> None:
    """Before anything else: as far as it can be found out."""
    spent = {"a": Spent(kind="estimated", own_usd=0.25)}
    events, state = given(ONE, asks()).when(resume(spent=spent))
    assert events[0] == ev.CostBooked(at="a", epoch=Epoch(3), cost_kind="estimated", cost_usd=0.25)
    assert state.ledger == Ledger(spent_usd=0.25, estimated_usd=0.25, most_usd=0.25, estimated=1)


def test_what_nobody_can_say_of_it_is_unknown() -> None:
    """It is an attempt all the same."""
    events, state = given(ONE, asks()).when(resume())
    assert events[0] == ev.CostBooked(at="a", epoch=Epoch(3), cost_kind="unknown")
    assert (state.costs_unknown, state.ledger.attempts) == (1, 1)


def test_it_is_booked_once_though_recovery_is_killed_too() -> None:
    """The second resume finds another attempt in flight, or none."""
    state = given(ONE, asks()).when(resume()).state
    assert Given(state).when(resume()).state.ledger == Ledger(unknown=2)
    assert dict(state.in_flight) == {"a": Epoch(6)}


def test_what_was_stopped_is_not_booked_again_by_resume() -> None:
    """Its end was heard."""
    stopped = ev.CommandInterrupted(at="a", epoch=Epoch(3), duration_s=1.0, cost_kind="exact", cost_usd=0.5)
    events, state = given(ONE, asks(), stops(), stopped, ev.RunInterrupted()).when(resume())
    assert not [event for event in events if isinstance(event, ev.CostBooked)]
    assert state.ledger.attempts == 1


def test_a_step_that_may_not_be_repeated_is_not_booked_twice() -> None:
    """`on_interrupt: fail`: its failure is no attempt."""
    plan = compiled(asking(on_interrupt="fail"))
    events, state = given(plan, asks()).when(resume())
    finished = next(event for event in events if isinstance(event, ev.CommandFinished))
    assert (finished.cost_kind, state.ledger) == (BOOKED, Ledger(unknown=1))


# Other histories ---------------------------------------------------------------------------------------------

REWIND = sig.Rewind(generation=2, parent=1, from_seq=2, from_chain="c", version=1, reason="back", by="ann")
PAID = Ledger(spent_usd=3.0, exact=4)


def test_what_was_gone_back_over_was_paid_all_the_same() -> None:
    """The state is an earlier moment's, the ledger is not."""
    _, state = given(ONE).when(resume(rewind=replace(REWIND, ledger=PAID)))
    assert state.ledger == PAID


def test_going_back_books_nothing_that_was_in_flight_then() -> None:
    """That ended later, and is in the ledger."""
    events, state = given(ONE, asks()).when(resume(rewind=replace(REWIND, ledger=PAID)))
    assert not [event for event in events if isinstance(event, ev.CostBooked)]
    assert state.ledger == PAID


def test_nobody_goes_on_with_the_conversation_of_another_history() -> None:
    """It went on there."""
    stopped = ev.CommandInterrupted(at="a", epoch=Epoch(3), duration_s=1.0, cost_kind="exact", cost_usd=0.5)
    now = given(ONE, asks(), stops(), stopped, ev.RunInterrupted())
    _, back = now.when(resume(rewind=REWIND))
    fork = sig.Fork(workflow_id="demo-000002", from_workflow_id="demo-000001")
    _, forked = now.when(resume(fork=fork))
    assert SESSION not in (back.node("a").conversation.id, forked.node("a").conversation.id)


# Conversations -----------------------------------------------------------------------------------------------


def test_a_claude_step_starts_with_its_conversation() -> None:
    """A shell step has none."""
    events, _ = given(compiled(step("b"), asking()), ev.CommandStarted(at="b", attempt=1, command="x")).when(
        exited("b", 3)
    )
    started = events[-1]
    assert isinstance(started, ev.CommandStarted)
    assert (started.at, len(started.session), started.resumes) == ("a", 36, False)


def test_what_an_earlier_version_logged_is_counted() -> None:
    """It said only what an attempt cost, or nothing."""
    old = begun(ONE), asks(session=""), ev.CommandFinished(at="a", epoch=Epoch(3), exit_code=0, duration_s=1.0)
    assert given(ONE, *old[1:]).state.ledger == Ledger(unknown=1)


def test_sums_are_amounts_of_money() -> None:
    """Three times ten cents are thirty, and not 0.30000000000000004."""
    ledger = Ledger()
    for _ in range(3):
        ledger = booked(ledger, Cost(kind="exact", usd=0.1), wasted_usd=0.1)
    assert ledger.spent_usd == 0.3
    assert ledger.wasted_usd == 0.3
