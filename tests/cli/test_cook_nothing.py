"""`cook` without a file lists the workflows that are here; with one that does not exist it suggests the nearest."""

from pathlib import Path

import pytest

from tests.end_to_end.house import House

STEPS = "commands: [{shell: 'true'}]\n"


@pytest.fixture
def house(tmp_path: Path) -> House:
    """A project with a few workflows, and with YAML that is none."""
    built = House(tmp_path)
    for name in ("build.yaml", "deploy.yml", "workflows/nightly.yaml"):
        built.write(name, STEPS)
    built.write("list.yaml", "- shell: make\n")
    built.write("map.yaml", "name: m\nmode: mapreduce\nmap: {}\n")
    built.write("compose.yaml", "services: {web: {command: serve}}\n")
    built.write("notes.txt", STEPS)
    return built


def test_cook_alone_lists_the_workflows_here(house: House) -> None:
    """Exit 2, with how to run one; YAML of other programs is no workflow."""
    listed = (
        "error: no workflow file; here are:\n  build.yaml\n  deploy.yml\n  list.yaml\n  map.yaml\n"
        "  workflows/nightly.yaml\n  Run one: `prodigy cook build.yaml`.\n"
    )
    assert house.prodigy("cook") == house.prodigy("run", "--yes") == (2, "", listed)
    assert not house.state.exists()


def test_cook_alone_where_there_is_none_shows_how_to_begin(tmp_path: Path) -> None:
    """With a first workflow."""
    said = "error: no workflow file, and none is here\n  Write a first one: `prodigy init`.\n"
    assert House(tmp_path).prodigy("cook") == (2, "", said)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("build.yam", "build.yaml"),
        ("biuld.yaml", "build.yaml"),
        ("build", "build.yaml"),
        ("deploy.yaml", "deploy.yml"),
        ("nightly", "workflows/nightly.yaml"),
        ("workflows/nigthly.yaml", "workflows/nightly.yaml"),
    ],
)
@pytest.mark.parametrize("command", ["cook", "validate"])
def test_a_file_that_does_not_exist_suggests_the_nearest(house: House, command: str, typed: str, meant: str) -> None:
    """Wherever a workflow file is named."""
    refused = house.prodigy(command, typed)
    assert (refused.code, f"  did you mean {meant}?\n" in refused.err) == (3, True)


def test_a_file_that_resembles_nothing_is_asked_for(house: House) -> None:
    """Without a guess: an ending alone makes no two names alike. The workflows that are here are named."""
    here = "  Here are build.yaml, deploy.yml, list.yaml, map.yaml and workflows/nightly.yaml.\n"
    assert [house.prodigy("cook", name).err.endswith(here) for name in ("zzz", "nix.yaml", "b.yml")] == [True] * 3


def test_where_no_workflow_is_here_a_file_that_does_not_exist_shows_how_to_begin(tmp_path: Path) -> None:
    """With a first workflow."""
    assert House(tmp_path).prodigy("cook", "nix.yaml").err.endswith("\n  Write a first one: `prodigy init`.\n")
