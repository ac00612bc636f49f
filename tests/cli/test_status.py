"""`status` of a run, once and until it rests; whoever waits is at a gate, and nothing sleeps."""

import json
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.house import House


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A project whose run waits at a gate in its second step."""
    built = House(tmp_path)
    built.workflow({"id": "first", "shell": ":"}, {"id": "second", "shell": built.gate("g")})
    yield built
    built.close()


def timeless(text: str) -> str:
    """Return a text whose durations are all the same."""
    return re.sub(r"\d+(\.\d)? s\b", "0 s", text)


def test_a_live_run_says_where_it_stands(house: House) -> None:
    """For people a line for the run and one for each step that runs; for programs a document."""
    cook = house.start("cook", "demo.yaml")
    house.arrived("g")
    shown = house.prodigy("status")
    document = json.loads(house.prodigy("status", "demo", "--json").out)
    house.open("g")
    cook.wait()
    run = house.run_id
    lines = f"{run}  running  2/2 second  0 s\n  running  second  attempt 1, for 0 s\n"
    lines += f"  watch it:  prodigy status {run} --watch\n  stop it:  prodigy stop {run}\n"
    assert (shown.code, timeless(shown.out), shown.err) == (0, lines, "")
    about = {key: document[key] for key in ("workflow_id", "status", "pid", "running")}
    assert about == {"workflow_id": run, "status": "running", "pid": cook.pid, "running": ["second"]}


def test_watching_prints_each_change_and_ends_with_the_run(house: House) -> None:
    """In a pipe; its last line is how the run ended."""
    cook = house.start("cook", "demo.yaml")
    house.arrived("g")
    watcher = house.start("status", "--watch")
    house.printed("running  second")
    house.open("g")
    cook.wait()
    code, out, err = watcher.wait()
    first, *_, last = timeless(out).splitlines()
    run = house.run_id
    assert (code, first, last, err) == (0, f"{run}  running  2/2 second  0 s", f"{run}  completed  2/2  0 s", "")


def test_ctrl_c_ends_the_watcher_and_not_the_run(house: House) -> None:
    """Exit 130, without a word."""
    cook = house.start("cook", "demo.yaml")
    house.arrived("g")
    watcher = house.start("status", "--watch")
    house.printed("running  second")
    watcher.send(signal.SIGINT)
    ended = watcher.wait()
    assert (ended.code, ended.err) == (130, "")
    house.open("g")
    assert cook.wait().code == 0


def test_without_a_run_the_first_step_is_shown(tmp_path: Path) -> None:
    """Not found, and nothing is made."""
    house = House(tmp_path)
    before = house.snapshot()
    ended = house.prodigy("status")
    assert (ended.code, ended.out, house.snapshot()) == (6, "", before)


def test_a_run_that_rests_says_what_to_type_next(tmp_path: Path) -> None:
    """As the end of a cook does; a completed one has nothing to be done."""
    house = House(tmp_path)
    house.workflow({"id": "a", "shell": "test -e mended"})
    house.cook()
    shown = house.prodigy("status").out
    assert f"\n  mend it, then go on:  prodigy resume {house.run_id}\n" in shown
    house.write("mended", "")
    house.prodigy("resume", house.run_id)
    assert "go on" not in house.prodigy("status").out
