"""Counts and moments as people say them."""

from collections.abc import Sequence
from typing import NamedTuple


class Spoken(NamedTuple):
    """A moment: its day, a date or `today` or `yesterday`, the time of that day, and whose clock where it is said."""

    day: str
    clock: str
    zone: str = ""

    def whole(self) -> str:
        """Return all of it: `10:00:05 yesterday`, `2026-01-29 10:00:05 UTC`."""
        is_near = self.day in ("today", "yesterday")
        return f"{self.clock} {self.day}" if is_near else f"{self.day} {self.clock}{self.zone}".strip()


def counted(count: int, noun: str) -> str:
    """Return a count with its noun: `1 dead letter`, `2 dead letters`, `2 processes`, `2 retries`."""
    return f"{count} {noun if count == 1 else _plural(noun)}"


def portion(part: int, whole: int, noun: str) -> str:
    """Return how many of how many: `3 of 9 steps`, `1 of 1 step`."""
    return f"{part} of {counted(whole, noun)}"


def agreeing(count: int, one: str, more: str) -> str:
    """Return the word that agrees with a count: `is` or `are`, `it` or `them`."""
    return one if count == 1 else more


def together(words: Sequence[str]) -> str:
    """Return words as one says them in a sentence: `a, b and c`."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _plural(noun: str) -> str:
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return f"{noun[:-1]}ies"
    return f"{noun}es" if noun.endswith("s") else f"{noun}s"


def ago(seconds: float) -> str:
    """Return how long ago something was, in one unit: `just now`, `5 minutes ago`, `3 hours ago`, `2 days ago`."""
    for unit_s, noun in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= unit_s:
            return f"{counted(int(seconds // unit_s), noun)} ago"
    return "just now"


def clipped(text: str, chars_max: int | None) -> str:
    """Return a text, or so many of its characters and a mark where it has more; all of it with None."""
    return text if chars_max is None or len(text) <= chars_max else text[:chars_max] + "…"
