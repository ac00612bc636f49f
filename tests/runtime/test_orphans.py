"""Only what carries the mark is found, and all of it is ended."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from prodigy.errors import ProdigyError
from prodigy.runtime.processes import orphans
from prodigy.runtime.processes.orphans import FoundProcess, end_marked, find_marked, read_ps, run_mark, send

Started = subprocess.Popen[bytes]


@contextlib.contextmanager
def started(script: str | None, run_folder: Path | str, **environment: str) -> Iterator[Started]:
    """Run a script with a mark in a session of its own until it has said a line; None is a mere `sleep`."""
    with subprocess.Popen(
        ["sh", "-c", script] if script else ["sleep", "60"],
        env={**os.environ, "PRODIGY_RUN_DIR": str(run_folder), **environment},
        start_new_session=True,
        stdout=subprocess.PIPE,
    ) as process:
        try:
            if script and process.stdout:
                process.stdout.readline()
            environment_of = Path(f"/proc/{process.pid}/environ")
            while not script and environment_of.exists() and process.poll() is None and not environment_of.read_bytes():
                time.sleep(0.001)  # `exec` closes what Popen waits for a moment before the environment can be read
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


SLEEPER = None
STUBBORN = "exec 2>/dev/null; trap '' TERM; echo; while :; do sleep 0.05; done"


def test_what_carries_the_mark_is_ended_and_named(tmp_path: Path) -> None:
    """An earlier coordinator's command is gone before its step runs again."""
    with started(SLEEPER, tmp_path) as process:
        assert end_marked(tmp_path, grace_s=5) == [f"sleep (pid {process.pid})"]
        assert process.wait() == -signal.SIGTERM


def test_what_will_not_end_is_killed(tmp_path: Path) -> None:
    """After the grace."""
    with started(STUBBORN, tmp_path) as process:
        end_marked(tmp_path, grace_s=0.1)
        assert process.wait() == -signal.SIGKILL


def test_a_suspended_process_is_ended_within_the_grace(tmp_path: Path) -> None:
    """It is let go on, or it would not hear."""
    with started("echo; kill -STOP $$", tmp_path) as process:
        end_marked(tmp_path, grace_s=60)
        assert process.wait() == -signal.SIGTERM


def test_the_mark_is_the_real_path(tmp_path: Path) -> None:
    """Whichever way one came to the folder."""
    link = tmp_path / "link"
    link.symlink_to(tmp_path)
    with started(SLEEPER, tmp_path) as process:
        assert end_marked(link, grace_s=5) == [f"sleep (pid {process.pid})"]


@pytest.mark.parametrize("other", ["{}x", "{}/x", "x{}", ""])
def test_other_runs_are_left_alone(tmp_path: Path, other: str) -> None:
    """A folder that only begins or ends like ours is another's."""
    with started(SLEEPER, other.format(tmp_path)) as process:
        assert end_marked(tmp_path, grace_s=0) == []
        assert process.poll() is None


def test_the_mark_in_another_place_is_no_mark(tmp_path: Path) -> None:
    """Neither in the value of another variable nor among the arguments."""
    with started(f"echo; : {run_mark(tmp_path).decode()}; sleep 60", "/", OTHER=run_mark(tmp_path).decode()):
        assert find_marked([run_mark(tmp_path)]) == []


def test_we_and_our_ancestors_are_spared(tmp_path: Path) -> None:
    """A step may call prodigy on the very run that it belongs to."""
    inner = (
        "import pathlib; from prodigy.runtime.processes.orphans import end_marked; "
        f"print(end_marked(pathlib.Path({str(tmp_path)!r}), grace_s=0))"
    )
    environment = {**os.environ, "PRODIGY_RUN_DIR": str(tmp_path)}
    python = [sys.executable, "-c", inner]
    said = subprocess.run(
        ["sh", "-c", '"$@"; exit $?', "sh", *python], env=environment, capture_output=True, text=True, check=True
    )
    assert said.stdout == "[]\n"


def test_reapers_are_spared(tmp_path: Path) -> None:
    """A nested run's reaper carries the outer run's mark and still has its own to end."""
    with started("printf prodigy-reaper > /proc/$$/comm; echo; while :; do sleep 1; done", tmp_path) as process:
        assert [found.name for found in find_marked([run_mark(tmp_path)]) if found.pid == process.pid] == []


def test_all_marks_are_needed(tmp_path: Path) -> None:
    """A run's other commands are not this command's leftovers."""
    with started(SLEEPER, tmp_path, PRODIGY_EPOCH="12") as process:
        marks = [run_mark(tmp_path), b"PRODIGY_EPOCH=12"]
        assert [found.pid for found in find_marked(marks)] == [process.pid]
        assert find_marked([run_mark(tmp_path), b"PRODIGY_EPOCH=1"]) == []


def test_a_recycled_pid_is_not_hit(tmp_path: Path) -> None:
    """The same number with another start time is somebody else."""
    with started(SLEEPER, tmp_path) as process:
        (found,) = find_marked([run_mark(tmp_path)])
        send(found._replace(started="1"), signal.SIGKILL)
        assert process.poll() is None
        send(found, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL


def test_nothing_is_sent_to_what_is_gone(tmp_path: Path) -> None:
    """And nobody is told."""
    with started("echo", tmp_path) as process:
        process.wait()
        send(FoundProcess(process.pid, "1", "sh"), signal.SIGKILL)


def test_what_cannot_be_killed_stops_the_resume(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its step must not run twice at once."""
    monkeypatch.setattr(orphans, "UNKILLABLE_AFTER_S", 0.05)
    monkeypatch.setattr(orphans, "send", lambda *_: None)
    with (
        started(SLEEPER, tmp_path) as process,
        pytest.raises(ProdigyError, match=rf"not to be killed: sleep \(pid {process.pid}\)"),
    ):
        end_marked(tmp_path, grace_s=0)


@pytest.mark.parametrize("looks", [1, 3])
def test_what_is_in_the_midst_of_exec_is_looked_at_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, looks: int
) -> None:
    """In that instant the system shows neither arguments nor environment."""
    with started(SLEEPER, tmp_path) as process:
        really, left = orphans._read, [looks]

        def read(path: str) -> bytes:
            if path == f"/proc/{process.pid}/environ" and left[0]:
                left[0] -= 1
                return b""
            return b"" if path == f"/proc/{process.pid}/cmdline" and left[0] else really(path)

        monkeypatch.setattr(orphans, "_read", read)
        assert [found.pid for found in find_marked([run_mark(tmp_path)])] == [process.pid]


def test_an_empty_environment_carries_no_mark(tmp_path: Path) -> None:
    """And is not waited for."""
    with subprocess.Popen(["sleep", "60"], env={}) as process:
        found = [one.pid for one in find_marked([run_mark(tmp_path)])]
        process.kill()
    assert found == []


def test_blindness_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where /proc is not mounted, marks cannot be seen."""
    assert orphans.why_blind() is None
    monkeypatch.setattr(orphans, "PROC", "/nowhere")
    monkeypatch.setenv("PATH", "/nowhere")
    assert "a session of its own is not found" in str(orphans.why_blind())
    assert find_marked([b"PRODIGY_RUN_DIR=/r"]) == []


def test_a_name_cannot_drive_the_terminal(tmp_path: Path) -> None:
    """A process chooses its own."""
    with started(r"printf '\033]0;x) R' > /proc/$$/comm; echo; while :; do sleep 1; done", tmp_path) as process:
        names = {found.pid: found.name for found in find_marked([run_mark(tmp_path)])}
        assert names[process.pid] == "?]0;x) R"


def test_what_ps_lists_is_read() -> None:
    """Where there is no /proc: pid, command, and the environment behind it."""
    listing = (
        b"  12 /bin/sleep 60 HOME=/h PRODIGY_RUN_DIR=/r PRODIGY_EPOCH=3 A=b\n"
        b"  13 sleep 60 PRODIGY_RUN_DIR=/r2\n"
        b"  14 sleep 60 PRODIGY_RUN_DIR=/r\n"
        b"garbage\n"
    )
    assert read_ps(listing, [b"PRODIGY_RUN_DIR=/r"], {14}) == [FoundProcess(12, "", "sleep")]


def test_an_end_that_comes_late_is_waited_for(tmp_path: Path) -> None:
    """A polite process may take its time to clean up, as long as the grace."""
    cleaning = "i=0; while [ $i -lt 30000 ]; do i=$((i+1)); done; touch cleaned; exit 0"
    polite = f"cd {tmp_path}; exec 2>/dev/null; trap '{cleaning}' TERM; echo; while :; do sleep 0.02; done"
    with started(polite, tmp_path) as process:
        end_marked(tmp_path, grace_s=60)
        assert (tmp_path / "cleaned").exists()
        assert process.wait() == 0


def test_our_children_are_listed_anew_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The list stays open, is as long as it is, and is read from its beginning."""
    listed = tmp_path / "self" / "task" / str(os.getpid()) / "children"
    listed.parent.mkdir(parents=True)
    monkeypatch.setattr(orphans, "PROC", str(tmp_path))
    many = list(range(1, 40_000))
    seen = []
    for children in ([], [7, 8], many, [9]):
        listed.write_text("".join(f"{pid} " for pid in children))
        seen.append(orphans._own_children())
    assert seen == [[], [7, 8], many, [9]]
