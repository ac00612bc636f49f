"""How a job stands, in a line or two: counts of items, the pace, and what that promises."""

import json
from pathlib import Path
from typing import Any

import immutables
import pytest

from prodigy.cli.job import job_lines
from prodigy.kernel.items import Disposition, Item, Items, begun, item_list, settled
from prodigy.kernel.state import State
from prodigy.plan.compile import compile_workflow
from tests.end_to_end.house import House
from tests.end_to_end.mapped import mapreduce

BEGAN = "2026-01-31T09:00:00.000000Z"
PLAN = compile_workflow(
    b"{mode: mapreduce, map: {input: items.json, agent_template: [{shell: 'true'}]}}", file="a.yaml"
)
DISPOSITIONS: tuple[Disposition, ...] = ("succeeded", "skipped", "dead", "failed")


def state(total: int, *, seconds: int = 0, active: int = 0, settled_before: int = 0, **counts: int) -> State:
    """Return a run whose map has so many items, of which `counts` have settled, so many seconds after it went on."""
    keys = tuple(f"i{number}" for number in range(total))
    items = Items(listed=item_list(keys, keys), since=BEGAN, settled_before=settled_before)
    for disposition in [word for word in DISPOSITIONS for _ in range(counts.get(word, 0))]:
        key = items.next_key() or ""
        items = settled(begun(items, key), key, Item(disposition=disposition))
    for _ in range(active):
        items = begun(items, items.next_key() or "")
    time = f"2026-01-31T09:{seconds // 60:02}:{seconds % 60:02}.000000Z"
    return State(time=time, plan=PLAN, maps=immutables.Map({"map": items}))


def test_a_run_without_a_map_says_nothing() -> None:
    """There is nothing to count."""
    assert [] == job_lines(State())


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ({"total": 0}, ["0 items"]),
        ({"total": 3}, ["0 of 3 items done, 3 pending"]),
        ({"total": 2, "succeeded": 1, "skipped": 1, "seconds": 9}, ["2 of 2 items done"]),
        ({"total": 2, "succeeded": 1, "dead": 1, "seconds": 9}, ["1 of 2 items done, 1 dead letter"]),
        ({"total": 3, "dead": 2, "failed": 1, "seconds": 9}, ["0 of 3 items done, 2 dead letters, 1 failed"]),
        (
            {"total": 100, "succeeded": 40, "dead": 10, "active": 10, "seconds": 10},
            ["40 of 100 items done, 10 dead letters, 10 in flight, 40 pending", "5.0 items a second, about 10 s left"],
        ),
        (
            {"total": 10, "succeeded": 2, "seconds": 120},
            ["2 of 10 items done, 8 pending", "1 m 00 s an item, about 8 m 00 s left"],
        ),
        (
            {"total": 10, "succeeded": 6, "settled_before": 2, "seconds": 2},
            ["6 of 10 items done, 4 pending", "2.0 items a second, about 2.0 s left"],
        ),
    ],
    ids=lambda value: "-".join(map(str, value.values())) if isinstance(value, dict) else "",
)
def test_counts_and_pace(counts: dict[str, int], expected: list[str]) -> None:
    """What is nought is not said; the pace is that of the latest life of the run."""
    assert expected == job_lines(state(**counts))


def test_status_for_programs_counts_every_item_once(tmp_path: Path) -> None:
    """The counts after the total add up to it."""
    house = House(tmp_path)
    mapreduce(house, {"shell": "test ${item} != bad"}, items=["a", "bad", "b"])
    house.cook()
    counts: dict[str, Any] = json.loads(house.prodigy("status", "demo", "--json").out)["map"]
    expected = {"succeeded": 2, "skipped": 0, "dead_letters": 1, "failed": 0, "in_flight": 0, "pending": 0}
    assert {"total": 3, **expected} == {key: counts[key] for key in ("total", *expected)}


def test_resume_job_says_when_nothing_was_listed_yet(tmp_path: Path) -> None:
    """The setup had failed; then it goes on from there."""
    house = House(tmp_path)
    mapreduce(house, {"shell": ":"}, items=["a"], setup=[{"shell": "[ -e go ]"}])
    assert 1 == house.cook().code
    house.write("go", "")
    code, out, err = house.prodigy("resume-job", "demo")
    assert (0, "     job  no items were listed yet", "  1 of 1 item done") == (
        code,
        err.splitlines()[0],
        out.splitlines()[1],
    )


def test_resume_job_of_a_workflow_without_a_map_is_resume(tmp_path: Path) -> None:
    """There is one kind of run, and no items will ever be listed."""
    house = House(tmp_path)
    house.workflow({"shell": "[ -e go ]"})
    assert 1 == house.cook().code
    house.write("go", "")
    code, _, err = house.prodigy("resume-job", "demo")
    assert (0, "     job  it has no map") == (code, err.splitlines()[0])
