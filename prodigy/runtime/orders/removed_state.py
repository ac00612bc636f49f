"""Say that the state of a live run was removed, and how to go on from its mirror."""

import os
from pathlib import Path

from prodigy.errors import ProdigyError, StorageFailure
from prodigy.store.layout import Project, find_mirror
from prodigy.store.overview import read_header


def state_removed(project: Project, workflow_id: str, log: Path) -> StorageFailure | None:
    """Return what to say of a run whose state is gone, or None where it is still there.

    Args:
        log: the file that the run writes its events to. Its checkpoint and mirror are written no more.
    """
    folder = project.run(workflow_id).path
    gone = next((path for path in (project.state, project.runs, folder, log) if not os.path.lexists(path)), None)
    if gone is None:
        return None
    by = ", as `git clean -x` does" if gone == project.state else ""
    return StorageFailure(
        f"{gone} was removed while {workflow_id} went on{by}: nothing could be written down any more, "
        "so the run was stopped",
        hint=_way_back(project, workflow_id),
    )


def _way_back(project: Project, workflow_id: str) -> str:
    try:
        mirror = find_mirror(project)
        if mirror is None or read_header(mirror.checkpoint(workflow_id), workflow_id) is None:
            return "No mirror is left of it either: `prodigy cook FILE` begins again."
        trust = "" if mirror.knows(workflow_id) else " --trust"
    except (ProdigyError, OSError) as problem:
        return f"Its mirror cannot be read: {problem}"
    return (
        f"What was done until then is in its mirror: `prodigy resume {workflow_id} --from-checkpoint mirror{trust}`, "
        f"typed in {project.root}."
    )
