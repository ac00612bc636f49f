"""`cook` (alias `run`) and `resume`: the commands that make a run move."""

import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from prodigy.errors import UsageProblem, WorkflowProblem

if TYPE_CHECKING:
    from collections.abc import Callable

    from prodigy.cli.display import Display
    from prodigy.kernel.state import State
    from prodigy.runtime.requeuing import Requeuing
    from prodigy.store.layout import Mirror, Project

WORKFLOWS_SHOWN_MAX = 30
_MaxRetries = Annotated[
    int | None,
    typer.Option("--max-retries", min=0, max=1000, help="Replace every retry count until the next resume."),
]
MaxParallel = Annotated[
    int | None,
    typer.Option("--max-parallel", min=1, max=1000, help="How many items at once, until the next resume."),
]
_Yes = Annotated[bool, typer.Option("--yes", "-y", help="Answer yes to every question.")]
_Trust = Annotated[bool, typer.Option("--trust", help="Take a run that this machine does not know.")]
_Json = Annotated[bool, typer.Option("--json", help="Print the summary as one JSON document.")]
_Resume = Annotated[str | None, typer.Option("--resume", metavar="REF", help="Go on with this run instead.")]
_Param = Annotated[
    list[str] | None,
    typer.Option("--param", "-p", metavar="NAME=VALUE", help="Set a variable, a list as JSON; may be given again."),
]


def cook(
    file: Annotated[Path | None, typer.Argument(help="The workflow file.", show_default=False)] = None,
    param: _Param = None,
    max_retries: _MaxRetries = None,
    resume: _Resume = None,
    param_file: Annotated[
        Path | None, typer.Option("--param-file", metavar="FILE", help="Variables from a file of YAML or JSON.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would run; run and write nothing.")] = False,
    durability: Annotated[
        str,
        typer.Option(help="`disk` survives a power loss; `process` only a crash, and is faster."),
    ] = "disk",
    yes: _Yes = False,
    json: _Json = False,
) -> None:
    """Run a workflow from its beginning."""
    if resume is not None:
        go_on(resume, max_retries=max_retries, yes=yes, json=json)
        return
    if file is None:
        raise _no_file()
    if durability not in ("disk", "process"):
        raise UsageProblem(f"--durability is disk or process, not {durability!r}")
    given = _given(param_file) | parameters(param or [])
    if dry_run:
        from prodigy.cli.forecast import print_forecast

        print_forecast(file, given, json=json)
        return
    from prodigy.cli.place import project_here
    from prodigy.runtime.bootstrap import CookOrder, remembered
    from prodigy.runtime.bootstrap import cook as start
    from prodigy.store.refusal import remember_refusal

    project = project_here()
    order = CookOrder(path=file, parameters=given, max_retries=max_retries, synced=durability == "disk")
    try:
        _play(project, lambda display: start(project, order, display), json=json, yes=yes)
    except (WorkflowProblem, UsageProblem):
        remember_refusal(project, remembered(project, file))
        raise


def _no_file() -> UsageProblem:
    """Return what is said where no workflow was named: those that are here, and how to run one."""
    import shlex

    from prodigy.runtime.nearby import workflows_near
    from prodigy.runtime.terminal import visible

    found = [visible(str(path)) for path in workflows_near(Path.cwd())]
    if not found:
        return UsageProblem("no workflow file, and none is here", hint="Write a first one: `prodigy init`.")
    more = f"\n  and {len(found) - WORKFLOWS_SHOWN_MAX} more" if len(found) > WORKFLOWS_SHOWN_MAX else ""
    listed = "".join(f"\n  {name}" for name in found[:WORKFLOWS_SHOWN_MAX])
    return UsageProblem(
        f"no workflow file; here are:{listed}{more}", hint=f"Run one: `prodigy cook {shlex.quote(found[0])}`."
    )


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
    max_retries: _MaxRetries = None,
    max_parallel: MaxParallel = None,
    accept_changes: Annotated[
        bool, typer.Option("--accept-changes", help="Let the results of steps that were edited stand.")
    ] = False,
    trust: _Trust = False,
    yes: _Yes = False,
    json: _Json = False,
) -> None:
    """Go on with a run where it stopped."""
    go_on(
        ref,
        force=force,
        from_checkpoint=from_checkpoint,
        max_retries=max_retries,
        max_parallel=max_parallel,
        accept_changes=accept_changes,
        trust=trust,
        yes=yes,
        json=json,
    )


def resume_job(
    ref: Annotated[str, typer.Argument(help="The run: its id, its workflow's name, or the beginning of an id.")],
    max_parallel: MaxParallel = None,
    max_retries: _MaxRetries = None,
    accept_changes: Annotated[
        bool, typer.Option("--accept-changes", help="Let the results of steps that were edited stand.")
    ] = False,
    trust: _Trust = False,
    yes: _Yes = False,
    json: _Json = False,
) -> None:
    """Say how far a mapreduce job is, and go on with it."""
    from prodigy.cli.job import print_job
    from prodigy.cli.place import project_here, run_of

    project = project_here()
    workflow_id = run_of(project, ref)
    print_job(project, workflow_id)
    go_on(
        workflow_id,
        max_parallel=max_parallel,
        max_retries=max_retries,
        accept_changes=accept_changes,
        trust=trust,
        yes=yes,
        json=json,
    )


def approve(
    ref: Annotated[str, typer.Argument(help="The run: its id, its workflow's name, or the beginning of an id.")],
    node: Annotated[
        str | None,
        typer.Argument(help="The stage or step that waits for confirmation; the only one without.", show_default=False),
    ] = None,
    json: _Json = False,
) -> None:
    """Say yes to a stage or step that waits for confirmation, and go on with the run."""
    from prodigy.cli.approve import approve_in_owner
    from prodigy.cli.place import project_here, run_of

    project = project_here()
    workflow_id = run_of(project, ref)
    approved = approve_in_owner(project, workflow_id, node, json=json)
    if approved is not None:
        go_on(workflow_id, approved=approved, json=json)


def fork(
    ref: Annotated[str, typer.Argument(help="The run: its id, its workflow's name, or the beginning of an id.")],
    at: Annotated[
        str, typer.Option("--at", metavar="WHERE", help="A version (v3), an event's seq, a step or a stage.")
    ],
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Change a variable; may be given again.")
    ] = None,
    accept_changes: Annotated[
        bool, typer.Option("--accept-changes", help="Go on with today's file; what was done until there stands.")
    ] = False,
    trust: _Trust = False,
    yes: _Yes = False,
    json: _Json = False,
) -> None:
    """Make a new run that shares another's history until a moment, and go on with it."""
    from prodigy.cli.place import project_here, run_of
    from prodigy.runtime.travel import ForkOrder
    from prodigy.runtime.travel import fork as make_fork

    project = project_here()
    variables = parameters(set_ or [], option="--set")
    order = ForkOrder(
        workflow_id=run_of(project, ref),
        at=at,
        variables=variables,
        trusted=trust,
        accepts_changes=accept_changes,
    )
    _play(project, lambda display: make_fork(project, order, display), json=json, yes=yes)


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("cook")(cook)
    app.command("run", help="The same as cook.")(cook)
    app.command("resume")(resume)
    app.command("resume-job")(resume_job)
    app.command("approve")(approve)
    app.command("fork")(fork)


def go_on(
    ref: str | None,
    *,
    force: bool = False,
    from_checkpoint: str | None = None,
    approved: str | None = None,
    max_retries: int | None = None,
    max_parallel: int | None = None,
    requeue: "Requeuing | None" = None,
    accept_changes: bool = False,
    trust: bool = False,
    yes: bool = False,
    json: bool = False,
) -> None:
    """Resume the run that `ref` means, or the last one."""
    from prodigy.cli.place import mirror_of, project_here
    from prodigy.runtime.bootstrap import ResumeOrder
    from prodigy.runtime.bootstrap import resume as take_up
    from prodigy.store.catalog import find_run

    project = project_here()
    mirror = mirror_of(project)
    workflow_id = _last(project, mirror, yes=yes) if ref is None else find_run(project, ref, mirror)
    _confirm(project, workflow_id, force=force, from_checkpoint=from_checkpoint, yes=yes)
    order = ResumeOrder(
        workflow_id=workflow_id,
        max_retries=max_retries,
        max_parallel=max_parallel,
        requeue=requeue,
        force=force,
        from_checkpoint=from_checkpoint,
        approved=approved,
        accepts_changes=accept_changes,
        trusted=trust,
    )
    _play(project, lambda display: take_up(project, order, display), json=json, yes=yes)


def _last(project: "Project", mirror: "Mirror | None", *, yes: bool) -> str:
    """Return the run that nobody named, and say which it is; on a terminal ask where another may be meant."""
    from prodigy.cli.display import confirmed, visible_lines
    from prodigy.runtime.beside import DAY_S, age_s, stood
    from prodigy.runtime.clock import now
    from prodigy.store.catalog import last_unfinished
    from prodigy.store.refusal import last_refusal

    run, refused, time = last_unfinished(project, mirror), last_refusal(project), now()
    if run.header is None or run.owner is not None:
        return run.workflow_id
    path = run.header.workflow_path
    is_other = refused not in ("", path)
    after = f"; {refused} was refused and has no run" if is_other else ""
    print(f"    note  {visible_lines(f'the last run is {stood(run, time)} of {path}{after}')}", file=sys.stderr)
    if (is_other or age_s(run, time) > DAY_S) and not confirmed("go on with it?", yes=yes):
        raise typer.Exit(1)
    return run.workflow_id


def _confirm(project: "Project", workflow_id: str, *, force: bool, from_checkpoint: str | None, yes: bool) -> None:
    """Ask on a terminal before what may run finished work again: starting a completed run over, or the mirror."""
    from prodigy.cli.display import confirmed
    from prodigy.store.catalog import listed
    from prodigy.store.rescue import is_file

    if from_checkpoint is not None and (from_checkpoint == "mirror" or is_file(from_checkpoint)):
        copy = "its mirror" if from_checkpoint == "mirror" else from_checkpoint
        question = f"take {workflow_id} up from {copy}? What came after it may run again."
    elif force and listed(project, workflow_id).status == "completed":
        question = f"{workflow_id} is completed; start it over?"
    else:
        return
    if not confirmed(question, yes=yes):
        raise typer.Exit(1)


def parameters(texts: list[str], *, option: str = "--param") -> dict[str, str]:
    """Return `NAME=VALUE` texts as a mapping; values are text, never expanded."""
    from prodigy.store.layout import is_text

    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UsageProblem(f"{option} {text!a} is not NAME=VALUE", hint=f"For example: {option} batch_size=500")
        if not is_text(text):
            raise UsageProblem(f"{option} {text!a} is no UTF-8", hint="Put such bytes into a file, and give its name.")
        if name in found:
            raise UsageProblem(f"{option} {name} is given twice")
        found[name] = value
    return found


def _given(param_file: Path | None) -> dict[str, Any]:
    """Return the variables of a parameter file."""
    if param_file is None:
        return {}
    if not param_file.is_file():
        raise UsageProblem(f"--param-file {param_file} is not a file", hint="Name a file of YAML or JSON.")
    from prodigy.plan.document import read_mapping
    from prodigy.runtime.bootstrap import read_workflow

    return read_mapping(read_workflow(param_file), file=str(param_file))


def _play(project: "Project", start: "Callable[[Display], State]", *, json: bool, yes: bool = False) -> None:
    from prodigy.cli.display import Display
    from prodigy.cli.summary import exit_code, print_summary
    from prodigy.runtime.leaving import leave_soon
    from prodigy.runtime.trust import is_known

    display = Display(assume_yes=yes, needs_trust=lambda run_id: not is_known(project, run_id))
    try:
        state = start(display)
    except KeyboardInterrupt:  # before a run listens for the first Ctrl-C, or after it has heard it
        leave_soon(signal.SIGINT, display.note)
        raise
    finally:
        display.close()
    with suppress(OSError):  # whoever reads may be gone, or the disk behind stdout full: printing decides nothing
        run_id = state.run.workflow_id
        print_summary(state, project.run(run_id), json=json, needs_trust=not is_known(project, run_id))
    raise typer.Exit(exit_code(state))
