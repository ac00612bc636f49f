"""Remove the files of runs that will not be resumed. Their logs stay for audits unless they are purged.

The log records it first (`run_cleaned`), then the files are removed. If cleaning is interrupted the run still counts as
cleaned, and cleaning it again removes the rest. The run's lock is held meanwhile, so a live run is never touched.
Folders are opened level by level and never through a link, and only the names found in them are removed.

Large values in the mirror are shared by all runs of a project. They are removed when no mirrored checkpoint names them
and no run is live that may be about to.
"""

import os
import re
import shlex
import shutil
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from prodigy.errors import DamagedState, StorageFailure
from prodigy.store.catalog import cleaning_of, mirrored_ids, overview, workflow_ids
from prodigy.store.files import existing_folder, locked, read_private
from prodigy.store.layout import Mirror, Project, checkpoints_of
from prodigy.store.lock import holder

FINISHED = frozenset(("completed", "cancelled"))

_KEPT = re.compile(r"lock|events-.*")  # torn tails are named like the log that they were cut from
_DIGEST = re.compile(r"[0-9a-f]{64}")


class _Names(msgspec.Struct):
    plan_digest: str
    stored_captures: dict[str, str] = {}
    stored_items: dict[str, str] = {}
    stored_scoped: dict[str, dict[str, str]] = {}


_NAMES = msgspec.json.Decoder(_Names)


def remove(project: Project, mirror: Mirror | None, workflow_id: str, *, purge: bool) -> None:
    """Remove what is kept of a run that its caller owns, and that its log calls cleaned.

    Raises:
        DamagedState: a link stands in the way.
        StorageFailure: the disk refused; once more removes the rest.
    """
    remove_checkpoints(project, mirror, workflow_id, purge=purge)
    _empty(project, workflow_id, purge=purge)


def has_folder(project: Project, workflow_id: str) -> bool:
    """Whether the run has a folder of ours; a link in its place, or above it, is refused."""
    return all(existing_folder(path) for path in (project.state, project.runs, project.run(workflow_id).path))


def is_finished(project: Project, workflow_id: str) -> bool:
    """Whether a run needs no resume: it is completed, cancelled or cleaned, whoever owns it."""
    header = overview(project, workflow_id).header
    is_over = header is not None and header.execution_state.status in FINISHED
    return is_over or bool(cleaning_of(project, workflow_id))


def weigh(project: Project, mirror: Mirror | None, workflow_id: str, *, purge: bool) -> int:
    """Return how many bytes cleaning a run frees; nothing is changed.

    Files that a fork shares free nothing, and count nothing. Values in the mirror are weighed by `weigh_values`.
    """
    sizes = [_size(path.parent, path.name) for path in checkpoints_of(project, mirror, workflow_id)]
    with _opened(project.root, *project.run(workflow_id).path.relative_to(project.root).parts) as descriptor:
        if descriptor is not None:
            sizes += [_size_of(descriptor, name) for name in _going(descriptor, purge=purge)]
    return sum(sizes)


def weigh_values(project: Project, mirror: Mirror | None, gone: Iterable[str]) -> int:
    """Return the bytes of the mirrored values that nobody would need any more without these runs."""
    if mirror is None:
        return 0
    return sum(_size(mirror.values, name) for name in _unneeded(project, mirror, frozenset(gone)))


def clean_values(project: Project, mirror: Mirror | None) -> int:
    """Remove the mirrored values that no run of the project needs any more, and return their bytes.

    Raises:
        StorageFailure: the disk refused.
    """
    if mirror is None:
        return 0
    with locked(mirror.lock):  # which a run that begins waits for: none comes to need one of them now
        return sum(_remove(mirror.values, name) for name in _unneeded(project, mirror, frozenset()))


def remove_checkpoints(project: Project, mirror: Mirror | None, workflow_id: str, *, purge: bool) -> int:
    """Remove both copies of the checkpoint, and return their bytes; what is purged this machine forgets too."""
    if purge and mirror is not None:
        _remove(mirror.known, workflow_id)
    return sum(_remove(path.parent, path.name) for path in checkpoints_of(project, mirror, workflow_id))


def _empty(project: Project, workflow_id: str, *, purge: bool) -> None:
    """Remove what is in the run's folder; when it is purged the log too, which says that, and the folder itself."""
    names = project.run(workflow_id).path.relative_to(project.root).parts
    with _opened(project.root, *names) as descriptor:
        if descriptor is None:
            return
        for name in sorted(_going(descriptor, purge=purge), key=_last_what_guards):
            _remove_at(descriptor, name)
    if purge:
        with _opened(project.root, *names[:-1]) as descriptor, _refusals(project.run(workflow_id).path):
            os.rmdir(workflow_id, dir_fd=descriptor)


def _last_what_guards(name: str) -> int:
    """The log says that the run is cleaned and the lock that somebody is at it: they go when all else has gone."""
    return 2 if name == "lock" else name.startswith("events-")


def _going(descriptor: int, *, purge: bool) -> list[str]:
    """Return the names in a run's folder that cleaning removes."""
    return [name for name in os.listdir(descriptor) if purge or not _KEPT.fullmatch(name)]


def _unneeded(project: Project, mirror: Mirror, gone: frozenset[str]) -> list[str]:
    """Return the names of mirrored values that no checkpoint of another run than `gone` names.

    None while a run is live, or where a checkpoint cannot be read: what it names is not known.
    """
    if not existing_folder(mirror.values):
        return []
    stored = [name for name in os.listdir(mirror.values) if _DIGEST.fullmatch(name)]
    if any(holder(project.run(workflow_id).lock) for workflow_id in workflow_ids(project)):
        return []
    named = set[str]()
    for workflow_id in mirrored_ids(mirror):
        if workflow_id in gone:
            continue
        try:
            names = _NAMES.decode(read_private(mirror.checkpoint(workflow_id)))
        except (OSError, DamagedState, msgspec.DecodeError):
            return []
        named |= {names.plan_digest, *names.stored_captures.values(), *names.stored_items.values()}
        named |= {digest for stored in names.stored_scoped.values() for digest in stored.values()}
    return [name for name in stored if name not in named]


# The disk -------------------------------------------------------------------------------------------------


@contextmanager
def _opened(root: Path, *names: str) -> Iterator[int | None]:
    """Open a folder by the names that lead to it from `root`, none of them a link; None where it is not there."""
    descriptor = _folder(root, None)
    try:
        for name in names:
            if descriptor is None:
                break
            above, descriptor = descriptor, None
            try:
                descriptor = _folder(Path(name), above, shown=root.joinpath(*names))
            finally:
                os.close(above)
        yield descriptor
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _folder(path: Path, above: int | None, *, shown: Path | None = None) -> int | None:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | (0 if above is None else os.O_NOFOLLOW)
    try:
        return os.open(path, flags, dir_fd=above)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DamagedState(
            f"nothing is removed in {shown or path}: it, or a folder above it, is no folder of ours ({error.strerror})",
            hint=f"Look at it: `ls -ld {shlex.quote(str(shown or path))}`.",
        ) from error


def _remove(folder: Path, name: str) -> int:
    """Remove a file of a folder of ours and return the bytes that frees; one that is not there frees none."""
    with _opened(folder.parent.parent, folder.parent.name, folder.name) as descriptor:
        if descriptor is None:
            return 0
        size = _size_of(descriptor, name)
        with _refusals(folder / name):
            os.unlink(name, dir_fd=descriptor)
        return size


def _remove_at(descriptor: int, name: str) -> None:
    """Remove a file, a link itself, or a folder with all that is in it."""
    with _refusals(Path(name)):
        if stat.S_ISDIR(os.stat(name, dir_fd=descriptor, follow_symlinks=False).st_mode):
            shutil.rmtree(name, dir_fd=descriptor)
        else:
            os.unlink(name, dir_fd=descriptor)


@contextmanager
def _refusals(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        pass  # somebody was faster
    except OSError as error:
        raise StorageFailure(
            f"cannot remove {path}: {error.strerror}", hint="Mend the permissions, then clean it once more."
        ) from error


def _size(folder: Path, name: str) -> int:
    with _opened(folder.parent.parent, folder.parent.name, folder.name) as descriptor:
        return 0 if descriptor is None else _size_of(descriptor, name)


def _size_of(descriptor: int, name: str) -> int:
    """Return the bytes that removing this frees: of a folder, all that is in it; of a file with a second name, none."""
    try:
        status = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
        if not stat.S_ISDIR(status.st_mode):
            return _freed(status)
        walk = os.fwalk(name, dir_fd=descriptor)
        found = ((folder, file) for _, _, files, folder in walk for file in files)
        return sum(_freed(os.stat(file, dir_fd=folder, follow_symlinks=False)) for folder, file in found)
    except FileNotFoundError:
        return 0


def _freed(status: os.stat_result) -> int:
    return status.st_size if stat.S_ISREG(status.st_mode) and status.st_nlink == 1 else 0
