"""What is kept of a run, examined: each thing by itself, and every log that its history needs."""

from pathlib import Path

import pytest

from prodigy.errors import DamagedState
from prodigy.kernel import events as ev
from prodigy.store.files import write_atomically
from prodigy.store.generation import Verified
from prodigy.store.lock import RunLock
from prodigy.store.validation import Finding, examine, examine_checkpoint, lost_end, verified
from tests.cli.made import Ending, House
from tests.store.test_history import begun_after

RUN = "short-aaaaaa"


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    """A project with a completed run."""
    monkeypatch.setenv("PRODIGY_HOME", str(tmp_path / "global"))
    built = House(tmp_path)
    built.make(RUN)
    return built


def found(house: House) -> dict[str, tuple[bool, str]]:
    """Return what was found, by the thing that it is about."""
    return {thing: (is_wrong, says) for thing, is_wrong, says in examine(house.project, house.mirror, RUN)}


def test_a_sound_run_is_sound_in_all_its_parts(house: House) -> None:
    """Each says how far it reaches."""
    last = house.run(RUN).events(1).read_bytes().count(b"\n")
    copy = (False, f"event {last}, v1: what the log folds to")
    assert found(house) == {
        "log": (False, f"{last} events, every one as it was written"),
        "values": (False, "none named by the log"),
        "checkpoint": copy,
        "mirror": copy,
    }
    assert examine_checkpoint(house.project, RUN) == Finding("checkpoint", *copy)


def test_a_mirror_that_does_not_know_the_run_is_no_fault(house: House) -> None:
    """Nor is having none at all."""
    (house.mirror.known / RUN).unlink()
    none = Finding("mirror", False, "none: this machine does not know the run")
    assert examine(house.project, house.mirror, RUN)[-1] == none
    assert examine(house.project, None, RUN)[-1] == none


def test_a_missing_checkpoint_is_wrong_of_a_run_that_rests(house: House) -> None:
    """Of a live one it may be about to come."""
    path = house.project.checkpoint(RUN)
    path.unlink()
    assert found(house)["checkpoint"] == (True, f"{path} is missing")
    with RunLock.acquire(house.run(RUN).lock):
        assert found(house)["checkpoint"] == (False, f"{path} is missing, as long as the run has not come far")


def test_a_checkpoint_that_is_behind_says_by_how_much(house: House) -> None:
    """It is not wrong: resume reads the rest."""
    house.append(RUN, ev.CheckpointMarked(version=7, at="commands[0]"))
    assert found(house)["checkpoint"][0] is False
    assert found(house)["checkpoint"][1].endswith("the log has 1 more, which resume reads from it")


def test_a_checkpoint_that_has_seen_more_is_wrong_and_so_is_the_log(house: House) -> None:
    """Something was lost."""
    path = house.run(RUN).events(1)
    lines = path.read_bytes().splitlines(keepends=True)
    short = next(n for n in range(len(lines) - 1, 0, -1) if b'"commit":true' in lines[n - 1])
    write_atomically(path, b"".join(lines[:short]))
    lost = f"{path} lost its end: a checkpoint has seen event {len(lines)} of it"
    assert found(house)["log"] == (True, lost)
    assert found(house)["mirror"][1].endswith(
        f"has seen event {len(lines)}, and the log ends at event {short}: it lost something"
    )
    problem = lost_end(house.project, None, RUN)
    assert problem is not None
    assert (problem.message, problem.workflow_id) == (lost, RUN)


def test_what_a_value_lost_is_named_with_the_first_few(house: House) -> None:
    """And the rest is counted."""
    steps = "\n".join(f"  - shell: 'echo {number}'\n    capture_output: v{number}" for number in range(7))
    house.make("many-bbbbbb", f"name: many\ncommands:\n{steps}\n", ends=lambda spawn: Ending(output=spawn.at * 3000))
    folder = house.run("many-bbbbbb")
    (values,) = (finding for finding in examine(house.project, None, "many-bbbbbb") if finding.thing == "values")
    assert values == Finding("values", False, "7 named by the log, every one as it was written")
    for path in folder.values.iterdir():
        path.unlink()
    (values,) = (finding for finding in examine(house.project, None, "many-bbbbbb") if finding.thing == "values")
    assert values.is_wrong
    assert values.says.count("cannot be read") == 5
    assert values.says.endswith("; and 2 more")


def test_every_log_is_verified_and_one_that_was_left_behind_may_be_damaged(house: House) -> None:
    """A generation that never began is empty, and no damage."""
    house.append(RUN, begun_after(house, 3), generation=2)
    house.append(
        RUN, begun_after(house, 3, generation=3), ev.CheckpointMarked(version=10, at="commands[0]"), generation=3
    )
    folder = house.run(RUN)
    folder.events(2).write_bytes(b"{" + folder.events(2).read_bytes())
    folder.events(4).touch(0o600)
    house.project.checkpoint(RUN).unlink()
    one, two, three, four = verified(house.project, None, RUN)
    assert (one.name, one.damage, three, four) == (
        "events-1.jsonl",
        "",
        Verified("events-3.jsonl", 2),
        Verified("events-4.jsonl"),
    )
    assert "is not what was written" in two.damage


def test_a_log_that_the_history_needs_must_be_sound(house: House) -> None:
    """Whatever stands in the others."""
    house.append(RUN, begun_after(house, 3), generation=2)
    folder = house.run(RUN)
    folder.events(1).write_bytes(b"{" + folder.events(1).read_bytes())
    with pytest.raises(DamagedState) as damaged:
        list(verified(house.project, None, RUN))
    assert damaged.value.workflow_id == RUN
