"""What a checkpoint names: large values and the plan, written before the file that names them, and never lost."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from prodigy.errors import StorageFailure
from prodigy.kernel.state import State
from prodigy.plan.nodes import Plan
from prodigy.projections.checkpoint import INLINE_CHARS_MAX
from prodigy.runtime.orders import checkpointer
from prodigy.store.values import Values
from tests.runtime.test_checkpointer import BEGUN, RUN, Desk
from tests.simulation.plans import compiled, step

LARGE = "x" * (INLINE_CHARS_MAX + 1)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setenv("PRODIGY_HOME", str(tmp_path / "global"))
    (tmp_path / "project").mkdir()
    return Desk(tmp_path / "project")


def captured(seq: int, value: str, plan: Plan = BEGUN.plan) -> State:
    """Return the state of a run that has captured a value."""
    return msgspec.structs.replace(BEGUN, seq=seq, plan=plan, captures=BEGUN.captures.set("x", value))


def publish(desk: Desk, state: State) -> None:
    """Offer a state, and wait until the file and its mirror show it."""
    desk.writer.publish(state, f"{state.seq:016}")
    desk.writer.when_written(state.seq, lambda: None, is_mirrored=True)
    desk.writes(state.seq)


def named(desk: Desk, path: Path) -> tuple[Any, Any]:
    """Return the large value that a file names, from each of the two places where values are."""
    digest = json.loads(path.read_text())["stored_captures"]["x"]
    run = desk.project.run(RUN)
    return json.loads(Values(run.values).get(digest)), json.loads(Values(desk.mirror.values).get(digest))


def test_a_large_value_is_named_and_stands_in_both_places(desk: Desk) -> None:
    """Beside the run, and beside the mirror."""
    publish(desk, captured(3, LARGE))
    desk.writer.close()
    assert named(desk, desk.project.checkpoint(RUN)) == (LARGE, LARGE)
    assert named(desk, desk.mirror.checkpoint(RUN)) == (LARGE, LARGE)


def test_a_value_that_took_the_place_of_another_is_the_one_that_is_named(desk: Desk) -> None:
    """A capture is known by itself, not by its name."""
    publish(desk, captured(3, LARGE))
    publish(desk, captured(7, f"{LARGE}y"))
    desk.writer.close()
    assert named(desk, desk.project.checkpoint(RUN)) == (f"{LARGE}y", f"{LARGE}y")


def test_a_small_value_stands_in_the_file_itself(desk: Desk) -> None:
    """Just so large that it may."""
    publish(desk, captured(3, "x" * (INLINE_CHARS_MAX - 2)))  # its quotes count
    desk.writer.close()
    assert json.loads(desk.project.checkpoint(RUN).read_text())["stored_captures"] == {}


def test_a_plan_that_was_edited_is_the_one_that_is_named(desk: Desk) -> None:
    """In the file and in the mirror."""
    publish(desk, captured(3, "small"))
    edited = compiled(step("edited"))
    publish(desk, captured(7, "small", edited))
    desk.writer.close()
    for path, values in (
        (desk.project.checkpoint(RUN), desk.project.run(RUN).values),
        (desk.mirror.checkpoint(RUN), desk.mirror.values),
    ):
        digest = json.loads(path.read_text())["plan_digest"]
        assert msgspec.json.decode(Values(values).get(digest), type=Plan) == edited


class Refusing(list[tuple[int, int]]):
    """Makes the log durable from the second time on."""

    is_refused = False

    def append(self, written: tuple[int, int]) -> None:
        if not self.is_refused:
            self.is_refused = True
            raise StorageFailure("the disk is full")


def test_a_value_whose_file_could_not_be_written_is_written_with_the_next(desk: Desk) -> None:
    """Nothing that a file names is missing, whatever failed before."""
    desk.settled = Refusing()
    desk.writer.publish(captured(3, LARGE), f"{3:016}")
    desk.writer.when_written(3, lambda: None, is_mirrored=True)
    desk.clock.eventually(lambda: bool(desk.said))
    publish(desk, captured(7, LARGE))
    desk.writer.close()
    assert named(desk, desk.project.checkpoint(RUN)) == (LARGE, LARGE)


@pytest.mark.parametrize(("size", "is_waited_for"), [(0, True), (-1, False)])
def test_a_file_over_the_limit_is_not_waited_for(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, size: int, is_waited_for: bool
) -> None:
    """The synced log stands in; a file of just that size is waited for."""
    publish(desk, captured(3, "small"))
    written = desk.project.checkpoint(RUN).stat().st_size
    monkeypatch.setattr(checkpointer, "FILE_BYTES_MAX", written + size)
    called: list[int] = []
    desk.writer.when_written(1000, lambda: called.append(1000))
    assert (called == []) is is_waited_for
    desk.writer.close()
