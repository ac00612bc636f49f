"""Going ahead: into a stage that is handled, waits, asks, or was confirmed; and back to a moment whose log is lost."""

import pytest

from prodigy.kernel import events as ev
from prodigy.kernel import signals as sig
from prodigy.kernel.snapshot import snapshot_of
from prodigy.kernel.state import State
from tests.kernel.story import (
    NOW,
    Given,
    breaks,
    ends,
    exited,
    fails,
    given,
    resume,
    resumes,
    run_completes,
    starts,
    succeeds,
    waits,
)
from tests.simulation.plans import compiled, in_stages, stage, step

BACK = ev.GenerationStarted(generation=2, parent=1, from_seq=9, from_chain="c", version=7, reason="because")


def ahead(target: str) -> sig.Signal:
    return resume(
        rewind=sig.Rewind(
            generation=2, parent=1, from_seq=9, from_chain="c", version=7, reason="because", by="ann", target=target
        )
    )


def test_a_jump_into_a_stage_that_is_being_handled_leaves_its_handlers() -> None:
    """It has failed, and goes on where the operator says."""
    handled = in_stages(stage("one", step("a"), step("b"), on_failure={"shell": "clean"}))
    told = (
        ev.NodeStarted(at="one", attempt=1),
        starts("one.a"),
        breaks("one.a", 4),
        fails("one.a", 1),
        ev.HandlingStarted(at="one", error="boom", step="one.a"),
        ev.NodeStarted(at="one.on_failure", attempt=1),
        starts("one.on_failure[0]", text="clean"),
    )
    given(handled, *told).when(ahead("one.b")).then(
        BACK,
        ev.NodeFailed(at="one", error="boom"),
        ev.NodeContinued(at="one"),
        ev.NodeBypassed(at="one.a", by="ann"),
        resumes(),
        starts("one.b", text="do b"),
    )


def test_a_jump_into_a_stage_that_awaits_a_word_asks_for_it_once_more() -> None:
    """Going ahead is no yes."""
    asked = in_stages(stage("one", step("a"), step("b"), requires_confirmation=True))
    asks = ev.ConfirmationRequested(at="one")
    given(asked, asks).when(ahead("one.b")).then(BACK, ev.NodeBypassed(at="one.a", by="ann"), resumes(), asks)


def test_a_jump_into_a_stage_that_waits_begins_it() -> None:
    """The rest of its wait does not count."""
    tried = in_stages(stage("one", step("a"), step("b"), retry=1))
    told = (ev.NodeStarted(at="one", attempt=1), starts("one.a"), breaks("one.a", 4), fails("one.a", 1))
    given(tried, *told, waits("one", 2, 1.0)).when(ahead("one.b")).then(
        BACK,
        ev.NodeStarted(at="one", attempt=2),
        ev.NodeBypassed(at="one.a", by="ann"),
        resumes(),
        starts("one.b", text="do b"),
    )


def test_a_jump_into_a_stage_that_was_confirmed_asks_for_nothing() -> None:
    """It had begun, and waits to be tried again."""
    asked = in_stages(stage("one", step("a"), step("b"), requires_confirmation=True, retry=1))
    yes = (ev.ConfirmationRequested(at="one"), ev.ConfirmationAnswered(at="one", is_confirmed=True, by="ann"))
    told = (*yes, ev.NodeStarted(at="one", attempt=1), starts("one.a"), breaks("one.a", 6), fails("one.a", 1))
    given(asked, *told, waits("one", 2, 1.0)).when(ahead("one.b")).then(
        BACK,
        ev.NodeStarted(at="one", attempt=2),
        ev.NodeBypassed(at="one.a", by="ann"),
        resumes(),
        starts("one.b", text="do b"),
    )


def test_a_moment_whose_log_is_lost_is_restored_from_its_snapshot() -> None:
    """The new generation begins with it, and says that its parent is lost."""
    two = compiled(step("a"), step("b"))
    moment = given(two, starts("a"), ends("a", 3), succeeds("a", 1))
    snapshot = snapshot_of(moment.state, {})
    rewind = sig.Rewind(
        generation=2, parent=1, from_seq=6, from_chain="c", version=7, reason="because", by="ann", restored=snapshot
    )
    lost = ev.GenerationStarted(
        generation=2, parent=1, from_seq=6, from_chain="c", version=7, reason="because", is_parent_lost=True
    )
    state = moment.when(resume(rewind=rewind)).then(
        lost, ev.RunRestored(plan=two, snapshot=snapshot), resumes(), starts("b")
    )
    assert state.version == 7


@pytest.mark.parametrize("signal", [sig.StopRequested(time=NOW, by="SIGINT"), sig.Rested(time=NOW, rested_s=5.0)])
def test_nothing_is_recorded_of_a_run_that_has_not_begun(signal: sig.Signal) -> None:
    """Its log begins with its start."""
    Given(State()).when(signal).then()


def test_half_a_second_is_a_rest() -> None:
    """Ctrl-Z and back at once."""
    rested = sig.Rested(time=NOW, rested_s=0.5)
    given(compiled(step("a")), starts("a")).when(rested).then(ev.RunRested(rested_s=0.5))


def test_a_run_whose_last_step_is_jumped_to_completes_with_it() -> None:
    """What was bypassed has settled."""
    two = compiled(step("a"), step("b"))
    jumped = given(two).when(ahead("b")).then(BACK, ev.NodeBypassed(at="a", by="ann"), resumes(), starts("b"))
    epoch = jumped.in_flight["b"]
    Given(jumped).when(exited("b", epoch)).then(ends("b", epoch), succeeds("b", 8), run_completes())
