"""Start a run, or take one up again: everything between a command line and the reactor's first signal.

The order is what keeps promises. The reaper is forked first, before threads and before the lock; the lock is taken
before the log is looked at; what a dead coordinator left running is ended before anything runs again; and nothing
is written into the log before the workflow file, the log and the operator's answers are known to be in order.
"""

import os
import secrets
import shlex
import stat
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec

import prodigy
from prodigy.errors import (
    DamagedState,
    Problem,
    ProdigyError,
    UsageProblem,
    WorkflowProblem,
)
from prodigy.kernel import signals as sig
from prodigy.kernel.align import Alignment, align
from prodigy.kernel.events import PlanChanged
from prodigy.kernel.evolve import evolve
from prodigy.kernel.queries import questions
from prodigy.kernel.state import Origin, State
from prodigy.plan.nodes import Plan
from prodigy.plan.spelling import as_number
from prodigy.plan.words import agreeing, counted
from prodigy.projections.checkpoint import Checkpoint
from prodigy.runtime.beside import beside
from prodigy.runtime.checkpointer import Checkpointer
from prodigy.runtime.clock import now
from prodigy.runtime.diary import diary
from prodigy.runtime.host import Display, Host
from prodigy.runtime.listing import Listing
from prodigy.runtime.loss import lost
from prodigy.runtime.preflight import require, still_missing
from prodigy.runtime.processes import Processes
from prodigy.runtime.reaper import Reaper
from prodigy.runtime.requeuing import Requeuing, requeued
from prodigy.runtime.sweep import why_blind
from prodigy.runtime.trust import check_trust, is_known, known_mirror, mirror_for
from prodigy.runtime.waiting import acquire
from prodigy.store.catalog import folder_gone, last_number, unfinished_of
from prodigy.store.checkpoints import read_own_checkpoint
from prodigy.store.cleaning import clear_unbegun
from prodigy.store.files import existing_folder
from prodigy.store.history import History, open_journal, read_history
from prodigy.store.ignoring import put_back
from prodigy.store.journal import Journal, NewJournal
from prodigy.store.layout import (
    Mirror,
    Project,
    RunFolder,
    new_id,
    prepare_run,
    read_path,
    written_path,
)
from prodigy.store.lock import RunLock, next_number
from prodigy.store.moved import hand_over, moved_from
from prodigy.store.refusal import forget_refusal
from prodigy.store.rescue import MIRROR, last_version, origin_of, usable_copy
from prodigy.store.standing import Header, read_header
from prodigy.store.values import Values

WORKFLOW_BYTES_MAX = 4 * 1024 * 1024
SWEEP_GRACE_S = 2.0
SUFFIX_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"


class CookOrder(NamedTuple):
    """A new run, as the command line asks for it."""

    path: Path
    parameters: dict[str, Any]
    max_retries: int | None = None
    synced: bool = True


class ResumeOrder(NamedTuple):
    """A run to go on with.

    `force` starts it over, `from_checkpoint` goes back to a version, a step or a stage, or takes the mirror;
    `trusted` takes a run that this machine does not know, `approved` is a node that a person has said yes to.
    """

    workflow_id: str
    max_retries: int | None = None
    max_parallel: int | None = None
    force: bool = False
    requeue: Requeuing | None = None
    from_checkpoint: str | None = None
    approved: str | None = None
    accepts_changes: bool = False
    trusted: bool = False


class Ground(NamedTuple):
    """What every run stands on: its project and folder, its mirror where there is one, its reaper, its display."""

    project: Project
    folder: RunFolder
    mirror: Mirror | None
    reaper: Reaper
    display: Display


def cook(project: Project, order: CookOrder, display: Display) -> State:
    """Run a workflow from its beginning, and return the state in which the run rests.

    Raises:
        WorkflowProblem: the file cannot be run; nothing was written.
        Unprepared: the machine lacks what a step surely needs; nothing was written.
        StorageFailure: the disk refused; the run, if it began, can be resumed.
    """
    text = read_workflow(order.path)
    if read_path(path := remembered(project, order.path)) != path:
        raise _no_text(f"the path of the workflow, {str(order.path)!a},", hint="Give it another name.")
    plan, notices = compiled_anew(text, order.path, order.parameters)
    _check_text([plan, order.parameters])
    for note in (*filter(None, [notices]), *require(plan, Path.cwd())):
        display.note(note)
    if sentence := beside(unfinished_of(project, plan.name), now()):
        display.note(sentence)
    workflow_id = new_id(plan.name, "".join(secrets.choice(SUFFIX_ALPHABET) for _ in range(6)))
    folder = prepare_run(project, workflow_id)
    mirror = mirror_for(project, workflow_id, display)
    if abandoned := clear_unbegun(project, mirror, time=now()):
        display.note(f"removed the empty {_folders(abandoned)}: killed before anything was started")
    reaper = Reaper.start(folder.path)
    try:
        with RunLock.acquire(folder.lock, command="cook"):
            first = sig.CookRequested(
                time=now(),
                workflow_id=workflow_id,
                workflow_path=path,
                workflow_text=text.decode(),
                directory=remembered(project, Path.cwd()),
                number=next_number(project, lambda: last_number(project, mirror)),
                plan=plan,
                prodigy_version=prodigy.__version__,
                parameters=order.parameters,
                max_retries=order.max_retries,
                synced=order.synced,
            )
            journal = Journal.create(folder)
            return play(Ground(project, folder, mirror, reaper, display), State(), journal, first)
    finally:
        reaper.close()


def _folders(workflow_ids: list[str]) -> str:
    """Return the folders of these runs in words, the first by its name."""
    if len(workflow_ids) == 1:
        return f"folder of {workflow_ids[0]}"
    return f"folders of {workflow_ids[0]} and {len(workflow_ids) - 1} more"


def resume(project: Project, order: ResumeOrder, display: Display) -> State:
    """Go on with a run, or start it over, and return the state in which it rests.

    Raises:
        RunNotFound: another process owns it, or this machine does not know it and it is not trusted.
        DamagedState: its log cannot be trusted; nothing was run.
        WorkflowProblem: its file is invalid now, or an edit changed what has finished.
        StorageFailure: the disk refused; resume again when the cause is gone.
    """
    folder = _folder_of(project, order)
    mirror = _trusted(project, order, display)
    reaper = Reaper.start(folder.path)
    try:
        with acquire(folder, command="resume", note=display.note):
            return _take_up(Ground(project, folder, mirror, reaper, display), order)
    finally:
        reaper.close()


def _folder_of(project: Project, order: ResumeOrder) -> RunFolder:
    folder = project.run(order.workflow_id)
    takes_copy = order.force or order.from_checkpoint == MIRROR
    if takes_copy or existing_folder(folder.path):  # without a log it is damaged, not gone
        return prepare_run(project, order.workflow_id)
    raise folder_gone(order.workflow_id)


def _check_text(values: object) -> None:
    """Refuse what could not be written into a log, before there is one: a value of the environment may be no text.

    Raises:
        UsageProblem: so it is.
    """
    try:
        msgspec.json.encode(values, enc_hook=as_number)
    except UnicodeEncodeError as error:
        wrong = error.object[max(0, error.start - 20) : error.end + 20]
        raise _no_text(f"a value of this workflow, {wrong!a},", hint="It may come from the environment.") from error


def _no_text(what: str, *, hint: str) -> UsageProblem:
    return UsageProblem(f"{what} is no UTF-8, and a log holds only text", hint=hint)


def read_workflow(path: Path) -> bytes:
    """Return the bytes of a workflow file.

    Raises:
        WorkflowProblem: it is missing, no plain file, or too large.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _unreadable(path, "it is not a file")
    with os.fdopen(descriptor, "rb") as file:
        data = file.read(WORKFLOW_BYTES_MAX + 1)
    if len(data) > WORKFLOW_BYTES_MAX:
        raise _unreadable(path, f"it is larger than {WORKFLOW_BYTES_MAX >> 20} MiB")
    return data


def compiled(
    text: bytes, path: Path, parameters: dict[str, Any], recorded: Mapping[str, str | None] = MappingProxyType({})
) -> Plan:
    """Return the plan of a workflow file. YAML is only imported here: an unchanged file is never parsed again.

    What variables took from the environment when the run started is `recorded`, and not read again.
    """
    from prodigy.plan.compile import compile_workflow

    environment = {**os.environ, **recorded}
    return compile_workflow(text, file=str(path), parameters=parameters, environment=environment)


def compiled_anew(text: bytes, path: Path, parameters: dict[str, Any]) -> tuple[Plan, str]:
    """Return the plan of a workflow file with parameters that were just given, and a sentence about its notices.

    The sentence is empty where `validate` has none.

    Raises:
        WorkflowProblem: the file has mistakes.
        UsageProblem: a parameter that nothing uses, or whose name cannot be one.
    """
    from prodigy.plan.compile import compile_with_notices

    given, environment = frozenset(parameters), dict(os.environ)
    plan, notices = compile_with_notices(
        text, file=str(path), parameters=parameters, environment=environment, given=given
    )
    if not notices:
        return plan, ""
    return plan, f"{counted(len(notices), 'thing')} may not be meant: `prodigy validate {shlex.quote(str(path))}`"


def _take_up(ground: Ground, order: ResumeOrder) -> State:
    project, folder, display = ground.project, ground.folder, ground.display
    found = read_own_checkpoint(project.checkpoint(order.workflow_id), order.workflow_id)
    notes: tuple[str, ...] = ()
    if found.checkpoint is None:
        notes = (f"the checkpoint was rebuilt from the log: {found.problem or 'there was none'}",)
    if order.force:
        return _start_over(ground, order)
    if order.from_checkpoint is not None:
        from prodigy.runtime.travel import go_back

        return go_back(ground, order)
    began = time.monotonic()
    history = read_history(folder, found.checkpoint, _seen_by(ground.mirror, order.workflow_id))
    state = history.state
    took_ms = round(1000 * (time.monotonic() - began), 1)
    from_checkpoint = found.checkpoint is not None and not history.notes
    diary().info("log_opened", run=order.workflow_id, seq=state.seq, from_checkpoint=from_checkpoint, took_ms=took_ms)
    if state.origin is None:
        raise DamagedState(f"{order.workflow_id} was never started: its log is empty", workflow_id=order.workflow_id)
    requeue = (
        None if order.requeue is None else requeued(state, order.requeue, by=f"{display.user} with prodigy dlq retry")
    )
    if state.status == "completed" and requeue is None:
        display.note(_nothing_to_do(order.workflow_id, state))
        if not history.is_current:
            _refresh(ground, history)
        return state
    revision, more = revision_of(project, order, state)
    answers = answers_to(state, revision, display)
    journal, mended = open_journal(folder, history)
    notes += history.notes + more + mended
    plan, moved = (revision.plan, revision.moved) if revision else (state.plan, {})
    missing = still_missing(state, plan, moved, project.root / state.run.directory)
    for note in (*notes, *missing, *swept(folder)):
        display.note(note)
    first = sig.ResumeRequested(
        time=now(),
        number=next_number(project, lambda: last_number(project, ground.mirror)),
        max_retries=order.max_retries,
        max_parallel=order.max_parallel,
        answers=answers,
        revision=revision,
        requeue=requeue,
        notes=notes,
    )
    return play(ground, state, journal, first, approved=order.approved)


def _seen_by(mirror: Mirror | None, workflow_id: str) -> Header | None:
    return None if mirror is None else read_header(mirror.checkpoint(workflow_id), workflow_id)


def _refresh(ground: Ground, history: History) -> None:
    """Write the checkpoint of a run that has ended: its coordinator was killed before it could."""
    path = ground.project.checkpoint(ground.folder.path.name)
    checkpointer = Checkpointer(path, Values(ground.folder.values), ground.mirror, ground.display.note)
    checkpointer.publish(history.state, history.checked.end.chain)
    checkpointer.close()


def _nothing_to_do(workflow_id: str, state: State) -> str:
    dead = sum(items.dead for items in state.maps.values())
    if dead:
        return (
            f"nothing to do: {workflow_id} is completed, but {counted(dead, 'dead letter')} "
            f"{agreeing(dead, 'remains', 'remain')}; "
            f"retry {agreeing(dead, 'it', 'them')} with `prodigy dlq retry {workflow_id}`"
        )
    return f"nothing to do: {workflow_id} is completed (--force starts it over)"


def _start_over(ground: Ground, order: ResumeOrder) -> State:
    """Begin a new generation with today's file and the original parameters."""
    project, folder, display = ground.project, ground.folder, ground.display
    found = read_own_checkpoint(project.checkpoint(order.workflow_id), order.workflow_id).checkpoint
    origin = _origin(ground, order)
    path = project.root / origin.workflow_path
    text = b""
    if path.exists():
        text = read_workflow(path)
        plan = compiled(text, path, origin.parameters)
    else:
        plan = _stored_plan(ground, order, found)
        display.note(f"{path} is gone: the stored workflow is used")
    for line in (*require(plan, project.root / read_path(origin.directory)), *swept(folder)):
        display.note(line)
    # A log may be lost that a checkpoint has seen: its number is not used again.
    generation = max([found.generation if found else 0, *folder.generations()]) + 1
    journal = NewJournal(folder, generation)
    first = sig.CookRequested(
        time=now(),
        workflow_id=order.workflow_id,
        workflow_path=origin.workflow_path,
        workflow_text=text.decode(),
        directory=origin.directory,
        number=next_number(project, lambda: last_number(project, ground.mirror)),
        plan=plan,
        prodigy_version=prodigy.__version__,
        parameters=origin.parameters,
        max_retries=order.max_retries,
        max_parallel=order.max_parallel,
        synced=origin.synced,
        generation=generation,
        version=last_version(project, ground.mirror, order.workflow_id),
        from_chain=journal.position.chain,
        reason="resume --force",
    )
    return play(ground, State(), journal, first)


def _origin(ground: Ground, order: ResumeOrder) -> Origin:
    origin = origin_of(ground.project, ground.mirror, order.workflow_id)
    if origin is None:
        raise DamagedState(f"nothing is left of how {order.workflow_id} was started", workflow_id=order.workflow_id)
    return origin


def _stored_plan(ground: Ground, order: ResumeOrder, found: Checkpoint | None) -> Plan:
    """Return the plan that a run had last: from its log, else from a copy of its checkpoint."""
    project, mirror, workflow_id = ground.project, ground.mirror, order.workflow_id
    with suppress(DamagedState):
        return read_history(ground.folder, found).state.plan
    with suppress(DamagedState):
        return usable_copy(project.checkpoint(workflow_id), workflow_id, ground.folder.values).state.plan
    if mirror is not None:
        return usable_copy(mirror.checkpoint(workflow_id), workflow_id, mirror.values).state.plan
    raise DamagedState(f"nothing is left of what {workflow_id} runs", workflow_id=workflow_id)


def play(ground: Ground, state: State, journal: Journal, first: sig.Signal, *, approved: str | None = None) -> State:
    """Play the run until it rests; its last checkpoint is on disk when this returns.

    `approved` is a node that a person has already said yes to.
    """
    forget_refusal(ground.project)
    origin = _origin_of(state, first)
    project, folder, display = ground.project, ground.folder, ground.display
    state = msgspec.structs.replace(state, folder=os.path.realpath(folder.path))
    is_synced = first.synced if isinstance(first, sig.CookRequested) else state.run.synced
    directory = project.root / read_path(origin)
    if blind := why_blind():
        display.note(blind)

    def look_after() -> None:
        put_back(project.state)
        journal.check()

    host = Host(
        state,
        journal,
        checkpointer=_checkpointer_of(ground, journal, is_synced=is_synced),
        inbox=folder.inbox,
        display=display,
        listing=Listing(directory, folder.path),
        look_after=look_after,
        approved=approved,
    )

    def make_processes(emit: Callable[[sig.Exited], None]) -> Processes:
        return Processes(
            run_id=folder.path.name,
            run_folder=folder.path,
            directory=directory,
            emit=emit,
            now=now,
            give_up=host.give_up,
            show=display.show,
            reaper=ground.reaper,
        )

    try:
        return host.run(first, make_processes)
    except Exception as failure:
        if (told := _told(ground, journal, failure)) is failure:
            raise
        raise told from failure
    finally:
        journal.close()


def _checkpointer_of(ground: Ground, journal: Journal, *, is_synced: bool) -> Checkpointer:
    project, run_id = ground.project, ground.folder.path.name
    return Checkpointer(
        project.checkpoint(run_id),
        journal.values,
        ground.mirror,
        ground.display.note,
        settle=journal.settle if is_synced else lambda: None,
        renew_mirror=partial(known_mirror, project, run_id),
    )


def _told(ground: Ground, journal: Journal, failure: Exception) -> ProdigyError:
    """Return what people are told of a failure that ended a run: its state was lost, or the disk, or we are broken."""
    run_id = ground.folder.path.name
    if loss := lost(ground.project, run_id, journal.path):
        return loss
    if isinstance(failure, ProdigyError):
        return failure
    from prodigy.runtime.defects import defect

    then = f"What was running was ended, what was done stands: `prodigy resume {run_id}`."
    return defect(failure, folder=ground.folder.path, then=then)


def _origin_of(state: State, first: sig.Signal) -> str:
    """Return the directory in which the run's steps begin, relative to its project."""
    return first.directory if isinstance(first, sig.CookRequested) else state.run.directory


def answers_to(state: State, revision: sig.Revision | None, display: Display) -> dict[str, bool]:
    """Return the operator's word about each in-flight step that asks, by its address in the edited workflow."""
    if revision is not None:
        change = PlanChanged(plan=revision.plan, workflow_text="", moved=revision.moved, dropped=revision.dropped)
        state = evolve(state, change, state.time)
    return {at: bool(display.ask(f"{at} was in flight; may it run again?")) for at in questions(state)}


def revision_of(project: Project, order: ResumeOrder, state: State) -> tuple[sig.Revision | None, tuple[str, ...]]:
    """Return the edited workflow, or None where the file is as it was or gone."""
    path = project.root / state.run.workflow_path
    if not path.exists():
        return None, (f"{path} is gone: the stored workflow is used",)
    if is_unedited(path, state):
        return None, ()
    text = read_workflow(path)
    plan = compiled(text, path, state.run.parameters, state.plan.environment)
    alignment = align(state, plan)
    if alignment.conflicts and not order.accepts_changes:
        raise _conflict(order.workflow_id, path, alignment)
    revision = sig.Revision(plan=plan, workflow_text=text.decode(), moved=alignment.moved, dropped=alignment.dropped)
    return revision, (f"{path.name} was edited: what has not finished follows the new text",)


def is_unedited(path: Path, state: State) -> bool:
    """Whether the workflow file is as it was when the run took it."""
    return sha256(read_workflow(path)).hexdigest() == state.plan.digest


def _conflict(workflow_id: str, path: Path, alignment: Alignment) -> WorkflowProblem:
    problems = [Problem(message=f"{path.name} was edited: {sentence}") for sentence in alignment.conflicts]
    return WorkflowProblem(
        problems,
        hint=f"Let the results stand: `prodigy resume {workflow_id} --accept-changes`. "
        f"Start over: `prodigy resume {workflow_id} --force`.",
    )


def _trusted(project: Project, order: ResumeOrder, display: Display) -> Mirror | None:
    """Return the mirror of a run that this machine knows, or that the operator trusts."""
    moved = None if is_known(project, order.workflow_id) else moved_from(project, order.workflow_id)
    if moved is not None and moved.is_same and not moved.is_copy and order.from_checkpoint is None:
        display.note(f"the project was moved here from {moved.root}")
    else:
        check_trust(project, order.workflow_id, trusted=order.trusted, command=_command(order))
    mirror = mirror_for(project, order.workflow_id, display)
    if moved is not None and mirror is not None and not moved.is_copy:
        hand_over(moved, mirror, order.workflow_id)
    return mirror


def _command(order: ResumeOrder) -> str:
    """Return the command of an order, as far as it decides from where the run goes on."""
    words = ["resume", order.workflow_id]
    words += ["--force"] if order.force else []
    words += ["--from-checkpoint", order.from_checkpoint] if order.from_checkpoint is not None else []
    return shlex.join(words)


def swept(folder: RunFolder) -> list[str]:
    """End what an earlier coordinator left running, and say what it was."""
    from prodigy.runtime.sweep import end_marked

    return [f"left running and ended: {process}" for process in end_marked(folder.path, grace_s=SWEEP_GRACE_S)]


def remembered(project: Project, path: Path) -> str:
    """Return a path as runs remember it: relative to the project where it is inside, for projects move."""
    path = Path(os.path.realpath(path))
    return written_path(str(path.relative_to(project.root)) if path.is_relative_to(project.root) else str(path))


def _unreadable(path: Path, why: str) -> WorkflowProblem:
    from prodigy.runtime.nearby import nearest_file

    near = None if os.path.lexists(path) else nearest_file(path)
    meant = f"did you mean {near}?" if near else None
    problem = Problem(message=f"cannot read the workflow {path}: {why}", hint=meant)
    return WorkflowProblem([problem], hint=None if meant else "Name a workflow file: `prodigy cook FILE`.")
