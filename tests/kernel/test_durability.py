"""Which turns are on disk before anything may depend on them."""

import pytest

from prodigy.kernel import events as ev
from prodigy.kernel.durability import must_sync
from prodigy.kernel.lifecycle import Epoch
from prodigy.plan.nodes import ROOT
from tests.kernel.story import ends, given, resumes, starts, stops, waits
from tests.simulation.plans import compiled, step

PLAN = compiled(
    step("plain", on_failure={"shell": "clean"}),
    step("marked", checkpoint=True),
    step("asking", on_interrupt="ask"),
    step("once", on_interrupt="fail"),
    {"id": "dear", "claude": "think"},
)

SYNCED: dict[str, ev.Event] = {
    "a result": ends("plain", 3),
    "an end by a stop": ev.CommandInterrupted(at="plain", epoch=Epoch(3), duration_s=1.0),
    "a captured value": ev.ValueCaptured(at="plain", name="x", value=1),
    "a wake time": waits("plain", 2, 1.0),
    "a success": ev.NodeSucceeded(at="plain"),
    "a handled failure": ev.NodeHandled(at="plain"),
    "a failure": ev.NodeFailed(at="plain", error="boom"),
    "a version": ev.CheckpointMarked(version=1, at="plain"),
    "a stop": stops(),
    "a resume": resumes(),
    "an edited workflow": ev.PlanChanged(plan=PLAN, workflow_text=""),
    "the start of a marked step": starts("marked"),
    "the start of a step that asks": starts("asking"),
    "the start of a step that runs once": starts("once"),
    "the start of claude": starts("dear"),
    "an interruption": ev.RunInterrupted(),
    "a pause": ev.RunPaused(at="asking", reason="?"),
    "the end": ev.RunCompleted(),
    "the failed end": ev.RunFailed(at="plain", error="boom"),
}

CHEAP: dict[str, ev.Event] = {
    "the start of a step": starts("plain"),
    "the start of a sequence": ev.NodeStarted(at=ROOT, attempt=1),
    "the start of handlers": ev.HandlingStarted(at="plain"),
    "a skip": ev.NodeSkipped(at="plain", reason="false"),
}


@pytest.mark.parametrize("name", SYNCED)
def test_what_something_depends_on_is_synced(name: str) -> None:
    """Results, orders, wake times, and starts that must not be repeated unasked."""
    assert must_sync(given(PLAN).state, [SYNCED[name]])


@pytest.mark.parametrize("name", CHEAP)
def test_what_resume_would_decide_again_is_not(name: str) -> None:
    """Any other lost start costs nothing."""
    assert not must_sync(given(PLAN).state, [CHEAP[name]])


def test_one_result_makes_its_turn_durable() -> None:
    """A turn is durable as a whole."""
    assert must_sync(given(PLAN).state, [CHEAP["a skip"], SYNCED["a result"], CHEAP["the start of a step"]])
