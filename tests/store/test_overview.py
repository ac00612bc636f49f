"""A run's row in lists: what its checkpoint says of it is what its log folds to."""

import os
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from prodigy.cli.commands.status import document, lines
from prodigy.cli.program import program
from prodigy.store.catalog import list_runs, read_run
from prodigy.store.history import lineage
from prodigy.store.layout import Project, RunFolder, prepare_run
from prodigy.store.lock import RunLock
from prodigy.store.overview import RunOverview, header_of
from tests.cli.made import STAGED, Ending, House
from tests.histories.test_histories import HISTORIES


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    """A project without runs."""
    monkeypatch.setenv("PRODIGY_HOME", str(tmp_path / "home"))
    return House(tmp_path)


def row_of(run: RunOverview) -> dict[str, Any]:
    """Return all that a row says."""
    return {
        "status": run.status,
        "number": run.number,
        "name": run.name,
        "step": run.step,
        "running": run.running,
        "rest": run.rest,
        "is_named": run.is_named(run.name),
        "updated": run.header and run.header.timestamp,
    }


def rows(folder: RunFolder) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the row that each state of a run makes, and those that its checkpoints would make."""
    states = [state for _, _, state in lineage(folder, 1).steps() if state.origin is not None]
    told = [RunOverview(workflow_id=state.run.workflow_id, state=state) for state in states]
    noted = [RunOverview(workflow_id=state.run.workflow_id, noted=header_of(state)) for state in states]
    return [row_of(run) for run in told], [row_of(run) for run in noted]


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
def test_a_checkpoint_of_a_history_says_in_a_row_what_its_state_does(path: Path, tmp_path: Path) -> None:
    """After each of its events: status, step, what is in flight, what to type next."""
    folder = prepare_run(Project(tmp_path), path.stem)
    folder.events(1).write_bytes(path.read_bytes())
    told, noted = rows(folder)
    assert told == noted


def test_a_checkpoint_of_a_staged_run_says_in_a_row_what_its_state_does(house: House) -> None:
    """Its stage is its step, and a step that failed is where to look."""
    house.make("staged-aaaaaa", STAGED, ends=lambda spawn: Ending(1 if spawn.at == "production[0]" else 0))
    told, noted = rows(house.run("staged-aaaaaa"))
    assert told == noted


def test_a_stage_that_failed_by_itself_has_printed_nothing_in_either_row(house: House) -> None:
    """So nobody is sent to read what it said."""
    state = house.make("staged-aaaaaa", STAGED, until=12)
    late = replace(state, status="failed", failed_at="staging", failure="timed out")
    told = RunOverview(workflow_id="staged-aaaaaa", state=late).rest
    noted = RunOverview(workflow_id="staged-aaaaaa", noted=header_of(late)).rest
    assert told.culprit == "other"
    assert noted == told


def test_a_list_reads_no_log_whose_checkpoint_is_current(house: House) -> None:
    """However many runs there are; the row is that of the whole log."""
    house.make("short-aaaaaa")
    whole = row_of(read_run(house.project, "short-aaaaaa"))
    (quick,) = list_runs(house.project)
    assert quick.state is None
    assert row_of(quick) == whole


def test_a_damaged_run_that_is_live_has_its_owner_in_every_list(house: House) -> None:
    """Whoever looks learns which process to end first."""
    house.make("short-aaaaaa")
    path = house.run("short-aaaaaa").events(1)
    path.write_bytes(b"{" + path.read_bytes())
    with RunLock.acquire(house.run("short-aaaaaa").lock, command="prodigy cook"):
        run = read_run(house.project, "short-aaaaaa")
        (row,) = list_runs(house.project)
    assert [each.owner and each.owner.pid for each in (run, row)] == [os.getpid()] * 2
    assert run.status == "damaged"
    assert document(run)["pid"] == os.getpid()
    assert lines(run)[-1] == f"  live     process {os.getpid()} owns it: {program()} stop short-aaaaaa"
    assert read_run(house.project, "short-aaaaaa").owner is None


def test_a_run_about_to_begin_is_in_no_list(house: House) -> None:
    """Its log is empty, and nothing is lost."""
    folder = prepare_run(house.project, "short-aaaaaa")
    with RunLock.acquire(folder.lock, command="prodigy cook"):
        assert list_runs(house.project) == []
