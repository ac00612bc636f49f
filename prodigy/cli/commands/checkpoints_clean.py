"""`checkpoints clean`: free the disk of runs that nobody will go on with."""

import os
import re
import shlex
import sys
from contextlib import nullcontext, redirect_stdout, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from prodigy.cli.output.answers import print_json
from prodigy.cli.output.columns import columns_of_terminal, table
from prodigy.cli.output.complaints import complain
from prodigy.cli.output.display import confirmed, has_terminal, note, user
from prodigy.cli.output.sentences import print_beside, print_prose, print_with_command
from prodigy.cli.output.times import since
from prodigy.cli.projects import command_in, mirror_of, project_here
from prodigy.errors import ProdigyError, UsageProblem
from prodigy.plan.phrases import agreeing, counted
from prodigy.runtime.orders.upkeep import clean as clean_run
from prodigy.store.catalog import cleaned_ids, cleaning_of, find_run, list_runs, overview
from prodigy.store.cleaning import FINISHED, clean_values, weigh, weigh_values
from prodigy.store.layout import Mirror, Project, home, mirrors
from prodigy.store.orders import Clean

_AGE = re.compile(r"(\d{1,4})([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class Choice(NamedTuple):
    """What to clean, as the command line says; `earliest` is the time since which a run must have rested."""

    workflow_id: str | None
    older_than: str | None
    earliest: str
    purge: bool
    dead_letters: bool

    @property
    def command(self) -> str:
        """The command that this is, without the answer to its question."""
        words = ["prodigy checkpoints clean"]
        words.append("--all" if self.workflow_id is None else f"--workflow-id {shlex.quote(self.workflow_id)}")
        words += ["--dead-letters"] if self.dead_letters else []
        words += [f"--older-than {self.older_than}"] if self.older_than else []
        return " ".join([*words, "--purge"] if self.purge else words)


class Report:
    """What became of it all, for `--json`: each run by its `result`, and what was refused, in words."""

    def __init__(self) -> None:
        self.runs = list[dict[str, Any]]()
        self.errors = list[str]()
        self.freed_bytes = 0

    def tell(self, run: "Chosen", result: str, size_bytes: int = 0) -> None:
        """Add a run: it was `cleaned`, `purged` or `kept`, or `would_go`."""
        self.runs.append(
            {
                "workflow_id": run.workflow_id,
                "project": str(run.project.root),
                "status": run.status,
                "dead_letters": run.dead,
                "result": result,
                "size_bytes": size_bytes,
            }
        )
        self.freed_bytes += size_bytes if result in ("cleaned", "purged") else 0

    def refuse(self, problem: ProdigyError, project: Project) -> int:
        """Say what was refused of a project, and return its exit code."""
        self.errors.append(problem.message)
        return complain(problem, is_answer=False, project=project)

    def document(self, code: int) -> dict[str, Any]:
        """Return all of it."""
        return {
            "schema_version": 1,
            "runs": self.runs,
            "freed_bytes": self.freed_bytes,
            "errors": self.errors,
            "exit_code": code,
        }


class Chosen(NamedTuple):
    """A run to be cleaned, and how many bytes that frees. `updated` is when it last moved, `dead` its dead letters."""

    project: Project
    mirror: Mirror | None
    workflow_id: str
    status: str
    updated: str
    size_bytes: int
    dead: int = 0


def checkpoints_clean(
    all_: Annotated[bool, typer.Option("--all", help="Every completed or cancelled run.")] = False,
    workflow_id: Annotated[
        str | None, typer.Option("--workflow-id", metavar="REF", help="This run, whatever its status.")
    ] = None,
    older_than: Annotated[
        str | None, typer.Option("--older-than", metavar="AGE", help="Only what has rested so long: 12h, 7d, 2w.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would go; remove nothing.")] = False,
    purge: Annotated[bool, typer.Option("--purge", help="Remove the log too: nothing of the run is left.")] = False,
    dead_letters: Annotated[
        bool, typer.Option("--dead-letters", help="Runs with open dead letters too: they cannot be retried then.")
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document; what people read goes to stderr.")
    ] = False,
) -> None:
    """Remove checkpoints, stored values and outputs of runs that are over; their logs stay for the audit.

    Runs with open dead letters are kept, unless --dead-letters takes them too.
    """
    if all_ == (workflow_id is not None):
        raise UsageProblem(
            "clean needs to know what" if workflow_id is None else "--all and --workflow-id are two things",
            hint="Every run that is completed or cancelled: `prodigy checkpoints clean --all`.\n"
            "  One run, whatever its status: `prodigy checkpoints clean --workflow-id REF`.",
        )
    choice = Choice(workflow_id, older_than, _earliest(older_than), purge, dead_letters)
    report = Report()
    with redirect_stdout(sys.stderr) if json else nullcontext():
        code = _carry_out(choice, report, force=force, dry_run=dry_run)
    if json:
        print_json(report.document(code))
    raise typer.Exit(code)


def _carry_out(choice: Choice, report: Report, *, force: bool, dry_run: bool) -> int:
    """Choose, ask, and clean; return the exit code."""
    places, is_everywhere = _places(choice)
    runs, code = _gathered(places, choice, report)
    runs = _without_dead_letters(runs, choice, report, asks=has_terminal() and not force)
    if not runs:
        looked_in = [project for project, _ in places] if is_everywhere else []
        print_prose(_nothing(choice, looked_in, keeps=bool(report.runs)))
        return code
    if is_everywhere or dry_run or (not force and has_terminal()):
        print("\n".join(_table(runs, _shared(runs, places), with_projects=is_everywhere)))
    if dry_run:
        print_prose(f"would free {_total(runs, places)} of {counted(len(runs), 'run')}; nothing was removed")
        for run in runs:
            report.tell(run, "would_go", run.size_bytes)
        return code
    if not force and not _is_confirmed(runs, choice, _total(runs, places)):
        print("nothing was removed")
        return 1
    return _clean(runs, places, choice, report) or code


def _places(choice: Choice) -> tuple[list[tuple[Project, Mirror | None]], bool]:
    """Return the project here, or outside any, for `--all`, every project that this user has run; and whether so."""
    here = project_here()
    if choice.workflow_id is not None or not _is_outside(here):
        return [(here, mirror_of(here))], False
    known = [(root, mirror) for mirror in mirrors() if (root := mirror.root())]
    return [(Project(root), mirror) for root, mirror in known if root.is_dir()], True


def _is_outside(project: Project) -> bool:
    """Whether nothing here is a project: no state of one, and no repository unless that is the home folder itself."""
    if os.path.lexists(project.state) and project.state != home():
        return False
    return not os.path.lexists(project.root / ".git") or project.root == Path(os.path.realpath(Path.home()))


def _gathered(places: list[tuple[Project, Mirror | None]], choice: Choice, report: Report) -> tuple[list[Chosen], int]:
    """Return the runs to clean; a project that cannot be read is named, and decides the exit code."""
    runs, code = list[Chosen](), 0
    for project, mirror in places:
        try:
            runs += _chosen(project, mirror, choice)
        except ProdigyError as problem:
            if choice.workflow_id is not None:
                raise  # it is the whole answer: there is no other run to say anything of
            refused = report.refuse(problem, project)
            code = code or refused
    return runs, code


def _chosen(project: Project, mirror: Mirror | None, choice: Choice) -> list[Chosen]:
    if choice.workflow_id is not None:
        named = find_run(project, choice.workflow_id, mirror, with_cleaned=True)
        cleaned = [named] if cleaning_of(project, named) else []
        runs = [] if cleaned else [overview(project, named, mirror)]
    else:
        cleaned = cleaned_ids(project)
        runs = [run for run in list_runs(project, mirror) if run.status in FINISHED and run.owner is None]
    found = [
        Chosen(
            project,
            mirror,
            run.workflow_id,
            run.status,
            run.header.timestamp if run.header else "",
            weigh(project, mirror, run.workflow_id, purge=choice.purge),
            run.rest.dead,
        )
        for run in runs
    ]
    for workflow_id in cleaned:  # what a cleaner left that was killed; with --purge their logs
        size = weigh(project, mirror, workflow_id, purge=choice.purge)
        if size or choice.purge:
            found.append(Chosen(project, mirror, workflow_id, "cleaned", cleaning_of(project, workflow_id) or "", size))
    return [run for run in found if not choice.earliest or run.updated < choice.earliest]


def _without_dead_letters(runs: list[Chosen], choice: Choice, report: Report, *, asks: bool) -> list[Chosen]:
    """Return the runs that may go, and say which are kept for their dead letters.

    Raises:
        UsageProblem: it is the one that was named, and nobody is asked.
    """
    kept = [] if choice.dead_letters else [run for run in runs if run.dead]
    if not kept:
        return runs
    letters = counted(sum(run.dead for run in kept), "open dead letter")
    if choice.workflow_id is None:
        several = f"{counted(len(kept), 'run')} with {letters}"
        look = command_in(kept[0].project, f"dlq list {kept[0].workflow_id}")
        takes = f"--dead-letters takes {agreeing(len(kept), 'it', 'them')} too"
        why = f"kept     {several}; {takes}, and look first"
        print_with_command(why, look)
        for run in kept:
            report.tell(run, "kept")
        return [run for run in runs if not run.dead]
    if asks:
        return runs
    raise UsageProblem(
        f"{kept[0].workflow_id} has {letters}, which cannot be retried when it is cleaned",
        hint=f"Retry them: `prodigy dlq retry {kept[0].workflow_id}`.\n"
        f"  Take them too: `{choice._replace(dead_letters=True).command} --force`.",
    )


def _is_confirmed(runs: list[Chosen], choice: Choice, size: str) -> bool:
    """Ask on a terminal, default no. Elsewhere nobody can be asked.

    Raises:
        UsageProblem: there is no terminal.
    """
    logs = "log included" if choice.purge else "the log stays"
    what = f"{size} of {counted(len(runs), 'run')} ({logs})"
    if not has_terminal():
        raise UsageProblem(
            f"this would remove {what}, and nobody can be asked here",
            hint=f"To do it: `{choice.command} --force`. To see what goes: `{choice.command} --dry-run`.",
        )
    lost = [f"  {run.workflow_id} is {run.status} and cannot be resumed then" for run in runs if _is_unfinished(run)]
    lost += [
        f"  {run.workflow_id} has {counted(run.dead, 'dead letter')}, which cannot be retried then"
        for run in runs
        if run.dead
    ]
    return confirmed("\n".join([f"Remove {what}?", *lost]), yes=False)


def _is_unfinished(run: Chosen) -> bool:
    return run.status not in FINISHED and run.status != "cleaned"


def _clean(runs: list[Chosen], places: list[tuple[Project, Mirror | None]], choice: Choice, report: Report) -> int:
    """Clean each run, say so, and go on with the next where one is refused; return the first refusal's exit code."""
    freed, count, code = 0, 0, 0
    order = Clean(
        by=f"{user()} with checkpoints clean",
        only_finished=choice.workflow_id is None,
        purge=choice.purge,
    )
    for run in runs:
        try:
            size = clean_run(run.project, run.mirror, run.workflow_id, order, note)
        except ProdigyError as problem:
            refused = report.refuse(problem, run.project)
            code = code or refused
            continue
        if size is None:
            print_beside("kept     ", f"{run.workflow_id}: it has gone on")
            report.tell(run, "kept")
            continue
        verb = "purged" if choice.purge else "cleaned"
        print_beside(f"{verb}  ", f"{run.workflow_id}  {in_bytes(size)}")
        report.tell(run, verb, size)
        freed, count = freed + size, count + 1
    shared = sum(clean_values(project, mirror) for project, mirror in places)
    if shared:
        print_beside("cleaned  ", f"values in the mirror that no other run needs  {in_bytes(shared)}")
    freed += shared
    report.freed_bytes += shared
    logs = "" if choice.purge or not count else "; what happened stays in the log, until --purge"
    print_prose(f"freed {in_bytes(freed)} of {counted(count, 'run')}{logs}")
    return code


def _total(runs: list[Chosen], places: list[tuple[Project, Mirror | None]]) -> str:
    return in_bytes(sum(run.size_bytes for run in runs) + _shared(runs, places))


def _shared(runs: list[Chosen], places: list[tuple[Project, Mirror | None]]) -> int:
    gone, size = [run.workflow_id for run in runs], 0
    for project, mirror in places:
        with suppress(ProdigyError):  # one that cannot be read was named already
            size += weigh_values(project, mirror, gone)
    return size


def _table(runs: list[Chosen], shared: int, *, with_projects: bool) -> list[str]:
    """Return a line for each run, and one for what only they share, so that the lines make up the sum."""
    headings = ["RUN", "STATUS", "UPDATED", "FREES"]
    rows = [[run.workflow_id, run.status, since(run.updated), in_bytes(run.size_bytes)] for run in runs]
    if with_projects:
        headings.append("PROJECT")
        rows = [[*row, str(run.project.root)] for row, run in zip(rows, runs, strict=True)]
    if shared:
        rows.append(["(mirror)", "values", "", in_bytes(shared), *([""] if with_projects else [])])
    return table(headings, rows, columns=columns_of_terminal())


def _nothing(choice: Choice, projects: list[Project], *, keeps: bool) -> str:
    """Say that there is nothing to clean, and why that may be; nothing else, where some runs were kept."""
    if choice.workflow_id is not None:
        what = f"{choice.workflow_id} is " + (
            f"younger than {choice.older_than}" if choice.older_than else "cleaned already"
        )
    else:
        run = "no other run" if keeps else "no run"
        what = f"{run} here is completed or cancelled"
        if projects:
            what = f"{run} is completed or cancelled in {', '.join(str(project.root) for project in projects)}"
        what += f" and older than {choice.older_than}" if choice.older_than else ""
    return f"nothing{' else' if keeps else ''} to clean: {what}"


def _earliest(age: str | None) -> str:
    """Return the time, as logs write it, since which a run must have rested; empty for any."""
    if age is None:
        return ""
    match = _AGE.fullmatch(age)
    if match is None:
        raise UsageProblem(f"--older-than {age[:100]!a} is no age", hint="For example: 12h, 7d, 2w.")
    moment = datetime.now(UTC) - timedelta(**{_UNITS[match[2]]: int(match[1])})
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def in_bytes(size: int) -> str:
    """Return a size as people say it: `1 byte`, `512 bytes`, `12.3 kB`, `4.0 MB`."""
    if size < 1000:
        return counted(size, "byte")
    value, units = float(size), iter(("kB", "MB", "GB", "TB"))
    unit = ""
    while value >= 1000 and (larger := next(units, "")):
        value, unit = value / 1000, larger
    return f"{value:.1f} {unit}"
