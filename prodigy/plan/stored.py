"""Large values that stay where they are kept until somebody uses them.

Fifty captures of ten megabytes must not take half a gigabyte of memory: the store hands out a `Stored` in place of a
large value, with the way to get it. Code that uses a value asks `whole` for it, and drops it when it is done.
"""

from collections.abc import Callable
from typing import Any

WHOLE_BYTES_MAX = 1024 * 1024  # of a value's JSON: one that has more is left where it is kept


class Stored:
    """A value that is kept elsewhere; never changed, as any value.

    `digest` is the sha256 of its JSON, its numbers as their author wrote them. `load` gets the value, each time anew.
    """

    __slots__ = ("digest", "load")

    def __init__(self, digest: str, load: Callable[[], Any]) -> None:
        self.digest = digest
        self.load = load

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Stored):
            return self.digest == other.digest
        return bool(self.load() == other)

    __hash__ = None  # type: ignore[assignment]  # as little as the list that it may be

    def __repr__(self) -> str:
        return f"Stored({self.digest!r})"


def whole(value: Any) -> Any:
    """Return the value itself, fetched where it is kept elsewhere. Raises what fetching it does."""
    return value.load() if isinstance(value, Stored) else value
