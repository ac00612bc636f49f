"""Execute a run that is owned until it rests, and say what ended it if that was a failure."""

import os
from functools import partial

from msgspec.structs import replace

from prodigy.errors import ProdigyError
from prodigy.kernel import signals as sig
from prodigy.kernel.events import PlanChanged
from prodigy.kernel.evolve import evolve
from prodigy.kernel.queries import questions
from prodigy.kernel.state import State
from prodigy.runtime.host.defects import defect
from prodigy.runtime.host.host import Display, Host
from prodigy.runtime.orders.checkpointer import Checkpointer
from prodigy.runtime.orders.owner import Owner
from prodigy.runtime.orders.removed_state import state_removed
from prodigy.runtime.orders.trust import known_mirror
from prodigy.runtime.processes.orphans import why_blind
from prodigy.store.ignoring import put_back
from prodigy.store.journal import Journal
from prodigy.store.layout import read_path
from prodigy.store.refusal import forget_refusal


def run_until_rest(owner: Owner, display: Display, state: State, journal: Journal, *orders: sig.Signal) -> State:
    """Execute the run until it rests; its last checkpoint is on disk when this returns.

    Args:
        state: where the run stands, empty where it begins.
        orders: what makes it move, answered in one turn.
    """
    first = orders[0]
    assert owner.reaper is not None, "whoever starts commands has a reaper"
    project, folder = owner.project, owner.folder
    forget_refusal(project)
    directory = project.root / read_path(_origin_of(state, first))
    state = replace(state, folder=os.path.realpath(folder.path))
    is_synced = first.synced if isinstance(first, sig.CookRequested) else state.run.synced
    if blind := why_blind():
        display.note(blind)

    def look_after() -> None:
        put_back(project.state)
        journal.check()

    try:
        return Host(
            state,
            journal,
            folder=folder,
            directory=directory,
            reaper=owner.reaper,
            checkpointer=_checkpointer_of(owner, journal, is_synced=is_synced),
            display=display,
            look_after=look_after,
        ).run(*orders)
    except Exception as failure:
        if (told := _told(owner, journal, failure)) is failure:
            raise
        raise told from failure


def answers_to(state: State, revision: sig.Revision | None, display: Display) -> dict[str, bool]:
    """Return the operator's word about each in-flight step that asks, by its address in the edited workflow."""
    if revision is not None:
        change = PlanChanged(plan=revision.plan, workflow_text="", moved=revision.moved, dropped=revision.dropped)
        state = evolve(state, change, state.time)
    return {at: bool(display.ask(f"{at} was in flight; may it run again?")) for at in questions(state)}


def _origin_of(state: State, first: sig.Signal) -> str:
    """Return the directory in which the run's steps begin, relative to its project."""
    return first.directory if isinstance(first, sig.CookRequested) else state.run.directory


def _checkpointer_of(owner: Owner, journal: Journal, *, is_synced: bool) -> Checkpointer:
    return Checkpointer(
        owner.project.checkpoint(owner.workflow_id),
        journal.values,
        owner.mirror,
        owner.note,
        settle=journal.settle if is_synced else lambda: None,
        renew_mirror=partial(known_mirror, owner.project, owner.workflow_id),
    )


def _told(owner: Owner, journal: Journal, failure: Exception) -> ProdigyError:
    """Return what people are told of a failure that ended a run: its state was lost, or the disk, or we are broken."""
    if loss := state_removed(owner.project, owner.workflow_id, journal.path):
        return loss
    if isinstance(failure, ProdigyError):
        return failure
    then = f"What was running was ended, what was done stands: `prodigy resume {owner.workflow_id}`."
    if journal.position.seq == 0:
        then = "Nothing had begun."
    return defect(failure, folder=owner.folder.path, then=then)
