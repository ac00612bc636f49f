"""What a step may be called on the command line: its id, its address, its `name:`; the same everywhere."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.house import House
from tests.end_to_end.mapped import mapreduce


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A run whose steps have names, two of them the same; one that waits for a yes; one with a map."""
    built = House(tmp_path_factory.mktemp("naming"))
    named = {"id": "compile", "name": "Build all", "shell": "echo built"}
    twice = [{"name": "Tell them", "shell": f"echo {word}"} for word in ("one", "two")]
    built.workflow(named, *twice)
    built.workflow({"shell": "true", "name": "Go live", "requires_confirmation": True}, name="asking")
    mapreduce(built, {"name": "Look at it", "shell": "echo ${item}"}, items=["alpha", "beta"], name="mapped")
    assert [built.cook(name).code for name in ("demo", "asking", "mapped")] == [0, 5, 0]
    yield built
    built.close()


ASKING = (
    ("logs", "demo", "{step}"),
    ("explain", "demo", "{step}"),
    ("events", "ls", "demo", "--step", "{step}"),
    ("events", "export", "demo", "--step", "{step}"),
    ("replay", "demo", "--until", "{step}"),
)
GOING = (
    ("resume", "demo", "--from-checkpoint", "{step}"),
    ("fork", "demo", "--at", "{step}"),
)


def filled(words: tuple[str, ...], step: str) -> tuple[str, ...]:
    """Return a command about a step."""
    return tuple(word.format(step=step) for word in words)


@pytest.mark.parametrize("words", ASKING, ids=" ".join)
def test_id_address_and_name_are_the_same(house: House, words: tuple[str, ...]) -> None:
    """Whatever is asked of a step."""
    shown = house.prodigy(*filled(words, "compile"))
    assert (shown.code, shown.out != "", house.prodigy(*filled(words, "Build all"))) == (0, True, shown)


@pytest.mark.parametrize("words", ASKING + GOING, ids=" ".join)
def test_a_name_of_several_steps_is_refused_with_their_addresses(house: House, words: tuple[str, ...]) -> None:
    """None of them is guessed."""
    refused = house.prodigy(*filled(words, "Tell them"))
    assert (refused.code, refused.out) == (2, "")
    assert refused.err.endswith(
        " has 2 steps of the name 'Tell them'\n  Say which, by its address: commands[1], commands[2].\n"
    )


@pytest.mark.parametrize("words", ASKING + GOING, ids=" ".join)
def test_a_misspelt_name_is_answered_with_the_nearest(house: House, words: tuple[str, ...]) -> None:
    """As an id is."""
    refused = house.prodigy(*filled(words, "Build al"))
    assert (refused.code, refused.out, "Build all?" in refused.err) == (2, "", True), refused.err


def test_a_step_that_waits_is_approved_by_its_name(house: House) -> None:
    """And a name that is near it is no yes."""
    refused = house.prodigy("approve", "asking", "Go life")
    assert (refused.code, "did you mean Go live?" in refused.err) == (2, True)
    assert house.prodigy("approve", "asking", "Go live").code == 0


@pytest.mark.parametrize("step", ["map[beta][0]", "map[beta].Look at it"])
def test_a_step_of_an_item_has_its_name_too(house: House, step: str) -> None:
    """After the item, and a dot."""
    assert house.prodigy("logs", "mapped", step) == (0, "beta\n", "")


def test_going_back_to_a_name_goes_back_to_that_step(tmp_path: Path) -> None:
    """What stands before it stands."""
    house = House(tmp_path)
    house.workflow(
        {"shell": house.traced("first")}, {"name": "The second one", "shell": house.traced("second")}, name="demo"
    )
    house.cook()
    resumed = house.prodigy("resume", "demo", "--from-checkpoint", "The second one", "--yes")
    assert (resumed.code, house.trace) == (0, ["first", "second", "second"])
