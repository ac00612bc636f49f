"""Timers that rest while we do: Ctrl-Z, or a SIGSTOP from elsewhere, uses up nobody's time.

`awake_s` is monotonic time without the moments at which this process stood still. Nobody tells a process that it is
about to be stopped by SIGSTOP, but SIGCONT says that it was; then everything since the last `beat` counts as rest.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any

BEAT_S = 0.25  # how often somebody beats, so by how much a rest may be told too long
_REST_S_MIN = 2 * BEAT_S  # a SIGCONT to somebody who was not stopped means nothing


class _Awake:
    """When this process last knew itself to be awake, and how long it has not been."""

    def __init__(self) -> None:
        self.rested_s = 0.0
        self.beat_at = 0.0
        self.beat_before = 0.0
        self.rests_since: float | None = None


_awake = _Awake()


def awake_s() -> float:
    """Return a monotonic time in seconds that stands still while we do."""
    at = time.monotonic() if _awake.rests_since is None else _awake.rests_since
    return at - _awake.rested_s


def beat() -> None:
    """Say that we are awake. Whoever wants a SIGCONT to be understood does so every `BEAT_S`."""
    _awake.beat_before, _awake.beat_at = _awake.beat_at, time.monotonic()


def rest() -> None:
    """Begin a rest of which we know, until `go_on`."""
    if _awake.rests_since is None:
        _awake.rests_since = time.monotonic()


def go_on() -> float:
    """End a rest, or understand in hindsight that there was one; return how long it was, in seconds."""
    now = time.monotonic()
    began = _last_awake(now) if _awake.rests_since is None else _awake.rests_since
    _awake.rests_since, _awake.beat_before, _awake.beat_at = None, now, now
    _awake.rested_s += now - began
    return now - began


def _last_awake(now: float) -> float:
    """Return when we last beat in time; `now` if we did all the while.

    Another thread may be the one that SIGCONT reaches: then a beat that is late comes before the news of it.
    """
    if _awake.beat_at and now - _awake.beat_at >= _REST_S_MIN:
        return _awake.beat_at
    if _awake.beat_before and now - _awake.beat_at < BEAT_S and _awake.beat_at - _awake.beat_before >= _REST_S_MIN:
        return _awake.beat_before
    return now


class Timer:
    """Calls back once, in the running loop, when we have been awake for `delay_s` from now."""

    __slots__ = ("_call", "_due", "_handle", "_loop")

    def __init__(self, loop: asyncio.AbstractEventLoop, delay_s: float, callback: Callable[..., object], *args: Any):
        self._loop = loop
        self._call = (callback, args)
        self._due = awake_s() + delay_s
        self._handle = loop.call_later(delay_s, self._ring)

    def cancel(self) -> None:
        """Never call back; one that has called may be cancelled too."""
        self._handle.cancel()

    def _ring(self) -> None:
        if (left_s := self._due - awake_s()) > 0:
            self._handle = self._loop.call_later(left_s, self._ring)
            return
        callback, args = self._call
        callback(*args)
