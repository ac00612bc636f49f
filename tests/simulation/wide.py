"""Maps whose items run side by side, drawn from a seed, and what must hold of every life of them.

Inside items there are retries with waits, timeouts, captures, conditions and handlers; commands take their time, fail,
are killed, or hang until the time of their item is over.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from random import Random
from typing import Any, NamedTuple

from prodigy.kernel import events as ev
from prodigy.kernel.lifecycle import Status
from prodigy.kernel.state import State
from prodigy.plan.address import item_address, item_of, key_of, template_of
from prodigy.plan.nodes import Map, Plan
from tests.simulation.plans import DIE, FAIL, SLOW, Script, mapped, step
from tests.simulation.test_map_crashes import assert_accounted, told
from tests.simulation.world import Crash, CrashMode, Ending, World, history, state_on

ITEMS = ("f", "b", "d", "a", "c", "e")
ITEM_TIMEOUT_S = 1000.0  # far over what an item takes in which nothing hangs

_GIVEN = ("results", "dead_letters", "total", "successful", "failed")
_HANDLERS: tuple[dict[str, Any], ...] = ({}, {"retry_original": True}, {"max_attempts": 2}, {"fail_workflow": True})
_WHEN = ("${x.success}", "${x.partial_success}", "${x.exit_code} != 0")
# Which items begin does not depend on which end first ...
_CALM: tuple[dict[str, Any], ...] = (
    {},
    {"on_item_failure": "retry", "max_retries": 1},
    {"on_item_failure": "retry", "max_retries": 2},
    {"on_item_failure": "skip"},
    {"failure_threshold": 0.5},
)
# ... or it does.
_HASTY: tuple[dict[str, Any], ...] = (
    {"on_item_failure": "stop"},
    {"max_failures": 2},
    {"circuit_breaker": {"failure_threshold": 2, "timeout": 5}},
)


class Wide(NamedTuple):
    """A plan, and how its commands end. With `is_calm` a run comes to the same, whatever interrupts it."""

    plan: Plan
    script: Script
    policy: dict[str, Any]
    is_calm: bool
    seed: int


def wide(seed: int) -> Wide:
    """Return the map of this seed."""
    draw = Random(seed)
    has_limit = draw.random() < 0.6
    template = [_step(draw, name) for name in "xyz"[: draw.randint(1, 3)]]
    is_calm = draw.random() < 0.8
    policy = draw.choice(_CALM if is_calm else _HASTY)
    keys: dict[str, Any] = {"max_parallel": draw.randint(2, 5), "checkpoint_frequency": draw.randint(1, 5)}
    keys |= {"agent_timeout": ITEM_TIMEOUT_S} if has_limit else {}
    keys |= {"error_policy": policy} if policy else {}
    end = [{"shell": "sum " + " ".join(f"${{map.{name}|json}}" for name in _GIVEN), "id": "r"}]
    plan = mapped([], template, end, **keys)
    script = {
        item_address("map", key) + address.partition("[]")[2]: [
            _ending(draw, key, may_hang=has_limit) for _ in range(draw.randint(1, 3))
        ]
        for key in ITEMS
        for address in plan.nodes
        if address.startswith("map[].")
    }
    return Wide(plan, script, policy, is_calm, seed)


def _step(draw: Random, name: str) -> dict[str, Any]:
    keys: dict[str, Any] = {"timeout": 9} if draw.random() < 0.3 else {}
    if draw.random() < 0.5:
        keys["retry"] = {"attempts": draw.randint(1, 3), "initial_delay": draw.randint(1, 9), "backoff": "fixed"}
    if draw.random() < 0.25:
        keys["on_failure"] = {"commands": [{"shell": "mend ${item}"}], **draw.choice(_HANDLERS)}
    if name != "x" and draw.random() < 0.3:
        keys["when"] = draw.choice(_WHEN)
    if draw.random() < 0.2:
        keys["allow_failure"] = True
    if draw.random() < 0.6 or name == "x":
        keys["capture"] = f"c{name}"
    keys["shell"] = f"do {name} ${{item}}" + (" ${cx} ${x.output}" if name != "x" else "")
    return {**step(name), **keys}


def _ending(draw: Random, key: str, *, may_hang: bool) -> Ending:
    said = Ending(output=f"{key}-{draw.randint(0, 99)}\n")
    return draw.choice((said, said, said, said, FAIL, DIE, SLOW, Ending(hangs=True) if may_hang else FAIL))


def world_of(case: Wide, lasting: int = 0) -> World:
    """Return a world in which each command takes as long as `lasting` says, watched after every turn."""
    world = World(case.plan, case.script, seed=lasting, is_timed=True)
    world.items = list(ITEMS)
    world.look = looked_at(case)
    return world


def calm_life(case: Wide) -> World:
    """Return the world of a run that nothing interrupts."""
    world = world_of(case)
    world.cook()
    assert_sound(world, case)
    assert_punctual(world)
    return world


def crashed_life(case: Wide, crashes: dict[int, CrashMode], lasting: int, parallel: int | None) -> World:
    """Return the world of a run that crashes at these appends; whoever resumes it asks for so many side by side."""
    world = world_of(case, lasting)
    act: Any = world.cook
    while True:
        due = min((append for append in crashes if append > world.disk.appends), default=None)
        world.disk.crash_at, world.disk.crash_mode = due, crashes.get(due or 0, "after")
        try:
            act()
            return world
        except Crash:
            world.disk.recover()
            if state_on(world.disk).is_over:
                world.cut_off()
                return world
            act = (lambda: world.resume(max_parallel=parallel)) if parallel else world.resume


def looked_at(case: Wide) -> Any:
    """Return a look at a world between two turns: no more items are at work than may be, and no fewer."""

    def look(world: World) -> None:
        state = world.state
        room = state.max_parallel or _parallel(case.plan)
        assert len(_items(world.running())) <= room, "too many items at work"
        if case.is_calm and not state.stopping and "map" in state.maps and state.node("map").status is Status.RUNNING:
            open_ = len(ITEMS) - len(state.maps["map"].settled)
            assert len(_items(world.at_work())) >= min(room, open_), "a place for an item is free"

    return look


def _parallel(plan: Plan) -> int:
    body = plan.nodes["map"].body
    assert isinstance(body, Map) and isinstance(body.max_parallel, int)
    return body.max_parallel


def _items(addresses: set[str]) -> set[str]:
    return {item for item in map(_item, addresses) if item}


def _item(at: str) -> str | None:
    return item_of(at) if at.startswith("map[") else None


def assert_sound(world: World, case: Wide) -> None:
    """See that nothing was lost, nothing was done twice, and that all is told as it was."""
    assert world.state.is_over, "the run does not come to rest"
    assert_accounted(world.disk)
    assert repeated(world) == []
    assert_judged(world.state, case.policy)
    assert_own_values(world)
    assert_told_in_order(world)


def came_to(world: World) -> dict[str, Any]:
    """Return what a run came to, with what each command was given when it last began."""
    given = {start.at: sorted(start.variables.items()) for start in world.starts if _item(start.at)}
    return {**told(world), "given": given}


def repeated(world: World) -> list[str]:
    """Return what began although it had succeeded, or its item had settled, and nothing around it began anew."""
    done: set[str] = set()
    attempts: dict[str, int] = {}
    found = []
    for _, event in history(world.disk):
        match event:
            case ev.NodeSucceeded() | ev.NodeSkipped() if _item(event.at):
                done.add(event.at)
            case ev.NodeStarted() if _item(event.at) == event.at:
                if event.at in done or event.attempt <= attempts.get(event.at, 0):
                    found.append(event.at)
                attempts[event.at] = event.attempt
                done = {at for at in done if _item(at) != event.at}
            case ev.HandlingStarted():
                done = {at for at in done if not at.startswith(f"{event.at}.on_failure")}
            case ev.ItemSettled():
                done.add(item_address(event.at, event.key))
            case ev.CommandStarted() if event.at in done or _item(event.at) in done:
                found.append(event.at)
    return found


def assert_judged(state: State, policy: dict[str, Any]) -> None:
    """See that the error policy was followed, by counting what became of the items."""
    became = [item.disposition for item in state.maps["map"].settled.values()]
    bad = len([one for one in became if one in ("dead", "failed")])
    good = became.count("succeeded") + became.count("skipped")
    is_enough = (
        "failed" in became
        or bad >= policy.get("max_failures", len(ITEMS) + 1)
        or bad > policy.get("failure_threshold", 1.0) * len(became)
        or not good
    )
    expected = Status.FAILED if is_enough else Status.SUCCEEDED
    assert state.node("map").status is expected
    assert is_enough or len(became) == len(ITEMS), "an item is lost"


def assert_own_values(world: World) -> None:
    """See that a step is given what its own item said, and all of it."""
    for start in world.starts:
        if _item(start.at) and template_of(start.at) in ("map[].y", "map[].z"):
            own = key_of(start.at)
            item, captured, said = start.variables.values()
            assert item == own, start
            assert said in (captured, ""), start  # what an earlier attempt captured stands where this one failed
            assert captured == "" or captured.startswith(f"{own}-"), start


def assert_told_in_order(world: World) -> None:
    """See that reduce is given every item once, in the order of the list, with what it said itself; and the counts."""
    if not (starts := [start for start in world.starts if start.at == "reduce.r"]):
        return
    results, dead, total, successful, failed = map(json.loads, starts[-1].variables.values())
    settled = world.state.maps["map"].settled
    is_good = {key: settled[key].disposition in ("succeeded", "skipped") for key in ITEMS}
    assert [row["key"] for row in results] == [key for key in ITEMS if is_good[key]]
    assert [row["key"] for row in dead] == [key for key in ITEMS if not is_good[key]]
    assert all(row["output"][:1] in ("", row["key"]) for row in results)
    succeeded = len([row for row in results if row["status"] == "succeeded"])
    assert (total, successful, failed) == (len(ITEMS), succeeded, len(dead))


def assert_punctual(world: World) -> None:
    """See that in a calm life no wait is shorter than it should be, and no item's time is cut by an earlier timer."""
    waits: dict[str, tuple[str, float]] = {}
    began: dict[str, str] = {}
    for time, event in history(world.disk):
        match event:
            case ev.RetryScheduled():
                waits[event.at] = (time, event.delay_s)
            case ev.NodeStarted() | ev.CommandStarted():
                if event.at in waits:
                    since, delay_s = waits.pop(event.at)
                    assert _between_s(since, time) >= delay_s, event
                began[event.at] = time
            case ev.LimitReached():
                assert _between_s(began[event.at], time) == ITEM_TIMEOUT_S, event


def _between_s(start: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()


def drawn_crashes(draw: Random, appends: int, modes: Sequence[CrashMode]) -> dict[int, CrashMode]:
    """Return up to three crashes, at any appends, in any way."""
    return {draw.randint(1, appends + 3): draw.choice(modes) for _ in range(draw.randint(1, 3))}
