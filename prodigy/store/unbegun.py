"""Runs that were killed before their first event: a folder without a turn, an output or a checkpoint.

Nothing was run and nothing is lost, so they are not damaged: lists leave them out, and the next cook removes them.
A run with an output or a checkpoint had begun, and has lost its log.
"""

import os
import time

from prodigy.errors import ProdigyError
from prodigy.store.generation import Generation
from prodigy.store.layout import Mirror, Project, RunFolder, checkpoints_of

YOUNG_S = 60.0  # a run may be about to begin so long


def never_began(project: Project, workflow_id: str, mirror: Mirror | None = None) -> bool:
    """Whether a run has a folder that says that nothing was ever started."""
    folder = project.run(workflow_id)
    try:
        return (
            not any(map(os.path.lexists, checkpoints_of(project, mirror, workflow_id)))
            and not _has_outputs(folder)
            and _has_no_turn(folder)
        )
    except (ProdigyError, OSError):
        return False


def is_young(project: Project, workflow_id: str) -> bool:
    """Whether a run's folder was made or changed so lately that it may be about to begin."""
    return time.time() - project.run(workflow_id).path.stat().st_mtime < YOUNG_S


def _has_outputs(folder: RunFolder) -> bool:
    return folder.outputs.is_dir() and bool(os.listdir(folder.outputs))


def _has_no_turn(folder: RunFolder) -> bool:
    match folder.generations():
        case []:
            return True
        case [1]:
            return Generation(folder, 1).read().verify().count == 0
    return False
