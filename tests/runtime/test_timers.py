"""Timers that rest while the process does."""

import asyncio
from collections.abc import Iterator

import pytest

from prodigy.runtime import timers
from prodigy.runtime.timers import Timer, awake_s, beat, go_on, rest
from tests.runtime.world import until


class Clock:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    """The clock of a process that has just begun."""
    clock = Clock()
    monkeypatch.setattr(timers, "time", clock)
    monkeypatch.setattr(timers, "_awake", timers._Awake())
    yield clock


def test_a_rest_does_not_count(clock: Clock) -> None:
    """Nor does the clock move in it."""
    began = awake_s()
    clock.now += 2
    rest()
    clock.now += 5
    seen = awake_s()
    rested_s = go_on()
    clock.now += 1
    assert (2.0, 5.0, 3.0) == (seen - began, rested_s, awake_s() - began)


def test_a_second_rest_within_one_changes_nothing(clock: Clock) -> None:
    """Ctrl-Z twice is Ctrl-Z."""
    rest()
    clock.now += 5
    rest()
    assert (5.0, 0.0) == (go_on(), go_on())


def test_a_stop_that_nobody_announced_is_understood_in_hindsight(clock: Clock) -> None:
    """All since the last beat counts as rest."""
    beat()
    began = awake_s()
    clock.now += 60
    assert (60.0, 0.0) == (go_on(), awake_s() - began)


def test_a_rest_that_was_understood_is_not_counted_twice(clock: Clock) -> None:
    """A second SIGCONT at once tells of no second one."""
    beat()
    began = awake_s()
    clock.now += 60
    assert (go_on(), go_on(), awake_s() - began) == (60.0, 0.0, 0.0)


def test_a_rest_that_was_announced_is_not_understood_once_more(clock: Clock) -> None:
    """The last beat was before it."""
    beat()
    rest()
    clock.now += 60
    assert (go_on(), go_on()) == (60.0, 0.0)


def test_a_beat_may_come_before_the_news_of_a_stop(clock: Clock) -> None:
    """Another thread hears of it. That beat is late, which tells the rest."""
    beat()
    began = awake_s()
    clock.now += 60
    beat()
    assert (60.0, 0.0) == (go_on(), awake_s() - began)


def test_a_beat_that_was_late_long_ago_tells_nothing(clock: Clock) -> None:
    """The disk was slow then; whoever sends SIGCONT now means nothing by it."""
    for lateness_s in (0.0, 60.0, timers.BEAT_S, timers.BEAT_S):
        clock.now += lateness_s
        beat()
    assert go_on() == 0.0


def test_going_on_without_a_stop_means_nothing(clock: Clock) -> None:
    """Somebody sent SIGCONT to a process that was awake."""
    before = go_on()
    beat()
    clock.now += timers.BEAT_S
    assert (0.0, 0.0) == (before, go_on())


async def test_a_timer_waits_for_time_awake() -> None:
    """It rings late by as much as we rested, and not again."""
    rung: list[str] = []
    timer = Timer(asyncio.get_running_loop(), 0.05, rung.append, "ding")
    rest()
    await asyncio.sleep(0.1)
    assert rung == []
    go_on()
    await until(lambda: rung)
    timer.cancel()
    assert rung == ["ding"]


async def test_a_timer_that_was_cancelled_is_silent() -> None:
    """Also one that rang while we rested and has waited on since."""
    rung: list[str] = []
    early = Timer(asyncio.get_running_loop(), 0.0, rung.append, "early")
    early.cancel()
    rested = Timer(asyncio.get_running_loop(), 0.005, rung.append, "rested")
    rest()
    await asyncio.sleep(0.01)
    go_on()
    rested.cancel()
    last = Timer(asyncio.get_running_loop(), 0.05, rung.append, "last")
    await until(lambda: rung)
    last.cancel()
    assert rung == ["last"]
