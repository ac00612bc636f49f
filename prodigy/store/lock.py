"""One owner per run, and one number per cook or resume.

The owner of a run holds an exclusive `flock` on the run's lock file as long as it lives. The operating system releases
it when its holder dies, so a lock is never stale and no pid has to be guessed. The descriptor is closed on exec and in
forked children, so no orphan keeps it. The file's contents are used in messages only.

A reader asks with a shared lock, for an instant. An owner-to-be that meets such a look must not be turned
away, so whoever fails to get the exclusive lock asks with a shared one what it has met: that fails exactly if
somebody holds the exclusive lock, which only owners do. Else it tries again. `F_GETLK` queries would not
disturb at all, but POSIX locks vanish when any descriptor of the file is closed, and open file description
locks are not on every system.
"""

import fcntl
import os
import random
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from prodigy.errors import DamagedState, RunNotFound, StorageFailure
from prodigy.store.files import locked, open_private, opened, read_private, refused, write_atomically
from prodigy.store.layout import Project

LOOK_WAIT_S = 2.0  # how long looks of readers may hold up an owner; each takes microseconds
NAMING_WAIT_S = 0.2  # how long a new owner may take to write its name
HOLDER_BYTES_MAX = 4096
COUNTER_DIGITS_MAX = 18
_STEP_S = 0.002


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """Who owns a run, for messages: `started` is UTC, ISO 8601; `pid` 0 means that it did not say."""

    pid: int = 0
    started: str = ""
    command: str = ""


class RunLock:
    """The ownership of a run, held until `release` or the death of this process."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor
        _held.add(self)

    @classmethod
    def acquire(cls, path: Path, *, command: str = "prodigy") -> Self:
        """Become the owner or fail at once.

        Args:
            path: the run's lock file, in a folder that exists.
            command: what this process does, for others' messages.

        Raises:
            RunNotFound: another process owns the run; the message names its pid.
            StorageFailure: the disk has no room, or no locks.
        """
        try:
            descriptor = _exclusive(path)
        except OSError as error:
            raise refused(path, error) from error
        if descriptor is None:
            raise _owned(path)
        lock = cls(path, descriptor)
        try:
            _name_holder(descriptor, command)
        except OSError as error:
            lock.release()
            raise refused(path, error) from error
        return lock

    def release(self) -> None:
        """Give the run up; the second time nothing happens."""
        _held.discard(self)
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def check_owned() -> None:
    """See that every run of this process is still its own: whoever removes a lock file lets another owner in beside us.

    Raises:
        StorageFailure: a lock file is gone; nothing may be written any more.
    """
    for lock in _held:
        if os.fstat(lock._descriptor).st_nlink == 0:
            raise StorageFailure(
                f"{lock.path} was removed while the run went on, so another process may own the run now",
                hint=f"Look who does: `prodigy status {lock.path.parent.name}`.",
            )


def holder(path: Path) -> Holder | None:
    """Return who owns the run whose lock file is `path`, or None; nothing is changed.

    Raises:
        DamagedState: the lock file is a symlink or no file.
        OSError: it cannot be read.
    """
    try:
        with opened(path, os.O_RDONLY) as descriptor:
            return _recorded(path) if _is_owned(descriptor) else None
    except FileNotFoundError:
        return None


def next_number(project: Project, existing: Callable[[], int]) -> int:
    """Return the project's next number, 1-based, durably taken: nobody gets it again, crash or not.

    Args:
        project: its `.prodigy` exists.
        existing: returns the largest number of any run, or 0; asked when the counter is missing or garbled.

    Raises:
        DamagedState: the counter is a symlink or no file.
        StorageFailure: the disk refused.
    """
    path = project.counter
    with locked(project.counter_lock):
        try:
            last = _counted(path)
        except OSError as error:
            raise refused(path, error) from error
        number = (existing() if last is None else last) + 1
        write_atomically(path, b"%d\n" % number)
    return number


_held = set[RunLock]()


def _forget() -> None:
    """In a forked child: its copies of the descriptors would keep the runs locked after the owner's death."""
    for lock in list(_held):
        lock.release()


os.register_at_fork(after_in_child=_forget)


def _exclusive(path: Path) -> int | None:
    """Return a descriptor of the locked file, or None when it has an owner."""
    deadline = time.monotonic() + LOOK_WAIT_S
    while True:
        descriptor = open_private(path, os.O_RDWR | os.O_CREAT)
        try:
            is_mine = _try(descriptor, fcntl.LOCK_EX)
            is_owned = not is_mine and _is_owned(descriptor)
            if is_mine and _is_at(path, descriptor):
                descriptor, mine = -1, descriptor
                return mine
        finally:
            if descriptor >= 0:
                os.close(descriptor)
        if is_owned or time.monotonic() > deadline:
            return None
        time.sleep(random.uniform(0, _STEP_S))  # two of us must not keep meeting each other's look


def _is_owned(descriptor: int) -> bool:
    """Return whether somebody has the exclusive lock. Leaves a shared one, until the descriptor is closed."""
    return not _try(descriptor, fcntl.LOCK_SH)


def _try(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_at(path: Path, descriptor: int) -> bool:
    """Return whether the locked file is still the one at `path`: a cleaner may just have removed it."""
    try:
        return os.path.samestat(path.lstat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _name_holder(descriptor: int, command: str) -> None:
    started = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    data = msgspec.json.encode(Holder(pid=os.getpid(), started=started, command=command[:200]))
    os.pwrite(descriptor, data, 0)
    os.ftruncate(descriptor, len(data))


def _owned(path: Path) -> RunNotFound:
    owner = _recorded(path)
    by = f"process {owner.pid} ({owner.command}, since {owner.started})" if owner.pid else "another process"
    return RunNotFound(
        f"{path.parent.name!a} is being run by {by}",
        hint=f"Wait for it, or end it with `prodigy stop {path.parent.name}`.",
    )


def _recorded(path: Path) -> Holder:
    """Return what the owner wrote. One that has just begun may not have: the name there is a dead one's."""
    deadline = time.monotonic() + NAMING_WAIT_S
    while True:
        owner = Holder()
        with suppress(OSError, DamagedState, msgspec.DecodeError):
            owner = msgspec.json.decode(read_private(path, bytes_max=HOLDER_BYTES_MAX), type=Holder)
        if _is_alive(owner.pid):
            return owner
        if time.monotonic() > deadline:
            return Holder()
        time.sleep(_STEP_S)


def _is_alive(pid: int) -> bool:
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return True


def _counted(path: Path) -> int | None:
    try:
        with opened(path, os.O_RDONLY) as descriptor:
            text = os.read(descriptor, 2 * COUNTER_DIGITS_MAX).strip()
    except FileNotFoundError:
        return None
    return int(text) if text.isdigit() and len(text) <= COUNTER_DIGITS_MAX else None
