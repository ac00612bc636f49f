"""`dlq`: what each command prints of the dead letters of a run, and what putting back and giving up does to them."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from prodigy.cli.output import display
from prodigy.errors import StorageFailure
from prodigy.store.journal import Journal
from tests.cli.made import PROGRAM, Said, said
from tests.cli.whole import everywhere
from tests.end_to_end.house import House
from tests.end_to_end.mapped import SAY_RESULTS, mapreduce, results

ITEMS = [
    {"id": "a", "severity": "high"},
    {"id": "b", "severity": "low"},
    {"id": "ok", "severity": "low"},
    {"id": "c", "severity": "high"},
]
CHECK = {"id": "check", "shell": "[ -e go ] || [ ${item.id} = ok ] || { echo severity ${item.severity} >&2; exit 3; }"}
LETTERS = [
    {
        "key": item["id"],
        "item": item,
        "step": "check",
        "attempts": 1,
        "exit_code": 3,
        "cause": f"exit 3 · severity {item['severity']}",
        "error": f"severity {item['severity']}",
    }
    for item in ITEMS
    if item["id"] != "ok"
]
TABLE = """\
ITEM  STEP   ATTEMPTS  ERROR
a     check  1         exit 3 · severity high
b     check  1         exit 3 · severity low
c     check  1         exit 3 · severity high

put them back:  prodigy dlq retry {run}
"""
SHOWN = """\
b  failed at check, attempt 1
  item   {{"id":"b","severity":"low"}}
  why    exit 3 · severity low
  error  severity low
  output {file}
"""
CSV = """\
key,item,step,attempts,error,cause
a,"{""id"":""a"",""severity"":""high""}",check,1,severity high,exit 3 · severity high
b,"{""id"":""b"",""severity"":""low""}",check,1,severity low,exit 3 · severity low
c,"{""id"":""c"",""severity"":""high""}",check,1,severity high,exit 3 · severity high
"""
STATS = """\
COUNT  STEP   ERROR
2      check  exit 3 · severity high
1      check  exit 3 · severity low
"""


def cooked(path: Path) -> House:
    """Return a house with a completed run of which three items are dead and one is done."""
    house = House(path)
    mapreduce(house, CHECK, items=ITEMS, item_key="${item.id}", reduce=[{"shell": "echo r >> trace"}, SAY_RESULTS])
    assert house.cook().code == 4
    return house


def test_showing_the_dead_letters_of_a_run_without_any_says_so(tmp_path: Path) -> None:
    """An empty answer would look like none."""
    house = House(tmp_path)
    mapreduce(house, {"shell": "true"}, items=ITEMS, item_key="${item.id}")
    house.cook()
    assert house.prodigy("dlq", "show") == (0, f"{house.run_id} has no dead letters\n", "")


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One run for all tests that only read."""
    house = cooked(tmp_path_factory.mktemp("kept"))
    yield house
    house.close()


@pytest.fixture
def reading(kept: House, monkeypatch: pytest.MonkeyPatch) -> House:
    """The kept run, where this process stands."""
    stand_in(kept, monkeypatch)
    return kept


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """A run of one's own, to change."""
    built = cooked(tmp_path)
    stand_in(built, monkeypatch)
    yield built
    built.close()


def stand_in(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process be in the project, with its homes, and nobody at the terminal."""
    for name, value in house.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.argv", [str(PROGRAM)])
    everywhere(monkeypatch, display, "has_terminal", lambda: False)
    monkeypatch.chdir(house.folder)


def command(*words: str) -> Said:
    """Run `prodigy dlq …` in this process."""
    return said("dlq", *words)


def placeless(house: House, letters: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return letters without the names of their files, which are there and differ from run to run."""
    files = [house.folder / ".prodigy" / "runs" / house.run_id / letter.pop("output_file") for letter in letters]
    assert [True] * len(letters) == [file.is_file() for file in files]
    return letters


def unpadded(ended: Said) -> Said:
    """Return what was printed without the blanks at the ends of a table's lines."""
    return ended._replace(out="".join(f"{line.rstrip()}\n" for line in ended.out.splitlines()))


def keys(house: House) -> list[str]:
    """Return the keys of the dead letters that there are."""
    return [letter["key"] for letter in json.loads(house.prodigy("dlq", "list", "demo", "--json").out)["dead_letters"]]


# Looking ------------------------------------------------------------------------------------------------------


def test_list_is_a_table_and_the_command_that_puts_them_back(reading: House) -> None:
    """In the order of the items."""
    assert Said(0, TABLE.format(run=reading.run_id), "") == unpadded(command("list", "demo"))


def test_list_takes_the_last_run_where_none_is_named(reading: House) -> None:
    """As every command that looks."""
    assert command("list", "demo") == command("list")


@pytest.mark.parametrize("words", [("list", "--json"), ("show", "--json"), ("export",), ("export", "--format", "json")])
def test_for_programs_they_are_one_document(reading: House, words: tuple[str, ...]) -> None:
    """The same from list, show and export."""
    expected = {"schema_version": 1, "workflow_id": reading.run_id, "dead_letters": LETTERS}
    code, out, err = command(*words)
    document = json.loads(out)
    document["dead_letters"] = placeless(reading, document["dead_letters"])
    assert (0, expected, "") == (code, document, err)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [("severity == 'high'", ["a", "c"]), ("item.id in ['b', 'ok']", ["b"]), ("severity == 'none'", [])],
)
def test_a_filter_chooses_by_the_item(reading: House, expression: str, expected: list[str]) -> None:
    """In the grammar of the map's own `filter`."""
    out = command("list", "--json", "--filter", expression).out
    assert expected == [letter["key"] for letter in json.loads(out)["dead_letters"]]


def test_a_filter_that_leaves_nothing_says_so(reading: House) -> None:
    """Which is an answer, not an error."""
    assert Said(0, f"{reading.run_id} has no dead letters like that\n", "") == command("list", "--filter", "id == 'z'")


def test_show_is_the_whole_of_one(reading: House) -> None:
    """The item, the step, the error."""
    [b] = json.loads(command("show", "--item", "b", "--json").out)["dead_letters"]
    file = f".prodigy/runs/{reading.run_id}/{b['output_file']}".removesuffix("out") + "err"
    assert Said(0, SHOWN.format(file=file), "") == command("show", "demo", "--item", "b")


def test_export_prints_lines_of_json(reading: House) -> None:
    """One for each."""
    code, out, _ = command("export", "--format", "jsonl")
    assert (0, LETTERS) == (code, placeless(reading, [json.loads(line) for line in out.splitlines()]))


def test_export_prints_csv(reading: House) -> None:
    """With a row of names; a mapping is its JSON."""
    assert Said(0, CSV, "") == command("export", "--format", "csv")


def test_stats_count_by_step_and_error(reading: House) -> None:
    """The most frequent first."""
    assert Said(0, STATS, "") == unpadded(command("stats", "demo"))


def test_stats_for_programs(reading: House) -> None:
    """With the total."""
    groups = [
        {"step": "check", "error": "exit 3 · severity high", "count": 2},
        {"step": "check", "error": "exit 3 · severity low", "count": 1},
    ]
    expected = {"schema_version": 1, "workflow_id": reading.run_id, "total": 3, "groups": groups}
    assert expected == json.loads(command("stats", "--json").out)


def test_looking_changes_nothing(reading: House) -> None:
    """Neither in the project nor in the home folder."""
    before = reading.snapshot()
    for words in (("list",), ("show",), ("export",), ("stats",), ("purge",)):
        command(*words)
    assert before == reading.snapshot()


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("list", "nobody"), 6, "nobody"),
        (("show", "--item", "d"), 2, "'d' is no item's key"),
        (("show", "--item", "ok"), 2, "'ok' is no dead letter"),
        (("list", "--filter", "severity ="), 2, "--filter 'severity =': unexpected '='"),
        (("list", "--filter", "sevrity == 'high'"), 2, "no item has the field sevrity\n  did you mean severity?"),
        (("export", "--format", "xml"), 2, "--format is json, jsonl or csv, not 'xml'"),
        (("retry", "--item", "d"), 2, "'d' is no item's key"),
        (("purge",), 2, "purge gives 3 dead letters up for good"),
        (("purge", "--item", "b"), 2, "purge gives 1 dead letter up for good"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_cannot_be_done_is_said(reading: House, words: tuple[str, ...], code: int, message: str) -> None:
    """With the exit code of its kind, and nothing on stdout."""
    ended = command(*words)
    assert (code, "", True) == (ended.code, ended.out, message in ended.err)


def test_a_workflow_without_a_map_has_none(tmp_path: Path) -> None:
    """It is asked all the same."""
    house = House(tmp_path)
    house.workflow({"shell": ":"})
    house.cook()
    listed = house.prodigy("dlq", "list")
    retried = house.prodigy("dlq", "retry")
    assert (0, f"{house.run_id} has no dead letters\n", 0) == (listed.code, listed.out, retried.code)


# Putting back -------------------------------------------------------------------------------------------------


def test_retry_of_a_completed_run_reduces_again_on_the_whole(house: House) -> None:
    """It is said before; what had succeeded is not run again."""
    house.write("go", "")
    code, _, err = house.prodigy("dlq", "retry", "demo")
    assert err.startswith(f"     dlq  {house.run_id} was completed: when these items have settled, reduce runs again\n")
    assert (0, [], ["r", "r"]) == (code, keys(house), house.trace)
    assert (["a", "b", "ok", "c"], []) == ([row["key"] for row in results(house)], results(house, "dead_letters"))
    started = [event["at"] for event in house.events("command_started")]
    assert {f"map[{key}].check": times for key, times in (("a", 2), ("b", 2), ("ok", 1), ("c", 2))} == {
        at: started.count(at) for at in started if at.startswith("map")
    }


def test_retry_without_reduce_lets_it_stand(house: House) -> None:
    """Only the items run."""
    house.write("go", "")
    code, _, err = house.prodigy("dlq", "retry", "demo", "--no-reduce")
    assert (0, [], ["r"], False) == (code, keys(house), house.trace, "reduce runs again" in err)


@pytest.mark.parametrize("words", [("--item", "a", "--item", "c"), ("--filter", "severity == 'high'")], ids=str)
def test_retry_of_some_leaves_the_others(house: House, words: tuple[str, ...]) -> None:
    """Chosen by key, or by what they are; the run still ends with 4."""
    house.write("go", "")
    ended = house.prodigy("dlq", "retry", "demo", *words)
    assert (4, ["b"]) == (ended.code, keys(house))


def test_what_fails_again_is_a_dead_letter_again(house: House) -> None:
    """With the count of its attempts going on, and never in both lists."""
    assert 4 == house.prodigy("dlq", "retry", "demo", "--item", "b", "--max-parallel", "1").code
    assert (["a", "b", "c"], ["ok"]) == (keys(house), [row["key"] for row in results(house)])


def test_a_failed_run_goes_on_when_its_dead_letters_are_put_back(tmp_path: Path) -> None:
    """Every item had failed, so there was no reduce yet."""
    house = House(tmp_path)
    mapreduce(house, CHECK, items=[ITEMS[0]], item_key="${item.id}", reduce=[SAY_RESULTS])
    assert 1 == house.cook().code
    house.write("go", "")
    assert (0, []) == (house.prodigy("dlq", "retry", "demo").code, keys(house))
    assert ["a"] == [row["key"] for row in results(house)]


def test_retry_where_nothing_is_left_says_so(house: House) -> None:
    """Exit 0, one sentence, and nothing runs: what was asked for is so."""
    house.write("go", "")
    house.prodigy("dlq", "retry", "demo", "--no-reduce")
    ended = house.prodigy("dlq", "retry", "demo", "--no-reduce")
    assert (0, f"{house.run_id} has no dead letters: nothing to retry\n", "") == ended


# Giving up ----------------------------------------------------------------------------------------------------


def test_purge_gives_them_up_for_good(house: House) -> None:
    """They count as skipped, and the run is completed without a blemish."""
    ended = command("purge", "demo", "--force")
    assert Said(0, f"3 dead letters of {house.run_id} given up; the log keeps what they were\n", "") == ended
    assert ([], 0) == (keys(house), house.prodigy("resume", "demo").code)
    assert ["a", "b", "c"] == house.events("dead_letters_purged")[0]["keys"]
    assert 0 == house.prodigy("events", "verify").code


def test_purge_of_one_leaves_the_others(house: House) -> None:
    """Chosen by key."""
    ended = command("purge", "--item", "b", "--force")
    assert Said(0, f"1 dead letter of {house.run_id} given up; the log keeps what they were\n", "") == ended
    assert ["a", "c"] == keys(house)


@pytest.mark.parametrize(("answer", "code", "left"), [("n\n", 1, 3), ("\n", 1, 3), ("y\n", 0, 0)])
def test_purge_asks_on_a_terminal(
    house: House, monkeypatch: pytest.MonkeyPatch, answer: str, code: int, left: int
) -> None:
    """Default no."""
    everywhere(monkeypatch, display, "has_terminal", lambda: True)
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))
    ended = command("purge", "demo")
    assert (code, f"give 3 dead letters of {house.run_id} up for good? [y/N] ") == (ended.code, ended.err)
    assert left == len(keys(house))


def test_purge_without_dead_letters_asks_nothing(house: House) -> None:
    """There is nothing to refuse."""
    command("purge", "--force")
    assert Said(0, f"{house.run_id} has no dead letters\n", "") == command("purge")


def test_a_purge_that_the_log_refuses_gives_nothing_up(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The event comes before all else: no copy of the checkpoint says what the log does not know."""

    def refuse(*_: Any, **__: Any) -> None:
        raise StorageFailure("the disk is full")

    before = {path: path.read_bytes() for path in house.path.rglob("*.json")}
    assert before
    with monkeypatch.context() as patched:
        patched.setattr(Journal, "append", refuse)
        assert 0 != command("purge", "--force").code
    assert ["a", "b", "c"] == keys(house)
    assert before == {path: path.read_bytes() for path in house.path.rglob("*.json")}


def test_a_purge_leaves_a_checkpoint_that_knows_of_it(house: House) -> None:
    """And a mirror of it: whoever looks at either sees what the log says."""
    command("purge", "--item", "b", "--force")
    last = json.loads(house.log().read_text().splitlines()[-1])
    (mirror,) = (house.path / "global").rglob(f"{house.run_id}.json")
    own, copy = (json.loads(path.read_text()) for path in (house.checkpoint_file, mirror))
    assert (own["last_seq"], own["map"]["dead_letters"]) == (last["seq"], 2)
    assert copy == own


def test_a_purge_is_an_event_with_a_name(house: House) -> None:
    """Who did it stands in the log."""
    command("purge", "--force")
    event: dict[str, Any] = house.events("dead_letters_purged")[0]
    assert ("map", display.user()) == (event["at"], event["by"])
