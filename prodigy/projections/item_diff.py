"""The items of a map in two runs: which only one of them has, and which did not end alike. Items are known by key."""

from collections.abc import Iterator
from typing import Any

import msgspec

from prodigy.kernel.items import Items
from prodigy.projections.failure import item_cause


class ItemSide(msgspec.Struct, frozen=True, kw_only=True):
    """An item in one of the runs: its value, and what became of it.

    `status` is `succeeded`, `skipped`, `dead`, `failed`, `in flight` or `pending`; `step` is where it failed, `error`
    why, in one line; `output` its last step's, and `outputs` each step's by id or place.
    """

    value: Any
    status: str
    attempts: int
    step: str | None
    exit_code: int | None
    error: str | None
    output: str
    outputs: dict[str, str] | None


class ItemPair(msgspec.Struct, frozen=True, kw_only=True):
    """One item that differs; null where it is only in the other run. `differs` names what."""

    key: str
    a: ItemSide | None
    b: ItemSide | None
    differs: tuple[str, ...]


class MapPair(msgspec.Struct, frozen=True, kw_only=True):
    """The items of one map in both runs. `listed` is how many each has, null where it has not listed them.

    `differing` are those of the first run in its order, and then those that only the second has; no one's where one of
    them has no list yet.
    """

    a: str
    b: str
    listed: tuple[int | None, int | None]
    equal: int
    differing: tuple[ItemPair, ...]

    @property
    def count(self) -> int:
        """How many things differ: the items, or that only one of them was listed."""
        return len(self.differing) + ((self.listed[0] is None) != (self.listed[1] is None))


def map_pair(at_a: str, at_b: str, ones: Items | None, others: Items | None) -> MapPair:
    """Return what differs between the items of a map in two runs; None where a run has not listed them."""
    listed = (ones.total if ones else None, others.total if others else None)
    if ones is None or others is None:
        return MapPair(a=at_a, b=at_b, listed=listed, equal=0, differing=())
    differing = tuple(_differing(ones, others))
    in_both = sum(key in others.listed.places for key in ones.listed.keys)
    equal = in_both - sum(pair.a is not None and pair.b is not None for pair in differing)
    return MapPair(a=at_a, b=at_b, listed=listed, equal=equal, differing=differing)


def _differing(ones: Items, others: Items) -> Iterator[ItemPair]:
    for key in ones.listed.keys:
        a = _side(ones, key)
        b = _side(others, key) if key in others.listed.places else None
        if differs := tuple(_named(a, b)):
            yield ItemPair(key=key, a=a, b=b, differs=differs)
    for key in others.listed.keys:
        if key not in ones.listed.places:
            yield ItemPair(key=key, a=None, b=_side(others, key), differs=("presence",))


def _side(items: Items, key: str) -> ItemSide:
    value = items.listed.values[items.listed.places[key]]
    item = items.settled.get(key)
    if item is None:
        status = "in flight" if key in items.active else "pending"
        return ItemSide(
            value=value, status=status, attempts=0, step=None, exit_code=None, error=None, output="", outputs=None
        )
    return ItemSide(
        value=value,
        status=item.disposition,
        attempts=item.attempts,
        step=item.step or None,
        exit_code=item.exit_code,
        error=item_cause(item) if item.error else None,
        output=item.output,
        outputs=item.outputs,
    )


def _named(a: ItemSide, b: ItemSide | None) -> Iterator[str]:
    """Yield what differs between an item's sides."""
    if b is None:
        yield "presence"
        return
    if a.value != b.value:
        yield "value"
    outcomes = [(side.status, side.attempts, side.step, side.exit_code, side.error) for side in (a, b)]
    if outcomes[0] != outcomes[1]:
        yield "outcome"
    if (a.output, a.outputs) != (b.output, b.outputs):
        yield "output"
