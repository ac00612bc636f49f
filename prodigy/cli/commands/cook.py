"""`cook` (alias `run`) and `resume`: the commands that make a run move."""

import shlex
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from prodigy.cli.approve import approve_in_owner
from prodigy.cli.forecast import print_forecast
from prodigy.cli.job import print_job
from prodigy.cli.output.display import Display, confirmed, visible_lines
from prodigy.cli.output.streams import let_answer_decide_nothing
from prodigy.cli.output.summary import exit_code, print_summary
from prodigy.cli.projects import mirror_of, project_here, run_of
from prodigy.errors import UsageProblem, WorkflowProblem
from prodigy.kernel.state import State
from prodigy.plan.document import read_mapping
from prodigy.runtime.beside import DAY_S, age_s, stood
from prodigy.runtime.bootstrap import cook as start
from prodigy.runtime.bootstrap import go_on as carry_out
from prodigy.runtime.clock import now
from prodigy.runtime.leaving import leave_soon
from prodigy.runtime.nearby import workflows_near
from prodigy.runtime.terminal import visible
from prodigy.runtime.travel import fork as make_fork
from prodigy.runtime.trust import is_known
from prodigy.runtime.workflow import read_workflow, remembered
from prodigy.store.catalog import find_run, last_unfinished, listed
from prodigy.store.layout import Mirror, Project, is_text
from prodigy.store.orders import Cook, Fork, GoBack, GoingOn, Resume, StartOver, TakeCopy
from prodigy.store.refusal import last_refusal, remember_refusal
from prodigy.store.rescue import MIRROR, is_file

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
        resume_run(resume, max_retries=max_retries, yes=yes, json=json)
        return
    if file is None:
        raise _no_file()
    if durability not in ("disk", "process"):
        raise UsageProblem(f"--durability is disk or process, not {durability!r}")
    given = _given(param_file) | parameters(param or [])
    if dry_run:
        print_forecast(file, given, json=json)
        return

    project = project_here()
    order = Cook(path=str(file), parameters=given, max_retries=max_retries, synced=durability == "disk")
    try:
        _play(project, lambda display: start(project, order, display), json=json, yes=yes)
    except (WorkflowProblem, UsageProblem):
        remember_refusal(project, remembered(project, file))
        raise


def _no_file() -> UsageProblem:
    """Return what is said where no workflow was named: those that are here, and how to run one."""
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
    resume_run(
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
    project = project_here()
    workflow_id = run_of(project, ref)
    print_job(project, workflow_id)
    order = Resume(max_parallel=max_parallel, max_retries=max_retries, accepts_changes=accept_changes, trusted=trust)
    go_on(project, workflow_id, order, yes=yes, json=json)


def approve(
    ref: Annotated[str, typer.Argument(help="The run: its id, its workflow's name, or the beginning of an id.")],
    node: Annotated[
        str | None,
        typer.Argument(help="The stage or step that waits for confirmation; the only one without.", show_default=False),
    ] = None,
    json: _Json = False,
) -> None:
    """Say yes to a stage or step that waits for confirmation, and go on with the run."""
    project = project_here()
    workflow_id = run_of(project, ref)
    if order := approve_in_owner(project, workflow_id, node, json=json):
        go_on(project, workflow_id, order, json=json)


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
    project = project_here()
    variables = parameters(set_ or [], option="--set")
    workflow_id = run_of(project, ref)
    order = Fork(at=at, variables=variables, trusted=trust, accepts_changes=accept_changes)
    _play(project, lambda display: make_fork(project, workflow_id, order, display), json=json, yes=yes)


def resume_run(
    ref: str | None,
    *,
    force: bool = False,
    from_checkpoint: str | None = None,
    max_retries: int | None = None,
    max_parallel: int | None = None,
    accept_changes: bool = False,
    trust: bool = False,
    yes: bool = False,
    json: bool = False,
) -> None:
    """Go on with the run that `ref` means, or the last one, from where the options say."""
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


def go_on(project: Project, workflow_id: str, order: GoingOn, *, yes: bool = False, json: bool = False) -> None:
    """Go on with a run as an order says, and end with the exit code of how it rests."""
    _play(project, lambda display: carry_out(project, workflow_id, order, display), json=json, yes=yes)


def _last(project: Project, mirror: Mirror | None, *, yes: bool) -> str:
    """Return the run that nobody named, and say which it is; on a terminal ask where another may be meant."""
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


def _is_confirmed(project: Project, workflow_id: str, order: GoingOn, *, yes: bool) -> bool:
    """Ask on a terminal before what may run finished work again: starting a completed run over, or a copy."""
    if isinstance(order, TakeCopy):
        copy = "its mirror" if order.where == MIRROR else order.where
        return confirmed(f"take {workflow_id} up from {copy}? What came after it may run again.", yes=yes)
    if isinstance(order, StartOver) and listed(project, workflow_id).status == "completed":
        return confirmed(f"{workflow_id} is completed; start it over?", yes=yes)
    return True


def parameters(texts: list[str], *, option: str = "--param") -> dict[str, str]:
    """Return `NAME=VALUE` texts as a mapping; values are text, never expanded."""
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

    return read_mapping(read_workflow(param_file), file=str(param_file))


def _play(project: Project, start: Callable[[Display], State], *, json: bool, yes: bool = False) -> None:
    display = Display(assume_yes=yes, needs_trust=lambda workflow_id: not is_known(project, workflow_id))
    try:
        state = start(display)
    except KeyboardInterrupt:  # before a run listens for the first Ctrl-C, or after it has heard it
        leave_soon(signal.SIGINT, display.note)
        raise
    finally:
        display.close()
    let_answer_decide_nothing()
    with suppress(OSError):  # whoever reads may be gone, or the disk behind stdout full: printing decides nothing
        workflow_id = state.run.workflow_id
        print_summary(state, project.run(workflow_id), json=json, needs_trust=not is_known(project, workflow_id))
    raise typer.Exit(exit_code(state))
