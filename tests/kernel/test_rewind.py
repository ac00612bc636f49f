"""Going back, and jumping ahead: what is recorded, what is bypassed, what is opened."""

from typing import Any

from prodigy.kernel import events as ev
from prodigy.kernel import signals as sig
from prodigy.plan.nodes import ROOT
from tests.kernel.story import (
    NOW,
    breaks,
    ends,
    fails,
    given,
    interrupted,
    later,
    resume,
    resumes,
    run_completes,
    run_fails,
    starts,
    stops,
    succeeds,
    waits,
)
from tests.simulation.plans import compiled, in_stages, stage, step

BACK = ev.GenerationStarted(generation=2, parent=1, from_seq=9, from_chain="c", version=7, reason="because")
ABC = compiled(step("a"), step("b"), step("c"))
STAGES = in_stages(stage("one", step("a"), step("b")), stage("two", step("c")), stage("three", step("d"), step("e")))
IN_B = (ev.NodeStarted(at="one", attempt=1), starts("one.a"), ends("one.a", 4), succeeds("one.a", 1), starts("one.b"))


def back(target: str | None = None, **fields: Any) -> sig.Signal:
    rewind = sig.Rewind(
        generation=2, parent=1, from_seq=9, from_chain="c", version=7, reason="because", by="ann", target=target
    )
    return resume(rewind=rewind, **fields)


def bypassed(*addresses: str) -> tuple[ev.Event, ...]:
    return tuple(ev.NodeBypassed(at=at, by="ann") for at in addresses)


def test_going_back_begins_a_generation_and_goes_on_from_the_moment() -> None:
    """The state is the moment's; nothing else is decided."""
    given(ABC, starts("a"), ends("a", 3), succeeds("a", 1)).when(back()).then(BACK, resumes(), starts("b"))


def test_going_back_in_a_completed_run_is_no_nothing_to_do() -> None:
    """A moment at the very end completes it again."""
    plan = compiled(step("a"))
    given(plan, starts("a"), ends("a", 3), succeeds("a", 1)).when(back()).then(BACK, resumes(), run_completes())


def test_versions_count_on_from_the_last_of_any_generation() -> None:
    """None is used twice."""
    state = given(ABC, starts("a"), ends("a", 3), succeeds("a", 1)).when(back()).state
    assert (2, 7) == (state.generation, state.version)


def test_a_moment_between_a_failure_and_its_consequence_tries_the_step_again() -> None:
    """It is never passed over."""
    told = (starts("a"), breaks("a", 3), fails("a", 1))
    given(ABC, *told).when(back()).then(BACK, resumes(), ev.NodeReopened(at="a"), starts("a", 2))


def test_a_moment_after_a_tolerated_failure_goes_on_behind_it() -> None:
    """Nobody has to answer it yet."""
    plan = compiled(step("a"), step("b"), step("c", when="${a.success}"))
    told = (starts("a"), breaks("a", 3), fails("a", 1))
    given(plan, *told).when(back()).then(BACK, resumes(), starts("b"))


def test_the_time_since_the_moment_is_no_time_of_a_stage() -> None:
    """Going back the next day leaves it what it had."""
    plan = in_stages(stage("one", step("a"), step("b"), timeout=60))
    limit = ev.LimitStarted(at="one", attempt=1, left_s=60.0)
    told = (ev.NodeStarted(at="one", attempt=1), limit, starts("one.a"), ends("one.a", 5), succeeds("one.a", 1))
    given(plan, *told).when(back(time=later(86400))).then(
        BACK, ev.RunResumed(number=2, stood=NOW), limit, starts("one.b", text="do b")
    )


def test_a_jump_bypasses_what_has_not_settled_before_its_target() -> None:
    """By name of who did; what had settled stands, what was in flight is nobody's any more."""
    state = (
        given(STAGES, *IN_B, stops(), interrupted("one.b", 8))
        .when(back("three"))
        .then(
            BACK,
            *bypassed("one", "two"),
            resumes(),
            ev.NodeStarted(at="three", attempt=1),
            starts("three.d", text="do d"),
        )
    )
    assert {"three.d": state.node("three.d").epoch} == dict(state.in_flight)


def test_a_jump_into_a_stage_opens_it() -> None:
    """Its steps before the target are bypassed too."""
    given(STAGES, *IN_B).when(back("three.e")).then(
        BACK,
        *bypassed("one", "two"),
        ev.NodeStarted(at="three", attempt=1),
        *bypassed("three.d"),
        resumes(),
        starts("three.e", text="do e"),
    )


def test_a_jump_in_a_failed_run_leaves_its_failure_behind() -> None:
    """The failed stage is bypassed, not tried again."""
    failed = (breaks("one.b", 8), fails("one.b", 2), ev.NodeFailed(at="one", error="boom"), run_fails("one.b"))
    given(STAGES, *IN_B, *failed).when(back("two")).then(
        BACK,
        ev.NodeContinued(at=ROOT),
        *bypassed("one"),
        resumes(),
        ev.NodeStarted(at="two", attempt=1),
        starts("two.c", text="do c"),
    )


def test_a_jump_out_of_a_wait_leaves_it_behind() -> None:
    """The timer is of a dead process."""
    plan = compiled(step("a", retry=1), step("b"))
    told = (starts("a"), breaks("a", 3), waits("a", 2, 1.0))
    given(plan, *told).when(back("b")).then(BACK, *bypassed("a"), resumes(), starts("b"))


def test_a_jump_into_a_stage_that_asks_does_not_open_it() -> None:
    """It asks first; what was bypassed in it stays so when it begins."""
    plan = in_stages(stage("one", step("a")), stage("two", step("b"), step("c"), requires_confirmation=True))
    asks = ev.ConfirmationRequested(at="two")
    jumped = (BACK, *bypassed("one", "two.b"), resumes(), asks)
    given(plan).when(back("two.c")).then(*jumped)
    given(plan, *jumped).when(sig.Answered(time=NOW, at="two", is_confirmed=True, by="ann")).then(
        ev.ConfirmationAnswered(at="two", is_confirmed=True, by="ann"),
        ev.NodeStarted(at="two", attempt=1),
        starts("two.c", text="do c"),
    )


def test_a_jump_into_a_completed_run_continues_it() -> None:
    """A step of a stage that was skipped: the run works again."""
    plan = in_stages(stage("one", step("a"), when="false"))
    told = (ev.NodeSkipped(at="one", reason="false"), run_completes())
    given(plan, *told).when(back("one.a")).then(
        BACK,
        ev.NodeContinued(at=ROOT),
        ev.NodeReopened(at="one"),
        ev.NodeStarted(at="one", attempt=1),
        resumes(),
        starts("one.a", text="do a"),
    )
