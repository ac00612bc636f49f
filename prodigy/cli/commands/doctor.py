"""`doctor`: compare what the logs say with what is there, and print what mends each difference. It mends nothing."""

import os
import re
import shutil
import subprocess
import sys

import msgspec
import typer

from prodigy import __version__
from prodigy.cli.checks.finding import Finding, warning
from prodigy.cli.checks.table import examine
from prodigy.cli.options import Json
from prodigy.cli.output.answers import print_json
from prodigy.cli.output.columns import MARGIN, as_command, columns_of_terminal, prose
from prodigy.cli.output.sentences import print_beside, print_prose
from prodigy.cli.projects import project_here
from prodigy.errors import ExitCode, ProdigyError
from prodigy.plan.phrases import agreeing, counted
from prodigy.runtime.claude.versions import is_tested, tested
from prodigy.runtime.terminal import visible
from prodigy.store.catalog import workflow_ids
from prodigy.store.layout import Project, home

VERSION_WAIT_S = 5.0
_SENTENCE = re.compile(r"[A-Z].*\.")  # advice that is no command


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What the doctor looked at. A version is null where the program is not there."""

    project: str
    home: str
    runs: int
    versions: dict[str, str | None]


def doctor(json: Json = False) -> None:
    """Compare the logs with reality and print what mends each difference; mends nothing itself.

    Exits with 0 when nothing is wrong, else with 1. A warning alone is nothing wrong.
    """
    project = project_here()
    facts, findings = _facts(project), list(examine(project))
    findings += _untested(facts.versions["claude"])
    if json:
        print_json({"schema_version": 1, **msgspec.to_builtins(facts), "findings": findings})
    else:
        _print(facts, findings)
    if any(finding.severity == "wrong" for finding in findings):
        raise typer.Exit(ExitCode.FAILED)


def _untested(version: str | None) -> list[Finding]:
    if version is None or is_tested(version):
        return []
    what = f"Claude Code {version} was not tried with prodigy, which knows {tested()}"
    return [warning("version", what, f"npm install -g @anthropic-ai/claude-code@{tested().rpartition(' ')[2]}")]


def _facts(project: Project) -> Facts:
    try:
        folder, count = str(home()), len(workflow_ids(project))
    except ProdigyError:
        folder, count = os.environ.get("PRODIGY_HOME", ""), 0
    versions: dict[str, str | None] = {"prodigy": __version__, "python": ".".join(map(str, sys.version_info[:3]))}
    versions |= {name: _version(name) for name in ("git", "claude")}
    return Facts(project=str(project.root), home=folder, runs=count, versions=versions)


def _version(program: str) -> str | None:
    """Return the version that a program says it has, and where it is where it says none; None where it is not there."""
    path = shutil.which(program)
    return path and (_said_version(path) or f"unknown, at {path}")


def _said_version(path: str) -> str | None:
    try:
        done = subprocess.run(
            (path, "--version"), stdin=subprocess.DEVNULL, capture_output=True, timeout=VERSION_WAIT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(r"\d+(\.\d+)+", done.stdout[:1000].decode(errors="replace"))
    return match[0] if match else None


def _print(facts: Facts, findings: list[Finding]) -> None:
    versions = (f"{name} {version or 'not found'}" for name, version in facts.versions.items())
    print_prose("  ".join(versions))
    print_beside("project  ", f"{visible(facts.project)}  {counted(facts.runs, 'run')}")
    print_beside("home     ", visible(facts.home))
    for finding in findings:
        print()
        print_beside("✗ " if finding.severity == "wrong" else "! ", visible(finding.what))
        lay_out = prose if _SENTENCE.fullmatch(finding.mend) else as_command
        print("\n".join(lay_out(visible(finding.mend), columns_of_terminal(), indent=MARGIN)))
    wrong = sum(finding.severity == "wrong" for finding in findings)
    print(f"\n{counted(wrong, 'thing')} {agreeing(wrong, 'is', 'are')} wrong" if wrong else "\nnothing is wrong")
