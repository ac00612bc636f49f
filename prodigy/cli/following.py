"""Follow a live run from another process: its events, and what its steps print."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Literal

import anyio
import msgspec

from prodigy.cli.display import has_colour
from prodigy.cli.outlet import copy_lines
from prodigy.cli.streams import check_reader
from prodigy.plan.address import is_at
from prodigy.runtime.following import follow, follow_lines
from prodigy.runtime.terminal import Lines, visible
from prodigy.store.history import damage_of, is_empty, nothing_in, present_generation, start_of
from prodigy.store.layout import Project, RunFolder
from prodigy.store.lock import holder
from prodigy.store.log import read_chunks, scan

ENDINGS = ("command_finished", "command_interrupted")


async def follow_records(project: Project, workflow_id: str) -> AsyncIterator[dict[str, Any]]:
    """Yield the records of the run's present generation, those of whole turns only, until nobody owns the run."""
    folder = project.run(workflow_id)
    generation = present_generation(folder)
    path = folder.events(generation)
    with damage_of(folder):  # what is there already is checked, what comes is its owner's
        scan(read_chunks(path), start_of(folder, generation), name=str(path)).verify()
        if holder(folder.lock) is None and is_empty(folder, generation):
            raise nothing_in(folder, generation)
    turn: list[dict[str, Any]] = []
    async for line in follow_lines(path, lambda: holder(folder.lock) is None):
        turn.append(msgspec.json.decode(line))
        if turn[-1].get("commit"):
            for record in turn:
                yield record
            turn = []


async def follow_outputs(project: Project, workflow_id: str, address: str | None, seen: set[int]) -> None:
    """Print what steps print, as they print it, until the run rests.

    Args:
        address: only this step; with None or a template's step lines are prefixed with their step.
        seen: epochs of attempts that were printed already.
    """
    folder = project.run(workflow_id)
    ended: set[int] = set()
    async with anyio.create_task_group() as tasks:
        async for record in follow_records(project, workflow_id):
            if record["type"] == "command_started" and is_at(record["at"], address):
                epoch = record["seq"]
                if epoch not in seen:
                    tasks.start_soon(
                        _print_attempt, folder, record["at"], epoch, ended, address is None or "[]" in address
                    )
            elif record["type"] in ENDINGS:
                ended.add(record["epoch"])


async def _print_attempt(folder: RunFolder, at: str, epoch: int, ended: set[int], has_prefix: bool) -> None:
    """Print an attempt as it goes on: its stdout to stdout and its stderr to stderr."""

    def is_over() -> bool:
        return epoch in ended or holder(folder.lock) is None

    path = await _newest(folder.outputs, epoch, is_over)
    if path is None:
        return
    prefix = f"{visible(at)} │ " if has_prefix else ""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_print_file, path, prefix, 1, is_over)
        tasks.start_soon(_print_file, path.with_suffix(".err"), prefix, 2, is_over)


async def _print_file(path: Path, prefix: str, descriptor: Literal[1, 2], is_over: Callable[[], bool]) -> None:
    lines = Lines(prefix, colour=has_colour(descriptor))
    async for chunk in follow(path, is_over):
        copy_lines(lines.feed(chunk), descriptor)
        check_reader()
    copy_lines(lines.finish(), descriptor)


async def _newest(outputs: Path, epoch: int, is_over: Callable[[], bool]) -> Path | None:
    """Return the stdout file of an epoch: an earlier generation may have left one of the same number."""
    while True:
        names = [path for path in outputs.glob(f"{epoch}*") if path.suffix != ".err" and _is_of(path, epoch)]
        if names:
            return max(names, key=lambda path: (len(path.name), path.name))
        if is_over():
            return None
        await anyio.sleep(0.05)


def _is_of(path: Path, epoch: int) -> bool:
    return path.stem.partition("-")[0] == str(epoch)
