"""The state as one plain value, to be written down and taken up again.

The plan, the seq, the generation and the version are not repeated here: they are kept beside a snapshot, by the
checkpoint document or by the event that restores a run.
"""

from collections import Counter
from collections.abc import Container
from typing import Any

import immutables
import msgspec

from prodigy.kernel.items import Item, ItemList, Items, item_list
from prodigy.kernel.ledger import Ledger
from prodigy.kernel.lifecycle import Epoch
from prodigy.kernel.state import NodeState, Origin, Parked, Pausing, RunStatus, State, ids_of
from prodigy.plan.nodes import Plan
from prodigy.plan.spelling import keep_spellings


class ItemsSnapshot(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The items of a map. `listed` may be kept elsewhere."""

    listed: ItemList | None
    note: str = ""
    cursor: int = 0
    active: tuple[str, ...] = ()
    held: tuple[str, ...] = ()
    settled: dict[str, Item] = {}
    excused: int = 0
    streak: int = 0
    is_open: bool = False
    is_trying: bool = False
    unmarked: int = 0
    since: str = ""
    settled_before: int = 0


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A state without its plan and its place in the log. `captures` may lack those that are kept elsewhere.

    `spellings` has the text of numbers that were written otherwise, by JSON Pointer. `rested_s` is None where the
    snapshot is older than the counting of rest, `ledger` where it is older than that.
    """

    origin: Origin
    number: int
    time: str
    status: RunStatus
    stopping: str
    max_retries: int | None
    nodes: dict[str, NodeState]
    in_flight: dict[str, Epoch]
    captures: dict[str, Any]
    outputs: dict[str, str]
    cost_usd: float
    costs_unknown: int
    failed_at: str
    failure: str
    ledger: Ledger | None = None
    reserved_usd: float = 0.0
    budget_usd: float | None = None
    raised_usd: float = 0.0
    is_warned: bool = False
    held: dict[str, int] = {}
    parked: Parked | None = None
    pausing: Pausing | None = None
    rested_s: float | None = None
    expired: tuple[str, ...] = ()
    maps: dict[str, ItemsSnapshot] = {}
    scoped: dict[str, dict[str, Any]] = {}
    max_parallel: int | None = None
    spellings: dict[str, str] = {}

    def __post_init__(self) -> None:
        keep_spellings(self, "captures", "scoped")


# Where the state and its snapshot call a thing by the same name, it is the same thing.
_IN_BOTH = frozenset(State.__struct_fields__) & frozenset(Snapshot.__struct_fields__) - {"time", "maps"}
# What of these may be missing in the state is written down as an empty text.
_EMPTY_IF_NONE = ("stopping", "failed_at")
_OF_ITEMS = frozenset(Items.__struct_fields__) & frozenset(ItemsSnapshot.__struct_fields__) - {"listed", "active"}


def snapshot_of(
    state: State,
    captures: dict[str, Any],
    *,
    scoped: dict[str, dict[str, Any]] | None = None,
    elsewhere: Container[str] = (),
) -> Snapshot:
    """Return the snapshot of a state, with these of its captures.

    Args:
        scoped: what it has of what its items at work captured; all of it without.
        elsewhere: the maps of which the list of items is left out.
    """
    same = {name: _plain(getattr(state, name)) for name in _IN_BOTH}
    maps = {at: _items_of(items, has_list=at not in elsewhere) for at, items in state.maps.items()}
    if scoped is not None:
        same["scoped"] = scoped
    same |= {name: same[name] or "" for name in _EMPTY_IF_NONE}
    same |= {"cost_usd": state.cost_usd, "costs_unknown": state.costs_unknown}
    return Snapshot(**same | {"origin": state.run, "time": state.time, "captures": captures, "maps": maps})


def restored(snapshot: Snapshot, plan: Plan) -> dict[str, Any]:
    """Return the fields of the state that a snapshot is of; its place in the log, and its time, are not among them."""
    same = {name: _persistent(getattr(snapshot, name)) for name in _IN_BOTH}
    maps = immutables.Map({at: _items(items) for at, items in snapshot.maps.items()})
    same |= {name: same[name] or None for name in _EMPTY_IF_NONE}
    same |= {"rested_s": snapshot.rested_s or 0.0, "expired": frozenset(snapshot.expired)}
    same["ledger"] = snapshot.ledger or Ledger(spent_usd=snapshot.cost_usd, unknown=snapshot.costs_unknown)
    return same | {"plan": plan, "addresses": ids_of(plan), "maps": maps}


def _plain(value: Any) -> Any:
    if isinstance(value, immutables.Map):
        return dict(value.items())
    return tuple(sorted(value)) if isinstance(value, frozenset) else value


def _persistent(value: Any) -> Any:
    return immutables.Map(value) if isinstance(value, dict) else value


def _items_of(items: Items, *, has_list: bool) -> ItemsSnapshot:
    same = {name: _plain(getattr(items, name)) for name in _OF_ITEMS}
    return ItemsSnapshot(listed=items.listed if has_list else None, active=tuple(sorted(items.active)), **same)


def _items(snapshot: ItemsSnapshot) -> Items:
    """Return the items that a snapshot is of; its list must have been put back."""
    assert snapshot.listed is not None, "the caller puts the list back"
    same = {name: _persistent(getattr(snapshot, name)) for name in _OF_ITEMS}
    return Items(
        listed=item_list(snapshot.listed.keys, snapshot.listed.values),
        active=immutables.Map(dict.fromkeys(snapshot.active, True)),
        **same | dict(Counter(item.disposition for item in snapshot.settled.values())),
    )
