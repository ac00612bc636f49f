"""Confirmation, rule by rule: when a node asks, and what each word does."""

import pytest

from prodigy.kernel import effects as fx
from prodigy.kernel import events as ev
from prodigy.kernel import signals as sig
from prodigy.kernel.effects import effects
from tests.kernel.story import NOW, ends, exited, given, resume, resumes, starts, stop, stops, succeeds
from tests.simulation.plans import compiled, in_stages, stage, step

ASKS = ev.ConfirmationRequested(at="b")
PLAN = compiled(step("a"), step("b", requires_confirmation=True))
DONE = (starts("a"), ends("a", 3), succeeds("a", 1))


def answer(is_confirmed: bool | None, at: str = "b") -> sig.Signal:
    return sig.Answered(time=NOW, at=at, is_confirmed=is_confirmed, by="ann")


def answered(is_confirmed: bool, at: str = "b") -> ev.Event:
    return ev.ConfirmationAnswered(at=at, is_confirmed=is_confirmed, by="ann")


def test_a_node_that_requires_it_asks_before_it_begins() -> None:
    """Nothing is started."""
    given(PLAN, starts("a")).when(exited("a", 3)).then(ends("a", 3), succeeds("a", 1), ASKS)


def test_asking_is_an_effect_of_its_event() -> None:
    """One question for one entry."""
    state = given(PLAN, *DONE, ASKS).state
    assert [fx.Ask(at="b")] == list(effects(state, ASKS, state.seq))


def test_what_was_answered_in_the_same_turn_is_not_asked_any_more() -> None:
    """A resume that brings its yes along begins the node."""
    state = given(PLAN, *DONE, ASKS, answered(True), starts("b")).state
    assert [] == list(effects(state, ASKS, state.seq))


def test_a_yes_begins_the_node() -> None:
    """Who said it is in the log."""
    given(PLAN, *DONE, ASKS).when(answer(True)).then(answered(True), starts("b"))


def test_a_no_cancels_the_run() -> None:
    """The node stays as it is."""
    given(PLAN, *DONE, ASKS).when(answer(False)).then(answered(False), ev.RunCancelled(at="b", by="ann"))


def test_nobody_to_ask_pauses_the_run() -> None:
    """That is no answer."""
    given(PLAN, *DONE, ASKS).when(answer(None)).then(ev.RunPaused(at="b", reason="b waits for confirmation"))


@pytest.mark.parametrize("is_confirmed", [True, False, None])
def test_a_word_that_comes_too_late_changes_nothing(is_confirmed: bool | None) -> None:
    """The node has begun."""
    given(PLAN, *DONE, ASKS, answered(True), starts("b")).when(answer(is_confirmed)).then()


def test_a_word_after_a_stop_changes_nothing() -> None:
    """The run has come to rest."""
    given(PLAN, *DONE, ASKS, stops(), ev.RunInterrupted()).when(answer(True)).then()


def test_a_stop_while_the_question_is_open_interrupts_at_once() -> None:
    """Nothing is in flight."""
    given(PLAN, *DONE, ASKS).when(stop()).then(stops(), ev.RunInterrupted())


@pytest.mark.parametrize(
    "rest", [ev.RunPaused(at="b", reason="no one"), ev.RunCancelled(at="b", by="ann")], ids=["paused", "cancelled"]
)
def test_resume_asks_again(rest: ev.Event) -> None:
    """Whether nobody was there or somebody said no."""
    given(PLAN, *DONE, ASKS, rest).when(resume()).then(resumes(), ASKS)


def test_a_node_whose_condition_is_false_does_not_ask() -> None:
    """The condition comes first."""
    plan = compiled(step("b", requires_confirmation=True, when="false"), step("c"))
    given(plan).when(resume()).then(resumes(), ev.NodeSkipped(at="b", reason="false"), starts("c"))


def test_a_retry_of_what_was_confirmed_does_not_ask() -> None:
    """It is the same entry."""
    plan = in_stages(stage("one", step("a"), requires_confirmation=True, retry=1))
    asks = ev.ConfirmationRequested(at="one")
    waits = ev.RetryScheduled(at="one", attempt=2, delay_s=1.0, due=NOW)
    told = (asks, answered(True, "one"), ev.NodeStarted(at="one", attempt=1), starts("one.a"))
    failed = (ends("one.a", 6, exit_code=1, error="boom"), ev.NodeFailed(at="one.a", error="boom"), waits)
    given(plan, *told, *failed).when(sig.TimerFired(time=NOW, at="one", attempt=2)).then(
        ev.NodeStarted(at="one", attempt=2), starts("one.a", text="do a")
    )
