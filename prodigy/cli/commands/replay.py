"""`replay`: fold a run's log again, event by event, and show what each changed; or prove that it still folds the same.

Nothing is written.
"""

import os
import shutil
import sys
from collections.abc import Iterable
from typing import Annotated, Any

import typer

from prodigy.cli.options import Json, RunReference
from prodigy.cli.output.answers import print_json, print_json_line
from prodigy.cli.output.display import has_colour
from prodigy.cli.output.outlet import draw
from prodigy.cli.output.streams import check_reader
from prodigy.cli.output.times import local
from prodigy.cli.projects import project_here, run_of
from prodigy.cli.replay_check import prove
from prodigy.cli.replay_frames import COLUMNS_MIN, lines_of, replayed
from prodigy.cli.replay_stepper import step_through
from prodigy.cli.rescue import tell_lost_end
from prodigy.errors import UsageProblem
from prodigy.kernel.events import type_of
from prodigy.projections.replay import Frame, in_words
from prodigy.runtime.terminal import visible
from prodigy.store.restore_points import history_until


def replay(
    ref: RunReference,
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
    json: Json = False,
    jsonl: Annotated[bool, typer.Option("--jsonl", help="Print one JSON line per event.")] = False,
) -> None:
    """Fold the log of a run event by event, and show what changed at each."""
    project = project_here()
    workflow_id = run_of(project, ref, with_cleaned=True)
    folder = project.run(workflow_id)
    if check:
        if until is not None or generation is not None or step:
            raise UsageProblem("--check proves the whole run", hint=f"Only: `prodigy replay {workflow_id} --check`.")

        prove(project, workflow_id, json=json)
        return
    frames = replayed(history_until(folder, until, generation))
    if jsonl:
        for frame in frames:
            print_json_line(document(frame))
    elif json:
        print_json({"schema_version": 1, "workflow_id": workflow_id, "events": [document(frame) for frame in frames]})
    elif step and os.isatty(0) and os.isatty(1):
        step_through(workflow_id, frames)
    else:
        _print(frames)
    tell_lost_end(project, workflow_id, generation)


def document(frame: Frame) -> dict[str, Any]:
    """Return a frame as JSON shows it."""
    return {
        "generation": frame.generation,
        "seq": frame.seq,
        "time": frame.time,
        "type": type_of(frame.event),
        "at": getattr(frame.event, "at", None),
        "changes": frame.changes,
    }


# As lines ---------------------------------------------------------------------------------------------------


def _print(frames: Iterable[Frame]) -> None:
    """Print a line per event: wrapped to fit on a terminal, whole in a pipe."""
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


def _dim(text: str, has_colour: bool) -> str:
    return f"\x1b[2m{text}\x1b[0m" if has_colour else text
