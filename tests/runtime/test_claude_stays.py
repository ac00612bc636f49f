"""Claude Code that has said its result and does not end: some versions hang for hours."""

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from prodigy.kernel.effects import RenderedClaude
from prodigy.runtime import claude
from prodigy.runtime.claude import ResultWatch
from prodigy.runtime.processes.attempts import OUTSTAYED
from tests.runtime.test_endings import RESULT, fake_claude
from tests.runtime.world import World, exited, playing, until

SAID = {"type": "assistant", "message": {"content": []}}
TOLD = {"type": "system", "subtype": "task_updated"}
FAILED = {"type": "result", "subtype": "error_max_turns", "is_error": True, "errors": ["too many turns"]}
STAYS = "exec sleep 60"


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A run whose commands are all ended afterwards."""
    async for world in playing(tmp_path):
        yield world


def spawn(world: World, *said: dict[str, Any], **fields: Any) -> None:
    """Start a claude that says these lines and stays."""
    script = "".join(f"echo '{json.dumps(line)}'; " for line in said) + STAYS
    world.spawn(command=RenderedClaude(prompt="x"), environment=fake_claude(world, script), **fields)


def has_heard_all(world: World, lines: int) -> Callable[[], bool]:
    """Return whether so many lines of the transcript were looked at."""
    attempt = world.processes._attempts[7]
    return lambda: attempt.watch._seen == len(b"".join(attempt.files[0].chunks())) > 0 and _count(attempt) == lines


def _count(attempt: Any) -> int:
    return b"".join(attempt.files[0].chunks()).count(b"\n")


async def test_claude_that_stays_after_its_result_is_ended(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The step has succeeded, with a warning; lines of the system after the result change nothing."""
    monkeypatch.setattr(claude, "RESULT_GRACE_S", 0.05)
    spawn(world, RESULT, TOLD)
    assert await world.exited() == exited(exit_code=0, output="42 €", cost_usd=0.5, warnings=(OUTSTAYED,))


async def test_claude_that_stays_after_a_failure_has_failed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what it said."""
    monkeypatch.setattr(claude, "RESULT_GRACE_S", 0.05)
    spawn(world, FAILED)
    assert await world.exited() == exited(exit_code=0, error="too many turns", warnings=(OUTSTAYED,))


async def test_claude_that_goes_on_after_a_result_is_left_alone(world: World) -> None:
    """Somebody speaks: the work is not done."""
    spawn(world, RESULT, SAID)
    await until(has_heard_all(world, 2))
    assert (None, False) == (world.processes._attempts[7].linger, world.processes._attempts[7].watch.has_result)


async def test_a_stop_after_the_result_takes_nothing_away(world: World) -> None:
    """The answer is there and was paid for."""
    spawn(world, RESULT)
    await until(has_heard_all(world, 1))
    world.processes.terminate(7)
    assert await world.exited() == exited(exit_code=0, output="42 €", cost_usd=0.5, warnings=(OUTSTAYED,))


async def test_a_stop_after_a_failed_result_interrupts(world: World) -> None:
    """It may be what the stop itself made of it."""
    spawn(world, FAILED)
    await until(has_heard_all(world, 1))
    world.processes.terminate(7)
    seen = await world.exited()
    assert (True, None) == (seen.stopped, seen.error)


async def test_a_timeout_after_the_result_takes_nothing_away(world: World) -> None:
    """What took too long was only to end."""
    spawn(world, RESULT, timeout_s=60)
    await until(has_heard_all(world, 1))
    world.processes._time_out(world.processes._attempts[7])
    assert await world.exited() == exited(exit_code=0, output="42 €", cost_usd=0.5, warnings=(OUTSTAYED,))


def watched(*pieces: bytes) -> ResultWatch:
    """Return what has looked each time that the transcript grew by a piece."""
    watch, text = ResultWatch(), b""
    for piece in pieces:
        text += piece
        while watch.look(lambda start, end, text=text: text[start:end]):  # type: ignore[misc]
            pass
    return watch


LINE = json.dumps(RESULT).encode() + b"\n"


@pytest.mark.parametrize("size", [1, 2, 7, 50, 1024 * 1024])
def test_a_result_is_found_wherever_it_is_cut(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """In pieces of any size, after other lines."""
    monkeypatch.setattr(claude, "PIECE_BYTES", size)
    text = json.dumps(SAID).encode() + b"\nno json\n\n" + LINE + json.dumps(TOLD).encode() + b"\n"
    watch = watched(*(text[place : place + 13] for place in range(0, len(text), 13)))
    assert (True, True) == (watch.has_result, watch.has_succeeded)


@pytest.mark.parametrize(
    "text",
    [
        LINE[:-1],
        LINE + json.dumps(SAID).encode() + b"\n",
        b'{"type":"assistant","message":{"content":"\\"type\\":\\"result\\""}}\n',
        b"[" + LINE,
        b"\xff" + LINE,
    ],
    ids=["half a line", "then words", "words about one", "no object", "no text"],
)
def test_what_is_no_result(text: bytes) -> None:
    """Only a whole line that says so, and the last word."""
    assert not watched(text).has_result


def test_a_line_of_any_length_is_no_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is over the limit is passed over, and the next is read."""
    monkeypatch.setattr(claude, "LINE_BYTES_MAX", 200)
    monkeypatch.setattr(claude, "PIECE_BYTES", 64)
    assert watched(b"x" * 1000 + b"\n" + LINE).has_succeeded


def test_a_failed_result_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the last of several counts."""
    watch = watched(LINE, json.dumps(FAILED).encode() + b"\n")
    assert (True, False) == (watch.has_result, watch.has_succeeded)
