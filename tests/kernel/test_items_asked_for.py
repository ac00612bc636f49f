"""What is asked of the world when a map begins: which items, how many of them, and what decides about them."""

from typing import Any

import pytest

from prodigy.kernel import effects as fx
from prodigy.kernel import events as ev
from prodigy.kernel.effects import effects
from tests.kernel.story import ends, given, starts
from tests.simulation.plans import mapped, step


def asked(captured: Any = "", **keys: Any) -> fx.Effect:
    """Return the one effect of a map's beginning; its setup has captured `seen`."""
    plan = mapped([step("s", capture_output="seen")], [step("x")], [], **keys)
    setup = (ev.NodeStarted(at="setup", attempt=1), starts("setup.s"), ends("setup.s", 4))
    said = (ev.ValueCaptured(at="setup.s", name="seen", value=captured), ev.NodeSucceeded(at="setup.s"))
    listing = ev.ListingStarted(at="map")
    told = (*setup, *said, ev.NodeSucceeded(at="setup"), ev.NodeStarted(at="map", attempt=1), listing)
    state = given(plan, *told).state
    [effect] = effects(state, listing, state.seq)
    return effect


@pytest.mark.parametrize(("text", "count"), [("0", 0), ("7", 7)])
def test_a_step_may_say_how_many_items_there_are(text: str, count: int) -> None:
    """None is a number too."""
    effect = asked(text, offset="${seen}", max_items="${seen}")
    assert isinstance(effect, fx.List)
    assert (effect.offset, effect.max_items) == (count, count)


@pytest.mark.parametrize("name", ["offset", "max_items"])
@pytest.mark.parametrize("text", ["-1", "many", "1.5", ""])
def test_what_is_no_number_of_items_is_refused(name: str, text: str) -> None:
    """It names the key."""
    effect = asked(text, **{name: "${seen}"})
    assert isinstance(effect, fx.RejectList)
    assert name in effect.reason


def test_without_a_word_all_items_are_asked_for() -> None:
    """From the first."""
    effect = asked()
    assert isinstance(effect, fx.List)
    assert (effect.at, effect.offset, effect.max_items, effect.text) == ("map", 0, None, "items.txt")
    assert effect.values == {}


def test_values_that_decide_about_items_go_with_them() -> None:
    """Those of the filter and of the key; not the item's own."""
    effect = asked("s", filter="item.size > ${seen}", item_key="${item.id}-${seen}")
    assert isinstance(effect, fx.List)
    assert effect.values == {"seen": "s"}


def test_a_large_value_goes_beside_the_command_that_lists_items() -> None:
    """As a file of the listing's own."""
    large = "x" * 200_000
    effect = asked(large, input={"command": "list ${seen}"})
    assert isinstance(effect, fx.List)
    [(name, content)] = effect.files.items()
    assert content == large
    assert [path.rpartition("/")[2] for path in effect.environment.values()] == [name]
    assert "x" * 100 not in effect.text


def test_what_only_a_filter_refers_to_goes_with_it() -> None:
    """The key need not name it."""
    effect = asked("s", filter="item.size > ${seen}")
    assert isinstance(effect, fx.List)
    assert effect.values == {"seen": "s"}


def test_a_list_that_a_step_yields_is_the_items() -> None:
    """Nothing is read."""
    effect = asked(["a", "b"], input="${seen}")
    assert isinstance(effect, fx.List)
    assert effect.data == ["a", "b"]


@pytest.mark.parametrize(("value", "described"), [(None, "null"), (3, "3"), (True, "true")])
def test_what_can_be_no_items_is_refused_by_what_it_is(value: Any, described: str) -> None:
    """Neither a list nor a text."""
    effect = asked(value, input="${seen}")
    assert isinstance(effect, fx.RejectList)
    assert effect.reason == f"map.input ${{seen}} is {described}, and neither a list nor a text"


def test_a_value_that_no_command_can_have_is_refused() -> None:
    """A NUL ends a text there."""
    effect = asked("a\0b", input={"command": "list ${seen}"})
    assert isinstance(effect, fx.RejectList)
    assert effect.at == "map"
