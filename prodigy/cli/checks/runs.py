"""Runs that nobody owns: their lock, log, checkpoint, mirror and values should agree."""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from prodigy.cli.checks.finding import Examined, Finding, quoted, remove, resume, warning, wrong
from prodigy.cli.program import program
from prodigy.cli.rescue import least_costly
from prodigy.errors import DamagedState, ProdigyError
from prodigy.plan.phrases import counted
from prodigy.store.catalog import cleaned_ids, mirrored_ids, workflow_ids
from prodigy.store.checkpoints import CheckpointRead, read_own_checkpoint
from prodigy.store.files import read_private
from prodigy.store.generation import Generation
from prodigy.store.history import History, read_history
from prodigy.store.layout import Mirror, Project
from prodigy.store.relocation import relocated_from
from prodigy.store.unbegun import never_began
from prodigy.store.values import digests_in

_DIGEST = re.compile(r"[0-9a-f]{64}")


def strange_locks(examined: Examined) -> Iterator[Finding]:
    """Yield the locks that cannot be read: nobody knows whether those runs are owned."""
    for workflow_id, problem in examined.strange_locks.items():
        lock = examined.project.run(workflow_id).lock
        yield wrong("lock", f"the lock of {workflow_id} cannot be read: {problem}", f"rm -r {quoted(lock)}")


def lost_runs(examined: Examined) -> Iterator[Finding]:
    """Yield what is left of runs whose folder is gone: a copy in the mirror, or only a checkpoint."""
    project, mirror = examined.project, examined.mirror
    try:
        there, mirrored = {*workflow_ids(project), *cleaned_ids(project)}, mirrored_ids(mirror)
    except ProdigyError:
        return
    for workflow_id in mirrored:
        if workflow_id not in there:
            what = f"the folder of {workflow_id} is gone; its mirror is left"
            yield wrong("lost", what, resume(workflow_id, "--from-checkpoint", "mirror"))
    for path in sorted(project.checkpoints.glob("*.json")) if project.checkpoints.is_dir() else []:
        if path.stem not in there and path.stem not in mirrored and not path.is_symlink():
            yield wrong("leftover", f"{path.name} is the checkpoint of a run that is gone", remove([path]))


def ownerless_runs(examined: Examined) -> Iterator[Finding]:
    """Yield what is wrong with each run that nobody owns: with its log, or else what does not agree with it."""
    for workflow_id in examined.ownerless:
        read = _read(examined, workflow_id)
        if isinstance(read, Finding):
            yield read
            continue
        for check in (_killed, _checkpoint, _trust, _values):
            yield from check(read)


class _Run(NamedTuple):
    """A run whose log can be read: what its other files have to agree with."""

    project: Project
    mirror: Mirror | None
    workflow_id: str
    own: CheckpointRead
    history: History


def _read(examined: Examined, workflow_id: str) -> _Run | Finding:
    """Return a run with its history, or why there is none."""
    project, mirror = examined.project, examined.mirror
    folder = project.run(workflow_id)
    if never_began(project, workflow_id, mirror):
        what = f"{workflow_id} was killed before anything was started; a later cook removes its empty folder"
        return warning("leftover", what, f"rm -r {quoted(folder.path)}")
    if not folder.generations():
        return _lost_log(examined, workflow_id)
    own = read_own_checkpoint(project.checkpoint(workflow_id), workflow_id)
    try:
        history = read_history(folder, own.checkpoint)
    except (ProdigyError, OSError) as problem:
        remove_it = f"{program()} checkpoints clean --workflow-id {workflow_id} --purge"
        return wrong("log", str(problem), least_costly(project, mirror, workflow_id) or remove_it)
    if history.state.origin is None:
        mend = least_costly(project, mirror, workflow_id) or f"rm -r {quoted(folder.path)}"
        return wrong("log", f"{workflow_id} was never started: its log is empty", mend)
    return _Run(project, mirror, workflow_id, own, history)


def _lost_log(examined: Examined, workflow_id: str) -> Finding:
    folder = examined.project.run(workflow_id).path
    if way := least_costly(examined.project, examined.mirror, workflow_id):
        return wrong("log", f"the log of {workflow_id} is gone; a copy of its checkpoint is left", way)
    what = f"{workflow_id} has no log; what is left in its folder belongs to nothing"
    return wrong("leftover", what, f"rm -r {quoted(folder)}")


def _killed(run: _Run) -> Iterator[Finding]:
    if run.history.state.status == "running":
        what = f"{run.workflow_id} says running, and no process owns it: it was killed, or the machine stopped"
        yield wrong("owner", what, resume(run.workflow_id))


def _checkpoint(run: _Run) -> Iterator[Finding]:
    """A checkpoint that is not what the log says; that of a killed run is made again as it goes on."""
    if run.history.state.status == "running":
        return
    reason = run.own.problem or ", ".join(run.history.notes)
    if run.own.checkpoint is None:
        reason = reason or "there is none"
    elif not run.history.is_current:
        reason = reason or "it is older than the log"
    if reason:
        mend = f"{program()} checkpoints validate {run.workflow_id} --repair"
        yield wrong("checkpoint", f"the checkpoint of {run.workflow_id}: {reason}", mend)


def _trust(run: _Run) -> Iterator[Finding]:
    """A run that the mirror here does not know: its project was moved, or it comes from elsewhere."""
    workflow_id = run.workflow_id
    if run.mirror is None or run.mirror.knows(workflow_id) or run.history.state.status == "completed":
        return
    moved = relocated_from(run.project, workflow_id)
    if moved is not None and moved.is_same and not moved.is_copy:
        what = f"the project of {workflow_id} was moved here from {moved.root}"
        yield warning("trust", what, resume(workflow_id))
    else:
        what = f"{workflow_id} was not started on this machine by this user; resume asks whether you trust it"
        yield warning("trust", what, resume(workflow_id, "--trust"))


def _values(run: _Run) -> Iterator[Finding]:
    """Values that neither a log nor a checkpoint names: a crash came between them and their event."""
    if run.own.checkpoint is None:
        return  # what it would name is not known: it is made again first
    folder = run.project.run(run.workflow_id)
    if not (there := _names(folder.values)):
        return
    for generation in folder.generations():
        there -= Generation(folder, generation).digests()
    mirrored = [run.mirror.checkpoint(run.workflow_id)] if run.mirror else []
    for copy in (run.project.checkpoint(run.workflow_id), *mirrored):
        with suppress(OSError, DamagedState):
            there -= digests_in(read_private(copy))
    if unnamed := sorted(there):
        what = f"{run.workflow_id} keeps {counted(len(unnamed), 'value')} that nothing names"
        yield warning("leftover", what, remove(folder.values / name for name in unnamed))


def _names(folder: Path) -> set[str]:
    try:
        return {name for name in os.listdir(folder) if _DIGEST.fullmatch(name)}
    except OSError:
        return set()
