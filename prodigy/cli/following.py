"""Follow a live run from another process: its events, and what its steps print."""

from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any, Literal

import anyio
import msgspec

from prodigy.cli.output.display import has_colour
from prodigy.cli.output.outlet import copy, copy_lines
from prodigy.cli.output.shared_screen import SharedScreen
from prodigy.cli.output.streams import check_reader, is_terminal
from prodigy.cli.wanted import Wanted
from prodigy.runtime.claude.narration import narrate
from prodigy.runtime.following import follow, follow_lines
from prodigy.runtime.terminal import Lines, visible
from prodigy.store.generation import damage_of
from prodigy.store.history import present_generation
from prodigy.store.layout import TRANSCRIPT, Project, RunFolder
from prodigy.store.lock import holder

RESTS_BEFORE_PARTIAL_LINE = 3
LOOKS_BEFORE_GROWING_LINE = 10  # at a line of which more and more comes: a row of dots
ENDINGS = ("command_finished", "command_interrupted")


async def follow_records(project: Project, workflow_id: str) -> AsyncIterator[dict[str, Any]]:
    """Yield the records of the run's present generation, those of whole turns only, until nobody owns the run."""
    folder = project.run(workflow_id)
    generation = present_generation(folder)
    with damage_of(folder):  # what is there already is checked, what comes is its owner's
        generation.read().verify()
        if holder(folder.lock) is None and generation.is_empty():
            raise generation.nothing()
    turn: list[bytes] = []
    async for line in follow_lines(generation.path, lambda: holder(folder.lock) is None):
        turn.append(line)
        if generation.ends_turn(line):
            for record in turn:
                yield msgspec.json.decode(record)
            turn = []


async def follow_outputs(project: Project, workflow_id: str, wanted: Wanted, seen: set[int]) -> None:
    """Print what steps print, as they print it, until the run rests.

    Args:
        wanted: only these steps; where it may be several, lines are prefixed with their step.
        seen: epochs of attempts that were printed already.
    """
    folder = project.run(workflow_id)
    ended, printed = set[int](), dict[int, anyio.Event]()
    screen, has_prefix = SharedScreen(), not wanted.is_one
    async with anyio.create_task_group() as tasks:
        async for record in follow_records(project, workflow_id):
            if record["type"] == "command_started" and wanted.has(record["at"]):
                epoch = record["seq"]
                if epoch not in seen:
                    prefix = f"{visible(record['at'])} │ " if has_prefix else ""
                    before = [printed[earlier] for earlier in ended & set(printed)]
                    printed[epoch] = anyio.Event()
                    tasks.start_soon(_print_attempt, folder, prefix, epoch, ended, screen, before, printed[epoch])
            elif record["type"] in ENDINGS:
                ended.add(record["epoch"])


async def _print_attempt(
    folder: RunFolder,
    prefix: str,
    epoch: int,
    ended: set[int],
    screen: SharedScreen,
    before: list[anyio.Event],
    printed: anyio.Event,
) -> None:
    """Print an attempt as it goes on, after all of those `before`: its stdout to stdout and its stderr to stderr."""
    for earlier in before:
        await earlier.wait()
    await _print_files(folder, prefix, epoch, ended, screen)
    printed.set()


async def _print_files(folder: RunFolder, prefix: str, epoch: int, ended: set[int], screen: SharedScreen) -> None:
    def is_over() -> bool:
        return epoch in ended or holder(folder.lock) is None

    while (path := folder.newest_output(epoch)) is None:
        if is_over():
            return
        await anyio.sleep(0.05)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_print_file, path, prefix, 1, is_over, screen)
        tasks.start_soon(_print_file, path.with_suffix(".err"), prefix, 2, is_over, screen)


async def _print_file(
    path: Path, prefix: str, descriptor: Literal[1, 2], is_over: Callable[[], bool], screen: SharedScreen
) -> None:
    """Print a file as it grows: as it is where no person looks, else as lines, and one that waits as far as it is."""
    is_transcript = path.suffix == TRANSCRIPT
    if not (prefix or is_transcript or is_terminal(descriptor)):
        async for chunk in follow(path, is_over):
            copy(chunk, descriptor)
            check_reader()
        return
    lines, rests, looks, rest = Lines(prefix, colour=has_colour(descriptor)), 0, 0, b""
    write = partial(copy_lines, descriptor=descriptor)
    async for chunk in follow(path, is_over, tells_rests=True):
        rests, looks = (0, looks) if chunk else (rests + 1, looks + 1)
        looks = 0 if b"\n" in chunk else looks
        if is_transcript:
            whole, newline, rest = (rest + chunk).rpartition(b"\n")
            chunk = narrate(whole + newline)
        check_reader()
        screen.write(lines.feed(chunk), write, lines)
        if rests == RESTS_BEFORE_PARTIAL_LINE or looks >= LOOKS_BEFORE_GROWING_LINE:
            screen.write(lines.partial(), write, lines)
            looks = 0
    screen.write(lines.finish(), write, lines)
