"""With --json an error is a document too: on stdout, where a program looks; what people read stays on stderr."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from prodigy.cli.option_conflicts import name_of
from tests.cli.test_option_conflicts import COMMANDS
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


# Every command -------------------------------------------------------------------------------------------------

NOTHING = {"ps", "doctor", "schema", "checkpoints list"}  # what they look at is always there


def test_every_command_takes_json() -> None:
    """A program never has to read what people read."""
    assert [] == [words for words, command in COMMANDS.items() if "--json" not in map(name_of, command.params)]


def refused(house: House, *words: str) -> tuple[int, dict[str, object]]:
    """Return the exit code of a command with --json and the document that is all of its stdout."""
    ended = house.prodigy(*words)
    return ended.code, json.loads(ended.out)


@pytest.mark.parametrize("words", COMMANDS)
def test_a_slip_of_the_hand_is_a_document_of_every_command(house: House, words: str) -> None:
    """Its keys are a contract."""
    code, document = refused(house, *words.split(), "--no-such-option", "--json")
    assert (2, ["schema_version", "error", "hint", "exit_code"]) == (code, list(document))
    assert (1, 2, True) == (document["schema_version"], document["exit_code"], "no-such-option" in str(document))


@pytest.mark.parametrize("words", [words for words in COMMANDS if words not in NOTHING])
def test_what_is_not_there_is_a_document_of_every_command(house: House, words: str) -> None:
    """A run, a file, a folder: the code is that of its kind."""
    house.write("taken.yaml", "x")
    names = [name_of(one) for one in COMMANDS[words].params]
    there = {"FILE": "taken.yaml" if words == "init" else "nothing.yaml", "FILES": "nothing.yaml", "PATTERN": "x"}
    given = [there.get(name, "nobody") for name in names if not name.startswith("-")]
    more = {"fork": ["--at", "v1"], "checkpoints clean": ["--workflow-id", "nobody"]}.get(words, [])
    code, document = refused(house, *words.split(), *given, *more, "--json")
    kind = {"init": 2, "cook": 3, "run": 3, "validate": 3, "checkpoints clean": 6}.get(words, 6)
    told = [] if words in ("validate", "checkpoints clean") else [document["exit_code"]]
    assert (kind, [kind] if told else []) == (code, told), document


# The exports ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [("events", "export"), ("dlq", "export")], ids=" ".join)
def test_an_export_takes_json_for_its_format(house: House, words: tuple[str, ...]) -> None:
    """And refuses it beside another."""
    house.workflow({"shell": "true"})
    house.cook()
    document = house.prodigy(*words, "--format", "json")
    both, other = (
        house.prodigy(*words, "--format", "json", "--json"),
        house.prodigy(*words, "--format", "csv", "--json"),
    )
    assert (document, document) == (house.prodigy(*words, "--json"), both)
    assert (2, "--json is --format json, and --format says csv") == (other.code, json.loads(other.out)["error"])


def test_what_follows_a_run_is_one_document_at_its_end(house: House) -> None:
    """With --json; a line per event is --jsonl."""
    house.workflow({"shell": "true"})
    house.cook()
    followed = json.loads(house.prodigy("events", "follow", "--json").out)
    lines = [json.loads(line) for line in house.prodigy("events", "follow", "--jsonl").out.splitlines()]
    assert {"schema_version": 1, "workflow_id": house.run_id, "events": lines} == followed


def test_a_key_of_the_schema_is_a_document(house: House) -> None:
    """With what its value may be, as JSON Schema."""
    told = json.loads(house.prodigy("schema", "retry.backoff", "--json").out)
    assert {
        "schema_version": 1,
        "keys": [
            {
                "name": "backoff",
                "of": "retry",
                "about": "How waits grow: exponential unless told.",
                "takes": "one of fixed, linear, exponential, fibonacci",
                "alias_of": None,
                "is_available": True,
                "keys": [],
                "schema": {"enum": ["fixed", "linear", "exponential", "fibonacci"]},
            }
        ],
    } == told


def test_the_schema_is_the_same_with_json_and_without(house: House) -> None:
    """It is JSON either way."""
    assert house.prodigy("schema") == house.prodigy("schema", "--json")
