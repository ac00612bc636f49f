"""Hear of the ends of commands: one epoll for the pidfds of all of them, so that what has ended by now is told at once.

The event loop watches the epoll alone. To add and remove a reader of its own for every command would cost a short step
more than all that we do between its end and the next start; and several ends would be several callbacks.
"""

import asyncio
import os
import select
from collections.abc import Callable

Gather = Callable[[Callable[[], None]], None]


class Exits:
    """The ends that are waited for. On systems without pidfds nothing can be watched.

    Args:
        gather: called with a function that makes the calls for all ends of one moment.
    """

    def __init__(self, gather: Gather) -> None:
        self._gather = gather
        self._calls: dict[int, Callable[[], None]] = {}
        self._epoll: select.epoll | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def watch(self, pid: int, call: Callable[[], None]) -> int:
        """Call `call`, from the running loop, when our child `pid` has ended; return its pidfd, which is ours.

        Raises:
            OSError: the system has no pidfds, or no room for one now.
        """
        if not hasattr(os, "pidfd_open"):
            raise OSError("no pidfds here")
        epoll = self._ready()
        pidfd = os.pidfd_open(pid)
        try:
            epoll.register(pidfd, select.EPOLLIN)
        except OSError:
            os.close(pidfd)
            raise
        self._calls[pidfd] = call
        return pidfd

    def forget(self, pidfd: int) -> None:
        """Watch it no more, and close it.

        Taken out by hand: a child that is just being born shares it for a moment, and as long as anybody has it the
        epoll would tell of a number that may be another command's by then.
        """
        assert self._epoll, "it is watched"
        del self._calls[pidfd]
        self._epoll.unregister(pidfd)
        os.close(pidfd)

    def close(self) -> None:
        """Watch nothing any more."""
        if self._epoll and self._loop:
            self._loop.remove_reader(self._epoll.fileno())
            self._epoll.close()
            self._epoll = None

    def _ready(self) -> select.epoll:
        if self._epoll is None:
            self._epoll = select.epoll()
            self._loop = asyncio.get_running_loop()
            self._loop.add_reader(self._epoll.fileno(), self._gather, self._tell)
        return self._epoll

    def _tell(self) -> None:
        assert self._epoll, "it has told us so"
        for pidfd, _ in self._epoll.poll(0):
            if call := self._calls.get(pidfd):
                call()
