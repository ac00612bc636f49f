"""What a run would miss on this machine before anything runs, and which items its map would have."""

from pathlib import Path
from typing import Any

import pytest

from prodigy.errors import Unprepared
from prodigy.kernel import events as ev
from prodigy.plan.nodes import Plan
from prodigy.runtime.orders.preflight import items_now, outlook, require, still_missing
from tests.kernel.story import breaks, ends, fails, given, starts, succeeds
from tests.simulation.plans import compiled, mapped, step

NOWHERE = "no-such-program-anywhere"


def at(place: str, what: str) -> str:
    return f"{place} (line 1): {what}"


def needing(*places: str) -> Plan:
    """Return steps that each need an interpreter that is not here."""
    return compiled(*(step(place, interpreter=f"{NOWHERE} -x") for place in places))


def test_a_program_that_nobody_can_bring_ends_the_run_before_it_begins(tmp_path: Path) -> None:
    """It is named with its place."""
    with pytest.raises(Unprepared) as refused:
        require(needing("a"), tmp_path)
    assert refused.value.message == at("a", f"the interpreter '{NOWHERE}' was not found on PATH")


@pytest.mark.parametrize(("mode", "is_missing"), [(0o755, False), (0o644, True)])
def test_a_program_in_the_project_is_one_that_can_be_run(tmp_path: Path, mode: int, is_missing: bool) -> None:
    """A file that nobody may run is none."""
    program = tmp_path / "tool"
    program.write_text("#!/bin/sh\n")
    program.chmod(mode)
    found = outlook(compiled(step("a", interpreter="./tool -x")), tmp_path)
    assert bool(found.lacks or found.notes) is is_missing


def test_a_folder_that_is_not_there_is_missed_by_the_first_step_alone(tmp_path: Path) -> None:
    """A later one may find that an earlier step has made it."""
    plan = compiled(step("a", working_dir="one"), step("b", working_dir="two"))
    found = outlook(plan, tmp_path)
    assert found.lacks == (at("a", "its working_dir one is not there"),)
    assert found.notes == (at("b", "its working_dir two is not there, and no step before it makes one"),)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    assert outlook(plan, tmp_path) == ((), ())


def test_what_is_done_needs_nothing_any_more(tmp_path: Path) -> None:
    """Whether it succeeded, was handled or was skipped; what failed will run again."""
    plan = needing("a", "b", "c", "d")
    handled = (starts("b"), breaks("b", 7), ev.HandlingStarted(at="b"), ev.NodeHandled(at="b"))
    told = (starts("a"), ends("a", 3), succeeds("a", 1), *handled, ev.NodeSkipped(at="c", reason="no"))
    state = given(plan, *told, starts("d"), breaks("d", 12), fails("d", 2)).state
    missing = f"the interpreter '{NOWHERE}' was not found on PATH"
    assert still_missing(state, plan, {}, tmp_path) == (at("d", missing),)


def test_what_is_done_is_found_where_an_edit_moved_it(tmp_path: Path) -> None:
    """By its new address."""
    state = given(needing("a"), starts("a"), ends("a", 3), succeeds("a", 1)).state
    edited = needing("z")
    assert still_missing(state, edited, {"a": "z"}, tmp_path) == ()
    assert len(still_missing(state, edited, {}, tmp_path)) == 1


def items_of(keys: dict[str, Any], folder: Path, **workflow: Any) -> Any:
    found = items_now(mapped([step("s", capture_output="seen")], [step("x")], [], **keys), folder)
    return found if found is None else (found.items, found.error)


def test_items_are_read_before_a_run_where_nothing_decides_them_but_the_disk(tmp_path: Path) -> None:
    """A file, as it is now."""
    (tmp_path / "items.txt").write_text("a\nb\n")
    assert items_of({}, tmp_path) == (("a", "b"), None)


def test_items_that_are_not_there_yet_are_said_to_be_missing(tmp_path: Path) -> None:
    """In the words of the run."""
    items, error = items_of({}, tmp_path)
    assert items == ()
    assert "items.txt" in error


@pytest.mark.parametrize(
    "keys",
    [
        {"input": "${seen}"},
        {"max_items": "${seen}"},
        {"offset": "${seen}"},
        {"item_key": "${seen}"},
        {"filter": "item == ${seen}"},
        {"input": {"command": "ls"}},
    ],
    ids=str,
)
def test_items_that_hang_on_what_the_run_does_are_not_read(tmp_path: Path, keys: dict[str, Any]) -> None:
    """A step's output decides, or a command prints them."""
    (tmp_path / "items.txt").write_text("a\nb\n")
    assert items_of(keys, tmp_path) is None
