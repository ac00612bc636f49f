"""`explain`: one paragraph about a step."""

import json
from pathlib import Path

import pytest

from tests.cli.looks import begin, golden, looks, piped, settle, told
from tests.cli.made import Ending, House

RUN = "story-000001"


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    """A project in which the story has run."""
    built = settle(tmp_path, monkeypatch)
    told(built)
    return built


@pytest.mark.parametrize("step", ["greet", "flaky", "lint", "never", "check"])
def test_it_looks_like_this(house: House, monkeypatch: pytest.MonkeyPatch, rewrites: bool, step: str) -> None:
    """A line in a pipe, a paragraph on a terminal."""
    golden(f"explain-{step}", looks(monkeypatch, "explain", "story", step), rewrites=rewrites)


def test_what_has_not_run_is_said_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the reason behind it."""
    built = settle(tmp_path, monkeypatch)
    text = "name: short\ncommands: [{id: a, shell: 'false'}, {id: b, shell: 'true'}]\n"
    built.make("short-000001", text, ends=lambda spawn: Ending(1))
    assert piped("explain", "short", "b").out == (
        "b (shell: true) has not run: the run failed at a before its turn came: exit 1.\n"
    )


def test_a_stage_is_not_in_flight_when_the_run_has_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits for what waits in it."""
    built = settle(tmp_path, monkeypatch)
    text = "name: short\nstages: [{name: s, commands: [{id: a, shell: 'true', requires_confirmation: true}]}]\n"
    built.make("short-000001", text)
    said = piped("explain", "short", "s").out
    assert (said[:26], said[-40:]) == (
        "s waits for confirmation. ",
        "first step. s.a in it waits for confirmation.\n"[-40:],
    )


@pytest.mark.parametrize("step", ["lint", "check.lint"])
def test_a_step_is_named_by_id_or_address(house: House, step: str) -> None:
    """As everywhere."""
    assert piped("explain", RUN, step).out.startswith("check.lint (shell: lint) failed and was handled. ")


def test_the_document_is_a_contract(house: House) -> None:
    """The same sentences, one by one."""
    document = json.loads(piped("explain", RUN, "never", "--json").out)
    assert document == {
        "schema_version": 1,
        "workflow_id": RUN,
        "explanation": {
            "address": "check.never",
            "what": "shell: echo never",
            "status": "skipped",
            "sentences": [
                "Its condition was false at 2026-01-31 09:00:22 UTC: ${flaky.attempts} > 5, with ${flaky.attempts} = 2."
            ],
        },
    }


def test_a_step_that_does_not_exist_names_the_nearest(house: House) -> None:
    """Or all there are."""
    assert [piped("explain", RUN, step).err for step in ("flakey", "zzzzzz")] == [
        "error: story-000001 has no step or stage 'flakey'\n  did you mean flaky?\n",
        "error: story-000001 has no step or stage 'zzzzzz'\n  There are greet, flaky, lint, never, workflow, build, "
        "build.greet, build.flaky, check, check.lint, check.lint.on_failure, check.lint.on_failure[0], check.never.\n",
    ]


@pytest.mark.parametrize("step", ["\x1b[2J", "..", "a" * 5000, ""])
def test_an_odd_name_is_no_step(house: House, step: str) -> None:
    """It is echoed in letters, and not at any length."""
    said = piped("explain", RUN, step)
    assert (said.code, said.out, "\x1b" in said.err, len(said.err) < 500) == (2, "", False, True)


def test_a_step_of_a_map_is_named_with_its_item(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has as many stories as there are items."""
    from prodigy.kernel import events as ev
    from tests.kernel.story import begun, starts
    from tests.projections.test_explain import mapped, mapping

    built = settle(tmp_path, monkeypatch)
    item = ev.NodeStarted(at="map[a b]", attempt=1)
    begin(built, "demo-000001", *begun(mapped()), *mapping("a b", "c"), item, starts("map[a b].work"))
    codes = [piped("explain", "demo-000001", step).code for step in ("map[a b].work", "map[c]", "map[d].work")]
    said = piped("explain", "demo-000001", "work")
    hint = "  For example: `prodigy explain demo-000001 'map[a b].work'`.\n"
    assert (codes, said.code, said.err.endswith(hint)) == ([0, 0, 2], 2, True)
    listed = piped("events", "ls", "--step", "work", "--jsonl").out.splitlines()
    assert [json.loads(line)["seq"] for line in listed] == [7]


def test_a_command_in_a_story_can_be_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It names the program as it was called."""
    from prodigy.kernel import events as ev
    from tests.kernel.story import begun
    from tests.simulation.plans import compiled, step

    built = settle(tmp_path, monkeypatch)
    asked = ev.ConfirmationRequested(at="a")
    begin(built, "demo-000001", *begun(compiled(step("a", requires_confirmation=True))), asked)
    monkeypatch.setattr("sys.argv", ["bin/prodigy"])
    assert piped("explain", "demo-000001", "a").out.endswith("`bin/prodigy approve demo-000001 a`.\n")


def test_nothing_is_changed_by_reading(house: House) -> None:
    """The disk is the same before and after."""
    before = house.disk()
    assert [piped("explain", RUN, "lint", *words).code for words in ((), ("--json",))] == [0, 0]
    assert house.disk() == before
