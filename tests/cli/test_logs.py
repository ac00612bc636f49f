"""`logs` of runs that are over and of runs that go on; whoever waits is at a gate, and nothing sleeps."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.house import House
from tests.end_to_end.mapped import mapreduce

RETRY = {"attempts": 2, "initial_delay": 0}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A project whose run says one thing, waits at a gate, and says another."""
    built = House(tmp_path)
    built.workflow(
        {"id": "first", "shell": "echo one; echo aside >&2"},
        {"id": "second", "shell": f"echo two; {built.gate('g')}; echo three"},
        {"id": "third", "shell": "echo four; echo late >&2"},
    )
    yield built
    built.close()


def test_logs_of_one_step_are_followed_until_the_run_rests(house: House) -> None:
    """Each line as it is printed, and the end with exit 0."""
    cook = house.start("cook", "demo.yaml")
    house.arrived("g")
    follower = house.start("logs", "demo", "second", "--follow")
    house.printed("two\n")
    house.open("g")
    cook.wait()
    assert follower.wait() == (0, "two\nthree\n", "")


def test_logs_of_all_steps_are_followed_with_their_names(house: House) -> None:
    """What had ended is shown whole, what comes has its step before each line."""
    cook = house.start("cook", "demo.yaml")
    house.arrived("g")
    follower = house.start("logs", "demo", "--follow")
    house.printed("second │ two\n")
    house.open("g")
    cook.wait()
    assert follower.wait() == (
        0,
        "── first  attempt 1 ──\none\nsecond │ two\nsecond │ three\nthird │ four\n",
        "aside\nthird │ late\n",
    )


def test_ctrl_c_ends_the_follower_and_not_the_run(house: House) -> None:
    """Exit 130, without a word."""
    cook = house.start("cook", "demo.yaml")
    house.arrived("g")
    follower = house.start("logs", "demo", "second", "--follow")
    house.printed("two\n")
    follower.send(signal.SIGINT)
    assert follower.wait() == (130, "two\n", "")
    house.open("g")
    assert cook.wait().code == 0


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> House:
    """A project with a run that is over."""
    built = House(tmp_path_factory.mktemp("finished"))
    built.workflow(
        {"id": "first", "shell": "echo one; echo aside >&2"},
        {"id": "quiet", "shell": ":"},
        {"id": "third", "shell": "echo >> tries; grep -c '' tries; test $(grep -c '' tries) = 2", "retry": RETRY},
    )
    built.cook()
    return built


def test_logs_show_every_attempt_with_its_step(finished: House) -> None:
    """What went to stdout goes there, and what went to stderr."""
    shown = (
        "── first  attempt 1 ──\none\n── quiet  attempt 1 ──\n── third  attempt 1 ──\n1\n── third  attempt 2 ──\n2\n"
    )
    assert finished.prodigy("logs", "demo") == (0, shown, "aside\n")


def test_logs_of_a_step_are_those_of_its_last_attempt(finished: House) -> None:
    """Exactly what it printed, for a pipe."""
    assert finished.prodigy("logs", "demo", "third") == (0, "2\n", "")


def test_a_step_that_said_nothing_is_no_error(finished: House) -> None:
    """It is said on stderr, and stdout stays empty."""
    assert finished.prodigy("logs", "demo", "quiet") == (0, "", "quiet has printed nothing\n")


def test_a_misspelt_step_is_answered_with_the_nearest(finished: House) -> None:
    """As every word is."""
    refused = f"error: {finished.run_id} has no step or stage 'thrid'\n  did you mean third?\n"
    assert finished.prodigy("logs", "demo", "thrid") == (2, "", refused)


def test_logs_of_a_step_inside_items(tmp_path: Path) -> None:
    """One item's by its address, and every item's by the step's id or the template's address."""
    house = House(tmp_path)
    mapreduce(house, {"id": "say", "shell": "echo ${item}"}, items=["a", "b"], max_parallel=1)
    house.cook()
    assert house.prodigy("logs", "demo", "map[b].say") == (0, "b\n", "")
    both = "── map[a].say  attempt 1 ──\na\n── map[b].say  attempt 1 ──\nb\n"
    assert house.prodigy("logs", "demo", "map[].say") == house.prodigy("logs", "demo", "say") == (0, both, "")


def test_an_item_is_called_by_its_key_alone(tmp_path: Path) -> None:
    """So `dlq list` and every other table call it; where a step has the same name, that is meant."""
    house = House(tmp_path)
    mapreduce(house, {"id": "say", "shell": "echo ${item}"}, items=["a", "say"], max_parallel=1)
    house.cook()
    one = "── map[a].say  attempt 1 ──\na\n"
    other = "── map[say].say  attempt 1 ──\nsay\n"
    assert house.prodigy("logs", "demo", "a") == house.prodigy("logs", "demo", "map[a]") == (0, one, "")
    assert house.prodigy("logs", "demo", "say") == house.prodigy("logs", "demo", "map") == (0, one + other, "")


def test_of_a_stage_all_that_its_steps_printed_is_shown(tmp_path: Path) -> None:
    """Its handlers' steps among them; those of a step are steps of their own."""
    house = House(tmp_path)
    make = "{id: make, shell: echo made; false, on_failure: [{shell: echo mended}]}"
    ship = "{shell: echo shipped}"
    stages = f"[{{name: build, commands: [{make}]}}, {{name: ship, commands: [{ship}]}}]"
    house.write("demo.yaml", f"name: demo\nstages: {stages}\n")
    house.cook()
    made = "── build.make  attempt 1 ──\nmade\n"
    mended = "── build.make.on_failure[0]  attempt 1 ──\nmended\n"
    assert house.prodigy("logs", "demo", "build") == (0, made + mended, "")
    assert house.prodigy("logs", "demo", "make") == (0, "made\n", "")
