"""Ctrl-Z, and a SIGSTOP from elsewhere: while we rest nothing of ours runs, and no time is used up."""

import signal
import sys
import time

import pytest

from tests.end_to_end.house import House, eventually, lives
from tests.end_to_end.mapped import mapreduce
from tests.end_to_end.test_signals import is_stopped

LIMIT_S = 5


@pytest.mark.parametrize("number", [signal.SIGTSTP, signal.SIGSTOP], ids=lambda number: number.name)
def test_the_time_of_a_stage_and_of_a_step_rests_with_us(house: House, number: signal.Signals) -> None:
    """A rest longer than both fails neither, and the log says how long it was."""
    step = {"shell": house.gate("slow"), "timeout": LIMIT_S}
    house.write("demo.yaml", f"name: demo\nstages: [{{name: build, timeout: {LIMIT_S}s, commands: [{step}]}}]\n")
    live = house.start("cook", "demo.yaml")
    house.reached("slow")
    live.send(number)
    eventually(lambda: is_stopped(live.pid), "prodigy stands still")
    until = time.monotonic() + LIMIT_S + 1
    eventually(lambda: time.monotonic() > until, "a rest that is longer than the limits")
    live.send(signal.SIGCONT)
    house.open("slow")
    assert 0 == live.wait().code
    (rest,) = house.events("run_rested")
    assert LIMIT_S < rest["rested_s"] < 60


LEAPING = f"""#!{sys.executable}
import datetime, os, time
from prodigy.runtime import clock

class Leaping(datetime.datetime):
    @classmethod
    def now(cls, zone=None):
        return datetime.datetime.now(zone) + datetime.timedelta(seconds=leapt_s())

def leapt_s():
    return int(os.environ["LEAP"]) if os.path.exists("leap") else 0

clock.datetime = Leaping
clock.Leaps.__init__.__defaults__ = (lambda: time.time() + leapt_s(), time.monotonic)
from prodigy.__main__ import main
main()
"""


@pytest.mark.parametrize("leap_s", [86400, -86400], ids=["forward", "back"])
def test_a_clock_that_leaps_uses_up_no_time(house: House, leap_s: int) -> None:
    """As it does when a laptop was closed: neither now nor when the run is resumed a stage has timed out."""
    house.program("prodigy", LEAPING)
    step = {"shell": f"{house.gate('slow')}; {house.traced('slow')}", "timeout": 60}
    house.write("demo.yaml", f"name: demo\nstages: [{{name: build, timeout: 120s, commands: [{step}]}}]\n")
    live = house.start("cook", "demo.yaml", LEAP=str(leap_s))
    house.reached("slow")
    house.write("leap", "")
    if leap_s > 0:
        eventually(lambda: house.events("run_rested"), "the leap is noted")
    live.send(signal.SIGINT)
    assert 130 == live.wait().code
    again = house.start("resume", LEAP=str(leap_s))
    house.reached("slow")
    house.open("slow")
    assert (0, ["slow"]) == (again.wait().code, house.trace)


def test_the_command_of_map_input_rests_too(house: House) -> None:
    """And goes on with us; what it started in a session of its own as well."""
    listing = f"echo $$ >> pids; setsid sh -c 'echo $$ >> pids; exec sleep 1000' & {house.gate('list')}; seq 1 2"
    mapreduce(house, {"shell": "true"}, input={"command": listing})
    live = house.start("cook", "demo.yaml")
    house.reached("list")
    pids = house.pids(2)
    live.send(signal.SIGTSTP)
    eventually(lambda: all(map(is_stopped, [live.pid, *pids])), "all of them stand still")
    live.send(signal.SIGCONT)
    eventually(lambda: not any(map(is_stopped, pids)), "they go on")
    house.open("list")
    assert (0, [False, False]) == (live.wait().code, [lives(pid) for pid in pids])


def test_what_a_step_has_put_into_a_session_of_its_own_rests_too(house: House) -> None:
    """As the tools of Claude Code are."""
    house.workflow({"shell": f"setsid sh -c 'echo $$ >> pids; exec sleep 1000' & {house.gate('slow')}"})
    live = house.start("cook", "demo.yaml")
    house.reached("slow")
    (pid,) = house.pids(1)
    live.send(signal.SIGTSTP)
    eventually(lambda: is_stopped(live.pid) and is_stopped(pid), "both stand still")
    live.send(signal.SIGCONT)
    eventually(lambda: not is_stopped(pid), "it goes on")
    house.open("slow")
    assert 0 == live.wait().code


def test_a_run_that_rested_can_be_stopped(house: House) -> None:
    """As ever."""
    house.workflow({"shell": house.gate("slow")})
    live = house.start("cook", "demo.yaml")
    house.reached("slow")
    live.send(signal.SIGTSTP)
    eventually(lambda: is_stopped(live.pid), "prodigy stands still")
    live.send(signal.SIGINT)
    live.send(signal.SIGCONT)
    assert (130, "interrupted") == (live.wait().code, house.status)
