"""The state as one plain value, to be written down and taken up again.

What the plan or the log's position already say is not repeated: the plan, the seq, the generation and the version are
kept beside a snapshot, by the checkpoint document or by the event that restores a run.
"""

from collections import Counter
from collections.abc import Container
from typing import Any

import immutables
import msgspec

from prodigy.kernel.items import Item, ItemList, Items, item_list
from prodigy.kernel.state import NodeState, Origin, RunStatus, State
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

    `spellings` has the text of numbers that were written otherwise, by JSON Pointer.
    """

    origin: Origin
    number: int
    time: str
    status: RunStatus
    stopping: str
    max_retries: int | None
    nodes: dict[str, NodeState]
    in_flight: dict[str, int]
    captures: dict[str, Any]
    outputs: dict[str, str]
    cost_usd: float
    costs_unknown: int
    failed_at: str
    failure: str
    rested_s: float = 0.0
    expired: tuple[str, ...] = ()
    maps: dict[str, ItemsSnapshot] = {}
    scoped: dict[str, dict[str, Any]] = {}
    max_parallel: int | None = None
    spellings: dict[str, str] = {}

    def __post_init__(self) -> None:
        keep_spellings(self, "captures", "scoped")


def snapshot_of(state: State, captures: dict[str, Any], *, elsewhere: Container[str] = ()) -> Snapshot:
    """Return the snapshot of a state, with these of its captures; of maps `elsewhere` the list of items is left out."""
    return Snapshot(
        origin=state.run,
        number=state.number,
        time=state.time,
        status=state.status,
        stopping=state.stopping,
        max_retries=state.max_retries,
        nodes=dict(state.nodes.items()),
        in_flight=dict(state.in_flight.items()),
        captures=captures,
        outputs=dict(state.outputs.items()),
        cost_usd=state.cost_usd,
        costs_unknown=state.costs_unknown,
        failed_at=state.failed_at,
        failure=state.failure,
        rested_s=state.rested_s,
        expired=tuple(sorted(state.expired)),
        maps={at: _items_of(items, has_list=at not in elsewhere) for at, items in state.maps.items()},
        scoped=dict(state.scoped.items()),
        max_parallel=state.max_parallel,
    )


def restored(snapshot: Snapshot, plan: Plan, *, seq: int, generation: int, version: int) -> State:
    """Return the state that a snapshot is of, at its place in the log."""
    return State(
        seq=seq,
        time=snapshot.time,
        generation=generation,
        version=version,
        status=snapshot.status,
        stopping=snapshot.stopping,
        origin=snapshot.origin,
        plan=plan,
        number=snapshot.number,
        max_retries=snapshot.max_retries,
        addresses={node.id: node.address for node in plan.nodes.values() if node.id},
        nodes=immutables.Map(snapshot.nodes),
        in_flight=immutables.Map(snapshot.in_flight),
        captures=immutables.Map(snapshot.captures),
        outputs=immutables.Map(snapshot.outputs),
        cost_usd=snapshot.cost_usd,
        costs_unknown=snapshot.costs_unknown,
        failed_at=snapshot.failed_at,
        failure=snapshot.failure,
        rested_s=snapshot.rested_s,
        expired=frozenset(snapshot.expired),
        maps=immutables.Map({at: _items(items) for at, items in snapshot.maps.items()}),
        scoped=immutables.Map(snapshot.scoped),
        max_parallel=snapshot.max_parallel,
    )


def _items_of(items: Items, *, has_list: bool) -> ItemsSnapshot:
    return ItemsSnapshot(
        listed=items.listed if has_list else None,
        note=items.note,
        cursor=items.cursor,
        active=tuple(sorted(items.active)),
        held=items.held,
        settled=dict(items.settled.items()),
        excused=items.excused,
        streak=items.streak,
        is_open=items.is_open,
        is_trying=items.is_trying,
        unmarked=items.unmarked,
        since=items.since,
        settled_before=items.settled_before,
    )


def _items(snapshot: ItemsSnapshot) -> Items:
    """Return the items that a snapshot is of; its list must have been put back."""
    assert snapshot.listed is not None, "the caller puts the list back"
    counts = Counter(item.disposition for item in snapshot.settled.values())
    return Items(
        listed=item_list(snapshot.listed.keys, snapshot.listed.values),
        note=snapshot.note,
        cursor=snapshot.cursor,
        active=immutables.Map(dict.fromkeys(snapshot.active, True)),
        held=snapshot.held,
        settled=immutables.Map(snapshot.settled),
        succeeded=counts["succeeded"],
        skipped=counts["skipped"],
        dead=counts["dead"],
        failed=counts["failed"],
        excused=snapshot.excused,
        streak=snapshot.streak,
        is_open=snapshot.is_open,
        is_trying=snapshot.is_trying,
        unmarked=snapshot.unmarked,
        since=snapshot.since,
        settled_before=snapshot.settled_before,
    )
