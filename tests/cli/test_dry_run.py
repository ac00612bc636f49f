"""`cook --dry-run` shows what a run would do, and does nothing."""

import json
from pathlib import Path

import pytest

from tests.end_to_end.house import House
from tests.end_to_end.mapped import mapreduce

WORKFLOW = """\
name: release
variables: {target: two words, fast: true}
stages:
  - name: build
    commands:
      - shell: make ${target}; touch made
        id: make
        on_failure: {shell: "echo ${make.error}"}
      - shell: |
          echo "${target}"
          echo ${make.output}
        when: ${make.success}
  - name: check
    when: "!${fast}"
    commands:
      - claude: /check ${target}
"""
SHOWN = """\
release: 2 stages, 3 steps; nothing is run, nothing is written

stage  build
  build.make
    shell: make 'two words'; touch made
    on failure  build.make.on_failure[0]
      shell: echo ${make.error}
      known only when it runs: ${make.error}
  build[1]
    shell: echo "two words"
           echo ${make.output}
    only if ${make.success}
    known only when it runs: ${make.output}
stage  check
  would be skipped: !${fast}, with ${fast} = true
  check[0]
    would be skipped: check is skipped
"""
NOTE = "    note  2 things may not be meant: `prodigy validate release.yaml`\n"


@pytest.fixture
def house(tmp_path: Path) -> House:
    """A project with nothing but a workflow."""
    built = House(tmp_path)
    built.write("release.yaml", WORKFLOW)
    return built


def test_everything_is_shown_and_nothing_is_changed(house: House) -> None:
    """No step runs, no folder is made, no file is touched."""
    before = house.snapshot()
    assert house.prodigy("cook", "release.yaml", "--dry-run") == (0, SHOWN, NOTE)
    assert house.snapshot() == before


def test_parameters_decide_as_in_a_run(house: House) -> None:
    """What was skipped would run now, with other values."""
    shown = house.prodigy("cook", "release.yaml", "--dry-run", "--param", "fast=", "-p", "target=it").out
    assert shown.splitlines()[-3:] == ["stage  check", "  check[0]", "    claude: /check it"]


def test_a_map_is_one_step_as_in_every_count_of_a_run(house: House) -> None:
    """Its template is shown and not counted: how often it runs is for the items to say."""
    mapreduce(house, {"shell": "one ${item}"}, {"shell": "two ${item}"}, input=["a"], reduce=[{"shell": "true"}])
    shown = house.prodigy("cook", "demo.yaml", "--dry-run").out
    assert shown.startswith("demo: 1 stage, 2 steps; nothing is run"), shown


def test_programs_get_a_document(house: House) -> None:
    """With every step and stage as a row."""
    document = json.loads(house.prodigy("cook", "release.yaml", "--dry-run", "--json").out)
    rows = document.pop("steps")
    assert document == {"schema_version": 1, "name": "release", "missing": []}
    assert rows[2] == {
        "address": "build.make.on_failure[0]",
        "kind": "shell",
        "command": "echo ${make.error}",
        "depth": 2,
        "is_handler": True,
        "unknown": ["${make.error}"],
        "skipped": "",
        "condition": "",
    }


def test_a_file_with_mistakes_is_refused_as_by_cook(house: House) -> None:
    """With the same words, and nothing is made."""
    house.write("release.yaml", "- shel: make\n")
    before = house.snapshot()
    refused = house.prodigy("cook", "release.yaml", "--dry-run")
    assert (refused, house.snapshot()) == (house.prodigy("cook", "release.yaml"), before)
    assert refused.code == 3
