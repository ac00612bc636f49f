"""`resume` and `resume-job`: go on with a run where it stopped."""

from typing import Annotated, Any

import typer

from prodigy.cli.foreground import go_on
from prodigy.cli.job import print_job
from prodigy.cli.options import AcceptChanges, JsonSummary, MaxParallel, MaxRetries, RunReference, Trust, Yes
from prodigy.cli.output.display import confirmed, note
from prodigy.cli.projects import mirror_of, project_here, run_of
from prodigy.runtime.clock import now
from prodigy.runtime.orders.other_runs import DAY_S, age_s, stood
from prodigy.store.catalog import find_run, last_unfinished, read_run
from prodigy.store.layout import Mirror, Project
from prodigy.store.orders import GoBack, GoingOn, Resume, StartOver, TakeCopy
from prodigy.store.refusal import last_refusal
from prodigy.store.rescue import MIRROR, is_file


def resume(
    ref: Annotated[
        str | None,
        typer.Argument(
            help="A workflow id, a workflow's name, or the beginning of an id; the last run without.",
            show_default=False,
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Start over, with today's file.")] = False,
    from_checkpoint: Annotated[
        str | None,
        typer.Option(
            "--from-checkpoint",
            metavar="WHERE",
            help="Go on from a version (v3), the beginning of a step or stage, the mirror, or a checkpoint's file.",
        ),
    ] = None,
    max_retries: MaxRetries = None,
    max_parallel: MaxParallel = None,
    accept_changes: AcceptChanges = False,
    trust: Trust = False,
    yes: Yes = False,
    json: JsonSummary = False,
) -> None:
    """Go on with a run where it stopped."""
    project = project_here()
    mirror = mirror_of(project)
    workflow_id = _last(project, mirror, yes=yes) if ref is None else find_run(project, ref, mirror)
    order: GoingOn
    limits: Any = {"max_retries": max_retries, "max_parallel": max_parallel, "trusted": trust}
    if force:
        order = StartOver(**limits)
    elif from_checkpoint is None:
        order = Resume(**limits, accepts_changes=accept_changes)
    elif from_checkpoint == MIRROR or is_file(from_checkpoint):
        order = TakeCopy(where=from_checkpoint, **limits, accepts_changes=accept_changes)
    else:
        order = GoBack(at=from_checkpoint, **limits, accepts_changes=accept_changes)
    if not _is_confirmed(project, workflow_id, order, yes=yes):
        raise typer.Exit(1)
    go_on(project, workflow_id, order, yes=yes, json=json)


def resume_job(
    ref: RunReference,
    max_parallel: MaxParallel = None,
    max_retries: MaxRetries = None,
    accept_changes: AcceptChanges = False,
    trust: Trust = False,
    yes: Yes = False,
    json: JsonSummary = False,
) -> None:
    """Say how far a mapreduce job is, and go on with it."""
    project = project_here()
    workflow_id = run_of(project, ref)
    print_job(project, workflow_id)
    order = Resume(max_parallel=max_parallel, max_retries=max_retries, accepts_changes=accept_changes, trusted=trust)
    go_on(project, workflow_id, order, yes=yes, json=json)


def _last(project: Project, mirror: Mirror | None, *, yes: bool) -> str:
    """Return the run that nobody named, and say which it is; on a terminal ask where another may be meant."""
    run, refused, time = last_unfinished(project, mirror), last_refusal(project), now()
    if run.header is None or run.owner is not None:
        return run.workflow_id
    path = run.header.workflow_path
    is_other = refused not in (None, path)
    after = f"; {refused} was refused and has no run" if is_other else ""
    note(f"the last run is {stood(run, time)} of {path}{after}")
    if (is_other or age_s(run, time) > DAY_S) and not confirmed("go on with it?", yes=yes):
        raise typer.Exit(1)
    return run.workflow_id


def _is_confirmed(project: Project, workflow_id: str, order: GoingOn, *, yes: bool) -> bool:
    """Ask on a terminal before what may run finished work again: starting a completed run over, or a copy."""
    if isinstance(order, TakeCopy):
        copy = "its mirror" if order.where == MIRROR else order.where
        return confirmed(f"take {workflow_id} up from {copy}? What came after it may run again.", yes=yes)
    if isinstance(order, StartOver) and read_run(project, workflow_id).status == "completed":
        return confirmed(f"{workflow_id} is completed; start it over?", yes=yes)
    return True
