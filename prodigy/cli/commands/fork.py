"""`fork`: make a new run that shares another's history until a moment, and go on with it."""

from typing import Annotated

import typer

from prodigy.cli.foreground import in_foreground
from prodigy.cli.options import JsonSummary, RunReference, Trust, Yes, parameters
from prodigy.cli.projects import project_here, run_of
from prodigy.runtime.orders.travel import fork as make_fork
from prodigy.store.orders import Fork


def fork(
    ref: RunReference,
    at: Annotated[
        str, typer.Option("--at", metavar="WHERE", help="A version (v3), an event's seq, a step or a stage.")
    ],
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Change a variable; may be given again.")
    ] = None,
    accept_changes: Annotated[
        bool, typer.Option("--accept-changes", help="Go on with today's file; what was done until there stands.")
    ] = False,
    trust: Trust = False,
    yes: Yes = False,
    json: JsonSummary = False,
) -> None:
    """Make a new run that shares another's history until a moment, and go on with it."""
    project = project_here()
    variables = parameters(set_ or [], option="--set")
    workflow_id = run_of(project, ref)
    order = Fork(at=at, variables=variables, trusted=trust, accepts_changes=accept_changes)
    in_foreground(project, lambda display: make_fork(project, workflow_id, order, display), json=json, yes=yes)
