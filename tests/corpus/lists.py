"""Public lists of difficult data, where they lie beside the project; without them their tests are skipped.

yaml-test-suite and JSONTestSuite are documents, the big list of naughty strings is texts.
"""

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

import yaml

FOLDER = Path(__file__).parents[3] / "shared" / "corpus"
YAML_SUITE = FOLDER / "yaml-test-suite" / "src"
JSON_SUITE = FOLDER / "json-test-suite" / "test_parsing"
NAUGHTY = FOLDER / "naughty-strings.json"

IS_THERE = YAML_SUITE.is_dir() and JSON_SUITE.is_dir() and NAUGHTY.is_file()
WHY_NOT = "the public lists do not lie beside this clone"


class Example(NamedTuple):
    """A document, whether it is one at all, and the values that it stands for where the list says so."""

    data: bytes
    is_valid: bool | None
    values: list[Any] | None


def yaml_examples() -> dict[str, Example]:
    """Return what the YAML test suite holds, by its ids: `229Q`, and `3RLN-2` for the third of several in a file."""
    found = {}
    for path in sorted(YAML_SUITE.glob("*.yaml")):
        cases = yaml.safe_load(path.read_text())
        for index, case in enumerate(cases):
            if "yaml" in case:
                name = path.stem if index == 0 else f"{path.stem}-{index}"
                values = None if case.get("json") is None else list(_documents(case["json"]))
                found[name] = Example(_as_it_is(case["yaml"]).encode(), not case.get("fail", False), values)
    return found


def json_examples() -> dict[str, Example]:
    """Return the JSON documents by their file names, which begin with y, n, or i for either."""
    validity = {"y": True, "n": False, "i": None}
    return {
        path.name: Example(path.read_bytes(), validity[path.name[0]], None) for path in sorted(JSON_SUITE.glob("*"))
    }


def naughty_strings() -> list[str]:
    """Return the naughty strings, each once."""
    found: list[str] = json.loads(NAUGHTY.read_text())
    return list(dict.fromkeys(found))


def _as_it_is(text: str) -> str:
    """Return what a text of the suite stands for: it writes blanks, tabs and ends so that they can be seen."""
    text = re.sub("—*»", "\t", text.replace("␣", " "))
    return text.replace("←", "\r").replace("⇔", "\ufeff").replace("↵", "").replace("∎\n", "").replace("∎", "")


def _documents(text: str) -> Any:
    decoder, rest = json.JSONDecoder(), text.strip()
    while rest:
        value, end = decoder.raw_decode(rest)
        yield value
        rest = rest[end:].strip()
