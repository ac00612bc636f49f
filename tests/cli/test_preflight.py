"""What a later step surely lacks is said before the first one runs."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.house import House
from tests.end_to_end.mapped import mapreduce

NO_CLAUDE = (
    "a claude step needs Claude Code, and there is no `claude` on PATH; install it and check with `claude --version`"
)
HINT = "  nothing was run; where an earlier step brings it, name it in that step\n"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A project without Claude Code."""
    built = House(tmp_path)
    yield built
    built.close()


def test_a_run_does_not_begin_that_must_fail_for_want_of_a_program(house: House) -> None:
    """Exit 1 with all of them, before any step, and no run is made."""
    house.workflow(
        {"id": "long", "shell": "touch began"},
        {"id": "review", "claude": "/review"},
        {"id": "sum", "shell": "puts 1", "interpreter": "nosuchruby -n"},
    )
    refused = (
        f"error: review (line 8): {NO_CLAUDE}\n"
        f"       sum (line 12): the interpreter 'nosuchruby' was not found on PATH\n{HINT}"
    )
    assert house.cook() == (1, "", refused)
    assert ((house.folder / "began").exists(), house.state.exists()) == (False, False)


def test_a_program_that_is_there_is_no_matter(house: House) -> None:
    """On the PATH that its step has."""
    house.program("fresh", "#!/bin/sh\ncat $1\n")
    house.workflow({"shell": "hello", "interpreter": "fresh"})
    assert house.cook().code == 0


def test_a_program_that_an_earlier_step_brings_is_a_note(house: House) -> None:
    """And the run begins, and uses it."""
    install = f"printf '#!/bin/sh\\ncat $1\\n' > {house.programs}/fresh && chmod +x {house.programs}/fresh"
    house.workflow({"shell": install}, {"id": "use", "shell": "hello", "interpreter": "fresh"})
    code, _, err = house.cook()
    note = "    note  use (line 7): the interpreter 'fresh' was not found on PATH (an earlier step may bring it)\n"
    assert (code, err.startswith(note)) == (0, True)


def test_a_program_that_may_not_be_needed_is_a_note(house: House) -> None:
    """A handler that never begins needs nothing."""
    house.workflow({"shell": "true", "on_failure": {"claude": "mend it"}})
    code, _, err = house.cook()
    assert (code, err.splitlines()[0]) == (0, f"    note  commands[0].on_failure[0] (line 6): {NO_CLAUDE}")


def test_the_first_step_needs_its_folder(house: House) -> None:
    """Nothing could make it."""
    house.workflow({"id": "a", "shell": "true", "working_dir": "build"})
    refused = f"error: a (line 4): its working_dir build is not there\n{HINT}"
    assert house.cook() == (1, "", refused)


def test_a_later_step_may_have_its_folder_made(house: House) -> None:
    """A note where no step before names it, silence where one does."""
    house.workflow({"shell": "mkdir $(echo dliub | rev)"}, {"id": "b", "shell": "true", "working_dir": "build"})
    code, _, err = house.cook()
    note = "    note  b (line 7): its working_dir build is not there, and no step before it makes one"
    house.workflow({"shell": "mkdir -p build"}, {"shell": "true", "working_dir": "build"})
    assert (code, err.splitlines()[0], "note" in house.cook().err) == (0, note, False)


def logs(files: dict[str, tuple[int, int, bytes]]) -> dict[str, bytes]:
    """Return the event logs among files."""
    return {path: content for path, (_, _, content) in files.items() if path.endswith(".jsonl")}


def test_starting_over_looks_ahead_too(house: House) -> None:
    """With today's file; the run that there is is left alone."""
    house.workflow({"id": "a", "shell": "true"})
    house.cook()
    before = house.snapshot()
    house.workflow({"id": "a", "claude": "hello"})
    forced = house.prodigy("resume", "demo", "--force", "--yes")
    assert (forced.code, forced.err) == (1, f"error: a (line 4): {NO_CLAUDE}\n{HINT}")
    assert [path for path in house.snapshot() if path.endswith(".jsonl")] == [
        path for path in before if path.endswith(".jsonl")
    ]


def test_resume_says_what_later_steps_lack_and_goes_on(house: House) -> None:
    """Of those that are done nothing is asked; a step that fails says so itself."""
    house.program("once", '#!/bin/sh\nrm "$0"\n')
    house.workflow(
        {"id": "a", "shell": "x", "interpreter": "once"},
        {"id": "b", "shell": "test -e go"},
        {"id": "c", "claude": "hello", "allow_failure": True},
    )
    house.cook()
    house.write("go", "")
    resumed = house.prodigy("resume", "demo")
    notes = [line for line in resumed.err.splitlines() if line.startswith("    note")]
    assert (resumed.code, notes) == (0, [f"    note  c (line 13): {NO_CLAUDE}"])


def test_a_dry_run_says_what_is_missing_and_is_no_failure(house: House) -> None:
    """It shows what would run, here or elsewhere."""
    house.workflow({"claude": "hello"})
    shown = house.prodigy("cook", "demo.yaml", "--dry-run")
    document = json.loads(house.prodigy("cook", "demo.yaml", "--dry-run", "--json").out)
    missing = f"commands[0] (line 4): {NO_CLAUDE}"
    assert (shown.code, shown.err, document["missing"]) == (0, f"    note  {missing}\n", [missing])


@pytest.mark.parametrize(
    ("source", "line", "document"),
    [
        ("*.py", "  6 items now: a.py, b.py, c.py, d.py, e.py, …", (6, ["a.py", "b.py", "c.py", "d.py", "e.py"], None)),
        ("*.rb", "  0 items now: nothing matched *.rb", (0, [], None)),
        ("items.json", "  1 item now: one", (1, ["one"], None)),
        ("nosuch/items.json", None, (0, [], True)),
        ({"command": "touch ran; echo a"}, None, None),
    ],
)
def test_a_dry_run_counts_the_items(house: House, source: object, line: str | None, document: object) -> None:
    """Those that are there now, with the first few; a command is not run for it."""
    for name in "abcdef":
        house.write(f"{name}.py", "")
    mapreduce(house, {"shell": "wc ${item}"}, items=["one"], setup=[{"shell": "true"}], input=source)
    shown = house.prodigy("cook", "demo.yaml", "--dry-run")
    items = json.loads(house.prodigy("cook", "demo.yaml", "--dry-run", "--json").out).get("items")
    found = items and (items["count"], items["first"], items["error"] and True)
    assert (shown.code, found, (house.folder / "ran").exists()) == (0, document, False)
    assert line is None or line in shown.out.splitlines()


def test_items_that_a_step_names_are_not_counted(house: House) -> None:
    """What it prints is known only when it has run."""
    setup = [{"id": "find", "shell": "echo items.json"}]
    mapreduce(house, {"shell": "wc ${item}"}, items=["one"], setup=setup, input={"file": "${find}"})
    assert "items now" not in house.prodigy("cook", "demo.yaml", "--dry-run").out
