"""The writer of checkpoints: how far the file and its mirror may be behind a run, and when it is woken.

The writer's thread is the real one; its clock is ours, and stands still unless a test moves it.
"""

import json
import math
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from prodigy.kernel.state import State
from prodigy.plan.compile import compile_workflow
from prodigy.runtime.orders import checkpointer
from prodigy.runtime.orders.checkpointer import FIRST_REST_S, MIRROR_INTERVAL_S, REST_S_MAX, Checkpointer
from prodigy.store.files import write_atomically
from prodigy.store.layout import Mirror, Project, prepare_mirror, prepare_run
from prodigy.store.values import Values
from tests.kernel.story import given
from tests.simulation.test_mutants import Mutant, plant

PATIENCE_S = 20.0
BEHIND_S_MAX = 2.0
RUN = "demo-000001"
BEGUN = given(compile_workflow(b"{name: demo, commands: [{shell: 'true'}]}", file="demo.yaml")).state


class Clock:
    """Time for one writer. It sleeps until somebody wakes it or the time comes that it sleeps for."""

    def __init__(self) -> None:
        self.time = 0.0
        self.until = -math.inf  # what the writer sleeps for
        self._condition: threading.Condition | None = None
        self.patience_s = PATIENCE_S
        self._hook: tuple[Callable[[], bool], Callable[[], object]] | None = None

    def now(self) -> float:
        if self._hook is not None and self._hook[0]():
            (_, act), self._hook = self._hook, None
            act()
        return self.time

    def at_next_look(self, is_so: Callable[[], bool], act: Callable[[], object]) -> None:
        """Do something when the writer looks at the clock and something is so, as if it happened just then."""
        self._hook = (is_so, act)

    def sleep(self, condition: threading.Condition, timeout_s: float | None) -> None:
        self._condition = condition
        self.until = math.inf if timeout_s is None else self.time + timeout_s
        condition.wait(2 * PATIENCE_S)
        self.until = -math.inf

    def advance(self, seconds: float) -> None:
        """Let the writer come to rest, and time pass: it sleeps on if its time has not come."""
        self.eventually(lambda: self.until > self.time)
        assert self._condition is not None
        with self._condition:
            self.time += seconds
            if self.time >= self.until:
                self._condition.notify()

    def eventually(self, is_so: Callable[[], bool]) -> None:
        deadline = time.monotonic() + self.patience_s
        while not is_so():
            assert time.monotonic() < deadline, "the writer sleeps"
            time.sleep(0.001)


class Desk:
    """A writer, its clock, and what it has written."""

    def __init__(self, folder: Path, patience_s: float = PATIENCE_S) -> None:
        self.project = Project(folder)
        run = prepare_run(self.project, RUN)
        self.mirror = self.renewed()
        self.clock = Clock()
        self.clock.patience_s = patience_s
        self.said = list[str]()
        self.settled = list[tuple[int, int]]()  # what was written when the log was made durable
        self.writer = Checkpointer(
            self.project.checkpoint(RUN),
            Values(run.values),
            self.mirror,
            self.said.append,
            settle=lambda: self.settled.append(self.written),
            renew_mirror=self.renewed,
            now=self.clock.now,
            sleep=self.clock.sleep,
        )

    def renewed(self) -> Mirror:
        mirror = prepare_mirror(self.project)
        mirror.learn(RUN)
        return mirror

    def publish(self, seq: int) -> State:
        state = msgspec.structs.replace(BEGUN, seq=seq)
        self.writer.publish(state, f"{seq:016}")
        return state

    @property
    def written(self) -> tuple[int, int]:
        """The last event that the file shows, and that the mirror shows; 0 where there is none."""
        return seq_in(self.project.checkpoint(RUN)), seq_in(self.mirror.checkpoint(RUN))

    def writes(self, seq: int) -> None:
        """Wait until both show an event."""
        self.clock.eventually(lambda: self.written == (seq, seq))

    def is_idle(self) -> bool:
        return self.clock.until == math.inf


def seq_in(path: Path) -> int:
    return int(json.loads(path.read_text())["last_seq"]) if path.exists() else 0


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setenv("PRODIGY_HOME", str(tmp_path / "global"))
    (tmp_path / "project").mkdir()
    return Desk(tmp_path / "project")


def test_a_state_that_comes_after_a_long_step_is_written_at_once(desk: Desk) -> None:
    """The writer has nothing to do for minutes, and is woken."""
    for seq in (3, 7, 9):
        desk.publish(seq)
        desk.clock.advance(FIRST_REST_S)
        desk.writes(seq)
        desk.clock.eventually(desk.is_idle)
        desk.clock.advance(100.0)
    desk.publish(12)
    desk.writes(12)
    desk.writer.close()


def test_a_run_that_is_over_at_once_writes_one_checkpoint(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its last, and its mirror."""
    written = list[Path]()
    monkeypatch.setattr(checkpointer, "write_atomically", lambda path, data: written.append(path))
    for seq in range(3, 9):
        desk.publish(seq)
    desk.writer.close()
    assert written == [desk.project.checkpoint(RUN), desk.mirror.checkpoint(RUN)]


def test_on_a_slow_disk_nothing_is_long_behind(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long a write takes, the next begins soon after it."""
    took_s = 0.2

    def slow(path: Path, data: bytes) -> None:
        desk.clock.time += took_s
        write_atomically(path, data)

    monkeypatch.setattr(checkpointer, "write_atomically", slow)
    desk.publish(3)
    desk.clock.advance(FIRST_REST_S)
    desk.writes(3)
    desk.publish(7)
    desk.clock.advance(BEHIND_S_MAX - 2 * took_s)
    desk.writes(7)
    desk.writer.close()


def test_a_mirror_waits_for_no_other_write(desk: Desk) -> None:
    """A file that was written between two mirrors is mirrored when its time comes, in the middle of a long step."""
    desk.publish(3)
    desk.clock.advance(FIRST_REST_S)
    desk.writes(3)
    state = desk.publish(7)
    desk.writer.when_written(state.seq, lambda: None)
    desk.clock.eventually(lambda: desk.written == (7, 3))
    desk.clock.advance(MIRROR_INTERVAL_S)
    desk.writes(7)
    desk.writer.close()


def test_whoever_waits_for_the_mirror_finds_it(desk: Desk) -> None:
    """Nothing has to rest for it, however short a time ago another was made."""
    seen = list[tuple[int, int]]()
    for seq in (3, 7):
        desk.publish(seq)
        desk.writer.when_written(seq, lambda: seen.append(desk.written), is_mirrored=True)
        desk.clock.eventually(lambda: bool(seen))
        assert (seq, seq) == seen.pop()
    desk.writer.close()


def test_a_write_that_failed_is_tried_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is no reason to be behind for the rest of a long step; it is said once."""
    folder = desk.project.checkpoints
    folder.rmdir()
    desk.publish(3)
    desk.clock.advance(FIRST_REST_S)
    desk.clock.eventually(lambda: desk.written == (0, 3))
    desk.clock.advance(REST_S_MAX)
    desk.clock.eventually(lambda: desk.clock.until > desk.clock.time)
    folder.mkdir(mode=0o700)
    desk.clock.advance(REST_S_MAX)
    desk.writes(3)
    desk.writer.close()
    assert [
        f"the checkpoint was not written: cannot write {desk.project.checkpoint(RUN)}: No such file or directory"
    ] == (desk.said)


def test_where_the_state_is_gone_the_mirror_is_still_written(desk: Desk) -> None:
    """With the plan that it names, and nothing is made in the place of what was removed."""
    shutil.rmtree(desk.project.state)
    desk.publish(3)
    desk.writer.close()
    plan = json.loads(desk.mirror.checkpoint(RUN).read_text())["plan_digest"]
    assert ((0, 3), False) == (desk.written, desk.project.state.exists())
    assert b'"demo"' in Values(desk.mirror.values).get(plan)


def test_a_mirror_that_was_removed_is_made_anew(desk: Desk) -> None:
    """With all that it names, and what it knows, so that resume needs no trust."""
    desk.publish(3)
    desk.clock.advance(FIRST_REST_S)
    desk.writes(3)
    shutil.rmtree(desk.mirror.path.parent)
    desk.publish(7)
    desk.writer.close()
    plan = json.loads(desk.mirror.checkpoint(RUN).read_text())["plan_digest"]
    assert ((7, 7), True, []) == (desk.written, desk.mirror.knows(RUN), desk.said)
    assert b'"demo"' in Values(desk.mirror.values).get(plan)


def test_the_log_is_durable_before_a_file_claims_it(desk: Desk) -> None:
    """Or a power loss would leave a witness of events that the log never had."""
    desk.publish(3)
    desk.writer.close()
    assert [(0, 0)] == desk.settled


def test_a_writer_that_looks_soon_anyway_is_not_woken(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Publishing is what every turn pays for: between two writes it only changes a slot."""
    desk.publish(3)
    desk.clock.eventually(lambda: desk.clock.until == FIRST_REST_S)
    woken = list[int]()
    monkeypatch.setattr(desk.writer._condition, "notify", lambda: woken.append(1))
    for seq in range(4, 100):
        desk.publish(seq)
    assert woken == []
    monkeypatch.undo()
    desk.writer.close()


def test_a_state_that_comes_while_the_writer_falls_asleep_is_written(desk: Desk) -> None:
    """Whoever published it saw the writer awake, and does not wake it."""
    desk.publish(3)
    desk.clock.eventually(lambda: desk.clock.until == FIRST_REST_S)
    writer = desk.writer

    def falls_asleep() -> bool:
        return writer._due() == math.inf and writer._write_due >= desk.clock.time  # it rests again, with nothing to do

    desk.clock.at_next_look(falls_asleep, lambda: desk.publish(4))
    for _ in range(10):
        desk.clock.advance(10.0)
        if desk.written == (4, 4):
            break
    assert desk.written == (4, 4)
    desk.writer.close()


MUTANTS = {
    "a writer that sleeps is not woken": Mutant(checkpointer, "if self._due() < self._wakes:", "if False:"),
    "whoever publishes thinks that the writer is awake": Mutant(
        checkpointer, "self._wakes <= self._write_due and not self._waiters", "True"
    ),
    "the writer does not look again when it has said that it sleeps": Mutant(
        checkpointer, "if self._due() >= due:", "if True:"
    ),
    "only who waits for the file wakes the writer": Mutant(
        checkpointer, "if self._due() < self._wakes:", "if self._waiters:"
    ),
    "it rests as long as the disk is slow": Mutant(
        checkpointer, "min(REST_FACTOR * took_s, REST_S_MAX)", "REST_FACTOR * took_s"
    ),
    "a mirror waits for the next write": Mutant(
        checkpointer, "math.inf if self._unmirrored is None else self._mirror_due,", "math.inf,"
    ),
    "who waits for the mirror gets the file": Mutant(
        checkpointer, "or self._mirrored_seq < self._mirror_seq:", "or False:"
    ),
    "a write that failed is not tried again": Mutant(
        checkpointer,
        "            if not self._is_saved:\n                self._unsaved",
        "            if False:\n                self._unsaved",
    ),
    "without the file there is no mirror": Mutant(
        checkpointer,
        "self._is_saved = self._save(data)",
        "self._is_saved = self._save(data)\n        if not self._is_saved:\n            return",
    ),
    "the log may be lost that a file claims": Mutant(checkpointer, "            self._settle()\n", ""),
    "values are mirrored from a folder that may be gone": Mutant(
        checkpointer, "self._copies.put(value)", "assert value"
    ),
    "a mirror that was removed stays away": Mutant(checkpointer, "not self._mirror.knows(workflow_id)", "False"),
}

Check = Callable[..., None]
CHECKS: tuple[Check, ...] = (
    test_a_state_that_comes_after_a_long_step_is_written_at_once,
    test_a_mirror_waits_for_no_other_write,
    test_whoever_waits_for_the_mirror_finds_it,
    test_where_the_state_is_gone_the_mirror_is_still_written,
    test_a_mirror_that_was_removed_is_made_anew,
    test_the_log_is_durable_before_a_file_claims_it,
    test_a_state_that_comes_while_the_writer_falls_asleep_is_written,
)
CHECKS_OF_A_DISK: tuple[Check, ...] = (
    test_on_a_slow_disk_nothing_is_long_behind,
    test_a_write_that_failed_is_tried_again,
)


@pytest.mark.parametrize("name", MUTANTS)
def test_a_bug_of_the_writer_is_noticed(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By one of the tests above, each of which gets a writer of its own."""
    plant(monkeypatch, MUTANTS[name])
    monkeypatch.setenv("PRODIGY_HOME", str(tmp_path / "global"))
    assert any(is_noticed(check, tmp_path / str(number)) for number, check in enumerate((*CHECKS, *CHECKS_OF_A_DISK)))


def is_noticed(check: Check, folder: Path) -> bool:
    """Whether a test fails, in whatever way, within a second."""
    folder.mkdir()
    desk = Desk(folder, patience_s=1.0)
    with pytest.MonkeyPatch.context() as broken:
        try:
            check(*(desk, broken) if check in CHECKS_OF_A_DISK else (desk,))
        except Exception:
            return True
    return False
