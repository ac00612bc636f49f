"""The items of a map in two runs: known by key, compared by what they are and what became of them."""

from typing import Any

import msgspec
import pytest

from prodigy.kernel.items import Item, Items, begun, item_list, settled
from prodigy.kernel.state import State
from prodigy.projections.diff import difference
from prodigy.projections.item_diff import ItemSide, MapPair, map_pair
from tests.projections.test_diff import state
from tests.simulation.plans import mapped

DONE = Item(disposition="succeeded", output="ok", outputs={"0": "ok"})
DEAD = Item(disposition="dead", attempts=2, step="check", exit_code=3, error="boom")


def items(fates: dict[str, Item | None], **values: Any) -> Items:
    """Return a map's items, settled as told; None has not begun. A value is its key where none is given."""
    found = Items(listed=item_list(tuple(fates), tuple(values.get(key, key) for key in fates)))
    for key, fate in fates.items():
        found = settled(begun(found, key), key, fate) if fate else found
    return found


def told(pair: MapPair) -> list[tuple[str, str | None, str | None, tuple[str, ...]]]:
    """Return what is said of each item that differs."""

    def status(side: ItemSide | None) -> str | None:
        return side.status if side else None

    return [(item.key, status(item.a), status(item.b), item.differs) for item in pair.differing]


def test_items_that_are_alike_are_counted_alone() -> None:
    """However long each took, and wherever it stood in the list."""
    other = msgspec.structs.replace(DONE, duration_s=9.0)
    pair = map_pair("map", "map", items({"a": DONE, "b": DEAD}), items({"b": DEAD, "a": other}))
    assert pair == MapPair(a="map", b="map", listed=(2, 2), equal=2, differing=())


@pytest.mark.parametrize(
    ("fate", "expected"),
    [
        (DEAD, ("dead", ("outcome", "output"))),
        (None, ("pending", ("outcome", "output"))),
        (msgspec.structs.replace(DONE, attempts=2), ("succeeded", ("outcome",))),
        (msgspec.structs.replace(DONE, output="other"), ("succeeded", ("output",))),
        (msgspec.structs.replace(DONE, outputs={"0": "other"}), ("succeeded", ("output",))),
    ],
    ids=["dead", "not begun", "retried", "another output", "another step's output"],
)
def test_an_item_that_ended_otherwise_differs(fate: Item | None, expected: tuple[str, tuple[str, ...]]) -> None:
    """In its outcome or its result."""
    pair = map_pair("map", "map", items({"a": DONE, "b": DONE}), items({"a": DONE, "b": fate}))
    assert (pair.equal, told(pair)) == (1, [("b", "succeeded", *expected)])


@pytest.mark.parametrize("change", [{"error": "bang"}, {"exit_code": 4}, {"step": "other"}])
def test_a_dead_letter_that_died_otherwise_differs(change: dict[str, Any]) -> None:
    """By another error, exit code or step."""
    pair = map_pair("map", "map", items({"a": DEAD}), items({"a": msgspec.structs.replace(DEAD, **change)}))
    assert told(pair) == [("a", "dead", "dead", ("outcome",))]


def test_an_item_of_another_value_differs() -> None:
    """Though it has the same key, and ended alike."""
    pair = map_pair("map", "map", items({"a": DONE}, a={"n": 1}), items({"a": DONE}, a={"n": 2}))
    assert told(pair) == [("a", "succeeded", "succeeded", ("value",))]


def test_items_that_only_one_run_has_come_by_name() -> None:
    """Those of the second after those of the first."""
    pair = map_pair("map", "map", items({"a": DONE, "b": DEAD}), items({"c": None, "a": DONE}))
    assert (pair.listed, pair.equal, pair.count) == ((2, 2), 1, 2)
    assert told(pair) == [("b", "dead", None, ("presence",)), ("c", None, "pending", ("presence",))]


def test_a_list_that_only_one_run_has_is_one_difference() -> None:
    """Not one for each of its items."""
    pair = map_pair("map", "map", items({"a": DONE, "b": DONE}), None)
    assert (pair.listed, pair.count, pair.differing) == ((2, None), 1, ())


def test_runs_whose_items_differ_are_not_equal() -> None:
    """Though every step ended alike."""

    def run(fate: Item) -> State:
        begun_run = state(mapped([], [{"shell": "check"}], []))
        return msgspec.structs.replace(begun_run, maps=begun_run.maps.set("map", items({"a": fate})))

    assert [difference(run(DONE), run(fate)).count for fate in (DONE, DEAD)] == [0, 1]


def test_what_runs_for_each_item_is_compared_where_it_was_edited() -> None:
    """Handlers too; what came of it is told item by item."""
    same, gone = {"shell": "same"}, {"shell": "gone"}
    old: list[dict[str, Any]] = [same, {"shell": "old", "id": "x", "on_failure": {"shell": "mend"}}, gone]
    new: list[dict[str, Any]] = [same, {"shell": "new", "id": "x", "on_failure": {"shell": "cure"}}]
    found = difference(state(mapped([], old, [])), state(mapped([], new, [])))
    told = [(pair.a.address, pair.a.status, pair.differs) for pair in found.steps if pair.a and pair.differs]
    assert (found.count, told) == (
        3,
        [
            ("map[].x", "for each item", ("definition",)),
            ("map[].x.on_failure[0]", "for each item", ("definition",)),
            ("map[][2]", "for each item", ("presence",)),
        ],
    )
