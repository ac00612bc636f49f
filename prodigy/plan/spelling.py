"""Values that keep the spelling of their author: `3.10` is the number 3.1, and the text `3.10`.

Only a number that would be written otherwise carries its text: `0xFF`, `1e3`, `1.0`, `+5`. It is a number in every
other way, in comparisons, as a key and in JSON. Where values are written down the spellings stand beside them, by JSON
Pointer (RFC 6901): `{"variables": {"python": 3.1}, "spellings": {"/variables/python": "3.10"}}`.

A file's name that is no UTF-8 is kept the same way: it is the text `b\\xe9.txt` for people, as a key and in JSON, and a
command is given its bytes. Its spelling is those bytes, each as the character of that number (Latin-1).
"""

import json
import re
from collections.abc import Callable
from typing import Any

import msgspec

from prodigy.plan.pointer import below, changed
from prodigy.plan.stored import Stored

WHOLE_FLOAT_MAX = 1e16

_UNSPELLED = frozenset({str, int, float, bool, type(None)})
_JSON_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")

Number = int | float


class SpelledInteger(int):
    """An integer and how its author wrote it."""

    text: str


class SpelledFloat(float):
    """A number and how its author wrote it."""

    text: str


class SpelledName(str):
    """A file's name that is no UTF-8, shown with `\\xe9` for such a byte. `text` has its bytes, as Latin-1."""

    __slots__ = ("text",)
    text: str


def name_of(data: bytes) -> str:
    """Return the bytes of a file's name as a text; one that is no UTF-8 keeps them."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        kept = SpelledName(data.decode(errors="backslashreplace"))
        kept.text = data.decode("latin-1")
        return kept


def exact(text: str) -> str:
    """Return a text as a command is given it: of a name that is no UTF-8 the bytes, as `os.fsdecode` has them."""
    return text.text.encode("latin-1").decode(errors="surrogateescape") if isinstance(text, SpelledName) else text


def shown(text: str) -> str:
    """Return what `exact` made of a text as one that can be shown and written down."""
    return text if text.isascii() else text.encode(errors="surrogateescape").decode(errors="backslashreplace")


def spelled(number: Number, text: str) -> Number:
    """Return the number as its author wrote it; one that everybody writes so is returned as it is."""
    if written(number) == text and "e" not in text:  # 1e+16 is 1e16 to others
        return number
    kept = SpelledInteger(number) if isinstance(number, int) else SpelledFloat(number)
    kept.text = text
    return kept


def written(number: Number) -> str:
    """Return the text of a number: its author's, else the shortest, without `.0`."""
    if isinstance(number, SpelledInteger | SpelledFloat):
        return number.text
    if isinstance(number, float):
        whole = number.is_integer() and abs(number) < WHOLE_FLOAT_MAX
        return str(int(number)) if whole else repr(number)
    return str(number)


def unspelled(value: Any) -> Any:
    """Return the plain number of one that carries its spelling; any other value as it is."""
    if isinstance(value, SpelledInteger):
        return int(value)
    return float(value) if isinstance(value, SpelledFloat) else value


def as_number(value: Any) -> Any:
    """Tell msgspec's encoders how such a value is written into JSON: as its number or text. For `enc_hook`.

    A value that is kept elsewhere is written as what it is.
    """
    if isinstance(value, Stored):
        return value.load()
    if isinstance(value, SpelledInteger | SpelledFloat):
        return unspelled(value)
    if isinstance(value, SpelledName):
        return str(value)
    raise NotImplementedError(f"{type(value).__name__} is no value of a workflow")


def as_spelled(value: Any) -> Any:
    """Do as `as_number`, with the author's text where JSON has it too. For `enc_hook`; `from_json` reads it back."""
    if isinstance(value, SpelledInteger | SpelledFloat) and _JSON_NUMBER.fullmatch(value.text):
        return msgspec.Raw(value.text.encode())
    return as_number(value)


def from_json(text: str | bytes, *, constant: Callable[[str], Any] | None = None) -> Any:
    """Return the value of a JSON text, its numbers with their spelling. Raises as `json.loads` does."""
    return json.loads(text, parse_int=_integer, parse_float=_float, parse_constant=constant)


def _integer(text: str) -> Number:
    return spelled(int(text), text)


def _float(text: str) -> Number:
    return spelled(float(text), text)


# Beside values that are written down --------------------------------------------------------------------------


def keep_spellings(struct: Any, *names: str) -> None:
    """Make the field `spellings` of a struct and these of its fields agree; for its `__post_init__`.

    What was read from JSON gets its spellings back; of what was made here they are noted.
    """
    fields = {name: getattr(struct, name) for name in names}
    if struct.spellings:
        fields = respelled(fields, struct.spellings)
        for name, value in fields.items():
            msgspec.structs.force_setattr(struct, name, value)
    found = spellings_of(fields)
    if found != struct.spellings:
        msgspec.structs.force_setattr(struct, "spellings", found)


def spellings_of(value: Any) -> dict[str, str]:
    """Return the spelling of each number or name within a value that carries one, by its JSON Pointer."""
    found: dict[str, str] = {}
    stack: list[tuple[str, Any]] = [("", value)]
    while stack:
        at, inside = stack.pop()
        if isinstance(inside, SpelledInteger | SpelledFloat | SpelledName):
            found[at] = inside.text
        elif isinstance(inside, dict):
            stack += [(below(at, key), v) for key, v in inside.items() if type(v) not in _UNSPELLED]
        elif isinstance(inside, list | tuple):
            stack += [(below(at, place), v) for place, v in enumerate(inside) if type(v) not in _UNSPELLED]
    return found


def respelled(value: Any, spellings: dict[str, str]) -> Any:
    """Return the value with its numbers and names spelled so; a pointer that leads to no such value changes nothing."""
    return changed(value, spellings, _respelled)


def _respelled(value: Any, text: str) -> Any:
    if type(value) is str:
        return _renamed(value, text)
    return spelled(value, text) if type(value) in (int, float) and _reads_as(text, value) else value


def _renamed(value: str, text: str) -> str:
    """Return a name with its bytes, where they are those of this one."""
    try:
        name = name_of(text.encode("latin-1"))
    except UnicodeEncodeError:
        return value
    return name if name == value else value


def _reads_as(text: str, number: Number) -> bool:
    """Whether a text is a spelling of the number; it is not where the value was changed since."""
    try:
        return (int(text, 0) if isinstance(number, int) else float(text)) == number
    except (ValueError, OverflowError):
        return False
