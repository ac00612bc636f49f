"""What a step prints without ending the line is seen while it runs, by whoever looks."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.house import House


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A project whose step has begun a line, and ends it when the gate opens."""
    built = House(tmp_path)
    built.workflow(
        {"id": "first", "shell": "printf no-end"},
        {"id": "asks", "shell": f"printf 'sure? '; {built.gate('g')}; echo yes"},
    )
    yield built
    built.close()


def test_logs_of_a_step_at_work_show_what_there_is(house: House) -> None:
    """As it is; and of all steps with a heading, each beginning a line."""
    cook = house.start("cook", "demo.yaml")
    house.arrived("g")
    seen = [house.prodigy("logs", "demo", *words) for words in (("asks",), ())]
    house.open("g")
    assert cook.wait().code == 0
    assert seen == [
        (0, "sure? ", ""),
        (0, "── first  attempt 1 ──\nno-end\n── asks  attempt 1 ──\nsure? \n", ""),
    ]


@pytest.mark.parametrize(("step", "begun", "whole"), [("asks", "sure? ", "sure? yes\n"), ("", "asks │ sure? ", "")])
def test_a_follower_sees_the_beginning_of_a_line(house: House, step: str, begun: str, whole: str) -> None:
    """And then its end, in its place; with the step's name once where there are several."""
    cook = house.start("cook", "demo.yaml")
    house.arrived("g")
    follower = house.start("logs", "demo", *filter(None, [step]), "--follow")
    house.printed(begun)
    house.open("g")
    cook.wait()
    assert follower.wait() == (0, whole or "── first  attempt 1 ──\nno-end\nasks │ sure? yes\n", "")


def test_cook_shows_the_beginning_of_a_line(house: House) -> None:
    """After a moment, with the step's name once."""
    cook = house.start("cook", "demo.yaml")
    cook.says("asks │ sure? ")
    house.open("g")
    assert "\nasks │ sure? yes\n" in cook.wait().err


def test_logs_show_what_was_printed_when_all_died(house: House) -> None:
    """The attempt that nobody saw the end of."""
    cook = house.start("cook", "demo.yaml")
    house.arrived("g")
    cook.kill()
    assert house.prodigy("logs", "demo", "asks") == (0, "sure? ", "")


DOTS = "while ! test -e enough; do printf .; sleep 0.05; done; echo"


@pytest.fixture
def dotted(tmp_path: Path) -> Iterator[House]:
    """A project whose step prints dot after dot until there are enough."""
    built = House(tmp_path)
    built.workflow({"id": "dots", "shell": DOTS})
    yield built
    built.close()


@pytest.mark.parametrize("step", ["dots", ""])
def test_a_follower_sees_a_line_grow(dotted: House, step: str) -> None:
    """A row of dots never rests, and is shown all the same, again and again."""
    cook = dotted.start("cook", "demo.yaml")
    cook.says("start  dots")
    dotted.start("logs", "demo", *filter(None, [step]), "--follow")
    dotted.printed("..")
    dotted.write("enough", "")
    assert cook.wait().code == 0


def test_cook_shows_a_line_that_grows(dotted: House) -> None:
    """While it does."""
    cook = dotted.start("cook", "demo.yaml")
    cook.says("dots │ ..")
    dotted.write("enough", "")
    result = cook.wait()
    (line,) = [line for line in result.err.splitlines() if line.startswith("dots │ ")]
    assert {"."} == set(line.removeprefix("dots │ "))
