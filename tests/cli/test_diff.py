"""`diff`: two runs side by side."""

import json
from pathlib import Path

import pytest

from prodigy.cli.commands.diff import ITEMS_SHOWN_MAX, Row, _rows_of_items
from prodigy.kernel import effects as fx
from prodigy.projections.item_diff import map_pair
from tests.cli.looks import STORY, golden, looks, piped, played, private, settle, told
from tests.cli.made import Ending, House
from tests.projections.test_item_diff import DEAD, DONE, items

ONE, OTHER, SAME = "story-000001", "story-000002", "story-000003"
EDITED = STORY.replace("who: world", "who: moon, extra: 1").replace("shell: make all", "shell: make everything in it")


def better(spawn: fx.Spawn) -> Ending:
    """The same story, in which nothing but `lint` fails, and its handler as well."""
    if spawn.at == "build.flaky":
        return Ending(output="made\n")
    return Ending(exit_code=1) if spawn.at == "check.lint.on_failure[0]" else played(spawn)


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    """A project with three runs: the first and the third are alike."""
    built = settle(tmp_path, monkeypatch)
    told(built, ONE)
    built.make(OTHER, EDITED, ends=better)
    told(built, SAME)
    private(built)
    return built


def test_it_looks_like_this(house: House, monkeypatch: pytest.MonkeyPatch, rewrites: bool) -> None:
    """Every step, and the variables that differ; below its label what does not fit a terminal."""
    golden("diff", looks(monkeypatch, "diff", ONE, OTHER), rewrites=rewrites)


def test_runs_that_are_equal_exit_with_0(house: House, monkeypatch: pytest.MonkeyPatch, rewrites: bool) -> None:
    """And those that differ with 1."""
    assert [piped("diff", ONE, run).code for run in (ONE, SAME, OTHER)] == [0, 0, 1]
    golden("diff-equal", looks(monkeypatch, "diff", ONE, SAME), rewrites=rewrites)


def test_the_document_is_a_contract(house: House) -> None:
    """Its keys, those of a step, of a side and of a variable."""
    document = json.loads(piped("diff", ONE, OTHER, "--json").out)
    step, variable = document["steps"][1], document["variables"][0]
    assert [list(document), list(step), list(step["a"]), variable] == [
        ["schema_version", "a", "b", "is_equal", "status", "steps", "maps", "variables"],
        ["a", "b", "differs"],
        ["address", "what", "when", "status", "attempts", "exit_code", "error", "duration_s"],
        {"name": "who", "in_a": True, "in_b": True, "a": "world", "b": "moon"},
    ]
    assert [document["a"], document["b"], document["is_equal"], document["status"], step["differs"]] == [
        ONE,
        OTHER,
        False,
        ["completed", "failed"],
        ["definition", "outcome"],
    ]


def test_an_unknown_run_is_said(house: House) -> None:
    """Whichever of the two it is."""
    assert [piped("diff", *refs).code for refs in ((ONE, "nobody"), ("nobody", ONE), (ONE, "../x"))] == [6, 6, 6]


def test_a_damaged_run_is_said(house: House) -> None:
    """With the ways out of it, the one that loses least first."""
    house.run(OTHER).events(1).write_text("nonsense\nnonsense\n")
    said = piped("diff", ONE, OTHER)
    assert (said.code, f"`prodigy resume {OTHER} --from-checkpoint mirror`" in said.err) == (7, True)


def test_nothing_is_changed_by_reading(house: House) -> None:
    """The disk is the same before and after."""
    before = house.disk()
    assert [piped("diff", ONE, OTHER, *words).code for words in ((), ("--json",))] == [1, 1]
    assert house.disk() == before


def test_items_are_shown_by_key() -> None:
    """The first of them that differ, and how many more there are."""
    ones = items({f"i{number}": DONE for number in range(ITEMS_SHOWN_MAX + 3)})
    others = items({f"i{number}": DEAD for number in range(1, ITEMS_SHOWN_MAX + 4)})
    rows = list(_rows_of_items(map_pair("map", "map", ones, others)))
    assert [rows[0], rows[1], rows[2], rows[3], rows[-1]] == [
        Row(" ", "  items", "23 listed", "23 listed"),
        Row("−", "  i0", "succeeded", ""),
        Row("≠", "  i1", "succeeded", "dead at check, 2 attempts: exit 3 · boom"),
        Row("≠", "    output", "ok", ""),
        Row("≠", "  and 4 more", "--json has all", ""),
    ]


def test_a_list_that_is_not_there_yet_is_said() -> None:
    """In the place of its items."""
    assert list(_rows_of_items(map_pair("map", "map", items({"a": DONE}), None))) == [
        Row("≠", "  items", "1 listed", "not listed")
    ]
