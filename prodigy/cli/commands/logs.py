"""`logs`: what steps printed, from the files that keep all of it."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import anyio
import typer

from prodigy.cli.failed_output import print_failed
from prodigy.cli.following import follow_outputs
from prodigy.cli.kept_output import ends_document
from prodigy.cli.options import Json, RunReference
from prodigy.cli.output.answers import print_json
from prodigy.cli.output.columns import MARGIN
from prodigy.cli.output.display import has_colour
from prodigy.cli.output.outlet import copy, copy_lines
from prodigy.cli.output.sentences import print_prose, tell
from prodigy.cli.output.streams import check_reader, is_terminal
from prodigy.cli.projects import mirror_of, project_here, run_of
from prodigy.cli.wanted import Wanted, wanted_of
from prodigy.errors import DamagedState
from prodigy.kernel.events import CommandFinished, CommandInterrupted, CommandStarted
from prodigy.runtime.claude.narration import narrate
from prodigy.runtime.terminal import Lines, visible
from prodigy.store.files import open_private
from prodigy.store.generation import damage_of
from prodigy.store.history import begun_generation, present_generation
from prodigy.store.layout import TRANSCRIPT, Project, RunFolder
from prodigy.store.rescue import printed_by
from prodigy.store.validation import lost_end

CHUNK_BYTES = 256 * 1024


class Attempt(NamedTuple):
    """One attempt of a step whose output is kept; `output` is the path of its stdout. It `has_ended`, or is at work.

    Its number is 0 where the log does not say it any more.
    """

    at: str
    number: int
    epoch: int
    output: Path
    has_ended: bool = True

    @property
    def files(self) -> tuple[tuple[Path, Literal[1, 2]], ...]:
        """The paths of what it printed to stdout and stderr; there is no file where that was nothing."""
        return (self.output, 1), (self.output.with_suffix(".err"), 2)


def logs(
    ref: RunReference,
    step: Annotated[
        str | None,
        typer.Argument(help="A step, stage or item, by id, address, name or key; all without.", show_default=False),
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the run rests.")] = False,
    failed: Annotated[bool, typer.Option("--failed", help="The end of what failed steps and items said.")] = False,
    json: Json = False,
) -> None:
    """Print what the steps of a run printed; of one step its last attempt, of what has several steps all."""
    project = project_here()
    workflow_id = run_of(project, ref)
    wanted = wanted_of(project, workflow_id, step)
    if failed:
        print_failed(project, workflow_id, wanted, json=json)
        return
    attempts, damage = _readable(project, workflow_id, wanted)
    if json:
        if damage is not None:
            raise damage
        _print_json(workflow_id, attempts)
        return
    if follow:  # what is at work is followed from its beginning
        attempts = [attempt for attempt in attempts if attempt.has_ended]
    attempts = attempts[-1:] if wanted.is_one else attempts
    shown = [_print(attempt, has_heading=not wanted.is_one) for attempt in attempts]
    if damage is not None:
        raise damage
    if follow:
        seen = {attempt.epoch for attempt in attempts}
        anyio.run(follow_outputs, project, workflow_id, wanted, seen)
    elif not any(shown):
        tell(f"{step or workflow_id} has printed nothing")


def _readable(project: Project, workflow_id: str, wanted: Wanted) -> tuple[list[Attempt], DamagedState | None]:
    """Return the attempts that have ended, in their order; where the log is damaged, as many as can be told, and that.

    What a checkpoint and the files say besides the log is less: the last attempt of a step, or none's name.
    """
    folder, attempts = project.run(workflow_id), list[Attempt]()
    try:
        with damage_of(folder):
            for attempt in _attempts(folder, wanted):
                attempts.append(attempt)
            begun_generation(folder)
            if short := lost_end(project, mirror_of(project), workflow_id):
                raise short
    except DamagedState as problem:
        there = {attempt.output for attempt in attempts}
        more = [attempt for attempt in _kept(project, folder, wanted) if attempt.output not in there]
        return attempts + more, problem
    return attempts, None


def _kept(project: Project, folder: RunFolder, wanted: Wanted) -> Iterator[Attempt]:
    """Yield what is in the folder of outputs, with the step that a checkpoint says printed it, oldest first."""
    steps = printed_by(project, mirror_of(project), folder.path.name)
    files = [path for path in folder.outputs.iterdir() if path.suffix == ".out"] if folder.outputs.is_dir() else []
    for path in sorted(files, key=lambda path: (len(path.name), path.name)):
        at = steps.get(f"outputs/{path.name}", "")
        if wanted.has(at):
            yield Attempt(at or f"outputs/{path.name}", 0, 0, path)


def _attempts(folder: RunFolder, wanted: Wanted) -> Iterator[Attempt]:
    """Yield the attempts that have ended, in their order, and then those that are at work or were when all died."""
    begun: dict[str, tuple[int, int]] = {}
    for logged in present_generation(folder).logged_events():
        event = logged.event
        if isinstance(event, CommandStarted):
            begun[event.at] = (logged.seq, event.attempt)
        elif isinstance(event, CommandFinished | CommandInterrupted):
            epoch, number = begun.get(event.at, (0, 1))
            if epoch == event.epoch:
                del begun[event.at]
            if event.output_file and wanted.has(event.at):
                number = number if epoch == event.epoch else 1
                yield Attempt(event.at, number, event.epoch, folder.path / event.output_file)
    outputs = folder.newest_outputs({epoch for epoch, _ in begun.values()}) if begun else {}
    for at, (epoch, number) in begun.items():
        if wanted.has(at) and epoch in outputs:
            yield Attempt(at, number, epoch, outputs[epoch], has_ended=False)


def _print_json(workflow_id: str, attempts: list[Attempt]) -> None:
    told = [
        {"at": attempt.at, "attempt": attempt.number, "epoch": attempt.epoch, "said": ends_document(attempt.output)}
        for attempt in attempts
    ]
    print_json({"schema_version": 1, "workflow_id": workflow_id, "attempts": told})


def _print(attempt: Attempt, *, has_heading: bool) -> bool:
    """Print one attempt, its stdout to stdout and its stderr to stderr; return whether there was anything to print."""
    if has_heading:
        number = f"  attempt {attempt.number}" if attempt.number else ""
        print_prose(f"── {visible(attempt.at)}{number} ──", more=MARGIN)
        sys.stdout.flush()
    return any([has_heading, *(_copy(path, to, ends_line=has_heading) for path, to in attempt.files)])


def _copy(path: Path, descriptor: Literal[1, 2], *, ends_line: bool) -> bool:
    """Copy a file as it is into a pipe or file, and made safe onto a terminal; return whether there was anything.

    With `ends_line` what comes next begins a line.
    """
    try:
        source = open_private(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    lines = Lines("", colour=has_colour(descriptor)) if is_terminal(descriptor) else None
    with os.fdopen(source, "rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            check_reader()
            if path.suffix == TRANSCRIPT:
                chunk = narrate(chunk + file.readline())
            if lines:
                copy_lines(lines.feed(chunk), descriptor)
            else:
                copy(chunk, descriptor)
        size = file.tell()
        is_mid_line = size > 0 and os.pread(source, 1, size - 1) != b"\n"
    if lines:
        copy_lines(lines.finish(), descriptor)
    elif ends_line and is_mid_line:
        copy(b"\n", descriptor)
    return size > 0
