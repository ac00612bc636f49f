"""One function counts things for people: nothing is `1 steps`, and no other place makes a plural by hand."""

import ast
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

import prodigy
from prodigy.plan.phrases import agreeing, counted, portion

HOME = Path(prodigy.__file__).parent
WORDS = HOME / "plan" / "words.py"
# What is counted where people read; a number before one of these is made by `counted` or `portion`.
NOUNS = """
    approval attempt byte cell character day difference digest failure file generation hour item letter level line link
    minute mistake notice problem process retry second stage step thing value variable version warning workflow
"""
VERBS = "change event name run time"  # these are counted only behind what is a number by its looks
_BY_HAND = re.compile(rf" (?:(?:more|other|open|earlier|live) )?(?:{'|'.join(NOUNS.split())})(?:es|s)\b")
_PERHAPS = re.compile(rf" (?:(?:more|other|open|earlier|live) )?(?:{'|'.join(VERBS.split())})s\b")
_NUMBER = re.compile(r"len\(|sum\(|count|number|total|_bytes")


@pytest.mark.parametrize(
    ("said", "is_by_hand"),
    [
        ('f"{count} items"', True),
        ('f"{len(rows)} more runs"', True),
        ("f\"variable{'' if count == 1 else 's'}\"", True),
        ('f"at most {ITEMS_MAX} items"', False),
        ("f\"{counted(count, 'item')} done\"", False),
        ('f"{name} times out"', False),
        ('f"{len(denials)} times"', True),
        ('f"{rate:.1f} items a second"', False),
        ('f"{name} was cleaned"', False),
    ],
)
def test_what_a_plural_by_hand_looks_like(said: str, is_by_hand: bool) -> None:
    """A number before the plural of something that is counted, or an `s` for all but one."""
    assert bool(list(plurals_by_hand(said))) is is_by_hand


def test_no_plural_is_made_by_hand() -> None:
    """Not in the whole program: one such place, and there is `1 steps` again."""
    found = [
        f"{path.relative_to(HOME)}: {said}"
        for path in sorted(HOME.rglob("*.py"))
        if path != WORDS
        for said in plurals_by_hand(path.read_text())
    ]
    assert found == []


def plurals_by_hand(source: str) -> Iterator[str]:
    """Yield the pieces of a source that make a plural themselves. Limits, named in capitals, are always many."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.IfExp) and {"", "s"} <= {ast.unparse(it).strip("'") for it in (node.body, node.orelse)}:
            yield ast.unparse(node)
        pieces = node.values if isinstance(node, ast.JoinedStr) else []
        for number, text in pairwise(pieces):
            if isinstance(number, ast.FormattedValue) and isinstance(text, ast.Constant) and _is_by_hand(number, text):
                yield ast.unparse(node)


def _is_by_hand(number: ast.FormattedValue, text: ast.Constant) -> bool:
    value, noun = ast.unparse(number.value), str(text.value)
    if number.format_spec or value.rpartition(".")[2].isupper():
        return False
    return bool(_BY_HAND.match(noun) or (_PERHAPS.match(noun) and _NUMBER.search(value)))


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (counted(0, "step"), "0 steps"),
        (counted(1, "step"), "1 step"),
        (counted(2, "process"), "2 processes"),
        (counted(2, "retry"), "2 retries"),
        (counted(2, "day"), "2 days"),
        (counted(1234, "dead letter"), "1234 dead letters"),
        (portion(0, 1, "step"), "0 of 1 step"),
        (portion(1, 9, "step"), "1 of 9 steps"),
        (f"2 items {agreeing(2, 'is', 'are')} left", "2 items are left"),
    ],
)
def test_counts_as_people_say_them(said: str, expected: str) -> None:
    """The noun and the verb follow the number; of a portion, that of the whole."""
    assert said == expected
