"""Stages: sequences with policy. One rule each."""

from prodigy.kernel import events as ev
from prodigy.plan.nodes import ROOT
from tests.kernel.story import (
    breaks,
    broke,
    ends,
    exited,
    fails,
    fired,
    given,
    resume,
    resumes,
    run_completes,
    run_fails,
    starts,
    succeeds,
    waits,
)
from tests.simulation.plans import in_stages, stage, step

ENTERED = ev.NodeStarted(at="one", attempt=1)


def test_a_stage_whose_condition_is_false_is_skipped_whole() -> None:
    """None of its steps is entered; the next stage is."""
    plan = in_stages(stage("one", step("a"), when="false"), stage("two", step("b")))
    given(plan).when(resume()).then(
        resumes(),
        ev.NodeSkipped(at="one", reason="false"),
        ev.NodeStarted(at="two", attempt=1),
        starts("two.b", text="do b"),
    )


def test_a_failed_step_fails_its_stage_which_waits_for_its_retry() -> None:
    """The step has no retry of its own."""
    plan = in_stages(stage("one", step("a"), retry=1))
    given(plan, ENTERED, starts("one.a")).when(broke("one.a", 4)).then(
        breaks("one.a", 4), fails("one.a", 1), waits("one", 2, 1.0)
    )


def test_a_stage_tried_again_enters_its_steps_anew() -> None:
    """Their attempts count from 1 again."""
    plan = in_stages(stage("one", step("a"), retry=1))
    told = (ENTERED, starts("one.a"), breaks("one.a", 4), fails("one.a", 1), waits("one", 2, 1.0))
    given(plan, *told).when(fired("one", 2)).then(ev.NodeStarted(at="one", attempt=2), starts("one.a", text="do a"))


def test_the_handlers_of_a_stage_settle_it() -> None:
    """It is handled, and the run goes on after it."""
    plan = in_stages(stage("one", step("a"), on_failure={"shell": "clean"}), stage("two", step("b")))
    handling = (ev.HandlingStarted(at="one"), ev.NodeStarted(at="one.on_failure", attempt=1))
    told = (ENTERED, starts("one.a"), breaks("one.a", 4), fails("one.a", 1), *handling, starts("one.on_failure[0]"))
    given(plan, *told).when(exited("one.on_failure[0]", 10)).then(
        ends("one.on_failure[0]", 10),
        succeeds("one.on_failure[0]", 2),
        ev.NodeSucceeded(at="one.on_failure"),
        ev.NodeHandled(at="one"),
        ev.NodeStarted(at="two", attempt=1),
        starts("two.b", text="do b"),
    )


def test_a_stage_with_a_checkpoint_makes_a_version_with_its_name() -> None:
    """Besides those of its steps."""
    plan = in_stages(stage("one", step("a"), checkpoint=True))
    decided = given(plan, ENTERED, starts("one.a")).when(exited("one.a", 4)).events
    assert [(1, ""), (2, "one")] == [
        (event.version, event.label) for event in decided if isinstance(event, ev.CheckpointMarked)
    ]


def test_resume_goes_on_in_a_failed_stage_with_a_new_budget() -> None:
    """After its retry is used up it gets as many again."""
    plan = in_stages(stage("one", step("a"), retry=1))
    used = (waits("one", 2, 1.0), ev.NodeStarted(at="one", attempt=2), starts("one.a"), breaks("one.a", 9))
    told = (ENTERED, starts("one.a"), breaks("one.a", 4), fails("one.a", 1), *used, fails("one.a", 2))
    over = (ev.NodeFailed(at="one", error="boom"), run_fails("one.a"))
    again = (
        resumes(),
        ev.NodeContinued(at=ROOT),
        ev.NodeContinued(at="one"),
        ev.NodeReopened(at="one.a"),
        starts("one.a", 2, text="do a"),
    )
    resumed = given(plan, *told, *over).when(resume()).then(*again)
    epoch = resumed.in_flight["one.a"]
    given(plan, *told, *over, *again).when(broke("one.a", epoch)).then(
        breaks("one.a", epoch), fails("one.a", 3), waits("one", 3, 1.0)
    )


def test_the_last_stage_completes_the_run() -> None:
    """As the last step of a flat workflow does."""
    plan = in_stages(stage("one", step("a")))
    given(plan, ENTERED, starts("one.a")).when(exited("one.a", 4)).then(
        ends("one.a", 4), succeeds("one.a", 1), ev.NodeSucceeded(at="one"), run_completes()
    )
