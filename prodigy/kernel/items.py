"""The items of a map: which there are, which are at work, and what became of the others.

Items are known by their key, never by position; the list is recorded once. Settled items shrink to an `Item`, so that
a hundred thousand of them fit. An item is in exactly one place: pending, active, succeeded, skipped, dead or failed.
"""

from collections.abc import Iterator
from typing import Any, Literal

import immutables
import msgspec

from prodigy.plan.nodes import ErrorPolicy
from prodigy.plan.spelling import keep_spellings

Disposition = Literal["succeeded", "skipped", "dead", "failed"]


class ItemList(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The items as they were listed, in order: their keys, which differ, and their values.

    `places` maps each key to its 0-based place; it is derived, and left out where the list is written down.
    `spellings` has the text of numbers that were written otherwise, by JSON Pointer.
    """

    keys: tuple[str, ...]
    values: tuple[Any, ...]
    places: dict[str, int] = {}
    spellings: dict[str, str] = {}

    def __post_init__(self) -> None:
        keep_spellings(self, "values")


def item_list(keys: tuple[str, ...], values: tuple[Any, ...]) -> ItemList:
    """Return the list of these items."""
    return ItemList(keys=keys, values=values, places={key: place for place, key in enumerate(keys)})


class Item(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What became of an item. `outputs` is each step's output by id or place.

    If it failed, `step` says where; `exit_code` and `output_file` (relative to the run's folder) are that step's.
    """

    disposition: Disposition
    attempts: int = 1
    duration_s: float = 0.0
    output: str = ""
    outputs: dict[str, str] | None = None
    error: str = ""
    step: str = ""
    exit_code: int | None = None
    output_file: str = ""


class Items(msgspec.Struct, frozen=True, kw_only=True):
    """The items of one map now.

    Pending are those that are neither `active` nor `settled`; none stands before `cursor`. Active are those at work, a
    retry's wait included; those `held` were at work before a resume and wait for room. Counts are kept, never counted.
    `excused` failed items do not count against the error policy: they were there when the map was taken up again.
    `streak` is how many items failed in a row; the breaker `is_open` while nothing may begin, and `is_trying` while one
    item tries the way. `unmarked` items settled since the last version. The map began, or was resumed, at `since`, when
    `settled_before` items had settled. Where there are no items, `note` says why.
    """

    listed: ItemList
    note: str = ""
    cursor: int = 0
    active: immutables.Map[str, bool] = immutables.Map()
    held: tuple[str, ...] = ()
    settled: immutables.Map[str, Item] = immutables.Map()
    succeeded: int = 0
    skipped: int = 0
    dead: int = 0
    failed: int = 0
    excused: int = 0
    streak: int = 0
    is_open: bool = False
    is_trying: bool = False
    unmarked: int = 0
    since: str = ""
    settled_before: int = 0

    @property
    def total(self) -> int:
        """How many items were listed."""
        return len(self.listed.keys)

    @property
    def working(self) -> int:
        """How many items take a place."""
        return len(self.active) - len(self.held)

    @property
    def pending(self) -> int:
        """How many items have not begun, or will begin again."""
        return self.total - len(self.settled) - len(self.active)

    def next_key(self) -> str | None:
        """Return the item to begin next, or None when all have begun."""
        keys = self.listed.keys
        for place in range(self.cursor, len(keys)):
            if keys[place] not in self.settled and keys[place] not in self.active:
                return keys[place]
        return None


def begun(items: Items, key: str) -> Items:
    """Return the items after `key` began."""
    cursor = items.listed.places[key] + 1 if items.next_key() == key else items.cursor
    return msgspec.structs.replace(items, cursor=cursor, active=items.active.set(key, True))


def settled(items: Items, key: str, item: Item) -> Items:
    """Return the items after `key` settled as `item`."""
    counts = {item.disposition: getattr(items, item.disposition) + 1}
    return msgspec.structs.replace(
        items,
        active=items.active.delete(key) if key in items.active else items.active,
        settled=items.settled.set(key, item),
        streak=items.streak + 1 if item.error else 0,
        is_trying=False,
        unmarked=items.unmarked + 1,
        **counts,
    )


def requeued(items: Items, keys: tuple[str, ...]) -> Items:
    """Return the items after these, settled or at work, were put back."""
    settled_, active = items.settled, items.active
    counts: dict[str, int] = {}
    for key in keys:
        if key in active:
            active = active.delete(key)
            continue
        disposition = settled_[key].disposition
        counts[disposition] = counts.get(disposition, getattr(items, disposition)) - 1
        settled_ = settled_.delete(key)
    gone = items.dead - counts.get("dead", items.dead)
    return msgspec.structs.replace(
        items,
        active=active,
        held=tuple(key for key in items.held if key in active),
        settled=settled_,
        cursor=min(items.cursor, *(items.listed.places[key] for key in keys)) if keys else items.cursor,
        excused=max(0, items.excused - gone),
        streak=0,
        is_open=False,
        is_trying=False,
        **counts,
    )


def purged(items: Items, keys: tuple[str, ...], by: str) -> Items:
    """Return the items after these dead letters were given up: they count as skipped."""
    given_up = {
        key: msgspec.structs.replace(items.settled[key], disposition="skipped", error=f"purged by {by}") for key in keys
    }
    count = len(given_up)
    return msgspec.structs.replace(
        items,
        settled=items.settled.update(given_up),
        dead=items.dead - count,
        skipped=items.skipped + count,
        excused=max(0, items.excused - count),
    )


def failures(items: Items, errors: ErrorPolicy) -> int:
    """Return how many items failed, whatever that means; what the policy lets go has failed too."""
    return items.dead + items.failed + (items.skipped if errors.on_item_failure == "skip" else 0)


def of(items: Items, *dispositions: Disposition) -> Iterator[tuple[str, Any, Item]]:
    """Yield (key, value, item) of every settled item of these kinds, in the list's order."""
    for key, value in zip(items.listed.keys, items.listed.values, strict=True):
        item = items.settled.get(key)
        if item is not None and item.disposition in dispositions:
            yield key, value, item
