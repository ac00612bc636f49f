"""Claude Code that has said its result and does not end: some versions hang for hours."""

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from prodigy.kernel.effects import RenderedClaude
from prodigy.kernel.ledger import Spent
from prodigy.runtime.claude import protocol, reading
from prodigy.runtime.claude.reading import Transcript
from prodigy.runtime.processes import supervisor
from prodigy.runtime.processes.attempts import OUTSTAYED
from tests.runtime.test_claude_runs import by_claude
from tests.runtime.world import World, playing, until
from tests.stand_in import RESULT, fake_claude, raw

PAID = Spent(kind="exact", session_usd=0.5)
SAID = {"type": "assistant", "message": {"content": []}}
TOLD = {"type": "system", "subtype": "task_updated"}
FAILED = {"type": "result", "subtype": "error_max_turns", "is_error": True, "errors": ["too many turns"]}
STAYS = {"wait": 60}


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A run whose commands are all ended afterwards."""
    async for world in playing(tmp_path):
        yield world


def spawn(world: World, *said: dict[str, Any], **fields: Any) -> None:
    """Start a claude that says these lines and stays."""
    environment = fake_claude(world.directory, *raw(*said), STAYS, deaf=["interrupt"])
    world.spawn(command=RenderedClaude(prompt="x"), environment=environment, **fields)


def has_heard_all(world: World, lines: int) -> Callable[[], bool]:
    """Return whether so many lines of the transcript, after two that begin it, were looked at."""
    attempt = world.processes._attempts[7]

    def is_so() -> bool:
        text = b"".join(attempt.files[0].chunks())
        return (
            attempt.dialogue is not None
            and attempt.dialogue.heard._seen == len(text)
            and text.count(b"\n") == lines + 2
        )

    return is_so


async def test_claude_that_stays_after_its_result_is_ended(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The step has succeeded, with a warning; lines of the system after the result change nothing."""
    monkeypatch.setattr(supervisor, "RESULT_GRACE_S", 0.05)
    spawn(world, RESULT, TOLD)
    assert await world.exited() == by_claude(exit_code=0, output="42 €", spent=PAID, warnings=(OUTSTAYED,))


async def test_claude_that_stays_after_a_failure_has_failed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what it said."""
    monkeypatch.setattr(supervisor, "RESULT_GRACE_S", 0.05)
    spawn(world, FAILED)
    assert await world.exited() == by_claude(
        exit_code=0, error="too many turns", is_final=True, fault="step", warnings=(OUTSTAYED,)
    )


async def test_claude_that_goes_on_after_a_result_is_left_alone(world: World) -> None:
    """Somebody speaks: the work is not done."""
    spawn(world, RESULT, SAID)
    await until(has_heard_all(world, 2))
    attempt = world.processes._attempts[7]
    assert attempt.dialogue
    assert (None, False) == (attempt.linger, attempt.dialogue.heard.has_result)


async def test_a_stop_after_the_result_takes_nothing_away(world: World) -> None:
    """The answer is there and was paid for."""
    spawn(world, RESULT)
    await until(has_heard_all(world, 1))
    world.processes.terminate(7)
    assert await world.exited() == by_claude(exit_code=0, output="42 €", spent=PAID, warnings=(OUTSTAYED,))


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
    assert await world.exited() == by_claude(exit_code=0, output="42 €", spent=PAID, warnings=(OUTSTAYED,))


def watched(*pieces: bytes) -> Transcript:
    """Return what has looked each time that the transcript grew by a piece."""
    watch, text = Transcript(), b""
    for piece in pieces:
        text += piece
        while watch.look(lambda start, end, text=text: text[start:end]):  # type: ignore[misc]
            pass
    return watch


LINE = json.dumps(RESULT).encode() + b"\n"


@pytest.mark.parametrize("size", [1, 2, 7, 50, 1024 * 1024])
def test_a_result_is_found_wherever_it_is_cut(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """In pieces of any size, after other lines."""
    monkeypatch.setattr(reading, "PIECE_BYTES", size)
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
    monkeypatch.setattr(protocol, "LINE_BYTES_MAX", 200)
    monkeypatch.setattr(reading, "PIECE_BYTES", 64)
    assert watched(b"x" * 1000 + b"\n" + LINE).has_succeeded


def test_a_failed_result_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the last of several counts."""
    watch = watched(LINE, json.dumps(FAILED).encode() + b"\n")
    assert (True, False) == (watch.has_result, watch.has_succeeded)
