"""Keep git's hands off the state folder, for the commands of a run use git, and agents clean, stash and add freely.

The folder's own `.gitignore` ignores everything in it, itself too, except what people write for each other: what is
ignored is neither cleaned, nor stashed, nor added. Where there is a repository its `info/exclude` says the same, for
the moment in which the first may be missing. No git is run here.
"""

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from prodigy.errors import DamagedState, ProdigyError
from prodigy.store.files import read_private, write_all, write_atomically

IGNORE = b"*\n!config.yml\n!templates/\n!templates/**\n"
EXCLUDE = b"**/.prodigy/*\n!**/.prodigy/config.yml\n!**/.prodigy/templates/\n"

# What earlier versions wrote: it did not ignore itself, so the first `git clean` took it away.
_EARLIER = (b"*\n!config.yml\n!templates/\n!templates/**\n!.gitignore\n",)
_BYTES_MAX = 1 << 20


def ignore(state: Path) -> None:
    """Have git ignore the state folder, which exists; a `.gitignore` that people changed stays as it is.

    Raises:
        StorageFailure: the disk refused the `.gitignore`. A repository that cannot be told is passed over.
    """
    path = state / ".gitignore"
    with suppress(OSError, DamagedState):
        if read_private(path, bytes_max=_BYTES_MAX) in _EARLIER:
            write_atomically(path, IGNORE)
    if not os.path.lexists(path):
        write_atomically(path, IGNORE)
    with suppress(OSError):
        _exclude(state.parent)


def put_back(state: Path) -> None:
    """Write the `.gitignore` again if somebody removed it, but not the folder it is in. One look where it is there."""
    path = state / ".gitignore"
    if not os.path.lexists(path):
        with suppress(ProdigyError):
            write_atomically(path, IGNORE)


def _exclude(project: Path) -> None:
    """Add our lines to the `info/exclude` of the repository that a project is in, once.

    Raises:
        OSError: what the system says; without a repository nothing is done.
    """
    folder = _common_folder(project)
    if folder is None:
        return
    (folder / "info").mkdir(exist_ok=True)
    path = folder / "info" / "exclude"
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # or another is adding them just now
        data = os.pread(descriptor, _BYTES_MAX, 0)
        if EXCLUDE.splitlines()[0] not in data.splitlines():
            write_all(descriptor, (b"\n" if data and not data.endswith(b"\n") else b"") + EXCLUDE)
    finally:
        os.close(descriptor)


def _common_folder(project: Path) -> Path | None:
    """Return the folder that all worktrees of a project's repository share, or None outside of any of ours."""
    for folder in (project, *project.parents):
        if os.path.lexists(folder / ".git"):
            own = _named(folder, folder / ".git", b"gitdir:") if (folder / ".git").is_file() else folder / ".git"
            if not (own / "HEAD").is_file() or own.stat().st_uid != os.geteuid():
                return None
            return _named(own, own / "commondir") if (own / "commondir").is_file() else own
    return None


def _named(folder: Path, file: Path, key: bytes = b"") -> Path:
    """Return the folder that a file of git's names, relative to `folder`."""
    with file.open("rb") as opened:
        return folder / os.fsdecode(opened.read(_BYTES_MAX).strip().removeprefix(key).strip())
