"""Addresses within items."""

import pytest

from prodigy.plan.address import Parts, alike, in_item, inside, is_under, item_address, parse, within


@pytest.mark.parametrize(
    ("step", "address"),
    [
        ("", "map[a]"),
        ("lint", "map[a].lint"),
        ("[0]", "map[a][0]"),
        ("lint.on_failure[0]", "map[a].lint.on_failure[0]"),
    ],
)
def test_where_an_item_failed_is_an_address(step: str, address: str) -> None:
    """With and without an id."""
    assert address == within("map[a]", step)


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        ("map[a]", Parts("map", "a", "")),
        ("map[src/[x].lint", Parts("map", "src/[x", ".lint")),
        ("map[a][0]", Parts("map", "a", "[0]")),
        ("map[].lint.on_failure[0]", Parts("map", "", ".lint.on_failure[0]")),
        ("lint", None),
        ("[a]", None),
        ("map[a", None),
        ("map]a[", None),
    ],
)
def test_an_address_in_a_map_has_parts(address: str, parts: Parts | None) -> None:
    """The map, the key as it is written, and the rest; what is in no map has none."""
    assert parse(address) == parts


@pytest.mark.parametrize("key", ["a", "src/a.py", "a[0].b", "]", "%5D", "a\nb", "é]%"])
def test_a_key_comes_back_from_an_address(key: str) -> None:
    """Whatever is in it."""
    parts = in_item(f"{item_address('map', key)}.lint")
    assert (parts.map, parts.key, parts.step, parts.template) == ("map", key, "lint", "map[].lint")
    assert parts.item == item_address("map", key)


def test_what_is_in_no_map_is_no_address_in_an_item() -> None:
    """To ask so is a mistake that says so."""
    with pytest.raises(ValueError, match="lint is in no map"):
        in_item("lint")


def test_the_address_of_a_step_in_an_item_is_that_of_the_template() -> None:
    """With the item in its place."""
    assert inside("map[a]", "map[].lint") == "map[a].lint"
    assert inside("map[a]", "map[][0]") == "map[a][0]"


def test_a_step_in_an_item_is_meant_by_its_templates_address_too() -> None:
    """Any other address means itself alone."""
    assert alike("map[a].lint") == ("map[a].lint", "map[].lint")
    assert alike("lint") == ("lint",)


@pytest.mark.parametrize(
    ("address", "is_so"),
    [
        ("one", True),
        ("one.a", True),
        ("one[0]", True),
        ("one.on_failure[0]", True),
        ("ones", False),
        ("two.one", False),
    ],
)
def test_an_address_is_under_what_it_begins_with(address: str, is_so: bool) -> None:
    """A longer name is no place within."""
    assert is_under(address, "one") is is_so
