"""Real commands: how they start, what they see, what becomes of their output."""

import asyncio
import errno
import os
import signal
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from prodigy.kernel.effects import RenderedShell, Spawn
from prodigy.kernel.ledger import NOTHING
from prodigy.kernel.lifecycle import Epoch
from prodigy.runtime.processes import commands, orphans, outputs
from prodigy.runtime.processes import supervisor as module
from tests.runtime.world import PATIENCE_S, World, exited, playing


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A run whose commands are all ended afterwards."""
    async for world in playing(tmp_path):
        yield world


# What a command's end is called.


async def test_success(world: World) -> None:
    """Status 0, the output, the file that holds all of it, nothing else."""
    assert await world.run("echo hello") == exited(exit_code=0, output="hello\n")


async def test_failure(world: World) -> None:
    """The status and what was said about it."""
    assert await world.run("echo out; echo why >&2; exit 3") == exited(exit_code=3, output="out\n", stderr="why\n")


async def test_death_by_a_signal(world: World) -> None:
    """A signal is a name and no status."""
    assert await world.run("kill -KILL $$") == exited(signal="SIGKILL")


async def test_duration_is_measured(world: World) -> None:
    """It is the command's time, in seconds."""
    world.spawn("sleep 0.1")
    await world.exited()
    assert 0.1 <= world.exits[0].duration_s < PATIENCE_S


async def test_a_thread_waits_where_there_is_no_pidfd(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """macOS has none."""
    monkeypatch.delattr(os, "pidfd_open")
    assert await world.run("echo hello; exit 4") == exited(exit_code=4, output="hello\n")


async def test_many_run_at_once(world: World) -> None:
    """Each is reported once, under its own epoch."""
    for epoch in range(1, 21):
        world.spawn(f"echo {epoch}", epoch=epoch)
    assert world.processes.running == 20
    await world.exited(20)
    told = {(signal_.epoch, signal_.output, signal_.output_file) for signal_ in world.exits}
    assert told == {(epoch, f"{epoch}\n", f"outputs/{epoch}.out") for epoch in range(1, 21)}
    assert world.processes.running == 0


async def test_ends_at_one_moment_are_kept_apart(world: World) -> None:
    """Whoever looks for leftovers of the one does not collect the other."""
    for epoch in (1, 2, 3):
        world.spawn(f"exit {epoch}", epoch=epoch)
    children = [found.pid for found in orphans.find_marked([orphans.run_mark(world.run_folder)])]
    for pid in children:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    await world.exited(3)
    assert {seen.epoch: seen.exit_code for seen in world.exits} == {1: 1, 2: 2, 3: 3}


async def test_what_has_ended_by_now_is_told_at_one_moment(tmp_path: Path) -> None:
    """Each end once, whichever came first, and later ones at another moment."""
    told = list[list[int]]()

    def gather(emit_all: Callable[[], None]) -> None:
        before = len(run.exits)
        emit_all()
        told.append(sorted(end.epoch for end in run.exits[before:]))

    run = World(tmp_path, gather=gather)
    os.mkfifo(run.directory / "pipe")
    for epoch in (1, 2, 3, 4):
        run.spawn("read line < pipe" if epoch == 3 else "exit 0", epoch=epoch)
    for epoch in (1, 2, 4):
        os.waitid(os.P_PID, run.pid(epoch), os.WEXITED | os.WNOWAIT)
    await run.exited(3)
    (run.directory / "pipe").write_text("go on\n")
    await run.exited(4)
    await run.processes.close()
    assert told == [[1, 2, 4], [3]]


# What a command sees.


async def test_stdin_is_empty(world: World) -> None:
    """A step never eats the operator's input, and never waits for any."""
    assert await world.run("cat; readlink /proc/self/fd/0") == exited(exit_code=0, output="/dev/null\n")


async def test_it_carries_its_marks(world: World) -> None:
    """They make a step idempotent, and let sweeps find it."""
    seen = await world.run("env | grep ^PRODIGY_ | sort")
    assert seen.output.splitlines() == [
        "PRODIGY_ATTEMPT=2",
        "PRODIGY_EPOCH=7",
        f"PRODIGY_RUN_DIR={os.path.realpath(world.run_folder)}",
        "PRODIGY_RUN_ID=demo-123456",
        "PRODIGY_STEP=deploy",
    ]


async def test_the_nearer_environment_wins(world: World) -> None:
    """The process's own, the step's `env`, its values, the marks; each over the one before."""
    seen = await world.run(
        'echo "$HOME|$A|$B|$PRODIGY_STEP"',
        environment={"HOME": "env", "A": "env", "B": "env", "PRODIGY_STEP": "env"},
        variables={"B": "a 'value'\n"},
    )
    assert seen.output == "env|env|a 'value'\n|deploy\n"


async def test_it_starts_in_its_working_dir(world: World) -> None:
    """A relative one starts from the run's directory."""
    (world.directory / "sub").mkdir()
    assert (await world.run("pwd", working_dir="sub")).output == f"{world.directory}/sub\n"


async def test_it_inherits_no_descriptor(world: World) -> None:
    """No log, no lock, no socket: only 0, 1, 2, and the one that `ls` opens itself."""
    descriptor = os.open("/", os.O_RDONLY)
    os.set_inheritable(descriptor, True)
    assert (await world.run("ls /proc/self/fd")).output.split() == ["0", "1", "2", "3"]
    os.close(descriptor)


async def test_it_leads_a_session_of_its_own(world: World) -> None:
    """So the terminal's Ctrl-C reaches us and not it, and its group can be ended as one."""
    seen = await world.run('read pid _ _ _ group session _ < /proc/$$/stat; echo "$group $session $$"')
    assert len(set(seen.output.split())) == 1


async def test_large_values_come_as_private_files(world: World) -> None:
    """The variable holds the path, the file is nobody else's, and it goes when the command has ended."""
    seen = await world.run('stat -c %a "$V"; cat "$V"; echo; dirname "$V"', files={"V": "große Werte"})
    mode, content, folder = seen.output.splitlines()
    assert (mode, content) == ("600", "große Werte")
    assert folder == f"{os.path.realpath(world.run_folder)}/values-in-use/7"
    assert not os.path.exists(folder)


async def test_a_long_script_is_a_file(world: World) -> None:
    """No argument could hold it."""
    assert await world.run(f"# {'x' * 150_000}\necho $#") == exited(exit_code=0, output="0\n")


@pytest.mark.parametrize("size", [1, 150_000])
@pytest.mark.parametrize("given", ["nothing", "files of the script", "files", "a NUL"])
async def test_private_files_go_with_their_attempt(world: World, given: str, size: int) -> None:
    """Whatever had to be written, and whether the command started or not; most have none, and nothing is removed."""
    script, contents = f"# {'x' * size}\ntrue", {"value": "text"}
    command = RenderedShell(script=script, files=contents if given == "files of the script" else {})
    files = contents if given == "files" else {}
    environment = {"NUL": "\0"} if given == "a NUL" else {}
    world.processes.spawn(
        Spawn(at="deploy", epoch=Epoch(7), attempt=1, command=command, files=files, environment=environment)
    )
    await world.exited()
    folder = world.run_folder / "values-in-use"
    assert not folder.exists() or not any(folder.iterdir())


async def test_any_interpreter_may_read_the_text(world: World) -> None:
    """It gets it as a file, behind arguments of its own."""
    script = "import sys; print(sys.flags.dont_write_bytecode, len(sys.argv))"
    seen = await world.run(script, interpreter=f"{sys.executable} -B")
    assert seen == exited(exit_code=0, output="1 1\n")


async def test_a_shell_with_arguments_is_still_a_shell(world: World) -> None:
    """`bash -e` stops at the first failure."""
    assert (await world.run("false; echo $BASH", interpreter="bash -e")).exit_code == 1


def test_signals_are_at_their_defaults(tmp_path: Path) -> None:
    """Also when we ourselves were started with some ignored and some blocked, as `nohup` and cron do."""
    coordinator = f"""
import asyncio, signal
from pathlib import Path
from prodigy.kernel.effects import RenderedShell, Spawn
from prodigy.runtime.processes.supervisor import Processes
for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGCHLD, signal.SIGUSR1):
    signal.signal(number, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGINT])
async def main():
    done = asyncio.get_running_loop().create_future()
    here = Path({str(tmp_path)!r})
    processes = Processes(workflow_id="r", run_folder=here, directory=here, emit=done.set_result,
                          now=lambda: "", give_up=print, show=None, reaper=None)
    processes.spawn(Spawn(at="s", epoch=1, attempt=1,
                          command=RenderedShell(interpreter="bash",  # dash would clear its mask itself
                                                script="grep -E '^Sig(Blk|Ign)' /proc/self/status")))
    print((await done).output)
    await processes.close()
asyncio.run(main())
"""
    said = subprocess.run([sys.executable, "-c", coordinator], capture_output=True, text=True, check=True)
    masks = dict(line.split() for line in said.stdout.split("\n") if line)
    changeable = sum(1 << number - 1 for number in signal.valid_signals())  # two belong to the C library
    assert {name: int(mask, 16) & changeable for name, mask in masks.items()} == {"SigBlk:": 0, "SigIgn:": 0}


# What becomes of its output.


async def test_only_what_was_said_is_kept(world: World) -> None:
    """Most steps say nothing on stderr: no file for that; what is kept is private."""
    await world.run("umask 000; echo out", epoch=1)
    await world.run("echo err >&2", epoch=2)
    await world.processes.close()
    assert world.outputs() == ["1.out", "2.err", "2.out"]
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (world.run_folder / "outputs").iterdir()}
    assert modes == {0o600}


async def test_earlier_output_is_never_written_over(world: World) -> None:
    """An earlier generation may have used the same epoch."""
    outputs = world.run_folder / "outputs"
    outputs.joinpath("7.out").write_text("earlier")
    outputs.joinpath("7-2.err").write_text("earlier")
    assert (await world.run("echo later")).output_file == "outputs/7-3.out"
    assert world.outputs() == ["7-2.err", "7-3.out", "7.out"]


async def test_a_planted_link_leads_nowhere(world: World) -> None:
    """Whoever could write into the folder cannot make us write elsewhere."""
    victim = world.directory / "victim"
    victim.write_text("mine")
    (world.run_folder / "outputs" / "7.out").symlink_to(victim)
    assert (await world.run("echo over")).output_file == "outputs/7-2.out"
    assert victim.read_text() == "mine"


async def test_the_end_of_a_long_output_is_told(world: World) -> None:
    """So many bytes and no half character; the file has it all."""
    seen = await world.run("printf 'a€€'", output_bytes_max=5)
    assert seen == exited(exit_code=0, output="€")
    assert (world.run_folder / seen.output_file).read_text() == "a€€"


async def test_invalid_bytes_are_replaced_and_said(world: World) -> None:
    """A capture is text."""
    assert await world.run(r"printf 'a\377b'") == exited(
        exit_code=0, output="a\ufffdb", warnings=("stdout is not all UTF-8; invalid bytes became U+FFFD",)
    )


async def test_a_capture_over_the_limit_fails(world: World) -> None:
    """It is never cut."""
    seen = await world.run("printf 123456", output_bytes_max=5, whole_output=True)
    assert seen.error == "captured output is 6 bytes, more than the limit of 5"


async def test_a_capture_at_the_limit_is_whole(world: World) -> None:
    """The limit itself is allowed."""
    assert await world.run("printf 12345", output_bytes_max=5, whole_output=True) == exited(exit_code=0, output="12345")


def test_memory_does_not_grow_with_the_output(tmp_path: Path) -> None:
    """200 MB of it, in one line of 50 MB and in many, cost the coordinator a few MB."""
    coordinator = f"""
import asyncio, resource
from pathlib import Path
from prodigy.kernel.effects import RenderedShell, Spawn
from prodigy.runtime.processes.supervisor import Processes
from prodigy.runtime.terminal import Lines
def peak_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
async def main():
    here, lines = Path({str(tmp_path)!r}), Lines("x ")
    def make(done):
        return Processes(workflow_id="r", run_folder=here, directory=here, emit=done.set_result,
                         now=lambda: "", give_up=print, show=lambda at, chunk: lines.feed(chunk), reaper=None)
    for epoch, script in enumerate(["true", "head -c 50000000 /dev/zero | tr '\\\\0' x; yes | head -c 150000000"]):
        done = asyncio.get_running_loop().create_future()
        processes = make(done)
        processes.spawn(Spawn(at="s", epoch=epoch, attempt=1, command=RenderedShell(script=script)))
        exited = await done
        await processes.close()
        print(exited.exit_code, len(exited.output), peak_mb())
asyncio.run(main())
"""
    said = subprocess.run([sys.executable, "-c", coordinator], capture_output=True, text=True, check=True)
    (_, _, before), (code, length, after) = (line.split() for line in said.stdout.splitlines())
    assert (code, length) == ("0", "16384")
    assert float(after) - float(before) < 10


def told(world: World) -> bytes:
    """Return all that was shown, one after the other."""
    return b"".join(part for _, part in world.shown)


async def test_output_is_shown_while_the_command_runs(world: World) -> None:
    """Here the command goes on only when its first line was seen."""
    world.on_show = lambda chunk: (world.directory / "go").touch() if b"one" in chunk else None
    await world.run("echo one; printf half; while [ ! -e go ]; do sleep 0.02; done; echo ' two'; echo err >&2")
    assert (world.shown[0], told(world)) == (("deploy", b"one\n"), b"one\nhalf two\nerr\n")


async def test_a_line_that_does_not_end_is_shown_after_a_moment(world: World) -> None:
    """Here the command goes on only when its question was seen; what stderr says meanwhile does not run into it."""
    world.on_show = lambda chunk: (world.directory / "go").touch() if b"sure?" in chunk else None
    await world.run("printf 'sure? '; while [ ! -e go ]; do sleep 0.02; done; echo err >&2; sleep 0.3; echo yes")
    assert told(world) == b"sure? \nerr\nyes\n"


async def test_a_line_that_was_shown_goes_on_where_it_stood(world: World) -> None:
    """A row of dots is one line."""
    world.on_show = lambda chunk: (world.directory / "go").touch() if b".." in chunk else None
    await world.run("printf '..'; while [ ! -e go ]; do sleep 0.02; done; printf '...'; echo ' done'")
    assert told(world) == b"..... done\n"


async def test_output_that_a_script_has_emptied_is_shown_from_its_start(world: World) -> None:
    """Opening /dev/stdout anew empties the file, as it would any file."""
    world.on_show = lambda chunk: (world.directory / "go").touch() if b"one" in chunk else None
    script = "echo 'one and more'; while [ ! -e go ]; do sleep 0.02; done; : > /dev/stdout; echo two"
    assert await world.run(script) == exited(exit_code=0, output="two\n")
    assert world.shown == [("deploy", b"one and more\n"), ("deploy", b"two\n")]


async def test_more_than_a_screen_can_show_is_left_out_and_said(world: World) -> None:
    """The last 64 KiB, and how much is missing, and where it all is."""
    await world.run("yes 1234567 | head -c 100000; printf end")
    chunk = b"".join(part for _, part in world.shown)
    note, _, rest = chunk.partition(b"\n")
    assert note.decode() == f"… {100_003 - 65_536} bytes not shown; all of it is in {world.run_folder}/outputs/7.out"
    assert len(rest) == 65_536 + 1
    assert rest.endswith(b"1234567\nend\n")


async def test_a_daemon_that_holds_the_output_holds_nobody_up(world: World) -> None:
    """Files are not pipes: nobody waits for their end; here it may even stay, having cleared its traces."""
    world.spawn("setsid env -i sleep 3 & echo started")
    assert await world.exited() == exited(exit_code=0, output="started\n")
    assert world.exits[0].duration_s < 2


# Commands that cannot start.


async def test_a_missing_working_dir_is_named(world: World) -> None:
    """The author reads what to do."""
    assert await world.run("true", working_dir="gone") == exited(
        error=f"the working directory {world.directory}/gone is not there; create it first, or mend `working_dir`",
        output_file="",
        spent=NOTHING,
    )


async def test_a_missing_interpreter_is_named(world: World) -> None:
    """Nothing ran, and the reason says what to check."""
    assert (await world.run("true", interpreter="nosuchshell")).error == (
        "cannot start: the interpreter 'nosuchshell' was not found on PATH; check it with `command -v nosuchshell`"
    )


@pytest.mark.parametrize(
    ("interpreter", "error"),
    [
        ("", "the interpreter is empty; leave `interpreter:` away for sh"),
        ("sh 'x", 'the interpreter "sh \'x" cannot be read: No closing quotation'),
    ],
)
async def test_an_interpreter_that_is_no_command_is_named(world: World, interpreter: str, error: str) -> None:
    """It is read as words, as a shell would."""
    assert (await world.run("true", interpreter=interpreter)).error == f"cannot start: {error}"


async def test_sh_is_the_systems_own(world: World) -> None:
    """No directory is searched for it, whatever PATH says."""
    assert (await world.run("echo here", environment={"PATH": "/nowhere"})).output == "here\n"


async def test_an_interpreter_that_an_earlier_step_installed_is_found(world: World) -> None:
    """Nothing is remembered from the time before."""
    environment = {"PATH": f"{world.directory}:/usr/bin:/bin"}
    assert (await world.run("hello", interpreter="fresh", environment=environment)).exit_code is None
    await world.run("printf '#!/bin/sh\\ncat \"$1\"' > fresh; chmod +x fresh", epoch=8)
    assert (await world.run("hello", interpreter="fresh", environment=environment)).output == "hello"


async def test_a_nul_fails_the_step_alone(world: World) -> None:
    """No environment can hold one."""
    assert (await world.run("true", variables={"A": "a\0b"})).error == (
        "cannot start, its script or a value holds what no program can take: embedded null byte"
    )


async def test_values_too_long_for_the_system_are_explained(world: World) -> None:
    """E2BIG at the start."""
    error = (await world.run("true", variables={"A": "x" * 200_000})).error
    assert error == (
        "cannot start, its script and values are too long for the system: a value is too long for one argument "
        "of a program (128 KiB on Linux); pass the path of a file that holds it: ${name|file}"
    )


async def test_a_value_too_long_for_a_program_is_explained(world: World) -> None:
    """E2BIG within the script, where the value worked for the shell itself."""
    seen = await world.run('/bin/echo "$(cat "$V")"', files={"V": "x" * 200_000})
    assert (seen.exit_code, seen.error) == (
        126,
        "a value is too long for one argument of a program (128 KiB on Linux); "
        "pass the path of a file that holds it: ${name|file}",
    )


async def test_a_failed_start_leaves_no_file(world: World) -> None:
    """Neither outputs nor values."""
    await world.run("true", working_dir="gone", files={"V": "secret"})
    assert world.outputs() == []
    assert list((world.run_folder / "values-in-use").iterdir()) == []


async def test_a_failed_start_is_told_after_spawn_has_returned(world: World) -> None:
    """The reactor is in the middle of a turn when it spawns."""
    world.spawn("true", working_dir="gone")
    assert world.exits == []
    await world.exited()


def crowded(monkeypatch: pytest.MonkeyPatch, code: int, times: int) -> None:
    """Let the next `times` starts fail for want of resources, and make delays short."""
    real, refusals = subprocess.Popen, [code] * times

    def popen(*args: Any, **kwargs: Any) -> Any:
        if refusals:
            code = refusals.pop()
            raise OSError(code, os.strerror(code))
        return real(*args, **kwargs)

    monkeypatch.setattr(subprocess, "Popen", popen)
    monkeypatch.setattr(module, "ROOM_FIRST_DELAY_S", 0.001)


@pytest.mark.parametrize("code", [errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE])
async def test_room_is_waited_for(world: World, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """Too many processes or files now is no failure of the step."""
    crowded(monkeypatch, code, times=3)
    assert await world.run("echo hello") == exited(exit_code=0, output="hello\n")


async def test_a_lack_of_room_that_lasts_stops_the_run(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """After so long a person has to act; the step has not failed."""
    crowded(monkeypatch, errno.EAGAIN, times=1000)
    monkeypatch.setattr(module, "ROOM_S_MAX", 0.05)
    monkeypatch.setattr(commands, "ROOM_S_MAX", 0.05)
    assert await world.run("true") == exited(stopped=True, output_file="", spent=NOTHING)
    assert world.given_up == [
        "cannot start for 0.05 s now: Resource temporarily unavailable; run fewer things at once, "
        "or raise the limit (`ulimit -a`), then `prodigy resume`"
    ]


async def test_without_room_fewer_are_at_work(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half as many as were when a start was refused, so that these find room for what they start."""
    monkeypatch.setattr(module, "CROWDED_DELAY_S", 0.001)
    gate = world.directory / "gate"
    for epoch in range(1, 5):
        world.spawn("until test -e gate; do sleep 0.01; done", epoch=epoch)
    crowded(monkeypatch, errno.EAGAIN, times=1)
    for epoch in range(5, 8):
        world.spawn("true", epoch=epoch)
    await asyncio.sleep(0.05)
    assert (world.exits, world.processes.running) == ([], 7)
    gate.touch()
    await world.exited(7)
    assert [exit_.exit_code for exit_ in world.exits] == [0] * 7


async def test_a_start_that_waits_can_be_stopped(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C does not wait for room."""
    crowded(monkeypatch, errno.EAGAIN, times=1)
    monkeypatch.setattr(module, "ROOM_FIRST_DELAY_S", 0.01)
    world.spawn("true")
    world.processes.terminate(7)
    world.processes.terminate(7)
    assert await world.exited() == exited(stopped=True, output_file="", spent=NOTHING)
    await asyncio.sleep(0.03)  # a start that is still to come would come now
    assert (len(world.exits), world.outputs()) == (1, [])


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.ENOENT, errno.EROFS])
async def test_output_that_cannot_be_kept_is_not_the_steps_failure(
    world: World, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """A full disk, or a folder that somebody removed, stops the run."""

    def refuse(*_: Any) -> Any:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(outputs.Outputs, "open", refuse)
    assert await world.run("true") == exited(stopped=True, output_file="", spent=NOTHING)
    assert [f"what deploy prints cannot be kept: {os.strerror(code)}"] == world.given_up
