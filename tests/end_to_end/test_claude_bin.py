"""What stands for Claude Code, and what is said before the first step where it cannot be."""

import json
import os
import sys

import pytest

from prodigy.runtime.claude.arguments import UNBOUND_ROOT
from tests.end_to_end.house import House
from tests.stand_in import install, rule

BY_MODULE = f'#!/bin/sh\nexec {sys.executable} -P -m prodigy.fake_claude "$@"\n'


def test_the_operator_names_a_program_for_all_steps_and_the_run_remembers_it(house: House) -> None:
    """Whatever the file says, and after a resume too: nobody pays by mistake."""
    house.workflow(
        {"id": "a", "claude": {"prompt": "one", "claude_bin": "/nowhere/claude"}},
        {"shell": "test -e go"},
        {"id": "b", "claude": "two"},
    )
    first = house.prodigy("cook", "demo.yaml", "--claude-bin", "prodigy-fake-claude")
    assert (first.code, [event["at"] for event in house.events("command_finished")]) == (1, ["a", "commands[1]"]), first
    house.write("go", "")
    assert house.prodigy("resume").code == 0
    models = [event["model"] for event in house.events("command_finished") if "model" in event]
    assert (models, house.events("run_started")[0]["claude_bin"]) == (["claude-stand-in"] * 2, "prodigy-fake-claude")


def test_a_program_by_its_path_is_found_from_every_folder(house: House) -> None:
    """It begins where it was typed, or where the run does."""
    install(house.folder / "tools", rule({"say": "mine"}))
    (house.folder / "below").mkdir()
    house.workflow(
        {"id": "a", "claude": {"prompt": "x", "claude_bin": "tools/claude"}, "working_dir": "below"},
        {"shell": "echo ${a.output}"},
    )
    assert house.cook().err.count("mine") == 3
    house.workflow({"id": "a", "claude": "x", "working_dir": "below"})
    assert "mine" in house.prodigy("cook", "demo.yaml", "--claude-bin", "./tools/claude").err


def test_a_program_that_is_not_there_is_said_before_the_first_step(house: House) -> None:
    """Nothing is run."""
    house.workflow({"shell": house.traced("first")}, {"id": "a", "claude": {"prompt": "x", "claude_bin": "./nobody"}})
    refused = house.cook()
    assert (refused.code, house.trace) == (1, [])
    assert "a (line " in refused.err and "claude_bin ./nobody is no program that can be run" in refused.err


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may not skip permissions")
@pytest.mark.parametrize(
    "told", [{"permission_mode": "bypassPermissions"}, {"args": ["--dangerously-skip-permissions"]}]
)
def test_root_that_is_to_skip_permissions_is_said_before_the_first_step(house: House, told: dict[str, object]) -> None:
    """Unless somebody says that it is a sandbox."""
    house.program("claude", BY_MODULE)
    house.workflow({"shell": house.traced("first")}, {"id": "a", "claude": {"prompt": "x", **told}})
    refused = house.cook()
    assert (refused.code, house.trace, UNBOUND_ROOT in " ".join(refused.err.split())) == (1, [], True), refused.err
    assert house.prodigy("cook", "demo.yaml", IS_SANDBOX="1").code == 0


def test_an_answer_in_a_form_reaches_later_steps(house: House) -> None:
    """A field of it, and all of it as JSON; the log has it."""
    schema = {"type": "object", "properties": {"n": {"type": "integer"}, "names": {"type": "array"}}}
    install(house.programs, rule({"structured": {"n": 3, "names": ["a b", "$(reboot)"]}}))
    house.workflow(
        {"id": "a", "claude": {"prompt": "x", "json_schema": schema}},
        {"shell": "printf '%s|' ${a.structured.n} ${a.structured.names[1]} ${a.structured} > said"},
    )
    assert house.cook().code == 0
    n, name, whole, _ = (house.folder / "said").read_text().split("|")
    assert (n, name, json.loads(whole)) == ("3", "$(reboot)", {"n": 3, "names": ["a b", "$(reboot)"]})
