"""A run with real commands, for tests."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec

from prodigy.kernel.effects import RenderedShell, Spawn
from prodigy.kernel.lifecycle import Epoch
from prodigy.kernel.signals import Exited
from prodigy.runtime.processes.reaper import Reaper
from prodigy.runtime.processes.supervisor import Processes

PATIENCE_S = 10.0


class World:
    """The commands of one run, and what was heard of them."""

    def __init__(self, folder: Path, reaper: Reaper | None = None, **more: Any) -> None:
        self.run_folder = folder / "run"
        self.directory = folder / "project"
        self.run_folder.mkdir()
        self.directory.mkdir()
        self.exits: list[Exited] = []
        self.given_up: list[str] = []
        self.shown: list[tuple[str, bytes]] = []
        self.on_show: Callable[[bytes], None] = lambda _: None
        self.processes = Processes(
            workflow_id="demo-123456",
            run_folder=self.run_folder,
            directory=self.directory,
            emit=self.exits.append,
            now=lambda: "now",
            give_up=self.given_up.append,
            show=self._show,
            reaper=reaper,
            **more,
        )

    def pid(self, epoch: int = 7) -> int:
        """Return the process of a command that has started."""
        process = self.processes._attempts[epoch].process
        assert process is not None
        return process.pid

    def _show(self, at: str, chunk: bytes) -> None:
        self.shown.append((at, chunk))
        self.on_show(chunk)

    def spawn(self, script: str = "", *, epoch: int = 7, **fields: Any) -> None:
        """Start a script, or the command given."""
        shell = {name: fields.pop(name) for name in ("interpreter", "variables", "files") if name in fields}
        command = fields.pop("command", None) or RenderedShell(script=script, **shell)
        self.processes.spawn(
            Spawn(at="deploy", epoch=Epoch(epoch), attempt=2, command=command, **({"grace_s": 0.3} | fields))
        )

    async def exited(self, count: int = 1) -> Exited:
        """Wait for so many exits in all and return the last, without its duration."""
        await until(lambda: len(self.exits) >= count)
        return msgspec.structs.replace(self.exits[-1], duration_s=0.0)

    async def run(self, script: str = "", **fields: Any) -> Exited:
        """Start a script and wait for its exit."""
        self.spawn(script, **fields)
        return await self.exited(len(self.exits) + 1)

    def outputs(self) -> list[str]:
        """Return the names of the files that outputs were kept in."""
        return sorted(path.name for path in (self.run_folder / "outputs").iterdir())


async def playing(folder: Path) -> AsyncIterator[World]:
    """Yield a run whose commands are all ended afterwards."""
    world = World(folder)
    yield world
    world.processes.kill_all()
    await world.processes.close()


async def until(is_so: Callable[[], object]) -> None:
    """Let the loop turn until something is so, not for ever."""
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline, "it never came to be so"
        await asyncio.sleep(0.005)


def is_alive(pid: int) -> bool:
    """Say whether a process still runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def exited(**fields: Any) -> Exited:
    """Return the exit of the command that `World.spawn` starts."""
    known: dict[str, Any] = {"time": "now", "at": "deploy", "epoch": 7, "output_file": "outputs/7.out"}
    return Exited(**(known | fields))
