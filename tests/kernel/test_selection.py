"""Which values become items, in which order, under which keys."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prodigy.kernel.selection import keys_of, select
from prodigy.plan import expression
from prodigy.plan.nodes import SortKey, Source
from prodigy.plan.reference import Names, Template, parse_template
from prodigy.plan.spelling import spelled

NAMES: Names = frozenset({"item", "least"})
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


def chosen(
    values: Sequence[Any],
    *,
    offset: int = 0,
    max_items: int | None = None,
    values_known: Mapping[str, Any] | None = None,
    condition: str = "",
    **words: Any,
) -> list[Any]:
    """Return the items of a source with these words."""
    found = expression.parse(condition, NAMES, bare_paths=True) if condition else None
    source = Source(kind="auto", text=(), filter=found, **words)
    return select(values, source, offset=offset, max_items=max_items, values_known=values_known or {})


def by(*path: str | int, descending: bool = False, nulls_first: bool = False) -> SortKey:
    return SortKey(path=path, is_descending=descending, has_nulls_first=nulls_first)


def keys(*values: Any, item_key: str = "") -> tuple[str, ...]:
    template: Template = parse_template(item_key, NAMES)
    return keys_of(values, template, {"least": 3})


# Which, and in which order ----------------------------------------------------------------------------------


def test_a_filter_reads_fields_of_the_item() -> None:
    """A bare path is a field, `item` the item itself."""
    values = [{"n": 1}, {"n": 5}, {"m": 9}]
    assert chosen(values, condition="n >= 2 || item.m == 9") == [{"n": 5}, {"m": 9}]


def test_a_filter_reads_values_of_the_workflow() -> None:
    """In `${…}`, as everywhere."""
    assert chosen([{"n": 1}, {"n": 5}], condition="n >= ${least}", values_known={"least": 3}) == [{"n": 5}]


def test_the_first_key_of_an_order_counts_most() -> None:
    """The next one decides among equals, and what is equal in all stays in its order."""
    values = [[2, "b", 0], [1, "a", 1], [2, "a", 2], [1, "b", 3], [1, "b", 4]]
    assert chosen(values, sort_by=(by(0), by(1, descending=True))) == [
        [1, "b", 3],
        [1, "b", 4],
        [1, "a", 1],
        [2, "b", 0],
        [2, "a", 2],
    ]


def test_equals_keep_their_order_in_a_descending_one_too() -> None:
    """Descending is no reversal."""
    values = [["a", 0], ["b", 1], ["a", 2]]
    assert chosen(values, sort_by=(by(0, descending=True),)) == [["b", 1], ["a", 0], ["a", 2]]


def test_values_of_all_types_have_an_order() -> None:
    """Numbers by value, then texts by code point, then the rest by its JSON; null last."""
    values = [None, "b", [2], 10, True, "B", 9.5, {"a": 1}, "é", 2]
    expected = [2, 9.5, 10, "B", "b", "é", [2], True, {"a": 1}, None]
    assert chosen(values, sort_by=(by(),)) == expected


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (by("n"), [1, 2, None]),
        (by("n", descending=True), [2, 1, None]),
        (by("n", nulls_first=True), [None, 1, 2]),
        (by("n", descending=True, nulls_first=True), [None, 2, 1]),
    ],
)
def test_null_stands_where_it_is_told(key: SortKey, expected: list[Any]) -> None:
    """Last unless told, whatever the direction; missing is null."""
    assert [value.get("n") for value in chosen([{"n": 2}, {}, {"n": 1}], sort_by=(key,))] == expected


def test_distinct_keeps_the_first_of_each_value() -> None:
    """The order of names in a mapping makes no difference, and neither does anything beside the path."""
    values = [{"k": {"a": 1, "b": 2}, "n": 1}, {"k": {"b": 2, "a": 1}, "n": 2}, {"n": 3}, {"k": None, "n": 4}]
    assert [value["n"] for value in chosen(values, distinct=("k",))] == [1, 3]


def test_distinct_comes_after_the_order() -> None:
    """So the order decides which one is the first."""
    values = [{"k": 1, "n": 2}, {"k": 1, "n": 1}]
    assert chosen(values, sort_by=(by("n"),), distinct=("k",)) == [{"k": 1, "n": 1}]


def test_offset_and_most_count_what_the_filter_left() -> None:
    """Filter, order and distinct first, then the cut."""
    assert chosen(list(range(9)), condition="item > 2", offset=1, max_items=2) == [4, 5]


@pytest.mark.parametrize(("offset", "most", "expected"), [(0, 0, []), (7, 5, []), (2, None, [3]), (0, 9, [1, 2, 3])])
def test_a_cut_may_leave_less(offset: int, most: int | None, expected: list[int]) -> None:
    """Or nothing, which is a result."""
    assert chosen([1, 2, 3], offset=offset, max_items=most) == expected


@given(st.lists(JSON, max_size=12), st.booleans(), st.booleans())
def test_an_order_loses_and_adds_nothing(values: list[Any], descending: bool, nulls_first: bool) -> None:
    """Whatever the values are, they are all there afterwards, and ordering again changes nothing."""
    key = by(descending=descending, nulls_first=nulls_first)
    ordered = chosen(values, sort_by=(key,))
    assert sorted(map(json.dumps, ordered)) == sorted(map(json.dumps, values))
    assert chosen(ordered, sort_by=(key,)) == ordered


# What they are known by ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["a", "src/a b.py", "; rm -rf ~", "../../x", "[x]%", "é", "x" * 120])
def test_a_short_printable_text_is_its_own_key(text: str) -> None:
    """Hostile ones are only texts."""
    assert keys(text) == (text,)


@pytest.mark.parametrize(
    ("value", "beginning"),
    [
        ("", ""),
        ("two\nlines", "two-lines"),
        ("x" * 121, "x" * 24),
        ("a/b c" + "\0", "a-b-c-"),
        (5, "5"),
        (None, "null"),
        ({"b": 1, "a": "é"}, "--a-------b--1-"),
        ([1, 2], "-1-2-"),
    ],
)
def test_anything_else_is_known_by_its_beginning_and_a_digest(value: Any, beginning: str) -> None:
    """At most 24 safe characters, `~`, and 12 hexadecimal digits."""
    (key,) = keys(value)
    assert re.fullmatch(r"[A-Za-z0-9._-]{0,24}~[0-9a-f]{12}", key)
    assert key.partition("~")[0] == beginning


def test_a_number_is_known_as_its_author_wrote_it() -> None:
    """A map over versions of Python would else show 3.1 for 3.10; the digest is that of the number."""
    (written,) = keys(spelled(3.1, "3.10"))
    (plain,) = keys(3.1)
    assert (written, plain) == ("3.10~a4113d93f11a", "3.1~a4113d93f11a")


def test_a_key_is_the_same_in_every_version() -> None:
    """Results and dead letters of old logs hang on it."""
    assert keys({"a": [1, None, "é"]}, "x" * 200) == ("--a---1-null------~d838e7bb6030", "x" * 24 + "~6e914b8f2ee4")


def test_equal_mappings_are_equal_in_any_order() -> None:
    """So the second is numbered."""
    first, second = keys({"a": 1, "b": 2}, {"b": 2, "a": 1})
    assert second == f"{first}#2"


def test_equal_values_are_numbered() -> None:
    """The first has no number, so that it is called what it would be called alone."""
    assert keys("a", "b", "a", "a") == ("a", "b", "a#2", "a#3")


def test_a_number_never_takes_the_key_of_another_value() -> None:
    """A text that looks numbered keeps its own key wherever it stands."""
    assert keys("a", "a", "a#2", "a", "a#2") == ("a", "a#3", "a#2", "a#4", "a#2#2")


def test_a_template_says_what_an_item_is_known_by() -> None:
    """It may use fields of the item and values of the workflow."""
    assert keys({"id": 7}, {"id": 8}, item_key="t${item.id}-${least}") == ("t7-3", "t8-3")


def test_a_template_that_yields_no_key_is_digested() -> None:
    """Too long or unprintable: by what it yields; empty: by the item, so that different ones differ."""
    long, lines = keys({"id": "x" * 200, "n": 1}, {"id": "a\nb"}, item_key="${item.id}")
    assert (long, lines.partition("~")[0]) == (keys("x" * 200)[0], "a-b")
    assert keys({"n": 1}, {"n": 2}, item_key="${item.id}") == keys({"n": 1}, {"n": 2})


@given(st.lists(st.sampled_from(["a", "a#2", "a#3", "a#2#2", 5, None]) | JSON, max_size=12))
def test_no_two_items_have_one_key(values: list[Any]) -> None:
    """However alike the items are."""
    found = keys(*values)
    assert len(set(found)) == len(values)


@given(st.lists(JSON, max_size=8, unique_by=lambda value: json.dumps(value, sort_keys=True)), st.randoms())
def test_a_key_does_not_depend_on_the_place(values: list[Any], random: Any) -> None:
    """Shuffled, every value has the key it had."""
    shuffled = random.sample(values, len(values))
    assert sorted(zip(keys(*values), map(json.dumps, values), strict=True)) == sorted(
        zip(keys(*shuffled), map(json.dumps, shuffled), strict=True)
    )


def test_texts_are_in_the_order_of_their_characters() -> None:
    """And not of what JSON makes of them, where a line's end begins with a backslash."""
    assert chosen(["b", " ", "\n", '"'], sort_by=(by(),)) == ["\n", " ", '"', "b"]
