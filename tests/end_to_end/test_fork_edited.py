"""A fork after an edit: it goes on with the text as it was and says so, or with today's where that is asked for."""

import pytest

from tests.end_to_end.house import House
from tests.end_to_end.test_travel import forked

SAID = "demo.yaml was edited: the fork goes on with the text as it was; --accept-changes takes the new one"


def cooked(house: House, *, edited: str) -> None:
    """Cook three steps that leave a trace, and edit the last of them, or where told another."""
    steps = {"one": "echo one >> trace", "two": "echo two-${n} >> trace", "three": "echo three >> trace"}
    house.workflow(*({"id": name, "shell": script} for name, script in steps.items()), variables={"n": 1})
    assert 0 == house.cook().code
    steps[edited] = f"echo edited-${{n}} >> trace; : {edited}"
    house.workflow(*({"id": name, "shell": script} for name, script in steps.items()), variables={"n": 1})


def test_a_fork_after_an_edit_says_that_it_keeps_the_text(house: House) -> None:
    """And goes on with it."""
    cooked(house, edited="three")
    summary, err = forked(house, "--at", "v1")
    assert ("completed", 1, ["two-1", "three"]) == (summary["status"], err.count(SAID), house.trace[3:])


def test_a_fork_takes_the_new_text_where_that_is_asked_for(house: House) -> None:
    """With the variables that are set."""
    cooked(house, edited="three")
    summary, err = forked(house, "--at", "v1", "--accept-changes", "--set", "n=9")
    said = "demo.yaml was edited: what has not finished follows the new text"
    assert ("completed", 1, ["two-9", "edited-9"]) == (summary["status"], err.count(said), house.trace[3:])


def test_a_finished_step_that_was_edited_stands_in_the_fork(house: House) -> None:
    """As in a resume that accepts changes."""
    cooked(house, edited="one")
    summary, _ = forked(house, "--at", "v1", "--accept-changes")
    assert ("completed", ["two-1", "three"]) == (summary["status"], house.trace[3:])


@pytest.mark.parametrize("options", [(), ("--accept-changes",)], ids=["as it was", "today's"])
def test_a_fork_without_an_edit_says_nothing_of_one(house: House, options: tuple[str, ...]) -> None:
    """There is nothing to choose."""
    cooked(house, edited="three")
    house.prodigy("resume", "demo", "--from-checkpoint", "v1", "--accept-changes")
    _, err = forked(house, "--at", "two", *options)
    assert "was edited" not in err
