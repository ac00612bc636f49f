"""A mistake of ours, wherever it is: the run ends at once, says so, leaves a file for a report, and can be resumed."""

import re
import signal
import stat
import sys
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.end_to_end.house import Command, House, Live, eventually, lives
from tests.end_to_end.mapped import mapreduce

BROKEN = f"""#!{sys.executable}
import os
from prodigy.__main__ import main

def fails(*_, **__):
    raise RuntimeError("injected")

def fails_later(call):
    calls = iter((call,))
    return lambda *a, **b: next(calls, fails)(*a, **b)

def hangs(*_, **__):
    open("hangs.up", "w").close()
    __import__("time").sleep(1000)

exec(os.environ.get("BREAK", ""))
main()
"""
# Stands there the first time, and is through at once the second.
ONCE = "test -e {0} || {{ touch {0}; echo $$ >> pids; exec sleep 1000; }}"
SLOW: Command = {"id": "slow", "shell": ONCE.format("begun")}
SHORT: Command = {"id": "short", "shell": "true"}
LEAVES: Command = {"id": "leaves", "shell": f"sh -c '{ONCE.format('left')}' & until test -e left; do sleep 0.01; done"}

IN_PROCESSES = "from prodigy.runtime.processes.supervisor import Processes; Processes.{0} = fails"
IN_HOST = "from prodigy.runtime.host.host import Host; Host.{0} = fails"
IN_CHECKPOINTER = "from prodigy.runtime.orders.checkpointer import Checkpointer; Checkpointer.{0} = fails"
IN_CATALOG = "from prodigy.store import catalog; catalog.find_run = fails"
IN_DISPLAY = "from prodigy.cli.output.display import Display; Display.{0} = fails"


class Case(NamedTuple):
    """What fails, the step at which it does, and the signal that is sent while that step stands."""

    breaks: str
    step: Command = SLOW
    sends: signal.Signals | None = None


CASES = {
    "the callback of a command's end": Case(IN_PROCESSES.format("_ended"), SHORT),
    "the task that ends what a command left": Case(IN_PROCESSES.format("_end_left"), LEAVES),
    "the callback of a start that failed": Case(
        IN_PROCESSES.format("_report_unstarted"), {**SHORT, "interpreter": "there-is-none", "allow_failure": True}
    ),
    "the timer that shows output": Case(IN_PROCESSES.format("_tick")),
    "the timer of a timeout": Case(IN_PROCESSES.format("_time_out"), {**SLOW, "timeout": 0.1}),
    "the ladder of signals": Case(IN_PROCESSES.format("_climb"), sends=signal.SIGINT),
    "the thread that waits where there is no pidfd": Case(
        "import os; del os.pidfd_open; from prodigy.runtime.processes.child import Child; Child.wait = fails",
        SHORT,
    ),
    "the thread that reads a transcript": Case(
        "from prodigy.runtime.processes.dialogue import Dialogue; Dialogue.reading = fails", {"claude": "hello"}
    ),
    "the decision": Case(
        "from prodigy.runtime.host import reactor; reactor.decide = fails_later(reactor.decide)", SHORT
    ),
    "the timer of a retry": Case(
        "from prodigy.runtime.host.alarms import Alarms; Alarms._rung = fails",
        {"shell": "mkdir tried || rmdir tried; test ! -e tried", "retry": 1},
    ),
    "the look into the inbox": Case("from prodigy.runtime.host import host; host.take = fails"),
    "the thread that hears signals": Case(IN_HOST.format("_rung"), sends=signal.SIGINT),
    "the handler of a signal": Case(IN_HOST.format("_meet_stop"), sends=signal.SIGINT),
    "the callback of a signal": Case(IN_HOST.format("_stop"), sends=signal.SIGTERM),
    "the callback of Ctrl-Z": Case(IN_HOST.format("_suspend"), sends=signal.SIGTSTP),
    "the thread that writes checkpoints": Case(IN_CHECKPOINTER.format("_document")),
    "the thread that mirrors checkpoints": Case(IN_CHECKPOINTER.format("_copy")),
    "what waits for a checkpoint": Case(IN_HOST.format("_release"), {**SHORT, "checkpoint": True}),
    "the thread that asks": Case(IN_DISPLAY.format("ask"), {**SHORT, "requires_confirmation": True}),
    "what shows events": Case(IN_DISPLAY.format("observe"), SHORT),
    "what shows output": Case(IN_DISPLAY.format("show"), {"shell": f"echo hello; {ONCE.format('shown')}"}),
    "the thread that prints": Case(
        "from prodigy.cli.output import nonblocking as n; n._cannot_block = lambda _: False; "
        "n.NonblockingWriter._put = fails",
        SHORT,
    ),
    "the closing of processes": Case(IN_PROCESSES.format("close"), SHORT),
}


@pytest.fixture
def broken(house: House) -> House:
    """A house whose `prodigy` runs the code of `BREAK` first."""
    house.program("prodigy", BROKEN)
    house.program("claude", "#!/bin/sh\n")
    return house


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_whatever_fails_ends_the_run_at_once_and_it_can_be_resumed(broken: House, case: Case) -> None:
    """Exit 1, one sentence, a private file with the traceback, nothing left running, a log that is whole."""
    broken.workflow({"shell": broken.traced("first")}, case.step, {"shell": broken.traced("last")})
    live = broken.start("cook", "demo.yaml", BREAK=case.breaks)
    if case.sends:
        broken.pids(1)
        live.send(case.sends)
    ends_well(broken, live)
    if "claude" not in case.step and "interpreter" not in case.step:
        for name in ("begun", "left", "shown"):
            broken.write(name, "")  # the end may have come before the step that stands there the first time
        resumed = broken.prodigy("resume", broken.run_id, "--yes")
        assert (0, ["first", "last"]) == (resumed.code, list(dict.fromkeys(broken.trace))), resumed.err


def test_the_thread_that_reads_items_may_fail_too(broken: House) -> None:
    """A run that waited for items that never come would wait for ever."""
    mapreduce(broken, {"shell": "true"}, items=["a", "b"])
    breaks = "from prodigy.runtime.host import items; items.read_items = fails"
    ends_well(broken, broken.start("cook", "demo.yaml", BREAK=breaks))
    assert 0 == broken.prodigy("resume").code


def test_what_fails_before_the_first_turn_leaves_nothing_to_resume(broken: House) -> None:
    """So nobody is told to."""
    broken.workflow({"shell": "true"})
    breaks = "from prodigy.runtime.host import reactor; reactor.decide = fails"
    code, _, err = broken.start("cook", "demo.yaml", BREAK=breaks).wait()
    assert 1 == code
    assert "Nothing had begun." in err
    assert "prodigy resume" not in err


def ends_well(house: House, live: Live) -> None:
    """See that a run ends as it should when something of ours fails."""
    code, out, err = live.wait()
    assert (1, False) == (code, "Traceback" in out + err), err
    assert "error: prodigy itself failed at this: RuntimeError: injected" in err
    report = reported(err)
    assert ([house.run], 0o600) == ([report.parent], stat.S_IMODE(report.stat().st_mode))
    assert "RuntimeError: injected" in report.read_text()
    assert [] == [pid for pid in pids(house) if lives(pid)]
    assert 0 == house.prodigy("events", "verify", house.run_id).code


def test_a_command_that_fails_says_a_sentence_too(broken: House) -> None:
    """Outside a run the traceback goes into the global folder."""
    code, out, err = broken.prodigy("status", "x", BREAK=IN_CATALOG)
    assert (1, False) == (code, "Traceback" in out + err), err
    assert (broken.path / "global" / "defects", 0o600) == (reported(err).parent, reported(err).stat().st_mode & 0o777)


def test_a_report_goes_to_the_temporary_folder_where_nothing_else_takes_it(broken: House) -> None:
    """The global folder is a file."""
    broken.write("no-folder", "")
    no_folder, temporary = str(broken.folder / "no-folder"), str(broken.path)
    code, _, err = broken.prodigy("status", "x", BREAK=IN_CATALOG, PRODIGY_HOME=no_folder, TMPDIR=temporary)
    assert (1, broken.path) == (code, reported(err).parent.parent)


HANGS = {
    "a callback": "from prodigy.cli.output.display import Display; Display.show = hangs",
    "the writer of checkpoints": (
        "from prodigy.runtime.orders import checkpointer\ncheckpointer.write_atomically = hangs"
    ),
    "the closing": "from prodigy.runtime.processes.supervisor import Processes; Processes.close = hangs",
    "a busy loop": "from prodigy.cli.output.display import Display\ndef turn(*_):\n"
    " open('hangs.up', 'w').close()\n while True: pass\nDisplay.show = turn",
    "a signal that is blocked in the main thread": "import signal; from prodigy.cli.output.display import Display\n"
    "def block(*_):\n signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT]); hangs()\nDisplay.show = block",
    "the end of the reaper": "from prodigy.runtime.processes.reaper import Reaper; Reaper.close = hangs",
    "the end of the reaper, and what is left to be shown": "from prodigy.runtime.processes.reaper import Reaper; "
    "Reaper.close = hangs; from prodigy.cli.output.display import Display; Display.close = hangs",
}


@pytest.mark.parametrize("breaks", HANGS.values(), ids=HANGS)
def test_a_second_ctrl_c_ends_the_process_within_2_s_whatever_hangs(broken: House, breaks: str) -> None:
    """What it leaves running the reaper ends, the log is whole, and the run can be resumed."""
    broken.workflow({"shell": f"echo hello; {ONCE.format('begun')}"}, {"shell": broken.traced("last")})
    live = broken.start("cook", "demo.yaml", BREAK=breaks)
    (pid,) = broken.pids(1)
    hung = broken.folder / "hangs.up"
    live.send(signal.SIGINT)
    eventually(hung.exists, "it hangs")
    elapsed_s = stopped_again(live)
    assert live.wait().code == 130
    assert elapsed_s < 2.0
    eventually(lambda: not lives(pid), "the step is gone")
    assert 0 == broken.prodigy("events", "verify", broken.run_id).code
    assert (0, ["last"]) == (broken.prodigy("resume", broken.run_id).code, broken.trace)


def test_the_exit_code_names_the_first_of_two_signals_whatever_hangs(broken: House) -> None:
    """As it does where nothing hangs."""
    broken.workflow({"shell": f"echo hello; {ONCE.format('begun')}"})
    live = broken.start("cook", "demo.yaml", BREAK=HANGS["a callback"])
    broken.pids(1)
    eventually((broken.folder / "hangs.up").exists, "it hangs")
    live.send(signal.SIGTERM)
    eventually(
        lambda: not is_pending(live.pid, signal.SIGTERM), "the first is heard: of two the system tells the lower"
    )
    stopped_again(live)
    assert 143 == live.wait().code


def is_pending(pid: int, number: signal.Signals) -> bool:
    """Whether a signal has been sent to a process and not been told to it; where nothing says so, it has been told."""
    status = Path(f"/proc/{pid}/status")
    masks = re.findall(r"^S(?:ig|hd)Pnd:\s*(\w+)$", status.read_text(), re.M) if status.exists() else []
    return any(int(mask, 16) >> (number - 1) & 1 for mask in masks)


def stopped_again(live: Live) -> float:
    """Send a second Ctrl-C and return how many seconds the end took."""
    began = time.monotonic()
    live.send(signal.SIGINT)
    live.process.wait(40)
    return time.monotonic() - began


def reported(err: str) -> Path:
    """Return the file that a message names for a report."""
    match = re.search(r"report it with (\S+),", err)
    assert match, err
    return Path(match[1])


def pids(house: House) -> list[int]:
    """Return the pids that steps have written so far."""
    path = house.folder / "pids"
    return [int(word) for word in path.read_text().split()] if path.exists() else []
