"""Stopping a run: every signal, every descendant, twice, ignored, and by SIGKILL."""

import os
import re
import signal
import subprocess
import time

import pytest

from tests.end_to_end.house import House, eventually, lives, python, state_of
from tests.end_to_end.test_defects import is_pending

STOPS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129, signal.SIGQUIT: 131}
NOTE_PID = "echo $$ >> pids"
STUBBORN = python(
    "import os, signal, time; os.setsid(); signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    "open('pids', 'a').write(f'{os.getpid()}\\n'); time.sleep(1000)"
)


@pytest.mark.parametrize("number", STOPS, ids=lambda number: number.name)
def test_a_signal_interrupts_and_says_how_to_go_on(house: House, number: signal.Signals) -> None:
    """The exit code names the signal, the state is on disk, and the resume command is printed."""
    house.workflow({"shell": house.gate("slow")}, {"shell": house.traced("after")})
    live = house.start("cook", "demo.yaml")
    house.reached("slow")
    live.send(number)
    code, out, _ = live.wait()
    said = re.findall(r"prodigy resume \S+", out)
    assert (STOPS[number], "interrupted", [f"prodigy resume {house.run_id}"], []) == (
        code,
        house.status,
        said,
        house.trace,
    )


def test_nothing_outlives_an_interrupted_run(house: House) -> None:
    """A child that ignores SIGTERM and a grandchild in a session of its own are gone when prodigy is."""
    script = f"trap '' TERM; {NOTE_PID}; {STUBBORN} & while :; do sleep 0.1; done"
    house.workflow({"shell": script}, grace=1)
    live = house.start("cook", "demo.yaml")
    pids = house.pids(2)
    live.send(signal.SIGINT)
    code, _, _ = live.wait()
    assert (130, [False, False]) == (code, [lives(pid) for pid in pids])


def test_a_second_ctrl_c_ends_everything_at_once(house: House) -> None:
    """With a grace of a minute and a step that ignores SIGTERM it is over within 3 s, and can be resumed."""
    script = f"trap '' TERM; {NOTE_PID}; while :; do sleep 0.1; done"
    house.workflow({"shell": script}, grace=60)
    live = house.start("cook", "demo.yaml")
    (pid,) = house.pids(1)
    live.send(signal.SIGINT)
    live.says("SIGINT")
    began = time.monotonic()
    live.send(signal.SIGINT)
    code, _, _ = live.wait()
    elapsed_s = time.monotonic() - began
    assert (130, "interrupted", False) == (code, house.status, lives(pid))
    assert elapsed_s < 3.0


def test_a_stop_that_is_told_several_times_at_once_leaves_steps_their_grace(house: House) -> None:
    """As a service manager does, which tells the main process and the group: the step ends in its own way.

    Each is heard before the next is sent, or the system would make one of them.
    """
    script = f"trap 'sleep 0.5; touch tidied; exit 0' TERM; {NOTE_PID}; while :; do sleep 0.1; done"
    house.workflow({"shell": script}, grace=60)
    live = house.start("cook", "demo.yaml")
    house.pids(1)
    for _ in range(3):
        live.send(signal.SIGTERM)
        eventually(lambda: not is_pending(live.pid, signal.SIGTERM), "it is heard")
    code, _, err = live.wait()
    assert (143, "interrupted", True) == (code, house.status, (house.folder / "tidied").exists()), err


def test_a_hangup_that_nohup_ignores_stays_ignored(house: House) -> None:
    """The run goes on to its end: the step that was running, and the one after it."""
    house.workflow({"shell": house.gate("slow")}, {"shell": house.gate("later")})
    live = house.shell("trap '' HUP; exec prodigy cook demo.yaml")
    house.reached("slow")
    live.send(signal.SIGHUP)
    house.open("slow")
    house.reached("later")
    house.open("later")
    assert (0, "completed") == (live.wait().code, house.status)


def test_the_commands_of_a_run_under_nohup_hear_a_hangup(house: House) -> None:
    """Steps have the default of every signal, whatever prodigy inherited."""
    house.workflow({"shell": "kill -HUP $$"})
    result = house.shell("trap '' HUP INT QUIT TERM; exec prodigy cook demo.yaml").wait()
    assert (1, "SIGHUP") == (result.code, house.events("command_finished")[0]["signal"])


def test_ctrl_z_stops_the_step_too(house: House) -> None:
    """Both stand still, and both go on when the coordinator is told to."""
    house.workflow({"shell": f"{NOTE_PID}; {house.gate('slow')}"})
    live = house.start("cook", "demo.yaml")
    (pid,) = house.pids(1)
    house.arrived("slow")
    live.send(signal.SIGTSTP)
    eventually(lambda: is_stopped(pid) and is_stopped(live.pid), "both are stopped")
    live.send(signal.SIGCONT)
    eventually(lambda: not is_stopped(pid), "the step goes on")
    house.open("slow")
    assert 0 == live.wait().code


def is_stopped(pid: int) -> bool:
    """Whether a process stands still."""
    return state_of(pid).startswith("T")


def test_the_direct_children_of_a_killed_prodigy_are_gone_within_half_a_second(house: House) -> None:
    """After SIGKILL nobody is left to ask them, but the reaper."""
    house.workflow({"shell": f"{NOTE_PID}; exec sleep 1000"})
    live = house.start("cook", "demo.yaml")
    (pid,) = house.pids(1)
    live.kill()
    eventually(lambda: not lives(pid), "the step is gone", within_s=0.5)


def test_whole_trees_of_a_killed_prodigy_are_gone_within_2_s(house: House) -> None:
    """Those that ignore SIGTERM and those that went into a session of their own too."""
    house.workflow({"shell": f"trap '' TERM; {NOTE_PID}; {STUBBORN} & while :; do sleep 0.1; done"})
    live = house.start("cook", "demo.yaml")
    pids = house.pids(2)
    live.kill()
    eventually(lambda: not any(map(lives, pids)), "the whole tree is gone", within_s=2.0)


def test_resume_after_sigkill_runs_the_step_in_flight_again_and_says_so(house: House) -> None:
    """What had finished is not run again."""
    house.workflow(
        {"shell": house.traced("one")},
        {"shell": house.traced("slow", house.gate("slow")), "id": "slow"},
        {"shell": house.traced("last")},
    )
    live = house.start("cook", "demo.yaml")
    house.reached("slow")
    live.kill()
    again = house.start("resume")
    house.reached("slow")
    house.open("slow")
    code, _, err = again.wait()
    assert (0, ["one", "slow", "slow", "last"], ["again  slow (was in flight)"]) == (
        code,
        house.trace,
        re.findall(r"again .*", err),
    )


def test_a_step_that_runs_again_has_the_same_attempt_number(house: House) -> None:
    """Being killed with prodigy uses up no attempt; only the epoch is new."""
    house.workflow({"shell": f"echo $PRODIGY_ATTEMPT >> trace; {house.gate('slow')}", "retry": 1})
    live = house.start("cook", "demo.yaml")
    house.reached("slow")
    live.kill()
    again = house.start("resume")
    house.reached("slow")
    house.open("slow")
    epochs = {event["seq"] for event in house.events("command_started")}
    assert (0, ["1", "1"], 2) == (again.wait().code, house.trace, len(epochs))


def test_resume_ends_what_was_left_running_before_it_runs_anything(house: House) -> None:
    """Where the reaper was killed too, the old attempt is still there; two never run at once."""
    script = f"[ -e pids ] && ps -o stat= -p $(cat pids) | grep -v Z >> trace; {NOTE_PID}; {house.gate('slow')}"
    house.workflow({"shell": script})
    live = house.start("cook", "demo.yaml")
    house.reached("slow")
    (pid,) = house.pids(1)
    os.kill(reaper_of(live.pid), signal.SIGKILL)
    live.kill()
    assert lives(pid)
    again = house.start("resume")
    house.reached("slow")
    house.open("slow")
    code, _, err = again.wait()
    assert (0, [], True) == (code, house.trace, f"left running and ended: sh (pid {pid})" in err)


def reaper_of(pid: int) -> int:
    """Return the pid of the tiny process that a coordinator keeps."""
    table = subprocess.run(("ps", "-ww", "-eo", "pid=,ppid=,args="), capture_output=True, text=True, check=True)
    rows = [line.split(maxsplit=2) for line in table.stdout.splitlines()]
    (found,) = [int(row[0]) for row in rows if row[1] == str(pid) and "prodigy" in row[2] and int(row[0]) != pid]
    return found


def test_a_run_whose_owner_was_killed_is_listed_as_interrupted(house: House) -> None:
    """Its log says that it runs, but nobody owns it."""
    house.workflow({"shell": house.gate("slow")})
    live = house.start("cook", "demo.yaml")
    house.reached("slow")
    live.kill()
    assert "interrupted" in house.prodigy("checkpoints", "list").out


def test_killing_a_resume_and_resuming_again_works(house: House) -> None:
    """Recovery that is itself killed can be repeated."""
    house.workflow({"shell": house.traced("slow", house.gate("slow")), "id": "slow"}, {"shell": house.traced("last")})
    for command in (("cook", "demo.yaml"), ("resume",), ("resume",)):
        live = house.start(*command)
        house.reached("slow")
        live.kill()
    last = house.start("resume")
    house.reached("slow")
    house.open("slow")
    assert (0, [*["slow"] * 4, "last"]) == (last.wait().code, house.trace)
