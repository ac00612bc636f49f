"""What is said of other runs: by `cook` beside an unfinished one, and by a `resume` that names none."""

import json
import os
from pathlib import Path

import pytest

from tests.cli.made import House as Made
from tests.end_to_end.house import House
from tests.end_to_end.test_confirmation import At, terminal

__all__ = ["terminal"]
FAILS = {"id": "work", "shell": "[ -e mended ]"}


def notes(err: str) -> list[str]:
    """Return what was said beside the events."""
    return [line.removeprefix("    note  ") for line in err.splitlines() if line.startswith("    note  ")]


def last_run(house: House) -> str:
    """Return the id of the run that was cooked last."""
    return str(json.loads(house.prodigy("status", "--json").out)["workflow_id"])


def unfinished(run: str, how: str = "failed just now", more: str = "") -> str:
    """Return what `cook` says of a run that is not finished."""
    return f"{run} ({how}) is unfinished{more}; this begins another run. To go on with that one: `prodigy resume {run}`"


def test_cook_beside_an_unfinished_run_says_how_to_go_on_with_it(house: House) -> None:
    """And begins another run all the same; of several the last is named."""
    house.workflow(FAILS)
    assert [] == notes(house.cook().err)
    first = last_run(house)
    assert [unfinished(first)] == notes(house.cook().err)
    second = last_run(house)
    assert [unfinished(second, more=", and 1 other run of this workflow")] == notes(house.cook().err)
    assert 3 == len({first, second, last_run(house)})


def test_a_completed_run_leaves_what_was_before_it_behind(house: House) -> None:
    """The work was done since; and runs of other workflows are none of this one's."""
    house.workflow(FAILS)
    house.cook()
    house.workflow(FAILS, name="demo-two")
    house.cook("demo-two")
    house.write("mended", "")
    assert 0 == house.cook().code
    assert (0, []) == (house.cook().code, notes(house.cook().err))


def test_cook_beside_a_live_run_says_whose_it_is(house: House) -> None:
    """With the command that stops it."""
    house.workflow({"id": "work", "shell": house.gate("work")}, name="live")
    house.workflow(FAILS)
    live = house.start("cook", "live.yaml")
    house.arrived("work")
    run = house.run_id
    house.write("live.yaml", json.dumps({"name": "live", "commands": [{"shell": "true"}]}))
    said = notes(house.cook("live").err)
    assert [
        f"{run} is live (process {live.pid}); this begins another run beside it. To stop that one: `prodigy stop {run}`"
    ] == said


def test_a_bare_resume_says_which_run_it_takes_and_how_old_that_is(house: House) -> None:
    """Where nobody can be asked."""
    house.workflow(FAILS)
    house.cook()
    assert [f"the last run is {house.run_id} (failed just now) of demo.yaml"] == notes(house.prodigy("resume").err)


def test_after_a_refusal_a_bare_resume_says_that_it_takes_another(house: House) -> None:
    """Until something is cooked or resumed."""
    house.workflow(FAILS)
    house.cook()
    house.write("other.yaml", "commands: [{shel: x}]")
    assert 3 == house.cook("other").code
    lead = f"the last run is {house.run_id} (failed just now) of demo.yaml"
    assert [f"{lead}; other.yaml was refused and has no run"] == notes(house.prodigy("resume").err)
    assert [lead] == notes(house.prodigy("resume").err)


@pytest.mark.parametrize(("keys", "code", "trace"), [("\n", 1, []), ("y\n", 0, ["work"])], ids=["no", "yes"])
def test_on_a_terminal_it_asks_after_a_refusal(
    house: House, terminal: At, keys: str, code: int, trace: list[str]
) -> None:
    """Whoever was refused may mean the other workflow."""
    house.workflow({"id": "work", "shell": "[ -e mended ] && echo work >> trace"})
    house.cook()
    house.write("other.yaml", "commands: [{shel: x}]")
    house.cook("other")
    house.write("mended", "")
    person = terminal("resume")
    person.shows("go on with it? [y/N]")
    person.types(keys)
    assert (code, trace) == (person.wait(), house.trace)


def test_on_a_terminal_it_asks_where_the_run_is_older_than_a_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, terminal: At, house: House
) -> None:
    """What was begun so long ago may have been forgotten on purpose."""
    for name, value in house.environment.items():
        monkeypatch.setenv(name, value)
    made = Made(tmp_path, "old")
    made.make("short-aaaaaa", until=3)  # of the year in which the stories play
    for entry in made.root.iterdir():
        os.rename(entry, house.folder / entry.name)
    person = terminal("resume")
    person.shows("go on with it? [y/N]")
    assert "days ago) of workflow.yaml" in " ".join(person.shown.split())  # however it folds
    person.types("n\n")
    assert 1 == person.wait()
