"""`checkpoints show`: where a run stands, or stood at one of its versions."""

from typing import Annotated

import typer

from prodigy.cli.moment import show_moment
from prodigy.cli.options import RunReference
from prodigy.cli.projects import mirror_of, project_here
from prodigy.store.catalog import find_run


def checkpoints_show(
    ref: RunReference,
    version: Annotated[
        str | None, typer.Option("--version", metavar="VERSION", help="Show it as it was then: v3 or 3.")
    ] = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Variables in full, retries, handlers, outputs, events since.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the checkpoint document.")] = False,
) -> None:
    """Show where a run stands, or stood at one of its versions: its steps, variables and retries."""
    project = project_here()
    mirror = mirror_of(project)
    show_moment(project, mirror, find_run(project, ref, mirror), version=version, verbose=verbose, json=json)
