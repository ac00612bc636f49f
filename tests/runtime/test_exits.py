"""Ends are heard on one epoll, each of its own command alone."""

import asyncio
import os
import subprocess
import sys
from functools import partial

import pytest

from prodigy.runtime.processes.exits import Exits

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems have no pidfds")


async def test_a_number_that_another_command_has_now_is_not_told_of() -> None:
    """A child that was just being born had the old pidfd too, so the system still knows what it was of."""
    exits, told = Exits(lambda tell_all: tell_all()), list[str]()
    with subprocess.Popen(["true"]) as first, subprocess.Popen(["cat"], stdin=subprocess.PIPE) as second:
        old = exits.watch(first.pid, lambda: told.append("first"))
        shared = os.dup(old)
        first.wait()
        exits.forget(old)
        new = exits.watch(second.pid, lambda: told.append("second"))
        for _ in range(3):
            await asyncio.sleep(0.001)
        assert (new, told) == (old, [])
        second.kill()
        while not told:
            await asyncio.sleep(0.001)
    exits.close()
    os.close(shared)
    assert set(told) == {"second"}


async def test_what_is_forgotten_within_a_moment_is_not_told_of_in_it() -> None:
    """The first of two ends may be what ends the run, and with it the wait for the second."""
    exits, told = Exits(lambda tell_all: tell_all()), list[int]()
    with subprocess.Popen(["true"]) as first, subprocess.Popen(["true"]) as second:
        watched = list[int]()

        def forget_all(number: int) -> None:
            told.append(number)
            for pidfd in watched:
                exits.forget(pidfd)

        watched += [exits.watch(process.pid, partial(forget_all, process.pid)) for process in (first, second)]
        first.wait()
        second.wait()
        while not told:
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.001)
    exits.close()
    assert len(told) == 1
