"""`cook`, also typed `run`: run a workflow from its beginning."""

import os
import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from prodigy.cli.commands.resume import resume as resume_run
from prodigy.cli.forecast import print_forecast
from prodigy.cli.foreground import in_foreground
from prodigy.cli.options import JsonSummary, MaxRetries, Yes, parameters
from prodigy.cli.projects import project_here
from prodigy.errors import UsageProblem, WorkflowProblem
from prodigy.plan.document import read_mapping
from prodigy.runtime.orders.bootstrap import cook as start
from prodigy.runtime.orders.nearby import workflows_near
from prodigy.runtime.orders.workflow import read_workflow, remembered
from prodigy.runtime.processes.commands import program_in
from prodigy.runtime.terminal import visible
from prodigy.store.orders import Cook
from prodigy.store.refusal import remember_refusal

WORKFLOWS_SHOWN_MAX = 30
_Resume = Annotated[str | None, typer.Option("--resume", metavar="REF", help="Go on with this run instead.")]
_Param = Annotated[
    list[str] | None,
    typer.Option("--param", "-p", metavar="NAME=VALUE", help="Set a variable, a list as JSON; may be given again."),
]


def cook(
    file: Annotated[Path | None, typer.Argument(help="The workflow file.", show_default=False)] = None,
    param: _Param = None,
    max_retries: MaxRetries = None,
    resume: _Resume = None,
    param_file: Annotated[
        Path | None, typer.Option("--param-file", metavar="FILE", help="Variables from a file of YAML or JSON.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would run; run and write nothing.")] = False,
    durability: Annotated[
        str,
        typer.Option(help="`disk` survives a power loss; `process` only a crash, and is faster."),
    ] = "disk",
    claude_bin: Annotated[
        str,
        typer.Option(
            metavar="PROGRAM", help="What to run for Claude Code in all steps: prodigy-fake-claude costs nothing."
        ),
    ] = "",
    budget: Annotated[
        float | None,
        typer.Option("--budget", metavar="USD", min=0.0001, help="What its claude steps may cost, in US dollars."),
    ] = None,
    yes: Yes = False,
    json: JsonSummary = False,
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
        print_forecast(file, given, json=json, claude_bin=claude_bin)
        return

    project = project_here()
    order = Cook(
        path=str(file),
        parameters=given,
        max_retries=max_retries,
        budget_usd=budget,
        synced=durability == "disk",
        claude_bin=program_in(claude_bin, os.getcwd()),
    )
    try:
        in_foreground(project, lambda display: start(project, order, display), json=json, yes=yes)
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


def _given(param_file: Path | None) -> dict[str, Any]:
    """Return the variables of a parameter file."""
    if param_file is None:
        return {}
    if not param_file.is_file():
        raise UsageProblem(f"--param-file {param_file} is not a file", hint="Name a file of YAML or JSON.")

    return read_mapping(read_workflow(param_file), file=str(param_file))
