"""Carry out the orders that start nothing: give dead letters up, clean a run, write its checkpoint anew.

Each owns the run meanwhile. The kernel decides what happens, and the log records it.
"""

from contextlib import suppress

from prodigy.errors import DamagedState, ProdigyError
from prodigy.kernel import signals as sig
from prodigy.runtime.clock import now
from prodigy.runtime.orders.owner import Note, Owner, owned
from prodigy.runtime.orders.requeuing import chosen
from prodigy.runtime.orders.trust import mirror_that_knows
from prodigy.store.catalog import cleaning_of, unbegun_ids
from prodigy.store.cleaning import has_folder, is_finished, remove, remove_checkpoints, weigh
from prodigy.store.history import read_history
from prodigy.store.layout import Mirror, Project
from prodigy.store.orders import Clean, Purge
from prodigy.store.unbegun import is_young


def purge(project: Project, workflow_id: str, order: Purge, note: Note) -> None:
    """Give dead letters up for good.

    Raises:
        RunNotFound: another process owns the run.
        DamagedState: its log cannot be trusted.
    """
    mirror = mirror_that_knows(project, workflow_id, note)
    with owned(project, workflow_id, mirror, command="dlq purge", note=note) as owner:
        history = owner.read()
        at, keys = chosen(history.state, order)
        owner.save(*owner.record(history, sig.PurgeRequested(time=now(), at=at, keys=keys, by=order.by)))


def repair(project: Project, workflow_id: str, note: Note) -> None:
    """Write the checkpoint and its mirror anew, as the log has it. The log is only read.

    Raises:
        RunNotFound: the run is live: its owner writes them.
    """
    mirror = mirror_that_knows(project, workflow_id, note)
    with owned(project, workflow_id, mirror, command="checkpoints validate --repair", note=note) as owner:
        history = read_history(owner.folder, None)
        owner.save(history.state, history.checked.end.chain)


def clean(project: Project, mirror: Mirror | None, workflow_id: str, order: Clean, note: Note) -> int | None:
    """Remove what is kept of a run and return how many bytes that freed; None where it was left alone.

    Raises:
        RunNotFound: another process owns the run.
        DamagedState: a link stands in the way, or the log is damaged, which only `purge` removes.
        StorageFailure: the disk refused; cleaning once more removes the rest.
    """
    if not has_folder(project, workflow_id):
        return remove_checkpoints(project, mirror, workflow_id, purge=order.purge)
    with owned(project, workflow_id, None, command="checkpoints clean", note=note) as owner:
        if order.only_finished and not is_finished(project, workflow_id):
            return None
        size = weigh(project, mirror, workflow_id, purge=order.purge)
        if not cleaning_of(project, workflow_id):
            _say_so(owner, order, size)
        remove(project, mirror, workflow_id, purge=order.purge)
    return size


def clear_unbegun(project: Project, mirror: Mirror | None) -> list[str]:
    """Remove the folders of runs that were killed before their first event, and return their ids.

    One that another process may be about to begin is left alone.
    """
    removed = list[str]()
    for workflow_id in unbegun_ids(project, mirror):
        with suppress(ProdigyError, OSError):
            if not is_young(project, workflow_id):
                clean(project, mirror, workflow_id, Clean(by="cook", purge=True), lambda _: None)
                removed.append(workflow_id)
    return removed


def _say_so(owner: Owner, order: Clean, size: int) -> None:
    """End the log. One that is damaged takes nothing any more."""
    if not owner.folder.generations():
        return
    try:
        owner.record(owner.end_of_log(), sig.CleanRequested(time=now(), by=order.by[:200], size_bytes=size))
    except DamagedState as problem:
        if order.purge:
            return
        raise DamagedState(
            problem.message,
            hint="Nothing was removed. To remove the run with its log: "
            f"`prodigy checkpoints clean --workflow-id {owner.workflow_id} --purge`.",
        ) from problem
