"""Resume of a long run that was killed: how soon it goes on, and what it runs again."""

import os
import select
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import msgspec

from bench.logs import LoggedRun
from bench.place import PRODIGY, Place
from bench.report import Row
from prodigy.kernel.events import CommandFinished, CommandStarted, RunResumed
from prodigy.store.generation import Generation
from prodigy.store.layout import RunFolder

FIRST_STEP_S_MAX = 0.5
FIRST_STEP_S_AIM = 0.3
PATIENCE_S = 60.0

_RUN = "killed-000001"
_EVENTS_PER_STEP = 4


class Long(msgspec.Struct, frozen=True):
    """A run of `steps` that was killed in step `done`, 0-based; `kept` has copies of its state and of its mirror."""

    place: Place
    steps: int
    done: int
    kept: Path

    @property
    def folder(self) -> RunFolder:
        """The folder of the run."""
        return RunFolder(self.place.project / ".prodigy" / "runs" / _RUN)

    def restore(self, *, with_checkpoint: bool) -> None:
        """Put the project's state and its mirror, which is a witness, back to where the run was killed."""
        for name, folder in _state(self.place).items():
            shutil.rmtree(folder)
            shutil.copytree(self.kept / name, folder)
        if not with_checkpoint:
            (self.place.project / ".prodigy" / "checkpoints" / f"{_RUN}.json").unlink()


def measure(place: Place, *, steps: int, rounds: int) -> Iterator[Row]:
    """Yield when the first new step of a run that was 90 % done starts, and what a whole resume ran."""
    long = _killed(place, steps, done=steps * 9 // 10)
    for with_checkpoint in (True, False):
        waits = []
        for _ in range(rounds):
            long.restore(with_checkpoint=with_checkpoint)
            waits.append(first_step(long))
        yield Row(
            what=f"resume of {steps:,} steps, 90 % done: first new step"
            + ("" if with_checkpoint else ", checkpoint gone"),
            value=median(waits),
            unit="s",
            limit=FIRST_STEP_S_MAX,
            aim=FIRST_STEP_S_AIM,
            note="from the start of the process until the step itself reports",
        )
    long.restore(with_checkpoint=True)
    wrong = ran_wrongly(long)
    yield Row(what="the same, to its end: steps lost or run again that were done", value=wrong, unit="steps", limit=0)


def first_step(long: Long) -> float:
    """Resume until the first step writes into its pipe; return the seconds since the process began, and stop it."""
    pipe = os.open(long.place.project / "pipe", os.O_RDWR | os.O_NONBLOCK)
    began = time.perf_counter()
    process = long.place.begin([PRODIGY, "resume", _RUN])
    try:
        heard, _, _ = select.select([pipe], [], [], PATIENCE_S)
        waited = time.perf_counter() - began
        assert heard, f"no step has started:\n{long.place.complaints}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate()
        os.close(pipe)
    return waited


def ran_wrongly(long: Long) -> int:
    """Resume to the end and return how many steps ran although they were done, or ran not exactly once."""
    pipe = os.open(long.place.project / "pipe", os.O_RDWR | os.O_NONBLOCK)
    long.place.answer([PRODIGY, "resume", _RUN])
    os.close(pipe)
    events = [moment.event for moment in Generation(long.folder, 1).logged_events()]
    resumed = next(place for place, event in enumerate(events) if isinstance(event, RunResumed))
    finished = {event.at for event in events[:resumed] if isinstance(event, CommandFinished)}
    started = [event.at for event in events[resumed:] if isinstance(event, CommandStarted)]
    again = sum(at in finished for at in started)
    doubled = len(started) - len(set(started))
    lost = long.steps - len(finished.union(started))
    return again + doubled + lost


def _killed(place: Place, steps: int, *, done: int) -> Long:
    """Make the log of a run that was killed in step `done`, and a pipe that this step writes into."""
    os.mkfifo(place.project / "pipe")
    lines = ['- shell: "true"\n'] * steps
    lines[done] = '- shell: "echo started > pipe"\n'
    workflow = place.project / "killed.yaml"
    workflow.write_text("".join(lines))
    run = LoggedRun(place.project, workflow, _RUN)
    run.play(lambda spawn: 0, events=done * _EVENTS_PER_STEP + len(("run_started", "node_started", "command_started")))
    run.checkpoint()
    run.close()
    kept = place.folder / "kept"
    for name, folder in _state(place).items():
        shutil.copytree(folder, kept / name)
    return Long(place, steps, done, kept)


def _state(place: Place) -> dict[str, Path]:
    return {"state": place.project / ".prodigy", "home": place.home}
