"""What claude may cost: how much of a budget is left, and what is reserved for an attempt before it begins."""

from prodigy.kernel.state import State
from prodigy.plan.address import item_of

RESERVED_SHARE = 0.05  # of a budget, for an attempt of which nothing is known: no bound is set for its step
_CENTS = 1e-9  # less than that is no money: sums of binary fractions differ by it


def limit_of(state: State) -> float | None:
    """Return what the run may cost in all, in US dollars; None without bound."""
    budget = state.plan.budget
    usd = state.budget_usd if state.budget_usd is not None or budget is None else budget.usd
    return None if usd is None else usd + state.raised_usd


def committed(state: State) -> float:
    """Return what is gone of a budget: spent, estimates included, and what was reserved where nothing more is known."""
    return state.ledger.spent_usd + state.ledger.assumed_usd


def own_bound(state: State, at: str) -> float | None:
    """Return what is left for a step, or its item, by the bounds of their own; None where they have none."""
    budget = state.plan.budget
    if budget is None:
        return None
    bounds = []
    if budget.per_step is not None:
        bounds.append(budget.per_step - state.node(at).paid_usd)
    if budget.per_item is not None and (item := item_of(at)):
        bounds.append(budget.per_item - state.node(item).paid_usd)
    return min(bounds, default=None)


def reservation(state: State, at: str) -> float | None:
    """Return what an attempt that begins now may cost; None without any bound.

    Without a bound of its own, twice what the costliest attempt cost, and at least a share of the budget.
    """
    limit_usd, own_usd = limit_of(state), own_bound(state, at)
    if limit_usd is None:
        return own_usd
    wanted_usd = max(RESERVED_SHARE * limit_usd, 2 * state.ledger.most_usd) if own_usd is None else own_usd
    return min(wanted_usd, limit_usd)


def fits(state: State, usd: float | None) -> bool:
    """Whether so much can be reserved besides what is spent and reserved."""
    limit_usd = limit_of(state)
    if limit_usd is None or usd is None:
        return True
    return committed(state) + state.reserved_usd + usd <= limit_usd + _CENTS
