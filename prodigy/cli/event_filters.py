"""Which events of which run are meant: the options of `events`, and the records that they choose."""

import re
import sys
from collections import deque
from collections.abc import Callable, Collection, Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, NamedTuple

import typer

from prodigy.cli.projects import project_here, run_of
from prodigy.errors import DamagedState, RunNotFound, UsageProblem
from prodigy.kernel.events import TYPES
from prodigy.plan.address import alike, is_under
from prodigy.plan.nodes import ROOT
from prodigy.plan.reference import suggestion
from prodigy.projections.naming import address_of
from prodigy.store.catalog import read_run
from prodigy.store.generation import Generation
from prodigy.store.history import present_generation
from prodigy.store.layout import Project, RunFolder
from prodigy.store.restore_points import no_generation

Record = dict[str, Any]

Ref = Annotated[
    str | None, typer.Argument(metavar="[REF]", help="The run: id, name or beginning of an id; the last without.")
]
JobId = Annotated[str | None, typer.Option("--job-id", metavar="REF", help="The same, as an option.")]
Types = Annotated[list[str] | None, typer.Option("--type", help="Only events of this type; may be given again.")]
Step = Annotated[
    str | None,
    typer.Option(metavar="STEP", help="Only of this step or stage, by id, address or name, and what is in it."),
]
Since = Annotated[
    str | None, typer.Option(help="Only what is younger: `2h`, `90s`, or a time such as 2026-01-31T09:00.")
]
AfterSeq = Annotated[int, typer.Option("--after-seq", min=0, metavar="N", help="Only what comes after event N.")]
Number = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="The log of this generation; the present one without.")
]
Limit = Annotated[int | None, typer.Option(min=1, metavar="N", help="Only the last so many.")]
Jsonl = Annotated[bool, typer.Option("--jsonl", help="Print one JSON record per line, as logged.")]


class _Wanted(NamedTuple):
    """Which records are asked for; everything where nothing is said."""

    types: set[str]
    earliest: str
    after_seq: int
    is_of_step: Callable[[str], bool] | None

    def takes(self, record: Record) -> bool:
        """Whether a record is asked for."""
        return (
            (not self.types or record["type"] in self.types)
            and record["time"] >= self.earliest
            and record["seq"] > self.after_seq
            and (self.is_of_step is None or self.is_of_step(str(record.get("at", ""))))
        )


def run_meant(ref: str | None, job_id: str | None) -> tuple[Project, str]:
    """Return the project here and the id of the run that is meant; both names together were refused before."""
    named = ref if ref is not None else job_id
    project = project_here()
    return project, run_of(project, named, with_cleaned=True)


def records_wanted(
    project: Project,
    workflow_id: str,
    generation: int | None,
    types: list[str] | None,
    step: str | None,
    since: str | None,
    after_seq: int,
) -> Iterator[Record]:
    """Return the records of one generation that the options ask for; what they cannot mean is refused at once.

    Raises:
        UsageProblem: an option means nothing here.
        RunNotFound, DamagedState: as `records`, when the records are read.
    """
    folder = project.run(workflow_id)
    if after_seq > 0:
        _check_there(folder, generation, after_seq)
    is_of_step = None if step is None else _of_step(project, workflow_id, step)
    wanted = _Wanted(_types(types or []), _earliest(since), after_seq, is_of_step)
    return filter(wanted.takes, records(folder, generation, wanted.types))


def records(folder: RunFolder, generation: int | None = None, types: Collection[str] = ()) -> Iterator[Record]:
    """Yield the records of one generation, as logged; the present one's without a number.

    Raises:
        RunNotFound: there is no such generation.
        DamagedState: when the damage is reached, not before.
    """
    chosen = _chosen(folder, generation)
    if chosen.number not in folder.generations():
        raise no_generation(folder, chosen.number)
    if chosen.is_empty():
        raise chosen.nothing()
    yield from chosen.records(types)


def last(found: Iterator[Any], limit: int | None) -> Iterator[Any]:
    """Return the last so many; all without a limit."""
    if limit is None:
        return found
    return iter(deque(found, maxlen=min(limit, sys.maxsize)))


def _chosen(folder: RunFolder, generation: int | None) -> Generation:
    return present_generation(folder) if generation is None else Generation(folder, generation)


def _check_there(folder: RunFolder, generation: int | None, seq: int) -> None:
    """Refuse an event that the log does not have yet: nothing comes after it. A damaged log says so when it is read.

    Raises:
        UsageProblem: there is no such event; the hint has the last.
    """
    try:
        chosen = _chosen(folder, generation)
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
    state = read_run(project, workflow_id).state
    address = step
    if state is not None:
        # An older generation may have had other items.
        is_older = state.generation > 1 and not state.plan.nodes.keys().isdisjoint(alike(step))
        address = step if is_older else address_of(workflow_id, state, step, form="--step {}")
    if address == ROOT:
        return lambda at: at != ""
    return lambda at: any(is_under(like, address) for like in alike(at))


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
