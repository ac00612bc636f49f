"""Killed at random moments, again and again, a run still does everything, and nothing twice in silence."""

import random
from collections import Counter
from contextlib import suppress
from subprocess import TimeoutExpired

import pytest

from tests.end_to_end.house import DEADLINE_S, House, Live, eventually

STEPS = 30
LIVES_MAX = 60


def live_a_while(live: Live, house: House, dice: random.Random) -> None:
    """Let it run for a few steps and a random moment more, then kill it, unless it has ended by itself."""
    goal = len(house.trace) + dice.randint(0, 5)
    eventually(lambda: len(house.trace) >= goal or live.process.poll() is not None, "a few more steps")
    with suppress(TimeoutExpired):
        live.process.wait(dice.uniform(0, 0.04))
    if live.process.poll() is None:
        live.kill()


def has_begun(house: House) -> bool:
    """Whether there is a run whose first turn is in its log."""
    return any(path.stat().st_size for path in house.state.glob("runs/*/events-1.jsonl"))


@pytest.mark.parametrize("seed", [1, 2])
def test_thirty_steps_killed_at_random_are_all_done(house: House, seed: int) -> None:
    """Every step runs; it runs once, and once more at most for each time that resume has named it."""
    dice = random.Random(seed)
    steps = [{"shell": f"echo s{number} >> trace; sleep 0.02", "id": f"s{number}"} for number in range(STEPS)]
    house.workflow(*steps)
    first = house.start("cook", "demo.yaml")
    eventually(lambda: has_begun(house) or first.process.poll() is not None, "the beginning of the run")
    live_a_while(first, house, dice)
    lives = 1
    while (code := resumed_for_a_while(house, dice)) != 0:
        lives += 1
        assert (lives < LIVES_MAX, code) == (True, -9)
    named = Counter(at for event in house.events("run_resumed") for at in event.get("again", ()))
    ran = Counter(house.trace)
    unexplained = {name: count for name, count in ran.items() if count > 1 + named[name]}
    assert ({f"s{number}" for number in range(STEPS)}, {}) == (set(ran), unexplained)
    assert ("completed", 0, True) == (house.status, house.prodigy("events", "verify").code, lives > 3)


def resumed_for_a_while(house: House, dice: random.Random) -> int:
    """Resume the run for a while; returns how that ended."""
    live = house.start("resume", "demo")
    live_a_while(live, house, dice)
    return live.process.wait(DEADLINE_S)
