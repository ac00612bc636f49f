"""The bench runs, says what it promises to say, and judges rightly. How fast anything is, no test asks."""

import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import msgspec
import pytest

from bench import compiling, items, opening, resume, rivals, startup, steps
from bench.__main__ import PARTS, main
from bench.measure import exponent, in_turns, ratio
from bench.place import Place, new_place
from bench.report import Report, Row, table, wait_for_rest


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A place of the bench in a folder of the test."""
    with new_place(tmp_path) as made:
        yield made


def test_measures_take_turns() -> None:
    """Each round takes every measure once, in order."""
    calls: list[str] = []
    series = in_turns({name: partial(_count, calls, name) for name in ("a", "b")}, rounds=2)
    assert (calls, series) == (["a", "b", "a", "b"], {"a": [1.0, 3.0], "b": [2.0, 4.0]})


def test_a_ratio_compares_within_each_round() -> None:
    """A round in which everything took ten times as long changes no ratio."""
    assert ratio({"us": [2.0, 20.0, 2.0], "base": [1.0, 10.0, 1.0]}, "us", "base") == 2.0


@pytest.mark.parametrize("power", [0.0, 1.0, 2.0])
def test_the_exponent_is_that_of_the_growth(power: float) -> None:
    """Values that grow as a power of the size have that power as their exponent."""
    sizes = (100, 1000, 10_000)
    assert round(exponent(sizes, [3 * size**power for size in sizes]), 9) == power


def test_a_promise_is_judged_by_its_kind() -> None:
    """A maximum is kept from below, a minimum from above, with no promise nothing is judged; an aim is more."""
    limits: list[tuple[float | None, bool]] = [(2.0, False), (0.5, False), (0.5, True), (2.0, True), (None, False)]
    rows = [Row(what="x", value=1.0, unit="times", limit=limit, at_least=at_least) for limit, at_least in limits]
    rows += [Row(what="x", value=1.0, unit="times", limit=2.0, aim=aim) for aim in (1.0, 0.5)]
    assert [row.verdict for row in rows] == ["yes", "NO", "yes", "NO", "", "aim", "yes"]


def test_the_table_is_aligned() -> None:
    """Columns begin at the same place in every line."""
    rows = [
        Row(what="short", value=1, unit="s", limit=2, aim=0.5, load=0.3),
        Row(what="a longer one", value=12345, unit="MB", note="n", load=1.25),
        Row(what="no such peer", value=0, unit="", note="not installed: skipped"),
    ]
    assert table(rows).splitlines() == [
        "WHAT          VALUE   UNIT  MUST  AIM    KEPT  LOAD  NOTE",
        "short         1       s     ≤ 2   ≤ 0.5  yes   0.30",
        "a longer one  12,345  MB                       1.25  n",
        "no such peer                                         not installed: skipped",
    ]


def test_the_bench_waits_for_a_machine_at_rest() -> None:
    """Not for ever, and what it found it says."""
    loads, slept = [3.0, 3.0, 1.5, 0.5, 0.5], list[float]()
    assert wait_for_rest(load=iter(loads).__next__, sleep=slept.append) == (
        "the machine is at rest: load 0.50, after 10 s"
    )
    assert ([*slept], wait_for_rest(seconds=10, load=lambda: 2.0, sleep=slept.append)) == (
        [5, 5],
        "NOT AT REST: load 2.00 after 10 s, 2.00 before; what is measured is worse than it is",
    )


def test_start_up_is_measured(place: Place) -> None:
    """Start-up has its promises, and the syncs beside them."""
    rows = list(startup.measure(place, rounds=1))
    assert [(row.limit, row.value > 0) for row in rows] == [
        *((limit, True) for limit in (2.0, 6.0, 8.0, 8.0, 1.35)),
        (None, True),
    ]


def test_steps_are_measured_beside_the_floor(place: Place) -> None:
    """The floor is 1 by definition, and ours is the only one with a promise."""
    rows = list(steps.measure_cost(place, steps=3, rounds=1))
    assert (rows[0].value, [row.limit for row in rows[:4]]) == (1.0, [None, 1.8, None, None])


def test_the_share_of_checkpoints_is_measured(place: Place) -> None:
    """It is a percentage of a run."""
    assert 0 < steps.measure_checkpoints(place, steps=2, rounds=1).value < 100


def test_a_resumed_run_does_what_is_left_and_nothing_else(place: Place) -> None:
    """The log that the bench makes is one that prodigy resumes: with and without its checkpoint, and to its end."""
    rows = list(resume.measure(place, steps=20, rounds=1))
    assert [(row.limit, row.value > 0) for row in rows] == [(0.5, True), (0.5, True), (0, False)]


def test_items_are_measured_beside_the_floor(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The floor is 1 by definition, ours is the only one with a promise, and what is not installed says so."""
    monkeypatch.setattr(items, "rivals_at_once", lambda: {"a rival": None})
    rows = list(items.measure_cost(place, items=12, rounds=1))
    assert (rows[0].value, [row.limit for row in rows], rows[-1].note) == (
        1.0,
        [None, 1.8, None, None],
        "not installed: skipped",
    )


def test_a_rival_that_fails_ends_no_bench(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its row says so, and ours stand."""
    monkeypatch.setattr(items, "rivals_at_once", lambda: {"a rival": lambda place, count: ["false"]})
    rows = list(items.measure_cost(place, items=3, rounds=1))
    assert [(row.unit, row.note) for row in rows[3:]] == [("", "it fails with so many: left out")]


def test_a_map_grows_in_time_and_memory(place: Place) -> None:
    """Both have a promise, and so have the files that it leaves."""
    rows = list(items.measure_growth(place, sizes=(20, 60)))
    assert ([row.limit for row in rows], rows[1].value > 10, rows[2].value) == ([1.05, 150.0, 0], True, 0)


def test_what_a_step_prints_is_measured_beside_one_that_prints_nothing(place: Place) -> None:
    """Printing and capturing each have a promise."""
    rows = list(steps.measure_output(place, steps=3, rounds=1))
    assert [(row.limit, row.aim) for row in rows] == [(0.1, 0.05)] * 2


def test_compiling_is_measured_beside_the_loader() -> None:
    """What the loader takes is no part of it."""
    (row,) = compiling.measure(steps=20, rounds=1)
    assert (row.limit, row.aim, row.value > 0) == (100.0, 60.0, True)


@pytest.mark.parametrize("rival", ["_bash", "_make"])
def test_a_rival_does_what_it_is_asked(place: Place, rival: str) -> None:
    """So many steps, each once, with what it keeps of each."""
    if shutil.which(rival[1:]) is None:
        pytest.skip(f"no {rival[1:]} here")
    command = getattr(rivals, rival)(place, 3)
    place.answer(command)
    (folder,) = place.folder.glob(f"{rival[1:]}-*")
    kept = {"_bash": ["done-0", "done-1", "done-2"], "_make": ["step-0", "step-1", "step-2"]}
    assert kept[rival] == sorted(path.name for path in folder.iterdir() if path.name[-1].isdigit())


def test_a_killed_map_does_what_is_left_and_nothing_else(place: Place) -> None:
    """Settled items are not run again, and none is lost."""
    rows = list(items.measure_resume(place, items=60))
    assert [(row.limit, row.value > 0) for row in rows] == [(0.5, True), (0, False)]


def test_a_log_is_opened_alone_and_from_its_checkpoint(place: Place) -> None:
    """Both ways read the same history; the log alone has promises."""
    rows = list(opening.measure(place, events=2000, rounds=1))
    assert [(row.limit, row.value > 0) for row in rows] == [(200_000.0, True), (400.0, True), (None, True)]


def test_results_are_kept_as_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the table shows is in the file, and the place is gone."""
    row = Row(what="x", value=1.0, unit="s")
    monkeypatch.setitem(PARTS, "start-up", lambda place, quick: iter([row]))
    main(["--quick", "start-up"], results=tmp_path)
    (kept,) = tmp_path.iterdir()
    finished = msgspec.json.decode(kept.read_bytes(), type=Report)
    assert (finished.quick, finished.rows) == (True, [row])


def _count(calls: list[str], name: str) -> float:
    calls.append(name)
    return float(len(calls))
