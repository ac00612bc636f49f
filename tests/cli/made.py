"""Runs as real ones leave them, made by the real kernel, journal and checkpoint writer; only their commands are played.

Their times are those of a story, so that what is printed about them can be compared letter by letter.
"""

import contextlib
import io
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import typer

from prodigy.cli.app import app
from prodigy.cli.output.complaints import complain
from prodigy.errors import ProdigyError
from prodigy.kernel import effects as fx
from prodigy.kernel import signals as sig
from prodigy.kernel.events import Event, GenerationStarted
from prodigy.kernel.state import State
from prodigy.plan.compile import compile_workflow
from prodigy.runtime.host.reactor import Reactor
from prodigy.runtime.orders.checkpointer import Checkpointer
from prodigy.store.journal import Journal
from prodigy.store.layout import Mirror, Project, RunFolder, prepare_mirror, prepare_run
from prodigy.store.log import Log, Position, Scan, read_chunks
from prodigy.store.values import Values

BEGAN = datetime.fromisoformat("2026-01-31T09:00:00+00:00")
PROGRAM = Path(sys.executable).with_name("prodigy")

STAGED = """
name: staged-deployment
variables: {region: north}
stages:
  - name: build
    commands:
      - shell: "npm run build"
        capture_output: built
      - shell: "npm run test"
    checkpoint: true
  - name: staging
    commands:
      - shell: "npm run deploy:staging"
      - shell: "npm run probe"
        retry: 2
        on_failure: {shell: "npm run rescue"}
    checkpoint: true
  - name: production
    commands:
      - shell: "npm run deploy:production"
"""
SHORT = 'name: short\ncommands:\n  - shell: "true"\n    capture_output: said\n'

Disk = dict[str, tuple[int, int, bytes]]


class Ending(NamedTuple):
    """How a played command ends."""

    exit_code: int = 0
    output: str = ""


class Said(NamedTuple):
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str


class House:
    """A project and a global folder of its own, which is the environment's too."""

    def __init__(self, path: Path, name: str = "project") -> None:
        self.path = path
        self.root = path / name
        self.root.mkdir()
        self.project = Project(self.root)
        self._count = 0

    @property
    def mirror(self) -> Mirror:
        """The project's mirror, made where it is missing."""
        return prepare_mirror(self.project)

    def run(self, workflow_id: str) -> RunFolder:
        """Return the folder of a run."""
        return self.project.run(workflow_id)

    def make(
        self,
        workflow_id: str,
        text: str = SHORT,
        *,
        ends: Callable[[fx.Spawn], Ending] = lambda spawn: Ending(output="done\n"),
        until: int | None = None,
        checkpoint_at: int | None = None,
    ) -> State:
        """Play a run to its end, or until its log has so many events, and then it is killed.

        Args:
            checkpoint_at: the run's checkpoint is of when the log had so many events; of its last without.
        """
        self._count += 1
        folder = prepare_run(self.project, workflow_id)
        self.mirror.learn(workflow_id)
        journal = Journal(Log.create(folder.events(1)), Values(folder.values))
        writer = Checkpointer(self.project.checkpoint(workflow_id), Values(folder.values), self.mirror, _fail)
        reactor = Reactor(State(), journal, lambda state, turn: None)
        effects = reactor.handle([self._begin(workflow_id, text)])
        while True:
            if checkpoint_at is None or reactor.state.seq <= checkpoint_at:
                writer.publish(reactor.state, journal.position.chain)
            if reactor.state.is_over or (until is not None and reactor.state.seq >= until):
                break
            effects = reactor.handle([self._answer(reactor.state.seq, folder, effect, ends) for effect in effects])
        writer.close()
        journal.close()
        return reactor.state

    def append(self, workflow_id: str, *events: Event, generation: int = 1) -> None:
        """Add a turn to a log, or begin the log of a generation with one, which says what it continues."""
        folder, begun = self.run(workflow_id), events[0]
        path = folder.events(generation)
        if isinstance(begun, GenerationStarted):
            log = Log.create(path, Position(begun.from_seq, begun.from_chain))
        else:
            log = Log.open_checked(path, Scan(read_chunks(path)).verify())[0]
        journal = Journal(log, Values(folder.values))
        journal.append([(at(1000), event) for event in events], sync=False)
        journal.close()

    def checkpoints(self, *words: str) -> Said:
        """Run `prodigy checkpoints …` in this process."""
        return said("checkpoints", *words)

    def disk(self) -> Disk:
        """Return everything on disk here: mode, time of change and content of every file, folder and link."""
        return {str(path.relative_to(self.path)): _seen(path) for path in sorted(self.path.rglob("*"))}

    def on_terminal(self, *words: str, columns: int) -> str:
        """Return what `prodigy …` prints on a terminal of so many columns, without colours."""
        above, below = pty.openpty()
        environment = {**os.environ, "COLUMNS": str(columns), "TERM": "xterm", "NO_COLOR": "1"}
        environment["PATH"] = f"{PROGRAM.parent}:{environment['PATH']}"
        process = subprocess.Popen(
            [PROGRAM, *words], cwd=self.root, env=environment, stdin=subprocess.DEVNULL, stdout=below
        )
        os.close(below)
        printed = b""
        with contextlib.suppress(OSError):  # that is how a terminal ends on Linux
            while piece := os.read(above, 65536):
                printed += piece
        os.close(above)
        assert process.wait() == 0
        return printed.decode().replace("\r\n", "\n")

    def _begin(self, workflow_id: str, text: str) -> sig.Signal:
        return sig.CookRequested(
            time=at(0),
            workflow_id=workflow_id,
            workflow_path="workflow.yaml",
            workflow_text=text,
            directory=".",
            number=self._count,
            plan=compile_workflow(text.encode(), file="workflow.yaml"),
            prodigy_version="0",
        )

    def _answer(self, seq: int, folder: RunFolder, effect: fx.Effect, ends: Callable[[fx.Spawn], Ending]) -> sig.Signal:
        match effect:
            case fx.Spawn():
                ending, file = ends(effect), f"outputs/{effect.epoch}.out"
                (folder.path / file).write_text(ending.output)
                return sig.Exited(
                    time=at(seq),
                    at=effect.at,
                    epoch=effect.epoch,
                    exit_code=ending.exit_code,
                    output=ending.output,
                    output_file=file,
                    duration_s=1.5,
                )
            case fx.Sleep():
                return sig.TimerFired(time=at(seq), at=effect.at, attempt=effect.attempt)
            case fx.Ask():
                return sig.Answered(time=at(seq), at=effect.at, is_confirmed=None, by="")
            case _:
                raise AssertionError(f"a played run does not come to {effect}")


def at(second: int) -> str:
    """Return the time so many seconds after the story begins, as logs write it."""
    return (BEGAN + timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def said(*words: str) -> Said:
    """Run a command in this process, as the command line would."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = typer.main.get_command(app).main(list(words), prog_name="prodigy", standalone_mode=False)
        except ProdigyError as problem:
            code = complain(problem)
    return Said(int(code or 0), *(stream.buffer.getvalue().decode() for stream in (out, err)))


def changed(path: Path, old: str, new: str) -> None:
    """Replace what occurs once in a file."""
    text = path.read_text()
    assert text.count(old) == 1, f"{old!r} occurs {text.count(old)} times"
    path.write_text(text.replace(old, new))


def _fail(message: str) -> None:
    raise AssertionError(message)


def _seen(path: Path) -> tuple[int, int, bytes]:
    status = path.lstat()
    if path.is_symlink():
        return status.st_mode, status.st_mtime_ns, os.fsencode(path.readlink())
    return status.st_mode, status.st_mtime_ns, path.read_bytes() if path.is_file() else b""
