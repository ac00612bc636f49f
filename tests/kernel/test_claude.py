"""What the kernel knows of claude steps: a conversation for each attempt, and what no further attempt can help."""

import re
from typing import Any

from msgspec.structs import replace

from prodigy.kernel import effects as fx
from prodigy.kernel import events as ev
from prodigy.kernel.conversations import session_of
from prodigy.kernel.effects import RenderedClaude
from prodigy.kernel.lifecycle import Epoch
from prodigy.kernel.scope import lookup_in
from tests.kernel.story import NOW, ends, exited, fails, fired, given, later, run_fails, starts, waits
from tests.simulation.plans import compiled, in_stages, stage, step

ASKS = {"id": "a", "claude": "look", "retry": 2}
IN_VAIN = {"exit_code": 0, "error": "no such command", "is_final": True}


def test_every_attempt_begins_a_conversation_of_its_own_that_is_recorded_first() -> None:
    """A UUID, the same in every replay; a shell step has none."""
    plan = compiled(ASKS, step("b"))
    begun = given(plan).state
    first = session_of(begun, plan.nodes["a"], 1, time=NOW)
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", first)
    told = [ev.CommandStarted(at="a", attempt=1, command="claude: look", session=first)]
    failed = exited("a", 3, exit_code=1, stderr="boom\n")
    waiting = given(plan, *told).when(failed)
    again = given(plan, *told, *waiting.events).when(fired("a", 2))
    assert [type(event) for event in again.events] == [ev.CommandStarted]
    second = again.events[0]
    assert isinstance(second, ev.CommandStarted) and second.session not in ("", first)
    assert session_of(begun, plan.nodes["a"], 1, time=NOW) == first
    assert session_of(begun, plan.nodes["a"], 1, time=later(1)) != first
    assert session_of(begun, plan.nodes["b"], 1, time=NOW) == ""


def test_the_conversation_that_is_recorded_is_the_one_that_begins() -> None:
    """The effect has it from its event."""
    plan = compiled(ASKS)
    event = ev.CommandStarted(at="a", attempt=1, command="claude: look", session="s")
    (spawned,) = fx.effects(given(plan, event).state, event, 3)
    assert isinstance(spawned, fx.Spawn) and spawned.command == RenderedClaude(prompt="look", session="s")


def test_what_no_further_attempt_can_help_fails_at_once() -> None:
    """Whatever `retry` says."""
    plan = compiled(ASKS)
    given(plan, starts("a")).when(exited("a", 3, **IN_VAIN)).then(
        ends("a", 3, cost_kind="unknown", **IN_VAIN),
        fails("a", 1, "no such command"),
        run_fails("a", "no such command"),
    )


def test_nor_does_a_further_attempt_of_what_it_is_in() -> None:
    """A stage that is tried again would only come to the same."""
    plan = in_stages(stage("s", ASKS, retry=2))
    events = given(plan, ev.NodeStarted(at="s", attempt=1), starts("s.a")).when(exited("s.a", 4, **IN_VAIN)).events
    assert not [event for event in events if isinstance(event, ev.RetryScheduled)]
    assert isinstance(events[-1], ev.RunFailed)


def test_handlers_may_mend_even_that() -> None:
    """They may write the command that was missing."""
    plan = compiled({**ASKS, "on_failure": {"commands": [{"shell": "mend"}], "max_attempts": 1}})
    events = given(plan, starts("a")).when(exited("a", 3, **IN_VAIN)).events
    assert ev.HandlingStarted(at="a") in events


def test_what_gave_no_sign_of_work_has_timed_out() -> None:
    """`retry_on: timeout` is about it too."""
    plan = compiled(step("a", retry={"attempts": 2, "retry_on": ["timeout"]}))
    given(plan, starts("a")).when(exited("a", 3, exit_code=None, signal="SIGTERM", idle_s=600.0)).then(
        ev.CommandFinished(
            at="a",
            epoch=Epoch(3),
            exit_code=None,
            signal="SIGTERM",
            duration_s=1.0,
            idle_s=600.0,
            error="gave no sign of work for 600 s",
        ),
        waits("a", 2, 1.0),
    )


def test_what_a_step_tells_is_filled_in_and_the_program_of_the_operator_wins() -> None:
    """Values become texts; the schema is JSON."""
    told: dict[str, Any] = {
        "prompt": "at ${m}",
        "model": "${m}",
        "allowed_tools": ["Bash(${m} *)"],
        "max_turns": "${n}",
    }
    told |= {"json_schema": {"type": "object"}, "claude_bin": "own", "on_denied": "fail"}
    plan = compiled({"id": "a", "claude": told}, variables={"m": "git", "n": 4})
    event = ev.CommandStarted(at="a", attempt=1, command="", session="s")
    state = given(plan, event).state
    expected = RenderedClaude(
        prompt="at git",
        session="s",
        program="own",
        model="git",
        allowed_tools=("Bash(git *)",),
        json_schema='{"type":"object"}',
        max_turns=4,
        fails_on_denied=True,
    )
    named = replace(state, origin=replace(state.run, claude_bin="/fake"))
    spawned = [next(iter(fx.effects(either, event, 3))) for either in (state, named)]
    assert [effect.command for effect in spawned if isinstance(effect, fx.Spawn)] == [
        expected,
        replace(expected, program="/fake"),
    ]


def test_claude_may_be_silent_for_ten_minutes_unless_told() -> None:
    """A shell step for ever; 0 is for ever."""
    steps: list[dict[str, Any]] = [
        {"claude": "x", "id": "a"},
        {"claude": "x", "id": "b", "idle_timeout": 0},
        step("c"),
        step("d", idle_timeout="5m"),
    ]
    plan = compiled(*steps)
    limits = []
    for at in "abcd":
        event = ev.CommandStarted(at=at, attempt=1, command="")
        limits += [
            effect.idle_timeout_s
            for effect in fx.effects(given(plan, event).state, event, 3)
            if isinstance(effect, fx.Spawn)
        ]
    assert limits == [600, None, None, 300]


def test_an_answer_in_a_form_is_known_by_its_fields() -> None:
    """To later steps."""
    plan = compiled({"id": "a", "claude": {"prompt": "x", "json_schema": {"type": "object"}}}, step("b"))
    state = given(plan, starts("a"), ends("a", 3, structured={"n": [3]})).state
    known, result = lookup_in(state, "b")("a")
    assert (known, result["structured"]) == (True, {"n": [3]})
