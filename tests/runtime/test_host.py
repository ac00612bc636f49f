"""When the host starts what was decided: at once, or when the checkpoint file shows what came before.

The kernel, the journal and the log are the real ones. The writer of checkpoints writes nothing, and says so only after
the loop has gone round many times; commands succeed as soon as they are started.
"""

import asyncio
import os
import signal
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from prodigy.kernel import effects as fx
from prodigy.kernel import events as ev
from prodigy.kernel import signals as sig
from prodigy.kernel.lifecycle import Epoch, Status
from prodigy.kernel.state import State
from prodigy.plan.nodes import Plan
from prodigy.runtime.host import host
from prodigy.runtime.host.host import Host
from prodigy.runtime.host.reactor import Record
from prodigy.runtime.orders.checkpointer import Checkpointer
from prodigy.runtime.processes.supervisor import Processes
from prodigy.store.journal import Journal
from prodigy.store.layout import Project, prepare_run
from prodigy.store.log import Log
from prodigy.store.values import Values
from tests.kernel.story import NOW
from tests.simulation.plans import compiled, step

REST_S = 6.0
ROUNDS = 50  # of the loop, until a checkpoint is written: whoever does not wait for it is long past


class Writer(Checkpointer):
    """Writes nothing, and tells `heard` of each file that was waited for when that would be on disk."""

    def __init__(self, heard: list[str]) -> None:
        self._heard = heard
        self.published = 0
        self.on_wait: Callable[[], None] = lambda: None

    def publish(self, state: State, chain: str) -> None:
        self.published = state.seq

    def when_written(self, seq: int, call: Callable[[], None], *, is_mirrored: bool = False) -> None:
        assert seq == self.published, "what is waited for is the newest state"
        self._heard.append("waits for the mirror" if is_mirrored else "waits")
        asyncio.get_running_loop().call_soon(partial(self._go_round, ROUNDS, call, is_mirrored))
        if not is_mirrored:
            self.on_wait()

    def close(self) -> None:
        pass

    def _go_round(self, rounds: int, call: Callable[[], None], is_mirrored: bool) -> None:
        if rounds:
            asyncio.get_running_loop().call_soon(partial(self._go_round, rounds - 1, call, is_mirrored))
            return
        if not is_mirrored:
            self._heard.append("is written")
        call()


class Commands(Processes):
    """Commands that succeed at once; `heard` is told of each start."""

    def __init__(self, heard: list[str], *, emit: Callable[[sig.Exited], None], **_: object) -> None:
        self._tell = emit
        self._heard = heard

    def spawn(self, effect: fx.Spawn) -> None:
        self._heard.append(effect.at)
        self._tell(sig.Exited(time=NOW, at=effect.at, epoch=effect.epoch, exit_code=0))

    def terminate(self, epoch: int) -> None:
        raise AssertionError("nothing runs that could be ended")

    def kill_all(self) -> None:
        pass

    def suspend(self) -> None:
        self._heard.append("rests")

    def resume_all(self) -> float:
        return REST_S

    async def close(self) -> None:
        pass

    def abandon(self) -> None:
        pass


class Nobody:
    """A display that nobody looks at; it keeps what it was to show."""

    user = operator = "nobody"

    def __init__(self) -> None:
        self.seen = list[ev.Event]()

    def note(self, message: str) -> None:
        pass

    def observe(self, state: State, turn: Sequence[Record]) -> None:
        self.seen += [event for _, event in turn]

    def show(self, at: str, chunk: bytes) -> None:
        pass

    def ask(self, question: str) -> bool | None:
        return None


class Stage:
    """A host with its writer, and what was heard of both it and the commands."""

    def __init__(self, folder: Path, heard: list[str]) -> None:
        self.heard = heard
        self.writer = Writer(self.heard)
        self.display = Nobody()
        run = prepare_run(Project(folder), "demo-000001")
        self.journal = Journal(Log.create(run.events(1)), Values(run.values))
        self.host = Host(
            State(),
            self.journal,
            checkpointer=self.writer,
            folder=run,
            directory=folder,
            reaper=None,
            display=self.display,
        )

    def play(self, plan: Plan) -> State:
        cook = sig.CookRequested(
            time=NOW,
            workflow_id="demo-000001",
            workflow_path="demo.yaml",
            workflow_text="",
            directory="/project",
            number=1,
            plan=plan,
            prodigy_version="0",
        )
        return self.host.run(cook)

    def stops(self) -> None:
        """Let somebody stop the run while it waits for the writer."""
        self.host.send(sig.StopRequested(time=NOW, by="SIGINT"))

    def rests(self) -> None:
        """Let somebody type Ctrl-Z, and later go on."""
        self.host._suspend()


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    heard = list[str]()
    monkeypatch.setattr(host, "Processes", partial(Commands, heard))
    stage = Stage(tmp_path, heard)
    yield stage
    stage.journal.close()


def test_a_host_is_whole_when_it_is_built(stage: Stage) -> None:
    """Whoever reads how it is made knows all that it has: playing a run adds nothing."""
    built = set(vars(stage.host))
    stage.play(compiled(step("a")))
    assert built == set(vars(stage.host))


def test_a_step_that_asks_for_a_checkpoint_holds_the_next_one_back_until_it_is_written(stage: Stage) -> None:
    """The step itself waits too, for the state that it begins with. Between other steps nothing waits."""
    plan = compiled(step("a"), step("b"), step("c", checkpoint=True), step("d"), step("e"))
    assert stage.play(plan).status == "completed"
    first = ["waits for the mirror", "waits", "is written"]  # the first result of a run, see below
    assert ["a", *first, "b", "waits", "is written", "c", "waits", "is written", "d", "e"] == stage.heard


def test_the_first_result_of_a_run_is_known_elsewhere_before_the_next_step_begins(stage: Stage) -> None:
    """The next one might remove the state. So it is for the first alone."""
    assert stage.play(compiled(step("a"), step("b"), step("c"))).status == "completed"
    assert ["a", "waits for the mirror", "waits", "is written", "b", "c"] == stage.heard


def test_a_stop_while_a_step_is_held_back_interrupts_it_and_it_never_begins(stage: Stage) -> None:
    """Whatever becomes of the checkpoint."""
    stage.writer.on_wait = stage.stops
    state = stage.play(compiled(step("a"), step("b")))
    assert ("interrupted", {}) == (state.status, dict(state.in_flight))
    assert "b" not in stage.heard


def test_what_ended_at_one_moment_is_one_turn_at_once(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits for no pass of the loop; what is sent later makes a turn as ever."""
    turns = list[list[sig.Signal]]()

    def handle(signals: list[sig.Signal]) -> list[fx.Effect]:
        turns.append(signals)
        return []

    def send_two() -> None:
        for end in ends[:2]:
            stage.host.send(end)

    monkeypatch.setattr(stage.host._reactor, "handle", handle)
    ends = [sig.Exited(time=NOW, at=at, epoch=Epoch(1), exit_code=0) for at in ("a", "b", "c")]
    stage.host._gather(send_two)
    assert turns == [ends[:2]]
    stage.host._gather(lambda: None)
    stage.host.send(ends[2])
    stage.host._loop.run_until_complete(asyncio.sleep(0))
    assert turns == [ends[:2], ends[2:]]
    stage.host._loop.close()


def test_a_rest_is_told_though_the_signal_that_ends_it_is_heard_too_late(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system may give it to another thread than the one that goes on."""
    monkeypatch.setattr(os, "kill", lambda pid, number: stage.heard.append(f"{signal.Signals(number).name} to {pid}"))
    stage.writer.on_wait = stage.rests
    stage.play(compiled(step("a"), step("b")))
    assert ["rests", f"SIGSTOP to {os.getpid()}"] == stage.heard[stage.heard.index("rests") :][:2]
    assert [REST_S] == [event.rested_s for event in stage.display.seen if isinstance(event, ev.RunRested)]


def test_an_end_that_no_stop_can_explain_is_told_at_once(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only one that a stop may have caused waits for it, and not while the run is stopping anyway."""
    told = list[sig.Exited]()
    monkeypatch.setattr(stage.host, "send", told.append)
    plain = sig.Exited(time=NOW, at="a", epoch=Epoch(3), exit_code=1)
    killed = sig.Exited(time=NOW, at="b", epoch=Epoch(4), signal="SIGTERM")
    for end in (plain, killed):
        stage.host._ended(end)
    assert told == [plain]
    stage.host._terminate(fx.Terminate(at="b", epoch=Epoch(4)))
    assert [end.epoch for end in told] == [3, 4]
    stage.host._loop.close()


@pytest.mark.parametrize(
    ("number", "is_heard"), [(signal.SIGTERM, True), (signal.SIGHUP, False), (signal.SIGTSTP, False)]
)
def test_what_has_failed_when_a_stop_comes_was_stopped(stage: Stage, number: signal.Signals, is_heard: bool) -> None:
    """By any signal to stop but one that was inherited as ignored; success and a timeout stay what they are."""
    stage.host._processes.meet_stop = lambda: None  # type: ignore[method-assign]
    stage.host._ignores_hangup = True
    failed = sig.Exited(time=NOW, at="a", epoch=Epoch(3), exit_code=1)
    killed = sig.Exited(time=NOW, at="b", epoch=Epoch(4), signal="SIGKILL")
    fine = sig.Exited(time=NOW, at="c", epoch=Epoch(5), exit_code=0)
    late = sig.Exited(time=NOW, at="d", epoch=Epoch(6), exit_code=1, timed_out_s=2.0)
    stage.host._queue.extend((failed, killed, fine, late))
    stage.host._meet_stop(number)
    assert [end.stopped for end in stage.host._queue if isinstance(end, sig.Exited)] == [
        is_heard,
        is_heard,
        False,
        False,
    ]
    stage.host._loop.close()


def test_after_a_mistake_of_ours_nothing_more_is_said_in_the_log(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """What we see may be as broken as we are: the end of the first step is heard, and answered by nobody."""

    def breaks(state: State, turn: Sequence[Record]) -> None:
        raise ValueError("ours")

    monkeypatch.setattr(stage.display, "observe", breaks)
    with pytest.raises(ValueError, match="ours"):
        stage.play(compiled(step("a"), step("b")))
    assert (stage.heard, stage.host.state.node("a").status) == (["a"], Status.RUNNING)
