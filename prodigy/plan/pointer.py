"""Change what JSON Pointers (RFC 6901) lead to within a value: `/matrix/0/version`."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

T = TypeVar("T")


class _Leaf:
    """What a pointer ends with, so that it is not taken for what more pointers go through."""

    __slots__ = ("told",)

    def __init__(self, told: Any) -> None:
        self.told = told


def below(pointer: str, key: object) -> str:
    """Return the pointer to what stands under a key, or at a place, of what `pointer` leads to."""
    return f"{pointer}/{_escaped(key)}"


def changed(value: Any, pointers: Mapping[str, T], change: Callable[[Any, T], Any]) -> Any:
    """Return the value in which `change(what stands there, what the pointer maps to)` stands at each pointer.

    The value itself stays as it is. A pointer that leads nowhere changes nothing. Cost: what the pointers go through.
    """
    tree: dict[str, Any] = {}
    for pointer, told in pointers.items():
        *above, last = pointer.split("/")
        here = tree
        for segment in above:
            inner = here.setdefault(segment, {})
            here = inner if isinstance(inner, dict) else {}
        here[last] = _Leaf(told)
    return _changed(value, tree.get("", {}), change)


def _changed(value: Any, tree: Any, change: Callable[[Any, Any], Any]) -> Any:
    if isinstance(tree, _Leaf):
        return change(value, tree.told)
    if isinstance(value, dict):
        fields = dict(value)
        for segment, inner in tree.items():
            if (key := segment.replace("~1", "/").replace("~0", "~")) in fields:
                fields[key] = _changed(fields[key], inner, change)
        return fields
    if isinstance(value, list | tuple):
        entries = list(value)
        for segment, inner in tree.items():
            if segment.isascii() and segment.isdigit() and int(segment) < len(entries):
                entries[int(segment)] = _changed(entries[int(segment)], inner, change)
        return type(value)(entries)
    return value


def _escaped(key: object) -> str:
    return str(key).replace("~", "~0").replace("/", "~1")
