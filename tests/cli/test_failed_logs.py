"""`logs --failed`, and the line that stands for a failure wherever it is shown."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from prodigy.cli.failed_output import SHOWN_MAX
from tests.end_to_end.house import House
from tests.end_to_end.mapped import mapreduce

SCRIPT = """echo "got $1"
printf 'Traceback (most recent call last):\\n  File "x.py", line 1, in <module>\\nValueError: no %s\\n' "$1" >&2
exit 3
"""
WORK = {"id": "work", "shell": "sh fail.sh ${item}"}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A house with a script that fails as programs do."""
    built = House(tmp_path)
    built.write("fail.sh", SCRIPT)
    yield built
    built.close()


def test_the_cause_is_the_same_line_wherever_a_failed_step_is_shown(house: House) -> None:
    """While it runs, at the end, in every command that tells of it; and where all of its output is, is said."""
    house.workflow({"id": "deploy", "shell": "sh fail.sh now"})
    cooked = house.cook()
    cause = "exit 3 · ValueError: no now"
    file = f".prodigy/runs/{house.run_id}/outputs/3.err"
    assert (1, True, [f"  deploy failed: {cause}", f"  its output: {file}"]) == (
        cooked.code,
        f"  failed  deploy  {cause}\n" in cooked.err,
        cooked.out.splitlines()[1:3],
    )
    for words in (
        ("status", "demo"),
        ("checkpoints", "show", "demo"),
        ("checkpoints", "list", "--verbose"),
        ("checkpoints", "list", "--workflow-id", "demo"),
        ("explain", "demo", "deploy"),
        ("logs", "demo", "--failed"),
        ("diff", "demo", "demo"),
    ):
        assert (words, words[0] != "diff") == (words, cause in house.prodigy(*words).out)


def test_failed_logs_have_a_heading_and_all_that_was_said(house: House) -> None:
    """Its stdout, then its stderr, on one stream, for a pager."""
    house.workflow({"shell": "echo fine"}, {"id": "deploy", "shell": "sh fail.sh now"})
    house.cook()
    expected = (
        "── deploy  attempt 1  exit 3 · ValueError: no now ──\ngot now\n"
        'Traceback (most recent call last):\n  File "x.py", line 1, in <module>\nValueError: no now\n'
    )
    assert (0, expected, "") == house.prodigy("logs", "demo", "--failed")


def test_failed_items_are_shown_by_the_step_that_failed(house: House) -> None:
    """An item that is done is not among them; and one step can be asked for."""
    mapreduce(house, {"id": "work", "shell": "[ ${item} = b ] || sh fail.sh ${item}"}, items=["a", "b"])
    house.cook()
    heading = "── map[a].work  attempt 1  exit 3 · ValueError: no a ──"
    shown = [house.prodigy("logs", "demo", *words, "--failed").out.splitlines()[0] for words in ((), ("map[].work",))]
    assert [heading, heading] == shown


def test_only_the_latest_failures_are_shown_and_the_rest_is_named(house: House) -> None:
    """A map may have a thousand of them."""
    mapreduce(house, WORK, items=[f"i{number:02}" for number in range(SHOWN_MAX + 2)], max_parallel=1)
    house.cook()
    lines = house.prodigy("logs", "demo", "--failed").out.splitlines()
    headings = [line.split()[1] for line in lines if line.startswith("── map")]
    rest = f"── 2 earlier failures not shown; the last of them:  prodigy logs {house.run_id} 'map[i01].work'"
    assert ([f"map[i{number:02}].work" for number in range(2, SHOWN_MAX + 2)], rest) == (headings, lines[-1])


def test_of_long_output_the_end_is_shown_and_where_all_of_it_is(house: House) -> None:
    """In whole lines."""
    house.workflow({"id": "long", "shell": "i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done; exit 1"})
    house.cook()
    lines = house.prodigy("logs", "demo", "--failed").out.splitlines()
    first = int(lines[1].split()[1])
    file = house.folder / ".prodigy" / "runs" / house.run_id / "outputs" / "3.out"
    note = f"… its end; all {file.stat().st_size} bytes: {file.relative_to(house.folder)}"
    assert ([f"line {number}" for number in range(first, 2000)], note) == (lines[1:-1], lines[-1])
    assert first > 1000


def test_a_run_without_failures_says_so(house: House) -> None:
    """Which is an answer."""
    house.workflow({"id": "fine", "shell": "echo fine"})
    house.cook()
    assert (0, f"nothing failed in {house.run_id}\n", "") == house.prodigy("logs", "demo", "--failed")


@pytest.mark.parametrize("failed", [True, False], ids=["failed", "all"])
def test_logs_are_one_document_for_programs(house: House, failed: bool) -> None:
    """With the end of each file, its place and its size."""
    house.workflow({"id": "deploy", "shell": "sh fail.sh now"})
    house.cook()
    folder = house.folder / ".prodigy" / "runs" / house.run_id / "outputs"
    error = 'Traceback (most recent call last):\n  File "x.py", line 1, in <module>\nValueError: no now'
    said = [
        {"file": str(folder / "3.out"), "end": "got now\n", "size_bytes": 8},
        {"file": str(folder / "3.err"), "end": f"{error}\n", "size_bytes": len(error) + 1},
    ]
    told = {"schema_version": 1, "workflow_id": house.run_id}
    if failed:
        cause = "exit 3 · ValueError: no now"
        told |= {
            "total": 1,
            "failed": [{"at": "deploy", "attempt": 1, "cause": cause, "error": error, "said": said}],
        }
    else:
        told |= {"attempts": [{"at": "deploy", "attempt": 1, "epoch": 3, "said": said}]}
    words = ("--failed",) if failed else ()
    assert told == json.loads(house.prodigy("logs", "demo", *words, "--json").out)


@pytest.mark.parametrize("other", ["--failed", "--json"])
def test_to_follow_and_to_look_once_are_two_things(house: House, other: str) -> None:
    """The command line is refused before a run is looked for."""
    ended = house.prodigy("logs", "demo", "--follow", other)
    said = f"error: --follow goes on and {other} looks once\n  Give one of them.\n"
    assert (2, other == "--json", said) == (ended.code, bool(ended.out), ended.err)


def test_explain_says_who_put_an_item_back(house: House) -> None:
    """And gives it up for good, if that is what came of it."""
    mapreduce(house, WORK, items=["a", "b"])
    house.cook()
    house.prodigy("dlq", "retry", "demo", "--item", "a")
    house.prodigy("dlq", "purge", "demo", "--item", "b", "--force")
    told = [house.prodigy("explain", "demo", f"map[{key}].work").out for key in ("a", "b")]
    expected = [(1, 0), (0, 1)]
    found = [
        (text.count("with prodigy dlq retry at "), text.count("Its item was given up for good by ")) for text in told
    ]
    assert expected == found
