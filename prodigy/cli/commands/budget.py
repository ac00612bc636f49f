"""`budget`: what a run may cost, and let it cost more."""

from typing import Annotated, Any

import typer

from prodigy.cli.dead_letters import Ref, run_meant
from prodigy.cli.live_orders import is_carried_out
from prodigy.cli.options import Json
from prodigy.cli.output.answers import print_json
from prodigy.cli.output.display import note, user
from prodigy.cli.output.formatting import dollars
from prodigy.cli.output.sentences import print_prose
from prodigy.kernel.budget import committed, limit_of
from prodigy.kernel.state import State
from prodigy.runtime.orders.costs import check_budget, raise_budget
from prodigy.store.catalog import read_run
from prodigy.store.orders import Raise


def budget(
    ref: Ref = None,
    more: Annotated[
        float | None,
        typer.Option("--raise", metavar="USD", min=0.0001, help="Let it cost so many US dollars more."),
    ] = None,
    json: Json = False,
) -> None:
    """Show what a run may cost and has cost, and raise its budget, of a run that is live too."""
    project, workflow_id, state = run_meant(ref)
    if more is not None:
        check_budget(state)
        order = Raise(usd=more, by=user())
        if not is_carried_out(project, workflow_id, order, lambda now: now.raised_usd > state.raised_usd):
            raise_budget(project, workflow_id, order, note)
        state = read_run(project, workflow_id).sound()
    if json:
        print_json({"schema_version": 1, "workflow_id": workflow_id, **document(state)})
    else:
        print_prose(f"{workflow_id}  {_said(state)}")


def document(state: State) -> dict[str, Any]:
    """Return the money of a run as programs read it; without a bound `budget_usd` is null."""
    return {
        "budget_usd": limit_of(state),
        "spent_usd": state.ledger.spent_usd,
        "assumed_usd": state.ledger.assumed_usd,
        "reserved_usd": state.reserved_usd,
    }


def _said(state: State) -> str:
    limit_usd, spent = limit_of(state), dollars(state.ledger.spent_usd)
    if limit_usd is None:
        return f"no budget, {spent} spent"
    parts = [f"{spent} of {dollars(limit_usd)} spent"]
    parts += [f"{dollars(state.ledger.assumed_usd)} assumed for attempts of unknown cost"] * (
        state.ledger.assumed_usd > 0
    )
    parts += [f"{dollars(state.reserved_usd)} reserved"] * (state.reserved_usd > 0)
    left_usd = max(0.0, limit_usd - committed(state) - state.reserved_usd)
    return ", ".join([*parts, f"{dollars(left_usd)} left"])
