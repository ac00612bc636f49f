"""`events follow` on runs that go on; whoever waits is at a gate, and nothing sleeps."""

import json
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


def test_the_records_are_printed_as_they_are_logged(house: House) -> None:
    """All of them, those before the follower came among them, and it ends with the run."""
    cook = house.start("cook", "demo.yaml")
    house.arrived("g")
    follower = house.start("events", "follow", "--jsonl")
    house.printed('"at":"second"')
    house.open("g")
    cook.wait()
    code, out, err = follower.wait()
    logged = list(map(json.loads, house.log().read_text().splitlines()))
    assert (code, list(map(json.loads, out.splitlines())), err) == (0, logged, "")


def test_people_get_a_line_for_each(house: House) -> None:
    """Number, time, what happened and where."""
    cook = house.start("cook", "demo.yaml")
    house.open("g")
    cook.wait()
    code, out, err = house.prodigy("events", "follow", "--job-id", "demo")
    last = [line.split()[0:1] + line.split()[3:] for line in out.splitlines()][-2:]
    count = len(house.log().read_text().splitlines())
    expected = [[str(count - 1), "node_succeeded", "workflow"], [str(count), "run_completed"]]
    assert (code, last, err) == (0, expected, "")


def test_ctrl_c_ends_the_follower_and_not_the_run(house: House) -> None:
    """Exit 130, without a word."""
    cook = house.start("cook", "demo.yaml")
    house.arrived("g")
    follower = house.start("events", "follow")
    house.printed("command_started  second")
    follower.send(signal.SIGINT)
    ended = follower.wait()
    assert (ended.code, ended.err) == (130, "")
    house.open("g")
    assert cook.wait().code == 0


def test_a_killed_run_ends_the_follower(house: House) -> None:
    """Nobody owns the run any more, so nothing more will come."""
    cook = house.start("cook", "demo.yaml")
    house.arrived("g")
    follower = house.start("events", "follow")
    house.printed("command_started  second")
    cook.kill()
    ended = follower.wait()
    assert (ended.code, ended.err) == (0, "")
