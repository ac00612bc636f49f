"""Timeouts of stages, rule by rule: whose time runs, what ends, what stays ended."""

from typing import Any

import pytest
from msgspec.structs import replace

from prodigy.kernel import effects as fx
from prodigy.kernel import events as ev
from prodigy.kernel import signals as sig
from prodigy.kernel.effects import effects
from prodigy.kernel.lifecycle import Epoch
from prodigy.kernel.queries import is_awaited
from prodigy.kernel.state import State
from prodigy.plan.nodes import ROOT
from tests.kernel.story import (
    NOW,
    Given,
    Told,
    breaks,
    fired,
    given,
    later,
    resume,
    resumes,
    run_fails,
    starts,
    stops,
    waits,
)
from tests.simulation.plans import in_stages, mapped, stage, step

ENTERED: tuple[ev.Event, ...] = (
    ev.NodeStarted(at="one", attempt=1),
    ev.LimitStarted(at="one", attempt=1, left_s=60.0),
)
REACHED = ev.LimitReached(at="one", timeout_s=60.0)
PLAN = in_stages(stage("one", step("a", retry=3), timeout=60, on_failure={"shell": "clean"}), stage("two", step("b")))
PLAIN = in_stages(stage("one", step("a", retry=3), timeout=60))
LATE = "timed out after 60 s"


def late(at: str = "one", attempt: int = 1) -> sig.Signal:
    return sig.LimitFired(time=NOW, at=at, attempt=attempt)


def ended(at: str, epoch: int) -> sig.Signal:
    return sig.Exited(time=NOW, at=at, epoch=Epoch(epoch), stopped=True, signal="SIGTERM", duration_s=1.0)


def interrupted(at: str, epoch: int) -> ev.Event:
    return ev.CommandInterrupted(at=at, epoch=Epoch(epoch), duration_s=1.0)


def test_a_stage_with_a_timeout_starts_its_time_before_its_steps() -> None:
    """The effect is a timer."""
    given(PLAIN).when(resume()).then(resumes(), *ENTERED, starts("one.a", text="do a"))
    state = given(PLAIN, *ENTERED).state
    assert [fx.Limit(at="one", attempt=1, delay_s=60.0)] == list(effects(state, ENTERED[1], state.seq))


def test_a_stage_out_of_time_ends_what_runs_in_it_first() -> None:
    """It fails only when nothing runs any more."""
    state = given(PLAIN, *ENTERED, starts("one.a")).when(late()).then(REACHED)
    assert [fx.Terminate(at="one.a", epoch=Epoch(5))] == list(effects(state, REACHED, state.seq))


def test_what_was_ended_so_fails_the_stage_not_the_step() -> None:
    """The step is not tried again."""
    given(PLAIN, *ENTERED, starts("one.a"), REACHED).when(ended("one.a", 5)).then(
        interrupted("one.a", 5), ev.NodeFailed(at="one", error=LATE), run_fails("one", LATE)
    )


def test_a_stage_out_of_time_while_a_step_waits_fails_at_once() -> None:
    """Nothing is in flight."""
    told = (*ENTERED, starts("one.a"), breaks("one.a", 5), waits("one.a", 2, 1.0))
    given(PLAIN, *told).when(late()).then(REACHED, ev.NodeFailed(at="one", error=LATE), run_fails("one", LATE))


HANDLING: tuple[Told, ...] = (
    *ENTERED,
    starts("one.a"),
    breaks("one.a", 5),
    waits("one.a", 2, 1.0),
    REACHED,
    ev.HandlingStarted(at="one"),
    ev.NodeStarted(at="one.on_failure", attempt=1),
    starts("one.on_failure[0]", text="clean"),
)


def test_a_late_wait_begins_nothing_in_a_stage_that_is_being_handled() -> None:
    """The stage has failed: only its handlers are at work."""
    given(PLAN, *HANDLING).when(fired("one.a", 2)).then()


def test_a_late_wait_of_a_handler_begins_nothing_in_a_stage_that_has_failed() -> None:
    """Nothing deep inside it either."""
    plan = in_stages(
        stage("one", step("a", on_failure={"shell": "mend", "retry": 1}), timeout=60, on_failure={"shell": "clean"})
    )
    mend = "one.a.on_failure[0]"
    inside = (ev.HandlingStarted(at="one.a"), ev.NodeStarted(at="one.a.on_failure", attempt=1), starts(mend))
    told = (*ENTERED, starts("one.a"), breaks("one.a", 5), *inside, breaks(mend, 9), waits(mend, 2, 1.0), REACHED)
    given(plan, *told, *HANDLING[-3:]).when(fired(mend, 2)).then()


def test_a_late_answer_begins_nothing_in_a_stage_that_is_being_handled() -> None:
    """The question is of yesterday."""
    plan = in_stages(stage("one", step("a", requires_confirmation=True), timeout=60, on_failure={"shell": "clean"}))
    told = (*ENTERED, ev.ConfirmationRequested(at="one.a"), REACHED, *HANDLING[-3:])
    given(plan, *told).when(sig.Answered(time=NOW, at="one.a", is_confirmed=True, by="ann")).then()


@pytest.mark.parametrize(
    ("told", "signal"),
    [
        ((starts("one.a"), stops()), late()),
        ((starts("one.a"),), late(attempt=2)),
        ((starts("one.a"), REACHED), late()),
    ],
    ids=["stopping", "of another attempt", "twice"],
)
def test_time_that_does_not_count(told: tuple[Told, ...], signal: sig.Signal) -> None:
    """Nothing is decided."""
    given(PLAIN, *ENTERED, *told).when(signal).then()


def test_the_time_of_a_stage_adds_up_over_resumes() -> None:
    """What is left runs on; the hours between do not count."""
    plan = in_stages(stage("one", step("a"), timeout=60))
    told = (*ENTERED, starts("one.a"), stops(), interrupted("one.a", 5), ev.RunInterrupted())
    rested = given(plan, *told)
    aged = rested._replace(state=_at(rested, 20.0))
    aged.when(resume(time=later(9000))).then(
        resumes("one.a"), ev.LimitStarted(at="one", attempt=1, left_s=40.0, spent_s=20.0), starts("one.a", text="do a")
    )


def test_what_is_not_gone_on_with_at_once_uses_up_no_time() -> None:
    """The run was resumed to ask whether the step may run again, and rested for the night until somebody said so."""
    plan = in_stages(stage("one", step("a", on_interrupt="ask"), timeout=60))
    told = (*ENTERED, starts("one.a"), stops(), ev.RunInterrupted())
    rested = given(plan, *told)
    asked = Given(rested._replace(state=_at(rested, 20.0)).when(resume(time=later(500))).state)
    assert "paused" == asked.state.status
    asked.when(resume(time=later(9000), answers={"one.a": True})).then(
        resumes("one.a"), ev.LimitStarted(at="one", attempt=1, left_s=40.0, spent_s=20.0), starts("one.a", text="do a")
    )


def test_an_item_that_waits_for_room_uses_up_no_time() -> None:
    """It was at work for 20 s, another had its place for 500 s, and the run was stopped and resumed once more."""
    plan = mapped([], [step("x")], [], max_parallel=2, agent_timeout=60)
    begun = [
        (ev.NodeStarted(at=f"map[{key}]", attempt=1), ev.LimitStarted(at=f"map[{key}]", attempt=1, left_s=60.0))
        for key in "ab"
    ]
    listed = ev.ItemsListed(at="map", keys=("a", "b"), items=("a", "b"))
    told = (ev.NodeStarted(at="map", attempt=1), ev.ListingStarted(at="map"), listed, *begun, stops())
    rested = given(plan, *told, ev.RunInterrupted())
    held = Given(rested._replace(state=_at(rested, 20.0)).when(resume(time=later(100), max_parallel=1)).state)
    stopped = Given(replace(held.state, time=later(600), stopping="SIGINT", status="interrupted"))
    limits = [event for event in stopped.when(resume(time=later(900))).events if isinstance(event, ev.LimitStarted)]
    assert [ev.LimitStarted(at="map[b]", attempt=1, left_s=40.0, spent_s=20.0)] == [
        limit for limit in limits if limit.at == "map[b]"
    ]


def test_no_time_is_left_where_the_run_stopped_in_the_last_moment() -> None:
    """The stage fails; nothing in it is repeated, and nobody waits for what the dead process had in flight."""
    plan = in_stages(stage("one", step("a"), timeout=60))
    killed = given(plan, *ENTERED, starts("one.a"))
    killed._replace(state=_at(killed, 60.0)).when(resume(time=later(60))).then(
        resumes("one.a"),
        ev.LimitReached(at="one", timeout_s=0.0),
        ev.NodeFailed(at="one", error=LATE),
        run_fails("one", LATE),
    )


def test_a_stage_that_failed_for_its_time_has_all_of_it_when_resumed() -> None:
    """Its budget is new; the step goes on where it stood."""
    told = (*ENTERED, starts("one.a"), REACHED, interrupted("one.a", 5), ev.NodeFailed(at="one", error=LATE))
    given(PLAIN, *told, run_fails("one", LATE)).when(resume()).then(
        resumes("one.a"),
        ev.NodeContinued(at=ROOT),
        ev.NodeContinued(at="one"),
        ev.LimitStarted(at="one", attempt=1, left_s=60.0),
        starts("one.a", text="do a"),
    )


def test_an_edit_that_gives_a_running_stage_a_timeout_starts_it() -> None:
    """It does not expire at once."""
    before = in_stages(stage("one", step("a")))
    after = in_stages(stage("one", step("a"), timeout=60))
    revision = sig.Revision(plan=after, workflow_text="")
    told = (ev.NodeStarted(at="one", attempt=1), starts("one.a"), stops(), interrupted("one.a", 4), ev.RunInterrupted())
    given(before, *told).when(resume(revision=revision)).then(
        ev.PlanChanged(plan=after, workflow_text=""),
        resumes("one.a"),
        ev.LimitStarted(at="one", attempt=1, left_s=60.0),
        starts("one.a", text="do a"),
    )


def test_a_limit_whose_template_means_nothing_any_more_still_ends_the_stage() -> None:
    """A step inside replaced the variable; the time with which the stage began is named."""
    plan = in_stages(stage("one", step("a", capture="t"), step("b"), timeout="${t}"), variables={"t": "60"})
    captured = (ev.ValueCaptured(at="one.a", name="t", value="soon"), ev.NodeSucceeded(at="one.a"))
    told = (
        *ENTERED,
        starts("one.a"),
        ev.CommandFinished(at="one.a", epoch=Epoch(5), exit_code=0, duration_s=1.0),
        *captured,
    )
    given(plan, *told, starts("one.b"), REACHED).when(ended("one.b", 9)).then(
        interrupted("one.b", 9), ev.NodeFailed(at="one", error=LATE), run_fails("one", LATE)
    )


def test_a_rest_is_noted_and_uses_up_no_time() -> None:
    """What is left after it is what was left before."""
    plan = in_stages(stage("one", step("a"), timeout=60))
    noted = ev.RunRested(rested_s=500.0)
    state = given(plan, *ENTERED, starts("one.a")).when(sig.Rested(time=later(510), rested_s=500.0)).then(noted)
    assert later(500) == state.node("one").limit_since
    stopped = Given(replace(state, time=later(520), stopping="SIGINT", status="interrupted"))
    stopped.when(resume(time=later(9000))).then(
        resumes("one.a"), ev.LimitStarted(at="one", attempt=1, left_s=40.0, spent_s=20.0), starts("one.a", text="do a")
    )


@pytest.mark.parametrize("told", [(), (stops(), interrupted("one.a", 5), ev.RunInterrupted())], ids=["none", "over"])
def test_no_rest_is_noted_where_there_was_none_or_the_run_is_over(told: tuple[Told, ...]) -> None:
    """Somebody sent a SIGCONT."""
    rested_s = 5.0 if told else 0.0
    given(PLAIN, *ENTERED, starts("one.a"), *told).when(sig.Rested(time=NOW, rested_s=rested_s)).then()


WAITING = (starts("one.a"), breaks("one.a", 5), waits("one.a", 2, 1.0))


@pytest.mark.parametrize(
    ("told", "awaited"),
    [
        (WAITING, ["wait", "limit"]),
        ((*WAITING, starts("one.a", 2)), ["limit"]),
        ((*WAITING, REACHED), []),
        ((*WAITING, *HANDLING[-4:]), []),
        ((*WAITING, stops()), []),
        ((*WAITING, REACHED, ev.NodeFailed(at="one", error=LATE)), []),
    ],
    ids=["a wait", "begun", "out of time", "handled", "stopping", "over"],
)
def test_a_timer_is_awaited_while_something_would_come_of_it(told: tuple[Told, ...], awaited: list[str]) -> None:
    """Else whoever keeps timers may forget it, of a wait within what is over too."""
    state = given(PLAN, *ENTERED, *told).state
    timers: dict[str, Any] = {"wait": fired("one.a", 2), "limit": late()}
    assert awaited == [name for name, timer in timers.items() if is_awaited(state, timer)]


def _at(run: Given, seconds: float) -> State:
    """Return the run's state, its last event `seconds` later than it was told."""
    return replace(run.state, time=later(seconds))
