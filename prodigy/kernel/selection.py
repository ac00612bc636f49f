"""Which of the values that were read are a map's items, in which order, and what each is known by.

In this order: `filter`, `sort_by`, `distinct`, `offset`, `max_items`. An item is known by its content, never by its
place, because results and dead letters hang on its key.
"""

import re
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

import msgspec

from prodigy.plan import expression
from prodigy.plan.nodes import SortKey, Source
from prodigy.plan.reference import Lookup, Reference, Template, render, resolve
from prodigy.plan.spelling import SpelledFloat, SpelledInteger, as_number, shown

KEY_CHARS_MAX = 120
KEY_BEGINNING_CHARS_MAX = 24
KEY_DIGEST_BYTES = 6

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")
_ENCODER = msgspec.json.Encoder(order="sorted", enc_hook=as_number)

Rank = tuple[int, Any]


def select(
    values: Sequence[Any], source: Source, *, offset: int, max_items: int | None, values_known: Mapping[str, Any]
) -> list[Any]:
    """Return the values that a source takes, in its order.

    Args:
        offset: how many are left out first; `max_items` are taken after them, all where it is None.
        values_known: what the names in the filter mean, but for the item.
    """
    taken = list(values)
    if (condition := source.filter) is not None:
        taken = [value for value in taken if expression.evaluate(condition, _lookup(value, values_known))]
    for key in reversed(source.sort_by):
        taken = _sorted(taken, key)
    if (path := source.distinct) is not None:
        taken = _distinct(taken, path)
    return taken[offset : None if max_items is None else offset + max_items]


def keys_of(values: Sequence[Any], item_key: Template, values_known: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the key of each value; no two are alike.

    That is what `item_key` yields, else the value itself where it is a short printable text, else the beginning of
    its JSON and a digest of it. Values that would be known by the same have `#2`, `#3` … appended, in their order.
    """
    natural = [_natural_key(value, item_key, values_known) for value in values]
    taken = set(natural)
    count: dict[str, int] = {}
    return tuple(_numbered(key, count, taken) for key in natural)


def canonical(value: Any) -> bytes:
    """Return the JSON of a value, the same for equal values: names sorted, no blanks, UTF-8."""
    return _ENCODER.encode(value)


def _lookup(value: Any, values_known: Mapping[str, Any]) -> Lookup:
    def lookup(name: str) -> tuple[bool, Any]:
        return (True, value) if name == "item" else (name in values_known, values_known.get(name))

    return lookup


def _at(value: Any, path: tuple[str | int, ...]) -> Any:
    """Return what a path into an item leads to, or None."""
    return resolve(Reference(path=("item", *path)), lambda name: (True, value))


def _sorted(values: list[Any], key: SortKey) -> list[Any]:
    """Return the values in the order of one key; equal ones stay in theirs."""
    found = [(_at(value, key.path), value) for value in values]
    present = [(_rank(at), value) for at, value in found if at is not None]
    present.sort(key=lambda pair: pair[0], reverse=key.is_descending)
    nulls = [value for at, value in found if at is None]
    others = [value for _, value in present]
    return nulls + others if key.has_nulls_first else others + nulls


def _rank(value: Any) -> Rank:
    """Numbers, then texts by code point, then all else by its JSON."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return 0, value
    return (1, value) if isinstance(value, str) else (2, canonical(value))


def _distinct(values: list[Any], path: tuple[str | int, ...]) -> list[Any]:
    first: dict[bytes, Any] = {}
    for value in values:
        first.setdefault(canonical(_at(value, path)), value)
    return list(first.values())


def _natural_key(value: Any, item_key: Template, values_known: Mapping[str, Any]) -> str:
    """Return the key of a value before duplicates are numbered; an empty `item_key` stands for its content."""
    written = shown(render(item_key, _lookup(value, values_known))) if item_key else value
    if isinstance(written, str) and 0 < len(written) <= KEY_CHARS_MAX and written.isprintable():
        return str(written)
    return _digest_key(value if written == "" else written)


def _digest_key(value: Any) -> str:
    content = canonical(value)
    beginning = _UNSAFE.sub("-", _text(value, content)[:KEY_BEGINNING_CHARS_MAX])
    return f"{beginning}~{blake2b(content, digest_size=KEY_DIGEST_BYTES).hexdigest()}"


def _text(value: Any, content: bytes) -> str:
    """Return what a key begins with: the text, the number as its author wrote it, else the beginning of the JSON."""
    if isinstance(value, SpelledInteger | SpelledFloat):
        return value.text
    return value if isinstance(value, str) else content[: 4 * KEY_BEGINNING_CHARS_MAX].decode("utf-8", "ignore")


def _numbered(key: str, count: dict[str, int], taken: set[str]) -> str:
    """Return the key, with the next number that is free where it was given before."""
    number = count.get(key, 0) + 1
    numbered = key
    while number > 1 and (numbered := f"{key}#{number}") in taken:
        number += 1
    count[key] = number
    taken.add(numbered)
    return numbered
