"""A run whose steps use git, as agents do, in the repository that the run's own state lies in."""

import subprocess
from collections.abc import Callable

import pytest

from prodigy.store.ignoring import IGNORE
from tests.end_to_end.house import House, eventually


@pytest.fixture
def repository(house: House) -> House:
    """A house whose project is a repository with one commit, and a workflow in it."""
    house.write(".gitconfig", "")
    git(house, "init", "-q")
    git(house, "config", "user.email", "a@b")
    git(house, "config", "user.name", "a")
    house.write("file", "text\n")
    git(house, "add", "file")
    git(house, "commit", "-qm", "first")
    return house


def git(house: House, *words: str) -> str:
    """Run git in the project and return what it prints."""
    command = ("git", *words)
    done = subprocess.run(
        command, cwd=house.folder, env=house.environment, check=True, capture_output=True, text=True, timeout=60
    )
    return done.stdout


def nothing_of_ours(house: House) -> None:
    """The state folder holds only what the machine writes."""


def with_a_config(house: House) -> None:
    house.write(".prodigy/config.yml", "a: 1\n")


def with_a_tracked_config(house: House) -> None:
    with_a_config(house)
    git(house, "add", ".")
    git(house, "commit", "-qm", "config")


COMMANDS = {
    "clean": "git clean -fdq",
    "stash": "echo more >> file; echo new > new; git stash -uq",
    "add": "git add -A; git commit -qm all --allow-empty",
    "checkout": "echo more >> file; git checkout -q .",
    "reset": "echo more >> file; git add -A; git reset -q --hard",
    "branches": "git checkout -qb there; git checkout -q -; git branch -qD there",
}
PLACES: tuple[Callable[[House], None], ...] = (nothing_of_ours, with_a_config, with_a_tracked_config)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", COMMANDS)
def test_what_agents_do_with_git_leaves_the_run_alone(
    repository: House, name: str, place: Callable[[House], None]
) -> None:
    """Each twice within one run, and nothing of the run is staged, stashed or removed."""
    house = repository
    place(house)
    house.workflow(
        *({"shell": f"set -e; {COMMANDS[name]}", "capture_output": f"c{n}"} for n in range(2)), {"shell": "true"}
    )
    git(house, "add", "demo.yaml")
    git(house, "commit", "-qm", "workflow")
    code = house.cook().code
    taken = git(house, "log", "--all", "--name-only", "--format=")
    shown = git(house, "status", "--porcelain", "--untracked-files=all", "--ignored=no")
    ours = {line for line in (taken + shown).split() if line.startswith(".prodigy") and line != ".prodigy/config.yml"}
    assert (0, set(), 0) == (code, ours, house.prodigy("events", "verify").code)


def test_a_gitignore_that_a_step_removes_is_put_back_during_the_run(repository: House) -> None:
    """A clean in the same step finds the exclude file, one in a later step both."""
    house = repository
    house.workflow({"shell": f"rm .prodigy/.gitignore; git clean -fdq; {house.gate('slow')}"}, {"shell": "true"})
    git(house, "add", "demo.yaml", "slow.gate")
    git(house, "commit", "-qm", "workflow")
    live = house.start("cook", "demo.yaml")
    house.reached("slow")
    path = house.state / ".gitignore"
    eventually(path.exists, "the .gitignore, again")
    put_back = path.read_bytes()
    house.open("slow")
    assert (0, IGNORE) == (live.wait().code, put_back)


def test_a_clean_of_all_that_is_ignored_stops_the_run_and_the_mirror_leads_back(repository: House) -> None:
    """At once, though the step goes on for hours; what was acknowledged is not run again."""
    house = repository
    clean = f"touch ../cleaned; git clean -fdxq -e '*.gate'; {house.gate('hours')}"
    house.workflow(
        {"shell": "echo first >> ../ran"}, {"shell": f"echo second >> ../ran; [ -e ../cleaned ] || {{ {clean}; }}"}
    )
    git(house, "add", "demo.yaml")
    git(house, "commit", "-qm", "workflow")
    code, _, err = house.cook()
    again = house.prodigy(*way_back(err))
    assert (1, 0, f"{house.state} was removed while" in err) == (code, again.code, True), err
    assert ["first", "second", "second"] == (house.home / "ran").read_text().split()


def way_back(err: str) -> list[str]:
    """Return what stderr says is to be typed after `prodigy`, which is to go on from the mirror."""
    (command,) = [part for part in err.split("`") if part.startswith("prodigy resume")]
    words = command.split()
    assert words[3:5] == ["--from-checkpoint", "mirror"], err
    return words[1:]


@pytest.mark.parametrize("removed", [".prodigy", ".prodigy/runs", ".prodigy/runs/*", '.prodigy "$PRODIGY_HOME"'])
def test_state_that_the_first_step_removes_leaves_the_way_back(house: House, removed: str) -> None:
    """Before anything was acknowledged, and with the mirror too: that is written once more, for it is still known."""
    house.workflow({"shell": f"[ -e ready ] || {{ rm -rf {removed}; {house.gate('hours')}; }}"})
    code, _, err = house.cook()
    house.write("ready", "")
    assert (1, 0) == (code, house.prodigy(*way_back(err)).code), err


def test_a_log_that_a_step_removes_leaves_the_way_back(house: House) -> None:
    """The rest of the run's folder is still there."""
    house.workflow({"shell": house.traced("one")}, {"shell": "[ -e ready ] || rm .prodigy/runs/*/events-1.jsonl"})
    code, _, err = house.cook()
    house.write("ready", "")
    assert (1, 0, ["one"]) == (code, house.prodigy(*way_back(err)).code, house.trace), err


def test_a_lock_that_a_step_removes_stops_the_run(house: House) -> None:
    """Another process may own the run by then; where none does, resume goes on."""
    house.workflow({"shell": f"[ -e ready ] || {{ rm .prodigy/runs/*/lock; {house.gate('hours')}; }}"})
    code, _, err = house.cook()
    house.write("ready", "")
    assert (1, True, 0) == (code, "lock was removed while the run went on" in err, house.prodigy("resume").code), err
