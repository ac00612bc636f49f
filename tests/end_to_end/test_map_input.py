"""Input that is no list of items, and limits that are none: refused with the place, fast, and never a hang."""

import json
import os
import re
import shlex
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.house import House, lives
from tests.end_to_end.mapped import SAY_RESULTS, mapreduce, results
from tests.end_to_end.measured import measured

SECONDS_MAX = 2.0
LOADED_TIMES = 3  # how much slower everything may be on a machine that others use too
MEBIBYTES_MAX = 300
ECHO = {"shell": "printf %s ${item}"}


def sparse(path: Path) -> None:
    """Make a file of 2 GiB that takes no room."""
    with path.open("wb") as file:
        file.truncate(2 << 30)


BROKEN: dict[str, tuple[str | Callable[[Path], object], str]] = {
    "folder.json": (Path.mkdir, "folder.json: this is a folder"),
    "pipe.json": (os.mkfifo, "pipe.json: this is a pipe"),
    "loop.json": (lambda path: path.symlink_to(path), "loop.json: Too many levels of symbolic links"),
    "sparse.json": (sparse, "sparse.json: items take at most 256 MiB"),
    "comma.json": ("[1,\n 2,,3]", "comma.json:2:4: this is not JSON: Expecting value"),
    "nan.json": ("[1,\n NaN]", "nan.json:2:2: NaN is no number of JSON"),
    "surrogate.json": ('["a","\\ud800"]', "item 2 is no text: it holds '\\ud800'"),
    "deep.json": ("[" * 100_000 + "]" * 100_000, "deep.json: values nest deeper than 500"),
    "deep.yaml": ("[" * 100_000 + "]" * 100_000, "deep.yaml:1:51: values nest deeper than 50"),
    "huge.json": (f"[1, 1{'0' * 400}]", "huge.json:1:5: the number 1000"),
    "huge-exponent.json": ("[1e400]", "huge-exponent.json:1:2: the number 1e400 is too large"),
    "mapping.json": ('{"files": [1]}', "mapping.json: this is no list of items; say where they are, such as"),
    "item.json": (json.dumps(["x" * 1_100_000]), "item 1 has 1100002 bytes; an item has at most 1048576"),
    "torn.jsonl": ('{"a": 1}\n{"a":', "torn.jsonl:2:6: this is not JSON"),
    "short.csv": ("a,b\n1\n", "short.csv:2: 1 cell under 2 names"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_list_fails_the_map_with_its_place(house: House, name: str) -> None:
    """Fast, in little memory, and no agent begins; mended, the run goes on."""
    content, reason = BROKEN[name]
    path = house.folder / name
    if isinstance(content, str):
        path.write_text(content)
    else:
        content(path)
    mapreduce(house, ECHO, input=name, reduce=[SAY_RESULTS])
    began = time.monotonic()
    code, mebibytes, out, err = measured(house, "cook", "demo.yaml")
    elapsed_s = time.monotonic() - began
    assert (1, True, []) == (code, f"map failed: {reason}" in out, house.events("command_started"))
    assert "Traceback" not in err
    assert elapsed_s < SECONDS_MAX * LOADED_TIMES
    assert mebibytes < MEBIBYTES_MAX


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("missing.json", "missing.json"),
        ("/dev/zero", "/dev/zero: this is a device, no file of items"),
        ({"command": "exit 3"}, "the command for map.input failed: exit 3"),
        ({"command": "yes"}, "the command for map.input printed more than 256 MiB"),
        ({"command": "kill -9 $$"}, "the command for map.input failed: killed by SIGKILL"),
    ],
    ids=str,
)
def test_a_source_that_has_no_items_fails_the_map(house: House, written: Any, reason: str) -> None:
    """Missing, endless, or a command that fails."""
    mapreduce(house, ECHO, input=written)
    code, out, _ = house.cook()
    assert (1, True) == (code, reason in next(line for line in out.splitlines() if "map failed: " in line))


def test_a_command_whose_folder_is_gone_says_so_in_a_sentence(house: House) -> None:
    """An earlier step may have removed it."""
    mapreduce(house, ECHO, input={"command": "ls"}, setup=[{"shell": 'rm -rf "$PWD"'}])
    below = house.folder / "below"
    below.mkdir()
    house.state.mkdir(mode=0o700)
    script = f"cd {shlex.quote(str(below))}; prodigy cook ../demo.yaml"
    done = subprocess.run(["sh", "-c", script], env=house.environment, capture_output=True, text=True, check=False)
    told = f"map failed: the command for map.input cannot be run: the working directory {below} is not there;"
    assert (1, True) == (done.returncode, told in done.stdout)


def test_what_the_command_prints_is_for_us_alone(house: House) -> None:
    """Nobody sees it, and nothing of it stays beside the items."""
    mapreduce(house, ECHO, input={"command": "printf 'a\\nb\\n'; echo to nobody >&2"})
    code, out, err = house.cook()
    assert 0 == code
    assert "to nobody" not in out + err
    (listed,) = house.events("items_listed")
    assert ["a", "b"] == listed["keys"]
    kept = {path.name for path in house.run.joinpath("outputs").iterdir()}
    assert {f"{event['seq']}.out" for event in house.events("command_started")} == kept


def test_the_command_has_ended_its_children_before_it_is_read(house: House) -> None:
    """As a step's have."""
    mapreduce(house, ECHO, input={"command": "setsid sleep 1000 & echo $! > pids; echo a"})
    assert 0 == house.cook().code
    assert [False] == [lives(pid) for pid in house.pids(1)]


@pytest.mark.parametrize("written", ["0", "-1", "1000000000", '"many"'])
def test_a_limit_that_is_none_is_refused_before_anything_runs(house: House, written: str) -> None:
    """Exit 3 with its place, and nothing is written."""
    mapreduce(house, ECHO, max_parallel=1)
    house.write("demo.yaml", (house.folder / "demo.yaml").read_text().replace(": 1\n", f": {written}\n"))
    code, out, err = house.cook()
    assert (3, "", False) == (code, out, house.state.exists())
    assert re.match(
        r"error: demo.yaml:\d+:\d+: 'max_parallel' takes a whole number or a \${…} \(1 to 1000\), not ", err
    )


def test_all_that_is_wrong_with_a_map_is_shown_at_once(house: House) -> None:
    """Each mistake with its place, before anything runs."""
    reduce = [{"shell": "echo ${map.result}"}]
    mapreduce(house, ECHO, reduce=reduce, **{key: value for key, (value, _) in MISTAKES.items()})
    code, _, err = house.cook()
    found = re.findall(r"^error: demo\.yaml:\d+:\d+: (.*)$", err, re.M)
    reasons = [reason for _, reason in MISTAKES.values()]
    assert (3, sorted([*reasons, "${map.result} names no result of 'map'"])) == (code, sorted(found))


MISTAKES: dict[str, tuple[Any, str]] = {
    "input": ("${nope}", "unknown name 'nope'"),
    "json_path": ("$.x[", "this is no JSONPath: unexpected end of query"),
    "filter": ("severity =", "unexpected '='"),
    "sort_by": ("a UPWARDS", "expected ASC, DESC, NULLS FIRST, NULLS LAST or a comma"),
    "item_key": ("${itm}", "unknown name 'itm'"),
    "parallel": (3, "unknown key 'parallel' in map"),
    "checkpoint_frequency": (0, "'checkpoint_frequency' takes a whole number (1 to 1000000), not 0"),
    "error_policy": (
        {"on_item_failure": "shrug"},
        "'on_item_failure' takes one of dlq, retry, skip, stop, not the text 'shrug'",
    ),
}


@pytest.mark.parametrize("value", ["0", "many", "1000000000", ""])
def test_a_limit_that_is_none_when_it_is_known_fails_the_map(house: House, value: str) -> None:
    """Here `max_parallel` comes from the setup."""
    setup = [{"shell": f"printf %s {value}", "capture_output": "count"}]
    mapreduce(house, ECHO, items=["a"], setup=setup, max_parallel="${count}")
    code, out, _ = house.cook()
    assert (1, True) == (code, f"map failed: max_parallel is '{value}', not a number from 1 to 1000" in out)


@pytest.mark.parametrize(
    "keys",
    [
        {"items": []},
        {"input": "*.nothing"},
        {"items": [{"a": 1}], "filter": "a > 1"},
        {"items": [{"a": 1}], "json_path": "$.files[*]"},
        {"items": [1, 2], "max_items": 0},
        {"input": {"command": ":"}},
    ],
    ids=str,
)
def test_no_items_are_a_result(house: House, keys: dict[str, Any]) -> None:
    """The reduce runs, on nothing."""
    mapreduce(house, ECHO, reduce=[SAY_RESULTS, {"shell": "test ${map.total} -eq 0"}], **keys)
    assert (0, []) == (house.cook().code, results(house))


def test_items_may_be_any_value(house: House) -> None:
    """As text they are compact JSON; null is empty."""
    items = [None, 1, 2.5, True, {"a": [1, "b c"]}, [1, 2], "", "text"]
    mapreduce(house, ECHO, items=items, reduce=[SAY_RESULTS])
    assert 0 == house.cook().code
    rows = [(row["item"], row["output"]) for row in results(house)]
    texts = ["", "1", "2.5", "true", '{"a":[1,"b c"]}', "12", "", "text"]
    assert list(zip(items, texts, strict=True)) == rows


def test_equal_items_are_as_many_results(house: House) -> None:
    """Each with a key of its own."""
    mapreduce(house, ECHO, items=["a", "b", "a", "a"], reduce=[SAY_RESULTS])
    assert 0 == house.cook().code
    assert ["a", "b", "a#2", "a#3"] == [row["key"] for row in results(house)]


def test_a_nul_is_a_dead_letter_and_not_the_run(house: House) -> None:
    """No program can be given one."""
    mapreduce(house, ECHO, items=["a\0b", "c"])
    code, _, _ = house.cook()
    letters = json.loads(house.prodigy("dlq", "list", "--json").out)["dead_letters"]
    assert (4, [("a\0b", True)]) == (code, [(letter["item"], "NUL" in letter["error"]) for letter in letters])


def test_an_item_longer_than_an_argument_is_a_dead_letter_with_the_way_out(house: House) -> None:
    """As one argument of a program the system refuses it; `${item|file}` works."""
    mapreduce(house, {"shell": "/bin/echo ${item}"}, items=["x" * 200_000, "short"])
    code, _, _ = house.cook()
    (letter,) = json.loads(house.prodigy("dlq", "list", "--json").out)["dead_letters"]
    assert (4, True) == (code, "the path of a file that holds it: ${name|file}" in letter["error"])


def test_a_value_in_the_input_is_a_name_and_never_a_command(house: House) -> None:
    """Whatever blanks it has: only what the author wrote can be a command."""
    mapreduce(house, ECHO, input="${file}", variables={"file": "touch never; echo a"})
    code, out, _ = house.cook()
    assert (1, True, False) == (
        code,
        "map failed: map.input 'touch never; echo a'" in out,
        (house.folder / "never").exists(),
    )


def test_a_value_in_a_command_that_lists_is_a_word(house: House) -> None:
    """Passed beside the command, as in any script, and never a part of it."""
    variables = {"name": "x; touch never; $(touch never) 'y'"}
    mapreduce(house, ECHO, input={"command": "echo ${name}"}, variables=variables, reduce=[SAY_RESULTS])
    code = house.cook().code
    assert (0, [variables["name"]]) == (code, [row["item"] for row in results(house)])
    assert not (house.folder / "never").exists()
