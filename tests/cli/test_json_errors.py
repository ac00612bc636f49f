"""With --json an error is a document too: on stdout, where a program looks; what people read stays on stderr."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.house import House


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A house in which nothing was cooked."""
    built = House(tmp_path)
    yield built
    built.close()


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("status", "nobody", "--json"), 6),
        (("dlq", "list", "nobody", "--json"), 6),
        (("explain", "nobody", "step", "--json"), 6),
        (("stop", "nobody", "--json"), 6),
        (("resume", "--json"), 6),
        (("cook", "nothing.yaml", "--json"), 3),
        (("status", "--json", "--watsch"), 2),
        (("status", "--watch", "--json"), 2),
        (("sttus", "--json"), 2),
    ],
)
def test_an_error_is_a_document(house: House, words: tuple[str, ...], code: int) -> None:
    """With what happened, what to type next and the exit code."""
    ended = house.prodigy(*words)
    document = json.loads(ended.out)
    assert (code, code, 1) == (ended.code, document["exit_code"], document["schema_version"])
    assert ended.err.startswith(f"error: {document['error'].splitlines()[0]}")
    assert document["hint"] is None or document["hint"] in ended.err


def test_the_mistakes_of_a_file_are_told_one_by_one(house: House) -> None:
    """With their places, as by `validate --json`."""
    house.write("bad.yaml", "commands: [{shel: x}]")
    problems = json.loads(house.prodigy("cook", "bad.yaml", "--json").out)["problems"]
    assert [("bad.yaml", 1, 13)] == [(one["file"], one["line"], one["column"]) for one in problems]


def test_what_follows_two_dashes_is_no_option(house: House) -> None:
    """It is a value, and may be spelled like one."""
    assert "" == house.prodigy("status", "--", "--json").out


def test_without_json_stdout_is_empty(house: House) -> None:
    """As ever."""
    assert (6, "") == house.prodigy("status", "nobody")[:2]
