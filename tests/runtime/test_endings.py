"""Real commands: how they are ended, and what they leave behind."""

import asyncio
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from prodigy.kernel.signals import Exited
from prodigy.runtime.processes import orphans
from prodigy.runtime.processes import supervisor as module
from prodigy.runtime.processes.supervisor import Processes
from tests.runtime.world import World, exited, is_alive, playing, until


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A run whose commands are all ended afterwards."""
    async for world in playing(tmp_path):
        yield world


def left_behind(prefix: str) -> str:
    """Return a script that leaves a process behind which has told its pid before the script ends."""
    return f"{prefix} sh -c 'echo $$ > pid; exec sleep 60' & until [ -s pid ]; do sleep 0.01; done"


# Commands that are ended.


async def test_a_timeout_ends_the_command(world: World) -> None:
    """It is asked to end first."""
    assert await world.run("exec sleep 60", timeout_s=0.1) == exited(signal="SIGTERM", timed_out_s=0.1)


async def test_a_command_that_will_not_end_is_killed(world: World) -> None:
    """After the grace."""
    script = "exec 2>/dev/null; trap 'echo no' TERM; while :; do sleep 0.05; done"
    seen = await world.run(script, timeout_s=0.3, grace_s=0.2)
    assert seen == exited(signal="SIGKILL", timed_out_s=0.3, output="no\n")


async def test_a_command_within_its_timeout_is_left_alone(world: World) -> None:
    """And its end is nobody's doing."""
    assert await world.run("true", timeout_s=60) == exited(exit_code=0)


async def test_a_stop_ends_the_command(world: World) -> None:
    """It may clean up, and whatever status it ends with it counts as stopped."""
    world.spawn("exec 2>/dev/null; trap 'echo bye; exit 0' TERM; touch ready; while :; do sleep 0.01; done")
    await until((world.directory / "ready").exists)
    world.processes.terminate(7)
    assert await world.exited() == exited(exit_code=0, output="bye\n", stopped=True)


async def test_a_stopped_process_can_be_ended(world: World) -> None:
    """One that is suspended hears the signal, because it is let go on."""
    world.spawn("kill -STOP $$", grace_s=60)
    await until(lambda: "T" in states(world))
    world.processes.terminate(7)
    assert await world.exited() == exited(signal="SIGTERM", stopped=True)


async def test_what_had_ended_by_itself_was_not_stopped(world: World) -> None:
    """A result that exists is not thrown away because Ctrl-C came a moment before it was read."""
    world.spawn("exit 3")
    assert os.waitid(os.P_PID, world.pid(), os.WEXITED | os.WNOWAIT)
    world.processes.terminate(7)
    assert await world.exited() == exited(exit_code=3)


@pytest.mark.parametrize("code", [1, 0], ids=["a failure", "a success"])
async def test_what_ends_when_a_stop_has_met_it_at_work_was_stopped(world: World, code: int) -> None:
    """It may have heard of the stop as we did, and many a program ends with 0 then, its work half done."""
    world.spawn(f"while [ ! -e go ]; do sleep 0.01; done; exit {code}")
    world.processes.meet_stop()
    (world.directory / "go").touch()
    assert await world.exited() == exited(exit_code=code, stopped=True)


async def test_what_had_succeeded_when_a_stop_met_it_has_succeeded(world: World) -> None:
    """Its end is known, only what it left running is not gone yet."""
    world.spawn(left_behind("setsid"))
    attempt = world.processes._attempts[7]
    await until(lambda: attempt.ended_at is not None)
    world.processes.meet_stop()
    seen = await world.exited()
    assert (0, False) == (seen.exit_code, seen.stopped)


async def test_what_a_stop_has_met_may_time_out(world: World) -> None:
    """That was its own doing."""
    world.spawn("exec sleep 60", timeout_s=0.1)
    world.processes.meet_stop()
    assert await world.exited() == exited(signal="SIGTERM", timed_out_s=0.1)


async def test_what_failed_before_a_stop_met_it_has_failed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its end is known, only what it left running is not gone yet."""
    monkeypatch.setattr(module, "JUST_S", 0.0)
    world.spawn(f"{left_behind('setsid')}; exit 3")
    attempt = world.processes._attempts[7]
    await until(lambda: attempt.ended_at is not None)
    world.processes.meet_stop()
    seen = await world.exited()
    assert (3, False) == (seen.exit_code, seen.stopped)


async def test_what_had_ended_by_itself_did_not_time_out(world: World) -> None:
    """The timer may be due before the loop has heard of the end."""
    world.spawn("sleep 0.05", timeout_s=0.0)
    asyncio.get_running_loop().call_soon(os.waitid, os.P_PID, world.pid(), os.WEXITED | os.WNOWAIT)
    assert await world.exited() == exited(exit_code=0)


async def test_a_stop_of_nothing_is_nothing(world: World) -> None:
    """The exit may already be on its way."""
    world.processes.terminate(99)
    assert world.exits == []


async def test_a_second_stop_kills_everything(world: World) -> None:
    """The second Ctrl-C waits for no grace, of leftovers neither."""
    wait = "while :; do sleep 0.05; done"
    world.spawn(f"trap '' TERM; setsid sh -c '{wait}' & touch ready; {wait}", grace_s=60)
    await until((world.directory / "ready").exists)
    world.processes.terminate(7)
    world.processes.kill_all()
    seen = await world.exited()
    assert (seen.signal, seen.stopped) == ("SIGKILL", True)


async def test_a_second_stop_hurries_what_was_left_behind(world: World) -> None:
    """The command has ended and what it left has a minute; the second Ctrl-C takes that away."""
    world.spawn(f"trap '' TERM; echo $$ > main; {left_behind('setsid')}", grace_s=60)
    await until(lambda: (world.directory / "pid").exists())
    await until(lambda: not is_alive(int((world.directory / "main").read_text())))
    world.processes.kill_all()
    assert (await world.exited()).exit_code == 0
    assert not is_alive(int((world.directory / "pid").read_text()))


async def test_closing_ends_what_is_left(world: World) -> None:
    """And reports it."""
    world.spawn("exec sleep 60", epoch=1)
    world.spawn("exec sleep 60", epoch=2)
    await world.processes.close()
    assert [(seen.signal, seen.stopped) for seen in world.exits] == [("SIGTERM", True)] * 2


def states(world: World) -> set[str]:
    """Return the states of the run's processes, `T` for a suspended one."""
    marked = orphans.find_marked([orphans.run_mark(world.run_folder)])
    return {Path(f"/proc/{p.pid}/stat").read_text().rpartition(")")[2].split()[0] for p in marked}


async def test_ctrl_z_suspends_and_resumes(world: World) -> None:
    """The groups stop with us, and that time counts for no timeout."""
    world.spawn("sleep 0.05; echo done", timeout_s=0.2)
    world.processes.suspend()
    await until(lambda: states(world) in ({"T"}, {"T", "D"}))  # D: a shell in the middle of its vfork
    await asyncio.sleep(0.25)
    world.processes.resume_all()
    assert await world.exited() == exited(exit_code=0, output="done\n")


async def test_a_timeout_goes_on_after_ctrl_z(world: World) -> None:
    """What was left of it."""
    world.spawn("exec sleep 60", timeout_s=0.1)
    world.processes.suspend()
    world.processes.resume_all()
    assert await world.exited() == exited(signal="SIGTERM", timed_out_s=0.1)


# What commands leave behind.


@pytest.mark.parametrize("prefix", ["", "setsid", "env -i", "setsid -f env -u PRODIGY_STEP"])
async def test_what_is_left_running_is_ended_and_named(world: World, prefix: str) -> None:
    """After success too; in its group, in a session of its own, or without its environment."""
    seen = await world.run(left_behind(prefix))
    pid = int((world.directory / "pid").read_text())
    assert seen == exited(exit_code=0, warnings=(f"left running and ended: sleep (pid {pid})",))
    assert not is_alive(pid)


async def test_the_group_is_ended_where_proc_cannot_be_read(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It needs no list of processes; one that dies by itself meanwhile is not waited for."""
    monkeypatch.setattr(orphans, "PROC", "/nowhere")
    monkeypatch.setattr(orphans, "UNKILLABLE_AFTER_S", 60)
    ended = await world.run(left_behind("") + "; cat pid")
    assert ended.warnings == (f"left running and ended: the rest of its process group (group {ended_group(ended)})",)
    await until(lambda: not is_alive(int(ended.output)))
    assert (await world.run("sleep 0.05 & true", epoch=8)).exit_code == 0


async def test_a_stubborn_group_is_killed_where_proc_cannot_be_read(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the grace."""
    monkeypatch.setattr(orphans, "PROC", "/nowhere")
    script = "(trap '' TERM; echo > there; while :; do sleep 0.05; done) & until [ -e there ]; do sleep 0.01; done"
    ended = await world.run(f"exec 2>/dev/null; {script}; echo $!")
    await until(lambda: not is_alive(int(ended.output)))


def ended_group(ended: Exited) -> str:
    """Return the number of the group that was ended after a command."""
    return str(re.findall(r"group (\d+)", "".join(ended.warnings))[0])


async def test_what_is_left_after_a_timeout_is_ended(world: World) -> None:
    """A session of its own is no refuge."""
    seen = await world.run(f"{left_behind('setsid')}; sleep 60", timeout_s=0.5)
    pid = int((world.directory / "pid").read_text())
    assert seen.timed_out_s == 0.5
    assert f"sleep (pid {pid})" in seen.warnings[0]
    assert not is_alive(pid)


async def test_what_is_left_and_will_not_end_is_killed(world: World) -> None:
    """After the grace."""
    stubborn = "setsid sh -c \"trap '' TERM; echo \\$\\$ > pid; while :; do sleep 0.05; done\" &"
    seen = await world.run(f"{stubborn} until [ -s pid ]; do sleep 0.01; done")
    pid = int((world.directory / "pid").read_text())
    assert re.search(rf"\bsh \(pid {pid}\)", seen.warnings[0])
    assert not is_alive(pid)


async def test_what_is_just_finishing_may_finish(world: World) -> None:
    """`exec > >(tee log)` has still to write when its shell has ended."""
    seen = await world.run("exec > >(sleep 0.05; cat); echo last words", interpreter="bash")
    assert seen == exited(exit_code=0, output="last words\n")


async def test_other_attempts_are_left_alone(world: World) -> None:
    """The daemon of a running command is not another's leftover."""
    world.spawn(f"{left_behind('setsid -f')}; touch ready; while [ ! -e go ]; do sleep 0.01; done", epoch=1)
    await until((world.directory / "ready").exists)
    assert await world.run("true") == exited(exit_code=0)
    pid = int((world.directory / "pid").read_text())
    assert is_alive(pid)
    (world.directory / "go").touch()
    await world.exited(2)
    assert not is_alive(pid)


async def test_dead_orphans_are_collected(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that runs for hours and makes daemons that die must not fill the process table."""
    monkeypatch.setattr(module, "REAP_EVERY_TICKS", 1)
    world.spawn("setsid -f sh -c 'echo $$ > pid'; while [ ! -e go ]; do sleep 0.02; done")
    await until((world.directory / "pid").exists)
    await until((world.directory / "pid").read_text)
    pid = int((world.directory / "pid").read_text())
    await until(lambda: not Path(f"/proc/{pid}").exists())
    (world.directory / "go").touch()
    assert await world.exited() == exited(exit_code=0)


async def test_private_files_of_a_dead_coordinator_are_removed(tmp_path: Path) -> None:
    """They held values, and whoever used them is gone."""
    stale = tmp_path / "run" / "values-in-use" / "3"
    world = World(tmp_path)
    stale.mkdir(parents=True)
    (stale / "V").write_text("secret")
    Processes(
        workflow_id="r", run_folder=world.run_folder, directory=tmp_path, emit=world.exits.append,
        now=lambda: "", give_up=print, show=None, reaper=None,
    )  # fmt: skip
    assert not stale.exists()
