"""A run read back: the generations that make its history, and how far a checkpoint is believed."""

import json
import shutil
from pathlib import Path

import pytest
from msgspec.structs import replace

from prodigy.errors import DamagedState, RunNotFound
from prodigy.kernel import events as ev
from prodigy.store.checkpoints import read_own_checkpoint
from prodigy.store.generation import Generation, cleaned_at, damage_of, newest_generation
from prodigy.store.history import begun_generation, lineage, present_generation, read_history
from prodigy.store.layout import prepare_run
from prodigy.store.overview import read_header
from prodigy.store.values import Values
from tests.cli.made import Ending, House

RUN = "short-aaaaaa"


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    """A project with a completed run."""
    monkeypatch.setenv("PRODIGY_HOME", str(tmp_path / "global"))
    built = House(tmp_path)
    built.make(RUN)
    return built


def begun_after(house: House, seq: int, generation: int = 2, parent: int = 1) -> ev.GenerationStarted:
    """Return the record of a generation that continues from an event of its parent."""
    lines = house.run(RUN).events(parent).read_text().splitlines()
    before = next(record for record in map(json.loads, lines) if record["seq"] == seq)
    return ev.GenerationStarted(
        generation=generation, parent=parent, from_seq=seq, from_chain=before["chain"], version=9, reason="test"
    )


def gone_back(house: House, seq: int) -> None:
    """Begin a second generation after an event of the first."""
    house.append(RUN, begun_after(house, seq), ev.CheckpointMarked(version=10, at="commands[0]"), generation=2)


def test_a_history_begins_in_the_generation_that_the_first_event_stands_in(house: House) -> None:
    """Even where only that event is shared."""
    gone_back(house, 1)
    generation, last_seq = lineage(house.run(RUN), 2).parts[0]
    assert (generation.number, last_seq) == (1, 1)
    assert [event.seq for event in lineage(house.run(RUN), 2).logged_events()] == [1, 2, 3]


def test_a_generation_that_continues_from_itself_is_damage(house: House) -> None:
    """Nobody reads in a circle."""
    house.append(RUN, replace(begun_after(house, 1), parent=2), generation=2)
    with pytest.raises(DamagedState, match="does not say which log it continues"):
        lineage(house.run(RUN), 2)


def test_a_checkpoint_of_an_earlier_generation_is_no_help(house: House) -> None:
    """What the newest one holds is folded from the beginning, and nothing was wrong with the checkpoint."""
    checkpoint = read_own_checkpoint(house.project.checkpoint(RUN), RUN).checkpoint
    gone_back(house, 3)
    history = read_history(house.run(RUN), checkpoint)
    assert (history.generation, history.state.version, history.notes) == (2, 10, ())
    assert not history.is_current


def test_a_checkpoint_of_the_last_event_is_current(house: House) -> None:
    """One that is behind is not, and leads to the same state."""
    checkpoint = read_own_checkpoint(house.project.checkpoint(RUN), RUN).checkpoint
    current = read_history(house.run(RUN), checkpoint)
    assert (current.is_current, current.notes) == (True, ())
    house.append(RUN, ev.CheckpointMarked(version=7, at="commands[0]"))
    behind = read_history(house.run(RUN), checkpoint)
    assert (behind.is_current, behind.notes, behind.state.version) == (False, (), 7)
    assert behind.state == read_history(house.run(RUN), None).state


def test_a_log_that_a_checkpoint_has_seen_is_missed(house: House) -> None:
    """By the checkpoint and by its mirror alike."""
    gone_back(house, 3)
    shutil.copy(house.project.checkpoint(RUN), kept := house.path / "kept.json")
    text = json.loads(kept.read_text()) | {"generation": 2}
    kept.write_text(json.dumps(text))
    house.run(RUN).events(2).unlink()
    witness = read_header(kept, RUN)
    assert witness is not None
    with pytest.raises(DamagedState) as lost:
        read_history(house.run(RUN), None, witness)
    path = house.run(RUN).events(2)
    seen = f"a checkpoint has seen event {witness.last_seq} of it"
    assert lost.value.message == f"{path} is gone, and {seen}; nothing was run"


def test_a_generation_that_never_began_is_passed_over(house: House) -> None:
    """The one before it goes on; a run whose only log is empty has nothing to read."""
    house.run(RUN).events(2).touch(0o600)
    assert present_generation(house.run(RUN)).number == 1
    assert begun_generation(house.run(RUN)).number == 1
    assert read_history(house.run(RUN), None).generation == 1
    empty = prepare_run(house.project, "short-bbbbbb")
    assert newest_generation(empty) is None
    with pytest.raises(DamagedState, match="has no log"):
        present_generation(empty)
    empty.events(1).touch(0o600)
    with pytest.raises(DamagedState, match="is empty: nothing was started yet, or it lost all"):
        begun_generation(empty)


def test_damage_has_its_run_and_says_so_where_it_was_cleaned(house: House) -> None:
    """A value that a cleaned run names is gone on purpose."""
    house.make("large-cccccc", ends=lambda spawn: Ending(output="x" * 20_000))
    folder = house.run("large-cccccc")
    assert cleaned_at(folder) is None
    for value in folder.values.iterdir():
        value.unlink()
    with pytest.raises(DamagedState) as damaged:
        list(Generation(folder, 1).logged_events())
    assert damaged.value.workflow_id == "large-cccccc"
    house.append("large-cccccc", ev.RunCleaned(by="test", size_bytes=1))
    time = cleaned_at(folder)
    with pytest.raises(RunNotFound) as cleaned:
        list(Generation(folder, 1).logged_events())
    assert cleaned.value.message == f"large-cccccc was cleaned at {time}: only its log is left"
    with pytest.raises(DamagedState) as other, damage_of(folder):
        raise DamagedState("something else", hint="Look at it.")
    assert not other.value.workflow_id


def test_values_named_are_those_of_every_line(house: House) -> None:
    """Nothing is missed, whoever asks for them whole or by looking at the bytes."""
    house.make("large-cccccc", ends=lambda spawn: Ending(output="x" * 20_000))
    folder = house.run("large-cccccc")
    named = {digest for digests in Generation(folder, 1).values_named() for digest in digests}
    (large,) = named
    assert Values(folder.values).get(large) == b'"' + b"x" * 20_000 + b'"'
    assert Generation(folder, 1).digests() >= named
