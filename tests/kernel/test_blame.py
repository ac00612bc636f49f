"""Whose failure it is: which step handlers are told of, who answers, and by what name a version is known."""

from typing import Any

import pytest

from prodigy.kernel import events as ev
from prodigy.kernel import signals as sig
from prodigy.plan.nodes import ROOT, Plan
from tests.kernel.story import (
    NOW,
    Told,
    breaks,
    broke,
    ends,
    exited,
    fails,
    given,
    resume,
    run_completes,
    run_fails,
    starts,
    stops,
    succeeds,
    waits,
)
from tests.kernel.test_map import plan
from tests.simulation.plans import compiled, in_stages, stage, step


@pytest.mark.parametrize(
    ("keys", "label"),
    [({"id": "made", "name": "Make it"}, "made"), ({"name": "Make it"}, "Make it"), ({}, "commands[0]")],
)
def test_a_version_bears_the_name_of_its_step(keys: dict[str, str], label: str) -> None:
    """Its id, or else the name that people gave it."""
    named = compiled({"shell": "make", "checkpoint": True, **keys})
    at = next(at for at in named.nodes if at != ROOT)
    mark = given(named, starts(at)).when(exited(at, 3)).events[2]
    assert isinstance(mark, ev.CheckpointMarked)
    assert mark.label == label


def test_of_two_unanswered_failures_the_first_is_to_blame() -> None:
    """Each was tolerated for the sake of a later step that never succeeded."""
    asking = compiled(step("a"), step("b"), step("c", when="${a.success} && ${b.success}"))
    told = (starts("a"), breaks("a", 3), fails("a", 1), starts("b"), breaks("b", 7, "bang"))
    decided = given(asking, *told, ev.NodeFailed(at="b", error="bang")).state
    assert decided.node("b").error == "bang"
    ended = given(asking, *told[:-1]).when(exited("b", 7, exit_code=1, stderr="bang\n")).events
    assert isinstance(ended[-1], ev.RunFailed)
    assert ended[-1].at == "a"


def test_a_failure_is_answered_by_one_of_those_that_ask() -> None:
    """One was skipped for it, the other ran and succeeded."""
    asking = compiled(step("a"), step("b", when="${a.success}"), step("c", when="${a.exit_code} != 0"))
    skipped = ev.NodeSkipped(at="b", reason="${a.success} is false")
    told = (starts("a"), breaks("a", 3), fails("a", 1), skipped, starts("c"))
    given(asking, *told).when(exited("c", 8)).then(ends("c", 8), succeeds("c", 2), run_completes())


def test_a_failure_that_is_allowed_needs_no_answer() -> None:
    """Though a later step asks about it, and is skipped."""
    asking = compiled(step("a", allow_failure=True), step("b", when="${a.success}"))
    events = given(asking, starts("a")).when(exited("a", 3, exit_code=1, stderr="boom\n")).events
    assert events[-1] == ev.RunCompleted()


def test_a_success_that_is_asked_about_needs_no_answer() -> None:
    """Whoever asked was skipped for it."""
    asking = compiled(step("a"), step("b", when="${a.exit_code} != 0"))
    events = given(asking, starts("a")).when(exited("a", 3)).events
    assert events[-1] == ev.RunCompleted()


def test_a_step_that_is_asked_about_fails_the_workflow_where_its_handlers_say_so() -> None:
    """`fail_workflow` is the stronger word."""
    handlers = {"commands": [{"shell": "clean"}], "fail_workflow": True}
    asking = compiled(step("a", on_failure=handlers), step("b", when="${a.exit_code} != 0"))
    at = "a.on_failure"
    told = (starts("a"), breaks("a", 3), ev.HandlingStarted(at="a"), ev.NodeStarted(at=at, attempt=1))
    given(asking, *told, starts(f"{at}[0]", text="clean")).when(exited(f"{at}[0]", 7)).then(
        ends(f"{at}[0]", 7), succeeds(f"{at}[0]", 1), ev.NodeSucceeded(at=at), fails("a", 2), run_fails("a")
    )


def test_siblings_that_were_skipped_for_a_failure_are_asked_again_in_their_order() -> None:
    """As they stand in the file."""
    asking = compiled(step("a"), *(step(name, when="${a.success}") for name in "zyxb"))
    skipped = tuple(ev.NodeSkipped(at=name, reason="${a.success} is false") for name in "zyxb")
    told = (starts("a"), breaks("a", 3), fails("a", 1), skipped, run_fails("a"))
    events = given(asking, *told).when(resume()).events
    assert [event.at for event in events if isinstance(event, ev.NodeReopened)] == ["z", "y", "x", "b", "a"]


def test_a_time_that_is_no_number_fails_its_stage() -> None:
    """It says what it is instead."""
    timed = in_stages(stage("one", step("a"), timeout="${limit}"), variables={"limit": "soon"})
    failed = given(timed).when(resume()).events[2]
    assert isinstance(failed, ev.NodeFailed)
    assert failed.at == "one"
    assert "soon" in failed.error


def test_a_failure_whose_handlers_an_edit_took_away_is_tried_again() -> None:
    """Even where a failure is allowed: the operator has just edited the step."""
    before = compiled(step("a", allow_failure=True, on_failure={"shell": "mend"}), step("b"))
    after = compiled(step("a", allow_failure=True), step("b"))
    told = (starts("a"), breaks("a", 3), ev.HandlingStarted(at="a"), stops(), ev.RunInterrupted())
    revision = sig.Revision(plan=after, workflow_text="")
    events = given(before, *told).when(resume(revision=revision)).events
    assert events[2:] == [ev.NodeFailed(at="a", error="boom"), ev.NodeReopened(at="a"), starts("a", 2)]


def handled_for(timed: Plan, *told: Told, signal: sig.Signal) -> str:
    """Return the step for which the handlers of a node are told that they run."""
    events = given(timed, *told).when(signal).events
    return next(event.step for event in events if isinstance(event, ev.HandlingStarted))


ENTERED: tuple[Told, ...] = (
    ev.NodeStarted(at="one", attempt=1),
    ev.LimitStarted(at="one", attempt=1, left_s=60.0),
    starts("one.a"),
)
LATE = sig.LimitFired(time=NOW, at="one", attempt=1)


def test_handlers_of_a_stage_are_told_which_step_failed() -> None:
    """Or which was about to be tried again, or repaired, when the time was over."""
    mends = {"shell": "mend", "retry": 1}
    timed = in_stages(
        stage("one", step("a", on_failure=mends), step("b", retry=1), timeout=60, on_failure={"shell": "clean"})
    )
    mend = "one.a.on_failure[0]"
    mending = (ev.HandlingStarted(at="one.a"), ev.NodeStarted(at="one.a.on_failure", attempt=1), starts(mend))
    mended = (*mending, breaks(mend, 9), waits(mend, 2, 1.0))
    done = (ends("one.a", 5), succeeds("one.a", 1), starts("one.b"))
    assert handled_for(timed, *ENTERED, breaks("one.a", 5), *mended, signal=LATE) == "one.a"
    assert handled_for(timed, *ENTERED, *done, breaks("one.b", 9), waits("one.b", 2, 1.0), signal=LATE) == "one.b"
    twice = (breaks("one.b", 9), waits("one.b", 2, 1.0), starts("one.b", 2))
    assert handled_for(timed, *ENTERED, *done, *twice, signal=broke("one.b", 12)) == "one.b"


def test_handlers_of_a_map_are_told_no_step() -> None:
    """It is no one step that failed it."""
    timed = plan(timeout=60, on_failure={"shell": "tell"})
    began = (ev.NodeStarted(at="map", attempt=1), ev.LimitStarted(at="map", attempt=1, left_s=60.0))
    late = sig.LimitFired(time=NOW, at="map", attempt=1)
    assert handled_for(timed, *began, ev.ListingStarted(at="map"), signal=late) == ""


def test_what_awaited_an_answer_when_the_time_ended_is_named_to_the_handlers() -> None:
    """It was at work, if only on a person."""
    asking = in_stages(stage("one", step("a", requires_confirmation=True), timeout=60, on_failure={"shell": "clean"}))
    entered = (ev.NodeStarted(at="one", attempt=1), ev.LimitStarted(at="one", attempt=1, left_s=60.0))
    given(asking, *entered, ev.ConfirmationRequested(at="one.a")).when(
        sig.LimitFired(time=NOW, at="one", attempt=1)
    ).then(
        ev.LimitReached(at="one", timeout_s=60.0),
        ev.HandlingStarted(at="one", error="timed out after 60 s", step="one.a"),
        ev.NodeStarted(at="one.on_failure", attempt=1),
        starts("one.on_failure[0]", text="clean"),
    )


def failure(plan: Plan, **fields: Any) -> str:
    """Return the error of the only step after it has ended so."""
    ended = next(event for event in given(plan, starts("a")).when(exited("a", 3, **fields)).events if event)
    assert isinstance(ended, ev.CommandFinished)
    return ended.error or ""


def test_a_step_that_failed_is_not_blamed_for_what_it_did_not_capture() -> None:
    """Its output is of another format because it failed."""
    asked = compiled(step("a", capture_output="x", capture_format="json"))
    assert failure(asked, exit_code=1, output="usage: a", stderr="boom\n") == "boom"
    assert failure(asked, exit_code=0, output="usage: a").startswith("capture_format json: ")


def test_the_end_of_what_was_said_is_cut_at_a_character() -> None:
    """Wherever the limit falls."""
    for head in ("", "x", "xx"):
        said = failure(compiled(step("a")), exit_code=1, stderr=head + "€" * 1000 + "end")
        assert set(said.removesuffix("end")) == {"€"}
        assert said.endswith("end")


@pytest.mark.parametrize(("value", "is_hinted"), [("ls", False), ("ls -l", True), (3, False), (["a b", "c"], False)])
def test_a_command_that_is_not_found_is_explained_by_its_blanks(value: Any, is_hinted: bool) -> None:
    """Where a value of several words stands in its place."""
    named = compiled({"shell": "${tool} x", "id": "a"}, variables={"tool": value})
    said = failure(named, exit_code=127, stderr="not found\n")
    assert said.startswith("not found")
    assert ("is one word, blanks and all" in said) is is_hinted


def test_a_claude_that_is_not_found_is_told_as_it_is() -> None:
    """It has no words of a script."""
    asked = compiled({"claude": "/look ${tool}", "id": "a"}, variables={"tool": "ls -l"})
    assert failure(asked, exit_code=127, stderr="claude: not found\n") == "claude: not found"
