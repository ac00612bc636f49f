"""Go on from another moment: back to a version or step, ahead to a stage, from the mirror, or as a new run.

Nothing is ever cut: going back begins a new generation, a new log file that continues from an earlier place of the
history. A fork copies its history into a run of its own and stands alone.
"""

import os
import secrets
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from msgspec.structs import replace

from prodigy.errors import DamagedState, RunNotFound, UsageProblem
from prodigy.kernel import signals as sig
from prodigy.kernel.snapshot import snapshot_of
from prodigy.kernel.state import State
from prodigy.plan.parameters import fitted
from prodigy.plan.reference import suggestion
from prodigy.plan.stored import whole
from prodigy.runtime.bootstrap import (
    SUFFIX_ALPHABET,
    Ground,
    ResumeOrder,
    answers_to,
    is_unedited,
    play,
    revision_of,
    swept,
)
from prodigy.runtime.clock import now
from prodigy.runtime.host import Display
from prodigy.runtime.reaper import Reaper
from prodigy.runtime.trust import check_trust, mirror_for
from prodigy.store.catalog import last_number
from prodigy.store.files import link
from prodigy.store.history import lineage
from prodigy.store.journal import NewJournal
from prodigy.store.layout import Project, RunFolder, new_id, prepare_run
from prodigy.store.lock import RunLock, next_number
from prodigy.store.moments import Found, find_moment, find_node, find_seq, find_version, version_number
from prodigy.store.rescue import MIRROR, is_file, last_version, usable_copy
from prodigy.store.shelf import moved
from prodigy.store.values import Values


class ForkOrder(NamedTuple):
    """A new run that shares the history of another up to `at`: `v3`, an event's seq, a step or a stage.

    `trusted` takes the history of a run that this machine does not know, `accepts_changes` today's workflow file.
    """

    workflow_id: str
    at: str
    variables: dict[str, Any]
    trusted: bool = False
    accepts_changes: bool = False


def go_back(ground: Ground, order: ResumeOrder) -> State:
    """Go on from the moment that the order names, in a new generation.

    Raises:
        UsageProblem: there is no such moment; those that there are are listed.
        DamagedState: the log is damaged before it.
    """
    assert order.from_checkpoint is not None, "the caller has looked"
    if order.from_checkpoint == MIRROR:
        return _from_mirror(ground, order)
    if is_file(order.from_checkpoint):
        return _from_file(ground, order, Path(order.from_checkpoint))
    found = find_moment(ground.folder, order.from_checkpoint)
    return _go_on(ground, order, found, snapshot=False)


def fork(project: Project, order: ForkOrder, display: Display) -> State:
    """Make a new run that shares another's history until a moment, and go on with it; the other is untouched.

    Raises:
        RunNotFound: this machine does not know the run and it is not trusted.
        UsageProblem: there is no such moment, or a variable that the workflow does not have, or has as a list.
    """
    command = shlex.join(["fork", order.workflow_id, "--at", order.at, *_settings(order.variables)])
    check_trust(project, order.workflow_id, trusted=order.trusted, command=command)
    source = project.run(order.workflow_id)
    found = _moment_of(source, order.at)
    variables = _checked(found.state, order.variables)
    revision, notes = _revision_of_fork(project, order, found, variables)
    suffix = "".join(secrets.choice(SUFFIX_ALPHABET) for _ in range(6))
    workflow_id = new_id(found.state.plan.name, suffix)
    folder = prepare_run(project, workflow_id)
    mirror = mirror_for(project, workflow_id, display)
    reaper = Reaper.start(folder.path)
    try:
        with RunLock.acquire(folder.lock, command="fork"):
            answers = {} if found.target else answers_to(found.state, revision, display)
            for note in notes:
                display.note(note)
            journal = _copied(source, folder, found)
            first = sig.ResumeRequested(
                time=now(),
                number=next_number(project, lambda: last_number(project, mirror)),
                answers=answers,
                revision=revision,
                notes=notes,
                fork=sig.Fork(workflow_id=workflow_id, from_workflow_id=order.workflow_id, variables=variables),
            )
            state = moved(found.state, journal.values, workflow_id)
            return play(Ground(project, folder, mirror, reaper, display), state, journal, first)
    finally:
        reaper.close()


def _revision_of_fork(
    project: Project, order: ForkOrder, found: Found, variables: dict[str, Any]
) -> tuple[sig.Revision | None, tuple[str, ...]]:
    """Return the edited workflow where it is wanted; where it is not, a fork goes on with the text as it was."""
    state = found.state
    path = project.root / state.run.workflow_path
    if not order.accepts_changes:
        if not path.is_file() or is_unedited(path, state):
            return None, ()
        how = "the fork goes on with the text as it was; --accept-changes takes the new one"
        return None, (f"{path.name} was edited: {how}",)
    origin = replace(state.run, parameters={**state.run.parameters, **variables})
    wanted = ResumeOrder(workflow_id=order.workflow_id, accepts_changes=True)
    revision, notes = revision_of(project, wanted, replace(state, origin=origin))
    _check_place(found, revision)
    return revision, notes


def _check_place(found: Found, revision: sig.Revision | None) -> None:
    if found.at and revision is not None and revision.moved.get(found.at, found.at) not in revision.plan.nodes:
        raise RunNotFound(
            f"{found.at} is not in the edited {found.state.run.workflow_path} any more",
            hint="Go back to a version before it, or put it back into the file.",
        )


def _go_on(ground: Ground, order: ResumeOrder, found: Found, *, snapshot: bool) -> State:
    """Begin a generation that continues from a moment, and play it."""
    project, folder, display = ground.project, ground.folder, ground.display
    revision, notes = revision_of(project, order, found.state)
    _check_place(found, revision)
    answers = {} if found.target else answers_to(found.state, revision, display)
    for note in (*notes, *swept(folder)):
        display.note(note)
    generation = max(folder.generations(), default=found.generation) + 1
    first = sig.ResumeRequested(
        time=now(),
        number=next_number(project, lambda: last_number(project, ground.mirror)),
        max_retries=order.max_retries,
        max_parallel=order.max_parallel,
        answers=answers,
        revision=revision,
        notes=notes,
        rewind=sig.Rewind(
            workflow_id=order.workflow_id,
            generation=generation,
            parent=found.generation,
            from_seq=found.seq,
            from_chain=found.chain,
            version=max(found.state.version, last_version(project, ground.mirror, order.workflow_id)),
            reason=f"resume --from-checkpoint {order.from_checkpoint}",
            by=display.operator,
            target=found.target,
            restored=snapshot_of(found.state, _whole_captures(found.state)) if snapshot else None,
        ),
    )
    return play(ground, found.state, NewJournal(folder, generation, seq=found.seq, chain=found.chain), first)


def _from_mirror(ground: Ground, order: ResumeOrder) -> State:
    """Take the run up from the copy of its checkpoint in the global folder, whatever is left of its log."""
    if ground.mirror is None:
        raise RunNotFound("there is no mirror of this project", hint="List what there is: `prodigy checkpoints list`.")
    path = ground.mirror.checkpoint(order.workflow_id)
    return _from_copy(ground, order, path, ground.mirror.values, name="the mirror")


def _from_file(ground: Ground, order: ResumeOrder, path: Path) -> State:
    """Take the run up from a file of its checkpoint, whatever is left of its log."""
    values = [ground.folder.values, *([ground.mirror.values] if ground.mirror else [])]
    return _from_copy(ground, order, path, *values, name=str(path))


def _from_copy(ground: Ground, order: ResumeOrder, path: Path, *values: Path, name: str) -> State:
    try:
        checkpoint, state = usable_copy(path, order.workflow_id, *values)
    except DamagedState as problem:
        raise DamagedState(
            f"{name} cannot be used for {order.workflow_id}: {problem.message}", workflow_id=order.workflow_id
        ) from problem
    in_flight = ", ".join(state.in_flight) or "nothing"
    ground.display.note(
        f"going on from {name}, version v{state.version} of {state.time}; what came after it may run again "
        f"(then in flight: {in_flight})"
    )
    moment = Found(state, checkpoint.generation, state.seq, checkpoint.chain)
    return _go_on(ground, order, moment, snapshot=True)


def _whole_captures(state: State) -> dict[str, Any]:
    """Return the captures to stand in an event, for what keeps them now may be gone later."""
    return {name: whole(value) for name, value in state.captures.items()}


def _moment_of(folder: RunFolder, at: str) -> Found:
    """Return the moment that `vN`, a bare event seq, a step or a stage means."""
    number = version_number(at)
    if number is None:
        return find_node(folder, at)
    return find_version(folder, number) if at.startswith("v") else find_seq(folder, number)


def _settings(variables: dict[str, Any]) -> Iterator[str]:
    for name, value in variables.items():
        yield from ("--set", f"{name}={value}")


def _checked(state: State, variables: dict[str, Any]) -> dict[str, Any]:
    """Return the changed variables, each of the kind of the one that it replaces."""
    known = {**state.plan.variables, **state.captures}
    for name in variables:
        if name not in known:
            near = suggestion(name, tuple(known), form="{}")
            raise UsageProblem(
                f"the run has no variable {name!r}",
                hint=near or (f"It has {', '.join(known)}." if known else "It has none."),
            )
    return {name: fitted(name, value, whole(known[name]), option="--set") for name, value in variables.items()}


def _copied(source: RunFolder, folder: RunFolder, found: Found) -> NewJournal:
    """Copy the history until a moment, with the values and outputs that it names, into a log of its own."""
    _link_all(source.outputs, folder.outputs)
    journal = NewJournal(folder, 1)
    history = lineage(source, found.generation).until(found.seq)
    journal.copy(history.lines(), Values(source.values), seq=found.seq, chain=found.chain)
    return journal


def _link_all(source: Path, target: Path) -> None:
    """Give the files of a folder a second name; what is in them never changes."""
    if not source.is_dir():
        return
    for entry in os.scandir(source):
        if entry.is_file(follow_symlinks=False):
            link(Path(entry.path), target / entry.name)
