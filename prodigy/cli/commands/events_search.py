"""`events search`: the events of a run in which something is said."""

from collections.abc import Callable, Iterator
from typing import Annotated, Any

import msgspec
import re2
import typer

from prodigy.cli import event_filters as filters
from prodigy.cli.options import Json
from prodigy.cli.output.answers import print_table
from prodigy.cli.output.events import event_row, print_events
from prodigy.cli.output.sentences import tell
from prodigy.cli.rescue import tell_lost_end
from prodigy.errors import DamagedState, ExitCode, UsageProblem
from prodigy.projections.timeline import texts_in
from prodigy.store.layout import RunFolder, is_text
from prodigy.store.values import Values

EXCERPT_CHARS = 60


def events_search(
    pattern: Annotated[str, typer.Argument(help="A regular expression (RE2); it may match in any value.")],
    ref: filters.Ref = None,
    job_id: filters.JobId = None,
    ignore_case: Annotated[
        bool, typer.Option("--ignore-case", "-i", help="Upper and lower case are the same.")
    ] = False,
    type_: filters.Types = None,
    step: filters.Step = None,
    since: filters.Since = None,
    after_seq: filters.AfterSeq = 0,
    generation: filters.Number = None,
    limit: filters.Limit = None,
    json: Json = False,
    jsonl: filters.Jsonl = False,
) -> None:
    """Show the events of a run that match a pattern; exits with 1 where none does.

    The pattern is looked for in the record as logged, in its texts, and in values that are kept in files.
    """
    project, workflow_id = filters.run_meant(ref, job_id)
    excerpt = _searcher(project.run(workflow_id), pattern, ignore_case=ignore_case)
    records = filters.records_wanted(project, workflow_id, generation, type_, step, since, after_seq)
    found = list(filters.last(((record, text) for record in records if (text := excerpt(record)) is not None), limit))
    if json or jsonl:
        print_events((record for record, _ in found), workflow_id, is_document=not jsonl, pattern=pattern)
    elif found:
        rows = ((*event_row(record)[:4], text) for record, text in found)
        print_table(("SEQ", "TIME", "EVENT", "AT", "MATCH"), rows)
    else:
        tell(f"nothing in {workflow_id} matches {pattern[:100]!a}")
    tell_lost_end(project, workflow_id, generation)
    if not found:
        raise typer.Exit(ExitCode.FAILED)


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
