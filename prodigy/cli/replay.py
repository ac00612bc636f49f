"""`replay`: fold a run's log again, event by event, and show what each changed; or prove that it still folds the same.

Nothing is written.
"""

import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from prodigy.cli.streams import check_reader

if TYPE_CHECKING:
    from prodigy.kernel.events import Event
    from prodigy.kernel.state import State
    from prodigy.projections.replay import Change
    from prodigy.store.layout import RunFolder

LINES_TOGETHER = 256  # decoded at once, which is faster
VALUE_CHARS_MAX = 200
COLUMNS_MIN = 40
WIDE_COLUMNS = 100  # from here on what is wrapped stands below the changes

Parts = list[tuple[int, int]]  # (generation, last seq of it that counts), oldest first


class Frame(NamedTuple):
    """One event of a replay: where and when it happened, what it changed, and the state after it."""

    generation: int
    seq: int
    time: str
    event: "Event"
    changes: "list[Change]"
    state: "State"


def replay(
    ref: Annotated[str, typer.Argument(help="The run: its id, its workflow's name, or the beginning of an id.")],
    until: Annotated[
        str | None,
        typer.Option(
            metavar="SEQ|vN|STEP",
            help="Stop after this event or checkpoint version, or where this step or stage began last.",
            show_default=False,
        ),
    ] = None,
    generation: Annotated[
        int | None,
        typer.Option(min=1, help="The history of this generation; of the present one without.", show_default=False),
    ] = None,
    step: Annotated[bool, typer.Option("--step", help="On a terminal: one event at a time, both ways.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Prove the digests in the log, and the checkpoint; exit 7 if they differ.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    jsonl: Annotated[bool, typer.Option("--jsonl", help="Print one JSON line per event.")] = False,
) -> None:
    """Fold the log of a run event by event, and show what changed at each."""
    from prodigy.cli.output import print_json, print_json_line
    from prodigy.cli.place import project_here, run_of
    from prodigy.cli.rescue import tell_lost_end
    from prodigy.errors import UsageProblem

    project = project_here()
    workflow_id = run_of(project, ref, with_cleaned=True)
    folder = project.run(workflow_id)
    if check:
        if until is not None or generation is not None or step:
            raise UsageProblem("--check proves the whole run", hint=f"Only: `prodigy replay {workflow_id} --check`.")
        from prodigy.cli.proof import prove

        prove(project, workflow_id, json=json)
        return
    frames = replayed(folder, _parts(folder, until, generation))
    if jsonl:
        for frame in frames:
            print_json_line(document(frame))
    elif json:
        print_json({"schema_version": 1, "workflow_id": workflow_id, "events": [document(frame) for frame in frames]})
    elif step and os.isatty(0) and os.isatty(1):
        from prodigy.cli.stepping import step_through

        step_through(workflow_id, frames)
    else:
        _print(frames)
    sys.stdout.flush()
    tell_lost_end(project, workflow_id, generation)


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command("replay")(replay)


def replayed(folder: "RunFolder", parts: Parts) -> Iterator[Frame]:
    """Yield a frame for every event of a history.

    Raises:
        DamagedState: when the damage is reached, not before.
    """
    from prodigy.kernel.evolve import evolve
    from prodigy.kernel.state import State
    from prodigy.projections.replay import changes
    from prodigy.store.history import damage_of, start_of

    state = State(seq=start_of(folder, parts[0][0]).seq)  # not 0 where the history before it was lost
    with damage_of(folder):
        for generation, last_seq in parts:
            for seq, time, event in _events(folder, generation):
                if seq > last_seq:
                    break
                before, state = state, evolve(state, event, time)
                yield Frame(generation, seq, time, event, changes(before, state, event), state)


def document(frame: Frame) -> dict[str, Any]:
    """Return a frame as JSON shows it."""
    from prodigy.kernel.events import type_of

    return {
        "generation": frame.generation,
        "seq": frame.seq,
        "time": frame.time,
        "type": type_of(frame.event),
        "at": getattr(frame.event, "at", None),
        "changes": frame.changes,
    }


def _events(folder: "RunFolder", generation: int) -> "Iterator[tuple[int, str, Event]]":
    """Yield (seq, time, event) of one generation's log, checked; an unfinished last turn is passed over."""
    from prodigy.errors import DamagedState
    from prodigy.store.history import start_of
    from prodigy.store.journal import decode_lines
    from prodigy.store.log import read_chunks, scan
    from prodigy.store.values import Values

    path, values = folder.events(generation), Values(folder.values)
    start = start_of(folder, generation)
    seq, waiting, damage = start.seq, list[bytes](), None
    turns = scan(read_chunks(path), start, name=str(path)).turns()
    while True:
        try:
            _, lines = next(turns, (0, []))
        except DamagedState as found:
            lines, damage = [], found
        waiting += lines
        if len(waiting) >= LINES_TOGETHER or not lines:
            for time, event in decode_lines(seq + 1, waiting, values, name=str(path)):
                seq += 1
                yield seq, time, event
            waiting = []
        if damage is not None:
            raise damage
        if not lines:
            return


# Where to stop ----------------------------------------------------------------------------------------------


def _parts(folder: "RunFolder", until: str | None, generation: int | None) -> Parts:
    """Return the files of the history that is asked for, up to where it is to stop.

    Raises:
        UsageProblem: `until` is no event, version, step or stage, or several steps.
        RunNotFound: there is no such generation, event or version; the hint says what there is.
    """
    from prodigy.errors import RunNotFound
    from prodigy.store.history import damage_of, is_empty, lineage, nothing_in, present_generation
    from prodigy.store.moments import version_number

    newest, there = present_generation(folder), folder.generations()
    if is_empty(folder, newest):
        raise nothing_in(folder, newest)
    if generation is not None and generation not in there:
        raise RunNotFound(
            f"{folder.path.name} has no generation {generation}", hint=f"It has {', '.join(map(str, there))}."
        )
    if until is None:
        return lineage(folder, generation or newest)
    number = version_number(until)
    with damage_of(folder):
        if number is None:
            return _until_step(folder, until, generation or newest)
        if until.startswith("v"):
            return _until_version(folder, number, [generation] if generation is not None else there[::-1])
        return _until_event(folder, number, generation or newest)


def _until_step(folder: "RunFolder", name: str, generation: int) -> Parts:
    from prodigy.store.history import lineage
    from prodigy.store.moments import find_node

    found = find_node(folder, name, generation)
    return _cut(lineage(folder, generation), found.seq)


def _until_event(folder: "RunFolder", seq: int, generation: int) -> Parts:
    from prodigy.errors import RunNotFound
    from prodigy.store.history import lineage, start_of
    from prodigy.store.log import read_chunks, scan

    parts = lineage(folder, generation)
    if seq > start_of(folder, generation).seq:
        end = scan(read_chunks(folder.events(generation)), start_of(folder, generation)).verify().end.seq
        parts[-1] = (generation, end)
    first, last = start_of(folder, parts[0][0]).seq + 1, parts[-1][1]
    if not first <= seq <= last:
        name = folder.path.name
        raise RunNotFound(
            f"{name} has no event {seq}", hint=f"It has {first} to {last}: `prodigy events ls --job-id {name}`."
        )
    return _cut(parts, seq)


def _until_version(folder: "RunFolder", version: int, generations: list[int]) -> Parts:
    """Return the newest history with this version, up to it: a version may be in an older generation."""
    from prodigy.errors import RunNotFound
    from prodigy.store.history import lineage

    known: list[int] = []
    for generation in generations:
        parts = lineage(folder, generation)
        for seq, marked in _marks(folder, parts):
            if marked == version:
                return _cut(parts, seq)
            known.append(marked)
    name = folder.path.name
    raise RunNotFound(
        f"{name} has no version v{version}",
        hint=f"It has {f'v{min(known)} to v{max(known)}' if known else 'none yet'}. "
        f"All: `prodigy checkpoints list --workflow-id {name}`.",
    )


def _marks(folder: "RunFolder", parts: Parts) -> Iterator[tuple[int, int]]:
    """Yield (seq, version) of the checkpoint marks of a history, without decoding anything else."""
    import msgspec

    from prodigy.store.history import start_of
    from prodigy.store.log import read_chunks, scan

    for generation, last_seq in parts:
        for record in scan(read_chunks(folder.events(generation)), start_of(folder, generation)):
            if record.seq > last_seq:
                break
            if b'"type":"checkpoint_marked"' in record.line:
                yield record.seq, msgspec.json.decode(record.line)["version"]


def _cut(parts: Parts, seq: int) -> Parts:
    """Return the history up to event `seq`."""
    kept: Parts = []
    for generation, last_seq in parts:
        kept.append((generation, min(last_seq, seq)))
        if last_seq >= seq:
            break
    return kept


# As lines ---------------------------------------------------------------------------------------------------


def _print(frames: Iterable[Frame]) -> None:
    """Print a line per event: wrapped to fit on a terminal, whole in a pipe."""
    from prodigy.cli.display import has_colour
    from prodigy.cli.outlet import draw
    from prodigy.cli.when import local
    from prodigy.projections.replay import in_words
    from prodigy.runtime.terminal import visible

    if not sys.stdout.isatty():
        for frame in frames:
            check_reader()
            told = in_words(frame.event, frame.changes)
            shown = told if told.isprintable() else visible(told)  # which is slower, and seldom needed
            print(f"{frame.seq:>6}  {local(frame.time)}  {shown}")
        return
    columns = max(COLUMNS_MIN, shutil.get_terminal_size().columns)
    day = ""
    for frame in frames:
        if local(frame.time)[:10] != day:
            day = local(frame.time)[:10]
            draw(_dim(f"        {day}\n", has_colour(1)))
        print("\n".join(lines_of(frame, columns)))


def lines_of(frame: Frame, columns: int) -> list[str]:
    """Return a frame as it stands on a terminal of so many columns: one line, and more where it does not fit."""
    import textwrap

    from prodigy.cli.when import local
    from prodigy.projections.replay import in_words
    from prodigy.runtime.terminal import visible

    head = f"{frame.seq:>6}  {local(frame.time)[11:]}  "
    indent = len(head) + (20 if columns >= WIDE_COLUMNS else 2)
    lines = textwrap.wrap(
        head + visible(in_words(frame.event, frame.changes, clip=VALUE_CHARS_MAX)),
        columns,
        subsequent_indent=" " * indent,
        drop_whitespace=False,
        replace_whitespace=False,
        break_on_hyphens=False,
    )
    return [lines[0].rstrip(), *(" " * indent + line.strip() for line in lines[1:])]


def _dim(text: str, has_colour: bool) -> str:
    return f"\x1b[2m{text}\x1b[0m" if has_colour else text
