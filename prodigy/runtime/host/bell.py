"""Receive the operator's signals in a thread of its own, whatever the main thread is doing.

Python calls a signal's handler between two steps of the main thread: never while that hangs in a disk that does not
answer. But Python's C handler writes the signal's number into a pipe at once, and a thread reads that.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

SAME_STOP_S = 1.0
TOLD_TWICE = (signal.SIGTERM, signal.SIGHUP)


class Stops:
    """The stops that a run was told, counted; the first one's signal is kept.

    A service manager or a closing terminal may tell the main process and its whole group: the same signal again, of
    those in `TOLD_TWICE` and within `SAME_STOP_S` of the first, is the same stop. Ctrl-C twice are two.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.first = signal.SIGINT
        self.count = 0
        self._clock = clock
        self._at = 0.0

    def take(self, number: signal.Signals) -> bool:
        """Count a signal, unless it is the first stop once more: then False."""
        if self.count == 0:
            self.first, self._at = number, self._clock()
        elif number in TOLD_TWICE and number == self.first and self._clock() - self._at < SAME_STOP_S:
            return False
        self.count += 1
        return True


class Bell:
    """Signals, heard from `start` until `close`. Both belong to the main thread.

    Args:
        ring: called with each signal, in the bell's thread.
        note: called with each signal in the main thread, before that does anything else; it may come late.
    """

    def __init__(
        self, ring: Callable[[signal.Signals], None], note: Callable[[signal.Signals], None] = lambda _: None
    ) -> None:
        self._ring = ring
        self._note = note
        self._before: dict[int, Any] = {}
        self._pipe = (-1, -1)
        self._wakeup = -1

    def start(self, numbers: Iterable[int]) -> None:
        """Hear these signals from now on; what they did before they do no more."""
        self._pipe = read_end, write_end = os.pipe()
        os.set_blocking(write_end, False)
        self._wakeup = signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
        for number in numbers:
            self._before[number] = signal.signal(number, self._pass) or signal.SIG_DFL
            signal.siginterrupt(number, False)
        threading.Thread(target=self._hear, args=(read_end,), name="bell", daemon=True).start()

    def close(self) -> None:
        """Let signals do what they did before; the second time nothing happens."""
        if self._pipe[1] < 0:
            return
        signal.set_wakeup_fd(self._wakeup)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        os.close(self._pipe[1])  # which ends the thread
        self._pipe = (-1, -1)

    def _hear(self, read_end: int) -> None:
        try:
            while numbers := os.read(read_end, 64):
                for number in numbers:
                    if number in self._before:
                        self._ring(signal.Signals(number))
        finally:
            with suppress(OSError):
                os.close(read_end)

    def _pass(self, number: int, _frame: object) -> None:
        """Be a handler: only a signal that has one is written into the pipe."""
        self._note(signal.Signals(number))
