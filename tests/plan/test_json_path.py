"""Which values of a document a JSONPath names."""

from typing import Any

import pytest

from prodigy.plan.json_path import PATH_CHARS_MAX, find, parse_json_path
from prodigy.plan.reference import Syntax

FILES = {"files": [{"path": "a.py", "size": 1}, {"path": "b.txt", "size": 2}, {"path": 3}], "none": [], "one": {"x": 1}}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("$.files", FILES["files"]),
        ("$.files[*].path", ["a.py", "b.txt", 3]),
        ("$.files[0].path", ["a.py"]),
        ("$.none", []),
        ("$.one", [{"x": 1}]),
        ("$.nothing", []),
        ("$..size", [1, 2]),
        ("$[?@.x == 1]", [{"x": 1}]),
        ("$.files[?match(@.path, '.*\\\\.py')].size", [1]),
        ("$.files[?match(@.path, 'a')].size", []),
        ("$.files[?search(@.path, 'a')].size", [1]),
        ("$.files[?search(@.path, '(')].size", []),
        ("$[?@.x]", [{"x": 1}]),
    ],
)
def test_a_path_names_values_in_their_order(path: str, expected: list[Any]) -> None:
    """One that can name only a list stands for its elements; a pattern that is none matches nothing."""
    assert find(path, FILES) == expected


def test_a_path_that_names_lists_among_others_names_the_lists() -> None:
    """Only where it can be no more than one value is it taken apart."""
    assert find("$[*]", [[1, 2]]) == [[1, 2]]
    assert find("$[0]", [[1, 2]]) == [1, 2]


@pytest.mark.parametrize(
    ("text", "offset"),
    [("files", 0), ("", 0), ("$.files]x", 7), ("$.a b", 4), ("$." + "x" * PATH_CHARS_MAX, PATH_CHARS_MAX)],
)
def test_what_is_no_path_is_refused_where_it_is_wrong(text: str, offset: int) -> None:
    """The mistake is shown at its place."""
    with pytest.raises(Syntax) as wrong:
        parse_json_path(text)
    assert wrong.value.offset == offset


def test_a_path_may_be_as_long_as_the_limit() -> None:
    """And is itself the result."""
    text = "$." + "x" * (PATH_CHARS_MAX - 2)
    assert parse_json_path(text) == text
