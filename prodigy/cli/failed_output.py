"""`logs --failed`: the end of what failed steps and items said, the latest last, and where all of it is."""

from pathlib import Path
from shlex import quote
from typing import Any

from prodigy.cli.kept_output import ends_document, ends_of
from prodigy.cli.output.answers import print_json
from prodigy.cli.output.columns import MARGIN
from prodigy.cli.output.sentences import print_prose, print_with_command
from prodigy.cli.program import from_here, program
from prodigy.cli.wanted import Wanted
from prodigy.plan.phrases import counted
from prodigy.projections.failure import Failure, failures_of
from prodigy.runtime.terminal import Lines, visible
from prodigy.store.catalog import read_run
from prodigy.store.layout import Project, RunFolder

SHOWN_MAX = 10


def print_failed(project: Project, workflow_id: str, wanted: Wanted, *, json: bool) -> None:
    """Print what the last attempts that failed said, at most `SHOWN_MAX` of them, with `json` as one document.

    Raises:
        DamagedState: the run cannot be read.
    """
    state = read_run(project, workflow_id).sound()
    found = [failure for failure in failures_of(state) if wanted.has(failure.at)]
    folder = project.run(workflow_id)
    shown = found[-SHOWN_MAX:]
    if json:
        failures = [_document(folder, failure) for failure in shown]
        print_json({"schema_version": 1, "workflow_id": workflow_id, "total": len(found), "failed": failures})
        return
    if not found:
        print_prose(f"nothing failed in {visible(wanted.address or workflow_id)}")
    for failure in shown:
        _print(folder, failure)
    if len(found) > len(shown):
        rest, last = counted(len(found) - len(shown), "earlier failure"), found[-len(shown) - 1]
        command = f"{program()} logs {workflow_id} {visible(quote(last.at))}"
        print_with_command(f"── {rest} not shown; the last of them", command)


def _print(folder: RunFolder, failure: Failure) -> None:
    """Print a heading, the end of what was said, and where there is more of it."""
    print_prose(f"── {visible(failure.at)}  attempt {failure.attempt}  {visible(failure.cause)} ──", more=MARGIN)
    files = ends_of(_output(folder, failure))
    for file, text, size in files:
        print(_safe(text), end="")
        if len(text.encode()) < size:
            print_prose(f"… its end; all {counted(size, 'byte')}: {visible(from_here(file))}", more=MARGIN)
    if not files:  # nothing was started or printed, or an older version did not note where
        print(_safe(failure.error), end="")


def _output(folder: RunFolder, failure: Failure) -> Path | None:
    return folder.path / failure.output_file if failure.output_file else None


def _safe(text: str) -> str:
    """Return a text as lines that a terminal may see."""
    lines = Lines("", colour=False)
    return lines.feed(text.encode()) + lines.finish()


def _document(folder: RunFolder, failure: Failure) -> dict[str, Any]:
    return {
        "at": failure.at,
        "attempt": failure.attempt,
        "cause": failure.cause,
        "error": failure.error,
        "said": ends_document(_output(folder, failure)),
    }
