"""Counts and ages as people say them."""

import pytest

from prodigy.plan.phrases import ago, clipped, counted, together


@pytest.mark.parametrize(
    ("count", "noun", "expected"),
    [
        (0, "item", "0 items"),
        (1, "item", "1 item"),
        (2, "dead letter", "2 dead letters"),
        (2, "process", "2 processes"),
    ],
)
def test_a_count_has_its_noun(count: int, noun: str, expected: str) -> None:
    """In the singular where it is one."""
    assert expected == counted(count, noun)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (-5, "just now"),
        (59, "just now"),
        (60, "1 minute ago"),
        (3599, "59 minutes ago"),
        (7200, "2 hours ago"),
        (86399, "23 hours ago"),
        (86400, "1 day ago"),
        (9e6, "104 days ago"),
    ],
)
def test_an_age_is_one_whole_unit(seconds: float, expected: str) -> None:
    """Which is never more than it was."""
    assert expected == ago(seconds)


@pytest.mark.parametrize(
    ("text", "chars_max", "expected"),
    [("abc", 3, "abc"), ("abcd", 3, "abc…"), ("abcd", None, "abcd"), ("", 0, "")],
)
def test_a_long_text_is_cut_and_marked(text: str, chars_max: int | None, expected: str) -> None:
    """One that just fits stays whole."""
    assert clipped(text, chars_max) == expected


@pytest.mark.parametrize(
    ("words", "expected"), [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")]
)
def test_words_stand_together_as_one_says_them(words: list[str], expected: str) -> None:
    """The last one behind `and`."""
    assert together(words) == expected
