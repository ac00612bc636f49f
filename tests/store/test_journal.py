"""Events to records: what is large is kept in files, a log gets its name with its first turn."""

import os
from pathlib import Path

import pytest

from prodigy.errors import StorageFailure
from prodigy.kernel import events as ev
from prodigy.kernel.lifecycle import Epoch
from prodigy.store import journal
from prodigy.store.generation import Generation
from prodigy.store.journal import Journal, NewJournal, encode, stored_in
from prodigy.store.layout import Project, RunFolder, prepare_run
from prodigy.store.log import EVENT_BYTES_MAX
from prodigy.store.values import Values

TIME = "2026-01-31T09:00:00.000000Z"
KIB = 1024


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    """Return the folder of a run."""
    return prepare_run(Project(tmp_path), "demo-aaaaaa")


def finished(output: str, stderr: str = "", error: str = "") -> ev.CommandFinished:
    return ev.CommandFinished(
        at="a", epoch=Epoch(3), exit_code=0, output=output, stderr=stderr, error=error, duration_s=1.0
    )


def kept(event: ev.Event, folder: RunFolder) -> tuple[int, bool]:
    """Return how many values a record names, and whether it has room in a line."""
    body = encode(event, Values(folder.values))
    return len(stored_in(b"{" + body[1:])) if b'"stored"' in body else 0, len(body) <= EVENT_BYTES_MAX


def test_only_what_is_large_is_kept_in_a_file(folder: RunFolder) -> None:
    """A field over 16 KiB; of smaller ones the largest, until a record is no longer than half of what it may be."""
    assert kept(finished("x" * 15 * KIB), folder) == (0, True)
    assert kept(finished("x" * 17 * KIB), folder) == (1, True)
    assert kept(finished("x" * 12 * KIB, "y" * 13 * KIB, "z" * 14 * KIB), folder) == (1, True)
    assert kept(finished("x" * 12 * KIB, "y" * 17 * KIB, "z" * 18 * KIB), folder) == (2, True)


def test_an_event_comes_back_whole(folder: RunFolder) -> None:
    """Whatever of it was kept in files."""
    event = finished("x" * 20_000, "y" * 30_000)
    written = Journal.create(folder)
    written.append([(TIME, event)], sync=True)
    written.close()
    (logged,) = Generation(folder, 1).logged_events()
    assert (logged.event, logged.time, logged.seq) == (event, TIME, 1)


def test_a_log_has_no_name_before_its_first_turn(folder: RunFolder) -> None:
    """Which is durable, name and all, whether or not that was asked for."""
    fresh = NewJournal(folder, 1)
    assert folder.generations() == []
    fresh.append([(TIME, finished("one"))], sync=False)
    assert folder.generations() == [1]
    assert fresh.path == folder.events(1)
    fresh.append([(TIME, finished("two"))], sync=False)
    fresh.close()
    assert [logged.seq for logged in Generation(folder, 1).logged_events()] == [1, 2]


def test_the_first_turn_of_a_new_log_is_synced(folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the name that makes it count."""
    heard: list[str] = []
    really = os.fdatasync

    def sync_data(descriptor: int) -> None:
        heard.append("data")
        really(descriptor)

    monkeypatch.setattr("prodigy.store.log.sync_data", sync_data)
    monkeypatch.setattr(journal, "sync_folder", lambda path: heard.append("name"))
    fresh = NewJournal(folder, 1)
    fresh.append([(TIME, finished("one"))], sync=False)
    fresh.append([(TIME, finished("two"))], sync=False)
    fresh.close()
    assert heard == ["data", "name"]


def test_what_one_who_was_killed_has_begun_is_begun_anew(folder: RunFolder) -> None:
    """Its log had no name yet."""
    NewJournal(folder, 2).close()
    again = NewJournal(folder, 2)
    again.append([(TIME, finished("one"))], sync=True)
    again.close()
    assert folder.generations() == [2]


def test_a_name_that_the_disk_refuses_is_a_failure_of_storage(folder: RunFolder) -> None:
    """It says which file."""
    fresh = NewJournal(folder, 1)
    folder.events(1).mkdir()
    with pytest.raises(StorageFailure, match=f"cannot write {folder.events(1)}"):
        fresh.append([(TIME, finished("one"))], sync=True)
    fresh.close()


def test_the_lines_of_a_fork_are_its_own(folder: RunFolder) -> None:
    """With the values that they name, under second names."""
    whole = Journal.create(folder)
    whole.append([(TIME, finished("x" * 20_000))], sync=True)
    position = whole.position
    whole.close()
    other = prepare_run(Project(folder.path.parents[2]), "demo-bbbbbb")
    fresh = NewJournal(other, 1)
    fresh.copy(Generation(folder, 1).lines(), Values(folder.values), seq=position.seq, chain=position.chain)
    fresh.append([(TIME, finished("two"))], sync=True)
    fresh.close()
    assert [logged.event for logged in Generation(other, 1).logged_events()] == [
        finished("x" * 20_000),
        finished("two"),
    ]
    assert [path.stat().st_nlink for path in other.values.iterdir()] == [2]
