"""Crash at every append, in every way, and crash again while recovering: the run must come to the same."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from prodigy.kernel import effects as fx
from prodigy.kernel import events as ev
from prodigy.kernel import signals as sig
from prodigy.kernel.evolve import fold
from prodigy.kernel.state import State
from prodigy.plan.nodes import Plan
from tests.simulation.plans import Script, cases
from tests.simulation.world import CRASH_MODES, Crash, CrashMode, World, history, meaning

CASES = cases()


def finishes(world: World) -> list[tuple[str, int | None, str | None]]:
    """Return the results that count, in order: each is one acknowledged end of a command."""
    return [
        (event.at, event.exit_code, event.signal)
        for _, event in history(world.disk)
        if isinstance(event, ev.CommandFinished)
    ]


def play(plan: Plan, script: Script, crashes: dict[int, CrashMode], seed: int = 0) -> tuple[World, int]:
    """Run a plan to its rest, crashing at the given appends of its life. Returns how many crashes happened."""
    world = World(plan, script, seed=seed)
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
            if fold(State(), history(world.disk)).is_over:
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


def test_the_same_seed_gives_the_same_log() -> None:
    """Ten runs, one history, byte for byte."""
    plan, script = CASES["handled"]
    logs = {bytes(play(plan, script, {}, seed=7)[0].disk.data) for _ in range(10)}
    assert len(logs) == 1


def _stopping_at(moment: int) -> Callable[[World, fx.Effect], Any]:
    def watch(world: World, effect: fx.Effect) -> None:
        if world.effects - 1 == moment:
            world.orders.append(sig.StopRequested(time=world.time(), by="SIGINT"))

    return watch
