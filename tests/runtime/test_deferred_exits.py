"""Ends that a stop may explain are judged a moment later, all others at once."""

import asyncio

import pytest

from prodigy.kernel.lifecycle import Epoch
from prodigy.kernel.signals import Exited
from prodigy.runtime.host import deferred_exits
from prodigy.runtime.host.deferred_exits import DeferredExits, is_doubtful
from tests.runtime.world import until

DOUBTFUL = Exited(time="", at="a", epoch=Epoch(3), signal="SIGTERM")


@pytest.mark.parametrize(
    "end",
    [
        Exited(time="", at="a", epoch=Epoch(3), exit_code=0),
        Exited(time="", at="a", epoch=Epoch(3), exit_code=1),
        Exited(time="", at="a", epoch=Epoch(3), signal="SIGSEGV"),
        Exited(time="", at="a", epoch=Epoch(3), signal="SIGTERM", stopped=True),
        Exited(time="", at="a", epoch=Epoch(3), signal="SIGKILL", timed_out_s=5.0),
    ],
    ids=str,
)
def test_an_end_that_no_stop_explains_is_sure(end: Exited) -> None:
    """Nobody waits for what every step does."""
    assert not is_doubtful(end)


async def test_an_end_is_let_go_after_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a stop it is what it looks like."""
    monkeypatch.setattr(deferred_exits, "JUDGED_AFTER_S", 0.01)
    heard: list[Exited] = []
    DeferredExits(asyncio.get_running_loop(), heard.append).keep(DOUBTFUL)
    assert ([], True) == (heard, is_doubtful(DOUBTFUL))
    await until(lambda: heard)
    assert [DOUBTFUL] == heard


async def test_a_stop_lets_an_end_go_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """And only once."""
    monkeypatch.setattr(deferred_exits, "JUDGED_AFTER_S", 1000.0)
    heard: list[Exited] = []
    kept = DeferredExits(asyncio.get_running_loop(), heard.append)
    kept.keep(DOUBTFUL)
    assert ([False, True, False], [DOUBTFUL]) == ([kept.release(2), kept.release(3), kept.release(3)], heard)


async def test_what_rests_asks_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the run is over nothing is let go any more."""
    monkeypatch.setattr(deferred_exits, "JUDGED_AFTER_S", 1000.0)
    kept = DeferredExits(asyncio.get_running_loop(), lambda end: pytest.fail(f"{end} was let go"))
    kept.keep(DOUBTFUL)
    kept.close()
    assert not kept.release(3)
