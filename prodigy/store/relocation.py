"""Recognize a project that was moved or renamed by the mirror of the folder where it was.

That a mirror knows the run's id is no proof, for a published log can come back with more in it than was written here.
The run is resumed without `--trust` only if nothing differs from what the mirror saw last: the checkpoint is the same
byte for byte, the log ends with its chain, and no order waits.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from prodigy.errors import DamagedState, ProdigyError
from prodigy.store.checkpoints import read_own_checkpoint
from prodigy.store.files import read_private, write_atomically
from prodigy.store.generation import Generation
from prodigy.store.layout import Mirror, Project, mirrors
from prodigy.store.values import Values


class Moved(NamedTuple):
    """Where a run's project was. `is_copy`: the run is there still; `is_same`: all is as the mirror saw it last."""

    mirror: Mirror
    root: Path
    is_copy: bool
    is_same: bool


def relocated_from(project: Project, workflow_id: str) -> Moved | None:
    """Return where this user's prodigy knew the run before, or None where it never did. Reads only."""
    with suppress(ProdigyError, OSError):
        for mirror in mirrors():
            root = mirror.root()
            if root is None or root == project.root or not mirror.knows(workflow_id):
                continue
            is_copy = os.path.lexists(Project(root).run(workflow_id).path)
            return Moved(mirror, root, is_copy, _is_same(project, mirror, workflow_id))
    return None


def hand_over(moved: Moved, mirror: Mirror, workflow_id: str) -> None:
    """Let the mirror of the project's new place have what the old one has of a run, which forgets it.

    Another project may take the old name then. There is a copy at any time, whenever this is killed.

    Raises:
        StorageFailure: the disk refused.
    """
    old = moved.mirror
    path = old.checkpoint(workflow_id)
    if checkpoint := read_own_checkpoint(path, workflow_id).checkpoint:
        values = Values(mirror.values)
        for digest in {checkpoint.plan_digest, *checkpoint.stored}:
            with suppress(DamagedState):
                values.copy(digest, Values(old.values))
        write_atomically(mirror.checkpoint(workflow_id), read_private(path))
    with suppress(OSError):
        path.unlink(missing_ok=True)
        (old.known / workflow_id).unlink(missing_ok=True)


def _is_same(project: Project, mirror: Mirror, workflow_id: str) -> bool:
    folder, own = project.run(workflow_id), project.checkpoint(workflow_id)
    checkpoint = read_own_checkpoint(own, workflow_id).checkpoint
    if checkpoint is None or read_private(own) != read_private(mirror.checkpoint(workflow_id)):
        return False
    if folder.generations()[-1:] != [checkpoint.generation] or (folder.inbox.is_dir() and os.listdir(folder.inbox)):
        return False
    return Generation(folder, checkpoint.generation).ends_with(checkpoint.chain)
