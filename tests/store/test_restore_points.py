"""Moments of a run: versions in whichever generation, events, the beginnings of steps and stages."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from prodigy.errors import DamagedState, RunNotFound, UsageProblem
from prodigy.kernel import effects as fx
from prodigy.kernel import events as ev
from prodigy.kernel.lifecycle import Status
from prodigy.kernel.state import State
from prodigy.store import restore_points
from prodigy.store.layout import RunFolder
from prodigy.store.restore_points import (
    find_node,
    find_restore_point,
    find_seq,
    find_version,
    history_until,
    version_number,
)
from tests.cli.made import STAGED, Ending, House, changed

RUN = "staged-deployment-k3x9f2"


def hardly(spawn: fx.Spawn) -> Ending:
    """The second step of staging fails at first."""
    return Ending(1) if spawn.at == "staging[1]" and spawn.attempt == 1 else Ending()


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """A project with a run that was killed after the first try of `staging[1]`, its 22nd event."""
    monkeypatch.setenv("PRODIGY_HOME", str(tmp_path / "home"))
    built = House(tmp_path)
    built.make(RUN, STAGED, ends=hardly, until=22)
    yield built


@pytest.fixture
def folder(house: House) -> RunFolder:
    """The folder of that run."""
    return house.run(RUN)


def gone_back(house: House, *events: ev.Event) -> None:
    """Begin a second generation after the first version, with these events."""
    log = house.run(RUN).events(1).read_text().splitlines()
    first = next(record for record in map(json.loads, log) if record.get("version") == 1)
    begun = ev.GenerationStarted(
        generation=2, parent=1, from_seq=first["seq"], from_chain=first["chain"], version=4, reason="test"
    )
    house.append(RUN, begun, *events, generation=2)


def settled(state: State) -> list[str]:
    """Return the leaves that have succeeded, by address."""
    leaves = ("build[0]", "build[1]", "staging[0]", "staging[1]", "production[0]")
    return [at for at in leaves if state.node(at).status is Status.SUCCEEDED]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("v3", 3),
        ("3", 3),
        ("v0", 0),
        ("007", 7),
        ("v", None),
        ("", None),
        ("-1", None),
        ("V3", None),
        ("vv3", None),
        ("3.0", None),
        ("³", None),
        ("٣", None),
        ("999999999", 999_999_999),
        ("1" * 10, None),
    ],
)
def test_a_version_has_two_forms(text: str, number: int | None) -> None:
    """`v3` and `3`; nothing else is a number here."""
    assert version_number(text) == number


def test_a_version_is_the_state_right_after_its_event(folder: RunFolder) -> None:
    """With its place, from where a generation can go on."""
    found = find_version(folder, 2)
    assert (settled(found.state), found.state.version, found.generation, found.seq) == (
        ["build[0]", "build[1]"],
        2,
        1,
        found.state.seq,
    )
    assert f'"chain":"{found.chain}"' in folder.events(1).read_text().splitlines()[found.seq - 1]


def test_a_version_that_was_left_behind_is_found(house: House) -> None:
    """In the generation that it was made in."""
    gone_back(house)
    found = find_version(house.run(RUN), 4)
    assert (found.generation, settled(found.state)) == (1, ["build[0]", "build[1]", "staging[0]"])


def test_a_version_of_a_later_generation_is_found(house: House) -> None:
    """Its state goes on from the earlier one's."""
    gone_back(house, ev.CheckpointMarked(version=5, at="build[0]"))
    found = find_version(house.run(RUN), 5)
    assert (found.generation, found.seq, settled(found.state)) == (2, 10, ["build[0]"])


def test_a_version_that_is_not_there_lists_those_that_are(folder: RunFolder) -> None:
    """And the command that shows them."""
    with pytest.raises(UsageProblem) as missing:
        find_version(folder, 9)
    assert (missing.value.message, missing.value.hint) == (
        f"{RUN} has no version v9",
        f"It has v1 to v4. All: `prodigy checkpoints list --workflow-id {RUN}`.",
    )


def test_a_version_before_the_damage_can_be_used(folder: RunFolder) -> None:
    """One after it cannot."""
    changed(folder.events(1), '"at":"staging[0]","attempt":1', '"at":"staging[0]","attempt":7')
    assert settled(find_version(folder, 1).state) == ["build[0]"]
    with pytest.raises(DamagedState):
        find_version(folder, 4)


def test_an_event_is_found_by_its_seq(folder: RunFolder) -> None:
    """The last one is where the run stands."""
    assert find_seq(folder, 22).state.seq == 22


def test_what_came_of_an_event_belongs_to_it(folder: RunFolder) -> None:
    """A command's end is never parted from its step's success, nor from its version; the next start is."""
    records = map(json.loads, folder.events(1).read_text().splitlines())
    end = next(record["seq"] for record in records if record["type"] == "command_finished")
    found = find_seq(folder, end)
    assert (settled(found.state), found.state.version, found.state.node("build[1]").status) == (
        ["build[0]"],
        1,
        Status.PENDING,
    )


def test_an_event_that_is_not_there_is_refused(folder: RunFolder) -> None:
    """The last one is named."""
    with pytest.raises(UsageProblem, match="has no event 23; its last is 22"):
        find_seq(folder, 23)


def test_a_step_is_found_right_before_it_began(folder: RunFolder) -> None:
    """Nothing of it has happened, all before it has."""
    found = find_node(folder, "staging[0]")
    assert (settled(found.state), found.state.node("staging[0]").status, found.target) == (
        ["build[0]", "build[1]"],
        Status.PENDING,
        None,
    )


def test_a_stage_is_found_by_its_name(folder: RunFolder) -> None:
    """At its beginning, however far it came."""
    assert settled(find_node(folder, "build").state) == []


def test_a_stage_that_never_began_is_a_target(folder: RunFolder) -> None:
    """At the latest moment that there is."""
    found = find_node(folder, "production")
    assert (found.target, found.seq) == ("production", 22)


def test_an_unknown_name_finds_the_nearest(folder: RunFolder) -> None:
    """And the versions that there are."""
    with pytest.raises(UsageProblem) as missing:
        find_restore_point(folder, "prodution")
    assert "production" in str(missing.value.hint)
    assert "versions v1 to v4" in str(missing.value.hint)


def test_a_name_of_digits_is_a_version(folder: RunFolder) -> None:
    """As both forms are accepted everywhere."""
    assert find_restore_point(folder, "2") == find_restore_point(folder, "v2") == find_version(folder, 2)


@pytest.mark.parametrize(("known", "told"), [(set(), "none yet"), ({1}, "v1"), ({1, 2, 3}, "v1 to v3")], ids=str)
def test_the_versions_that_there_are_are_told_as_a_range(known: set[int], told: str) -> None:
    """A single one alone."""
    assert told == restore_points._versions(known)


def test_a_step_is_where_it_was_last_entered(house: House) -> None:
    """With its address, for whoever wants to know whether an edited workflow has it still."""
    found = find_node(house.run(RUN), "staging")
    assert (found.at, found.target, found.generation) == ("staging", None, 1)
    later = find_node(house.run(RUN), "production")
    assert (later.at, later.target) == ("production", "production")


def test_a_history_until_a_step_is_of_the_generation_that_was_asked_for(house: House) -> None:
    """Of the present one without."""
    gone_back(house)
    older = history_until(house.run(RUN), "staging", 1)
    assert [generation.number for generation, _ in older.parts] == [1]
    assert older.parts[-1][1] == find_node(house.run(RUN), "staging", 1).seq
    assert [generation.number for generation, _ in history_until(house.run(RUN), None, None).parts] == [1, 2]
    with pytest.raises(RunNotFound) as missing:
        history_until(house.run(RUN), None, 3)
    assert (missing.value.message, missing.value.hint) == (f"{RUN} has no generation 3", "It has 1, 2.")


def test_a_history_until_an_event_ends_there(house: House) -> None:
    """One that is before the generation, or after its end, is none."""
    assert history_until(house.run(RUN), "5", None).parts[-1][1] == 5
    last = len(house.run(RUN).events(1).read_text().splitlines())
    assert history_until(house.run(RUN), str(last), None).parts[-1][1] == last
    for seq in (0, last + 1):
        with pytest.raises(RunNotFound) as missing:
            history_until(house.run(RUN), str(seq), None)
        assert missing.value.message == f"{RUN} has no event {seq}"
        assert missing.value.hint == f"It has 1 to {last}: `prodigy events ls --job-id {RUN}`."


def test_a_history_until_a_version_may_be_an_older_one(house: House) -> None:
    """Unless a generation was asked for, which has it or has not."""
    gone_back(house)
    assert [generation.number for generation, _ in history_until(house.run(RUN), "v4", None).parts] == [1]
    with pytest.raises(RunNotFound) as missing:
        history_until(house.run(RUN), "v4", 2)
    assert missing.value.message == f"{RUN} has no version v4"
