"""Orders to the world, and the two laws: no effect without an event, no event without a signal."""

import ast
import inspect
import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

import prodigy
from prodigy.kernel import effects as fx
from prodigy.kernel import events as ev
from prodigy.kernel.evolve import evolve
from prodigy.kernel.lifecycle import Epoch
from prodigy.kernel.snapshot import snapshot_of
from prodigy.plan.compile import compile_workflow
from prodigy.plan.nodes import Plan
from tests.kernel.story import NOW, ends, given, starts, stops, succeeds, waits
from tests.simulation.plans import compiled, mapped, step

PURE = ("plan", "kernel", "projections")


def order(plan: Plan, at: str = "a") -> fx.Effect:
    """Return what the start of the first step orders."""
    event = starts(at)
    (effect,) = fx.effects(given(plan, event).state, event, 3)
    return effect


def rejected(plan: Plan) -> str:
    effect = order(plan)
    assert isinstance(effect, fx.Reject)
    return effect.reason


def with_a_nul(command: dict[str, Any]) -> Plan:
    """Return a plan in which `${x}` holds a NUL, as a capture may."""
    return replace(compiled(command, variables={"x": ""}), variables={"x": "a\0b"})


def test_a_start_spawns_its_command() -> None:
    """With its epoch, and nothing that it was not given."""
    expected = fx.Spawn(
        at="a",
        epoch=Epoch(3),
        attempt=1,
        command=fx.RenderedShell(script="do a"),
        output_bytes_max=fx.OUTPUT_BYTES_MAX,
    )
    assert order(compiled(step("a"))) == expected


def test_a_spawn_has_all_that_its_step_says() -> None:
    """Environment, folder, time, grace, how much output is wanted, and whether the checkpoint comes first."""
    plan = compiled(
        step("a", env={"WHO": "${who}"}, working_dir="${who}/x", timeout="5m", capture="c", checkpoint=True),
        variables={"who": "me"},
        grace="7s",
    )
    expected = fx.Spawn(
        at="a",
        epoch=Epoch(3),
        attempt=1,
        command=fx.RenderedShell(script="do a"),
        environment={"WHO": "me"},
        working_dir="me/x",
        timeout_s=300.0,
        grace_s=7.0,
        output_bytes_max=fx.CAPTURE_BYTES_MAX,
        whole_output=True,
        after_checkpoint=True,
    )
    assert order(plan) == expected


def test_a_step_whose_output_is_referred_to_keeps_more_of_it() -> None:
    """1 MiB instead of 16 KiB."""
    effect = order(compiled(step("a"), {"shell": "echo ${a.output}"}))
    assert isinstance(effect, fx.Spawn)
    assert effect.output_bytes_max == fx.KEPT_OUTPUT_BYTES_MAX


def test_a_claude_step_gets_its_prompt() -> None:
    """As text, with the values in it."""
    plan = compiled({"id": "a", "claude": "/fix ${files}"}, variables={"files": ["x", "y"]})
    effect = order(plan)
    assert isinstance(effect, fx.Spawn)
    assert effect.command == fx.RenderedClaude(prompt='/fix ["x","y"]')


def test_a_value_never_becomes_part_of_the_script() -> None:
    """It travels beside it."""
    effect = order(compiled({"id": "a", "shell": "echo ${x}"}, variables={"x": "; rm -rf ~"}))
    assert isinstance(effect, fx.Spawn)
    assert isinstance(effect.command, fx.RenderedShell)
    assert "rm" not in effect.command.script
    assert list(effect.command.variables.values()) == ["; rm -rf ~"]


TIMEOUTS: dict[str, float] = {"90": 90.0, "90s": 90.0, "1.5m": 90.0, "1h": 3600.0}


@pytest.mark.parametrize("text", TIMEOUTS)
def test_a_timeout_from_a_variable_is_seconds_or_has_a_unit(text: str) -> None:
    """Read when the command starts."""
    effect = order(compiled(step("a", timeout="${limit}"), variables={"limit": text}))
    assert isinstance(effect, fx.Spawn)
    assert effect.timeout_s == TIMEOUTS[text]


@pytest.mark.parametrize("text", ["", "soon", "0", "-1", "nan", "1e400", "2d", "99999999999"])
def test_a_timeout_that_is_no_time_is_rejected(text: str) -> None:
    """Nothing starts, and the step fails with the reason."""
    reason = rejected(compiled(step("a", timeout="${limit}"), variables={"limit": text}))
    assert reason == f"timeout is {text!r}, not a time such as 90, 90s, 5m or 1h"


def test_a_nul_is_rejected_in_a_script() -> None:
    """No program can be given one."""
    assert "NUL" in rejected(with_a_nul({"id": "a", "shell": "echo ${x}"}))


@pytest.mark.parametrize("place", [{"env": {"X": "${x}"}}, {"working_dir": "${x}"}])
def test_a_nul_is_rejected_beside_a_script(place: dict[str, Any]) -> None:
    """Neither in its environment nor as its folder."""
    assert "NUL" in rejected(with_a_nul(step("a", **place)))


def test_a_retry_that_is_no_count_is_rejected_before_the_first_attempt() -> None:
    """Not after the command has failed."""
    assert rejected(compiled(step("a", retry="${n}"), variables={"n": "many"})).startswith(
        "retry is 'many', not a number"
    )


def test_a_wait_sleeps() -> None:
    """For the delay that was decided, not for a clock's."""
    event = waits("a", 2, 4.0)
    state = given(compiled(step("a", retry=1))).state
    assert list(fx.effects(state, event, 9)) == [fx.Sleep(at="a", attempt=2, delay_s=4.0)]


def test_a_stop_terminates_what_is_in_flight() -> None:
    """And only that."""
    state = given(compiled(step("a"), step("b")), starts("a"), ends("a", 3), succeeds("a", 1), starts("b")).state
    assert list(fx.effects(state, stops(), 8)) == [fx.Terminate(at="b", epoch=Epoch(7))]


def test_an_end_finishes() -> None:
    """With the status in which the run rests."""
    event = ev.RunInterrupted()
    state = given(compiled(step("a")), event).state
    assert list(fx.effects(state, event, 3)) == [fx.Finish(status="interrupted")]


def test_first_law_only_these_events_have_effects() -> None:
    """Whatever else is in a log, reading it starts nothing."""
    plan = compiled(step("a"))
    others: list[ev.Event] = [
        ends("a", 3),
        ev.CommandInterrupted(at="a", epoch=Epoch(3), duration_s=1.0),
        ev.ValueCaptured(at="a", name="x", value=1),
        ev.NodeStarted(at="a", attempt=1),
        ev.HandlingStarted(at="a"),
        ev.NodeSkipped(at="a", reason=""),
        ev.NodeSucceeded(at="a"),
        ev.NodeHandled(at="a"),
        ev.NodeFailed(at="a", error=""),
        ev.NodeReopened(at="a"),
        ev.NodeContinued(at="a"),
        ev.CheckpointMarked(version=1, at="a"),
        ev.PlanChanged(plan=plan, workflow_text=""),
        ev.RunResumed(number=2),
        ev.GenerationStarted(generation=2, parent=1, from_seq=0, from_chain="", version=0, reason=""),
    ]
    state = given(plan, starts("a")).state
    assert [effect for event in others for effect in fx.effects(state, event, 4)] == []


def test_second_law_the_kernel_never_asks_for_the_time() -> None:
    """Nor for anything else of the world: times arrive inside signals."""
    asked = {
        f"{path.name}:{node.lineno}"
        for layer in PURE
        for path in (Path(prodigy.__file__).parent / layer).glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in {"now", "utcnow", "today", "environ", "getenv"}
    }
    assert asked == set()


def test_a_command_that_lists_items_gets_its_values_by_reference() -> None:
    """What a value holds is never pasted into the command of `map.input`."""
    words = {"input": {"command": "list ${x}"}, "agent_template": [{"shell": "true"}]}
    text = json.dumps({"mode": "mapreduce", "variables": {"x": "$(reboot)"}, "map": words})
    plan = compile_workflow(text.encode(), file="demo.yaml")
    state = given(plan).state
    (effect,) = fx.effects(state, ev.ListingStarted(at="map"), state.seq)
    assert isinstance(effect, fx.List)
    assert (effect.text, effect.environment) == ('list "${PRODIGY_VALUE_1}"', {"PRODIGY_VALUE_1": "$(reboot)"})


def test_items_are_looked_for_where_the_steps_run() -> None:
    """A setup step that writes `files.json` and a map that reads it mean the same file."""
    words = {"input": "files.json", "agent_template": [{"shell": "true"}]}
    text = json.dumps({"mode": "mapreduce", "working_dir": "${x}", "variables": {"x": "src"}, "map": words})
    state = given(compile_workflow(text.encode(), file="demo.yaml")).state
    (effect,) = fx.effects(state, ev.ListingStarted(at="map"), state.seq)
    assert isinstance(effect, fx.List)
    assert (effect.text, effect.working_dir) == ("files.json", "src")


def test_the_step_of_an_item_knows_its_key() -> None:
    """By which it can be made idempotent."""
    plan = mapped([], [step("x")], [])
    listed = ev.ItemsListed(at="map", keys=("a]b",), items=("a]b",))
    begun = (ev.NodeStarted(at="map", attempt=1), listed, ev.NodeStarted(at="map[a%5Db]", attempt=1))
    event = starts("map[a%5Db].x", text="do x")
    (effect,) = fx.effects(given(plan, *begun, event).state, event, 6)
    assert isinstance(effect, fx.Spawn)
    assert effect.environment == {"PRODIGY_ITEM_KEY": "a]b"}


def test_the_file_of_an_output_is_named_from_where_the_run_lies_now() -> None:
    """The state has it relative to the run's folder, as the log has it; what lost its log lies there too."""
    plan = compiled(step("a"), {"id": "b", "shell": "cat ${a.output_file}"})
    started = ev.CommandStarted(at="b", attempt=1, command="shell: cat")
    story = given(plan, starts("a"), ends("a", 3, output_file="outputs/3.out"), succeeds("a", 1), starts("b"))
    state = replace(story.state, folder="/project/.prodigy/runs/demo-1")
    lost = ev.RunRestored(plan=plan, snapshot=snapshot_of(state, {}))
    for known in (state, evolve(state, lost, NOW)):
        (effect,) = fx.effects(known, started, 9)
        assert isinstance(effect, fx.Spawn)
        assert isinstance(effect.command, fx.RenderedShell)
        assert list(effect.command.variables.values()) == ["/project/.prodigy/runs/demo-1/outputs/3.out"]


def test_the_file_of_an_output_is_to_stand_where_the_plan_names_it() -> None:
    """Of a step anywhere, of an item's too; whoever takes the output itself needs no file."""
    named = {"id": "a", "shell": "true"}
    places: list[dict[str, Any]] = [
        {"shell": "cat ${a.output_file}"},
        {"shell": "cat $F", "env": {"F": "${a.output_file:-none}"}},
        {"shell": "true", "when": "${a.output_file} starts_with '/'"},
        {"shell": "false", "on_failure": {"shell": "cat ${a.output_file|file}"}},
        {"shell": "echo ${a.output} ${a.stderr}"},
    ]
    orders = [order(compiled(named, place)) for place in places]
    assert [isinstance(effect, fx.Spawn) and effect.keeps_file for effect in orders] == [True] * 4 + [False]


def test_a_value_as_a_file_is_a_path_and_the_file_is_ordered() -> None:
    """Each use has a file of its own, in the private folder of the attempt."""
    plan = compiled({"id": "a", "claude": "read ${x|file}", "env": {"X": "${x|file}!"}}, variables={"x": ["b"]})
    (effect,) = fx.effects(
        replace(given(plan, starts("a")).state, folder="/run"), ev.CommandStarted(at="a", attempt=1, command=""), 7
    )
    assert isinstance(effect, fx.Spawn)
    assert effect.files == {"value-1": '["b"]', "value-2": '["b"]'}
    assert effect.command == fx.RenderedClaude(prompt="read /run/values-in-use/7/value-1")
    assert effect.environment == {"X": "/run/values-in-use/7/value-2!"}


@pytest.mark.parametrize("count", ["1", "1001"])
def test_the_first_and_the_last_count_of_attempts_are_taken(count: str) -> None:
    """`attempts` counts all of them."""
    plan = compiled(step("a", retry={"attempts": "${n}"}), variables={"n": count})
    assert isinstance(order(plan), fx.Spawn)


def test_a_script_goes_to_the_interpreter_that_its_step_names() -> None:
    """Any program that reads a file."""
    effect = order(compiled(step("a", interpreter="python3 -u")))
    assert isinstance(effect, fx.Spawn)
    assert isinstance(effect.command, fx.RenderedShell)
    assert effect.command.interpreter == "python3 -u"


def test_what_is_passed_over_leads_to_nothing() -> None:
    """No case of what events lead to is about one of those that nobody looks at."""
    cases = inspect.getsource(fx._orders)
    assert {kind.__name__ for kind in fx._WITHOUT_EFFECT if f"ev.{kind.__name__}()" in cases} == set()
    assert {kind.__name__ for kind in fx._WITHOUT_EFFECT} == {
        "CheckpointMarked",
        "CommandFinished",
        "ItemSettled",
        "NodeStarted",
        "NodeSucceeded",
    }
