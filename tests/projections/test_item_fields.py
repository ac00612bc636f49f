"""A condition with a field that no item has."""

from typing import Any

import pytest

from prodigy.plan.expression import parse
from prodigy.projections.item_fields import unknown_field

ITEMS = [
    {"id": "a", "severity": "high", "at": {"line": 3}, "tags": ["x", "y"]},
    {"id": "b", "severity": None, "owner": "ann"},
]


def unknown(text: str, values: list[Any]) -> tuple[str, str] | None:
    """Return what a filter asks for in vain, and the hint."""
    return unknown_field(parse(text, frozenset({"item"}), bare_paths=True), values)


@pytest.mark.parametrize(
    "text",
    [
        "severity == 'none'",
        "item.severity == 'none'",
        "${item.severity} == 'none'",
        "at.line > 3 || owner == 'bob'",
        "tags[1] == 'z'",
        "tags[-2] == 'z'",
        "tags.0 == 'z'",
        "'x' in tags && item != null",
        "length(item) > 1",
    ],
)
def test_a_field_that_one_item_has_is_known(text: str) -> None:
    """Whether anything like that is dead or not, and where it is null."""
    assert unknown(text, ITEMS) is None


@pytest.mark.parametrize(
    "text",
    [
        "late == null",
        "late != null",
        "late is_null",
        "not (late exists)",
        "late not exists",
        "${item.late:-no} == 'no'",
    ],
)
def test_whoever_asks_whether_there_is_one_is_answered(text: str) -> None:
    """It is what was meant."""
    assert unknown(text, ITEMS) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sevrity == 'high'", ("sevrity", "did you mean severity?")),
        ("severity == 'high' || item.sevrity == 'low'", ("sevrity", "did you mean severity?")),
        ("'is ${item.sevrity}' == 'is high'", ("sevrity", "did you mean severity?")),
        ("at.lin > 3", ("at.lin", "did you mean at.line?")),
        ("zzz.line > 3", ("zzz", "There are id, severity, at, tags, owner.")),
        ("severity.level > 3", ("severity.level", "`severity` has no fields; a whole item is `item`.")),
        ("tags[2] == 'z'", ("tags[2]", "`tags` has no fields; a whole item is `item`.")),
    ],
)
def test_a_field_of_no_item_is_named_with_the_nearest(text: str, expected: tuple[str, str]) -> None:
    """Or with all that there are."""
    assert unknown(text, ITEMS) == expected


def test_items_without_fields_are_said_to_have_none() -> None:
    """The names of files are texts."""
    assert unknown("path == 'a.py'", ["a.py", "b.py"]) == ("path", "The items have no fields; a whole item is `item`.")


def test_nothing_is_known_of_no_items() -> None:
    """A list that is empty misspells nothing."""
    assert unknown("path == 'a.py'", []) is None
