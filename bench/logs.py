"""Logs as long runs leave them, written by the real kernel, journal and checkpoint writer, without the commands.

Nothing is synced while they are made, for nobody depends on them.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from prodigy.kernel import effects as fx
from prodigy.kernel import signals as sig
from prodigy.kernel.events import Event
from prodigy.kernel.state import State
from prodigy.plan.compile import compile_workflow
from prodigy.runtime.clock import now
from prodigy.runtime.host.reactor import Reactor
from prodigy.runtime.orders.checkpointer import Checkpointer
from prodigy.store.journal import Journal
from prodigy.store.layout import Project, RunFolder, prepare_mirror, prepare_run
from prodigy.store.log import Log
from prodigy.store.values import Values

Ends = Callable[[fx.Spawn], int]


class UnsyncedJournal(Journal):
    """The real journal on a disk that is in no hurry."""

    def append(self, turn: Sequence[tuple[str, Event]], *, sync: bool) -> Sequence[tuple[str, Event]]:
        """Write one turn."""
        return super().append(turn, sync=False)


class LoggedRun:
    """A run that was killed: its folder holds the log, and no process owns it."""

    def __init__(self, root: Path, workflow: Path, workflow_id: str) -> None:
        self.project = Project(root)
        self.folder: RunFolder = prepare_run(self.project, workflow_id)
        self._mirror = prepare_mirror(self.project)
        self._mirror.learn(workflow_id)
        self._journal = UnsyncedJournal(Log.create(self.folder.events(1)), Values(self.folder.values))
        self._reactor = Reactor(State(), self._journal, lambda state, turn: None)
        text = workflow.read_bytes()
        first = sig.CookRequested(
            time=now(),
            workflow_id=workflow_id,
            workflow_path=workflow.name,
            workflow_text=text.decode(),
            directory=".",
            number=1,
            plan=compile_workflow(text, file=workflow.name),
            prodigy_version="bench",
        )
        self._effects = self._reactor.handle([first])

    def play(self, ends: Ends, *, events: int) -> int:
        """Let commands end with the exit code that `ends` yields until the log has `events`; return how many it has."""
        while self._reactor.state.seq < events:
            self._effects = self._reactor.handle([_answer(effect, ends) for effect in self._effects])
        return self._reactor.state.seq

    def checkpoint(self) -> None:
        """Write the checkpoint of where the run stands now."""
        writer = Checkpointer(
            self.project.checkpoint(self.folder.path.name), Values(self.folder.values), self._mirror, print
        )
        writer.publish(self._reactor.state, self._journal.position.chain)
        writer.close()

    def close(self) -> None:
        """Let the log go."""
        self._journal.close()


def _answer(effect: fx.Effect, ends: Ends) -> sig.Signal:
    match effect:
        case fx.Spawn():
            return sig.Exited(
                time=now(),
                at=effect.at,
                epoch=effect.epoch,
                exit_code=ends(effect),
                output_file=f"outputs/{effect.epoch}.out",
                duration_s=0.0125,
            )
        case fx.Sleep():
            return sig.TimerFired(time=now(), at=effect.at, attempt=effect.attempt)
        case _:
            raise AssertionError(f"a run of the bench does not come to {effect}")
