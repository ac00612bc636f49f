"""Dead letters: they wait, are put back, or given up; and what was built on a result without them is built anew."""

from typing import Any

import pytest
from msgspec.structs import replace

from prodigy.kernel import events as ev
from prodigy.kernel import signals as sig
from prodigy.kernel.decide import decide
from prodigy.kernel.evolve import evolve, fold
from prodigy.kernel.lifecycle import Status
from prodigy.kernel.state import State
from prodigy.plan.nodes import Plan
from tests.kernel.story import NOW
from tests.simulation.plans import FAIL, HANG, Script, mapped, step
from tests.simulation.world import World, history, stopped_at

BAD_B: Script = {"map[b].x": [FAIL]}


def plan(**keys: Any) -> Plan:
    return mapped([], [step("x")], [step("r"), step("q")], **keys)


def cooked(plan: Plan, script: Script, keys: str = "abc", stopped: str = "") -> World:
    """Return a run that has come to its rest, stopped where told."""
    world = World(plan, script)
    world.items = list(keys)
    if stopped:
        world.watch = stopped_at(stopped)
    world.cook()
    return world


def requeue(*keys: str, reduces: bool = True) -> sig.Requeue:
    return sig.Requeue(at="map", keys=keys, reduces=reduces)


def retried(world: World, *keys: str, reduces: bool = True) -> list[str]:
    """Put dead letters back in a world that was mended; return what started."""
    world.script = {}
    before = len(world.starts)
    world.resume(requeue=requeue(*keys, reduces=reduces))
    return [start.at for start in world.starts[before:]]


def counts(state: State) -> dict[str, int]:
    """Return how many items are where, without the places that are empty."""
    items = state.maps["map"]
    found = {"succeeded": items.succeeded, "skipped": items.skipped, "dead": items.dead, "failed": items.failed}
    return {name: count for name, count in (found | {"pending": items.pending}).items() if count}


def test_a_completed_run_runs_the_item_and_reduce_again() -> None:
    """On the whole result."""
    world = cooked(plan(), BAD_B)
    assert (["map[b].x", "reduce.r", "reduce.q"], {"succeeded": 3}) == (retried(world, "b"), counts(world.state))


def test_without_reduce_only_the_item_runs() -> None:
    """What came after the map stands."""
    world = cooked(plan(), BAD_B)
    assert (["map[b].x"], "completed") == (retried(world, "b", reduces=False), world.state.status)


def test_only_the_chosen_are_put_back() -> None:
    """The others stay dead letters."""
    world = cooked(plan(), {"map[a].x": [FAIL], "map[b].x": [FAIL]})
    assert (["map[a].x", "reduce.r", "reduce.q"], {"succeeded": 2, "dead": 1}) == (
        retried(world, "a"),
        counts(world.state),
    )


@pytest.mark.parametrize("where", ["reduce.r", "reduce.q"])
def test_an_interrupted_reduce_begins_anew(where: str) -> None:
    """Its first step was done on a result without the item."""
    world = cooked(plan(), BAD_B, stopped=where)
    assert ["map[b].x", "reduce.r", "reduce.q"] == retried(world, "b")


def test_a_failed_reduce_begins_anew() -> None:
    """Its first step was done on a result without the item."""
    world = cooked(plan(), {**BAD_B, "reduce.q": [FAIL]})
    assert ["map[b].x", "reduce.r", "reduce.q"] == retried(world, "b")


def test_a_failed_reduce_goes_on_where_it_failed_if_it_is_to_stand() -> None:
    """As by resume."""
    world = cooked(plan(), {**BAD_B, "reduce.q": [FAIL]})
    assert ["map[b].x", "reduce.q"] == retried(world, "b", reduces=False)


def test_a_map_that_was_being_handled_goes_on() -> None:
    """Its handlers were for a failure that is no more."""
    every = {f"map[{key}].x": [FAIL] for key in "abc"}
    world = cooked(plan(on_failure=[step("h")]), every, stopped="map.on_failure.h")
    assert (["map[b].x", "reduce.r", "reduce.q"], Status.SUCCEEDED) == (
        retried(world, "b"),
        world.state.node("map").status,
    )


def test_a_map_that_was_passed_over_goes_on() -> None:
    """With all that it had left, too."""
    world = cooked(plan(max_parallel=1), {"map[a].x": [FAIL]}, stopped="map[b].x")
    rewind = sig.Rewind(
        generation=2, parent=1, from_seq=0, from_chain="", version=0, reason="back", by="me", target="reduce"
    )
    passed = decide(world.state, sig.ResumeRequested(time=NOW, number=2, rewind=rewind)).state
    again = decide(passed, sig.ResumeRequested(time=NOW, number=3, requeue=requeue("a"))).state
    assert ({"dead": 1, "pending": 2}, ["a"], Status.RUNNING) == (
        counts(passed),
        list(again.maps["map"].active),
        again.node("map").status,
    )


def test_dead_letters_wait_for_the_operator() -> None:
    """Resume runs the pending, and does not count them again."""
    world = cooked(plan(max_parallel=1, error_policy={"max_failures": 1}), {"map[a].x": [FAIL]})
    before = len(world.starts)
    world.script = {}
    world.resume()
    began = [start.at for start in world.starts[before:]]
    assert (["map[b].x", "map[c].x", "reduce.r", "reduce.q"], {"succeeded": 2, "dead": 1}) == (
        began,
        counts(world.state),
    )


def test_after_a_resume_new_failures_count_from_one() -> None:
    """The old are excused, the new are not."""
    world = cooked(
        plan(max_parallel=1, error_policy={"max_failures": 2}), {f"map[{key}].x": [FAIL] for key in "abcd"}, "abcdef"
    )
    assert {"dead": 2, "pending": 4} == counts(world.state)
    world.resume()
    assert ({"dead": 4, "pending": 2}, "failed") == (counts(world.state), world.state.status)


def test_those_that_were_put_back_are_not_excused_any_more() -> None:
    """When they fail again they count."""
    policy = {"max_failures": 2}
    world = cooked(plan(max_parallel=1, error_policy=policy), {f"map[{key}].x": [FAIL] for key in "ab"}, "abcd")
    world.resume(requeue=requeue("a", "b"))
    assert ("failed", {"dead": 2, "pending": 2}) == (world.state.status, counts(world.state))


def test_how_many_are_excused_is_in_the_log() -> None:
    """So a log folds to the same under a later rule; one that does not tell it folds by this one."""
    world = cooked(plan(max_parallel=1, error_policy={"max_failures": 2}), {f"map[{key}].x": [FAIL] for key in "ab"})
    resumed = decide(world.state, sig.ResumeRequested(time=NOW, number=2)).events
    told = [event.excused for event in resumed if isinstance(event, ev.NodeContinued) and event.at == "map"]
    folded = [
        evolve(world.state, ev.NodeContinued(at="map", excused=excused), NOW).maps["map"].excused
        for excused in (None, 2, 0)
    ]
    assert ([2], [2, 2, 0]) == (told, folded)


def test_when_nothing_is_left_but_dead_letters_resume_runs_nothing() -> None:
    """It says so, and the run has failed."""
    world = cooked(plan(max_parallel=1, error_policy={"max_failures": 1}), {"map[c].x": [FAIL]})
    before = len(world.starts)
    world.resume()
    error = "1 item failed, and max_failures is 1; the first is c: exit 1 · boom"
    assert ([], "failed", error) == (world.starts[before:], world.state.status, world.state.failure)


def test_dead_letters_that_are_given_up_count_as_skipped() -> None:
    """And a failed run can go on without them."""
    world = cooked(plan(), {f"map[{key}].x": [FAIL] for key in "abc"})
    order = sig.PurgeRequested(time=NOW, at="map", keys=("a", "b", "c"), by="me")
    events, state = decide(world.state, order)
    assert ([ev.DeadLettersPurged(at="map", keys=("a", "b", "c"), by="me")], {"skipped": 3}) == (events, counts(state))
    resumed = decide(state, sig.ResumeRequested(time=NOW, number=2)).state
    assert Status.SUCCEEDED == resumed.node("map").status


def test_a_map_tried_again_opens_its_failed_items_only() -> None:
    """Those at work when its time was over begin anew too."""
    world = cooked(plan(timeout=60, retry=1), {"map[a].x": [FAIL], "map[b].x": [HANG]})
    put_back = [event.keys for _, event in history(world.disk) if isinstance(event, ev.ItemsRequeued)]
    began = [start.at for start in world.starts]
    assert ([("a", "b")], 1, 2) == (put_back, began.count("map[c].x"), began.count("map[b].x"))


def test_an_item_put_back_has_forgotten_its_captures() -> None:
    """It begins as if nothing had happened to it."""
    capturing = mapped([], [step("x", capture="seen"), step("y")], [])
    world = cooked(capturing, {"map[b].y": [FAIL]})
    assert ({}, []) == (dict(world.state.scoped), [at for at in world.state.nodes if at.startswith("map[")])


@pytest.mark.parametrize(
    ("agent", "keys", "attempts"),
    [
        (step("x"), {}, 1),
        (step("x", retry=2), {}, 3),
        (step("x"), {"error_policy": {"on_item_failure": "retry", "max_retries": 2}}, 3),
        (step("x", retry=1), {"error_policy": {"on_item_failure": "retry", "max_retries": 2}}, 6),
    ],
    ids=["once", "a step tried again", "an item tried again", "both"],
)
def test_a_dead_letter_tells_how_often_its_step_was_tried(
    agent: dict[str, Any], keys: dict[str, Any], attempts: int
) -> None:
    """In all attempts of the item, also those before a resume."""
    mapping = mapped([], [step("first"), agent], [step("r")], **keys)
    calm = cooked(mapping, BAD_B)
    stopped = cooked(mapping, BAD_B, stopped="map[b].x")
    stopped.resume()
    tried = len([start for start in calm.starts if start.at == "map[b].x"])
    told = [world.state.maps["map"].settled["b"].attempts for world in (calm, stopped)]
    assert (attempts, [attempts, attempts]) == (tried, told)


def test_a_log_that_does_not_tell_the_attempts_of_a_step_has_those_of_the_item() -> None:
    """Older ones do not."""
    world = cooked(plan(), BAD_B)
    told = [
        (time, replace(event, attempts=0) if isinstance(event, ev.ItemSettled) else event)
        for time, event in history(world.disk)
    ]
    assert 1 == fold(State(), told).maps["map"].settled["b"].attempts
