"""File operations with private modes that follow no symlinks and replace files atomically.

The rest of the store opens, creates and replaces files through these functions only. So a link planted in `.prodigy`
is refused, and a reader sees the old file or the new one, never a part of it.
"""

import fcntl
import os
import re
import secrets
import shlex
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from prodigy.errors import DamagedState, ProdigyError, StorageFailure
from prodigy.plan.phrases import counted

FILE_MODE = 0o600
FOLDER_MODE = 0o700
CHUNK_BYTES = 1 << 20
LOCK_WAIT_S = 10.0
_TEMPORARY = re.compile(r"\..*\.[0-9a-f]{16}\.tmp", re.DOTALL)
_LOCK_STEP_S = 0.005


def open_private(path: Path, flags: int) -> int:
    """Open a regular file of ours and return its descriptor; with `O_CREAT` its mode is 0600 afterwards.

    Raises:
        DamagedState: `path` is a symlink, FIFO, socket, folder or device.
        OSError: what the system says otherwise, `FileNotFoundError` among them.
    """
    try:
        descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, FILE_MODE)
    except OSError:
        if not _may_be_ours(path):
            raise _not_ours(path) from None
        raise
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        raise _not_ours(path)
    if flags & os.O_CREAT and stat.S_IMODE(mode) != FILE_MODE:
        os.fchmod(descriptor, FILE_MODE)  # a strange umask, or a file that a checkout brought
    return descriptor


@contextmanager
def opened(path: Path, flags: int) -> Iterator[int]:
    """Open a file as `open_private` does, for as long as this is entered."""
    descriptor = open_private(path, flags)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def read_private(path: Path, *, bytes_max: int | None = None) -> bytes:
    """Return the whole file.

    Raises:
        DamagedState: a symlink, FIFO or folder is in its place, or it is longer than `bytes_max`.
        OSError: what the system says otherwise, `FileNotFoundError` among them.
    """
    with os.fdopen(open_private(path, os.O_RDONLY), "rb") as file:
        data = file.read() if bytes_max is None else file.read(bytes_max + 1)
    if bytes_max is not None and len(data) > bytes_max:
        raise DamagedState(f"{path} is longer than {counted(bytes_max, 'byte')}", hint=_remove(path))
    return data


def write_atomically(path: Path, data: bytes) -> None:
    """Replace `path` by `data`, durable when this returns; a reader sees old or new, never half.

    Raises:
        StorageFailure: the disk refused. `path` is as it was, or it is new and may not survive power loss.
    """
    temporary = path.with_name(f".{path.name[:100]}.{secrets.token_hex(8)}.tmp")
    try:
        descriptor = _begun(temporary)
        try:
            write_all(descriptor, data)
            sync(descriptor)
            os.replace(temporary, path)
        finally:
            os.close(descriptor)
        sync_folder(path.parent)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise refused(path, error) from error


def remove_unfinished(folder: Path) -> None:
    """Put away what writers who were killed have left in a folder of ours; it does not matter if that fails."""
    with suppress(OSError):
        for name in os.listdir(folder):
            if _TEMPORARY.fullmatch(name):
                with _left_by_the_dead(folder / name) as is_left:
                    if is_left:
                        (folder / name).unlink(missing_ok=True)


def is_unfinished(path: Path) -> bool:
    """Say whether a file is what a writer left who was killed, and not one that is being written."""
    if not _TEMPORARY.fullmatch(path.name):
        return False
    with _left_by_the_dead(path) as is_left:
        return is_left


def _begun(temporary: Path) -> int:
    """Return the descriptor of a new file, whose lock says as long as we live that it is being written.

    Who puts unfinished files away may take it in the instant before it is locked; then there is another.
    """
    while True:
        descriptor = open_private(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        with suppress(OSError):  # a disk without locks: nothing is put away there
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return descriptor
        os.close(descriptor)


@contextmanager
def _left_by_the_dead(path: Path) -> Iterator[bool]:
    """Tell whether nobody writes a file, and keep it so meanwhile."""
    try:
        descriptor = open_private(path, os.O_RDONLY)
    except (OSError, DamagedState):
        yield False
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        yield False
    else:
        yield True
    finally:
        os.close(descriptor)


def write_all(descriptor: int, data: bytes) -> None:
    """Write every byte: one `os.write`, and more only after a short one. Python retries EINTR itself."""
    written = os.write(descriptor, data)
    rest = memoryview(data)
    while written < len(rest):
        rest = rest[written:]
        written = os.write(descriptor, rest)


def sync(descriptor: int) -> None:
    """Make a file durable, its data and all that is known about it."""
    if sys.platform == "darwin":  # where fsync stops at the drive's cache and fdatasync does not exist
        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
    else:
        os.fsync(descriptor)


def sync_data(descriptor: int) -> None:
    """Make a file's data and size durable; cheaper than `sync` where the system knows the difference."""
    if sys.platform == "darwin":
        sync(descriptor)
    else:
        os.fdatasync(descriptor)


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        sync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file `path`, made when missing, for a few quick operations; others wait their turn.

    The lock is the kernel's and dies with its holder. For the long ownership of a run see `lock.py`.

    Raises:
        StorageFailure: it cannot be locked, or another process kept it for `LOCK_WAIT_S`.
    """
    try:
        descriptor = open_private(path, os.O_RDWR | os.O_CREAT)
    except OSError as error:
        raise refused(path, error) from error
    try:
        _wait_for_lock(path, descriptor)
        yield
    finally:
        os.close(descriptor)


def _wait_for_lock(path: Path, descriptor: int) -> None:
    deadline = time.monotonic() + LOCK_WAIT_S
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() > deadline:
                raise refused(path, error) from error
            time.sleep(_LOCK_STEP_S)
        except OSError as error:
            raise refused(path, error) from error


def private_folder(path: Path) -> Path:
    """Create `path`, every new level with mode 0700, and return it.

    Raises:
        DamagedState: `path` is a symlink, no folder, or belongs to somebody else.
        StorageFailure: the disk refused.
    """
    try:
        _make_levels(path)
        status = path.lstat()
    except OSError as error:
        raise refused(path, error) from error
    _check_folder(path, status)
    return path


def own_folders(*paths: Path) -> None:
    """Make folders whose parents exist, or come before them here, durable and private; check those that are there.

    Each parent is synced once, even if nothing was made in it: whoever made a folder may have died before it could.

    Raises:
        DamagedState, StorageFailure: as for `private_folder`.
    """
    for path in paths:
        try:
            with suppress(FileExistsError):
                os.mkdir(path, FOLDER_MODE)
            status = path.lstat()
            _check_folder(path, status)
            if stat.S_IMODE(status.st_mode) != FOLDER_MODE:  # a strange umask, or a checkout made it
                path.chmod(FOLDER_MODE)
        except OSError as error:
            raise refused(path, error) from error
    for parent in dict.fromkeys(path.parent for path in paths):
        try:
            sync_folder(parent)
        except OSError as error:
            raise refused(parent, error) from error


def existing_folder(path: Path) -> bool:
    """Return whether the folder exists; nothing is made.

    Raises:
        DamagedState: `path` is a symlink, no folder, or belongs to somebody else.
        OSError: what the system says otherwise.
    """
    try:
        status = path.lstat()
    except FileNotFoundError:
        return False
    _check_folder(path, status)
    return True


def _check_folder(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISDIR(status.st_mode):
        raise DamagedState(f"{path} is not a folder but {_kind(status.st_mode)}", hint=_remove(path))
    if status.st_uid != os.geteuid():
        raise DamagedState(
            f"{path} belongs to user {status.st_uid}", hint=f"Look at it: `ls -ld {shlex.quote(str(path))}`."
        )


def _make_levels(path: Path) -> None:
    if os.path.lexists(path):
        return
    _make_levels(path.parent)
    with suppress(FileExistsError):
        os.mkdir(path, FOLDER_MODE)
        os.chmod(path, FOLDER_MODE)  # whatever the umask is
        sync_folder(path.parent)


def refused(path: Path, error: OSError) -> ProdigyError:
    """Return the error for a write that the disk refused, naming the file and the cause."""
    return StorageFailure(
        f"cannot write {path}: {error.strerror or error}",
        hint="Make room or repair the permissions, then `prodigy resume`.",
    )


def _may_be_ours(path: Path) -> bool:
    """Return whether a regular file, or nothing that can be seen, is at `path`."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return True


def _not_ours(path: Path) -> DamagedState:
    try:
        kind = _kind(path.lstat().st_mode)
    except OSError:
        kind = "something else"
    return DamagedState(f"{path} is not a plain file but {kind}", hint=_remove(path))


def _remove(path: Path) -> str:
    name = shlex.quote(str(path))
    return f"Prodigy never makes such a thing. Put it aside, then try again: `mv {name} {name}.aside`."


def _kind(mode: int) -> str:
    kinds = {
        stat.S_IFLNK: "a symlink",
        stat.S_IFIFO: "a FIFO",
        stat.S_IFDIR: "a folder",
        stat.S_IFREG: "a file",
    }
    return kinds.get(stat.S_IFMT(mode), "a device or socket")


def link(source: Path, target: Path) -> None:
    """Give a file a second name, unless something has that: for files in which nothing ever changes."""
    if not target.exists():
        os.link(source, target, follow_symlinks=False)
