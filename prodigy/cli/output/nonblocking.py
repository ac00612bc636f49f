"""Write to the terminal without ever waiting for it.

A terminal that is gone, a pipe that nobody reads, Ctrl-S: printing never decides a run. Text goes through a queue to
a thread; when the reader is too slow the rest is dropped and counted, and when it is gone everything is.
"""

import os
import stat
import threading
from collections import deque

from prodigy.plan.phrases import counted
from prodigy.runtime.terminal import harmless

QUEUED_CHARS_MAX = 4 * 1024 * 1024
CLOSING_S = 2.0


class NonblockingWriter:
    """A file descriptor that takes text and never blocks."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._queue: deque[str] = deque()
        self._queued = 0
        self._dropped = 0
        self._is_gone = False
        self._is_closing = False
        self._condition = threading.Condition()
        self._thread: threading.Thread | None = None
        self._cannot_block = _cannot_block(descriptor)

    def write(self, text: str) -> None:
        """Write `text` now or a little later; of what drives a terminal it may hold colours."""
        text = harmless(text, colour=True)
        if self._cannot_block:
            self._put(text)
            return
        with self._condition:
            if self._is_gone:
                return
            if self._queued > QUEUED_CHARS_MAX:
                self._dropped += len(text)
                return
            self._queue.append(text)
            self._queued += len(text)
            if self._thread is None:
                self._thread = threading.Thread(target=self._write_on, name="terminal", daemon=True)
                self._thread.start()
            self._condition.notify()

    def close(self) -> None:
        """Wait a moment for what is still queued."""
        with self._condition:
            self._is_closing = True
            self._condition.notify()
        if self._thread is not None:
            self._thread.join(CLOSING_S)

    def _write_on(self) -> None:
        while True:
            with self._condition:
                while not self._queue and not self._is_closing:
                    self._condition.wait()
                if not self._queue:
                    return
                text = "".join(self._queue)
                self._queue.clear()
                self._queued = 0
                if self._dropped:
                    text += f"\n… {counted(self._dropped, 'character')} not shown: the terminal is too slow\n"
                    self._dropped = 0
            self._put(text)

    def _put(self, text: str) -> None:
        data = text.encode(errors="replace")
        try:
            while data and not self._is_gone:
                data = data[os.write(self._descriptor, data) :]
        except OSError:
            self._is_gone = True


def _cannot_block(descriptor: int) -> bool:
    try:
        mode = os.fstat(descriptor).st_mode
    except OSError:
        return True
    return stat.S_ISREG(mode) or (stat.S_ISCHR(mode) and not os.isatty(descriptor))
