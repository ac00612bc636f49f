"""`init` writes a first workflow that works as it stands."""

import json
from pathlib import Path

from jsonschema import Draft202012Validator

from prodigy.plan.schema_text import json_schema
from tests.end_to_end.house import House


def test_the_first_workflow_is_valid_and_runs(tmp_path: Path) -> None:
    """Without a notice; the file itself and nothing else is in the folder."""
    house = House(tmp_path)
    written = (
        "wrote workflow.yaml\n  look:  prodigy cook workflow.yaml --dry-run\n  cook:  prodigy cook workflow.yaml\n"
    )
    assert house.prodigy("init") == (0, written, "")
    assert house.prodigy("validate", "workflow.yaml") == (0, "workflow.yaml: valid\n", "")
    words = len((house.folder / "workflow.yaml").read_text().split())
    cooked = house.prodigy("cook", "workflow.yaml")
    assert (cooked.code, f"project has {words} words" in cooked.err) == (0, True)


def test_its_first_line_names_the_schema(tmp_path: Path) -> None:
    """Relative to the file, and the schema is there."""
    house = House(tmp_path)
    house.write("flows/keep", "")
    house.prodigy("init", "flows/first.yaml")
    first, second, *_ = (house.folder / "flows/first.yaml").read_text().splitlines()
    assert (first, second) == (
        "# yaml-language-server: $schema=../.prodigy/workflow.schema.json",
        "name: first",
    )
    schema = json.loads((house.folder / "flows" / first.partition("=")[2]).read_text())
    Draft202012Validator.check_schema(schema)
    assert schema == json_schema()


def test_a_file_that_is_there_is_never_written_over(tmp_path: Path) -> None:
    """Nor is a folder made for it."""
    house = House(tmp_path)
    house.write("workflow.yaml", "mine")
    before = house.snapshot()
    assert house.prodigy("init") == (
        2,
        "",
        "error: workflow.yaml exists already\n  Name another file: `prodigy init FILE`.\n",
    )
    assert house.prodigy("init", "new/w.yaml") == (
        2,
        "",
        "error: there is no folder new\n  Make it first: `mkdir -p new`.\n",
    )
    assert house.snapshot() == before
