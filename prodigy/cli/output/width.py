"""How many columns of a terminal a text takes, and what of it fits."""

import unicodedata
from collections.abc import Iterator

ELLIPSIS = "…"
_JOINER = "\u200d"  # what follows is drawn into what stands before it
_EMOJI = "\ufe0f"  # what stands before it is drawn as a picture, two columns wide
_NOTHING = frozenset({"Mn", "Me", "Cf"})
_SKIN = range(0x1F3FB, 0x1F400)
_JAMO = range(0x1160, 0x1200)  # vowels and finals of Hangul, drawn into the initial before them


def cells(text: str) -> int:
    """Return how many columns of a terminal a text takes: two for a wide character, none for one that combines."""
    return len(text) if text.isascii() else sum(_widths(text))


def cut(text: str, columns: int) -> str:
    """Return a text, or as much of its beginning as fits so many columns, with an ellipsis."""
    if cells(text) <= columns:
        return text
    taken = 0
    for place, width in enumerate(_widths(text)):
        taken += width
        if taken > columns - 1:
            return text[:place] + ELLIPSIS
    return text


def cut_start(text: str, columns: int) -> str:
    """Return a text, or as much of its end as fits so many columns, with an ellipsis."""
    if cells(text) <= columns:
        return text
    place = max(0, len(text) - columns)
    while cells(text[place:]) > columns - 1:
        place += 1
    return ELLIPSIS + text[place:]


def padded(text: str, columns: int) -> str:
    """Return a text with blanks behind it, up to so many columns."""
    return text + " " * (columns - cells(text))


def wrapped(text: str, columns: int, *, breaks_words: bool = True) -> list[str]:
    """Return a text as lines of at most so many columns, broken at blanks where there are any; never none.

    Unless it `breaks_words`, one that is wider has a line of its own.
    """
    lines, line = list[str](), ""
    for word in text.split(" "):
        joined = f"{line} {word}" if line else word
        if cells(joined) <= columns:
            line = joined
            continue
        lines += [line] if line else []
        *full, line = _pieces(word, columns) if breaks_words else (word,)
        lines += full
    return [*lines, line] if line or not lines else lines


def _pieces(word: str, columns: int) -> Iterator[str]:
    """Yield a word in pieces that fit."""
    start = taken = 0
    for place, width in enumerate(_widths(word)):
        if taken + width > columns and place > start:
            yield word[start:place]
            start, taken = place, 0
        taken += width
    yield word[start:]


def _widths(text: str) -> Iterator[int]:
    """Yield the columns that each character adds to those before it."""
    before, width = "", 0
    for character in text:
        added = _added(before, width, character)
        yield added
        before, width = character, width if added == 0 and before != "" else added


def _added(before: str, width: int, character: str) -> int:
    if character.isascii():
        return 1
    if character == _EMOJI:
        return 1 if width == 1 and unicodedata.category(before) == "So" else 0
    code = ord(character)
    if before == _JOINER or (code in _SKIN and width == 2) or code in _JAMO:
        return 0
    if unicodedata.category(character) in _NOTHING:
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
