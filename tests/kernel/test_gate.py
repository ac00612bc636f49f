"""Claude steps begin while claude is within reach and the budget has room; else they are held, and none has failed."""

from datetime import datetime
from typing import Any

import pytest
from msgspec.structs import replace

from prodigy.kernel import effects as fx
from prodigy.kernel import events as ev
from prodigy.kernel import signals as sig
from prodigy.kernel.decide import decide
from prodigy.kernel.effects import OWN_BUDGET_USED, effects
from prodigy.kernel.fault import fault_of
from prodigy.kernel.ledger import NOTHING, Ledger, Spent
from prodigy.kernel.lifecycle import Epoch, Status
from prodigy.kernel.rules.gate import WAITS_FOR_BUDGET
from prodigy.kernel.state import State
from prodigy.plan.nodes import ROOT, Plan
from tests.kernel.story import NOW, Given, exited, given, later, resume, stop
from tests.simulation.plans import compiled, mapped, step

LIMIT = "You have hit your limit"


def asking(id_: str = "a", **keys: Any) -> dict[str, Any]:
    return {"claude": f"do {id_}", "id": id_, **keys}


def items(count: int, **keys: Any) -> Given:
    """Return a run with so many items at work, each with its agent in flight; `keys` are the workflow's."""
    words = mapped([], [asking("x", retry=1)], [], max_parallel=count)
    plan = replace(words, **keys)
    now = given(plan, ev.NodeStarted(at="map", attempt=1), ev.ListingStarted(at="map"))
    keys_ = tuple("pqrstuv"[:count])
    return Given(now.when(sig.Listed(time=NOW, at="map", keys=keys_, items=keys_)).state)


def at(key: str) -> str:
    return f"map[{key}].x"


def ends(state: State, where: str, *, time: str = NOW, **fields: Any) -> State:
    return told(state, where, time=time, **fields)[1]


def told(state: State, where: str, *, time: str = NOW, **fields: Any) -> tuple[list[ev.Event], State]:
    signal = exited(where, state.in_flight[where], **fields)
    return decide(state, replace(signal, time=time))


def weather(state: State, where: str, *, time: str = NOW, resets_at_s: int | None = None) -> State:
    return ends(state, where, time=time, exit_code=1, error=LIMIT, fault="weather", resets_at_s=resets_at_s)


def wakes(state: State, time: str = NOW) -> State:
    assert state.parked is not None, "it sleeps"
    return decide(state, sig.WakeFired(time=time, at=ROOT, number=state.parked.number)).state


def resets_in(seconds: float) -> int:
    return int(datetime.fromisoformat(NOW).timestamp() + seconds)


# Whose fault -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "status", "subtype", "fault"),
    [
        ("rate_limit", 429, "success", "weather"),
        ("unknown", 429, "success", "weather"),
        ("overloaded", 529, "success", "weather"),
        ("server_error", None, "success", "weather"),
        ("unknown", 503, "success", "weather"),
        ("unknown", None, "success", "weather"),
        ("authentication_failed", 401, "success", "account"),
        ("billing_error", 400, "success", "account"),
        ("model_not_found", 404, "success", "account"),
        ("unknown", 403, "success", "account"),
        ("invalid_request", 400, "success", "step"),
        ("unknown", 413, "success", "step"),
        ("", None, "error_max_turns", "step"),
        ("", None, "error_max_budget_usd", "budget"),
        ("", None, "error_during_execution", ""),
        ("", None, "", ""),
    ],
)
def test_whose_fault_it_is_is_decided_by_words_and_numbers(
    word: str, status: int | None, subtype: str, fault: str
) -> None:
    """The word that a request was classed by, its status, how the whole ended; never prose."""
    assert fault_of(word, status, subtype) == fault


# Weather -----------------------------------------------------------------------------------------------------


def test_weather_is_no_failure_and_no_attempt() -> None:
    """The step is held as it was, and the run waits until the limit ends."""
    before = items(2).state
    events, state = told(before, at("p"), exit_code=1, error=LIMIT, fault="weather", resets_at_s=resets_in(600))
    assert [type(event) for event in events] == [ev.CommandFinished, ev.CommandHeld, ev.ClaudeParked]
    assert events[1:] == [
        ev.CommandHeld(at=at("p"), attempt=1, reason=LIMIT),
        ev.ClaudeParked(reason=LIMIT, since=NOW, delay_s=601.0, due=later(601), tries=1, number=1),
    ]
    assert (state.node(at("p")).attempt, state.node(at("p")).status) == (1, Status.WAITING)
    assert state.maps["map"].dead == 0


def test_the_wait_is_an_order_to_the_world() -> None:
    """Computed from the event alone."""
    events, state = told(items(1).state, at("p"), exit_code=1, error=LIMIT, fault="weather")
    orders = [order for seq, event in enumerate(events, start=1) for order in effects(state, event, seq)]
    assert orders == [fx.Wake(at=ROOT, number=1, delay_s=15.0)]


def test_what_is_at_work_may_finish_and_nothing_else_begins() -> None:
    """The next item is held before it starts."""
    plan = mapped([], [asking("x")], [], max_parallel=2)
    now = given(plan, ev.NodeStarted(at="map", attempt=1), ev.ListingStarted(at="map"))
    state = now.when(sig.Listed(time=NOW, at="map", keys=tuple("pqr"), items=tuple("pqr"))).state
    state = weather(state, at("p"))
    events, state = told(state, at("q"))
    assert ev.CommandHeld(at=at("r"), attempt=1, reason=LIMIT) in events
    assert not state.in_flight
    assert state.maps["map"].succeeded == 1


def test_one_goes_first_then_the_rest() -> None:
    """When the first has met no weather."""
    state = items(3).state
    for key in "pqr":
        state = weather(state, at(key))
    assert state.parked is not None
    assert (state.parked.number, dict(state.in_flight)) == (1, {})
    state = wakes(state)
    assert set(state.in_flight) == {at("p")}
    events, state = told(state, at("p"))
    assert ev.ClaudeReleased() in events
    assert set(state.in_flight) == {at("q"), at("r")}
    assert state.parked is None


def test_a_failure_of_its_own_frees_the_way_too() -> None:
    """Claude has answered."""
    state = items(2).state
    state = wakes(weather(weather(state, at("p")), at("q")))
    state = ends(state, at("p"), exit_code=1, error="no")
    assert (state.parked, set(state.in_flight)) == (None, {at("q")})
    assert state.node(at("p")).status is Status.WAITING


def test_waits_grow_while_the_weather_stays() -> None:
    """Each try that meets it doubles them, up to ten minutes."""
    state, delays = weather(items(1).state, at("p")), []
    for _ in range(8):
        assert state.parked is not None
        delays.append(state.parked.due)
        state = weather(wakes(state), at("p"))
    assert delays == [later(delay) for delay in (15, 30, 60, 120, 240, 480, 600, 600)]


def test_others_that_meet_it_make_no_wait_shorter() -> None:
    """A later end of the limit makes it longer."""
    state = weather(items(3).state, at("p"), resets_at_s=resets_in(100))
    state = weather(state, at("q"))
    assert state.parked is not None
    assert state.parked.due == later(101)
    state = weather(state, at("r"), resets_at_s=resets_in(200))
    assert state.parked is not None
    assert (state.parked.due, state.parked.tries, state.parked.number) == (later(201), 1, 2)


def test_a_wake_that_is_nobodys_any_more_does_nothing() -> None:
    """A longer wait took its place."""
    state = weather(weather(items(2).state, at("p")), at("q"), resets_at_s=resets_in(200))
    assert decide(state, sig.WakeFired(time=NOW, at=ROOT, number=1)).events == []


def test_a_wait_that_is_too_long_pauses_the_run() -> None:
    """`max_wait` counts from the first of them."""
    events, state = told(
        items(1, max_wait_s=500.0).state, at("p"), exit_code=1, error=LIMIT, fault="weather", resets_at_s=resets_in(600)
    )
    assert [type(event) for event in events[-2:]] == [ev.PauseRequested, ev.RunPaused]
    assert "longer than max_wait, 500 s" in state.failure


def test_on_limit_pause_pauses_when_what_is_at_work_has_ended() -> None:
    """And resume begins with a try."""
    state = weather(items(2, on_limit="pause").state, at("p"))
    assert state.status == "running"
    state = ends(state, at("q"))
    assert (state.status, state.failed_at, state.failure) == ("paused", at("p"), LIMIT)
    assert set(decide(state, resume()).state.in_flight) == {at("p")}


def test_on_limit_fail_is_a_failure_like_any_other() -> None:
    """It is tried again as `retry` says."""
    events, _ = told(items(1, on_limit="fail").state, at("p"), exit_code=1, error=LIMIT, fault="weather")
    assert isinstance(events[-1], ev.RetryScheduled)


def test_waiting_survives_a_crash() -> None:
    """Resume waits for the rest, and starts nothing before."""
    state = weather(items(2).state, at("p"), resets_at_s=resets_in(599))
    state = Given(state).when(resume(time=later(200))).state
    assert state.parked is not None
    assert (state.parked.due, state.parked.number, dict(state.in_flight)) == (later(600), 2, {})
    assert state.node(at("q")).status is Status.WAITING
    assert set(wakes(state, later(600)).in_flight) == {at("p")}


def test_a_wait_that_is_over_when_the_run_goes_on_ends_at_once() -> None:
    """By the clock."""
    state = weather(items(1).state, at("p"))
    events = Given(state).when(resume(time=later(900))).events
    parked = next(event for event in events if isinstance(event, ev.ClaudeParked))
    assert parked.delay_s == 0


def test_a_stop_while_it_waits_is_a_stop() -> None:
    """And the rest is waited for after it."""
    state = decide(weather(items(1).state, at("p")), stop()).state
    assert state.status == "interrupted"
    assert Given(state).when(resume()).state.parked is not None


def test_waiting_counts_for_no_timeout() -> None:
    """An item has what it had left when claude was parked."""
    plan = mapped([], [asking("x")], [], max_parallel=2, agent_timeout=100)
    now = given(plan, ev.NodeStarted(at="map", attempt=1), ev.ListingStarted(at="map"))
    state = now.when(sig.Listed(time=NOW, at="map", keys=("p", "q"), items=("p", "q"))).state
    state = weather(weather(state, at("p"), time=later(30)), at("q"), time=later(31))
    assert decide(state, sig.LimitFired(time=later(100), at="map[q]", attempt=1)).events == []
    events, _ = told(wakes(state, later(1000)), at("p"), time=later(1001))
    assert ev.LimitStarted(at="map[q]", attempt=1, left_s=70.0, spent_s=30.0) in events


# The account -------------------------------------------------------------------------------------------------


def test_the_accounts_fault_pauses_the_run_and_fails_nothing() -> None:
    """What is at work may finish; the step goes on when somebody has mended it."""
    events, state = told(items(2).state, at("p"), exit_code=1, error="wrong key", fault="account")
    assert events[1:] == [
        ev.CommandHeld(at=at("p"), attempt=1, reason="wrong key"),
        ev.PauseRequested(at=at("p"), reason="wrong key"),
    ]
    events, state = told(state, at("q"), exit_code=1, error="wrong key", fault="account")
    assert events[-1] == ev.RunPaused(at=at("p"), reason="wrong key")
    assert (state.maps["map"].dead, state.failure) == (0, "wrong key")
    assert set(Given(state).when(resume()).state.in_flight) == {at("p"), at("q")}


# Conversations -----------------------------------------------------------------------------------------------


def begun(state: State, where: str) -> ev.CommandStarted:
    events = Given(state).when(resume()).events
    return next(event for event in events if isinstance(event, ev.CommandStarted) and event.at == where)


def test_what_was_cut_off_goes_on_with_its_conversation() -> None:
    """By a crash, a stop, or a limit."""
    first = items(1).state
    session = first.node(at("p")).conversation.id
    stopped = ends(decide(first, stop()).state, at("p"), stopped=True)
    for state in (first, stopped):
        started = begun(state, at("p"))
        assert (started.session, started.resumes, started.attempt) == (session, True, 1)
    assert wakes(weather(first, at("p"))).node(at("p")).conversation.id == session


def test_it_goes_on_with_a_short_prompt_of_ours() -> None:
    """What it was asked stands in the conversation."""
    state = Given(items(1).state).when(resume()).state
    epoch = state.in_flight[at("p")]
    started = ev.CommandStarted(at=at("p"), attempt=1, command="", session="s", resumes=True)
    spawn = next(effects(state, started, epoch))
    assert isinstance(spawn, fx.Spawn)
    assert isinstance(spawn.command, fx.RenderedClaude)
    assert (spawn.command.resumes, "You were interrupted" in spawn.command.prompt) == (True, True)


def test_a_conversation_that_is_not_there_is_begun_anew() -> None:
    """At once, with no attempt used; the log says which."""
    state = Given(items(1).state).when(resume()).state
    events, _ = told(state, at("p"), exit_code=1, error="No conversation found", fault="conversation")
    started = events[-1]
    assert isinstance(started, ev.CommandStarted)
    assert (started.resumes, started.attempt) == (False, 1)


@pytest.mark.parametrize("how", ["never began", "rerun"])
def test_what_has_no_conversation_or_shall_not_go_on_begins_anew(how: str) -> None:
    """Before its process there is none; `on_interrupt: rerun` wants none."""
    plan = compiled(asking(**({"on_interrupt": "rerun"} if how == "rerun" else {})))
    state = Given(State()).when(_cook(plan)).state
    spent = {"a": NOTHING} if how == "never began" else {}
    events = Given(state).when(resume(spent=spent)).events
    started = next(event for event in events if isinstance(event, ev.CommandStarted))
    assert not started.resumes


def test_an_attempt_that_failed_is_followed_by_a_new_conversation() -> None:
    """It had come to its end."""
    state = ends(items(1).state, at("p"), exit_code=1, error="boom")
    state = decide(state, sig.TimerFired(time=NOW, at=at("p"), attempt=2)).state
    assert not state.node(at("p")).conversation.is_resumed


def _cook(plan: Plan, **fields: Any) -> sig.Signal:
    return sig.CookRequested(
        time=NOW,
        workflow_id="demo-000001",
        workflow_path="demo.yaml",
        workflow_text="",
        directory="/project",
        number=1,
        plan=plan,
        prodigy_version="0",
        **fields,
    )


# The budget --------------------------------------------------------------------------------------------------


def with_budget(*steps: dict[str, Any], cook: float | None = None, **budget: Any) -> State:
    plan = compiled(*steps, **({"budget": budget} if budget else {}))
    return decide(State(), _cook(plan, budget_usd=cook)).state


def paid(usd: float) -> Spent:
    return Spent(kind="exact", session_usd=usd)


def many(count: int, **budget: Any) -> State:
    plan = mapped([], [asking("x")], [], max_parallel=count)
    whole = replace(plan, budget=compiled(step("a"), budget=budget).budget)
    now = given(whole, ev.NodeStarted(at="map", attempt=1), ev.ListingStarted(at="map"))
    keys = tuple("pqrstuv"[:count])
    return now.when(sig.Listed(time=NOW, at="map", keys=keys, items=keys)).state


def test_what_an_attempt_may_cost_is_reserved_before_it_starts() -> None:
    """It is told to Claude Code too."""
    state = with_budget(asking(), usd=50, per_step=5)
    assert (state.reserved_usd, state.node("a").reserved_usd) == (5.0, 5.0)
    started = ev.CommandStarted(at="a", attempt=1, command="", session="s", reserved_usd=5.0)
    spawn = next(effects(state, started, 3))
    assert isinstance(spawn, fx.Spawn)
    assert isinstance(spawn.command, fx.RenderedClaude)
    assert spawn.command.budget_usd == 5.0


def test_without_bounds_of_steps_a_share_or_twice_the_costliest_is_reserved() -> None:
    """Which grows with what is learnt."""
    state = with_budget(asking(), asking("b"), asking("c"), usd=10)
    assert state.reserved_usd == 0.5
    assert ends(state, "a", spent=paid(1.5)).reserved_usd == 3.0


def test_no_more_begin_than_have_room() -> None:
    """The others wait for one that is at work to end."""
    state = many(3, usd=2.5, per_step=1)
    assert set(state.in_flight) == {at("p"), at("q")}
    assert state.node(at("r")).held_attempt == 1
    state = ends(state, at("p"), spent=paid(0.25))
    assert set(state.in_flight) == {at("q"), at("r")}


def test_a_run_that_pauses_begins_nothing_in_that_turn() -> None:
    """Whatever else was to be decided: there are items that could be begun."""
    plan = replace(mapped([], [asking("x")], [], max_parallel=2), budget=compiled(step("a"), budget={"usd": 1}).budget)
    plan = replace(plan, budget=replace(plan.budget, per_step=0.5) if plan.budget else None)
    now = given(plan, ev.NodeStarted(at="map", attempt=1), ev.ListingStarted(at="map"))
    state = now.when(sig.Listed(time=NOW, at="map", keys=tuple("pqrs"), items=tuple("pqrs"))).state
    state = ends(state, at("p"), spent=paid(0.5))
    events, state = told(state, at("q"), spent=paid(0.5))
    assert [type(event) for event in events[-2:]] == [ev.PauseRequested, ev.RunPaused]
    assert (state.status, dict(state.in_flight)) == ("paused", {})


def test_when_nothing_has_room_the_run_pauses() -> None:
    """As soon as nothing is at work."""
    state = many(3, usd=2.5, per_step=1)
    state = ends(ends(state, at("p"), spent=paid(1.0)), at("q"), spent=paid(1.0))
    assert state.status == "paused"
    assert state.failure == "$2 of the budget of $2.5 is used, and another attempt needs $1"


def test_or_it_fails() -> None:
    """As `on_exceed` says; resume goes on all the same."""
    state = many(3, usd=2.5, per_step=1, on_exceed="fail")
    state = ends(ends(state, at("p"), spent=paid(1.0)), at("q"), spent=paid(1.0))
    assert state.status == "failed"
    raised = decide(state, sig.RaiseRequested(time=NOW, usd=1, by="ann")).state
    assert set(Given(raised).when(resume()).state.in_flight) == {at("r")}


def test_a_budget_that_is_raised_makes_room_at_once() -> None:
    """In a run that is live."""
    state = many(3, usd=2.5, per_step=1)
    order = sig.RaiseRequested(time=NOW, usd=1, by="ann", is_live=True)
    events, state = decide(state, order)
    assert events[0] == ev.BudgetRaised(usd=1, by="ann")
    assert set(state.in_flight) == {at("p"), at("q"), at("r")}


def test_an_attempt_of_unknown_cost_counts_with_what_was_reserved() -> None:
    """A cap that holds assumes the worst."""
    state = many(3, usd=2.5, per_step=1)
    state = ends(ends(state, at("p")), at("q"), spent=paid(0.25))
    assert state.ledger == Ledger(spent_usd=0.25, most_usd=0.25, assumed_usd=1.0, exact=1, unknown=1)
    assert set(state.in_flight) == {at("r")}


def test_what_the_runs_budget_ended_goes_on_when_there_is_room() -> None:
    """It is no failure of the step."""
    state = with_budget(asking(), usd=1)
    state = ends(state, "a", exit_code=1, error="Reached maximum budget", fault="budget", spent=paid(0.05))
    assert (set(state.in_flight), state.node("a").conversation.is_resumed) == ({"a"}, True)
    assert state.node("a").attempt == 1


def test_what_the_steps_own_budget_ended_has_failed() -> None:
    """At once, whatever `retry` says."""
    state = with_budget(asking(retry=3), usd=50, per_step=1)
    state = ends(state, "a", exit_code=1, error="Reached maximum budget", fault="budget", spent=paid(1.0))
    epoch = state.node("a").epoch
    assert state.node("a").status is Status.WAITING
    state = decide(state, sig.TimerFired(time=NOW, at="a", attempt=2)).state
    started = ev.CommandStarted(at="a", attempt=2, command="", reserved_usd=0.0)
    assert state.in_flight["a"] > epoch
    assert next(effects(state, started, state.in_flight["a"])) == fx.Reject(
        at="a", epoch=state.in_flight["a"], reason=OWN_BUDGET_USED, is_final=True
    )


def test_an_item_has_a_budget_over_all_its_steps() -> None:
    """What the first spent the second does not have."""
    plan = mapped([], [asking("x"), asking("y")], [], max_parallel=1)
    plan = replace(plan, budget=compiled(step("a"), budget={"per_item": 2}).budget)
    now = given(plan, ev.NodeStarted(at="map", attempt=1), ev.ListingStarted(at="map"))
    state = now.when(sig.Listed(time=NOW, at="map", keys=("p",), items=("p",))).state
    assert state.reserved_usd == 2.0
    assert ends(state, at("p"), spent=paid(0.5)).reserved_usd == 1.5


def test_a_person_is_told_once_that_the_budget_is_nearly_spent() -> None:
    """And again when it was raised."""
    state = with_budget(asking(), asking("b"), asking("c"), usd=1, per_step=0.5, warn_at="70%")
    events, state = told(ends(state, "a", spent=paid(0.25)), "b", spent=paid(0.5))
    assert ev.BudgetNeared(spent_usd=0.75, usd=1.0) in events
    state = decide(state, sig.RaiseRequested(time=NOW, usd=1, by="ann")).state
    assert not state.is_warned


def test_the_budget_of_the_command_line_takes_the_place_of_the_files() -> None:
    """It is in the log, and so survives resume."""
    state = with_budget(asking(), cook=4.0, usd=50, per_step=1)
    assert Given(state).when(resume()).state.budget_usd == 4.0


def test_no_order_to_raise_makes_a_budget() -> None:
    """Without a bound there is nothing to raise."""
    state = with_budget(asking())
    assert decide(state, sig.RaiseRequested(time=NOW, usd=1, by="ann")).events == []


def test_what_was_reserved_at_a_crash_is_free_again() -> None:
    """Resume books the attempt, and reserves for the next."""
    state = Given(with_budget(asking(), usd=10, per_step=2)).when(resume(spent={"a": paid(0.5)})).state
    assert (state.ledger.spent_usd, state.reserved_usd) == (0.5, 1.5)
    assert state.in_flight["a"] == Epoch(6)
    assert WAITS_FOR_BUDGET
