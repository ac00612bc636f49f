"""`validate`: what is wrong with a workflow file."""

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from prodigy.cli.options import Json
from prodigy.cli.output.answers import print_json
from prodigy.cli.output.complaints import shown
from prodigy.cli.output.sentences import print_prose
from prodigy.errors import ExitCode, Problem, WorkflowProblem
from prodigy.plan.compile import workflow_notices
from prodigy.plan.phrases import counted
from prodigy.runtime.orders.workflow import read_workflow


def validate(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="The workflow files.", show_default=False)],
    json: Json = False,
) -> None:
    """Show all mistakes of workflow files, and what is legal but may not be meant."""
    reports = [_report(file) for file in files]
    if json:
        print_json({"schema_version": 1, "files": reports})
    else:
        for report in reports:
            _print(report)
    raise typer.Exit(ExitCode.COMPLETED if all(report["is_valid"] for report in reports) else ExitCode.WORKFLOW)


def _report(file: Path) -> dict[str, Any]:
    """Return what is to be said of one file: mistakes, or else notices."""
    problems: list[Problem] = []
    notices: list[Problem] = []
    try:
        notices = workflow_notices(read_workflow(file), file=str(file), environment=dict(os.environ))
    except WorkflowProblem as error:
        problems = list(error.problems)
    return {"file": str(file), "is_valid": not problems, "problems": problems, "notices": notices}


def _print(report: dict[str, Any]) -> None:
    """Print mistakes to stderr and the verdict to stdout."""
    for problem in report["problems"]:
        print(f"{shown(problem, 'error: ')}\n", file=sys.stderr)
    for notice in report["notices"]:
        print(f"{shown(notice, 'notice: ')}\n", file=sys.stderr)
    count = len(report["problems"])
    if count:
        print_prose(f"{report['file']}: {counted(count, 'mistake')}")
    else:
        notices = f", {len(report['notices'])} to look at" if report["notices"] else ""
        print_prose(f"{report['file']}: valid{notices}")
