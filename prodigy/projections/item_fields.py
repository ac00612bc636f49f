"""Which fields the items of a map have, and whether a condition asks for one that none of them has.

Such a condition can never be true of any item: a word in it is misspelt. A condition that asks whether the field
exists, or gives it a default, is taken as written.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple

from prodigy.plan.expression import Apply, Expression, Load, Render
from prodigy.plan.reference import Reference, suggestion

SHOWN_MAX = 20
COMPARED_MAX = 10_000  # items whose fields are told
_ABOUT_THERE_BEING_ONE = ("is_null", "exists", "not is_null", "not exists")

Path = tuple[str | int, ...]


class Unknown(NamedTuple):
    """A field that no item has, as it was written, and the hint that names the nearest or those that there are."""

    field: str
    hint: str


def unknown_field(condition: Expression, values: Iterable[Any]) -> Unknown | None:
    """Return the first field that a condition needs and no value has, or None."""
    values = tuple(values)
    for path in _needed(condition) if values else ():
        for depth in range(1, len(path) + 1):
            if not any(_at(value, path[:depth]) for value in values):
                return Unknown(_written(path[:depth]), _hint(values, path[:depth]))
    return None


def _needed(condition: Expression) -> Iterator[Path]:
    """Yield the path into the item of each reference that yields nothing without its field."""
    program = condition.program
    for instruction, after in zip(program, (*program[1:], None), strict=True):
        if isinstance(instruction, Load):
            if not (isinstance(after, Apply) and after.operator in _ABOUT_THERE_BEING_ONE):
                yield from _paths(instruction.reference)
        elif isinstance(instruction, Render):
            for piece in instruction.template:
                if isinstance(piece, Reference):
                    yield from _paths(piece)


def _paths(reference: Reference) -> Iterator[Path]:
    if reference.default is None and len(reference.path) > 1:
        yield reference.path[1:]


def _at(value: Any, path: Path) -> list[Any]:
    """Return what a value has at a path: one, or nothing."""
    for segment in path:
        if isinstance(value, Mapping) and (segment in value or str(segment) in value):
            value = value[segment if segment in value else str(segment)]
        elif isinstance(value, list | tuple) and (place := _place(segment, len(value))) is not None:
            value = value[place]
        else:
            return []
    return [value]


def _place(segment: str | int, count: int) -> int | None:
    if isinstance(segment, str) and not (segment.isascii() and segment.isdigit()):
        return None
    return int(segment) if -count <= int(segment) < count else None


def _hint(values: tuple[Any, ...], path: Path) -> str:
    *around, last = path
    fields = _fields(values, tuple(around))
    if not fields:
        what = f"`{_written(tuple(around))}` has no fields" if around else "The items have no fields"
        return f"{what}; a whole item is `item`."
    listed = ", ".join(fields[:SHOWN_MAX]) + (" …" if len(fields) > SHOWN_MAX else "")
    form = f"{_written(tuple(around))}.{{}}" if around else "{}"
    return suggestion(str(last), tuple(fields), form=form) or f"There are {listed}."


def _fields(values: tuple[Any, ...], path: Path) -> list[str]:
    there = (found for value in islice(values, COMPARED_MAX) for found in _at(value, path))
    return list(dict.fromkeys(str(key) for found in there if isinstance(found, Mapping) for key in found))


def _written(path: Path) -> str:
    """Return a path as it is written in a condition: `a.b[0]`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")
