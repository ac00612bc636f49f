"""Every document of the public lists is refused in our words, or read as what it stands for."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.corpus.lists import IS_THERE, WHY_NOT, json_examples, yaml_examples

pytestmark = pytest.mark.skipif(not IS_THERE, reason=WHY_NOT)

ROOT = Path(__file__).parents[2]
SECONDS_MAX = 2.0
MEMORY_BYTES_MAX = 300 * 1024 * 1024
# What libyaml reads although YAML 1.2 forbids it. It is read as a person would, and nothing of it is lost.
LENIENT = {
    "9C9N", "9JBA", "CVW2", "DK95-1", "G5U8", "QB6E", "S98Z", "SU5Z", "X4QW", "Y79Y-3", "YJV2",
}  # fmt: skip


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    """What became of all documents, in all their uses."""
    reader = (sys.executable, "-m", "tests.corpus.reader")
    said = subprocess.run(reader, cwd=ROOT, capture_output=True, check=True, timeout=300)
    found: dict[str, Any] = json.loads(said.stdout)
    return found


def test_no_document_raises(report: dict[str, Any]) -> None:
    """Whatever a file holds, there is a sentence about it or it is read."""
    assert {name: became for name, became in report["read"].items() if "raised" in became} == {}


def test_every_refusal_says_something(report: dict[str, Any]) -> None:
    """A refusal without words would teach nobody, and an escape sequence would drive a terminal."""
    problems = {name: became["problem"] for name, became in report["read"].items() if "problem" in became}
    assert len(problems) > 1_000
    assert [name for name, text in problems.items() if not text.strip() or "\033" in text] == []


def test_each_is_read_in_time_and_memory(report: dict[str, Any]) -> None:
    """At most two seconds of processor time each, and 300 MB for all of them together."""
    assert {name: became for name, became in report["read"].items() if became["seconds"] > SECONDS_MAX} == {}
    assert report["memory_bytes"] < MEMORY_BYTES_MAX


def test_yaml_that_is_read_is_read_rightly(report: dict[str, Any]) -> None:
    """A document that is not refused has the values that the suite says."""
    wrong = {}
    for name, example in yaml_examples().items():
        became = report["read"][f"{name} as data"]
        if "values" in became and example.is_valid and example.values not in (None, became["values"]):
            wrong[name] = (example.data, became["values"])
    assert wrong == {}


def test_yaml_that_is_none_is_refused(report: dict[str, Any]) -> None:
    """But for what the library lets pass, which is listed."""
    examples = yaml_examples()
    read = {name for name, example in examples.items() if "values" in report["read"][f"{name} as data"]}
    assert {name for name in read if examples[name].is_valid is False} == LENIENT


def test_json_is_read_or_refused_as_its_name_says(report: dict[str, Any]) -> None:
    """`y_` is read, `n_` refused; we refuse beyond that a name that stands twice, and take blanks for an empty list."""
    wrong = {}
    for name, example in json_examples().items():
        became = report["read"][f"{name} as JSON items"]
        if example.is_valid is not None and example.is_valid != ("values" in became):
            wrong[name] = became.get("problem", "was read")
    assert wrong == {
        "n_single_space.json": "was read",
        "n_structure_no_data.json": "was read",
        "y_object_duplicated_key.json": "a.json:1: the name 'a' stands twice in one object",
        "y_object_duplicated_key_and_value.json": "a.json:1: the name 'a' stands twice in one object",
    }


def test_json_that_is_read_is_read_rightly(report: dict[str, Any]) -> None:
    """Item by item what Python's own reader makes of it."""
    wrong = {}
    for name, example in json_examples().items():
        became = report["read"][f"{name} as JSON items"]
        if "values" in became and example.data.strip():
            whole = json.loads(example.data)
            if became["values"] != (whole if isinstance(whole, list) else [whole]):
                wrong[name] = (example.data, became["values"])
    assert wrong == {}
