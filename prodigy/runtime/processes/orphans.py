"""Find and end processes that a run left behind: by mark, by session, by descent.

Every command carries `PRODIGY_RUN_DIR` (the real path of its run's folder) and `PRODIGY_EPOCH` in its
environment, and whatever it starts inherits both: the mark finds a daemon whatever session it moved to.
Within one coordinator a cheaper way exists: the coordinator is a subreaper, so what a dead command leaves
behind becomes its child.

A process is known by its pid *and* its start time, and a signal is sent only to that pair, so a recycled pid
is never hit. Out of reach are processes that changed user, or that cleared their environment and left their
session. On macOS the environment is read with `ps`, which shows it for the user's own unprotected processes;
there only the group of a command is ended when the command ends, and the mark serves resume.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import NamedTuple

from prodigy.errors import ProdigyError

PROC = "/proc"
REAPER_NAME = "prodigy-reaper"  # at most 15 bytes, or the kernel cuts it; sweeps of any run spare it
UNKILLABLE_AFTER_S = 10.0
_PAUSE_S = 0.02
_ROUNDS_MAX = 5
_CHUNK_BYTES = 1 << 16
_LISTED_WHOLE_BYTES_MAX = 2048  # the kernel hands out such a list by the page; a shorter answer is all of it
_EXEC_PAUSE_S = 0.002
_EXEC_LOOKS_MAX = 25
_WITHOUT_MEMORY = 0x200000 | 0x4  # PF_KTHREAD and PF_EXITING in linux/sched.h
_SUBREAPER_OPTION = 36  # PR_SET_CHILD_SUBREAPER in linux/prctl.h


class FoundProcess(NamedTuple):
    """A process to end. `started` tells it from a later process with the same pid.

    Where nobody can list the members of a group, a negative pid means all of it, and `started` is empty.
    """

    pid: int
    started: str
    name: str

    def __str__(self) -> str:
        return f"{self.name} (pid {self.pid})" if self.pid > 0 else f"{self.name} (group {-self.pid})"


class _Status(NamedTuple):
    name: str
    state: str
    parent: int
    session: int
    flags: int
    started: str


def run_mark(run_folder: Path) -> bytes:
    """Return the environment entry that all commands of a run carry."""
    return b"PRODIGY_RUN_DIR=" + os.fsencode(os.path.realpath(run_folder))


def become_subreaper() -> None:
    """Make orphans of our descendants our children, where the system can (Linux)."""
    if sys.platform != "linux":
        return
    import ctypes  # 2 ms, so only a process that runs commands pays for it

    ctypes.CDLL(None).prctl(_SUBREAPER_OPTION, 1, 0, 0, 0)


def end_marked(run_folder: Path, *, grace_s: float) -> list[str]:
    """End what an earlier coordinator of this run left running, and return what that was: `sleep (pid 4711)`.

    SIGTERM, after `grace_s` seconds SIGKILL; returns when all are gone. We, our ancestors and reapers are
    spared.

    Raises:
        ProdigyError: a process is still there 10 s after SIGKILL; its step must not be started a second time.
    """
    marks, spared = (run_mark(run_folder),), _ancestry()
    ended, stuck = end(lambda: find_marked(marks, spared), grace_s=grace_s)
    if stuck:
        raise ProdigyError(
            f"left running by an earlier process and not to be killed: {', '.join(map(str, stuck))}",
            hint="It may hang in the disk or the network; end it, then `prodigy resume`.",
        )
    return [str(found) for found in ended]


def suspend_marked(run_folder: Path) -> list[FoundProcess]:
    """SIGSTOP all that carries the mark of a run, in whatever session it is, and return what that was."""
    marks, spared = (run_mark(run_folder),), _ancestry()
    stopped: dict[int, FoundProcess] = {}
    for _ in range(_ROUNDS_MAX):  # what has stopped starts nothing: the next look finds only what was just being born
        new = [process for process in find_marked(marks, spared) if stopped.get(process.pid) != process]
        for process in new:
            send(process, signal.SIGSTOP)
            stopped[process.pid] = process
        if not new:
            break
    return list(stopped.values())


def end(find: Callable[[], list[FoundProcess]], *, grace_s: float) -> tuple[list[FoundProcess], list[FoundProcess]]:
    """End what `find` returns until that is nothing. Blocks; returns (all it found, what would not die)."""
    ladder = Ladder(grace_s)
    while not ladder.is_over(found := find()):
        time.sleep(_PAUSE_S)
    return list(ladder.seen.values()), found


class Ladder:
    """SIGTERM once for each process, then SIGKILL for all that are left; `clock` yields monotonic seconds.

    Ask `is_over` again and again with what is found each time: descendants may appear while others die.
    """

    def __init__(self, grace_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.seen: dict[int, FoundProcess] = {}
        self._clock = clock
        self._kill_at = clock() + grace_s

    def is_over(self, found: Sequence[FoundProcess]) -> bool:
        """Send the signals that are due, and say whether nothing is left or can be done."""
        is_late = self._clock() >= self._kill_at
        for process in found:
            is_new = self.seen.get(process.pid) != process
            self.seen[process.pid] = process
            if is_late:
                send(process, signal.SIGKILL)
            elif is_new:
                send(process, signal.SIGTERM)
                send(process, signal.SIGCONT)  # a stopped process hears SIGTERM only when it goes on
        return not found or self._clock() >= self._kill_at + UNKILLABLE_AFTER_S

    def hurry(self) -> None:
        """SIGKILL from now on."""
        self._kill_at = min(self._kill_at, self._clock())


def send(process: FoundProcess, number: signal.Signals) -> None:
    """Send a signal to this very process; nothing happens when it is gone or not ours to signal."""
    with suppress(ProcessLookupError, PermissionError):
        try:
            descriptor = os.pidfd_open(process.pid)
        except (AttributeError, OSError):  # gone, a group, or a system without them
            if _is_there(process):
                os.kill(process.pid, number)
            return
        try:
            # Compared after the descriptor has fixed the process: a recycled pid shows another start time.
            if _is_there(process):
                signal.pidfd_send_signal(descriptor, number)
        finally:
            os.close(descriptor)


def _is_there(process: FoundProcess) -> bool:
    if not process.started:
        return True
    status = _status(process.pid)
    return status is not None and status.started == process.started


def find_marked(marks: Sequence[bytes], spared: Container[int] = ()) -> list[FoundProcess]:
    """Return this user's processes that carry all `marks`, reapers and `spared` pids excepted."""
    if not os.path.isdir(f"{PROC}/self"):
        return _find_by_ps(marks, spared)
    return [
        FoundProcess(pid, status.started, status.name)
        for pid in _pids()
        if pid not in spared
        and _is_marked(pid, marks)
        and (status := _status(pid))
        and status.name != REAPER_NAME
        and status.state != "Z"
    ]


def why_blind() -> str | None:
    """Return why processes cannot be found by their mark here, as a sentence, or None where they can."""
    what = "what a step moves into a session of its own is not found when it ends"
    if sys.platform != "linux":
        return None if shutil.which("ps") else f"there is no `ps` on PATH, so {what}"
    try:
        with open(f"{PROC}/self/environ", "rb"):
            return None
    except OSError as error:
        return f"{PROC} cannot be read ({error.strerror}), so {what}"


def has_left_nothing(group: int, known: Container[int]) -> bool:
    """Say whether a dead command, the leader of `group`, surely left no process, nor did any other before it.

    That can only be told where orphans come to us. Cheap: one read of one file. `known` is as for `find_orphans`.
    """
    children = _own_children()
    return bool(children) and all(child in known for child in children) and not _rest_of(group)


def find_orphans(*, group: int, marks: Sequence[bytes], known: Container[int]) -> list[FoundProcess]:
    """Return what a dead command left behind among our descendants, and reap what is dead already.

    Cheap when there is nothing: one read of one file. It belongs to the command when it is in the session
    that the command led (`group`), when it carries all `marks`, or when its parent belongs.

    Args:
        known: pids of commands that still run, and of other children that are nobody's orphan.
    """
    orphans = [child for child in _own_children() if child not in known]
    if not orphans:
        return _rest_of(group)
    ours, found = os.getsid(0), list[FoundProcess]()
    stack = [(pid, False) for pid in orphans]
    while stack:
        pid, is_inherited = stack.pop()
        status = _status(pid)
        if status is None or status.session == ours:
            continue  # a helper that some other part of this program started
        if status.state == "Z":
            _reap(pid, status)
            continue
        belongs = is_inherited or status.session == group or _is_marked(pid, marks)
        if belongs and status.name != REAPER_NAME:
            found.append(FoundProcess(pid, status.started, status.name))
        stack += [(child, belongs) for child in _children(pid)]
    return found or _rest_of(group)


def reap_dead(known: Container[int]) -> None:
    """Collect dead orphans that have become our children; no zombies pile up while a long command runs."""
    ours = os.getsid(0)
    for pid in _own_children():
        if pid not in known and (status := _status(pid)) and status.state == "Z" and status.session != ours:
            _reap(pid, status)


def _rest_of(group: int) -> list[FoundProcess]:
    """Say whether a group still has members, for systems where orphans do not come to us, or cannot be listed."""
    if not _has_members(group):
        return []
    with suppress(ChildProcessError):  # the dead among them that have become ours would be members for ever
        while os.waitpid(-group, os.WNOHANG)[0]:
            pass
    return [FoundProcess(-group, "", "the rest of its process group")] if _has_members(group) else []


def _has_members(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _reap(pid: int, status: _Status) -> None:
    if status.parent == os.getpid():
        with suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)


def _own_children() -> list[int]:
    """Orphans always come to the main thread, so its list is enough.

    The file stays open, for it is read after every command; each read from its beginning tells how it is then.
    """
    descriptor = _list_of_children(f"{PROC}/self/task/{os.getpid()}/children")
    if descriptor is None:
        return []
    data = os.pread(descriptor, _CHUNK_BYTES, 0)
    if len(data) > _LISTED_WHOLE_BYTES_MAX:
        while more := os.pread(descriptor, _CHUNK_BYTES, len(data)):
            data += more
    return [int(number) for number in data.split()]


@cache
def _list_of_children(path: str) -> int | None:
    """Return the list, held open; the path has our pid in it, so a fork has one of its own."""
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None


def _children(pid: int) -> list[int]:
    try:
        threads = os.listdir(f"{PROC}/{pid}/task")
    except OSError:
        return []
    return [child for thread in threads for child in _numbers(f"{PROC}/{pid}/task/{thread}/children")]


def _numbers(path: str) -> list[int]:
    """A kernel built without these files finds nothing here; then groups and marks must do."""
    return [int(number) for number in _read(path).split()]


def _pids() -> Iterator[int]:
    user = os.geteuid()
    for name in os.listdir(PROC):
        if name.isdigit():
            with suppress(OSError):
                if os.stat(f"{PROC}/{name}").st_uid == user:
                    yield int(name)


def _is_marked(pid: int, marks: Sequence[bytes]) -> bool:
    """Compare whole entries: another run's folder may begin with the same characters."""
    environment = b"\0" + _environment(pid) + b"\0"
    return all(b"\0" + mark + b"\0" in environment for mark in marks)


def _environment(pid: int) -> bytes:
    """Return a process's environment; of one in the midst of `exec` the system shows none until a moment later."""
    for _ in range(_EXEC_LOOKS_MAX):
        environment = _read(f"{PROC}/{pid}/environ")
        if environment or not _has_memory(pid):
            return environment
        is_over = bool(_read(f"{PROC}/{pid}/cmdline"))  # whose end `exec` sets a moment before that of the environment
        time.sleep(_EXEC_PAUSE_S)
        if is_over:
            return _read(f"{PROC}/{pid}/environ")
    return b""


def _has_memory(pid: int) -> bool:
    """Say whether a process is a program at all, and not about to be none."""
    status = _status(pid)
    return status is not None and status.state != "Z" and not status.flags & _WITHOUT_MEMORY


def _status(pid: int) -> _Status | None:
    """Return what `/proc/<pid>/stat` says; the name in parentheses may itself hold blanks and parentheses."""
    head, _, rest = _read(f"{PROC}/{pid}/stat").rpartition(b")")
    fields = rest.split()
    if len(fields) < 20:
        return None
    name = head.partition(b"(")[2].decode(errors="replace")
    printable = "".join(character if character.isprintable() else "?" for character in name)
    state, parent, session, flags, started = (fields[index].decode() for index in (0, 1, 3, 6, 19))
    return _Status(printable, state, int(parent), int(session), int(flags), started)


def _read(path: str) -> bytes:
    """Return a whole file of /proc, empty when the process is gone or not ours to see."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    chunks = []
    try:
        while chunk := os.read(descriptor, _CHUNK_BYTES):
            chunks.append(chunk)
    except OSError:
        return b""
    finally:
        os.close(descriptor)
    return b"".join(chunks)


def _ancestry() -> set[int]:
    """Return our pid and those of all our ancestors as far as they can be seen."""
    pids, pid = {os.getpid()}, os.getppid()
    while pid > 0 and pid not in pids:
        pids.add(pid)
        status = _status(pid)
        pid = status.parent if status else 0
    return pids


def _find_by_ps(marks: Sequence[bytes], spared: Container[int]) -> list[FoundProcess]:
    try:
        listing = subprocess.run(["ps", "-Eww", "-xo", "pid=,command="], capture_output=True, check=False).stdout
    except OSError:  # there is none: `why_blind` says so
        return []
    return read_ps(listing, marks, spared)


def read_ps(listing: bytes, marks: Sequence[bytes], spared: Container[int]) -> list[FoundProcess]:
    """Return the marked processes of a `ps -Eww -xo pid=,command=` listing.

    The environment stands behind the arguments, separated by blanks; that is all one can see there, so a
    value with blanks may be cut, and an argument that looks like a mark counts as one.
    """
    found = []
    for line in listing.splitlines():
        number, _, command = line.strip().partition(b" ")
        if number.isdigit() and int(number) not in spared and all(b" " + m + b" " in command + b" " for m in marks):
            name = os.path.basename(command.split()[0]).decode(errors="replace")
            found.append(FoundProcess(int(number), "", name))
    return found
