"""Alarms: rung once, and forgotten when nobody awaits them."""

import asyncio
from typing import Any

import pytest

from prodigy.kernel import signals as sig
from prodigy.runtime.clock import now
from prodigy.runtime.host import alarms as module
from prodigy.runtime.host.alarms import Alarm, Alarms
from prodigy.runtime.timers import go_on, rest
from tests.runtime.world import until


def wait(at: str = "a", attempt: int = 2) -> Alarm:
    return sig.TimerFired(time="", at=at, attempt=attempt)


def limit(at: str = "a", attempt: int = 1) -> Alarm:
    return sig.LimitFired(time="", at=at, attempt=attempt)


class Heard:
    """Alarms of this loop, what rang, and what is awaited."""

    def __init__(self) -> None:
        self.rung: list[tuple[Any, ...]] = []
        self.awaited: set[str] = set()
        self.alarms = Alarms(
            asyncio.get_running_loop(), ring=self._hear, is_awaited=lambda alarm: alarm.at in self.awaited
        )

    def _hear(self, alarm: Alarm) -> None:
        number = alarm.number if isinstance(alarm, sig.WakeFired) else alarm.attempt
        self.rung.append((type(alarm), alarm.at, number))


async def test_an_alarm_rings_once_and_is_forgotten() -> None:
    """A wait and a limit of one node are two."""
    heard = Heard()
    heard.alarms.set(wait(), 0.0)
    heard.alarms.set(limit(), 0.01)
    await until(lambda: len(heard.rung) == 2)
    assert ([(sig.TimerFired, "a", 2), (sig.LimitFired, "a", 1)], 0) == (heard.rung, len(heard.alarms))


async def test_a_later_alarm_takes_the_place_of_an_earlier_one() -> None:
    """What is tried again has another limit."""
    heard = Heard()
    heard.alarms.set(limit(attempt=1), 0.0)
    heard.alarms.set(limit(attempt=2), 0.01)
    await until(lambda: heard.rung)
    assert [(sig.LimitFired, "a", 2)] == heard.rung


async def test_an_alarm_whose_place_was_taken_never_rings() -> None:
    """Nor does it make the other ring early."""
    heard = Heard()
    heard.alarms.set(limit(attempt=1), 0.0)
    heard.alarms.set(limit(attempt=2), 1000.0)
    heard.alarms.set(limit("b"), 0.01)
    await until(lambda: heard.rung)
    heard.alarms.close()
    assert [(sig.LimitFired, "b", 1)] == heard.rung


async def test_an_alarm_says_when_it_rang() -> None:
    """Not when it was set."""
    rung: list[Alarm] = []
    alarms = Alarms(asyncio.get_running_loop(), ring=rung.append, is_awaited=lambda alarm: True)
    before = now()
    alarms.set(wait(), 0.0)
    await until(lambda: rung)
    assert before <= rung[0].time <= now()


async def test_alarms_that_nobody_awaits_do_not_pile_up() -> None:
    """Whatever their number; those that are awaited stay."""
    heard = Heard()
    heard.awaited = {"a", "b"}
    for at in ("a", "b", *(f"map[{number}]" for number in range(10_000))):
        heard.alarms.set(limit(at), 1000.0)
    most = 2 * 2 + module.UNAWAITED_MAX
    assert len(heard.alarms) <= most
    assert {"a", "b"} <= {alarm.at for alarm, _ in heard.alarms._timers.values()}
    heard.alarms.close()
    assert len(heard.alarms) == 0


async def test_many_that_are_awaited_are_looked_through_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    """Setting one costs the same with a thousand others."""
    monkeypatch.setattr(module, "UNAWAITED_MAX", 4)
    heard = Heard()
    heard.awaited = {f"map[{number}]" for number in range(1000)}
    looks: list[str] = []
    heard.alarms._is_awaited = lambda alarm: not looks.append(alarm.at)  # type: ignore[func-returns-value]
    for at in sorted(heard.awaited):
        heard.alarms.set(limit(at), 1000.0)
    heard.alarms.close()
    assert len(looks) < 3 * 1000


async def test_a_limit_rests_with_us_and_a_wait_does_not() -> None:
    """The moment of a retry was told by the clock."""
    heard = Heard()
    heard.alarms.set(limit(), 0.01)
    heard.alarms.set(wait(), 0.02)
    rest()
    await until(lambda: heard.rung)
    assert [(sig.TimerFired, "a", 2)] == heard.rung
    go_on()
    await until(lambda: len(heard.rung) == 2)
