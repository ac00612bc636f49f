"""`checkpoints list`: where every run stands, and every version that it can go back to."""

import os
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from prodigy.cli.options import Json
from prodigy.cli.output.advice import as_typed
from prodigy.cli.output.advice import document as advised
from prodigy.cli.output.answers import print_json
from prodigy.cli.output.columns import MARGIN, columns_of_terminal, fact, folded, table
from prodigy.cli.output.costs import cost_of
from prodigy.cli.output.sentences import tell
from prodigy.cli.output.times import clock, dated, since
from prodigy.cli.program import program
from prodigy.cli.projects import mirror_of, project_here
from prodigy.cli.rescue import least_costly
from prodigy.cli.version_list import NO_VERSIONS_YET, fault, version_lines, versions_of
from prodigy.kernel.cause import meaningful_line
from prodigy.projections.next_steps import way_on
from prodigy.runtime.terminal import visible
from prodigy.store.catalog import find_run, list_runs, overview, read_run
from prodigy.store.layout import Mirror, Project
from prodigy.store.overview import RunOverview, read_header


def checkpoints_list(
    workflow_id: Annotated[
        str | None, typer.Option("--workflow-id", metavar="REF", help="Only this run, with its versions.")
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show more of each run.")] = False,
    json: Json = False,
) -> None:
    """List the runs of this project, the one cooked or resumed last first."""
    project = project_here()
    mirror = mirror_of(project)
    if workflow_id is not None:
        run = overview(project, find_run(project, workflow_id, mirror), mirror)
        _list_versions(project, mirror, _examined(project, run), json=json, verbose=verbose)
        return
    runs = list_runs(project, mirror)
    if json:
        print_json({"schema_version": 1, "checkpoints": [_document(project, mirror, run) for run in runs]})
    elif verbose:
        examined = [_examined(project, run) for run in runs]
        print("\n\n".join("\n".join(_block(project, mirror, run)) for run in examined) if runs else _none_here())
    else:
        print("\n".join(_table(runs)) if runs else _none_here())
        for run in runs:
            if run.problem:
                way = _way_out(project, mirror, run)
                tell(f"note: {run.workflow_id}: {run.problem}\n  {way[0].capitalize()}: {way[1]}")


def _examined(project: Project, run: RunOverview) -> RunOverview:
    """Return a run that rests and was taken for sound as damaged where it is: its whole log is read, as resume does."""
    if run.is_mirror_only or run.is_damaged or run.owner is not None:
        return run
    found = read_run(project, run.workflow_id)
    return found if found.problem else run


def _none_here() -> str:
    return f"no checkpoints here; begin with: {program()} cook FILE"


def _table(runs: list[RunOverview]) -> list[str]:
    headings = ("RUN", "STATUS", "STEP", "LAST", "UPDATED")
    return table(headings, map(_row, runs), columns=columns_of_terminal(), spare=["UPDATED"], cut="STEP")


def _row(run: RunOverview) -> tuple[str, str, str, str, str]:
    header = run.header
    if header is None:
        return run.workflow_id, _status(run), "cannot be read", "", ""
    return run.workflow_id, _status(run), run.step, _version(header.version), since(header.timestamp)


def _version(number: int) -> str:
    return f"v{number}" if number else ""


def _block(project: Project, mirror: Mirror | None, run: RunOverview) -> list[str]:
    """Return what there is to say of a run, a line each."""
    header = run.header
    if header is None:
        way = _way_out(project, mirror, run)
        return [_head(run), *_facts([("problem", run.problem or ""), way])]
    facts = [
        ("workflow", header.workflow_path),
        ("started", clock(header.snapshot.origin.started)),
        ("updated", dated(header.timestamp)),
        ("version", f"{_version(header.version) or 'none yet'}, generation {header.generation}"),
        ("variables", str(len(header.variables))),
        ("cost", cost_of(run.ledger)),
        (fault(run.status), header.cause or meaningful_line(header.failure)),
        ("mirror", _mirrored(run, mirror)),
        ("process", str(run.owner.pid) if run.owner else ""),
        ("go on", _way_on(run)),
    ]
    return [_head(run), *_facts(facts)]


def _head(run: RunOverview) -> str:
    stands = "  ".join(part for part in (run.workflow_id, _status(run), visible(run.step)) if part)
    return "\n".join(folded(stands, columns_of_terminal(), more=MARGIN))


def _status(run: RunOverview) -> str:
    return f"{run.status} (mirror only)" if run.is_mirror_only else run.status


def _facts(facts: list[tuple[str, str]]) -> Iterator[str]:
    for name, value in facts:
        if value:
            yield fact(name, value, None if name in _TYPED else columns_of_terminal())


def _way_out(project: Project, mirror: Mirror | None, run: RunOverview) -> tuple[str, str]:
    """Return what to call the least costly way out of a damaged run, and the command."""
    if way := least_costly(project, mirror, run.workflow_id):
        return "way out", way
    return "look", f"{program()} checkpoints validate {run.workflow_id}"


def _way_on(run: RunOverview) -> str:
    """Return the command that goes on with a run; nothing where there is none."""
    step = way_on(run.rest)
    return as_typed(step) if step else ""


def _advised(project: Project, mirror: Mirror | None, run: RunOverview) -> dict[str, Any]:
    """Return what `--json` says of what to type next: of a damaged run the least costly way out of it."""
    is_believed = run.is_mirror_only or run.owner is not None or run.status == "completed"
    if run.header is not None and (is_believed or not read_run(project, run.workflow_id).problem):
        return advised(run.rest)
    why, command = _way_out(project, mirror, run)
    return {"resume": command if why == "way out" else None, "next": [{"why": why, "command": command}]}


def _mirrored(run: RunOverview, mirror: Mirror | None) -> str:
    """Return how a run's mirror stands: `current`, `behind`, `missing`, `unreadable`, `none`, or all that is left."""
    if run.is_mirror_only:
        return "all that is left"
    if mirror is None or run.header is None:
        return "none"
    path = mirror.checkpoint(run.workflow_id)
    copy = read_header(path, run.workflow_id)
    if copy is None:
        return "unreadable" if os.path.lexists(path) else "missing"
    is_current = (copy.generation, copy.last_seq) == (run.header.generation, run.header.last_seq)
    return "current" if is_current else "behind"


def _document(project: Project, mirror: Mirror | None, run: RunOverview) -> dict[str, Any]:
    header = run.header
    return {
        "workflow_id": run.workflow_id,
        "workflow_path": header.workflow_path if header else None,
        "name": run.name,
        "status": run.status,
        "step": run.step,
        "version": header.version if header else None,
        "generation": header.generation if header else None,
        "started": header.snapshot.origin.started if header else None,
        "updated": header.timestamp if header else None,
        "variables": len(header.variables) if header else None,
        "cost_usd": header.snapshot.cost_usd if header else None,
        "attempts_of_unknown_cost": header.snapshot.costs_unknown if header else None,
        "failure": (header.failure or None) if header else None,
        "mirror": _mirrored(run, mirror),
        "mirror_only": run.is_mirror_only,
        "pid": run.owner.pid if run.owner else None,
        "problem": run.problem or None,
        **_advised(project, mirror, run),
    }


def _list_versions(project: Project, mirror: Mirror | None, run: RunOverview, *, json: bool, verbose: bool) -> None:
    """Print a run, and then its versions, newest first, each with the command that goes on after it."""
    made, problems = versions_of(project.run(run.workflow_id))
    if json:
        versions = [version.document() for version in made]
        print_json({"schema_version": 1, "checkpoints": [_document(project, mirror, run)], "versions": versions})
        return
    block = _block(project, mirror, run)
    kept = block if verbose else [block[0], *(line for line in block[1:] if line.split()[0] in _IN_SHORT)]
    print("\n".join([*kept, "", *version_lines(made, unmade=_unmade(run))]))
    for problem in problems:
        tell(f"note: {problem}")


def _unmade(run: RunOverview) -> str:
    """Return why no versions are listed."""
    if run.is_damaged:
        return "no version can be read"
    return "its versions went with its log" if run.is_mirror_only else NO_VERSIONS_YET


_TYPED = ("go on", "look", "way out")  # commands, which a terminal may break, but no newline
_IN_SHORT = ("workflow", "updated", "failure", "waits", "refused", "problem", "look", "way", "process", "go")
