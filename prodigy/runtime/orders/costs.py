"""What a run has cost until now, whatever it goes back over: every dollar once, and none forgotten."""

from prodigy.errors import ProdigyError
from prodigy.kernel.evolve_money import closed
from prodigy.kernel.ledger import EMPTY, Ledger
from prodigy.runtime.orders.owner import Owner
from prodigy.runtime.processes.spending import spent_in_flight
from prodigy.store.checkpoints import read_own_checkpoint


def cost_until_now(owner: Owner) -> Ledger | None:
    """Return what all generations of a run cost, what was in flight at their end too; None where that is nothing.

    Of a run whose log cannot be read its checkpoint has to do.
    """
    try:
        state = owner.read().state
    except ProdigyError:
        copy = read_own_checkpoint(owner.project.checkpoint(owner.workflow_id), owner.workflow_id).checkpoint
        return copy.snapshot.ledger if copy is not None else None
    ledger = closed(state, spent_in_flight(state, owner.folder))
    return None if ledger == EMPTY else ledger
