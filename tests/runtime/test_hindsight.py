"""Ends that a stop may explain are judged a moment later, all others at once."""

import asyncio

import pytest

from prodigy.kernel.signals import Exited, Listed
from prodigy.runtime import hindsight
from prodigy.runtime.hindsight import End, Hindsight, is_doubtful
from tests.runtime.world import until

DOUBTFUL = Exited(time="", at="a", epoch=3, signal="SIGTERM")
REFUSED = Listed(time="", at="map", error="failed", may_be_stopped=True)


@pytest.mark.parametrize(
    "end",
    [
        Exited(time="", at="a", epoch=3, exit_code=0),
        Exited(time="", at="a", epoch=3, exit_code=1),
        Exited(time="", at="a", epoch=3, signal="SIGSEGV"),
        Exited(time="", at="a", epoch=3, signal="SIGTERM", stopped=True),
        Exited(time="", at="a", epoch=3, signal="SIGKILL", timed_out_s=5.0),
        Listed(time="", at="map", error="no such file"),
        Listed(time="", at="map", keys=("a",), items=("a",)),
    ],
    ids=str,
)
def test_an_end_that_no_stop_explains_is_sure(end: End) -> None:
    """Nobody waits for what every step does."""
    assert not is_doubtful(end)


@pytest.mark.parametrize("end", [DOUBTFUL, REFUSED], ids=["an exit", "a listing"])
async def test_an_end_is_let_go_after_a_moment(end: End, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a stop it is what it looks like."""
    monkeypatch.setattr(hindsight, "JUDGED_AFTER_S", 0.01)
    heard: list[End] = []
    Hindsight(asyncio.get_running_loop(), heard.append).keep(end)
    assert ([], True) == (heard, is_doubtful(end))
    await until(lambda: heard)
    assert [end] == heard


async def test_a_stop_lets_an_end_go_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """And only once."""
    monkeypatch.setattr(hindsight, "JUDGED_AFTER_S", 1000.0)
    heard: list[End] = []
    kept = Hindsight(asyncio.get_running_loop(), heard.append)
    kept.keep(DOUBTFUL)
    assert ([False, True, False], [DOUBTFUL]) == ([kept.release(2), kept.release(3), kept.release(3)], heard)


async def test_what_rests_asks_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the run is over nothing is let go any more."""
    monkeypatch.setattr(hindsight, "JUDGED_AFTER_S", 1000.0)
    kept = Hindsight(asyncio.get_running_loop(), lambda end: pytest.fail(f"{end} was let go"))
    kept.keep(DOUBTFUL)
    kept.close()
    assert not kept.release(3)
