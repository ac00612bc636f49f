"""Large captured values stay in their files: what is read back is a place where the value is, and stands for it."""

from pathlib import Path
from typing import Any

import immutables
import pytest

from prodigy.errors import DamagedState
from prodigy.kernel.digest import digest_of
from prodigy.kernel.events import Event, RunRestored, ValueCaptured
from prodigy.kernel.snapshot import snapshot_of
from prodigy.kernel.state import Origin, State
from prodigy.plan.spelling import from_json, spellings_of
from prodigy.plan.stored import WHOLE_BYTES_MAX, Stored, whole
from prodigy.store.journal import Journal, decode_lines, stored_in
from prodigy.store.large_values import digest_of_value, json_of_value, kept_value, with_captures_copied
from prodigy.store.log import Log, Scan, read_chunks
from prodigy.store.values import Values

TIME = "2026-01-31T09:00:00.000000Z"
TEXT = "x" * WHOLE_BYTES_MAX
LINES = [f"line {number}" for number in range(100_000)]
SPELLED = from_json("[" + ", ".join(["1.0", "3.10", "2"] * 150_000) + "]")
LARGE = {"text": TEXT, "lines": LINES, "spelled": SPELLED}
ID = "w-abc123"


def captured(value: Any) -> Event:
    return ValueCaptured(at="commands[1]", name="x", value=value)


def restored(captures: dict[str, Any], scoped: dict[str, dict[str, Any]]) -> RunRestored:
    """Return the event of a run that lost its log while it held these captures."""
    origin = Origin(workflow_id=ID, workflow_path="w.yaml", directory="", started=TIME)
    state = State(origin=origin, captures=immutables.Map(captures), scoped=immutables.Map(scoped))
    return RunRestored(plan=state.plan, snapshot=snapshot_of(state, captures))


def values_of(folder: Path) -> Values:
    return Values(folder / ID / "values")


def appended(folder: Path, value: Any) -> Any:
    """Return the value as the run that appends it goes on with it."""
    (folder / ID).mkdir()
    journal = Journal(Log.create(folder / ID / "events-1.jsonl"), values_of(folder))
    ((_, event),) = journal.append([(TIME, captured(value))], sync=False)
    journal.close()
    assert isinstance(event, ValueCaptured), "what was appended comes back"
    return event.value


def read(folder: Path) -> Any:
    """Return the value as a reader of the log gets it."""
    ((_, lines),) = Scan(read_chunks(folder / ID / "events-1.jsonl")).turns()
    ((_, event),) = decode_lines(1, lines, values_of(folder), name="the log")
    assert isinstance(event, ValueCaptured), "it is what was appended"
    return event.value


def written_and_read(folder: Path, event: Event) -> tuple[Event, list[str]]:
    """Return an event as a reader of a log gets it, and the digests that its line names."""
    path = folder / ID / "events-2.jsonl"
    journal = Journal(Log.create(path), values_of(folder))
    journal.append([(TIME, event)], sync=False)
    journal.close()
    ((_, lines),) = Scan(read_chunks(path)).turns()
    ((_, found),) = decode_lines(1, lines, values_of(folder), name="the log")
    return found, stored_in(lines[0])


@pytest.mark.parametrize("value", LARGE.values(), ids=LARGE)
def test_a_large_value_stays_in_its_file_and_comes_back_when_it_is_used(tmp_path: Path, value: Any) -> None:
    """For who appends it and for who reads it; its numbers keep their spelling."""
    for found in (appended(tmp_path, value), read(tmp_path)):
        assert isinstance(found, Stored)
        assert (whole(found), spellings_of(whole(found))) == (value, spellings_of(value))
        assert found.digest == digest_of_value(value)


def test_a_value_of_the_limit_is_whole(tmp_path: Path) -> None:
    """Most values are small, and who looks at them need not open a file."""
    value = "x" * (WHOLE_BYTES_MAX - len('""'))
    assert appended(tmp_path, value) is value
    assert type(read(tmp_path)) is str


def test_a_value_that_looks_like_our_own_words_is_a_value(tmp_path: Path) -> None:
    """An event says `stored` of what is kept elsewhere; so may anybody."""
    value = {"a": 1, "stored": {"value": "x"}}
    assert (appended(tmp_path, value), read(tmp_path)) == (value, value)


@pytest.mark.parametrize("value", LARGE.values(), ids=LARGE)
def test_a_checkpoint_gives_back_the_place_of_a_large_value(tmp_path: Path, value: Any) -> None:
    """It names the digest under which the value was kept."""
    (tmp_path / ID).mkdir()
    values = values_of(tmp_path)
    found = kept_value(values.put(json_of_value(value)), values, ID)
    assert isinstance(found, Stored)
    assert (whole(found), spellings_of(whole(found))) == (value, spellings_of(value))


@pytest.mark.parametrize("value", LARGE.values(), ids=LARGE)
def test_a_state_means_the_same_wherever_its_values_are(tmp_path: Path, value: Any) -> None:
    """Its digest is that of the state with whole values, so the proof of an old log holds."""
    stored = State(captures=immutables.Map({"z": 1, "x": appended(tmp_path, value), "ä": [], "a": "b"}))
    assert digest_of(stored) == digest_of(State(captures=immutables.Map({"z": 1, "x": value, "ä": [], "a": "b"})))


def test_stored_values_are_equal_by_what_they_are(tmp_path: Path) -> None:
    """Two of one digest need not be read; beside a whole one it is read."""
    found = appended(tmp_path, TEXT)
    unread = Stored(found.digest, lambda: pytest.fail("read for nothing"))
    assert (found == unread, found == TEXT, TEXT == found, found == TEXT + "y") == (True, True, True, False)
    assert found != Stored("0" * 64, lambda: pytest.fail("read for nothing"))


def test_a_run_that_is_restored_names_its_large_values(tmp_path: Path) -> None:
    """So that they stay where they are; whatever they and their items are called, and beside small ones."""
    large = appended(tmp_path, TEXT)
    event = restored({"x": large, "y/~": 1.5}, {"map[a/~1]": {"own": large, "z": "small"}, "map[b]": {}})
    found, named = written_and_read(tmp_path, event)
    assert (found, named) == (event, [large.digest] * 2)
    assert isinstance(found, RunRestored)
    assert isinstance(found.snapshot.captures["x"], Stored)
    assert isinstance(found.snapshot.scoped["map[a/~1]"]["own"], Stored)


def test_a_run_that_was_restored_with_whole_values_is_read(tmp_path: Path) -> None:
    """As earlier prodigies wrote it: the snapshot is one file."""
    event = restored({"x": TEXT, "lines": LINES, "spelled": SPELLED}, {"map[a]": {"own": TEXT}})
    (tmp_path / ID).mkdir()
    found, named = written_and_read(tmp_path, event)
    assert (found, len(named)) == (event, 1)


def test_a_value_that_was_removed_is_damage_of_its_run(tmp_path: Path) -> None:
    """Whoever prints it then says which ways out of it there are."""
    found = appended(tmp_path, TEXT + "gone")
    (values_of(tmp_path).folder / found.digest).unlink()
    with pytest.raises(DamagedState, match="cannot be read") as damage:
        whole(found)
    assert damage.value.workflow_id == ID


def test_a_state_that_moved_needs_nothing_of_the_other_run(tmp_path: Path) -> None:
    """A fork outlives the run that it was made from."""
    state = State(captures=immutables.Map({"x": appended(tmp_path, TEXT + "mine"), "y": 1}))
    folder = tmp_path / "fork" / "values"
    folder.parent.mkdir()
    fork = with_captures_copied(state, Values(folder), "fork")
    for file in values_of(tmp_path).folder.iterdir():
        file.unlink()
    assert {name: whole(value) for name, value in fork.captures.items()} == {"x": TEXT + "mine", "y": 1}
