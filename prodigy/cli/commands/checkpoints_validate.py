"""`checkpoints validate`: whether what is kept of a run can be relied upon, and how to mend it."""

from typing import Annotated

import typer

from prodigy.cli.options import Json, RunReference
from prodigy.cli.output.answers import print_json
from prodigy.cli.output.columns import MARGIN, columns_of_terminal, with_command
from prodigy.cli.output.sentences import print_prose
from prodigy.cli.program import program
from prodigy.cli.projects import mirror_of, project_here
from prodigy.cli.rescue import lines as ways_out
from prodigy.errors import DamagedState, ExitCode, StorageFailure
from prodigy.runtime.orders.upkeep import repair
from prodigy.runtime.terminal import visible
from prodigy.store.catalog import find_run, folder_gone
from prodigy.store.files import existing_folder
from prodigy.store.layout import Project
from prodigy.store.validation import Finding, examine

_BELOW = " " * 21  # what is said of a thing stands behind its name
_TRUTH = ("log", "values")  # what cannot be rebuilt


def checkpoints_validate(
    ref: RunReference,
    repair: Annotated[
        bool, typer.Option("--repair", help="Rewrite the checkpoint and its mirror from the log.")
    ] = False,
    json: Json = False,
) -> None:
    """Check a run's log, stored values, checkpoint and mirror against each other."""
    project = project_here()
    mirror = mirror_of(project)
    workflow_id = find_run(project, ref, mirror)
    _refuse_what_is_gone(project, workflow_id)
    findings = examine(project, mirror, workflow_id)
    is_repaired = repair and _is_mendable(findings)
    if is_repaired:
        _repair(project, workflow_id)
        findings = examine(project, mirror, workflow_id)
    is_sound = not any(finding.is_wrong for finding in findings)
    if json:
        shown = [{"thing": found.thing, "ok": not found.is_wrong, "says": found.says} for found in findings]
        document = {"schema_version": 1, "workflow_id": workflow_id, "ok": is_sound, "repaired": is_repaired}
        print_json(document | {"findings": shown})
    else:
        for line in _lines(workflow_id, findings, was_asked=repair, is_repaired=is_repaired):
            print_prose(line, more=_BELOW if line.startswith(" ") else None)
        if _is_truth_wrong(findings):
            for way in ways_out(project, mirror, workflow_id):
                print_prose(way, indent="  ", more=MARGIN)
    raise typer.Exit(ExitCode.COMPLETED if is_sound else ExitCode.DAMAGED)


def _refuse_what_is_gone(project: Project, workflow_id: str) -> None:
    if not existing_folder(project.run(workflow_id).path):
        gone = folder_gone(workflow_id)
        raise DamagedState(gone.message, hint=gone.hint)


def _is_mendable(findings: list[Finding]) -> bool:
    """Whether something is wrong, and the log it is rebuilt from is not."""
    return any(finding.is_wrong for finding in findings) and not _is_truth_wrong(findings)


def _is_truth_wrong(findings: list[Finding]) -> bool:
    return any(finding.is_wrong for finding in findings if finding.thing in _TRUTH)


def _repair(project: Project, workflow_id: str) -> None:
    """Write the checkpoint and its mirror anew, as the log has it. The log is only read.

    Raises:
        RunNotFound: the run is live: its owner writes them.
        StorageFailure: the disk refused.
    """
    problems = list[str]()
    repair(project, workflow_id, problems.append)
    if problems:
        raise StorageFailure("; ".join(problems), hint="Mend that, then repair once more.")


def _lines(workflow_id: str, findings: list[Finding], *, was_asked: bool, is_repaired: bool) -> list[str]:
    lines = [workflow_id]
    for finding in findings:
        lines.append(f"  {'wrong' if finding.is_wrong else 'ok':<6} {finding.thing:<11} {visible(finding.says)}")
    wrong = {finding.thing for finding in findings if finding.is_wrong}
    if is_repaired:
        lines.append("the checkpoint and its mirror were rewritten from the log")
    elif was_asked and not wrong:
        lines.append("nothing to repair")
    elif wrong.intersection(_TRUTH):
        lines.append("the log itself, or what it names, is damaged: nothing can be rebuilt from it; what is left:")
    elif wrong:
        mend = f"{program()} checkpoints validate {workflow_id} --repair"
        lines += with_command("mend it with", mend, columns_of_terminal())
    return lines
