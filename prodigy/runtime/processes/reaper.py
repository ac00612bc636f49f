"""A tiny process that ends a run's commands when their coordinator dies.

It is forked from the coordinator at the very start, before threads and before the run's lock, holds nothing
but one end of a pipe, and sleeps in a read. The coordinator keeps the other end: `bye` on it means a normal
end, its closing without a word means that the coordinator was killed. Then the groups listed in a piece of
shared memory are ended within half a second, and after them everything that carries the coordinator's mark.

Shared memory, because noting a group then costs a few bytes of memory, never blocks, wakes nobody, and holds
to the last instruction before the coordinator's death.
"""

import mmap
import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from struct import Struct
from typing import NoReturn, Self

from prodigy.runtime.processes.orphans import REAPER_NAME, FoundProcess, end, find_marked, run_mark

GROUPS_MAX = 4096  # attempts at once; what is beyond is found by its mark alone
GRACE_S = 0.3
CLOSING_S = 1.0
_LOOK_EVERY_S = 0.0005
_BYE = b"bye"
_SLOT = Struct("=q")


class Reaper:
    """The coordinator's side: note and forget process groups, and say goodbye.

    `owner` is a word that no other coordinator has; every command carries it as `PRODIGY_OWNER`, so that a
    reaper still at work never touches the commands of the resume that has already begun.
    """

    def __init__(self, *, pid: int, pipe: int, groups: mmap.mmap, owner: str) -> None:
        self.pid = pid
        self.owner = owner
        self._pipe = pipe
        self._groups = groups
        self._free = list(range(GROUPS_MAX))
        self._slots: dict[int, int] = {}

    @classmethod
    def start(cls, run_folder: Path) -> Self:
        """Fork the reaper of `run_folder`. Call it while there is one thread and before the lock is taken."""
        owner = f"{os.getpid()}-{time.time_ns()}"
        marks = (run_mark(run_folder), b"PRODIGY_OWNER=" + owner.encode())
        groups = mmap.mmap(-1, GROUPS_MAX * _SLOT.size)
        read_end, write_end = os.pipe()
        pid = os.fork()
        if pid == 0:
            _reap(read_end, groups, marks)
        os.close(read_end)
        os.set_blocking(write_end, False)
        return cls(pid=pid, pipe=write_end, groups=groups, owner=owner)

    def add(self, group: int) -> None:
        """Note a process group that has to end when we die."""
        if self._free:
            slot = self._slots[group] = self._free.pop()
            _SLOT.pack_into(self._groups, slot * _SLOT.size, group)

    def discard(self, group: int) -> None:
        """Forget a group that is gone; its number may soon belong to somebody else."""
        slot = self._slots.pop(group, None)
        if slot is not None:
            _SLOT.pack_into(self._groups, slot * _SLOT.size, 0)
            self._free.append(slot)

    def close(self) -> None:
        """Send the reaper away and wait for its end, which is immediate; one that hangs or was stopped is killed."""
        with suppress(OSError):
            os.write(self._pipe, _BYE)
        os.close(self._pipe)
        with suppress(ChildProcessError):
            kill_at = time.monotonic() + CLOSING_S
            while os.waitpid(self.pid, os.WNOHANG)[0] == 0:
                if time.monotonic() > kill_at:
                    os.kill(self.pid, signal.SIGKILL)
                    break
                time.sleep(_LOOK_EVERY_S)
        self._groups.close()


def _reap(pipe: int, groups: mmap.mmap, marks: tuple[bytes, ...]) -> NoReturn:
    """Be the reaper. Whatever happens, this process never goes on as a second coordinator."""
    try:
        _let_go(pipe)
        if not os.read(0, len(_BYE)):
            _end_all(groups, marks)
    finally:
        os._exit(0)


def _let_go(pipe: int) -> None:
    """Keep the pipe as descriptor 0 and nothing else: no lock, no terminal, nobody's output, no folder."""
    os.setsid()
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD}:
        with suppress(OSError):
            signal.signal(number, signal.SIG_IGN)
    os.dup2(pipe, 0)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 1)
    os.dup2(null, 2)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    os.chdir("/")
    with suppress(OSError), open("/proc/self/comm", "w") as name:
        name.write(REAPER_NAME)


def _end_all(groups: mmap.mmap, marks: tuple[bytes, ...]) -> None:
    """SIGTERM for all, and SIGKILL for the groups on time even where the search for marks takes longer."""
    pending = [group for (group,) in _SLOT.iter_unpack(groups[:]) if group]
    kill_at = time.monotonic() + GRACE_S
    _signal_groups(pending, signal.SIGTERM)
    _signal_groups(pending, signal.SIGCONT)

    def find() -> list[FoundProcess]:
        if time.monotonic() >= kill_at:
            _signal_groups(pending, signal.SIGKILL)
            pending.clear()
        return find_marked(marks)

    end(find, grace_s=GRACE_S)
    time.sleep(max(0.0, kill_at - time.monotonic()))  # a group may have members that hide their environment
    find()


def _signal_groups(groups: list[int], number: signal.Signals) -> None:
    for group in groups:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, number)
