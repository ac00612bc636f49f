"""`events`: what happened in a run, for people and for `jq`."""

import re
import sys
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Annotated, Any, Literal, NamedTuple

import anyio
import msgspec
import re2
import typer

from prodigy.cli.following import follow_records
from prodigy.cli.output.answers import as_json_too, print_json, print_json_line, print_table
from prodigy.cli.output.formatting import duration, money
from prodigy.cli.output.spreadsheet import print_csv
from prodigy.cli.output.streams import check_reader
from prodigy.cli.output.times import local, since
from prodigy.cli.program import program
from prodigy.cli.projects import mirror_of, project_here, run_of
from prodigy.cli.rescue import tell_lost_end
from prodigy.errors import DamagedState, ExitCode, RunNotFound, UsageProblem
from prodigy.kernel.events import TYPES
from prodigy.plan.address import is_under, item_of, template_of
from prodigy.plan.nodes import ROOT
from prodigy.plan.phrases import counted
from prodigy.plan.reference import suggestion
from prodigy.plan.spelling import as_number
from prodigy.projections.naming import address_of
from prodigy.projections.statistics import Statistics, statistics
from prodigy.projections.timeline import CSV_COLUMNS, DETAIL_CHARS_MAX, cells_of, row_of, texts_in
from prodigy.runtime.terminal import visible
from prodigy.store.catalog import cleaning_of, listed
from prodigy.store.generation import Generation
from prodigy.store.history import lineage, present_generation
from prodigy.store.layout import Project, RunFolder, is_text
from prodigy.store.moments import no_generation
from prodigy.store.validation import verified
from prodigy.store.values import Values

_Record = dict[str, Any]


STEPS_SHOWN_MAX = 20
EXCERPT_CHARS = 60

_Ref = Annotated[
    str | None, typer.Argument(metavar="[REF]", help="The run: id, name or beginning of an id; the last without.")
]
_JobId = Annotated[str | None, typer.Option("--job-id", metavar="REF", help="The same, as an option.")]
_Types = Annotated[list[str] | None, typer.Option("--type", help="Only events of this type; may be given again.")]
_Step = Annotated[
    str | None,
    typer.Option(metavar="STEP", help="Only of this step or stage, by id, address or name, and what is in it."),
]
_Since = Annotated[
    str | None, typer.Option(help="Only what is younger: `2h`, `90s`, or a time such as 2026-01-31T09:00.")
]
_AfterSeq = Annotated[int, typer.Option("--after-seq", min=0, metavar="N", help="Only what comes after event N.")]
_Generation = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="The log of this generation; the present one without.")
]
_Limit = Annotated[int | None, typer.Option(min=1, metavar="N", help="Only the last so many.")]
_Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
_Jsonl = Annotated[bool, typer.Option("--jsonl", help="Print one JSON record per line, as logged.")]


class Wanted(NamedTuple):
    """Which records are asked for; everything where nothing is said."""

    types: set[str]
    earliest: str
    after_seq: int
    is_of_step: Callable[[str], bool] | None

    def takes(self, record: dict[str, Any]) -> bool:
        """Whether a record is asked for."""
        return (
            (not self.types or record["type"] in self.types)
            and record["time"] >= self.earliest
            and record["seq"] > self.after_seq
            and (self.is_of_step is None or self.is_of_step(str(record.get("at", ""))))
        )


def ls(
    ref: _Ref = None,
    job_id: _JobId = None,
    type_: _Types = None,
    step: _Step = None,
    since: _Since = None,
    after_seq: _AfterSeq = 0,
    generation: _Generation = None,
    limit: _Limit = None,
    json: _Json = False,
    jsonl: _Jsonl = False,
) -> None:
    """List the events of a run, oldest first."""
    project, workflow_id = _run(ref, job_id)
    wanted = _wanted(project, workflow_id, generation, type_, step, since, after_seq)
    found = _last(filter(wanted.takes, _records(project.run(workflow_id), generation, wanted.types)), limit)
    if json or jsonl:
        _print_json(found, workflow_id, is_document=not jsonl)
        _tell_lost_end(project, workflow_id, generation)
    else:
        most = DETAIL_CHARS_MAX if sys.stdout.isatty() else None
        print_table(("SEQ", "TIME", "EVENT", "AT", "DETAILS"), (_row(record, most) for record in found))
        _tell_earlier(project.run(workflow_id), generation)
        _tell_lost_end(project, workflow_id, generation)


def search(
    pattern: Annotated[str, typer.Argument(help="A regular expression (RE2); it may match in any value.")],
    ref: _Ref = None,
    job_id: _JobId = None,
    ignore_case: Annotated[
        bool, typer.Option("--ignore-case", "-i", help="Upper and lower case are the same.")
    ] = False,
    type_: _Types = None,
    step: _Step = None,
    since: _Since = None,
    after_seq: _AfterSeq = 0,
    generation: _Generation = None,
    limit: _Limit = None,
    json: _Json = False,
    jsonl: _Jsonl = False,
) -> None:
    """Show the events of a run that match a pattern; exits with 1 where none does.

    The pattern is looked for in the record as logged, in its texts, and in values that are kept in files.
    """
    project, workflow_id = _run(ref, job_id)
    folder = project.run(workflow_id)
    excerpt = _searcher(folder, pattern, ignore_case=ignore_case)
    wanted = _wanted(project, workflow_id, generation, type_, step, since, after_seq)
    records = filter(wanted.takes, _records(folder, generation, wanted.types))
    found = list(_last(((record, text) for record in records if (text := excerpt(record)) is not None), limit))
    if json or jsonl:
        _print_json((record for record, _ in found), workflow_id, is_document=not jsonl, pattern=pattern)
    elif found:
        rows = ((*_row(record)[:4], text) for record, text in found)
        print_table(("SEQ", "TIME", "EVENT", "AT", "MATCH"), rows)
    else:
        print(f"nothing in {workflow_id} matches {pattern[:100]!a}", file=sys.stderr)
    _tell_lost_end(project, workflow_id, generation)
    if not found:
        raise typer.Exit(ExitCode.FAILED)


def export(
    ref: _Ref = None,
    job_id: _JobId = None,
    format_: Annotated[
        Literal["json", "jsonl", "csv"] | None,
        typer.Option(
            "--format",
            help="One document, a record per line (which is so without it), or a table; exact values in all.",
            show_default=False,
        ),
    ] = None,
    type_: _Types = None,
    step: _Step = None,
    since: _Since = None,
    after_seq: _AfterSeq = 0,
    generation: _Generation = None,
    json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
) -> None:
    """Print the events of a run for another program.

    In CSV a text that a spreadsheet would take for a formula has a ' before it.
    """
    chosen = as_json_too(format_, json=json) or "jsonl"
    project, workflow_id = _run(ref, job_id)
    wanted = _wanted(project, workflow_id, generation, type_, step, since, after_seq)
    found = filter(wanted.takes, _records(project.run(workflow_id), generation, wanted.types))
    if chosen != "csv":
        _print_json(found, workflow_id, is_document=chosen == "json")
        _tell_lost_end(project, workflow_id, generation)
        return

    print_csv(CSV_COLUMNS, map(cells_of, found))
    _tell_lost_end(project, workflow_id, generation)


def stats(ref: _Ref = None, job_id: _JobId = None, generation: _Generation = None, json: _Json = False) -> None:
    """Count the events of a run: by type, and for each step its attempts, retries, time and cost.

    Without --generation all of them count: what was gone back over has taken its time and cost, too.
    """
    project, workflow_id = _run(ref, job_id)
    folder = project.run(workflow_id)
    present_generation(folder)
    chosen = folder.generations() if generation is None else [generation]
    told = statistics(chain.from_iterable(_records(folder, number) for number in chosen))
    if json:
        fields: dict[str, Any] = msgspec.to_builtins(told, enc_hook=as_number)
        print_json({"schema_version": 1, "workflow_id": workflow_id, "generations": chosen, **fields})
    else:
        _print_statistics(workflow_id, chosen, told)
    _tell_lost_end(project, workflow_id, generation)


def follow(
    ref: _Ref = None,
    job_id: _JobId = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document, when the run rests.")] = False,
    jsonl: _Jsonl = False,
) -> None:
    """Print the events of a run as they happen, until it rests."""
    project, workflow_id = _run(ref, job_id)
    kept = list[dict[str, Any]]()

    async def print_all() -> None:
        async for record in follow_records(project, workflow_id):
            if json:
                kept.append(record)
                continue
            if jsonl:
                print_json_line(record)
            else:
                print(*(visible(cell) for cell in _row(record)), sep="  ")
            sys.stdout.flush()
            check_reader()

    anyio.run(print_all)
    if json:
        _print_json(kept, workflow_id, is_document=True)
    _tell_lost_end(project, workflow_id)


def verify(
    ref: _Ref = None,
    job_id: _JobId = None,
    json: _Json = False,
) -> None:
    """Check every line of a run's log: its order, its chain, and that it can be read with the values it names.

    A log that is gone, or ends before what a checkpoint has seen, is damaged: exit 7.
    """
    project, workflow_id = _run(ref, job_id)
    is_cleaned = bool(cleaning_of(project, workflow_id))
    logs = verified(project, mirror_of(project), workflow_id)
    if json:
        found = [log._asdict() | {"torn": log.torn._asdict() if log.torn else None} for log in logs]
        print_json({"schema_version": 1, "workflow_id": workflow_id, "is_cleaned": is_cleaned, "logs": found})
        return
    besides = "; its stored values were cleaned" if is_cleaned else ""
    for log in logs:
        if log.damage:
            print(f"{log.name}: damaged, and left behind: the run has gone on from elsewhere ({log.damage})")
            continue
        print(f"{log.name}: {counted(log.events, 'event')}, every one as it was written{besides}")
        if log.torn:
            at = f"{counted(log.torn.size_bytes, 'byte')} of an unfinished turn at offset {log.torn.offset}"
            print(f"  behind them {at}: a crash leaves such; resume cuts them off and keeps them beside the log")


def _run(ref: str | None, job_id: str | None) -> tuple[Project, str]:
    """Return the project here and the id of the run that is meant; both names together were refused before."""
    named = ref if ref is not None else job_id
    project = project_here()
    return project, run_of(project, named, with_cleaned=True)


def _tell_lost_end(project: Project, workflow_id: str, generation: int | None = None) -> None:
    """Say it where the log that was printed has lost its end."""
    sys.stdout.flush()
    tell_lost_end(project, workflow_id, generation)


def _tell_earlier(folder: RunFolder, generation: int | None) -> None:
    """Say that the run has gone back, where the history before is, and how to see it."""
    generations = folder.generations()
    if generation is not None or len(generations) < 2:
        return
    *earlier, present = generations
    before, how = earlier[-1], "began anew"
    if continued := lineage(folder, present).parts[:-1]:
        parent, last_seq = continued[-1]
        before, how = parent.number, f"goes on after event {last_seq} of generation {parent.number}"
    command = f"{program()} events ls {folder.path.name} --generation {before}"
    print(f"note: this is generation {present}, which {how}; what was before:  {command}", file=sys.stderr)


def _records(folder: RunFolder, generation: int | None = None, types: Collection[str] = ()) -> Iterator[_Record]:
    """Yield the records of one generation, as logged; the present one's without a number.

    Raises:
        RunNotFound: there is no such generation.
        DamagedState: when the damage is reached, not before.
    """
    chosen = present_generation(folder) if generation is None else Generation(folder, generation)
    if chosen.number not in folder.generations():
        raise no_generation(folder, chosen.number)
    if chosen.is_empty():
        raise chosen.nothing()
    yield from chosen.records(types)


def _last(found: Iterator[Any], limit: int | None) -> Iterator[Any]:
    if limit is None:
        return found

    return iter(deque(found, maxlen=min(limit, sys.maxsize)))


def _wanted(
    project: Project,
    workflow_id: str,
    generation: int | None,
    types: list[str] | None,
    step: str | None,
    since: str | None,
    after_seq: int,
) -> Wanted:
    if after_seq > 0:
        _check_there(project.run(workflow_id), generation, after_seq)
    is_of_step = None if step is None else _of_step(project, workflow_id, step)
    return Wanted(_types(types or []), _earliest(since), after_seq, is_of_step)


def _check_there(folder: RunFolder, generation: int | None, seq: int) -> None:
    """Refuse an event that the log does not have yet: nothing comes after it. A damaged log says so when it is read.

    Raises:
        UsageProblem: there is no such event; the hint has the last.
    """
    try:
        chosen = present_generation(folder) if generation is None else Generation(folder, generation)
        last_seq = chosen.read().verify().end.seq
    except (DamagedState, RunNotFound):
        return
    if seq > last_seq:
        raise UsageProblem(
            f"--after-seq {seq}: {folder.path.name} has no event {seq} in generation {chosen.number}",
            hint=f"Its last is {last_seq}.",
        )


def _of_step(project: Project, workflow_id: str, step: str) -> Callable[[str], bool]:
    """Return whether an address is that of a step or stage, or stands in it.

    It is told by shape where the run cannot be folded any more: its log can still be listed.

    Raises:
        UsageProblem: the run has no such step; the hint has the nearest.
    """
    state = listed(project, workflow_id).state
    address = step
    if state is not None:
        is_older = state.generation > 1 and _alike(step) & set(state.plan.nodes)  # which may have had other items
        address = step if is_older else address_of(workflow_id, state, step, form="--step {}")
    if address == ROOT:
        return lambda at: at != ""
    return lambda at: any(is_under(like, address) for like in _alike(at))


def _alike(address: str) -> set[str]:
    """Return an address, and inside an item of a map that of its template, which stands for those of all items."""
    return {address, template_of(address)} if item_of(address) else {address}


def _searcher(folder: RunFolder, pattern: str, *, ignore_case: bool) -> Callable[[dict[str, Any]], str | None]:
    """Return the function that yields what surrounds a match in a record, or None where there is none.

    Raises:
        UsageProblem: the pattern cannot be read.
    """
    if not is_text(pattern):
        raise UsageProblem(f"the pattern {pattern[:100]!a} is no UTF-8", hint="Write `.` for such a byte.")
    options = re2.Options()
    options.log_errors = False
    options.case_sensitive = not ignore_case
    try:
        compiled = re2.compile(pattern, options)
    except re2.error as refused:
        reason = refused.args[0].decode() if isinstance(refused.args[0], bytes) else str(refused.args[0])
        raise UsageProblem(f"the pattern {pattern[:100]!a} cannot be read: {reason}") from None

    def excerpt(record: dict[str, Any]) -> str | None:
        line = msgspec.json.encode({key: value for key, value in record.items() if key != "chain"}).decode()
        for text in (*texts_in(record), line, *_stored(folder, record)):
            if match := compiled.search(text):
                return _around(text, match.start(), match.end())
        return None

    return excerpt


def _stored(folder: RunFolder, record: dict[str, Any]) -> Iterator[str]:
    """Yield the texts of a record's values that are kept in files, as far as these are there."""
    for digest in dict(record.get("stored", {})).values():
        try:
            yield from texts_in(msgspec.json.decode(Values(folder.values).get(str(digest))))
        except (DamagedState, msgspec.DecodeError):
            continue


def _around(text: str, start: int, end: int) -> str:
    """Return a match with what stands around it, in one line."""
    first, last = max(0, start - EXCERPT_CHARS), min(len(text), max(end, start) + EXCERPT_CHARS)
    shown = " ⏎ ".join(line.strip() for line in text[first:last].splitlines())
    return f"{'…' if first else ''}{shown}{'…' if last < len(text) else ''}"


def _row(record: dict[str, Any], most: int | None = 200) -> tuple[str, ...]:
    """Return (seq, time, type, address, details) of a record, its time as people here read it."""
    seq, time, *rest = row_of(record, most=most)
    return (seq, local(time), *rest)


def _print_json(found: Iterable[dict[str, Any]], workflow_id: str, *, is_document: bool, **more: Any) -> None:
    if is_document:
        print_json({"schema_version": 1, "workflow_id": workflow_id, **more, "events": list(found)})
        return
    for record in found:
        print_json_line(record)


def _print_statistics(workflow_id: str, generations: list[int], told: Statistics) -> None:
    count = f"generation {generations[0]}" if len(generations) == 1 else counted(len(generations), "generation")
    print(f"{workflow_id}  {counted(told.events, 'event')} in {count}")
    print(f"{local(told.first)} to {local(told.last)}, {since(told.last)}")
    line = f"{counted(told.attempts, 'attempt')} took {duration(told.duration_s)}: {told.failed} failed, "
    line += f"{told.interrupted} interrupted, {counted(told.retries, 'retry')}, "
    line += counted(told.resumes, "resume")
    print(f"{line}, {money(told.cost_usd, told.attempts_of_unknown_cost)}\n")
    print_table(("EVENT", "COUNT"), ((name, str(number)) for name, number in told.types.items()))
    if not told.steps:
        return
    print()
    shown = told.steps[:STEPS_SHOWN_MAX] if sys.stdout.isatty() else told.steps
    print_table(
        ("STEP", "ATTEMPTS", "FAILED", "RETRIES", "TIME", "LONGEST", "COST"),
        (
            (
                step.at,
                str(step.attempts),
                str(step.failed),
                str(step.retries),
                duration(step.duration_s),
                duration(step.longest_s),
                money(step.cost_usd, step.attempts_of_unknown_cost),
            )
            for step in shown
        ),
        cut="STEP",
        keeps_end=True,
    )
    if len(shown) < len(told.steps):
        print(f"and {counted(len(told.steps) - len(shown), 'more step')}, which took less: --json has all")


def _types(wanted: list[str]) -> set[str]:
    for name in wanted:
        if name not in TYPES:
            near = suggestion(name, tuple(TYPES), form="--type {}")
            raise UsageProblem(f"there is no event type {name!r}", hint=near or f"Types: {', '.join(TYPES)}")
    return set(wanted)


def _earliest(since: str | None) -> str:
    """Return the earliest time wanted, in the log's form; everything without `since`."""
    if since is None:
        return ""
    units, now = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}, datetime.now(UTC)
    try:
        if match := re.fullmatch(r"(\d{1,6})([smhd])", since):
            moment = now - timedelta(**{units[match[2]]: int(match[1])})
        else:
            moment = datetime.fromisoformat(since).astimezone(UTC)
    except OverflowError:  # it is before all years, or after them
        return ""
    except ValueError:
        raise UsageProblem(
            f"--since {since!r} is neither a duration nor a time", hint="For example: 2h, 30m, 2026-01-31T09:00"
        ) from None
    if moment > now:
        raise UsageProblem(f"--since {since!r} is still to come", hint=f"Now it is {now:%Y-%m-%dT%H:%M:%SZ}.")
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
