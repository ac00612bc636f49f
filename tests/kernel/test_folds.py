"""What each event leaves in the state, and that it leaves all else alone."""

from typing import Any, get_args

import immutables
import pytest
from msgspec.structs import replace

from prodigy.kernel import events as ev
from prodigy.kernel.evolve import FOLDS, evolve
from prodigy.kernel.lifecycle import Epoch, Status
from prodigy.kernel.snapshot import snapshot_of
from prodigy.kernel.state import NodeState, Origin, State
from prodigy.plan.nodes import Plan
from tests.kernel.story import NOW, begun, breaks, ends, given, later, starts, waits
from tests.kernel.test_handed_on import FULL, ITEMS
from tests.kernel.test_map import at_work, begins
from tests.simulation.plans import compiled, in_stages, mapped, stage, step

THEN = later(60)
MAP = NodeState(status=Status.RUNNING, attempt=1, since=NOW)
EDITED = mapped([step("s")], [step("x")], [step("r")])
PACE = replace(ITEMS, since=THEN, settled_before=4)


def changed(before: State, event: ev.Event) -> dict[str, Any]:
    """Return what is otherwise after an event; every event counts on by one and is the newest."""
    after = evolve(before, event, THEN)
    assert after.seq == before.seq + 1
    assert after.time == THEN
    names = [name for name in State.__struct_fields__ if name not in ("seq", "time")]
    return {name: getattr(after, name) for name in names if getattr(after, name) != getattr(before, name)}


def test_every_event_has_a_fold() -> None:
    """And nothing else has one."""
    assert set(get_args(ev.Event)) == set(FOLDS)


ORIGIN = Origin(workflow_id="demo-000002", workflow_path="demo.yaml", directory="/project", started=NOW)
FORKED = replace(ORIGIN, parameters={"new": 2})
OVER = ev.GenerationStarted(generation=3, parent=2, from_seq=4, from_chain="c", version=9, reason="why")
RUN_EVENTS: dict[str, tuple[ev.Event, dict[str, Any]]] = {
    "a resume": (
        ev.RunResumed(number=5, max_retries=1, max_parallel=2),
        {
            "number": 5,
            "max_retries": 1,
            "max_parallel": 2,
            "status": "running",
            "stopping": None,
            "in_flight": immutables.Map(),
            "expired": frozenset(),
            "failed_at": None,
            "failure": "",
            "rested_s": FULL.rested_s + 60.0,
            "pausing": None,
            "reserved_usd": 0.0,
            "maps": immutables.Map({"map": PACE}),
        },
    ),
    "a generation": (
        ev.GenerationStarted(generation=3, parent=2, from_seq=4, from_chain="c", version=9, reason="why"),
        {"generation": 3, "version": 9, "status": "running", "stopping": None, "pausing": None},
    ),
    "a generation of another run": (
        ev.GenerationStarted(
            generation=3, parent=2, from_seq=4, from_chain="c", version=9, reason="why", workflow_id="demo-000002"
        ),
        {
            "generation": 3,
            "version": 9,
            "status": "running",
            "stopping": None,
            "pausing": None,
            "origin": ORIGIN,
        },
    ),
    "a stop": (ev.StopRequested(by="SIGTERM"), {"stopping": "SIGTERM"}),
    "a pause": (
        ev.RunPaused(at="r", reason="why"),
        {"status": "paused", "failed_at": "r", "failure": "why"},
    ),
    "a no": (
        ev.RunCancelled(at="r", by="ann"),
        {"status": "cancelled", "failed_at": "r", "failure": "ann said no"},
    ),
    "a failure": (
        ev.RunFailed(at="r", error="bang"),
        {"status": "failed", "failed_at": "r", "failure": "bang"},
    ),
    "an end": (ev.RunCompleted(), {"status": "completed"}),
    "an edit": (
        ev.PlanChanged(plan=EDITED, workflow_text="", moved={}, dropped=()),
        {"plan": EDITED, "addresses": {"s": "setup.s", "x": "map[].x", "r": "reduce.r"}},
    ),
    "a fork": (
        ev.RunForked(
            workflow_id="demo-000002", from_workflow_id="demo-000001", from_seq=9, variables={"x": 5, "new": 2}
        ),
        {
            "generation": 1,
            "status": "running",
            "stopping": None,
            "origin": FORKED,
            "plan": replace(FULL.plan, variables={"new": 2}),
            "captures": immutables.Map({"x": 5}),
        },
    ),
    "a moment that is restored": (
        ev.RunRestored(plan=FULL.plan, snapshot=snapshot_of(replace(FULL, max_retries=9), dict(FULL.captures))),
        {"status": "running", "stopping": None, "max_retries": 9},
    ),
}


@pytest.mark.parametrize("name", RUN_EVENTS)
def test_an_event_of_the_run_changes_what_it_says_and_nothing_else(name: str) -> None:
    """Field by field."""
    event, expected = RUN_EVENTS[name]
    assert changed(replace(FULL, folder="/here"), event) == expected


def test_an_interruption_and_a_cleaning_leave_all_but_the_status() -> None:
    """What was cleaned stays what it was."""
    running = replace(FULL, status="running")
    assert changed(running, ev.RunInterrupted()) == {"status": "interrupted"}
    assert changed(running, ev.RunCleaned(by="ann", size_bytes=5)) == {}


def test_a_start_sets_what_it_says() -> None:
    """An empty state becomes a run that is at its root."""
    started = begun(compiled(step("a")))[0]
    after = evolve(replace(State(), status="failed"), started, THEN)
    assert after.status == "running"
    assert after.run.started == THEN
    assert dict(after.nodes) == {"workflow": NodeState(since=THEN)}


# Nodes ------------------------------------------------------------------------------------------------------

TWO = compiled(
    step("a", retry=1, on_failure={"shell": "mend"}), {"claude": "look", "id": "b"}, {"shell": "${a.output}"}
)
A = NodeState(status=Status.RUNNING, attempt=1, epoch=Epoch(3), since=NOW)
RAN = replace(A, exit_code=1, error="boom", duration_s=1.0, output="out", stderr="boom", output_file="o.log")


def test_the_end_of_a_command_leaves_its_result() -> None:
    """It is in flight no more; its output is the last of its kind."""
    state = given(TWO, starts("a")).state
    event = ends("a", 3, exit_code=1, error="boom", output="out", stderr="boom", output_file="o.log")
    expected = {
        "nodes": state.nodes.set("a", RAN),
        "in_flight": immutables.Map(),
        "outputs": immutables.Map({"shell": "out"}),
    }
    assert changed(state, event) == expected


@pytest.mark.parametrize("by_itself", [True, False])
def test_what_claude_does_not_say_of_its_cost_is_counted(by_itself: bool) -> None:
    """Of no other kind of command."""

    def end(at: str, epoch: int, **fields: Any) -> ev.Event:
        if by_itself:
            return ends(at, epoch, **fields)
        return ev.CommandInterrupted(at=at, epoch=Epoch(epoch), duration_s=1.0, **fields)

    state = given(TWO, starts("a"), starts("b")).state
    after = evolve(evolve(state, end("a", 3), THEN), end("b", 4), THEN)
    assert after.costs_unknown == 1
    assert dict(after.in_flight) == {}
    assert after.cost_usd == 0.0
    told = evolve(state, end("b", 4, cost_usd=2.0), THEN)
    assert (told.cost_usd, told.costs_unknown) == (2.0, 0)


def test_every_turn_of_a_node_is_since_then() -> None:
    """Started, waiting, handled, skipped, failed, reopened."""
    told = (starts("a"), breaks("a", 3))
    state = given(TWO, *told).state
    turns: list[tuple[State, ev.Event, NodeState]] = [
        (state, waits("a", 2, 1.0), replace(state.node("a"), status=Status.WAITING, delay_s=1.0, due=later(1))),
        (state, ev.HandlingStarted(at="a"), replace(state.node("a"), status=Status.HANDLING)),
        (state, ev.NodeFailed(at="a", error="bang"), replace(state.node("a"), status=Status.FAILED, error="bang")),
        (state, ev.NodeSkipped(at="b", reason="no"), NodeState(status=Status.SKIPPED, reason="no")),
        (state, starts("b"), NodeState(status=Status.RUNNING, attempt=1, epoch=Epoch(state.seq + 1))),
    ]
    for before, event, expected in turns:
        after = evolve(before, event, THEN)
        assert after.node(event.at) == replace(expected, since=THEN)  # type: ignore[union-attr]
        assert (after.seq, after.time) == (before.seq + 1, THEN)


def test_a_step_that_is_reopened_begins_a_new_budget() -> None:
    """Its number of attempts goes on, its last error is known, its handlers have done nothing."""
    handled = (ev.HandlingStarted(at="a"), ev.NodeStarted(at="a.on_failure", attempt=1), starts("a.on_failure[0]"))
    mended = (breaks("a.on_failure[0]", 7), ev.NodeFailed(at="a.on_failure[0]", error="boom"))
    told = (starts("a"), breaks("a", 3), *handled, *mended, ev.NodeFailed(at="a.on_failure", error="boom"))
    state = given(TWO, *told, ev.NodeFailed(at="a", error="boom")).state
    reopened = evolve(state, ev.NodeReopened(at="a"), THEN)
    assert reopened.node("a") == NodeState(
        status=Status.PENDING, attempt=1, first=2, reopened=True, since=THEN, error="boom"
    )
    assert sorted(reopened.nodes) == ["a", "workflow"]


def test_a_stage_that_goes_on_has_its_budgets_anew() -> None:
    """Of attempts, repairs and time."""
    stages = in_stages(stage("one", step("a"), retry=1, timeout=60))
    began = (ev.NodeStarted(at="one", attempt=1), ev.LimitStarted(at="one", attempt=1, left_s=60.0, spent_s=5.0))
    state = given(stages, *began, starts("one.a"), breaks("one.a", 5), ev.NodeFailed(at="one.a", error="boom")).state
    failed = evolve(state, ev.NodeFailed(at="one", error="boom"), NOW)
    assert evolve(failed, ev.NodeContinued(at="one"), THEN).node("one") == NodeState(
        status=Status.RUNNING, attempt=1, first=1, since=THEN, error="boom"
    )


def test_a_checkpoint_is_known_to_its_node() -> None:
    """And is the newest version."""
    state = given(TWO, starts("a"), ends("a", 3), ev.NodeSucceeded(at="a")).state
    expected = {"version": 7, "nodes": state.nodes.set("a", replace(state.node("a"), version=7))}
    assert changed(state, ev.CheckpointMarked(version=7, at="a")) == expected


def test_a_rest_moves_the_times_of_what_is_at_work() -> None:
    """What has settled keeps its own."""
    stages = in_stages(stage("one", step("a"), timeout=60), stage("two", step("b"), timeout=60))
    limits = {at: ev.LimitStarted(at=at, attempt=1, left_s=60.0) for at in ("one", "two")}
    one = (ev.NodeStarted(at="one", attempt=1), limits["one"], ev.NodeSucceeded(at="one"))
    state = given(stages, *one, ev.NodeStarted(at="two", attempt=1), limits["two"]).state
    rested = evolve(state, ev.RunRested(rested_s=30.0), THEN)
    assert [rested.node(at).limit_since for at in ("one", "two")] == [NOW, later(30)]
    assert rested.rested_s == 30.0


def test_what_is_bypassed_is_in_flight_no_more() -> None:
    """Nor has anything below it been done; what is beside it goes on."""
    stages = in_stages(stage("one", step("a")), stage("two", step("b")))
    began = (ev.NodeStarted(at="one", attempt=1), starts("one.a"), ev.NodeStarted(at="two", attempt=1), starts("two.b"))
    state = given(stages, *began).state
    after = evolve(state, ev.NodeBypassed(at="one", by="ann"), THEN)
    assert dict(after.in_flight) == {"two.b": 6}
    assert sorted(after.nodes) == ["one", "two", "two.b", "workflow"]
    assert after.node("one").reason == "by ann"


def test_what_was_used_of_a_time_is_kept_with_what_is_left() -> None:
    """Since the moment from which it runs on."""
    stages = in_stages(stage("one", step("a"), timeout=60))
    state = given(stages, ev.NodeStarted(at="one", attempt=1)).state
    node = evolve(state, ev.LimitStarted(at="one", attempt=1, left_s=50.0, spent_s=10.0), THEN).node("one")
    assert (node.left_s, node.spent_s, node.limit_since) == (50.0, 10.0, THEN)


def test_a_stage_that_is_tried_again_forgets_what_handlers_in_it_did() -> None:
    """Its own are forgotten when it is handled anew."""
    stages = in_stages(stage("one", step("a", on_failure={"shell": "mend"}), retry=1))
    at = "one.a.on_failure"
    handled = (ev.HandlingStarted(at="one.a"), ev.NodeStarted(at=at, attempt=1), starts(f"{at}[0]"))
    told = (ev.NodeStarted(at="one", attempt=1), starts("one.a"), breaks("one.a", 4), *handled, breaks(f"{at}[0]", 8))
    state = given(stages, *told, waits("one", 2, 1.0)).state
    assert f"{at}[0]" in state.nodes
    assert sorted(evolve(state, ev.NodeStarted(at="one", attempt=2), THEN).nodes) == ["one", "workflow"]


def test_an_edit_moves_what_was_done_and_what_is_in_flight() -> None:
    """What was dropped is gone, a map that is no more with its items."""
    state = given(compiled(step("a"), step("b"), step("c")), starts("a"), ends("a", 3), starts("b"), starts("c")).state
    state = replace(state, maps=immutables.Map({"map": ITEMS}))
    edited = compiled({"shell": "do a"}, step("z"))
    event = ev.PlanChanged(plan=edited, workflow_text="", moved={"a": "commands[0]", "b": "z"}, dropped=("c",))
    after = evolve(state, event, THEN)
    assert sorted(after.nodes) == ["commands[0]", "workflow", "z"]
    assert after.node("z") == state.node("b")
    assert dict(after.in_flight) == {"z": state.in_flight["b"]}
    assert dict(after.maps) == {}


# Items ------------------------------------------------------------------------------------------------------


def test_what_is_counted_since_a_version_is_counted_anew_after_it() -> None:
    """By the map; a version of a step changes nothing there."""
    state = replace(FULL, nodes=FULL.nodes.set("reduce.r", NodeState(status=Status.RUNNING)))
    of_map = evolve(state, ev.CheckpointMarked(version=8, at="map"), THEN)
    of_step = evolve(state, ev.CheckpointMarked(version=8, at="reduce.r"), THEN)
    assert (of_map.maps["map"].unmarked, of_step.maps["map"].unmarked) == (0, 3)


def test_items_are_kept_by_their_keys() -> None:
    """With their values, which are something else, from the moment they were listed."""
    state = given(EDITED, ev.NodeStarted(at="map", attempt=1), ev.ListingStarted(at="map")).state
    listed = ev.ItemsListed(at="map", keys=("k", "l"), items=({"id": 1}, {"id": 2}), note="n")
    items = evolve(state, listed, THEN).maps["map"]
    assert items.listed.keys == ("k", "l")
    assert items.listed.values == ({"id": 1}, {"id": 2})
    assert (items.note, items.since, items.next_key()) == ("n", THEN, "k")


def test_what_is_put_back_ends_a_pause() -> None:
    """And a trial, and a streak."""
    items = evolve(FULL, ev.ItemsRequeued(at="map", keys=("b",)), THEN).maps["map"]
    assert (items.is_open, items.is_trying, items.streak, items.dead, items.excused) == (False, False, 0, 0, 0)


def test_dead_letters_that_are_given_up_count_as_skipped() -> None:
    """With the word of whom."""
    state = evolve(FULL, ev.DeadLettersPurged(at="map", keys=("b",), by="ann"), THEN)
    items = state.maps["map"]
    assert items.settled["b"].error == "purged by ann"
    assert (items.dead, items.skipped, items.excused) == (0, 2, 0)
    assert (state.seq, state.time) == (FULL.seq + 1, THEN)


def test_an_item_that_is_put_back_has_done_nothing() -> None:
    """Neither a step, nor a capture; its neighbour has."""
    two = mapped([], [step("x", capture="it"), step("y")], [], max_parallel=2)
    captured = tuple(ev.ValueCaptured(at=f"map[{key}].x", name="it", value=key) for key in "ab")
    ended = (ends("map[a].x", 7), ends("map[b].x", 9))
    state = at_work(two, begins("a"), begins("b"), *ended, *captured).state
    after = evolve(state, ev.ItemsRequeued(at="map", keys=("a",)), THEN)
    assert [at for at in sorted(after.nodes) if at.startswith("map[")] == ["map[b]", "map[b].x"]
    assert dict(after.scoped) == {"map[b]": {"shell": "", "it": "b"}}
    items = after.maps["map"]
    assert (items.pending, sorted(items.active), items.next_key()) == (2, ["b"], "a")


def test_an_item_takes_its_time_from_its_beginning_to_its_end() -> None:
    """As `${map.results}` tells it."""
    state = at_work(mapped([], [step("x")], [{"shell": "${map.results}"}]), begins("a"), ends("map[a].x", 7)).state
    done = evolve(state, ev.ItemSettled(at="map", key="a", disposition="succeeded"), THEN)
    assert done.maps["map"].settled["a"].duration_s == 60.0


def test_the_output_of_an_item_is_what_claude_said_last_in_it() -> None:
    """Else that of its last step; each step's is known by its id or its place."""
    asked = mapped([], [{"claude": "/look"}, {"claude": "/judge", "id": "j"}, step("x")], [{"shell": "${map.results}"}])
    plain = mapped([], [step("w"), {"shell": "do x"}], [{"shell": "${map.results}"}])

    def output_of(whole: Plan, *steps: str) -> tuple[str, dict[str, str] | None]:
        ran = [(starts(f"map[a]{name}"), ends(f"map[a]{name}", 7 + 2 * n)) for n, name in enumerate(steps)]
        told = [(begun, replace(end, output=f"of {name}")) for (begun, end), name in zip(ran, steps, strict=True)]
        state = at_work(whole, ev.NodeStarted(at="map[a]", attempt=1), *told, keys="a").state
        item = evolve(state, ev.ItemSettled(at="map", key="a", disposition="succeeded"), THEN).maps["map"].settled["a"]
        return item.output, item.outputs

    assert output_of(asked, "[0]", ".j", ".x") == ("of .j", {"0": "of [0]", "j": "of .j", "x": "of .x"})
    assert output_of(plain, ".w", "[1]")[0] == "of [1]"


def test_of_an_item_that_nobody_asks_about_no_output_is_kept() -> None:
    """Whatever it printed."""
    state = at_work(mapped([], [step("x")], []), begins("a"), ends("map[a].x", 7, output="long")).state
    item = evolve(state, ev.ItemSettled(at="map", key="a", disposition="succeeded"), THEN).maps["map"].settled["a"]
    assert (item.output, item.outputs) == ("", None)


def test_a_breaker_counts_anew_when_it_opens_and_when_it_is_tried() -> None:
    """It is open, or one item tries."""
    opened = evolve(FULL, ev.BreakerOpened(at="map", delay_s=1.0, due=THEN), THEN).maps["map"]
    tried = evolve(FULL, ev.BreakerTried(at="map"), THEN).maps["map"]
    assert (opened.is_open, opened.is_trying, opened.streak) == (True, False, 0)
    assert (tried.is_open, tried.is_trying, tried.streak) == (False, True, 0)


def test_what_begins_next_is_neither_settled_nor_at_work() -> None:
    """One was put back and has begun again, before others that are at work still."""
    dead = ev.ItemSettled(at="map", key="a", disposition="dead", error="boom")
    told = (begins("a"), begins("b"), begins("c"), dead, ev.ItemsRequeued(at="map", keys=("a",)), begins("a"))
    assert at_work(mapped([], [step("x")], []), *told, keys="abcd").state.maps["map"].next_key() == "d"
