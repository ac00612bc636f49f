"""Which runs a project has, and which of them is meant."""

import shutil
from pathlib import Path

import pytest

from prodigy.errors import RunNotFound
from prodigy.kernel import events as ev
from prodigy.store.catalog import (
    find_run,
    last_number,
    last_run,
    last_unfinished,
    list_runs,
    mirrored_ids,
    overview,
    read_run,
    unfinished_of,
    workflow_ids,
)
from prodigy.store.layout import prepare_run
from prodigy.store.relocation import relocated_from
from tests.cli.made import Ending, House

OTHER = 'name: other\ncommands:\n  - shell: "true"\n'
FAILS = "name: fails\ncommands:\n  - shell: make\n"


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    """Return a project with three runs of two workflows."""
    monkeypatch.setenv("PRODIGY_HOME", str(tmp_path / "global"))
    house = House(tmp_path)
    house.make("short-aaaaaa")
    house.make("short-abbbbb")
    house.make("other-cccccc", OTHER)
    return house


def refusal(house: House, reference: str) -> tuple[str, str | None]:
    with pytest.raises(RunNotFound) as refused:
        find_run(house.project, reference)
    return refused.value.message, refused.value.hint


def test_runs_are_listed_with_the_last_first(house: House) -> None:
    """By header and by fold alike; by their ids they stand in the order of names."""
    newest_first = ["other-cccccc", "short-abbbbb", "short-aaaaaa"]
    assert [run.workflow_id for run in list_runs(house.project)] == newest_first
    assert workflow_ids(house.project) == sorted(newest_first)
    for workflow_id in newest_first:
        house.project.checkpoint(workflow_id).unlink()
    folded = list_runs(house.project)
    assert [run.workflow_id for run in folded] == newest_first
    assert [run.name for run in folded] == ["other", "short", "short"]


@pytest.mark.parametrize(
    ("reference", "meant"),
    [
        ("short", "short-abbbbb"),
        ("other", "other-cccccc"),
        ("short-aaaaaa", "short-aaaaaa"),
        ("short-aa", "short-aaaaaa"),
        ("o", "other-cccccc"),
        ("other-", "other-cccccc"),
    ],
)
def test_a_name_means_its_last_run_and_a_beginning_the_only_one(house: House, reference: str, meant: str) -> None:
    """An id means itself."""
    assert find_run(house.project, reference) == meant


def test_a_beginning_of_several_means_none(house: House) -> None:
    """They are named, with how they ended."""
    message, hint = refusal(house, "short-a")
    assert message == "short-a may mean short-abbbbb (completed), short-aaaaaa (completed)"
    assert hint == "Type more of the one you mean."


def test_what_means_no_run_is_answered_by_those_there_are(house: House) -> None:
    """Ten at most, and how many more."""
    for number in range(8):
        house.make(f"later-dddd{number:02}", OTHER)
    message, hint = refusal(house, "nothing")
    shown = (*(f"later-dddd{number:02}" for number in range(7, -1, -1)), "other-cccccc", "short-abbbbb")
    named = ", ".join(f"{workflow_id} (completed)" for workflow_id in shown)
    assert message == f"there is no run nothing; there are {named} and 1 more"
    assert hint == "All: `prodigy checkpoints list`."


def test_a_workflow_may_be_named_like_the_beginning_of_an_id(house: House) -> None:
    """Its name comes first."""
    house.make("short-aa-eeeeee", 'name: short-aa\ncommands:\n  - shell: "true"\n')
    assert find_run(house.project, "short-aa") == "short-aa-eeeeee"


def test_a_run_that_only_the_mirror_knows_is_meant_where_it_is_asked(house: House) -> None:
    """Else it is said how to go on from that."""
    shutil.rmtree(house.run("other-cccccc").path)
    assert mirrored_ids(house.mirror) == ["other-cccccc", "short-aaaaaa", "short-abbbbb"]
    assert find_run(house.project, "other", house.mirror) == "other-cccccc"
    for reference in ("other", "other-cc", "other-cccccc"):
        message, hint = refusal(house, reference)
        assert message == "the folder of other-cccccc is gone; its mirror is left"
        assert hint == "Go on from that: `prodigy resume other-cccccc --from-checkpoint mirror`."
    assert refusal(house, "othre")[0].startswith("there is no run othre; there are short-abbbbb")


def test_a_single_run_is_told_in_the_singular(house: House) -> None:
    """Where no other is left."""
    for workflow_id in ("other-cccccc", "short-abbbbb"):
        shutil.rmtree(house.run(workflow_id).path)
    assert refusal(house, "othre")[0].startswith("there is no run othre; there is short-aaaaaa (")


def test_numbers_go_on_after_those_that_only_the_mirror_knows(house: House) -> None:
    """None is given twice."""
    shutil.rmtree(house.run("other-cccccc").path)
    assert last_number(house.project, None) == 2
    assert last_number(house.project, house.mirror) == 3


def test_a_project_that_was_renamed_is_known_by_its_mirror(house: House) -> None:
    """Where it stands it was not moved; a copy is told from the original."""
    assert relocated_from(house.project, "other-cccccc") is None
    old = house.root
    new = old.with_name("renamed")
    shutil.copytree(old, new, symlinks=True)
    copy = relocated_from(type(house.project)(new), "other-cccccc")
    assert copy is not None
    assert (copy.root, copy.is_copy, copy.is_same) == (old, True, True)
    shutil.rmtree(old)
    moved = relocated_from(type(house.project)(new), "other-cccccc")
    assert moved is not None
    assert (moved.root, moved.is_copy, moved.is_same) == (old, False, True)
    assert relocated_from(type(house.project)(new), "stranger-000000") is None


def test_what_differs_from_what_the_mirror_saw_is_not_the_same(house: House) -> None:
    """An order that waits, and a log that went on without its checkpoint."""
    new = house.root.with_name("renamed")
    house.root.rename(new)
    project = type(house.project)(new)
    inbox = project.run("other-cccccc").inbox
    inbox.mkdir(exist_ok=True)
    (inbox / "order").touch()
    changed = relocated_from(project, "other-cccccc")
    assert changed is not None
    assert not changed.is_same
    own = project.checkpoint("short-aaaaaa")
    own.write_bytes(own.read_bytes() + b" ")
    other = relocated_from(project, "short-aaaaaa")
    assert other is not None
    assert not other.is_same


def test_a_bare_resume_means_the_last_run_that_is_not_completed(house: House) -> None:
    """Of those that only the mirror knows too, where that is asked."""
    house.make("fails-dddddd", FAILS, ends=lambda spawn: Ending(1))
    house.make("short-eeeeee")
    assert last_unfinished(house.project).workflow_id == "fails-dddddd"
    shutil.rmtree(house.run("fails-dddddd").path)
    assert last_unfinished(house.project, house.mirror).workflow_id == "fails-dddddd"
    with pytest.raises(RunNotFound) as nothing:
        last_unfinished(house.project)
    assert nothing.value.message == "nothing to resume: the last run, short-eeeeee, is completed"
    assert nothing.value.hint == "Start it over with `prodigy resume short-eeeeee --force`."


def test_a_file_is_no_run_but_leads_to_its_last_one(house: House) -> None:
    """Whoever types what `cook` took is told the run's id."""
    assert refusal(house, "workflow.yaml") == (
        "there is no run workflow.yaml, which is a file",
        "A run is known by its id or its workflow's name; the last one of that file: other-cccccc",
    )


def test_a_project_without_runs_says_how_one_begins(tmp_path: Path) -> None:
    """Whatever of them was asked for."""
    empty = House(tmp_path, "empty")
    hint = "Nothing was cooked here yet: `prodigy cook FILE`."
    for ask, message in (
        (lambda: last_unfinished(empty.project), "nothing to resume here"),
        (lambda: last_run(empty.project), "there is no run here"),
        (lambda: find_run(empty.project, "demo"), "there is no run demo"),
    ):
        with pytest.raises(RunNotFound) as nothing:
            ask()
        assert (nothing.value.message, nothing.value.hint) == (message, hint)


def test_the_last_run_is_the_one_that_began_last(house: House) -> None:
    """Whatever became of it; where only cleaned ones are left they are named."""
    assert last_run(house.project) == "other-cccccc"
    for workflow_id in ("short-aaaaaa", "short-abbbbb", "other-cccccc"):
        house.append(workflow_id, ev.RunCleaned(by="test", size_bytes=1))
    with pytest.raises(RunNotFound) as nothing:
        last_run(house.project)
    cleaned = "other-cccccc, short-aaaaaa, short-abbbbb"
    assert nothing.value.message == f"there is no run here; cleaned, with only the log left: {cleaned}"
    assert nothing.value.hint == "Read one: `prodigy events ls --job-id other-cccccc`."


def test_where_all_runs_were_cleaned_none_says_that_nothing_was_cooked(house: House) -> None:
    """To whoever wants to resume, and to whoever names another run."""
    for workflow_id in ("short-aaaaaa", "short-abbbbb", "other-cccccc"):
        house.append(workflow_id, ev.RunCleaned(by="test", size_bytes=1))
    told = "cleaned, with only the log left: other-cccccc, short-aaaaaa, short-abbbbb"
    for ask, message in (
        (lambda: last_unfinished(house.project), f"nothing to resume here; {told}"),
        (lambda: find_run(house.project, "nobody"), f"there is no run nobody; {told}"),
    ):
        with pytest.raises(RunNotFound) as nothing:
            ask()
        assert nothing.value.message == message


def test_a_workflow_s_unfinished_runs_are_those_of_its_name(house: House) -> None:
    """The last first, and none of others; once one of them has completed those before it are past."""
    house.make("fails-dddddd", FAILS, ends=lambda spawn: Ending(1))
    house.make("fails-eeeeee", FAILS, until=3)
    found = unfinished_of(house.project, "fails")
    assert [(run.workflow_id, run.status) for run in found] == [
        ("fails-eeeeee", "interrupted"),
        ("fails-dddddd", "failed"),
    ]
    house.make("fails-ffffff", FAILS)
    assert unfinished_of(house.project, "fails") == []


def test_a_run_without_a_turn_is_damaged_and_says_why(house: House) -> None:
    """It has no state, and its name is what its id makes of it."""
    prepare_run(house.project, "bare-dddddd").events(1).touch(0o600)
    run = read_run(house.project, "bare-dddddd")
    assert (run.workflow_id, run.status, run.name, run.number, run.running) == ("bare-dddddd", "damaged", "bare", 0, [])
    assert run.problem == "its log is empty: nothing was ever started"
    assert read_run(house.project, "gone-eeeeee").problem == f"{house.run('gone-eeeeee').path} has no log"


def test_a_run_that_is_here_is_never_taken_from_the_mirror(house: House) -> None:
    """Only one whose folder is gone is."""
    for look in (overview, read_run):
        assert not look(house.project, "short-aaaaaa", house.mirror).is_mirror_only
    shutil.rmtree(house.run("short-aaaaaa").path)
    for look in (overview, read_run):
        run = look(house.project, "short-aaaaaa", house.mirror)
        assert (run.is_mirror_only, run.status) == (True, "completed")
        assert look(house.project, "short-aaaaaa").is_damaged


def test_a_project_whose_runs_are_gone_has_none(house: House) -> None:
    """Its state folder alone lists nothing."""
    shutil.rmtree(house.project.runs)
    assert list_runs(house.project) == []
    assert workflow_ids(house.project) == []
