"""The timers of a run's waits and limits: set, rung once, and forgotten when nobody awaits them any more.

A wait may be abandoned, because what it is in has timed out or is over; its timer is not looked for each time, but when
there are twice as many as were awaited at the last look. So a timer costs little, however many there are, and memory
is bounded by what is awaited.
"""

import asyncio
from collections.abc import Callable
from functools import partial

import msgspec

from prodigy.kernel import signals as sig
from prodigy.runtime.clock import now
from prodigy.runtime.timers import Timer

UNAWAITED_MAX = 256

Alarm = sig.TimerFired | sig.LimitFired | sig.WakeFired


class Alarms:
    """One alarm for each wait, and one for each limit, of a node.

    Args:
        ring: told each alarm when it is due, with the time of that moment.
        is_awaited: whether anything would still come of an alarm.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, *, ring: Callable[[Alarm], None], is_awaited: Callable[[Alarm], bool]
    ) -> None:
        self._loop = loop
        self._ring = ring
        self._is_awaited = is_awaited
        self._timers: dict[tuple[type[Alarm], str], tuple[Alarm, asyncio.TimerHandle | Timer]] = {}
        self._look_at = UNAWAITED_MAX

    def __len__(self) -> int:
        return len(self._timers)

    def set(self, alarm: Alarm, delay_s: float) -> None:
        """Ring in so many seconds. A limit rests while we do; a wait is over when the clock says so."""
        self._cancel(key := (type(alarm), alarm.at))
        if len(self._timers) >= self._look_at:
            self._forget()
        later = partial(Timer, self._loop) if isinstance(alarm, sig.LimitFired) else self._loop.call_later
        self._timers[key] = (alarm, later(delay_s, self._rung, key))

    def close(self) -> None:
        """Let none of them ring any more."""
        for key in list(self._timers):
            self._cancel(key)

    def _forget(self) -> None:
        for key, (alarm, _) in list(self._timers.items()):
            if not self._is_awaited(alarm):
                self._cancel(key)
        self._look_at = 2 * len(self._timers) + UNAWAITED_MAX

    def _cancel(self, key: tuple[type[Alarm], str]) -> None:
        if key in self._timers:
            self._timers.pop(key)[1].cancel()

    def _rung(self, key: tuple[type[Alarm], str]) -> None:
        alarm, _ = self._timers.pop(key)
        self._ring(msgspec.structs.replace(alarm, time=now()))
