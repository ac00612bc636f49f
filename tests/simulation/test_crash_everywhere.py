"""Crash at every append, in every way, and crash again while recovering: the run must come to the same."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from prodigy.kernel import effects as fx
from prodigy.kernel import events as ev
from prodigy.kernel import signals as sig
from prodigy.kernel.evolve import evolve
from prodigy.kernel.state import State
from prodigy.plan.nodes import Plan
from prodigy.store.log import Position, Scan, chain_of
from tests.simulation.plans import Script, cases
from tests.simulation.world import (
    CRASH_MODES,
    Crash,
    CrashMode,
    Disk,
    Ending,
    World,
    history,
    meaning,
    reached_at,
    state_on,
)

CASES = cases()


def finishes(world: World) -> list[tuple[str, int | None, str | None]]:
    """Return the results that count, in order: each is one acknowledged end of a command."""
    return [
        (event.at, event.exit_code, event.signal)
        for _, event in history(world.disk)
        if isinstance(event, ev.CommandFinished)
    ]


def play(
    plan: Plan, script: Script, crashes: dict[int, CrashMode], seed: int = 0, items: Sequence[Any] = ()
) -> tuple[World, int]:
    """Run a plan to its rest, crashing at the given appends of its life. Returns how many crashes happened."""
    world = World(plan, script, seed=seed)
    world.items = list(items)
    act: Callable[[], State] = world.cook
    count = 0
    while True:
        due = min((append for append in crashes if append > world.disk.appends), default=None)
        world.disk.crash_at, world.disk.crash_mode = due, crashes.get(due or 0, "after")
        try:
            act()
            return world, count
        except Crash:
            count += 1
            world.disk.recover()
            if state_on(world.disk).is_over:
                world.cut_off()
                return world, count
            act = world.resume


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("mode", CRASH_MODES)
def test_a_crash_at_any_append_changes_nothing(name: str, mode: CrashMode) -> None:
    """Nothing is lost, and only the command in flight runs again."""
    plan, script = CASES[name]
    calm, _ = play(plan, script, {})
    for append in range(1, calm.disk.appends + 1):
        world, count = play(plan, script, {append: mode})
        assert count == 1
        assert meaning(world.state) == meaning(calm.state), f"crashed {mode} append {append}"
        assert finishes(world) == finishes(calm)
        assert len(world.starts) <= len(calm.starts) + 1


@pytest.mark.parametrize("name", ["retry that succeeds", "handled", "a stage tried again", "handler that repairs"])
def test_a_second_crash_while_recovering_changes_nothing(name: str) -> None:
    """Recovery can itself be killed, at each of its appends, in each way."""
    plan, script = CASES[name]
    calm, _ = play(plan, script, {})
    for append, later in itertools.product(range(1, calm.disk.appends + 1), (1, 2)):
        for first, second in itertools.product(CRASH_MODES, repeat=2):
            world, count = play(plan, script, {append: first, append + later: second})
            assert meaning(world.state) == meaning(calm.state), f"{first} {append}, {second} {append + later}"
            assert finishes(world) == finishes(calm)
            assert len(world.starts) <= len(calm.starts) + count


@pytest.mark.parametrize("name", CASES)
def test_a_stop_at_any_effect_changes_nothing(name: str) -> None:
    """Ctrl-C at any moment, then resume: what was stopped runs again, nothing else."""
    plan, script = CASES[name]
    calm, _ = play(plan, script, {})
    for moment in range(calm.effects - 1):
        world = World(plan, script)
        world.watch = _stopping_at(moment)
        if world.cook().status == "interrupted":
            assert not world.state.in_flight
            world.watch = lambda world, effect: None
            world.resume()
        assert meaning(world.state) == meaning(calm.state), f"stopped at effect {moment}"
        assert finishes(world) == finishes(calm)


DEATHS = [Ending(signal="SIGTERM"), Ending(exit_code=130)]


@pytest.mark.parametrize("name", CASES)
def test_a_stop_that_reaches_everything_at_any_effect_changes_nothing(name: str) -> None:
    """Commands that die with us, or before we hear of the stop, run again: no handler, no retry, no failure."""
    plan, script = CASES[name]
    calm, _ = play(plan, script, {})
    for moment, death, first in itertools.product(range(calm.effects - 1), DEATHS, (False, True)):
        world = World(plan, script)
        world.watch = reached_at(moment, death, commands_first=first)
        if world.cook().status == "interrupted":
            assert not world.state.in_flight
            world.watch = lambda world, effect: None
            world.resume()
        assert meaning(world.state) == meaning(calm.state), f"reached at effect {moment}, commands first: {first}"
        assert finishes(world) == finishes(calm)


def test_the_same_seed_gives_the_same_log() -> None:
    """Ten runs, one history, byte for byte."""
    plan, script = CASES["handled"]
    logs = {bytes(play(plan, script, {}, seed=7)[0].disk.data) for _ in range(10)}
    assert len(logs) == 1


TRAVELLED = ["captures", "handled", "a stage tried again", "a stage that asks", "a stage that times out in a handler"]


def moment_of(disk: Disk, version: int) -> tuple[Position, State]:
    """Return where a version of a history stands in the log, and the state at it."""
    state = disk.base
    for record, (time, event) in zip(Scan([bytes(disk.data)], disk.start), history(disk), strict=True):
        state = evolve(state, event, time)
        if isinstance(event, ev.CheckpointMarked) and event.version == version:
            return Position(record.seq, chain_of(record.line)), state
    raise AssertionError(f"no version {version}")


def rewind_of(place: Position, version: int) -> sig.Rewind:
    return sig.Rewind(
        generation=2, parent=1, from_seq=place.seq, from_chain=place.chain, version=version, reason="back", by="me"
    )


def travel(
    plan: Plan, script: Script, version: int, crash: tuple[int, CrashMode] | None, **variables: str
) -> tuple[World, int]:
    """Play to the end, go back to a version, or fork there with `variables`; crash once at an append after that."""
    world, _ = play(plan, script, {})
    last = world.state.version
    place, state = moment_of(world.disk, version)
    fork = sig.Fork(workflow_id="demo-000002", from_workflow_id="demo-000001", variables=variables)
    order: dict[str, Any] = {"fork": fork} if variables else {"rewind": rewind_of(place, last)}
    disk = Disk(place, state)
    if crash is not None:
        disk.crash_at, disk.crash_mode = crash
    before = len(world.starts)
    try:
        world.travel(disk, **order)
    except Crash:
        disk.crash_at = None
        disk.recover()
        if not disk.data:
            world.travel(disk, **order)
        elif state_on(disk).is_over:
            world.cut_off()
        else:
            world.resume()
    return world, len(world.starts) - before


@pytest.mark.parametrize("name", TRAVELLED)
def test_going_back_to_any_version_comes_to_the_same(name: str) -> None:
    """Whatever ran after it runs again, and what it came to is what it came to before."""
    plan, script = CASES[name]
    calm, _ = play(plan, script, {})
    for version in range(1, calm.state.version + 1):
        world, _ = travel(plan, script, version, None)
        assert (calm.state.status, statuses(calm.state)) == (world.state.status, statuses(world.state)), version
        assert dict(calm.state.captures) == dict(world.state.captures)


@pytest.mark.parametrize("name", TRAVELLED)
@pytest.mark.parametrize("variables", [{}, {"x": "two"}], ids=["going back", "fork"])
def test_a_crash_after_going_back_or_forking_changes_nothing(name: str, variables: dict[str, str]) -> None:
    """At any append, in every way, from the first version on."""
    plan, script = CASES[name]
    calm, starts = travel(plan, script, 1, None, **variables)
    for append, mode in itertools.product(range(1, calm.disk.appends + 1), CRASH_MODES):
        world, started = travel(plan, script, 1, (append, mode), **variables)
        assert meaning(world.state) == meaning(calm.state), f"crashed {mode} append {append}"
        assert finishes(world) == finishes(calm)
        assert started <= starts + 1


def test_versions_are_never_used_twice() -> None:
    """After going back they count on from the last that any generation has used."""
    plan, script = CASES["three steps"]
    world, _ = travel(plan, script, 1, None)
    marks = [event.version for _, event in history(world.disk) if isinstance(event, ev.CheckpointMarked)]
    assert marks == [4, 5]


def test_a_fork_goes_on_with_changed_variables() -> None:
    """What was captured before the fork has the new value after it."""
    plan, script = CASES["captures"]
    world, _ = travel(plan, script, 1, None, x="two")
    assert ({"x": "two"}, ["two"]) == (
        dict(world.state.captures),
        [value for start in world.starts[2:] for value in start.variables.values()],
    )


def statuses(state: State) -> dict[str, str]:
    return {at: str(node.status) for at, node in sorted(state.nodes.items())}


def _stopping_at(moment: int) -> Callable[[World, fx.Effect], Any]:
    def watch(world: World, effect: fx.Effect) -> None:
        if world.effects - 1 == moment:
            world.orders.append(sig.StopRequested(time=world.time(), by="SIGINT"))

    return watch
