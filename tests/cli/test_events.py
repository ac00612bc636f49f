"""`events`: what happened, listed, searched, counted and exported; always as it was logged."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from prodigy.kernel import events as ev
from prodigy.store.log import Scan
from tests.cli.looks import STORY, begin, golden, looks, piped, played, private, settle, told
from tests.cli.made import Ending, House, changed
from tests.kernel.story import begun
from tests.simulation.plans import compiled, step

RUN = "story-000001"


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    """A project in which the story has run."""
    built = settle(tmp_path, monkeypatch)
    told(built)
    return built


def seqs(*words: str) -> list[int]:
    """Return the events that are listed."""
    said = piped("events", *words, "--jsonl")
    assert said.err == ""
    return [json.loads(line)["seq"] for line in said.out.splitlines()]


def logged(house: House, run: str = RUN, generation: int = 1) -> list[dict[str, Any]]:
    """Return the records as the log has them."""
    return [json.loads(record.line) for record in Scan([house.run(run).events(generation).read_bytes()])]


@pytest.mark.parametrize("words", [("ls",), ("stats",), ("search", "hello")], ids=lambda words: str(words[0]))
def test_it_looks_like_this(
    house: House, monkeypatch: pytest.MonkeyPatch, rewrites: bool, words: tuple[str, ...]
) -> None:
    """Columns; on a terminal the last one wraps, in a pipe a row is a line."""
    golden(f"events-{words[0]}", looks(monkeypatch, "events", *words), rewrites=rewrites)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--type", "node_skipped"), [29]),
        (("--type", "node_skipped", "--type", "value_captured"), [6, 29]),
        (("--step", "greet"), [4, 5, 6, 7, 8]),
        (("--step", "build.greet"), [4, 5, 6, 7, 8]),
        (("--step", "lint", "--type", "command_started"), [18, 22]),
        (("--step", "check", "--type", "node_started"), [17, 21]),
        (("--step", "workflow", "--limit", "1"), [32]),
        (("--after-seq", "31"), [32, 33]),
        (("--limit", "2"), [32, 33]),
        (("--limit", "2", "--type", "checkpoint_marked"), [28, 31]),
        (("--since", "2026-01-31T09:00:22+00:00", "--type", "command_finished"), [23]),
        (("--since", "2h"), []),
        (("--generation", "1", "--after-seq", "32"), [33]),
    ],
)
def test_filters_choose_what_is_listed(house: House, words: tuple[str, ...], expected: list[int]) -> None:
    """Each, and together."""
    assert seqs("ls", *words) == expected


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("--type", "node_skiped"), 2, "did you mean --type node_skipped?"),
        (("--step", "grete"), 2, "did you mean --step greet?"),
        (("--since", "yesterday"), 2, "For example: 2h, 30m, 2026-01-31T09:00"),
        (("--generation", "2"), 6, "It has 1."),
        (("--job-id", "nobody"), 6, "there is no run nobody"),
    ],
)
def test_what_is_not_there_is_said(house: House, words: tuple[str, ...], code: int, message: str) -> None:
    """With what there is."""
    said = piped("events", "ls", *words)
    assert (said.code, message in said.err, said.out) == (code, True, "")


def test_records_are_shown_as_they_were_logged(house: House) -> None:
    """In a document and in lines: nothing is rounded, cut or left out."""
    records = logged(house)
    document = json.loads(piped("events", "ls", "--json").out)
    assert document == {"schema_version": 1, "workflow_id": RUN, "events": records}
    assert [json.loads(line) for line in piped("events", "ls", "--jsonl").out.splitlines()] == records


def test_nothing_is_cut_in_a_pipe(house: House) -> None:
    """However long a detail is."""
    begin(house, "long-1", *begun(compiled(step("a"))), ev.RunFailed(at="a", error="x" * 500))
    assert f"error={'x' * 500}\n" in piped("events", "ls", "--job-id", "long-1").out


def test_an_older_generation_can_be_listed(house: House) -> None:
    """Without a number it is the present one."""
    start = ev.GenerationStarted(generation=2, parent=1, from_seq=0, from_chain="0" * 16, version=5, reason="--force")
    begin(house, RUN, start, generation=2)
    assert [seqs("ls", "--job-id", RUN, *words)[-1] for words in ((), ("--generation", "1"))] == [1, 33]


def test_who_went_back_is_told_where_the_history_before_is(house: House) -> None:
    """On stderr, with what to type; not where a generation was asked for, nor to a program."""
    start = ev.GenerationStarted(generation=2, parent=1, from_seq=0, from_chain="0" * 16, version=5, reason="--force")
    begin(house, RUN, start, generation=2)
    note = f"note: this is generation 2, which began anew; what was before:  prodigy events ls {RUN} --generation 1\n"
    asked = [("ls", RUN), ("ls", RUN, "--generation", "1"), ("ls", RUN, "--json"), ("ls", RUN, "--jsonl")]
    assert [piped("events", *words).err for words in asked] == [note, "", "", ""]


def test_every_command_takes_the_run_with_and_without_the_option(house: House) -> None:
    """And not twice."""
    commands = [("ls",), ("search", "hello"), ("stats",), ("export",), ("follow",), ("verify",)]
    for words in commands:
        one, other = piped("events", *words, RUN), piped("events", *words, "--job-id", RUN)
        assert (0, one) == (one.code, other), words
        refused = piped("events", *words, RUN, "--job-id", RUN)
        assert (2, "error: REF and --job-id are the same\n  Give one of them.\n") == (refused.code, refused.err)


def test_stored_values_that_are_gone_do_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cleaned run has only its log."""
    built = settle(tmp_path, monkeypatch)
    told_large(built)
    for value in built.run("large-1").values.iterdir():
        value.unlink()
    records = logged(built, "large-1")
    shown = json.loads(piped("events", "ls", "--job-id", "large-1", "--json").out)["events"]
    assert (shown, any("stored" in record for record in records)) == (records, True)
    assert seqs("ls", "--job-id", "large-1", "--step", "build.greet") == [4, 5, 6, 7, 8]
    assert seqs("search", "checkpoint_marked", "--job-id", "large-1", "--step", "build.greet") == [8]


def told_large(house: House) -> None:
    """Play the story with an output that is kept in a file."""
    large = Ending(output="x" * 20_000 + " needle\n")
    house.make("large-1", STORY, ends=lambda spawn: large if spawn.at == "build.greet" else played(spawn))
    private(house)


def test_damage_is_met_when_it_is_reached(house: House) -> None:
    """What is before it can still be listed."""
    changed(house.run(RUN).events(1), '"name":"greeting"', '"name":"greedily"')
    said = piped("events", "ls", "--job-id", RUN, "--jsonl")
    assert (said.code, said.out.count("\n"), "line 6" in said.err or "line 5" in said.err) == (7, 4, True)


# Search ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("hello world",), [5, 6]),
        (("HELLO WORLD",), []),
        (("HELLO WORLD", "-i"), [5, 6]),
        (("^hello world$",), [5, 6]),
        (('"attempt":2',), [11, 12]),
        (("exit code [0-9]",), [10, 19]),
        (("hello", "--step", "greet", "--type", "command_started"), [4]),
        (("hello", "--limit", "1"), [6]),
    ],
)
def test_a_pattern_is_looked_for_in_texts_and_in_the_record(
    house: House, words: tuple[str, ...], expected: list[int]
) -> None:
    """As a person reads them, and as they were logged."""
    assert seqs("search", *words) == expected


def test_a_pattern_is_looked_for_in_stored_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is large is no less searched."""
    told_large(settle(tmp_path, monkeypatch))
    assert seqs("search", "needle$") == [5, 6]


def test_nothing_found_is_said_and_exits_with_1(house: House) -> None:
    """As with grep; a document is a document all the same."""
    assert piped("events", "search", "nowhere") == (1, "", "nothing in story-000001 matches 'nowhere'\n")
    said = piped("events", "search", "nowhere", "--json")
    expected = {"schema_version": 1, "workflow_id": RUN, "pattern": "nowhere", "events": []}
    assert (said.code, json.loads(said.out)) == (1, expected)


@pytest.mark.parametrize("pattern", ["(", r"\1(a)", "(?=x)", "a{1001}"])
def test_a_pattern_that_cannot_be_read_is_said(house: House, pattern: str) -> None:
    """Look-ahead and back-references are not linear, so they are none."""
    said = piped("events", "search", pattern)
    assert (said.code, said.out, said.err.startswith("error: the pattern '")) == (2, "", True)


# Export ------------------------------------------------------------------------------------------------------


def test_an_export_is_the_log_in_three_forms(house: House) -> None:
    """JSON lines unless told."""
    records = logged(house)
    lines = [json.loads(line) for line in piped("events", "export").out.splitlines()]
    document = json.loads(piped("events", "export", "--format", "json").out)["events"]
    rows = list(csv.DictReader(io.StringIO(piped("events", "export", "--format", "csv").out)))
    assert (lines, document) == (records, records)
    assert [(row["seq"], row["type"], row["at"]) for row in rows] == [
        (str(record["seq"]), record["type"], record.get("at", "")) for record in records
    ]


def test_the_columns_of_a_table_are_a_contract(house: House) -> None:
    """With a row as it comes out."""
    out = piped("events", "export", "--format", "csv", "--type", "command_finished", "--step", "flaky").out
    assert out.splitlines()[:2] == [
        "seq,time,type,at,attempt,epoch,exit_code,signal,duration_s,cost_usd,error,version,details",
        "10,2026-01-31T09:00:09.000000Z,command_finished,build.flaky,,9,3,,1.5,,exit code 3,,"
        '"{""output_file"": ""outputs/9.out""}"',
    ]


# Statistics --------------------------------------------------------------------------------------------------


def test_the_statistics_are_a_contract(house: House) -> None:
    """Their keys, and those of a step."""
    document = json.loads(piped("events", "stats", "--json").out)
    assert [list(document), list(document["steps"][0])] == [
        [
            "schema_version",
            "workflow_id",
            "generations",
            "events",
            "first",
            "last",
            "types",
            "attempts",
            "failed",
            "interrupted",
            "retries",
            "resumes",
            "duration_s",
            "cost_usd",
            "attempts_of_unknown_cost",
            "steps",
        ],
        [
            "at",
            "attempts",
            "failed",
            "interrupted",
            "retries",
            "duration_s",
            "longest_s",
            "cost_usd",
            "attempts_of_unknown_cost",
        ],
    ]


def test_all_generations_count_unless_one_is_named(house: House) -> None:
    """What was gone back over has taken its time, too."""
    start = ev.GenerationStarted(generation=2, parent=1, from_seq=0, from_chain="0" * 16, version=5, reason="--force")
    begin(house, RUN, start, generation=2)
    counts = [
        json.loads(piped("events", "stats", "--job-id", RUN, "--json", *words).out)["events"]
        for words in ((), ("--generation", "1"), ("--generation", "2"))
    ]
    assert counts == [34, 33, 1]


def test_nothing_is_changed_by_reading(house: House) -> None:
    """The disk is the same before and after."""
    before = house.disk()
    for words in (
        ("ls",),
        ("ls", "--json"),
        ("search", "hello"),
        ("stats",),
        ("export", "--format", "csv"),
        ("verify",),
    ):
        assert piped("events", *words).code == 0
    assert house.disk() == before


def test_a_check_is_a_document_too(house: House) -> None:
    """Each log with how many events it has, and what a crash left behind them."""
    document = json.loads(piped("events", "verify", "--json").out)
    assert document["logs"] == [{"name": "events-1.jsonl", "events": 33, "torn": None, "damage": ""}]
    assert document["is_cleaned"] is False
