"""Crash and stop a map everywhere, its items ending in an order drawn from a seed: it must come to the same.

After every event of every life each item is in exactly one place, and the state survives being written down.
"""

import itertools
import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from prodigy.kernel import effects as fx
from prodigy.kernel import events as ev
from prodigy.kernel import signals as sig
from prodigy.kernel.evolve import evolve
from prodigy.kernel.items import Items
from prodigy.kernel.snapshot import Snapshot, restored, snapshot_of
from prodigy.kernel.state import State
from prodigy.plan.nodes import Map, Plan
from tests.simulation.plans import map_cases
from tests.simulation.test_crash_everywhere import DEATHS, finishes, moment_of, play, rewind_of
from tests.simulation.world import CRASH_MODES, Crash, CrashMode, Disk, World, history, meaning, reached_at, state_on

CASES = map_cases()
DURATION = re.compile(r',"duration":[0-9.]+')
ITEMS = ("a", "b", "c", "d")


def told(world: World) -> dict[str, Any]:
    """Return what a run came to: its meaning, what became of each item, and which commands ended how, in no order."""
    assert world.state.is_over, "the run does not come to rest"
    items = world.state.maps["map"]
    became = {key: msgspec.structs.replace(item, duration_s=0.0, output_file="") for key, item in items.settled.items()}
    return {
        **meaning(world.state),
        "items": dict(sorted(became.items())),
        "pending": items.pending,
        "active": dict(items.active),
        "finishes": sorted(finishes(world), key=str),
        "reduce": given_to_reduce(world)[-1:],
    }


def given_to_reduce(world: World) -> list[list[str]]:
    """Return what each start of reduce saw of the map, without how long items took."""
    starts = [start.variables for start in world.starts if start.at == "reduce.r"]
    return [[DURATION.sub("", value) for value in variables.values()] for variables in starts]


def states(disk: Disk) -> list[tuple[ev.Event, State]]:
    """Return every event of a log with the state after it."""
    found, state = [], disk.base
    for time, event in history(disk):
        state = evolve(state, event, time)
        found.append((event, state))
    return found


def assert_accounted(disk: Disk) -> None:
    """After every event each item is in one place, and the counts that are kept are those that are counted."""
    for event, state in states(disk):
        for at, items in state.maps.items():
            assert miscounted(items) == {}, event
            at_work = {key for key in items.active if state.node(f"{at}[{key}]").status == "pending"}
            assert at_work == set(), "an item at work has begun"


def miscounted(items: Items) -> dict[str, Any]:
    """Return what does not add up among the items of a map."""
    counted = Counter[str](item.disposition for item in items.settled.values())
    kept = {"succeeded": items.succeeded, "skipped": items.skipped, "dead": items.dead, "failed": items.failed}
    idle = [key for key in items.listed.keys if key not in items.settled and key not in items.active]
    return {
        **{name: count for name, count in kept.items() if counted[name] != count},
        **({"twice": twice} if (twice := set(items.settled) & set(items.active)) else {}),
        **({"unknown": unknown} if (unknown := {*items.settled, *items.active} - set(items.listed.keys)) else {}),
        **({"pending": idle} if items.pending != len(idle) else {}),
        **({"unreachable": idle} if (items.next_key() is None) != (not idle) else {}),
        **({"excused": items.excused} if not 0 <= items.excused <= items.dead + items.skipped else {}),
    }


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("mode", CRASH_MODES)
def test_a_crash_at_any_append_changes_nothing(name: str, mode: CrashMode) -> None:
    """Whatever order items end in: nothing is lost, and only what was in flight runs again."""
    plan, script = CASES[name]
    calm, _ = play(plan, script, {}, items=ITEMS)
    for append in range(1, calm.disk.appends + 1):
        world, count = play(plan, script, {append: mode}, seed=append, items=ITEMS)
        assert told(world) == told(calm), f"crashed {mode} append {append}"
        assert len(world.starts) <= len(calm.starts) + count * parallel(plan)
        assert_accounted(world.disk)


@pytest.mark.parametrize("name", ["a dead letter", "an item that stops the map", "handlers and conditions in items"])
def test_a_second_crash_while_recovering_changes_nothing(name: str) -> None:
    """Recovery can itself be killed, at each of its first appends, in each way."""
    plan, script = CASES[name]
    calm, _ = play(plan, script, {}, items=ITEMS)
    for append in range(1, calm.disk.appends + 1):
        for first, second in (("before", "power"), ("power", "after"), ("after", "torn"), ("torn", "before")):
            crashes: dict[int, CrashMode] = {append: first, append + 1 + append % 2: second}  # type: ignore[dict-item]
            world, _ = play(plan, script, crashes, seed=append, items=ITEMS)
            assert told(world) == told(calm), f"crashed {crashes}"


@pytest.mark.parametrize("name", CASES)
def test_a_stop_at_any_effect_changes_nothing(name: str) -> None:
    """Ctrl-C at any moment counts nothing as failed; resume begins what was in flight, and the pending."""
    plan, script = CASES[name]
    calm, _ = play(plan, script, {}, items=ITEMS)
    for moment in range(calm.effects - 1):
        world = World(plan, script, seed=moment)
        world.items = list(ITEMS)
        world.watch = stopping_at(moment)
        if world.cook().status == "interrupted":
            assert not world.state.in_flight
            world.watch = lambda world, effect: None
            world.resume()
        assert told(world) == told(calm), f"stopped at effect {moment}"
        assert_accounted(world.disk)


@pytest.mark.parametrize("name", CASES)
def test_a_stop_that_reaches_everything_at_any_effect_changes_nothing(name: str) -> None:
    """Items that die with us become no dead letters, whoever of us was first."""
    plan, script = CASES[name]
    calm, _ = play(plan, script, {}, items=ITEMS)
    for moment, first in itertools.product(range(calm.effects - 1), (False, True)):
        world = World(plan, script, seed=moment)
        world.items = list(ITEMS)
        world.watch = reached_at(moment, DEATHS[moment % 2], commands_first=first)
        if world.cook().status == "interrupted":
            assert not world.state.in_flight
            world.watch = lambda world, effect: None
            world.resume()
        assert told(world) == told(calm), f"reached at effect {moment}, commands first: {first}"
        assert_accounted(world.disk)


@pytest.mark.parametrize("name", CASES)
def test_the_order_of_ends_changes_nothing(name: str) -> None:
    """Results are in item order, whoever was first."""
    plan, script = CASES[name]
    calm, _ = play(plan, script, {}, items=ITEMS)
    for seed in range(1, 8):
        assert told(play(plan, script, {}, seed=seed, items=ITEMS)[0]) == told(calm), f"seed {seed}"


@pytest.mark.parametrize("name", CASES)
def test_the_state_survives_being_written_down_after_every_event(name: str) -> None:
    """A checkpoint holds all that resume needs."""
    plan, script = CASES[name]
    for _, state in states(play(plan, script, {}, items=ITEMS)[0].disk):
        data = msgspec.json.encode(snapshot_of(state, dict(state.captures)))
        snapshot = msgspec.json.decode(data, type=Snapshot)
        place = State(seq=state.seq, time=state.time, generation=state.generation, version=state.version)
        assert msgspec.structs.replace(place, **restored(snapshot, plan)) == state


@pytest.mark.parametrize("mode", CRASH_MODES)
@pytest.mark.parametrize(
    "name", ["a dead letter", "items let go", "too many failures", "every item failed, and it is handled"]
)
def test_a_crash_while_dead_letters_are_retried_changes_nothing(name: str, mode: CrashMode) -> None:
    """They are in the dead letters or in the results, never both, never neither; reduce sees the whole result."""
    calm, starts = retried(name, None)
    for append in range(1, calm.disk.appends - starts[1] + 1):
        world, _ = retried(name, (append, mode))
        assert told(world)["items"] == told(calm)["items"], f"crashed {mode} append {append}"
        assert (world.state.status, told(world)["reduce"]) == (calm.state.status, told(calm)["reduce"])
        assert_accounted(world.disk)


def retried(name: str, crash: tuple[int, CrashMode] | None) -> tuple[World, tuple[int, int]]:
    """Play a case to its rest, mend the world, and put all dead letters back; crash once at an append after that."""
    plan, script = CASES[name]
    world, _ = play(plan, script, {}, items=ITEMS)
    dead = tuple(key for key, item in world.state.maps["map"].settled.items() if item.disposition == "dead")
    before = (len(world.starts), world.disk.appends)
    world.script = {}
    if crash is not None:
        world.disk.crash_at, world.disk.crash_mode = world.disk.appends + crash[0], crash[1]
    requeue = sig.Requeue(at="map", keys=dead)
    resting = world.state.seq
    try:
        world.resume(requeue=requeue)
    except Crash:
        world.disk.crash_at = None
        world.disk.recover()
        state = state_on(world.disk)
        if state.seq == resting:
            world.resume(requeue=requeue)
        elif state.is_over:
            world.cut_off()
        else:
            world.resume()
    return world, before


@pytest.mark.parametrize("name", ["versions within a map", "a dead letter"])
@pytest.mark.parametrize("way", ["back", "fork"])
def test_going_back_into_a_map_or_forking_there_comes_to_the_same(name: str, way: str) -> None:
    """From every version: the items that had settled stand, the others run."""
    plan, script = CASES[name]
    calm, _ = play(plan, script, {}, items=ITEMS)
    for version in range(1, calm.state.version + 1):
        world, _ = play(plan, script, {}, items=ITEMS)
        place, state = moment_of(world.disk, version)
        fork = sig.Fork(workflow_id="demo-000002", from_workflow_id="demo-000001")
        order: dict[str, Any] = {"fork": fork} if way == "fork" else {"rewind": rewind_of(place, calm.state.version)}
        before = len(world.starts)
        world.travel(Disk(place, state), **order)
        settled_then = set(state.maps["map"].settled) if "map" in state.maps else set()
        began = {start.at for start in world.starts[before:] if start.at.endswith(".x")}
        assert (told(calm)["items"], told(calm)["reduce"]) == (told(world)["items"], told(world)["reduce"])
        assert began == {f"map[{key}].x" for key in ITEMS if key not in settled_then}
        assert_accounted(world.disk)


def parallel(plan: Plan) -> int:
    body = plan.nodes["map"].body
    assert isinstance(body, Map) and isinstance(body.max_parallel, int)
    return min(body.max_parallel, len(ITEMS))


def stopping_at(moment: int) -> Callable[[World, fx.Effect], None]:
    def watch(world: World, effect: fx.Effect) -> None:
        if world.effects - 1 == moment:
            world.orders.append(sig.StopRequested(time=world.time(), by="SIGINT"))

    return watch
