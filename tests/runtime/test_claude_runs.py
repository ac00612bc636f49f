"""Claude Code at work, played by the stand-in: asked, interrupted, timed out, and in every kind of trouble."""

import errno
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from prodigy.kernel.effects import RenderedClaude
from prodigy.kernel.ledger import NOTHING
from prodigy.kernel.signals import Exited
from prodigy.runtime.processes import supervisor
from prodigy.runtime.processes.outputs import OutputFile
from tests.runtime.world import World, exited, is_alive, playing, until
from tests.stand_in import RESULT, arguments_of, fake_claude, raw

ASKED = RenderedClaude(prompt="x")


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A run whose commands are all ended afterwards."""
    async for world in playing(tmp_path):
        yield world


def spawn(
    world: World, *steps: dict[str, Any], prompt: str = "x", rule: dict[str, Any] | None = None, **more: Any
) -> None:
    """Ask a claude that does these steps."""
    environment = fake_claude(world.directory, *steps, **(rule or {}))
    world.spawn(command=RenderedClaude(prompt=prompt), environment=environment, **more)


def by_claude(**fields: Any) -> Exited:
    """Return the exit of a claude that was asked."""
    return exited(model="claude-stand-in", claude_version="2.1.332", **fields)


def said(world: World, text: str) -> bool:
    """Whether the transcript has a text in it."""
    attempt = world.processes._attempts[7]
    return bool(attempt.files) and text.encode() in b"".join(attempt.files[0].chunks())


async def test_claude_answers(world: World) -> None:
    """The prompt is said to it, its flags are ours, its answer is the output, its transcript is kept beside."""
    spawn(world, {"bash": 'printf %s "$PROMPT" > prompt'}, {"say": "42 €"}, prompt="-p what\nis it")
    seen = await world.exited()
    assert seen == by_claude(exit_code=0, output="42 €", spent=seen.spent)
    assert (seen.spent.kind, seen.spent.session_usd) == ("exact", 0.01)
    assert [usage.cost_usd for usage in seen.spent.models.values()] == [0.01]
    assert (world.directory / "prompt").read_text() == "-p what\nis it"
    assert arguments_of(world.directory)[:5] == [
        "-p",
        "--input-format=stream-json",
        "--output-format=stream-json",
        "--include-partial-messages",
        "--verbose",
    ]
    assert world.outputs() == ["7.jsonl", "7.out"]
    assert (world.run_folder / "outputs" / "7.out").read_text() == "42 €"


async def test_claude_without_a_result_has_failed(world: World) -> None:
    """Whatever its exit status; of what it was asked the cost is unknown."""
    spawn(world, {"raw": "hm\n"}, {"stderr": "no such thing"}, {"exit": 0})
    assert await world.exited() == by_claude(
        exit_code=0,
        aborted=True,
        stderr="no such thing\n",
        error="no such thing",
        warnings=("lines of Claude Code's output that are not JSON: 1",),
    )


async def test_claude_that_ends_before_it_is_asked_cost_nothing(world: World) -> None:
    """As with a flag that it does not know: stderr says why."""
    program = world.directory / "bin" / "claude"
    environment = fake_claude(world.directory)
    program.write_text("#!/bin/sh\necho \"error: unknown option '--x'\" >&2; exit 1\n")
    seen = await world.run(command=ASKED, environment=environment)
    assert (seen.error, seen.spent) == ("error: unknown option '--x'", NOTHING)


async def test_an_answer_that_cannot_be_stored_fails_the_step(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is said; nothing hangs."""

    def write(_file: OutputFile, _text: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(OutputFile, "write", write)
    spawn(world, {"say": "42"})
    assert await world.exited() == exited(
        error="its output cannot be read or stored: [Errno 28] No space left on device", output_file=""
    )


@pytest.mark.parametrize("blanks", ["", " \n\t"])
async def test_a_misspelt_command_is_never_asked(world: World, blanks: str) -> None:
    """Nothing is paid, nothing is done, and no second try would help."""
    spawn(world, {"bash": "touch asked"}, prompt=f"{blanks}/compakt now")
    seen = await world.exited()
    assert (seen.error, seen.spent, seen.is_final) == (
        "Claude Code knows no command /compakt here; did you mean /compact?",
        NOTHING,
        True,
    )
    assert not (world.directory / "asked").exists()


async def test_a_command_after_blanks_is_said_without_them(world: World) -> None:
    """Claude Code takes one only at the very beginning, and every other prompt as it stands."""
    spawn(world, {"bash": 'printf %s "$PROMPT" > prompt'}, prompt="\n /compact now\n")
    await world.exited()
    assert (world.directory / "prompt").read_text() == "/compact now\n"


async def test_claude_is_interrupted_first(world: World) -> None:
    """It ends its own tools, and says what all that has cost."""
    spawn(world, {"bash": "echo $$ > tool; exec sleep 60"}, rule={"cost": 0.25}, grace_s=60)
    await until(lambda: (world.directory / "tool").exists() and (world.directory / "tool").read_text())
    world.processes.terminate(7)
    seen = await world.exited()
    assert seen == by_claude(exit_code=1, stopped=True, aborted=True, spent=seen.spent)
    assert seen.spent.session_usd == 0.25
    assert not is_alive(int((world.directory / "tool").read_text()))


@pytest.mark.parametrize(
    ("deaf", "ending"), [(["interrupt"], {"exit_code": 143}), (["interrupt", "SIGTERM"], {"signal": "SIGKILL"})]
)
async def test_claude_that_is_deaf_is_ended_all_the_same(world: World, deaf: list[str], ending: dict[str, Any]) -> None:
    """When it misses the interrupt, SIGTERM follows, then SIGKILL, all within the grace."""
    spawn(world, {"wait": 60}, rule={"deaf": deaf}, grace_s=0.3)
    await until(lambda: said(world, '"init"'))
    world.processes.terminate(7)
    assert await world.exited() == by_claude(stopped=True, aborted=False, **ending)


async def test_claude_that_was_not_asked_yet_is_never_asked(world: World) -> None:
    """A stop that comes before it has answered the greeting: nothing was paid."""
    spawn(world, {"bash": "touch asked"}, grace_s=60)
    world.processes.terminate(7)
    seen = await world.exited()
    assert (seen.stopped, seen.spent, (world.directory / "asked").exists()) == (True, NOTHING, False)


async def test_a_timeout_interrupts_too(world: World) -> None:
    """So its cost is known."""
    spawn(world, {"say": "so far"}, {"wait": 60}, rule={"cost": 0.5}, timeout_s=60, grace_s=60)
    await until(lambda: said(world, "so far"))
    world.processes._time_out(world.processes._attempts[7])
    seen = await world.exited()
    assert (seen.timed_out_s, seen.spent.session_usd) == (60, 0.5)


async def test_claude_that_has_said_its_success_when_a_stop_meets_it_has_succeeded(world: World) -> None:
    """It only has to end."""
    spawn(world, *raw(RESULT), {"wait": "go"}, {"exit": 0})
    attempt = world.processes._attempts[7]
    await until(lambda: attempt.dialogue and attempt.dialogue.heard.has_result)
    world.processes.meet_stop()
    (world.directory / "go").touch()
    seen = await world.exited()
    assert (0, False, None) == (seen.exit_code, seen.stopped, seen.error)


async def test_what_it_left_running_is_ended_after_a_success_too(world: World) -> None:
    """Whatever session it went into."""
    spawn(world, {"leave": "echo $$ > left; exec sleep 60"}, {"wait": "left"}, {"say": "done"})
    seen = await world.exited()
    assert (seen.exit_code, seen.error, len(seen.warnings)) == (0, None, 1)
    assert seen.warnings[0].startswith("left running and ended: sleep")
    assert not is_alive(int((world.directory / "left").read_text()))


async def test_claude_is_told_as_words(world: World) -> None:
    """Nobody wants to read JSON."""
    spawn(world, {"say": "thinking"})
    await world.exited()
    assert world.shown == [("deploy", b"thinking\n")]


async def test_claude_does_not_see_an_outer_claude(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does it lose what the user and the step's own `env` set."""
    monkeypatch.setenv("CLAUDECODE", "1")
    monkeypatch.setenv("CLAUDE_CODE_ENTRYPOINT", "cli")
    monkeypatch.setenv("CLAUDE_CODE_USE_VERTEX", "1")
    world = World(tmp_path)
    environment = fake_claude(world.directory) | {"CLAUDE_CODE_MAX_RETRIES": "2"}
    program = world.directory / "bin" / "claude"
    program.write_text("#!/bin/sh\nenv | grep ^CLAUDE_*CODE | sort > seen\n")
    await world.run(command=ASKED, environment=environment)
    assert (world.directory / "seen").read_text() == "CLAUDE_CODE_MAX_RETRIES=2\nCLAUDE_CODE_USE_VERTEX=1\n"
    await world.processes.close()


async def test_a_claude_that_did_not_start_cost_nothing(world: World) -> None:
    """That is known, and no cost of which nothing is known."""
    unstarted = await world.run(command=ASKED, environment={"PATH": "/nowhere"})
    assert unstarted.spent == NOTHING


async def test_a_missing_claude_is_explained(world: World) -> None:
    """With the command to check."""
    seen = await world.run(command=ASKED, environment={"PATH": "/nowhere"})
    assert seen.error == (
        "cannot start: a claude step needs Claude Code, and there is no `claude` on PATH; "
        "install it and check with `claude --version`"
    )


@pytest.mark.parametrize(
    ("prompt", "why"),
    [
        (
            "x" * 10_000_001,
            "the prompt is 10000001 bytes, Claude Code reads at most 10000000; "
            "put the data in a file and name the file in the prompt",
        ),
        ("", "the prompt is empty; what it is made of has no text"),
        (" \n", "the prompt is empty; what it is made of has no text"),
    ],
    ids=["too long", "empty", "blank"],
)
async def test_a_prompt_that_cannot_be_is_refused_before_the_start(world: World, prompt: str, why: str) -> None:
    """Claude Code would refuse it after the start."""
    seen = await world.run(command=RenderedClaude(prompt=prompt))
    assert (seen.error, seen.spent) == (f"cannot start: {why}", NOTHING)


@pytest.mark.parametrize(
    "prompt",
    ["-", "--help", "x" * 200_000, "é" * 3_000_000],
    ids=["a dash", "a flag", "more than a pipe holds", "6 MB"],
)
async def test_a_prompt_of_any_size_and_beginning_arrives(world: World, prompt: str) -> None:
    """Whatever a pipe holds at once."""
    spawn(world, {"say": "{{prompt}}"}, prompt=prompt)
    seen = await world.exited()
    assert (seen.error, (world.run_folder / "outputs" / "7.out").read_text() == prompt) == (None, True)


async def test_a_claude_that_never_reads_is_no_trouble(world: World) -> None:
    """Nor is one that closes its input: the prompt waits, and the stop does not."""
    environment = fake_claude(world.directory)
    (world.directory / "bin" / "claude").write_text("#!/bin/sh\nexec <&-; exec sleep 60\n")
    world.spawn(command=RenderedClaude(prompt="x" * 1_000_000), environment=environment, grace_s=0.2)
    await until(lambda: world.processes._attempts[7].dialogue)
    world.processes.terminate(7)
    assert await world.exited() == exited(signal="SIGTERM", stopped=True, spent=NOTHING)


async def test_lines_of_any_length_and_none_at_all_are_no_trouble(world: World) -> None:
    """Before init and after the result, cut by another line, two results, 40 MB."""
    early = '{"type":"system","subtype":"ui_invalidate"}\n'
    spawn(
        world,
        {"raw": early},
        {"line": 40_000_000},
        {"raw": '{"type":"assist{"type":"system"}\n'},
        *raw(RESULT | {"result": "first"}),
        {"say": "last"},
        {"raw": '{"type":"system","subtype":"task_updated"}\n'},
    )
    seen = await world.exited()
    assert (seen.output, seen.error, seen.warnings) == (
        "last",
        None,
        ("lines of Claude Code's output that are not JSON: 2",),
    )


async def test_what_it_is_told_becomes_its_arguments(world: World) -> None:
    """None of which takes the next for its value; the stand-in, as Claude Code, refuses what it does not know."""
    command = RenderedClaude(
        prompt="x",
        session="11111111-1111-4111-8111-111111111111",
        model="haiku",
        fallback_model="sonnet",
        allowed_tools=("Read", "Bash(git *)"),
        disallowed_tools=("Write",),
        permission_mode="acceptEdits",
        append_system_prompt="-be brief",
        json_schema='{"type":"object"}',
        max_turns=3,
        args=("--add-dir", "../x"),
    )
    seen = await world.run(command=command, environment=fake_claude(world.directory))
    assert (seen.error, seen.structured, seen.model) == (None, {}, "haiku")
    assert arguments_of(world.directory)[5:] == [
        "--add-dir",
        "../x",
        "--session-id=11111111-1111-4111-8111-111111111111",
        "--model=haiku",
        "--fallback-model=sonnet",
        "--permission-mode=acceptEdits",
        "--append-system-prompt=-be brief",
        '--json-schema={"type":"object"}',
        "--max-turns=3",
        "--allowedTools=Read",
        "--allowedTools=Bash(git *)",
        "--disallowedTools=Write",
    ]


async def test_an_argument_that_is_ours_is_refused_also_where_a_value_made_it(world: World) -> None:
    """Before the start."""
    seen = await world.run(command=RenderedClaude(prompt="x", args=("--resume=1",)))
    assert seen.error == (
        "cannot start: --resume is not for args: each attempt has a conversation of its own, which prodigy begins and "
        "goes on with; remove it"
    )


async def test_another_program_can_stand_for_claude(world: World) -> None:
    """By a path, which begins in the folder of the run; the stand-in of ours by its name, wherever it is."""
    fake_claude(world.directory, {"say": "by path"})
    seen = [
        await world.run(command=RenderedClaude(prompt="x", program=program), environment={"PATH": "/nowhere:/bin"})
        for program in ("bin/claude", "prodigy-fake-claude", "bin/nobody")
    ]
    assert [exit_.output for exit_ in seen] == ["by path", "stand-in: I was asked 'x'", ""]
    assert seen[2].error and "is no program that can be run" in seen[2].error


async def test_a_denied_tool_fails_where_it_should(world: World) -> None:
    """And an answer without the form that was asked for always does."""
    denied = RenderedClaude(prompt='x [[fake [{"deny": "Bash"}, {"say": "done"}]]]', fails_on_denied=True)
    formless = RenderedClaude(prompt='x [[fake [{"structured": null}]]]', json_schema='{"type":"object"}')
    environment = fake_claude(world.directory)
    seen = [(await world.run(command=command, environment=environment)).error for command in (denied, formless)]
    assert [error is not None and error.partition(";")[0] for error in seen] == [
        "permission was denied 1 time, for Bash",
        "Claude Code answered without the structured output that json_schema asks for",
    ]


async def test_what_gives_no_sign_of_work_is_ended(world: World) -> None:
    """News of requests that are repeated is none; its cost is known all the same."""
    spawn(world, {"say": "so far"}, {"stall": True, "every": 0.05}, idle_timeout_s=0.5, grace_s=60)
    seen = await world.exited()
    assert (seen.idle_s, seen.spent.session_usd, seen.exit_code) == (0.5, 0.01, 1)


async def test_what_gives_signs_of_work_goes_on(world: World) -> None:
    """For longer than it may be silent."""
    spawn(world, {"say": " ".join("x" * 40), "every": 0.05}, idle_timeout_s=1.5)
    seen = await world.exited()
    assert (seen.error, seen.idle_s) == (None, None)


async def test_a_shell_command_that_prints_nothing_is_ended_too(world: World) -> None:
    """Where it was told so."""
    seen = await world.run("echo begun; sleep 60", idle_timeout_s=0.3)
    assert (seen.idle_s, seen.signal, seen.output) == (0.3, "SIGTERM", "begun\n")


async def test_a_version_that_does_not_know_the_greeting_is_asked_all_the_same(world: World) -> None:
    """Its commands cannot be checked before."""
    environment = fake_claude(world.directory)
    refusal = {"subtype": "error", "request_id": "greeting", "error": "unknown"}
    answer = json.dumps({"type": "control_response", "response": refusal})
    program = (
        f"#!/bin/sh\nread -r _; echo '{answer}'; read -r asked; echo \"$asked\" > asked; echo '{json.dumps(RESULT)}'\n"
    )
    (world.directory / "bin" / "claude").write_text(program)
    seen = await world.run(command=RenderedClaude(prompt="/nobody knows"), environment=environment)
    assert (seen.error, seen.output, "/nobody knows" in (world.directory / "asked").read_text()) == (None, "42 €", True)


async def test_the_input_of_one_is_not_held_open_by_another(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each hears the end of its own, however many run; also where they stand where we do, and start the faster way."""
    monkeypatch.chdir(world.directory)
    monkeypatch.setattr(supervisor, "RESULT_GRACE_S", 60.0)
    environment = fake_claude(world.directory)
    first = RenderedClaude(prompt='x [[fake [{"wait": "go"}, {"say": "done"}]]]')
    world.spawn(command=first, environment=environment)
    world.spawn(command=RenderedClaude(prompt='x [[fake [{"wait": 60}]]]'), environment=environment, epoch=8)
    await until(lambda: world.processes._attempts[8].dialogue)
    (world.directory / "go").touch()
    seen = await world.exited()
    assert (seen.epoch, seen.output, seen.warnings) == (7, "done", ())
