"""Runs that were killed before their first event, and what is no such run."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from prodigy.store.catalog import unbegun_ids
from prodigy.store.layout import RunFolder, prepare_run
from prodigy.store.unbegun import YOUNG_S, is_young, never_began
from tests.cli.made import House

RUN = "short-aaaaaa"


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    """A project without runs."""
    monkeypatch.setenv("PRODIGY_HOME", str(tmp_path / "global"))
    return House(tmp_path)


def bare(folder: RunFolder) -> None:
    folder.outputs.rmdir()


def empty_log(folder: RunFolder) -> None:
    folder.events(1).touch(0o600)


def nothing(folder: RunFolder) -> None:
    pass


@pytest.mark.parametrize("kill", [nothing, bare, empty_log])
def test_a_folder_without_a_turn_an_output_or_a_checkpoint_never_began(
    house: House, kill: Callable[[RunFolder], None]
) -> None:
    """Wherever its coordinator was killed."""
    folder = prepare_run(house.project, RUN)
    kill(folder)
    assert never_began(house.project, RUN, house.mirror)
    assert unbegun_ids(house.project, house.mirror) == [RUN]


def test_what_has_an_output_or_a_checkpoint_had_begun(house: House) -> None:
    """Its log is gone, which is damage."""
    folder = prepare_run(house.project, RUN)
    (folder.outputs / "3.out").touch()
    assert not never_began(house.project, RUN)
    (folder.outputs / "3.out").unlink()
    house.mirror.checkpoint(RUN).write_text("{}")
    assert never_began(house.project, RUN)
    assert not never_began(house.project, RUN, house.mirror)


def test_a_run_with_a_turn_or_a_second_log_had_begun(house: House) -> None:
    """So had one whose folder cannot be looked into."""
    house.make(RUN)
    house.project.checkpoint(RUN).unlink()
    for output in house.run(RUN).outputs.iterdir():
        output.unlink()
    assert not never_began(house.project, RUN)
    folder = prepare_run(house.project, "short-bbbbbb")
    folder.events(2).touch(0o600)
    assert not never_began(house.project, "short-bbbbbb")
    os.symlink("/nowhere", house.run("short-cccccc").path)
    assert not never_began(house.project, "short-cccccc")


def test_a_folder_is_young_for_a_minute(house: House) -> None:
    """Another process may be about to begin it."""
    path = prepare_run(house.project, RUN).path
    now = path.stat().st_mtime
    assert is_young(house.project, RUN)
    os.utime(path, (now, now - YOUNG_S - 1))
    assert not is_young(house.project, RUN)
