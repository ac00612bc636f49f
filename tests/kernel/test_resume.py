"""Resume, one test for each row of the table "What resume does", and Ctrl-C before it."""

import pytest

from prodigy.kernel import events as ev
from prodigy.kernel.queries import questions, unfinished
from prodigy.kernel.rules.recovery import NOT_REPEATED
from prodigy.plan.nodes import ROOT, Policy, Retry
from tests.kernel.story import (
    Given,
    Told,
    breaks,
    broke,
    ends,
    exited,
    fails,
    given,
    interrupted,
    later,
    resume,
    resumes,
    run_completes,
    run_fails,
    starts,
    stop,
    stops,
    succeeds,
    waits,
)
from tests.simulation.plans import compiled, staged, step

HANDLER = "a.on_failure[0]"
HANDLERS = "a.on_failure"
CONTINUED = ev.NodeContinued(at=ROOT)


# Interruption ---------------------------------------------------------------------------------------------


def test_a_stop_is_recorded_and_waits_for_what_is_in_flight() -> None:
    """The run is interrupted only when nothing runs any more."""
    given(compiled(step("a")), starts("a")).when(stop()).then(stops())


def test_the_last_command_ended_by_a_stop_interrupts_the_run() -> None:
    """Its exit status does not count, not even a success."""
    given(compiled(step("a")), starts("a"), stops()).when(exited("a", 3, stopped=True)).then(interrupted("a", 3))


@pytest.mark.parametrize("exit_code", [0, 1])
def test_a_stopped_attempt_leaves_no_result(exit_code: int) -> None:
    """An attempt ended because the run is stopping is interrupted, never failed."""
    given(compiled(step("a", on_failure={"shell": "clean"})), starts("a"), stops()).when(
        exited("a", 3, stopped=True, exit_code=exit_code)
    ).then(interrupted("a", 3))


def test_a_result_that_beats_the_stop_counts_but_starts_nothing() -> None:
    """What had finished by itself is never run again."""
    plan = compiled(step("a"), step("b"))
    given(plan, starts("a"), stops()).when(exited("a", 3)).then(ends("a", 3), succeeds("a", 1), ev.RunInterrupted())


def test_a_failure_that_beats_the_stop_schedules_its_retry() -> None:
    """The wait is resumed, not the attempt."""
    given(compiled(step("a", retry=1)), starts("a"), stops()).when(broke("a", 3)).then(
        breaks("a", 3), waits("a", 2, 1.0), ev.RunInterrupted()
    )


def test_a_failure_that_beats_the_stop_begins_its_handling() -> None:
    """But no handler starts."""
    given(compiled(step("a", on_failure={"shell": "clean"})), starts("a"), stops()).when(broke("a", 3)).then(
        breaks("a", 3), ev.HandlingStarted(at="a"), ev.RunInterrupted()
    )


def test_a_stop_while_waiting_interrupts_at_once() -> None:
    """Nothing is in flight."""
    given(compiled(step("a", retry=1)), starts("a"), breaks("a", 3), waits("a", 2, 1.0)).when(stop()).then(
        stops(), ev.RunInterrupted()
    )


def test_a_second_stop_changes_nothing() -> None:
    """The request stands already."""
    given(compiled(step("a")), starts("a"), stops()).when(stop()).then()


def test_a_run_whose_last_step_beats_the_stop_is_completed() -> None:
    """Nothing is left to interrupt."""
    given(compiled(step("a")), starts("a"), stops()).when(exited("a", 3)).then(
        ends("a", 3), succeeds("a", 1), run_completes()
    )


# In flight, waiting, handling -----------------------------------------------------------------------------


def test_a_step_in_flight_runs_again_with_its_attempt_number() -> None:
    """The epoch is new, and it is named first."""
    given(compiled(step("a")), starts("a"), stops(), interrupted("a", 3)).when(resume()).then(resumes("a"), starts("a"))


def test_a_step_in_flight_when_the_coordinator_died_runs_again() -> None:
    """A crash leaves no word of a stop."""
    given(compiled(step("a")), starts("a")).when(resume()).then(resumes("a"), starts("a"))


def test_a_wait_is_resumed_with_its_rest() -> None:
    """Three of four seconds had passed."""
    plan = compiled(step("a", retry={"attempts": 2, "initial_delay": 4, "backoff": "fixed"}))
    told: tuple[Told, ...] = (starts("a"), breaks("a", 3), waits("a", 2, 4.0), stops(), ev.RunInterrupted())
    given(plan, *told).when(resume(time=later(3))).then(resumes(), waits("a", 2, 1.0, since=later(3)))


def test_a_wait_whose_time_has_passed_is_over() -> None:
    """Resumed the next day, the attempt starts at once."""
    told: tuple[Told, ...] = (starts("a"), breaks("a", 3), waits("a", 2, 1.0), stops(), ev.RunInterrupted())
    given(compiled(step("a", retry=1)), *told).when(resume(time=later(86400))).then(
        resumes(), waits("a", 2, 0.0, since=later(86400))
    )


def test_a_wait_is_never_longer_than_all_of_it() -> None:
    """Whatever the clock did: here it was set back by a day."""
    told: tuple[Told, ...] = (starts("a"), breaks("a", 3), waits("a", 2, 1.0), stops(), ev.RunInterrupted())
    given(compiled(step("a", retry=1)), *told).when(resume(time=later(-86400))).then(
        resumes(), waits("a", 2, 1.0, since=later(-86400))
    )


def test_inside_a_handler_the_owner_is_not_run_again() -> None:
    """The handler is."""
    plan = compiled(step("a", on_failure={"shell": "clean"}))
    told: tuple[Told, ...] = (
        starts("a"),
        breaks("a", 3),
        ev.HandlingStarted(at="a"),
        ev.NodeStarted(at=HANDLERS, attempt=1),
        starts(HANDLER, text="clean"),
    )
    given(plan, *told).when(resume()).then(resumes(HANDLER), starts(HANDLER, text="clean"))


def test_handling_that_had_not_begun_begins() -> None:
    """The stop came between the failure and its first handler."""
    plan = compiled(step("a", on_failure={"shell": "clean"}))
    told: tuple[Told, ...] = (starts("a"), stops(), breaks("a", 3), ev.HandlingStarted(at="a"), ev.RunInterrupted())
    given(plan, *told).when(resume()).then(
        resumes(), ev.NodeStarted(at=HANDLERS, attempt=1), starts(HANDLER, text="clean")
    )


def test_a_repaired_step_whose_next_try_was_stopped_is_tried() -> None:
    """Its handlers are not run again."""
    plan = compiled(step("a", on_failure={"commands": [{"shell": "clean"}], "retry_original": True}))
    told: tuple[Told, ...] = (
        starts("a"),
        breaks("a", 3),
        ev.HandlingStarted(at="a"),
        ev.NodeStarted(at=HANDLERS, attempt=1),
        starts(HANDLER, text="clean"),
        stops(),
        ends(HANDLER, 7),
        succeeds(HANDLER, 1),
        ev.NodeSucceeded(at=HANDLERS),
        ev.RunInterrupted(),
    )
    given(plan, *told).when(resume()).then(resumes(), starts("a", 2))


def test_between_two_steps_the_next_one_starts() -> None:
    """What succeeded stands."""
    plan = compiled(step("a"), step("b"))
    given(plan, starts("a"), stops(), ends("a", 3), succeeds("a", 1), ev.RunInterrupted()).when(resume()).then(
        resumes(), starts("b")
    )


# Failed ---------------------------------------------------------------------------------------------------


def test_a_failed_step_gets_a_new_budget_and_its_attempt_numbers_go_on() -> None:
    """With `retry: 1` it had attempts 1 and 2; resume begins with 3."""
    plan = compiled(step("a", retry=1))
    told: tuple[Told, ...] = (
        starts("a"),
        breaks("a", 3),
        waits("a", 2, 1.0),
        starts("a", 2),
        breaks("a", 6),
        fails("a", 1),
        run_fails("a"),
    )
    state = given(plan, *told).when(resume()).then(resumes(), CONTINUED, ev.NodeReopened(at="a"), starts("a", 3))
    epoch = state.in_flight["a"]
    Given(state).when(broke("a", epoch)).then(breaks("a", epoch), waits("a", 4, 1.0))


def test_a_step_whose_handler_failed_runs_again() -> None:
    """The step, not the handler."""
    plan = compiled(step("a", on_failure={"shell": "clean"}))
    told: tuple[Told, ...] = (
        starts("a"),
        breaks("a", 3),
        ev.HandlingStarted(at="a"),
        ev.NodeStarted(at=HANDLERS, attempt=1),
        starts(HANDLER, text="clean"),
        breaks(HANDLER, 7),
        fails(HANDLER, 1),
        ev.NodeFailed(at=HANDLERS, error="boom"),
        fails("a", 2),
        run_fails("a"),
    )
    given(plan, *told).when(resume()).then(resumes(), CONTINUED, ev.NodeReopened(at="a"), starts("a", 2))


def test_a_handled_step_stands() -> None:
    """A later failure does not take it up."""
    plan = compiled(step("a", on_failure={"shell": "clean"}), step("b"))
    told: tuple[Told, ...] = (
        starts("a"),
        breaks("a", 3),
        ev.HandlingStarted(at="a"),
        ev.NodeStarted(at=HANDLERS, attempt=1),
        starts(HANDLER, text="clean"),
        ends(HANDLER, 7),
        succeeds(HANDLER, 1),
        ev.NodeSucceeded(at=HANDLERS),
        ev.NodeHandled(at="a"),
        starts("b"),
        breaks("b", 12),
        fails("b", 2),
        run_fails("b"),
    )
    given(plan, *told).when(resume()).then(resumes(), CONTINUED, ev.NodeReopened(at="b"), starts("b", 2))


def test_an_unanswered_step_runs_again_and_who_was_skipped_for_it_is_asked_again() -> None:
    """What succeeded in between stands."""
    plan = compiled(step("a"), step("b"), step("c", when="${a.success}"))
    told: tuple[Told, ...] = (
        starts("a"),
        breaks("a", 3),
        fails("a", 1),
        starts("b"),
        ends("b", 7),
        succeeds("b", 2),
        ev.NodeSkipped(at="c", reason="${a.success} is false"),
        run_fails("a"),
    )
    state = (
        given(plan, *told)
        .when(resume())
        .then(resumes(), CONTINUED, ev.NodeReopened(at="c"), ev.NodeReopened(at="a"), starts("a", 2))
    )
    epoch = state.in_flight["a"]
    Given(state).when(exited("a", epoch)).then(ends("a", epoch), succeeds("a", 3), starts("c"))


def test_a_skip_that_no_failed_step_caused_stands() -> None:
    """Only a `when` that names the failed step is decided again."""
    plan = compiled(step("a"), step("b", when="${a.output} == 1"), step("c"))
    told: tuple[Told, ...] = (
        starts("a"),
        ends("a", 3),
        succeeds("a", 1),
        ev.NodeSkipped(at="b", reason="it is not"),
        starts("c"),
        breaks("c", 8),
        fails("c", 2),
        run_fails("c"),
    )
    given(plan, *told).when(resume()).then(resumes(), CONTINUED, ev.NodeReopened(at="c"), starts("c", 2))


def test_a_tolerated_failure_whose_answer_is_still_to_come_stands() -> None:
    """Another step failed the run; the sibling that asks may yet run."""
    plan = compiled(step("a"), step("b"), step("c", when="${a.exit_code} != 0"))
    told: tuple[Told, ...] = (
        starts("a"),
        breaks("a", 3),
        fails("a", 1),
        starts("b"),
        breaks("b", 7),
        fails("b", 2),
        run_fails("b"),
    )
    given(plan, *told).when(resume()).then(resumes(), CONTINUED, ev.NodeReopened(at="b"), starts("b", 2))


def test_an_allowed_failure_stands() -> None:
    """Nobody asked for it to succeed."""
    plan = compiled(step("a", allow_failure=True), step("b"))
    told: tuple[Told, ...] = (
        starts("a"),
        breaks("a", 3),
        fails("a", 1),
        starts("b"),
        breaks("b", 7),
        fails("b", 2),
        run_fails("b"),
    )
    given(plan, *told).when(resume()).then(resumes(), CONTINUED, ev.NodeReopened(at="b"), starts("b", 2))


def test_a_failed_step_in_a_stage_goes_on_there() -> None:
    """Finished children stand; the stage's budget is new."""
    plan = staged(compiled(step("a"), step("b")), {"one": ["a", "b"]}, {"one": Policy(retry=Retry(attempts=2))})
    told: tuple[Told, ...] = (
        ev.NodeStarted(at="one", attempt=1),
        starts("a"),
        ends("a", 4),
        succeeds("a", 1),
        starts("b"),
        breaks("b", 8),
        fails("b", 2),
        ev.NodeFailed(at="one", error="boom"),
        run_fails("b"),
    )
    state = (
        given(plan, *told)
        .when(resume())
        .then(resumes(), CONTINUED, ev.NodeContinued(at="one"), ev.NodeReopened(at="b"), starts("b", 2))
    )
    epoch = state.in_flight["b"]
    Given(state).when(broke("b", epoch)).then(breaks("b", epoch), fails("b", 3), waits("one", 2, 1.0))


# --max-retries, and what it must not do -------------------------------------------------------------------

FAILED: tuple[Told, ...] = (
    starts("a"),
    ends("a", 3),
    succeeds("a", 1),
    starts("b"),
    breaks("b", 7),
    fails("b", 2),
    run_fails("b"),
)


def test_max_retries_gives_retries_to_the_failed_step_that_has_none() -> None:
    """`resume --max-retries 1` tries it twice."""
    plan = compiled(step("a"), step("b"))
    state = given(plan, *FAILED).when(resume(max_retries=1)).state
    epoch = state.in_flight["b"]
    Given(state).when(broke("b", epoch)).then(breaks("b", epoch), waits("b", 3, 1.0))


def test_max_retries_never_retries_the_workflow() -> None:
    """When the failed step has none left, the run has failed: what succeeded is not run again."""
    plan = compiled(step("a"), step("b"))
    state = given(plan, *FAILED).when(resume(max_retries=0)).state
    epoch = state.in_flight["b"]
    Given(state).when(broke("b", epoch)).then(breaks("b", epoch), fails("b", 3), run_fails("b"))


def test_max_retries_gives_none_to_a_later_step_without_retry() -> None:
    """Only the failed step that resume starts with gets them."""
    plan = compiled(step("a"), step("b"), step("c"))
    told: tuple[Told, ...] = (*FAILED, resumes(max_retries=3), CONTINUED, ev.NodeReopened(at="b"), starts("b", 2))
    epoch = given(plan, *told).state.in_flight["b"]
    given(plan, *told, ends("b", epoch), succeeds("b", 3), starts("c")).when(broke("c", epoch + 4)).then(
        breaks("c", epoch + 4), fails("c", 4), run_fails("c")
    )


def test_max_retries_holds_until_the_next_resume() -> None:
    """The next one goes back to what the workflow says."""
    assert (
        given(compiled(step("a"), step("b")), *FAILED, resumes(max_retries=9)).when(resume()).state.max_retries is None
    )


# Completed, asking, forbidden -----------------------------------------------------------------------------


def test_a_completed_run_has_nothing_to_go_on_with() -> None:
    """Not even an event is written."""
    given(compiled(step("a")), starts("a"), ends("a", 3), succeeds("a", 1), run_completes()).when(resume()).then()


def test_a_step_that_asks_pauses_the_run_without_an_answer() -> None:
    """Nothing runs until the operator says so."""
    plan = compiled(step("a", on_interrupt="ask"))
    given(plan, starts("a")).when(resume()).then(
        resumes(), ev.RunPaused(at="a", reason="a was in flight; may it run again?")
    )


def test_a_step_that_asks_runs_again_after_a_yes() -> None:
    """With the same attempt number."""
    plan = compiled(step("a", on_interrupt="ask"))
    given(plan, starts("a")).when(resume(answers={"a": True})).then(resumes("a"), starts("a"))


def test_a_paused_run_asks_again() -> None:
    """The question stands until it is answered."""
    plan = compiled(step("a", on_interrupt="ask"))
    paused = given(plan, starts("a"), resumes(), ev.RunPaused(at="a", reason="may it run again?"))
    assert (questions(paused.state), unfinished(paused.state)) == (["a"], ["a"])


@pytest.mark.parametrize("how_it_ended", [(), (stops(), interrupted("a", 3))])
def test_a_step_that_must_not_be_repeated_has_failed(how_it_ended: tuple[Told, ...]) -> None:
    """At most once, whether the coordinator died or was stopped: resume stops instead of repeating."""
    plan = compiled(step("a", on_interrupt="fail", retry=3))
    given(plan, starts("a"), *how_it_ended).when(resume()).then(
        resumes(),
        ends("a", 3, exit_code=None, duration_s=0.0, error=NOT_REPEATED),
        fails("a", 1, NOT_REPEATED),
        run_fails("a", NOT_REPEATED),
    )


def test_handlers_of_a_step_that_must_not_be_repeated_run() -> None:
    """They may find out what the step had done."""
    plan = compiled(step("a", on_interrupt="fail", on_failure={"shell": "look"}))
    given(plan, starts("a")).when(resume()).then(
        resumes(),
        ends("a", 3, exit_code=None, duration_s=0.0, error=NOT_REPEATED),
        ev.HandlingStarted(at="a"),
        ev.NodeStarted(at=HANDLERS, attempt=1),
        starts(HANDLER, text="look"),
    )
