"""Maps that nobody thought of, their items side by side, crashed and stopped anywhere: each comes to the same.

All is drawn from fixed seeds. A failure names its seed: `wide(seed)` is the map.
"""

from random import Random

import pytest

from prodigy.kernel import effects as fx
from prodigy.kernel import signals as sig
from tests.simulation.test_crash_everywhere import DEATHS
from tests.simulation.wide import Wide, assert_sound, calm_life, came_to, crashed_life, drawn_crashes, wide, world_of
from tests.simulation.world import CRASH_MODES, World, reached_at

SEEDS = range(150)
EVERYWHERE = range(4)


@pytest.mark.parametrize("seed", EVERYWHERE)
def test_a_crash_at_any_append_changes_nothing(seed: int) -> None:
    """The ways to crash take turns, and so do how long commands take and how many items may run after it."""
    case = wide(seed)
    calm = calm_life(case)
    for append in range(1, calm.disk.appends + 1):
        mode = CRASH_MODES[append % len(CRASH_MODES)]
        assert_same(crashed_life(case, {append: mode}, append, append % 6 or None), calm, case)


def test_crashes_and_stops_change_nothing() -> None:
    """Wherever they are."""
    for seed in SEEDS:
        live_through(seed)


def live_through(seed: int) -> None:
    """Play the map of a seed calmly, then with crashes, then with stops."""
    case, draw = wide(seed), Random(seed)
    calm = calm_life(case)
    crash_somewhere(case, calm, draw)
    stop_somewhere(case, calm, draw)


def crash_somewhere(case: Wide, calm: World, draw: Random) -> None:
    """Crash up to three times; whoever resumes may want another parallelism."""
    crashes = drawn_crashes(draw, calm.disk.appends, CRASH_MODES)
    assert_same(crashed_life(case, crashes, case.seed, draw.choice((None, 1, 2, 4))), calm, case)


def stop_somewhere(case: Wide, calm: World, draw: Random) -> None:
    """Stop once, in a way that reaches us alone or everything; and maybe once more when that was resumed."""
    world = world_of(case, case.seed)
    stop_at(world, draw, draw.randint(0, calm.effects - 1))
    world.cook()
    while world.state.status == "interrupted":
        assert not world.state.in_flight
        world.watch = lambda world, effect: None
        if world.number == 1 and draw.random() < 0.5:
            stop_at(world, draw, world.effects + draw.randint(0, calm.effects))
        world.resume(max_parallel=draw.choice((None, 1, 3)))
    assert_same(world, calm, case)


def stop_at(world: World, draw: Random, moment: int) -> None:
    """Stop a run at an effect, in one of the ways in which runs are stopped."""
    if (way := draw.choice(("us alone", "commands first", "us first"))) != "us alone":
        world.watch = reached_at(moment, draw.choice(DEATHS), commands_first=way == "commands first")
        return

    def watch(world: World, effect: fx.Effect) -> None:
        if world.effects - 1 == moment:
            world.orders.append(sig.StopRequested(time=world.time(), by="SIGINT"))

    world.watch = watch


def assert_same(world: World, calm: World, case: Wide) -> None:
    """See that what must hold holds, and where no order of ends matters, that the run came to the same."""
    assert_sound(world, case)
    if case.is_calm:
        assert came_to(world) == came_to(calm), f"seed {case.seed}"
