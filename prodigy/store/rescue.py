"""The ways to go on with a run whose log cannot be trusted, the one that loses least first. Reads only.

A copy of the checkpoint, which is the mirror or the run's own file, holds all that resume needs. Next come the versions
before the damage, and last a new start. Only ways that would work are listed.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import msgspec

from prodigy.errors import DamagedState, ProdigyError
from prodigy.kernel.state import Origin, State
from prodigy.projections.checkpoint import Checkpoint
from prodigy.projections.versions import Version, versions
from prodigy.store.checkpoints import read_own_checkpoint, restored_state
from prodigy.store.generation import Generation
from prodigy.store.history import lineage
from prodigy.store.layout import Mirror, Project, RunFolder
from prodigy.store.values import Values

MIRROR = "mirror"


class Way(NamedTuple):
    """A way out: what follows `resume ID`, a word each, and what it goes on from, in words."""

    options: tuple[str, ...]
    says: str


class Copy(NamedTuple):
    """A copy of a checkpoint that can be used, and the state that it holds."""

    checkpoint: Checkpoint
    state: State


def ways_out(project: Project, mirror: Mirror | None, workflow_id: str) -> list[Way]:
    """Return the ways to go on with a run, the one that loses least first; none where nothing is left to go on from."""
    copies = sorted(_of_copies(project, mirror, workflow_id), key=lambda way: way[0], reverse=True)
    found = [*copies[:1], *_of_versions(project.run(workflow_id))]  # of equal copies the mirror comes first
    found.sort(key=lambda way: way[0], reverse=True)
    ways = [way for _, way in found]
    if origin_of(project, mirror, workflow_id) is not None:
        ways.append(Way(("--force",), "start it over"))
    return ways


def is_file(where: str) -> bool:
    """Whether `--from-checkpoint` names the file of a checkpoint; a step or a stage of such a name gives way."""
    return where.endswith(".json") and os.path.isfile(where)


def usable_copy(path: Path, workflow_id: str, *folders: Path) -> Copy:
    """Return a copy of a run's checkpoint, with what it names from the first of these folders of values that has it.

    Raises:
        DamagedState: it is missing or cannot be used; the message says why.
    """
    found = read_own_checkpoint(path, workflow_id)
    if found.checkpoint is None:
        raise DamagedState(found.problem or f"there is no {path}")
    problem: Exception | None = None
    for folder in folders:
        try:
            return Copy(found.checkpoint, restored_state(found.checkpoint, Values(folder)))
        except (ProdigyError, msgspec.DecodeError) as refused:
            problem = problem or refused
    raise DamagedState(f"what {path} names cannot be read: {problem}")


def origin_of(project: Project, mirror: Mirror | None, workflow_id: str) -> Origin | None:
    """Return what a run was started with: from its log, else from a checkpoint, else from what is sound of its log."""
    origin, is_whole = _origin_in(project.run(workflow_id))
    if not is_whole:  # of a fork the beginning may be another run's
        for path, _ in _copies(project, mirror, workflow_id):
            if checkpoint := read_own_checkpoint(path, workflow_id).checkpoint:
                return checkpoint.snapshot.origin
    return origin


def printed_by(project: Project, mirror: Mirror | None, workflow_id: str) -> dict[str, str]:
    """Return which step each output file is of, as far as a copy of the checkpoint says."""
    for path, folders in _copies(project, mirror, workflow_id):
        with suppress(ProdigyError, OSError):
            state = usable_copy(path, workflow_id, *folders).state
            return {node.output_file: at for at, node in state.nodes.items() if node.output_file}
    return {}


def last_version(project: Project, mirror: Mirror | None, workflow_id: str) -> int:
    """Return the last version that any generation or copy has used: numbers are never used twice."""
    copies = (read_own_checkpoint(path, workflow_id).checkpoint for path, _ in _copies(project, mirror, workflow_id))
    used = [copy.version for copy in copies if copy is not None]
    folder = project.run(workflow_id)
    for generation in folder.generations():
        used += Generation(folder, generation).versions_used()
    return max(used, default=0)


def _copies(project: Project, mirror: Mirror | None, workflow_id: str) -> list[tuple[Path, tuple[Path, ...]]]:
    """Return where the copies of a run's checkpoint are, each with the folders that may have its values."""
    own, values = project.checkpoint(workflow_id), project.run(workflow_id).values
    if mirror is None:
        return [(own, (values,))]
    return [(mirror.checkpoint(workflow_id), (mirror.values,)), (own, (values, mirror.values))]


def _of_copies(project: Project, mirror: Mirror | None, workflow_id: str) -> Iterator[tuple[tuple[int, int], Way]]:
    own = project.checkpoint(workflow_id)
    for path, folders in _copies(project, mirror, workflow_id):
        with suppress(ProdigyError, OSError):
            copy = usable_copy(path, workflow_id, *folders).checkpoint
            where, name = (_short(own, project), "the checkpoint file") if path == own else (MIRROR, "the mirror")
            says = f"go on from {name}, which has seen event {copy.last_seq}"
            yield (copy.generation, copy.last_seq), Way(("--from-checkpoint", where), says)


def _of_versions(folder: RunFolder) -> Iterator[tuple[tuple[int, int], Way]]:
    """Yield the way back to the last version before the damage, in the newest generation that has one."""
    with suppress(ProdigyError, OSError):
        for generation in reversed(folder.generations()):
            if version := _last_in(folder, generation):
                says = f"go back to v{version.version}, after {version.at}"
                yield (version.generation, version.seq), Way(("--from-checkpoint", f"v{version.version}"), says)
                return


def _last_in(folder: RunFolder, generation: int) -> Version | None:
    last: Version | None = None
    with suppress(ProdigyError, OSError):
        for version in versions(lineage(folder, generation).logged_events()):
            last = version
    return last


def _origin_in(folder: RunFolder) -> tuple[Origin | None, bool]:
    """Return the origin that the newest log with a sound beginning tells, and whether all of that log is sound."""
    with suppress(ProdigyError, OSError):
        for generation in reversed(folder.generations()):
            state, is_whole = State(), True
            try:
                for step in lineage(folder, generation).steps():
                    state = step.state
            except (ProdigyError, OSError):
                is_whole = False
            if state.origin is not None:
                return state.origin, is_whole
    return None, False


def _short(path: Path, project: Project) -> str:
    """Return a path relative to here where that is shorter, and here is in the project: it is typed there."""
    try:
        relative, here = os.path.relpath(path), Path.cwd()
    except FileNotFoundError:  # the folder that we are in is gone
        return str(path)
    is_here = here.is_relative_to(project.root) and here != Path(path.anchor)
    return relative if is_here and not relative.startswith("..") else str(path)
