"""A stop that reaches everything: commands die of the signal that ends us, with us, or before we hear of it."""

import pytest

from prodigy.kernel import events as ev
from prodigy.kernel.evolve import fold
from prodigy.kernel.lifecycle import Epoch
from prodigy.kernel.outcome import STOP_SIGNALS
from prodigy.kernel.queries import worked_s
from prodigy.kernel.state import State
from prodigy.plan.nodes import Plan
from tests.kernel.story import (
    Told,
    begun,
    breaks,
    ends,
    exited,
    given,
    interrupted,
    later,
    resume,
    resumes,
    starts,
    stops,
    waits,
)
from tests.kernel.test_map import at_work, begins
from tests.kernel.test_map import plan as mapped
from tests.simulation.plans import compiled, step

DEATHS = [*({"signal": name, "exit_code": None} for name in STOP_SIGNALS), *({"exit_code": c} for c in (129, 130, 131))]
DEATHS += [{"exit_code": 137}, {"exit_code": 143}, {"exit_code": 0, "error": "no result", "aborted": True}]
TERM = {"signal": "SIGTERM", "exit_code": None}

PLANS = {
    "alone": compiled(step("a")),
    "retried": compiled(step("a", retry=3)),
    "handled": compiled(step("a", on_failure={"shell": "clean"})),
    "tolerated": compiled(step("a", allow_failure=True), step("b")),
}


@pytest.mark.parametrize("fields", DEATHS, ids=str)
@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_what_dies_of_a_stop_was_interrupted(plan: Plan, fields: dict[str, object]) -> None:
    """No attempt is spent, no handler begins, nothing is tolerated: resume runs it again."""
    given(plan, starts("a"), stops()).when(exited("a", 3, **fields)).then(interrupted("a", 3))


@pytest.mark.parametrize("fields", [TERM, {"exit_code": 143}], ids=str)
def test_without_a_stop_such_a_death_is_a_failure(fields: dict[str, object]) -> None:
    """Somebody killed it, and it is tried again as after any failure."""
    state = given(compiled(step("a", retry=1)), starts("a")).when(exited("a", 3, stderr="boom", **fields)).state
    assert ("waiting", False) == (state.node("a").status, "a" in state.in_flight)


@pytest.mark.parametrize("code", [1, 2, 128, 134, 139, 255])
def test_another_exit_while_the_run_stops_is_a_failure(code: int) -> None:
    """It had failed by itself."""
    plan = compiled(step("a", retry=1))
    given(plan, starts("a"), stops()).when(exited("a", 3, exit_code=code, stderr="boom")).then(
        ends("a", 3, exit_code=code, stderr="boom", error="boom"), waits("a", 2, 1.0), ev.RunInterrupted()
    )


def test_an_attempt_that_its_own_timeout_ended_has_failed_although_the_run_stops() -> None:
    """The signal it died of was ours, for another reason."""
    plan = compiled(step("a", timeout=5, retry=1))
    timed_out = {**TERM, "timed_out_s": 5.0}
    given(plan, starts("a"), stops()).when(exited("a", 3, **timed_out)).then(
        ends("a", 3, error="timed out after 5 s", **timed_out), waits("a", 2, 1.0), ev.RunInterrupted()
    )


def test_a_handler_that_dies_of_a_stop_goes_on_with_resume() -> None:
    """Its owner is not run again."""
    plan = compiled(step("a", on_failure={"shell": "clean"}))
    handlers, handler = "a.on_failure", "a.on_failure[0]"
    told: tuple[Told, ...] = (
        starts("a"),
        breaks("a", 3),
        ev.HandlingStarted(at="a"),
        ev.NodeStarted(at=handlers, attempt=1),
        starts(handler, text="clean"),
        stops(),
    )
    given(plan, *told).when(exited(handler, 7, **TERM)).then(interrupted(handler, 7))
    given(plan, *told, interrupted(handler, 7)).when(resume()).then(resumes(handler), starts(handler, text="clean"))


def test_a_second_attempt_that_dies_of_a_stop_keeps_its_number() -> None:
    """Resume begins the same attempt once more."""
    plan = compiled(step("a", retry=1))
    told = (starts("a"), breaks("a", 3), waits("a", 2, 1.0), starts("a", 2), stops(), interrupted("a", 6))
    given(plan, *told[:-1]).when(exited("a", 6, **TERM)).then(interrupted("a", 6))
    given(plan, *told).when(resume()).then(resumes("a"), starts("a", 2))


def test_items_that_die_of_a_stop_are_no_dead_letters() -> None:
    """They are at work still when the run rests."""
    now = at_work(mapped(max_parallel=2), begins("a"), begins("b"), stops())
    state = now.when(exited("map[a].x", 7, **TERM)).then(
        ev.CommandInterrupted(at="map[a].x", epoch=Epoch(7), duration_s=1.0)
    )
    items = state.maps["map"]
    assert (["a", "b"], 0, {}) == (sorted(items.active), items.dead, dict(items.settled))


def test_work_and_rest_are_counted_apart() -> None:
    """Between its end and a resume, and while it stood still, a run rests; so it is after it went back, or forked."""
    told: list[tuple[float, ev.Event]] = [
        *((0, event) for event in begun(PLANS["alone"])),
        (0, starts("a")),
        (10, ev.RunRested(rested_s=4.0)),
        (12, interrupted("a", 3)[0]),
        (12, interrupted("a", 3)[1]),
        (100, resumes("a")),
        (103, ev.RunInterrupted()),
        (200, ev.RunForked(workflow_id="demo-000002", from_workflow_id="demo-000001", from_seq=9)),
        (200, ev.RunResumed(number=3, stood=later(103))),
        (205, ev.RunInterrupted()),
    ]
    state = fold(State(), ((later(seconds), event) for seconds, event in told))
    assert (worked_s(state), worked_s(state, later(206)), state.rested_s) == (16.0, 17.0, 189.0)


def test_a_clock_that_went_back_gives_no_rest() -> None:
    """A resume that seems to be before the end adds nothing, and no work is less than none."""
    state = given(PLANS["alone"], starts("a"), stops(), interrupted("a", 3)).state
    back = fold(state, [("2025-01-31T09:00:00.000000Z", resumes("a"))])
    assert (worked_s(back), back.rested_s) == (0.0, 0.0)
