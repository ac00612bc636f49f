"""Why a step is as it is, told from the log alone: one test for each thing that can happen to it."""

import json
from typing import Any

import pytest

from prodigy.kernel import events as ev
from prodigy.kernel.evolve import fold
from prodigy.kernel.state import State
from prodigy.plan.compile import compile_workflow
from prodigy.plan.nodes import Plan, Policy
from prodigy.projections.explain import Explanation, explain
from tests.kernel.story import (
    NOW,
    Told,
    begun,
    breaks,
    ends,
    fails,
    flat,
    interrupted,
    resumes,
    run_fails,
    starts,
    stops,
    succeeds,
    waits,
)
from tests.simulation.plans import compiled, in_stages, stage, staged, step

TEXT = "(shell: do a)"
BEGAN = "It began at 2026-01-31 09:00:00 UTC: it is the first step."
FAILED = "Attempt 1 failed after 1.0 s: exit 1 · boom."


def story(plan: Plan, address: str, *told: Told) -> Explanation:
    """Return what is told of the node at `address` after all this."""
    events = [(NOW, event) for event in flat((*begun(plan), *told))]
    moves = [event for _, event in events if isinstance(event, ev.PlanChanged)]
    return explain(events, State(), fold(State(), events), moves, address)


def sentences(plan: Plan, address: str, *told: Told) -> list[str]:
    return list(story(plan, address, *told).sentences)


def test_a_story_says_what_it_is_about() -> None:
    """The address, what runs there, and how that stands."""
    assert story(compiled(step("a")), "a", starts("a"), ends("a", 3), succeeds("a", 1)) == Explanation(
        address="a",
        what="shell: do a",
        status="succeeded",
        sentences=(BEGAN, "Attempt 1 succeeded after 1.0 s.", "That made v1."),
    )


def test_a_step_runs_because_the_one_before_it_succeeded() -> None:
    """Where nothing else was asked."""
    told = (starts("a"), ends("a", 3), *succeeds("a", 1), starts("b"))
    assert sentences(compiled(step("a"), step("b")), "b", *told) == [
        "It began at 2026-01-31 09:00:00 UTC: a before it had succeeded.",
        "It has not ended: it is at work since 09:00:00, or was when it was killed.",
    ]


def test_a_condition_is_shown_with_the_values_that_decided_it() -> None:
    """As they were then."""
    plan = compiled(step("a"), step("b", when="${a.exit_code} == 0"))
    told = (starts("a"), ends("a", 3), *succeeds("a", 1), starts("b"))
    assert sentences(plan, "b", *told)[0] == (
        "It began at 2026-01-31 09:00:00 UTC: its condition was true, ${a.exit_code} == 0, with ${a.exit_code} = 0."
    )


def test_a_skipped_step_shows_the_condition_that_was_false() -> None:
    """The event has it with its values."""
    plan = compiled(step("a"), step("b", when="${a.exit_code} != 0"))
    told = ev.NodeSkipped(at="b", reason="${a.exit_code} != 0, with ${a.exit_code} = 0")
    assert sentences(plan, "b", told) == [
        "Its condition was false at 2026-01-31 09:00:00 UTC: ${a.exit_code} != 0, with ${a.exit_code} = 0."
    ]


def test_a_retry_says_why_and_how_often_it_may_be_tried() -> None:
    """Every attempt has its own end."""
    told = (starts("a"), breaks("a", 3), waits("a", 2, 1.0), starts("a", 2), ends("a", 6), *succeeds("a", 1))
    assert sentences(compiled(step("a", retry=2)), "a", *told) == [
        BEGAN,
        FAILED,
        "Attempt 2 of 3 was to follow after 1 s.",
        "Attempt 2 began at 09:00:00.",
        "Attempt 2 succeeded after 1.0 s.",
        "That made v1.",
    ]


def test_a_step_that_waits_says_until_when() -> None:
    """The last thing that the log knows."""
    told = (starts("a"), breaks("a", 3), waits("a", 2, 90.0))
    assert sentences(compiled(step("a", retry=1)), "a", *told)[-1] == "Attempt 2 is due at 09:01:30."


def test_a_handled_step_says_so_and_its_handler_says_for_what() -> None:
    """The two stories meet."""
    plan = compiled(step("a", on_failure={"shell": "clean"}), step("b"))
    told = (
        starts("a"),
        breaks("a", 3),
        ev.HandlingStarted(at="a"),
        ev.NodeStarted(at="a.on_failure", attempt=1),
        starts("a.on_failure[0]"),
        ends("a.on_failure[0]", 7),
        *succeeds("a.on_failure[0]", 1),
        ev.NodeSucceeded(at="a.on_failure"),
        ev.NodeHandled(at="a"),
    )
    assert [sentences(plan, "a", *told), sentences(plan, "a.on_failure[0]", *told)[0]] == [
        [
            BEGAN,
            FAILED,
            "No further attempt was allowed, so its on_failure began.",
            "Its on_failure succeeded, so it counts as handled, and the run went on.",
        ],
        "It began at 2026-01-31 09:00:00 UTC: a had failed (exit 1 · boom).",
    ]


def test_a_handler_that_was_not_needed_says_so() -> None:
    """Nothing failed."""
    plan = compiled(step("a", on_failure={"shell": "clean"}))
    told = (starts("a"), ends("a", 3), *succeeds("a", 1), ev.NodeSucceeded(at="workflow"), ev.RunCompleted())
    assert sentences(plan, "a.on_failure[0]", *told) == ["It has not run: a did not need its on_failure."]


@pytest.mark.parametrize(
    ("plan", "why"),
    [
        (compiled(step("a", allow_failure=True), step("b")), " The run went on all the same: it is allowed to fail."),
        (compiled(step("a"), step("b", when="${a.success}")), " The run went on all the same: b asks about it."),
        (
            compiled(step("a"), step("b", when="${a.success}"), step("c", when="!${a.success}")),
            " The run went on all the same: b and c ask about it.",
        ),
        (compiled(step("a"), step("b")), ""),
    ],
    ids=["allowed", "answered", "answered twice", "neither"],
)
def test_a_failure_says_whether_it_was_tolerated_and_why(plan: Plan, why: str) -> None:
    """By a setting or by a later step."""
    told = (starts("a"), breaks("a", 3), *fails("a", 1))
    assert sentences(plan, "a", *told)[2] == f"It failed for good at 09:00:00: exit 1 · boom.{why}"


def test_a_step_behind_a_failure_says_what_failed() -> None:
    """Its turn never came."""
    told = (starts("a"), breaks("a", 3), *fails("a", 1), *run_fails("a"))
    assert sentences(compiled(step("a"), step("b")), "b", *told) == [
        "It has not run: the run failed at a before its turn came: exit 1 · boom."
    ]


def test_a_step_in_flight_at_ctrl_c_ran_again_on_resume() -> None:
    """Who stopped the run is told."""
    told = (starts("a"), stops(), *interrupted("a", 3), resumes("a"), starts("a"))
    assert sentences(compiled(step("a")), "a", *told)[1:3] == [
        "Attempt 1 was ended after 1.0 s: the run was stopping (SIGINT).",
        "It was in flight when the run was ended by SIGINT, so resume ran attempt 1 again at 09:00:00.",
    ]


def test_a_step_in_flight_at_a_crash_ran_again_on_resume() -> None:
    """Nobody said anything then."""
    told = (starts("a"), resumes("a"), starts("a"))
    assert sentences(compiled(step("a")), "a", *told)[1] == (
        "It was in flight when the run was ended without a word, so resume ran attempt 1 again at 09:00:00."
    )


def test_a_failed_step_was_taken_up_again_by_resume() -> None:
    """With a new budget; the stage that it is in goes on where it was."""
    told = (
        starts("a"),
        breaks("a", 3),
        *fails("a", 1),
        *run_fails("a"),
        resumes(),
        ev.NodeContinued(at="workflow"),
        ev.NodeReopened(at="a"),
        starts("a", 2),
    )
    plan = compiled(step("a"))
    assert [sentences(plan, "a", *told)[4:6], sentences(plan, "workflow", *told)[1:3]] == [
        ["Resume took it up again, with a new budget of attempts.", "Attempt 2 began at 09:00:00."],
        [
            "It failed for good at 09:00:00: a in it had failed: exit 1 · boom.",
            "Resume went on inside it; what had finished there stood.",
        ],
    ]


def test_a_confirmation_says_who_answered() -> None:
    """And an open one what to type."""
    plan = compiled(step("a", requires_confirmation=True))
    asked = ev.ConfirmationRequested(at="a")
    answered = ev.ConfirmationAnswered(at="a", is_confirmed=True, by="ann at the terminal")
    assert [sentences(plan, "a", asked), sentences(plan, "a", asked, answered)[1]] == [
        [
            "It requires confirmation and waited for it from 2026-01-31 09:00:00 UTC.",
            "Nobody has answered yet: `prodigy approve demo-000001 a`.",
        ],
        "Ann at the terminal said yes at 09:00:00.",
    ]


def test_what_is_to_be_typed_is_quoted_for_a_shell() -> None:
    """That of a step without an id has brackets, which a shell would look for among the files."""
    plan = compiled({"shell": "true", "requires_confirmation": True})
    asked = sentences(plan, "commands[0]", ev.ConfirmationRequested(at="commands[0]"))
    assert asked[-1] == "Nobody has answered yet: `prodigy approve demo-000001 'commands[0]'`."


def test_what_was_said_no_to_waits_for_nobody() -> None:
    """Whoever resumes is asked again."""
    plan = compiled(step("a", requires_confirmation=True))
    told: list[ev.Event] = [
        ev.ConfirmationRequested(at="a"),
        ev.ConfirmationAnswered(at="a", is_confirmed=False, by="ann at the terminal"),
        ev.RunCancelled(at="a", by="ann at the terminal"),
    ]
    assert sentences(plan, "a", *told)[1:] == [
        "Ann at the terminal said no at 09:00:00.",
        "Resume asks again: `prodigy resume demo-000001`.",
    ]


def test_a_stage_that_was_passed_over_takes_its_steps_with_it() -> None:
    """Who did it is told at both."""
    plan = staged(compiled(step("a"), step("b")), {"one": ["a"], "two": ["b"]}, {"one": Policy()})
    told = ev.NodeBypassed(at="one", by="ann")
    assert [sentences(plan, "one", told), sentences(plan, "a", told)] == [
        ["It was passed over by ann at 2026-01-31 09:00:00 UTC, and counts as skipped."],
        ["one, in which it stands, was passed over by ann at 2026-01-31 09:00:00 UTC."],
    ]


def test_an_edit_that_moved_a_step_is_told_and_followed() -> None:
    """What happened at its old place is its own story; what happened to another there is not."""
    plan = compiled({"shell": "one"}, {"shell": "two"})
    edited = compiled({"shell": "zero"}, {"shell": "one"}, {"shell": "two"})
    moved = {"commands[0]": "commands[1]", "commands[1]": "commands[2]"}
    told = (starts("commands[0]"), ev.PlanChanged(plan=edited, workflow_text="", moved=moved), resumes())
    assert [sentences(plan, at, *told)[:2] for at in ("commands[1]", "commands[0]")] == [
        [BEGAN, "An edit moved it from commands[0] to commands[1]."],
        [
            "It came into the workflow by an edit before the resume at 2026-01-31 09:00:00 UTC.",
            "It has not run: its turn has not come.",
        ],
    ]


def test_going_back_and_forking_are_part_of_the_story() -> None:
    """What was before is another generation's, or another run's."""
    plan = compiled(step("a"))
    forked = ev.RunForked(workflow_id="b", from_workflow_id="demo-000001", from_seq=2)
    back = ev.GenerationStarted(
        generation=2, parent=1, from_seq=2, from_chain="", version=0, reason="resume --from-checkpoint v1"
    )
    assert sentences(plan, "a", back, forked)[:2] == [
        "Generation 2 of the run began at 2026-01-31 09:00:00 UTC: resume --from-checkpoint v1.",
        "All until here was shared with demo-000001, from which the run was forked.",
    ]


def test_an_item_of_a_map_has_a_story_and_so_have_its_steps() -> None:
    """Its nodes are forgotten when it has settled; what was told of them is not."""
    plan = mapped()
    told = (
        *mapping("a", "b"),
        ev.NodeStarted(at="map[b]", attempt=1),
        starts("map[b].work"),
        breaks("map[b].work", 7),
        ev.NodeFailed(at="map[b].work", error="boom"),
        ev.ItemSettled(at="map", key="b", disposition="dead", error="boom", step="work"),
    )
    assert [(story(plan, at, *told).status, sentences(plan, at, *told)) for at in ("map[b]", "map[b].work")] == [
        (
            "failed",
            [
                "It began at 2026-01-31 09:00:00 UTC: it is an item of map, and its turn had come.",
                "Its item, b, then counted as a dead letter: boom.",
            ],
        ),
        (
            "failed",
            [
                "It began at 2026-01-31 09:00:00 UTC: it is the first step of map[b].",
                FAILED,
                "It failed for good at 09:00:00: exit 1 · boom.",
                "Its item, b, then counted as a dead letter: boom.",
            ],
        ),
    ]


def test_a_step_without_an_id_says_what_its_item_came_to() -> None:
    """It stands at its place in the item, and is in it as the others are."""
    plan = mapped({"shell": "one"})
    told = (
        *mapping("a"),
        ev.NodeStarted(at="map[a]", attempt=1),
        starts("map[a][0]", text="one"),
        breaks("map[a][0]", 7),
        ev.NodeFailed(at="map[a][0]", error="boom"),
        ev.ItemSettled(at="map", key="a", disposition="dead", error="boom", step="[0]"),
    )
    assert sentences(plan, "map[a][0]", *told)[-1] == "Its item, a, then counted as a dead letter: boom."


def test_a_map_says_what_its_items_came_to() -> None:
    """Dead letters do not fail it."""
    begun_items = [ev.NodeStarted(at=f"map[{key}]", attempt=1) for key in "ab"]
    settled = (
        ev.ItemSettled(at="map", key="a", disposition="succeeded"),
        ev.ItemSettled(at="map", key="b", disposition="dead", error="boom"),
        ev.NodeSucceeded(at="map"),
    )
    assert sentences(mapped(), "map", *mapping("a", "b"), *begun_items, *settled)[1:] == [
        "2 items were listed.",
        "Its items had all settled (1 succeeded, 1 dead letters), so it succeeded at 09:00:00.",
    ]


def mapped(*template: dict[str, Any]) -> Plan:
    """Return the plan of a workflow that is a map and nothing else."""
    text = {
        "name": "demo",
        "mode": "mapreduce",
        "map": {"input": "items.json", "agent_template": template or [step("work")]},
    }
    return compile_workflow(json.dumps(text).encode(), file="demo.yaml")


def mapping(*keys: str) -> tuple[ev.Event, ...]:
    """Return the events with which a map begins."""
    listed = ev.ItemsListed(at="map", keys=keys, items=keys)
    return ev.NodeStarted(at="map", attempt=1), ev.ListingStarted(at="map"), listed


def asked(plan: Plan, *told: Told) -> list[tuple[str, str]]:
    """Return how the stage `build` stands, and the last that is told of it."""
    found = story(plan, "build", ev.NodeStarted(at="build", attempt=1), *told)
    return [(found.status, found.sentences[-1])]


CONFIRMED = in_stages(stage("build", step("a"), step("b", requires_confirmation=True)))


def test_a_stage_waits_as_the_step_in_it_does() -> None:
    """Nothing of it is in flight."""
    told = (starts("build.a"), ends("build.a", 4), *succeeds("build.a", 1), ev.ConfirmationRequested(at="build.b"))
    paused = ev.RunPaused(at="build.b", reason="build.b waits for confirmation")
    expected = [("awaiting", "build.b in it waits for confirmation.")]
    assert (asked(CONFIRMED, *told), asked(CONFIRMED, *told, paused)) == (expected, expected)


@pytest.mark.parametrize("address", ["build", "build.a"])
def test_what_was_in_flight_when_the_run_stopped_is_not_said_to_be(address: str) -> None:
    """The step, and the stage around it."""
    begun_stage = ev.NodeStarted(at="build", attempt=1)
    told = (begun_stage, starts("build.a"), stops(), *interrupted("build.a", 4))
    assert story(CONFIRMED, address, *told).status == "interrupted"


def test_a_step_that_may_not_run_twice_says_what_the_run_asks() -> None:
    """The run is paused at it."""
    plan = compiled(step("a", on_interrupt="ask"))
    reason = "a was in flight; may it run again?"
    told = story(plan, "a", starts("a"), ev.RunPaused(at="a", reason=reason))
    assert (told.status, told.sentences[-1]) == ("interrupted", f"The run is paused: {reason}")
