"""The stand-in and the real Claude Code CLI say the same, and it means what we take it for.

Where the real one is not there (`.ci/claude` brings it), only the stand-in is tried.
"""

import json
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
import pytest_asyncio
from msgspec.structs import replace

from prodigy.kernel.effects import RenderedClaude
from prodigy.kernel.ledger import NOTHING
from prodigy.kernel.signals import Exited
from prodigy.runtime.claude.environment import OF_AN_OUTER, inheritable
from prodigy.runtime.claude.reading import Demands, Reading, Transcript
from prodigy.runtime.claude.versions import TESTED, is_tested
from tests.real.stages import REAL, VERSION, RealStage, Script, Stage
from tests.runtime.world import World, is_alive, playing, until

SAYS: tuple[Script, Script] = ([{"say": "hello"}], [{"text": "hello"}])
MINE = "11111111-1111-4111-8111-111111111111"
OTHER = "22222222-2222-4222-8222-222222222222"
SLEEPS = 'python3 -c \'import os, time; open("tool", "w").write(str(os.getpid())); time.sleep(77)\''
REAL_ONLY = pytest.mark.skipif(not REAL.exists(), reason=f"there is no {REAL}")


@pytest.fixture(params=["stand-in", pytest.param("real", marks=REAL_ONLY)])
def kind(request: pytest.FixtureRequest) -> str:
    """Which of the two."""
    return str(request.param)


@pytest_asyncio.fixture
async def world(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """A run whose folder is the stage's, in a scrubbed environment."""
    for name in list(os.environ):
        if name not in ("PATH", "LANG", "PYTHONPATH", "PYTEST_CURRENT_TEST"):
            monkeypatch.delenv(name)
    async for world in playing(tmp_path):
        yield world


@pytest.fixture
def stage(tmp_path: Path, kind: str, world: World) -> Any:
    """The stand-in, or the real one with its stub."""
    stage = RealStage(tmp_path) if kind == "real" else Stage(tmp_path)
    yield stage
    stage.close()


class Tried:
    """Asks on a stage, and reads what was said."""

    def __init__(self, world: World, stage: Stage) -> None:
        self.world, self.stage = world, stage
        self.epoch = 6

    def begin(self, command: RenderedClaude, **more: Any) -> None:
        """Begin an attempt."""
        environment = self.stage.environment | more.pop("environment", {})
        if flags := more.pop("flags", ()):
            command = replace(command, program=str(self._with(flags)))
        dropped = [name for name, value in environment.items() if value is None]
        for name in dropped:
            del environment[name]
        self.epoch += 1
        self.world.spawn(command=command, environment=environment, epoch=self.epoch, **({"grace_s": 30} | more))

    def _with(self, flags: tuple[str, ...]) -> Path:
        """Return a program that has flags which a step may not give it."""
        path = self.stage.home / f"claude-{self.epoch}"
        program = (
            shlex.quote(self.stage.program) if self.stage.is_real else f"{sys.executable} -P -m prodigy.fake_claude"
        )
        path.write_text(f'#!/bin/sh\nexec {program} {" ".join(flags)} "$@"\n')
        path.chmod(0o755)
        return path

    async def ask(self, command: RenderedClaude, **more: Any) -> Exited:
        """Begin an attempt and wait for its end; a real one may take its time."""
        self.begin(command, **more)
        return await self.ended()

    async def ended(self) -> Exited:
        """Wait for the end of what was begun."""
        deadline = time.monotonic() + 90
        while not any(exit_.epoch == self.epoch for exit_ in self.world.exits):
            assert time.monotonic() < deadline, self.transcript()
            try:
                await until(lambda: any(exit_.epoch == self.epoch for exit_ in self.world.exits))
            except AssertionError:
                continue
        return self.world.exits[-1]

    def transcript(self) -> bytes:
        """Return the transcript of the last attempt."""
        return (self.world.run_folder / "outputs" / f"{self.epoch}.jsonl").read_bytes()

    def reading(self, exited: Exited) -> Reading:
        """Return all that it says."""
        data, transcript = self.transcript(), Transcript()
        transcript.finish(lambda start, end: data[start:end])
        return transcript.reading(Demands(), exit_code=exited.exit_code, stderr=exited.stderr)

    def tools(self) -> list[str]:
        """Return what tools answered."""
        lines = [json.loads(line) for line in self.transcript().splitlines()]
        said = [line["message"]["content"] for line in lines if line["type"] == "user"]
        return [str(block.get("content", "")) for blocks in said if isinstance(blocks, list) for block in blocks]


@pytest.fixture
def tried(world: World, stage: Stage) -> Tried:
    """The stage with a run on it."""
    return Tried(world, stage)


def usd(seen: Exited) -> float | None:
    """Return where the counter of the conversation stands, 0 where nothing was asked."""
    return 0.0 if seen.spent == NOTHING else seen.spent.session_usd


def bash(command: str) -> tuple[Script, Script]:
    """Return a script with one command of the Bash tool, which is then done."""
    tool = {"tool": {"name": "Bash", "input": {"command": command, "description": "d"}}}
    return [{"bash": command}, {"say": "done"}], [tool, {"text": "done"}]


async def test_it_answers(tried: Tried) -> None:
    """With a result, a cost, the model, a version that was tried, and the conversation that we began."""
    seen = await tried.ask(tried.stage.asked(*SAYS, session=MINE))
    reading = tried.reading(seen)
    assert (seen.exit_code, seen.error, seen.output, seen.aborted, seen.warnings) == (0, None, "hello", False, ())
    assert (usd(seen) or 0) > 0 and seen.model and is_tested(seen.claude_version)
    assert (reading.session, list(reading.models), reading.fault, reading.status) == (MINE, [seen.model], "", None)
    assert seen.claude_version == VERSION


@pytest.mark.parametrize("blanks", ["", "\n "])
async def test_a_misspelt_command_is_known_before_anything_is_asked(tried: Tried, blanks: str) -> None:
    """Nothing is paid, nothing is requested; the folder's own is near."""
    command = RenderedClaude(prompt=f"{blanks}/analyse-file x", program=tried.stage.program)
    seen = await tried.ask(command)
    assert (seen.error, usd(seen), seen.is_final) == (
        "Claude Code knows no command /analyse-file here; did you mean /analyze-file?",
        0.0,
        True,
    )
    assert tried.stage.requests in (None, 0)


async def test_a_command_of_the_folder_is_asked(tried: Tried) -> None:
    """Also after blanks."""
    seen = await tried.ask(RenderedClaude(prompt="\n /analyze-file x", program=tried.stage.program))
    assert (seen.error, tried.stage.requests in (None, 1)) == (None, True)


@pytest.mark.parametrize("prompt", ["-x", "x" * 200_000], ids=["a dash", "200 KB"])
async def test_a_prompt_of_any_beginning_and_size_is_asked(tried: Tried, prompt: str) -> None:
    """It is no argument."""
    seen = await tried.ask(RenderedClaude(prompt=prompt, program=tried.stage.program))
    assert (seen.error, tried.stage.requests in (None, 1)) == (None, True)


async def test_an_interrupt_ends_a_tool_and_says_the_cost(tried: Tried) -> None:
    """Exit code 1, and a result that says so."""
    tried.begin(tried.stage.asked(*bash(SLEEPS), allowed_tools=("Bash",)))
    await running(tried)
    pid = int((tried.stage.folder / "tool").read_text())
    tried.world.processes.terminate(tried.epoch)
    seen = await tried.ended()
    assert (seen.stopped, seen.aborted, seen.exit_code, (usd(seen) or 0) > 0) == (True, True, 1, True)
    assert not is_alive(pid)


async def running(tried: Tried) -> None:
    """Wait until the tool runs."""
    path, deadline = tried.stage.folder / "tool", time.monotonic() + 60
    while not (path.exists() and path.read_text()):
        assert time.monotonic() < deadline, tried.transcript()
        try:
            await until(path.exists)
        except AssertionError:
            continue


async def test_a_conversation_that_is_silent_is_interrupted_too(tried: Tried) -> None:
    """A model that never answers gives no sign of work."""
    silent = tried.stage.asked([{"stall": True}], [{"stall": "headers"}])
    seen = await tried.ask(silent, idle_timeout_s=3)
    assert (seen.idle_s, seen.aborted or seen.exit_code == 1, usd(seen)) == (3, True, 0.0)


async def test_what_a_tool_leaves_running_is_found_and_ended(tried: Tried) -> None:
    """In whatever session: it inherits our mark."""
    script = "nohup setsid sleep 77 > /dev/null 2>&1 & echo $! > tool; echo epoch $PRODIGY_EPOCH"
    seen = await tried.ask(tried.stage.asked(*bash(script), allowed_tools=("Bash",)))
    assert (seen.error, [text for text in tried.tools() if f"epoch {tried.epoch}" in text] != []) == (None, True)
    assert seen.warnings and "left running and ended: sleep" in seen.warnings[0]


async def test_a_denied_tool_is_known_with_the_mend(tried: Tried) -> None:
    """The exit code is 0, and the work was not done."""
    steps = [{"deny": "Bash"}, {"say": "done"}]
    seen = await tried.ask(tried.stage.asked(steps, bash("touch zz")[1]))
    assert (seen.exit_code, seen.error, tried.reading(seen).denied) == (0, None, ("Bash",))
    assert "allowed_tools of the step lets a tool be used" in seen.warnings[0]
    failed = await tried.ask(tried.stage.asked(steps, bash("touch zz")[1], fails_on_denied=True))
    assert failed.error == seen.warnings[0]


async def test_a_folder_that_nobody_trusts_is_the_cause_that_is_named(tried: Tried) -> None:
    """Its settings would have let the tool be used."""
    (tried.stage.folder / ".claude" / "settings.json").write_text('{"permissions": {"allow": ["Bash(touch *)"]}}')
    ignored = "Ignoring 1 permissions.allow entry from .claude/settings.json: this workspace has not been trusted."
    steps = [{"stderr": ignored}, {"deny": "Bash"}, {"say": "done"}]
    seen = await tried.ask(tried.stage.asked(steps, bash("touch zz")[1]))
    assert "a folder that nobody has trusted: name the tools under allowed_tools" in seen.warnings[0]
    told = await tried.ask(tried.stage.asked(*bash("touch zz"), allowed_tools=("Bash(touch *)",)))
    assert (told.warnings, (tried.stage.folder / "zz").exists()) == ((), True)


async def test_an_answer_comes_in_the_form_that_was_asked_for(tried: Tried) -> None:
    """Or the step has failed; a schema that is none is told on stderr, before anything is asked."""
    schema = '{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]}'
    given: tuple[Script, Script] = (
        [{"structured": {"n": 3}}, {"say": "ok"}],
        [{"structured": {"n": 3}}, {"text": "ok"}],
    )
    formed = await tried.ask(tried.stage.asked(*given, json_schema=schema))
    assert (formed.error, formed.structured) == (None, {"n": 3})
    never = await tried.ask(tried.stage.asked([{"structured": None}], [{"text": "no"}], json_schema=schema))
    assert never.error == "Claude Code answered without the structured output that json_schema asks for"
    wrong = await tried.ask(tried.stage.asked(*SAYS, json_schema='{"type":"objekt"}'))
    assert wrong.error and wrong.error.startswith("Error: --json-schema is not a valid JSON Schema")
    assert usd(wrong) == 0.0


FAULTS = {
    "a wrong key": (401, "authentication_error", "no", "authentication_failed"),
    "no credit": (400, "invalid_request_error", "Your credit balance is too low to access the API", "billing_error"),
    "too many requests": (429, "rate_limit_error", "slow down", "rate_limit"),
    "too much load": (529, "overloaded_error", "Overloaded", None),
}


@pytest.mark.parametrize("name", FAULTS)
async def test_a_failed_request_is_classed_by_its_word_and_status(tried: Tried, name: str) -> None:
    """Its result is a success but for one field, and the exit code is 1."""
    status, kind, message, word = FAULTS[name]
    steps = [{"error": word or "server_error", "status": status, "text": message}]
    replies = [{"error": {"status": status, "type": kind, "message": message}}]
    none = {"CLAUDE_CODE_MAX_RETRIES": "0"}
    seen = await tried.ask(tried.stage.asked(steps, replies), environment=none)
    reading = tried.reading(seen)
    assert (seen.exit_code, reading.subtype, reading.status, reading.cost_usd) == (1, "success", status, 0.0)
    assert reading.fault == word if word else reading.fault
    assert seen.error and (
        message in seen.error or "Credit balance is too low" in seen.error or "overloaded" in seen.error.lower()
    )


async def test_a_subscriptions_limit_says_until_when(tried: Tried) -> None:
    """In seconds since 1970."""
    oauth = {"CLAUDE_CODE_OAUTH_TOKEN": "sk-ant-oat01-made-up", "ANTHROPIC_API_KEY": None}
    before = time.time()
    seen = await tried.ask(tried.stage.asked([{"limit": 3600}], [{"limit": {"resets_in_s": 3600}}]), environment=oauth)
    reading = tried.reading(seen)
    assert reading.limit and reading.limit.resets_at_s
    assert (reading.limit.status, reading.limit.kind, reading.fault, reading.status) == (
        "rejected",
        "five_hour",
        "rate_limit",
        429,
    )
    assert before + 3590 < reading.limit.resets_at_s < time.time() + 3610


async def test_a_request_that_is_repeated_says_so(tried: Tried) -> None:
    """And then goes on; that is no sign of work."""
    steps: Script = [{"retry": 1, "status": 529, "word": "overloaded"}, {"say": "hello"}]
    if tried.stage.is_real:
        await set_rules(
            tried, [{"match": {}, "times": 1, "reply": {"error": {"status": 500}}}, {"reply": {"text": "hello"}}]
        )
        command = RenderedClaude(prompt="please", program=tried.stage.program)
    else:
        command = tried.stage.asked(steps, [])
    seen = await tried.ask(command)
    assert (seen.error, seen.output, tried.reading(seen).retries) == (None, "hello", 1)


async def set_rules(tried: Tried, rules: list[dict[str, Any]]) -> None:
    """Have the stub answer otherwise."""
    assert isinstance(tried.stage, RealStage)
    urlopen(Request(f"{tried.stage.url}/__stub__/rules", data=json.dumps(rules).encode(), method="POST")).close()


async def test_a_conversation_that_goes_on_contains_what_it_had_cost(tried: Tried) -> None:
    """Resumed, and forked; under its own id."""
    first = await tried.ask(tried.stage.asked(*SAYS, session=MINE))
    again = await tried.ask(tried.stage.asked(*SAYS), flags=(f"--resume={MINE}",))
    assert (again.error, tried.reading(again).session) == (None, MINE)
    forked = await tried.ask(tried.stage.asked(*SAYS), flags=(f"--resume={MINE}", "--fork-session"))
    assert tried.reading(forked).session not in ("", MINE)
    costs = [usd(first) or 0, usd(again) or 0, usd(forked) or 0]
    assert 0 < costs[0] < costs[1] < costs[2]


async def test_a_conversation_that_is_not_there_is_known(tried: Tried) -> None:
    """Before anything is asked; and one that is there is begun only once."""
    gone = await tried.ask(tried.stage.asked(*SAYS), flags=(f"--resume={OTHER}",))
    assert (tried.reading(gone).is_unknown_session, usd(gone)) == (True, 0.0)
    await tried.ask(tried.stage.asked(*SAYS, session=MINE))
    twice = await tried.ask(tried.stage.asked(*SAYS, session=MINE))
    assert (twice.error, usd(twice)) == (f"Error: Session ID {MINE} is already in use.", 0.0)


async def test_a_flag_that_it_does_not_know_is_told_on_stderr(tried: Tried) -> None:
    """Nothing was asked."""
    seen = await tried.ask(tried.stage.asked(*SAYS, args=("--no-such-flag",)))
    assert (seen.error, seen.exit_code, usd(seen)) == ("error: unknown option '--no-such-flag'", 1, 0.0)


async def test_turns_are_counted(tried: Tried) -> None:
    """And too many of them are an end of their own."""
    seen = await tried.ask(tried.stage.asked(*bash("true"), max_turns=1, allowed_tools=("Bash",)))
    assert (seen.error, tried.reading(seen).subtype) == ("Reached maximum number of turns (1)", "error_max_turns")


async def test_a_killed_claude_is_heard_of(tried: Tried) -> None:
    """Its cost is not known for sure, and its tool is gone too."""
    tried.begin(tried.stage.asked(*bash(SLEEPS), allowed_tools=("Bash",)))
    await running(tried)
    pid = int((tried.stage.folder / "tool").read_text())
    os.kill(tried.world.pid(tried.epoch), 9)
    seen = await tried.ended()
    assert (seen.signal, seen.spent.kind in ("estimated", "unknown"), is_alive(pid)) == ("SIGKILL", True, False)


@pytest.mark.parametrize("kind", [pytest.param("real", marks=REAL_ONLY)], indirect=False)
async def test_what_it_sets_about_itself_is_what_we_take_away(tried: Tried) -> None:
    """All that its tools see of it; what the stage itself sets is ours."""
    await tried.ask(tried.stage.asked(*bash("env"), allowed_tools=("Bash",)))
    names = {line.partition("=")[0].encode() for line in "".join(tried.tools()).splitlines() if "CLAUDE" in line}
    own = {name.encode() for name in tried.stage.environment} | inheritable({}).keys()
    assert {name for name in names if name.startswith((b"CLAUDE", b"AI_"))} - own <= OF_AN_OUTER


def test_the_version_that_is_brought_is_the_newest_that_is_said_to_be_tried() -> None:
    """In all three places."""
    brings = (Path(__file__).parents[2] / ".ci" / "claude").read_text()
    assert re.findall(r"^version=(.*)$", brings, re.M) == [VERSION] == [".".join(map(str, TESTED[1]))]


@pytest.mark.parametrize(("program", "code"), [("/nowhere/claude", 127), ("/bin/true", 0)])
def test_without_the_real_one_the_checks_say_so(program: str, code: int) -> None:
    """At their end, and they pass."""
    folder = Path(__file__).parents[2] / ".ci"
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/nowhere", "REAL_CLAUDE": program}
    ended = subprocess.run([folder / "claude", "--is-there"], env=environment, capture_output=True, check=False)
    assert (ended.returncode == 0) == (code == 0)
    last = (folder / "run").read_text().splitlines()[-1]
    said = subprocess.run(
        ["bash", "-c", last], env=environment, cwd=folder.parent, capture_output=True, text=True, check=True
    )
    assert said.stdout == ("" if code == 0 else "NOT TESTED: real Claude Code CLI\n")
