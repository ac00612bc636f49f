"""Hold back an exit for a moment if a stop that has not arrived yet may explain it.

Service managers, shutdowns and containers signal all processes at once and in any order, so a command may be dead
before its coordinator hears of the stop. Its exit is held back for a moment, and the command counts as in flight. When
the stop arrives the exit is released, and the kernel, which knows of the stop by then, records an interruption. If no
stop arrives it is a failure.
"""

import asyncio
from collections.abc import Callable

from prodigy.kernel import signals as sig
from prodigy.kernel.outcome import may_be_stopped
from prodigy.runtime.timers import Timer

JUDGED_AFTER_S = 1.0  # signals to a whole group take milliseconds; `prodigy stop` is heard within a quarter of a second


def is_doubtful(end: sig.Exited) -> bool:
    """Whether a stop that has not arrived yet may have caused this end."""
    return not end.stopped and may_be_stopped(end)


class DeferredExits:
    """The ends that wait to be judged. `emit` takes each once, in its turn."""

    def __init__(self, loop: asyncio.AbstractEventLoop, emit: Callable[[sig.Exited], None]) -> None:
        self._loop = loop
        self._emit = emit
        self._waiting: dict[int, tuple[sig.Exited, Timer]] = {}

    def keep(self, end: sig.Exited) -> None:
        """Keep an end for a moment, and then let it go."""
        self._waiting[end.epoch] = (end, Timer(self._loop, JUDGED_AFTER_S, self.release, end.epoch))

    def release(self, epoch: int) -> bool:
        """Let the end of an epoch go now; False where none waits."""
        if epoch not in self._waiting:
            return False
        end, timer = self._waiting.pop(epoch)
        timer.cancel()
        self._emit(end)
        return True

    def close(self) -> None:
        """Forget what waits: the run rests, nobody asks any more."""
        for _, timer in self._waiting.values():
            timer.cancel()
        self._waiting.clear()
