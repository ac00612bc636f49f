"""Judge an end that a stop may explain a moment later, when the stop would have come.

A service manager, a shutdown, the end of a container signal everything at once and in any order: a command may be dead
before its coordinator hears that the run is to stop. So an end that looks like that is kept for a moment. Until then
it is in flight: the stop's own order to end it lets it go at once, and the kernel, which knows of the stop by then,
finds it interrupted. Without a stop it is what it looks like, a failure.
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
