"""JSON Pointers into values: what stands where they lead is changed, and nothing else."""

from typing import Any

import pytest

from prodigy.plan.pointer import below, changed


def mark(value: Any, told: str) -> str:
    return f"{told}:{value}"


@pytest.mark.parametrize(
    ("value", "pointers", "expected"),
    [
        (3, {"": "x"}, "x:3"),
        ({"a": 1, "b": 2}, {"/a": "x"}, {"a": "x:1", "b": 2}),
        ([1, 2, 3], {"/0": "x", "/2": "y"}, ["x:1", 2, "y:3"]),
        ((1, 2), {"/1": "x"}, (1, "x:2")),
        ({"a": [{"b": 1}, {"b": 2}]}, {"/a/1/b": "x", "/a/0/b": "y"}, {"a": [{"b": "y:1"}, {"b": "x:2"}]}),
        (
            {"a/b": 1, "a~b": 2, "~1": 3},
            {"/a~1b": "x", "/a~0b": "y", "/~01": "z"},
            {"a/b": "x:1", "a~b": "y:2", "~1": "z:3"},
        ),
        ({"": 1}, {"/": "x"}, {"": "x:1"}),
        ({"1": "a"}, {"/1": "x"}, {"1": "x:a"}),
    ],
)
def test_what_stands_where_a_pointer_leads_is_changed(value: Any, pointers: dict[str, str], expected: Any) -> None:
    """In mappings, lists and tuples, under keys of any letters."""
    assert changed(value, pointers, mark) == expected


@pytest.mark.parametrize(
    ("value", "pointer"),
    [({"a": 1}, "/b"), ([1], "/1"), ([1], "/-"), ([1], "/-1"), ([1], "/٠"), ([1], "/a"), (1, "/a"), ({"a": 1}, "/a/b")],
)
def test_a_pointer_that_leads_nowhere_changes_nothing(value: Any, pointer: str) -> None:
    """The list is too short, the key is not there, or there is nothing to go into."""
    assert changed(value, {pointer: "x"}, mark) == value


def test_the_value_itself_stays_as_it_is() -> None:
    """It is copied where it changes."""
    value = {"a": [1], "b": [2]}
    after = changed(value, {"/a/0": "x"}, mark)
    assert value == {"a": [1], "b": [2]}
    assert after["b"] is value["b"]


@pytest.mark.parametrize(("key", "pointer"), [("a", "/x/a"), (0, "/x/0"), ("a/b", "/x/a~1b"), ("~1", "/x/~01")])
def test_what_is_below_a_pointer_is_found_again(key: Any, pointer: str) -> None:
    """Its key is written so that it can be read."""
    assert below("/x", key) == pointer
