"""What a run has cost until now, whatever it goes back over, and what it may cost."""

from typing import NamedTuple

from prodigy.errors import ProdigyError, UsageProblem
from prodigy.kernel import signals as sig
from prodigy.kernel.budget import limit_of
from prodigy.kernel.evolve_money import closed
from prodigy.kernel.ledger import EMPTY, Ledger
from prodigy.kernel.state import State
from prodigy.runtime.clock import now
from prodigy.runtime.orders.owner import Note, Owner, owned
from prodigy.runtime.orders.trust import mirror_that_knows
from prodigy.runtime.processes.spending import spent_in_flight
from prodigy.store.checkpoints import read_own_checkpoint
from prodigy.store.layout import Project
from prodigy.store.orders import Raise


class Money(NamedTuple):
    """What all generations of a run cost, None where that is nothing; and its budget, where an operator said one."""

    ledger: Ledger | None
    budget_usd: float | None


def money_until_now(owner: Owner) -> Money:
    """Return what a run cost, with what was in flight at its end, and what it may cost.

    Of a run whose log cannot be read its checkpoint has to do.
    """
    try:
        state = owner.read().state
    except ProdigyError:
        copy = read_own_checkpoint(owner.project.checkpoint(owner.workflow_id), owner.workflow_id).checkpoint
        return Money(None, None) if copy is None else Money(copy.snapshot.ledger, copy.snapshot.budget_usd)
    ledger = closed(state, spent_in_flight(state, owner.folder))
    is_said = state.budget_usd is not None or state.raised_usd > 0
    return Money(None if ledger == EMPTY else ledger, limit_of(state) if is_said else None)


def raise_budget(project: Project, workflow_id: str, order: Raise, note: Note) -> None:
    """Let a run that rests cost more when it is resumed.

    Raises:
        RunNotFound: another process owns the run.
        DamagedState: its log cannot be trusted.
        UsageProblem: it has no budget.
    """
    mirror = mirror_that_knows(project, workflow_id, note)
    with owned(project, workflow_id, mirror, command="budget", note=note) as owner:
        history = owner.read()
        check_budget(history.state)
        owner.save(*owner.record(history, sig.RaiseRequested(time=now(), usd=order.usd, by=order.by)))


def check_budget(state: State) -> None:
    """Refuse to raise what is not bounded.

    Raises:
        UsageProblem: the run has no budget.
    """
    if limit_of(state) is None:
        raise UsageProblem(
            f"{state.run.workflow_id} has no budget that could be raised",
            hint="A budget is `budget: {usd: 50}` in the workflow, or `prodigy cook FILE --budget 50`.",
        )
