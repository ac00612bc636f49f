"""Go on from another point: back to a version or step, ahead to a stage, from the mirror, or as a new run.

No log is ever cut. Going back begins a new generation: a log file that continues from an earlier place of the history.
A fork copies its history into a new run and does not depend on the old one.
"""

import os
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from prodigy.errors import DamagedState, RunNotFound, UsageProblem
from prodigy.kernel import signals as sig
from prodigy.kernel.snapshot import snapshot_of
from prodigy.kernel.state import State
from prodigy.plan.parameters import fitted
from prodigy.plan.reference import suggestion
from prodigy.plan.stored import whole
from prodigy.runtime.clock import now
from prodigy.runtime.host.host import Display
from prodigy.runtime.orders.costs import money_until_now
from prodigy.runtime.orders.owner import Owner, new_run
from prodigy.runtime.orders.running import answers_to, run_until_rest
from prodigy.runtime.orders.trust import check_trust
from prodigy.runtime.orders.workflow import check_limit, is_unedited, revision_of
from prodigy.store.files import link
from prodigy.store.history import lineage
from prodigy.store.journal import NewJournal
from prodigy.store.large_values import with_captures_copied
from prodigy.store.layout import Project, RunFolder, find_mirror
from prodigy.store.orders import Fork, GoBack, TakeCopy
from prodigy.store.rescue import MIRROR, last_version, usable_copy
from prodigy.store.restore_points import (
    RestorePoint,
    find_node,
    find_restore_point,
    find_seq,
    find_version,
    version_number,
)
from prodigy.store.validation import lost_where_missed
from prodigy.store.values import Values


def go_back(owner: Owner, order: GoBack, display: Display) -> State:
    """Go on from the moment that the order names, in a new generation.

    Raises:
        UsageProblem: there is no such moment; those that there are are listed.
        DamagedState: the log is damaged before it.
    """
    with lost_where_missed(owner.project, owner.mirror, owner.workflow_id):
        found = find_restore_point(owner.folder, order.at)
    return _go_on(owner, order, display, found, where=order.at)


def from_copy(owner: Owner, order: TakeCopy, display: Display) -> State:
    """Take the run up from a copy of its checkpoint, whatever is left of its log.

    Raises:
        RunNotFound: there is no mirror.
        DamagedState: the copy cannot be used.
    """
    mirror = owner.mirror
    if order.where == MIRROR and mirror is None:
        raise RunNotFound("there is no mirror of this project", hint="List what there is: `prodigy checkpoints list`.")
    if order.where == MIRROR and mirror is not None:
        name, path, values = "the mirror", mirror.checkpoint(owner.workflow_id), [mirror.values]
    else:
        name, path, values = order.where, Path(order.where), [owner.folder.values, *([mirror.values] if mirror else [])]
    try:
        checkpoint, state = usable_copy(path, owner.workflow_id, *values)
    except DamagedState as problem:
        raise DamagedState(
            f"{name} cannot be used for {owner.workflow_id}: {problem.message}", workflow_id=owner.workflow_id
        ) from problem
    in_flight = ", ".join(state.in_flight) or "nothing"
    display.note(
        f"going on from {name}, version v{state.version} of {state.time}; what came after it may run again "
        f"(then in flight: {in_flight})"
    )
    found = RestorePoint(state, checkpoint.generation, state.seq, checkpoint.chain)
    return _go_on(owner, order, display, found, where=order.where, is_lost=True)


def fork(project: Project, workflow_id: str, order: Fork, display: Display) -> State:
    """Make a new run that shares another's history until a moment, and go on with it; the other is untouched.

    Raises:
        RunNotFound: this machine does not know the run and it is not trusted.
        UsageProblem: there is no such moment, or a variable that the workflow does not have, or has as a list.
    """
    command = shlex.join(["fork", workflow_id, "--at", order.at, *_settings(order.variables)])
    check_trust(project, workflow_id, trusted=order.trusted, command=command)
    source = project.run(workflow_id)
    with lost_where_missed(project, find_mirror(project), workflow_id):
        found = _moment_of(source, order.at)
    variables = _checked(found.state, order.variables)
    revision, notes = _revision_of_fork(project, workflow_id, order, found, variables)
    with new_run(project, found.state.plan.name, command="fork", note=display.note) as owner:
        answers = {} if found.target else answers_to(found.state, revision, display)
        for note in notes:
            display.note(note)
        journal = owner.keep(_copied(source, owner.folder, found))
        first = sig.ResumeRequested(
            time=now(),
            number=owner.next_number(),
            answers=answers,
            revision=revision,
            notes=notes,
            fork=sig.Fork(workflow_id=owner.workflow_id, from_workflow_id=workflow_id, variables=variables),
        )
        state = with_captures_copied(found.state, journal.values, owner.workflow_id)
        return run_until_rest(owner, display, state, journal, first)


def _revision_of_fork(
    project: Project, workflow_id: str, order: Fork, found: RestorePoint, variables: dict[str, Any]
) -> tuple[sig.Revision | None, tuple[str, ...]]:
    """Return the edited workflow where it is wanted; where it is not, a fork goes on with the text as it was."""
    state = found.state
    path = project.root / state.run.workflow_path
    if not order.accepts_changes:
        if not path.is_file() or is_unedited(path, state):
            return None, ()
        how = "the fork goes on with the text as it was; --accept-changes takes the new one"
        return None, (f"{path.name} was edited: {how}",)
    changed = replace(state, origin=replace(state.run, parameters={**state.run.parameters, **variables}))
    revision, notes = revision_of(project, workflow_id, changed, accepts_changes=True)
    _check_place(found, revision)
    return revision, notes


def _check_place(found: RestorePoint, revision: sig.Revision | None) -> None:
    if found.at and revision is not None and revision.moved.get(found.at, found.at) not in revision.plan.nodes:
        raise RunNotFound(
            f"{found.at} is not in the edited {found.state.run.workflow_path} any more",
            hint="Go back to a version before it, or put it back into the file.",
        )


def _go_on(
    owner: Owner,
    order: GoBack | TakeCopy,
    display: Display,
    found: RestorePoint,
    *,
    where: str,
    is_lost: bool = False,
) -> State:
    """Begin a generation that continues from a moment, and play it; where it `is_lost` no log leads to it."""
    project, workflow_id = owner.project, owner.workflow_id
    revision, notes = revision_of(project, workflow_id, found.state, accepts_changes=order.accepts_changes)
    _check_place(found, revision)
    check_limit(revision.plan if revision else found.state.plan, order.max_parallel)
    answers = {} if found.target else answers_to(found.state, revision, display)
    for note in notes:
        display.note(note)
    owner.end_orphans()
    generation = max(owner.folder.generations(), default=found.generation) + 1
    journal = owner.keep(NewJournal(owner.folder, generation, seq=found.seq, chain=found.chain))
    # What a copy names may be gone later with whoever keeps it.
    state = with_captures_copied(found.state, journal.values, workflow_id) if is_lost else found.state
    first = sig.ResumeRequested(
        time=now(),
        number=owner.next_number(),
        max_retries=order.max_retries,
        max_parallel=order.max_parallel,
        answers=answers,
        revision=revision,
        notes=notes,
        rewind=sig.Rewind(
            workflow_id=workflow_id,
            generation=generation,
            parent=found.generation,
            from_seq=found.seq,
            from_chain=found.chain,
            version=max(found.state.version, last_version(project, owner.mirror, workflow_id)),
            reason=f"resume --from-checkpoint {where}",
            by=display.operator,
            target=found.target,
            restored=snapshot_of(state, dict(state.captures)) if is_lost else None,
            ledger=money_until_now(owner).ledger,
        ),
    )
    return run_until_rest(owner, display, state, journal, first)


def _moment_of(folder: RunFolder, at: str) -> RestorePoint:
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


def _copied(source: RunFolder, folder: RunFolder, found: RestorePoint) -> NewJournal:
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
