"""A step: how it ends, is tried again, is handled, is forgiven, is skipped."""

from dataclasses import dataclass
from typing import Any

import pytest

from prodigy.kernel import events as ev
from prodigy.kernel import signals as sig
from prodigy.kernel.state import State
from prodigy.plan.nodes import ROOT, Policy, Retry
from tests.kernel.story import (
    NOW,
    Told,
    begun,
    breaks,
    broke,
    ends,
    exited,
    fails,
    fired,
    given,
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


def cook(**changes: Any) -> sig.Signal:
    plan = compiled(step("a"))
    return sig.CookRequested(
        **{
            "time": NOW,
            "workflow_id": "demo-000001",
            "workflow_path": "demo.yaml",
            "workflow_text": "",
            "directory": "/project",
            "number": 1,
            "plan": plan,
            "prodigy_version": "0",
            **changes,
        }
    )


def handler_starts(version: int = 1) -> tuple[ev.Event, ...]:
    """The step at `a` has failed for the last time and its only handler begins."""
    return ev.HandlingStarted(at="a"), ev.NodeStarted(at=HANDLERS, attempt=1), starts(HANDLER, text="clean")


def test_cook_starts_the_first_step() -> None:
    """A run begins with what it was started with, its sequence, and one command."""
    plan = compiled(step("a"))
    expected = [*begun(plan), starts("a")]
    assert given_nothing(cook(plan=plan)) == expected


def test_a_generation_says_where_it_comes_from_before_it_starts_over() -> None:
    """Versions go on, for a number is never used twice in a run."""
    events = given_nothing(cook(generation=2, version=7, from_chain="c" * 16, reason="resume --force"))
    assert events[0] == ev.GenerationStarted(
        generation=2, parent=1, from_seq=0, from_chain="c" * 16, version=7, reason="resume --force"
    )


def test_the_first_version_of_a_generation_follows_the_last_of_the_others() -> None:
    """Checkpoint v8 comes after v7, whatever generation wrote that."""
    from prodigy.kernel.decide import decide

    state = decide(State(), cook(generation=2, version=7)).state
    assert ev.CheckpointMarked(version=8, at="a") in decide(state, exited("a", 4)).events


def test_an_empty_workflow_completes_at_once() -> None:
    """Nothing to do is done."""
    plan = compiled(step("a"))
    empty = staged(plan, {}, {})
    assert given_nothing(cook(plan=empty)) == [*begun(empty), *run_completes()]


def test_success_starts_the_next_step() -> None:
    """A result, its version and the next start are one turn."""
    plan = compiled(step("a"), step("b"))
    given(plan, starts("a")).when(exited("a", 3)).then(ends("a", 3), succeeds("a", 1), starts("b"))


def test_the_last_success_completes_the_run() -> None:
    """The sequence settles, then the run."""
    given(compiled(step("a")), starts("a")).when(exited("a", 3)).then(ends("a", 3), succeeds("a", 1), run_completes())


def test_a_failure_without_any_policy_fails_the_run() -> None:
    """Nothing after it starts."""
    plan = compiled(step("a"), step("b"))
    given(plan, starts("a")).when(broke("a", 3)).then(breaks("a", 3), fails("a", 1), run_fails("a"))


def test_an_exit_of_an_older_epoch_is_nobodys() -> None:
    """The command that runs now has another number."""
    plan = compiled(step("a"))
    given(plan, starts("a"), stops(), ev.RunInterrupted(), ev.RunResumed(number=2), starts("a")).when(
        exited("a", 3)
    ).then()


def test_an_exit_that_comes_twice_counts_once() -> None:
    """The second finds nothing in flight."""
    plan = compiled(step("a"), step("b"))
    given(plan, starts("a"), ends("a", 3), succeeds("a", 1), starts("b")).when(exited("a", 3)).then()


# Retries --------------------------------------------------------------------------------------------------


def test_a_failure_with_attempts_left_waits() -> None:
    """The first delay is a second; no version is made, for nothing has settled."""
    given(compiled(step("a", retry=2)), starts("a")).when(broke("a", 3)).then(breaks("a", 3), waits("a", 2, 1.0))


def test_the_second_wait_is_longer() -> None:
    """1, 2, 4 … seconds."""
    told: tuple[Told, ...] = (starts("a"), breaks("a", 3), waits("a", 2, 1.0), starts("a", 2))
    given(compiled(step("a", retry=2)), *told).when(broke("a", 6)).then(breaks("a", 6), waits("a", 3, 2.0))


def test_the_timer_starts_the_next_attempt() -> None:
    """Attempt numbers count up."""
    given(compiled(step("a", retry=2)), starts("a"), breaks("a", 3), waits("a", 2, 1.0)).when(fired("a", 2)).then(
        starts("a", 2)
    )


def test_retry_n_allows_n_further_attempts() -> None:
    """With `retry: 1` the second failure is the last."""
    told: tuple[Told, ...] = (starts("a"), breaks("a", 3), waits("a", 2, 1.0), starts("a", 2))
    given(compiled(step("a", retry=1)), *told).when(broke("a", 6)).then(breaks("a", 6), fails("a", 1), run_fails("a"))


def test_a_timer_of_another_attempt_is_too_late() -> None:
    """Only the wait that is on can end."""
    given(compiled(step("a", retry=2)), starts("a"), breaks("a", 3), waits("a", 2, 1.0)).when(fired("a", 3)).then()


def test_a_timer_of_a_step_that_runs_is_too_late() -> None:
    """There is nothing to wake."""
    given(compiled(step("a", retry=2)), starts("a")).when(fired("a", 2)).then()


def test_a_timer_while_stopping_starts_nothing() -> None:
    """A stop lets nothing new start."""
    told: tuple[Told, ...] = (starts("a"), breaks("a", 3), waits("a", 2, 1.0), stops())
    given(compiled(step("a", retry=2)), *told).when(fired("a", 2)).then()


def test_max_retries_replaces_every_count() -> None:
    """`cook --max-retries 0` tries a step with `retry: 5` once."""
    given(compiled(step("a", retry=5)), starts("a"), max_retries=0).when(broke("a", 3)).then(
        breaks("a", 3), fails("a", 1), run_fails("a")
    )


def test_max_retries_gives_none_to_a_step_without_retry() -> None:
    """Who asked for no retries gets none from `cook --max-retries 5`."""
    given(compiled(step("a")), starts("a"), max_retries=5).when(broke("a", 3)).then(
        breaks("a", 3), fails("a", 1), run_fails("a")
    )


@dataclass(frozen=True, kw_only=True)
class Case:
    """A `retry_on` condition and an end of a command."""

    condition: Any
    exit: dict[str, Any]
    is_retried: bool


CASES = {
    "its exit code": Case(condition=3, exit={"exit_code": 3}, is_retried=True),
    "another exit code": Case(condition=3, exit={"exit_code": 4}, is_retried=False),
    "a timeout": Case(condition="timeout", exit={"exit_code": None, "timed_out_s": 9.0}, is_retried=True),
    "no timeout": Case(condition="timeout", exit={"exit_code": 1}, is_retried=False),
    "killed": Case(condition="killed", exit={"exit_code": None, "signal": "SIGKILL"}, is_retried=True),
    "an exit is no kill": Case(condition="killed", exit={"exit_code": 137}, is_retried=False),
    "a timeout kills too, but is none": Case(
        condition="killed", exit={"exit_code": None, "signal": "SIGTERM", "timed_out_s": 9.0}, is_retried=False
    ),
    "its words": Case(condition="refused", exit={"exit_code": 1, "stderr": "connection refused"}, is_retried=True),
    "other words": Case(condition="refused", exit={"exit_code": 1, "stderr": "no such host"}, is_retried=False),
}


@pytest.mark.parametrize("name", CASES)
def test_retry_on_chooses_which_failures_are_tried_again(name: str) -> None:
    """Exit codes, `timeout`, `killed`, or words of the error."""
    case = CASES[name]
    plan = compiled(step("a", retry={"attempts": 2, "retry_on": [case.condition]}))
    events = given(plan, starts("a")).when(exited("a", 3, **case.exit)).events
    assert (type(events[1]) is ev.RetryScheduled) == case.is_retried


def test_a_retried_sequence_enters_its_children_anew() -> None:
    """What its children did in the earlier attempt is over."""
    plan = staged(compiled(step("a"), step("b")), {"one": ["a", "b"]}, {"one": Policy(retry=Retry(attempts=2))})
    told: tuple[Told, ...] = (
        ev.NodeStarted(at="one", attempt=1),
        starts("a"),
        ends("a", 4),
        succeeds("a", 1),
        starts("b"),
        breaks("b", 8),
        fails("b", 2),
        waits("one", 2, 1.0),
    )
    state = given(plan, *told).when(fired("one", 2)).then(ev.NodeStarted(at="one", attempt=2), starts("a"))
    assert (state.node("a").attempt, state.node("b").attempt) == (1, 0)


# Handlers -------------------------------------------------------------------------------------------------


def test_the_last_failure_starts_the_handlers() -> None:
    """No version yet: the step has not settled."""
    plan = compiled(step("a", on_failure={"shell": "clean"}))
    given(plan, starts("a")).when(broke("a", 3)).then(breaks("a", 3), handler_starts())


def test_retries_come_before_handlers() -> None:
    """Handlers wait until no attempt is left."""
    plan = compiled(step("a", retry=1, on_failure={"shell": "clean"}))
    given(plan, starts("a")).when(broke("a", 3)).then(breaks("a", 3), waits("a", 2, 1.0))


def test_a_step_whose_handlers_succeed_is_handled_and_the_run_goes_on() -> None:
    """`success` is false and `partial_success` true from now on."""
    plan = compiled(step("a", on_failure={"shell": "clean"}), step("b", when="${a.partial_success} && !${a.success}"))
    given(plan, starts("a"), breaks("a", 3), handler_starts()).when(exited(HANDLER, 7)).then(
        ends(HANDLER, 7),
        succeeds(HANDLER, 1),
        ev.NodeSucceeded(at=HANDLERS),
        ev.NodeHandled(at="a"),
        ev.CheckpointMarked(version=2, at="a"),
        starts("b"),
    )


def test_several_handlers_run_in_order() -> None:
    """The second starts when the first has succeeded."""
    plan = compiled(step("a", on_failure=[{"shell": "clean"}, {"shell": "tell"}]))
    given(plan, starts("a"), breaks("a", 3), handler_starts()).when(exited(HANDLER, 7)).then(
        ends(HANDLER, 7), succeeds(HANDLER, 1), starts("a.on_failure[1]", text="tell")
    )


def test_a_handler_that_fails_fails_the_step() -> None:
    """The error tells both."""
    plan = compiled(step("a", on_failure={"shell": "clean"}))
    error = "boom\nits on_failure failed too: no broom"
    given(plan, starts("a"), breaks("a", 3), handler_starts()).when(broke(HANDLER, 7, "no broom")).then(
        breaks(HANDLER, 7, "no broom"),
        fails(HANDLER, 1, "no broom"),
        ev.NodeFailed(at=HANDLERS, error="no broom"),
        fails("a", 2, error),
        run_fails("a", error),
    )


@pytest.mark.parametrize("handlers", [{"max_attempts": 1}, {"retry_original": True}])
def test_a_repaired_step_is_tried_again_at_once(handlers: dict[str, Any]) -> None:
    """Its handlers ran, so nothing is to be waited for."""
    plan = compiled(step("a", on_failure={"commands": [{"shell": "clean"}], **handlers}))
    given(plan, starts("a"), breaks("a", 3), handler_starts()).when(exited(HANDLER, 7)).then(
        ends(HANDLER, 7), succeeds(HANDLER, 1), ev.NodeSucceeded(at=HANDLERS), starts("a", 2)
    )


def test_repairs_are_counted() -> None:
    """With `max_attempts: 1` the repaired attempt is the last."""
    plan = compiled(step("a", on_failure={"commands": [{"shell": "clean"}], "max_attempts": 1}))
    handled: tuple[Told, ...] = (
        starts("a"),
        breaks("a", 3),
        handler_starts(),
        ends(HANDLER, 7),
        succeeds(HANDLER, 1),
        ev.NodeSucceeded(at=HANDLERS),
    )
    given(plan, *handled, starts("a", 2)).when(broke("a", 12)).then(breaks("a", 12), fails("a", 2), run_fails("a"))


def test_handlers_start_anew_for_every_failure() -> None:
    """What they did for the first failure does not count for the second."""
    plan = compiled(step("a", on_failure={"commands": [{"shell": "clean"}], "max_attempts": 2}))
    handled: tuple[Told, ...] = (
        starts("a"),
        breaks("a", 3),
        handler_starts(),
        ends(HANDLER, 7),
        succeeds(HANDLER, 1),
        ev.NodeSucceeded(at=HANDLERS),
    )
    given(plan, *handled, starts("a", 2)).when(broke("a", 12)).then(breaks("a", 12), handler_starts())


def test_fail_workflow_fails_although_the_handlers_succeeded() -> None:
    """Clean up, then fail all the same."""
    plan = compiled(step("a", on_failure={"commands": [{"shell": "clean"}], "fail_workflow": True}), step("b"))
    given(plan, starts("a"), breaks("a", 3), handler_starts()).when(exited(HANDLER, 7)).then(
        ends(HANDLER, 7), succeeds(HANDLER, 1), ev.NodeSucceeded(at=HANDLERS), fails("a", 2), run_fails("a")
    )


# Failures that are forgiven -------------------------------------------------------------------------------


def test_a_failure_that_a_later_when_asks_about_is_tolerated() -> None:
    """The sibling that asks runs."""
    plan = compiled(step("a"), step("b", when="${a.exit_code} != 0"))
    given(plan, starts("a")).when(broke("a", 3)).then(breaks("a", 3), fails("a", 1), starts("b"))


def test_a_tolerated_failure_that_was_answered_is_forgiven() -> None:
    """The sibling that asked ran and succeeded."""
    plan = compiled(step("a"), step("b", when="${a.exit_code} != 0"))
    given(plan, starts("a"), breaks("a", 3), fails("a", 1), starts("b")).when(exited("b", 7)).then(
        ends("b", 7), succeeds("b", 2), run_completes()
    )


def test_a_tolerated_failure_that_nobody_answered_fails_the_run_at_its_end() -> None:
    """The sibling that asked was skipped."""
    plan = compiled(step("a"), step("b", when="${a.success}"))
    error = "boom (at a; no later step answered it)"
    given(plan, starts("a")).when(broke("a", 3)).then(
        breaks("a", 3),
        fails("a", 1),
        ev.NodeSkipped(at="b", reason="${a.success}, with ${a.success} = false"),
        ev.NodeFailed(at=ROOT, error=error),
        ev.RunFailed(at="a", error="boom"),
    )


def test_an_answer_that_failed_is_no_answer() -> None:
    """The run fails for the step that nothing tolerated."""
    plan = compiled(step("a"), step("b", when="${a.exit_code} != 0"))
    given(plan, starts("a"), breaks("a", 3), fails("a", 1), starts("b")).when(broke("b", 7, "bang")).then(
        breaks("b", 7, "bang"), fails("b", 2, "bang"), run_fails("b", "bang")
    )


def test_the_run_fails_at_the_step_that_nothing_tolerated() -> None:
    """An earlier failure whose answer is still to come did not decide it."""
    plan = compiled(step("a"), step("b"), step("c", when="${a.exit_code} != 0"))
    given(plan, starts("a"), breaks("a", 3), fails("a", 1), starts("b")).when(broke("b", 7, "bang")).then(
        breaks("b", 7, "bang"), fails("b", 2, "bang"), run_fails("b", "bang")
    )


def test_allow_failure_forgives_outright() -> None:
    """Nobody need ask."""
    plan = compiled(step("a", allow_failure=True))
    given(plan, starts("a")).when(broke("a", 3)).then(breaks("a", 3), fails("a", 1), run_completes())


# Conditions -----------------------------------------------------------------------------------------------


def test_a_step_whose_when_is_false_is_skipped() -> None:
    """The reason shows the condition with its values; a skip makes no version."""
    plan = compiled(step("a", capture="n"), step("b", when="${n} == 2"), step("c"))
    given(plan, starts("a")).when(exited("a", 3, output="1\n")).then(
        ends("a", 3, output="1"),
        ev.ValueCaptured(at="a", name="n", value="1"),
        succeeds("a", 1),
        ev.NodeSkipped(at="b", reason='${n} == 2, with ${n} = "1"'),
        starts("c"),
    )


@pytest.mark.parametrize("result", ["output", "exit_code", "error", "duration", "attempts", "stderr", "output_file"])
def test_results_of_a_skipped_step_are_null(result: str) -> None:
    """All but `success` and `partial_success`, which are false."""
    condition = f"${{b.{result}}} == null && ${{b.success}} == false && ${{b.partial_success}} == false"
    plan = compiled(step("a"), step("b", when="false"), step("c", when=condition))
    assert given(plan, starts("a")).when(exited("a", 3)).events[-1] == starts("c")


# Captures -------------------------------------------------------------------------------------------------


def test_a_capture_that_cannot_be_read_fails_the_attempt() -> None:
    """And the attempt is tried again like any other."""
    plan = compiled(step("a", capture="n", capture_format="number", retry=1))
    given(plan, starts("a")).when(exited("a", 3, output="many\n")).then(
        ends("a", 3, output="many", error="capture_format number: 'many' is not a number"), waits("a", 2, 1.0)
    )


def test_a_failed_attempt_captures_nothing() -> None:
    """Its output is a result, but no variable."""
    plan = compiled(step("a", capture="n"))
    state = given(plan, starts("a")).when(exited("a", 3, exit_code=1, output="1\n")).state
    assert dict(state.captures) == {}


def test_a_stop_after_the_last_result_changes_nothing() -> None:
    """The run was over."""
    plan = compiled(step("a"))
    given(plan, starts("a"), ends("a", 3), succeeds("a", 1), run_completes()).when(stop()).then()


def given_nothing(signal: sig.Signal) -> list[ev.Event]:
    from prodigy.kernel.decide import decide

    return decide(State(), signal).events
