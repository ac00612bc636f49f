"""Carry out the orders that begin or resume a run: each becomes the first signal that the kernel receives.

What an earlier coordinator left running is ended before anything runs again. Nothing is written into the log before the
workflow file, the log and the operator's answers have been checked.
"""

import shlex
import time
from contextlib import suppress
from pathlib import Path
from typing import assert_never

import prodigy
from prodigy.errors import DamagedState, UsageProblem
from prodigy.kernel import signals as sig
from prodigy.kernel.state import Origin, State
from prodigy.plan.nodes import Plan
from prodigy.plan.phrases import agreeing, counted
from prodigy.runtime.clock import now
from prodigy.runtime.host.host import Display
from prodigy.runtime.operator_log import operator_log
from prodigy.runtime.orders.costs import money_until_now
from prodigy.runtime.orders.other_runs import about_unfinished
from prodigy.runtime.orders.owner import Owner, new_run, owned
from prodigy.runtime.orders.preflight import require, still_missing
from prodigy.runtime.orders.requeuing import requeue_of
from prodigy.runtime.orders.running import answers_to, run_until_rest
from prodigy.runtime.orders.travel import from_copy, go_back
from prodigy.runtime.orders.trust import trusted_mirror
from prodigy.runtime.orders.upkeep import clear_unbegun
from prodigy.runtime.orders.workflow import check_limit, compiled, compiled_anew, read_workflow, remembered, revision_of
from prodigy.runtime.processes.spending import spent_in_flight
from prodigy.store.catalog import folder_gone, unfinished_of
from prodigy.store.checkpoints import read_own_checkpoint
from prodigy.store.files import existing_folder
from prodigy.store.history import read_history
from prodigy.store.journal import Journal, NewJournal
from prodigy.store.layout import Project, prepare_run, read_path
from prodigy.store.orders import Approve, Cook, GoBack, GoingOn, Resume, Retry, StartOver, TakeCopy
from prodigy.store.overview import read_header
from prodigy.store.rescue import MIRROR, last_version, origin_of, usable_copy


def cook(project: Project, order: Cook, display: Display) -> State:
    """Run a workflow from its beginning, and return the state in which the run rests.

    Raises:
        WorkflowProblem: the file cannot be run; nothing was written.
        Unprepared: the machine lacks what a step surely needs; nothing was written.
        StorageFailure: the disk refused; the run, if it began, can be resumed.
    """
    file = Path(order.path)
    text = read_workflow(file)
    if read_path(path := remembered(project, file)) != path:
        raise _no_text(f"the path of the workflow, {order.path!a},", hint="Give it another name.")
    plan, notices = compiled_anew(text, file, order.parameters)
    for note in (*filter(None, [notices]), *require(plan, Path.cwd(), claude_bin=order.claude_bin)):
        display.note(note)
    if sentence := about_unfinished(unfinished_of(project, plan.name), now()):
        display.note(sentence)
    with new_run(project, plan.name, command="cook", note=display.note) as owner:
        if abandoned := clear_unbegun(project, owner.mirror):
            display.note(f"removed the empty {_folders(abandoned)}: killed before anything was started")
        first = sig.CookRequested(
            time=now(),
            workflow_id=owner.workflow_id,
            workflow_path=path,
            workflow_text=text.decode(),
            directory=remembered(project, Path.cwd()),
            number=owner.next_number(),
            plan=plan,
            prodigy_version=prodigy.__version__,
            parameters=order.parameters,
            max_retries=order.max_retries,
            budget_usd=order.budget_usd,
            synced=order.synced,
            claude_bin=order.claude_bin,
        )
        journal = owner.keep(Journal.create(owner.folder))
        return run_until_rest(owner, display, State(), journal, first)


def _folders(workflow_ids: list[str]) -> str:
    """Return the folders of these runs in words, the first by its name."""
    if len(workflow_ids) == 1:
        return f"folder of {workflow_ids[0]}"
    return f"folders of {workflow_ids[0]} and {len(workflow_ids) - 1} more"


def go_on(project: Project, workflow_id: str, order: GoingOn, display: Display) -> State:
    """Go on with a run, or start it over, and return the state in which it rests.

    Raises:
        RunNotFound: another process owns it, or this machine does not know it and it is not trusted.
        DamagedState: its log cannot be trusted; nothing was run.
        WorkflowProblem: its file is invalid now, or an edit changed what has finished.
        StorageFailure: the disk refused; resume again when the cause is gone.
    """
    _prepare(project, workflow_id, order)
    mirror = trusted_mirror(
        project,
        workflow_id,
        display.note,
        trusted=not isinstance(order, Approve) and order.trusted,
        command=_command(workflow_id, order),
        follows_log=not isinstance(order, GoBack | TakeCopy),
    )
    with owned(project, workflow_id, mirror, command="resume", note=display.note, spawns=True) as owner:
        match order:
            case Resume() | Retry() | Approve():
                return _take_up(owner, order, display)
            case StartOver():
                return _start_over(owner, order, display)
            case GoBack():
                return go_back(owner, order, display)
            case TakeCopy():
                return from_copy(owner, order, display)
            case _:
                assert_never(order)


def _prepare(project: Project, workflow_id: str, order: GoingOn) -> None:
    """See that the run has a folder; without a log it is damaged, not gone."""
    is_made = isinstance(order, StartOver) or (isinstance(order, TakeCopy) and order.where == MIRROR)
    if not is_made and not existing_folder(project.run(workflow_id).path):
        raise folder_gone(workflow_id)
    prepare_run(project, workflow_id)


def _command(workflow_id: str, order: GoingOn) -> str:
    """Return the command of an order, as far as it decides from where the run goes on."""
    match order:
        case StartOver():
            return shlex.join(["resume", workflow_id, "--force"])
        case GoBack(at=where) | TakeCopy(where=where):
            return shlex.join(["resume", workflow_id, "--from-checkpoint", where])
        case Retry(keys=keys, filter=wanted, reduces=reduces):
            words = ["dlq", "retry", workflow_id, *(word for key in keys for word in ("--item", key))]
            words += ["--filter", wanted] if wanted is not None else []
            return shlex.join(words if reduces else [*words, "--no-reduce"])
        case Resume() | Approve():
            return shlex.join(["resume", workflow_id])


def _no_text(what: str, *, hint: str) -> UsageProblem:
    return UsageProblem(f"{what} is no UTF-8, and a log holds only text", hint=hint)


def _take_up(owner: Owner, order: Resume | Retry | Approve, display: Display) -> State:
    """Go on where the run stopped."""
    began = time.monotonic()
    history = owner.read()
    state = history.state
    took_ms = round(1000 * (time.monotonic() - began), 1)
    is_current = not history.notes
    operator_log().info("log_opened", run=owner.workflow_id, seq=state.seq, from_checkpoint=is_current, took_ms=took_ms)
    if state.origin is None:
        raise DamagedState(f"{owner.workflow_id} was never started: its log is empty", workflow_id=owner.workflow_id)
    requeue = requeue_of(state, order) if isinstance(order, Retry) else None
    if state.status == "completed" and requeue is None:
        display.note(_nothing_to_do(owner.workflow_id, state))
        if not history.is_current:  # its coordinator was killed before it could
            owner.save(state, history.checked.end.chain)
        return state
    accepts_changes = isinstance(order, Resume) and order.accepts_changes
    revision, more = revision_of(owner.project, owner.workflow_id, state, accepts_changes=accepts_changes)
    limit = None if isinstance(order, Approve) else order.max_parallel
    check_limit(revision.plan if revision else state.plan, limit)
    answers = answers_to(state, revision, display)
    journal, mended = owner.open(history)
    notes = history.notes + more + mended
    plan, moved = (revision.plan, revision.moved) if revision else (state.plan, {})
    for note in (*notes, *still_missing(state, plan, moved, owner.project.root / state.run.directory)):
        display.note(note)
    owner.end_orphans()
    first = sig.ResumeRequested(
        time=now(),
        number=owner.next_number(),
        max_retries=order.max_retries if isinstance(order, Resume) else None,
        max_parallel=limit,
        answers=answers,
        revision=revision,
        requeue=requeue,
        notes=notes,
        spent=spent_in_flight(state, owner.folder),
    )
    if not isinstance(order, Approve):
        return run_until_rest(owner, display, state, journal, first)
    at = moved.get(order.at, order.at)
    approval = sig.Answered(time=first.time, at=at, is_confirmed=True, by=order.by)
    return run_until_rest(owner, display, state, journal, first, approval)


def _nothing_to_do(workflow_id: str, state: State) -> str:
    dead = sum(items.dead for items in state.maps.values())
    if dead:
        return (
            f"nothing to do: {workflow_id} is completed, but {counted(dead, 'dead letter')} "
            f"{agreeing(dead, 'remains', 'remain')}; "
            f"retry {agreeing(dead, 'it', 'them')} with `prodigy dlq retry {workflow_id}`"
        )
    return f"nothing to do: {workflow_id} is completed (--force starts it over)"


def _start_over(owner: Owner, order: StartOver, display: Display) -> State:
    """Begin a new generation with today's file and the original parameters."""
    project, folder = owner.project, owner.folder
    origin = _origin(owner)
    path = project.root / origin.workflow_path
    text = b""
    if path.exists():
        text = read_workflow(path)
        plan = compiled(text, path, origin.parameters)
    else:
        plan = _stored_plan(owner)
        display.note(f"{path} is gone: the stored workflow is used")
    check_limit(plan, order.max_parallel)
    for line in require(plan, project.root / read_path(origin.directory), claude_bin=origin.claude_bin):
        display.note(line)
    owner.end_orphans()
    money = money_until_now(owner)
    # A log may be lost that a checkpoint has seen: its number is not used again.
    found = read_header(project.checkpoint(owner.workflow_id), owner.workflow_id)
    generation = max([found.generation if found else 0, *folder.generations()]) + 1
    journal = owner.keep(NewJournal(folder, generation))
    first = sig.CookRequested(
        time=now(),
        workflow_id=owner.workflow_id,
        workflow_path=origin.workflow_path,
        workflow_text=text.decode(),
        directory=origin.directory,
        number=owner.next_number(),
        plan=plan,
        prodigy_version=prodigy.__version__,
        parameters=origin.parameters,
        max_retries=order.max_retries,
        max_parallel=order.max_parallel,
        synced=origin.synced,
        claude_bin=origin.claude_bin,
        generation=generation,
        version=last_version(project, owner.mirror, owner.workflow_id),
        from_chain=journal.position.chain,
        reason="resume --force",
        ledger=money.ledger,
        budget_usd=money.budget_usd,
    )
    return run_until_rest(owner, display, State(), journal, first)


def _origin(owner: Owner) -> Origin:
    origin = origin_of(owner.project, owner.mirror, owner.workflow_id)
    if origin is None:
        raise DamagedState(f"nothing is left of how {owner.workflow_id} was started", workflow_id=owner.workflow_id)
    return origin


def _stored_plan(owner: Owner) -> Plan:
    """Return the plan that a run had last: from its log, else from a copy of its checkpoint."""
    workflow_id, own = owner.workflow_id, owner.project.checkpoint(owner.workflow_id)
    with suppress(DamagedState):
        return read_history(owner.folder, read_own_checkpoint(own, workflow_id).checkpoint).state.plan
    with suppress(DamagedState):
        return usable_copy(own, workflow_id, owner.folder.values).state.plan
    if owner.mirror is not None:
        return usable_copy(owner.mirror.checkpoint(workflow_id), workflow_id, owner.mirror.values).state.plan
    raise DamagedState(f"nothing is left of what {workflow_id} runs", workflow_id=workflow_id)
