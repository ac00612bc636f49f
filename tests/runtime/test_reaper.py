"""When the coordinator is killed, nothing of its run lives on; when it ends well, nobody is touched."""

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from prodigy.runtime.processes.orphans import REAPER_NAME
from prodigy.runtime.processes.reaper import GROUPS_MAX, Reaper
from tests.runtime.world import World

# What is promised, and a second more, for this machine may be busy with other things.
GROUPS_WITHIN_S = 0.5 + 1.0
MARKED_WITHIN_S = 2.0 + 1.0

COORDINATOR = """
import asyncio, sys
from pathlib import Path
from prodigy.kernel.effects import RenderedShell, Spawn
from prodigy.runtime.processes.supervisor import Processes
from prodigy.runtime.processes.reaper import Reaper
here, *scripts = Path(sys.argv[1]), *sys.argv[2:]
reaper = Reaper.start(here)
async def main():
    processes = Processes(workflow_id="r", run_folder=here, directory=here, emit=print,
                          now=lambda: "", give_up=print, show=None, reaper=reaper)
    for epoch, script in enumerate(scripts):
        processes.spawn(Spawn(at="s", epoch=epoch, attempt=1, command=RenderedShell(script=script)))
    print(reaper.pid, flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""


@pytest.fixture
def reaper(tmp_path: Path) -> Iterator[Reaper]:
    """A reaper of ours, sent away afterwards."""
    reaper = Reaper.start(tmp_path)
    wait(lambda: name_of(reaper.pid) == REAPER_NAME)
    yield reaper
    reaper.close()


def wait(is_so: Callable[[], object], within_s: float = 10.0) -> None:
    """Wait until something is so, not for ever."""
    deadline = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < deadline, "it never came to be so"
        time.sleep(0.005)


def is_alive(pid: int) -> bool:
    """Say whether a process still runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def name_of(pid: int) -> str:
    """Return what a process calls itself."""
    return Path(f"/proc/{pid}/comm").read_text().strip()


def kill_coordinator(tmp_path: Path, *scripts: str) -> tuple[list[int], int]:
    """Let a coordinator run scripts that write their pid into `0`, `1` …, and kill it.

    Returns those pids, and the reaper's.
    """
    coordinator = subprocess.Popen(
        [sys.executable, "-c", COORDINATOR, tmp_path, *scripts], stdout=subprocess.PIPE, text=True
    )
    assert coordinator.stdout
    files = [tmp_path / str(number) for number in range(len(scripts))]
    wait(lambda: all(file.exists() and file.read_text() for file in files))
    reaper = int(coordinator.stdout.readline())
    coordinator.kill()
    coordinator.wait()
    coordinator.stdout.close()
    return [int(file.read_text()) for file in files], reaper


def test_groups_end_with_their_coordinator(tmp_path: Path) -> None:
    """Within half a second; one that ignores SIGTERM as well."""
    stubborn = "trap '' TERM; echo $$ > 1; while :; do sleep 0.05; done"
    (polite, other), _ = kill_coordinator(tmp_path, "echo $$ > 0; exec sleep 60", stubborn)
    wait(lambda: not is_alive(polite) and not is_alive(other), GROUPS_WITHIN_S)


def test_a_group_without_its_mark_ends_too(tmp_path: Path) -> None:
    """A command may clear its environment; its group is still known."""
    script = "env -i sh -c \"trap '' TERM; echo \\$\\$ > 0; while :; do sleep 0.05; done\""
    (pid,), _ = kill_coordinator(tmp_path, script)
    wait(lambda: not is_alive(pid), GROUPS_WITHIN_S)


def test_whatever_carries_the_mark_ends_too(tmp_path: Path) -> None:
    """Within two seconds, in whatever session it hides, and whatever it ignores."""
    stubborn = "trap '' TERM INT HUP; echo \\$\\$ > 0; while :; do sleep 0.05; done"
    (pid,), _ = kill_coordinator(tmp_path, f'setsid sh -c "{stubborn}" & sleep 60')
    wait(lambda: not is_alive(pid), MARKED_WITHIN_S)


def test_it_ends_after_its_work(tmp_path: Path) -> None:
    """No process of ours is left, itself included."""
    _, reaper = kill_coordinator(tmp_path, "echo $$ > 0; exec sleep 60")
    wait(lambda: not is_alive(reaper), MARKED_WITHIN_S)


def test_the_next_coordinators_commands_are_not_touched(tmp_path: Path) -> None:
    """A resume may have begun while the reaper of the killed run is still at work."""
    environment = {**os.environ, "PRODIGY_RUN_DIR": str(tmp_path), "PRODIGY_OWNER": "another"}
    with subprocess.Popen(["sleep", "60"], env=environment) as process:
        (pid,), reaper = kill_coordinator(tmp_path, "echo $$ > 0; exec sleep 60")
        wait(lambda: not is_alive(pid) and not is_alive(reaper), MARKED_WITHIN_S)
        assert process.poll() is None
        process.kill()


def test_it_leaves_at_a_goodbye_and_touches_nobody(tmp_path: Path) -> None:
    """The coordinator has ended its commands itself; what it noted is no longer anybody's business."""
    reaper = Reaper.start(tmp_path)
    environment = {**os.environ, "PRODIGY_RUN_DIR": str(tmp_path), "PRODIGY_OWNER": reaper.owner}
    with subprocess.Popen(["sleep", "60"], env=environment, start_new_session=True) as process:
        reaper.add(process.pid)
        reaper.close()
        assert not is_alive(reaper.pid)
        assert process.poll() is None
        process.kill()


def test_a_forgotten_group_is_not_touched(tmp_path: Path) -> None:
    """Its number may be somebody else's by then."""
    script = """
import sys, time
from pathlib import Path
from prodigy.runtime.processes.reaper import Reaper
reaper = Reaper.start(Path(sys.argv[1]))
reaper.add(int(sys.argv[2]))
reaper.discard(int(sys.argv[2]))
print(reaper.pid, flush=True)
time.sleep(60)
"""
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as bystander:
        coordinator = subprocess.Popen(
            [sys.executable, "-c", script, tmp_path, str(bystander.pid)], stdout=subprocess.PIPE
        )
        assert coordinator.stdout
        pid = int(coordinator.stdout.readline())
        coordinator.kill()
        coordinator.communicate()
        wait(lambda: not is_alive(pid), MARKED_WITHIN_S)
        assert bystander.poll() is None
        bystander.kill()


def test_it_holds_nothing_but_its_pipe(reaper: Reaper) -> None:
    """No log, no lock, no terminal: whoever waits for those does not wait for it."""
    folder = Path(f"/proc/{reaper.pid}/fd")
    held = {file.name: os.readlink(file).partition(":")[0] for file in folder.iterdir()}
    assert held == {"0": "pipe", "1": "/dev/null", "2": "/dev/null"}
    assert os.readlink(f"/proc/{reaper.pid}/cwd") == "/"
    assert os.getsid(reaper.pid) == reaper.pid


def test_a_lock_does_not_outlive_the_coordinator_in_it(tmp_path: Path) -> None:
    """Even one that was taken too early is let go."""
    file = tmp_path / "lock"
    holder = os.open(file, os.O_RDWR | os.O_CREAT)
    fcntl.flock(holder, fcntl.LOCK_EX)
    reaper = Reaper.start(tmp_path)
    wait(lambda: name_of(reaper.pid) == REAPER_NAME)
    os.close(holder)
    other = os.open(file, os.O_RDWR)
    fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(other)
    reaper.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1])
def test_it_ignores_signals(reaper: Reaper, number: signal.Signals) -> None:
    """Whatever hits the coordinator's terminal must not take its last guard."""
    os.kill(reaper.pid, number)
    pending = Path(f"/proc/{reaper.pid}/status").read_text()
    ignored = int(pending.partition("SigIgn:")[2].split()[0], 16)
    assert ignored >> (number - 1) & 1
    assert is_alive(reaper.pid)


def test_more_groups_than_it_can_note_are_no_error(reaper: Reaper) -> None:
    """Those beyond are found by their mark; forgetting one makes room again."""
    for group in range(1, GROUPS_MAX + 10):
        reaper.add(group)
    for group in range(1, GROUPS_MAX + 10):
        reaper.discard(group)
    assert sum(reaper._groups[:]) == 0
    reaper.add(7)
    assert sum(reaper._groups[:]) == 7


async def test_groups_are_noted_only_while_they_run(tmp_path: Path, reaper: Reaper) -> None:
    """What is gone is not ended a second time."""
    world = World(tmp_path, reaper)
    world.spawn("while [ ! -e go ]; do sleep 0.01; done")
    assert any(reaper._groups[:])
    (world.directory / "go").touch()
    await world.exited()
    assert not any(reaper._groups[:])
    await world.processes.close()
