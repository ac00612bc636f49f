"""Something else stands where a file of a run belongs: the refusal says what, and has a command that mends it."""

import os
import shlex
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.end_to_end.house import House

READERS = [
    ("resume", "demo"),
    ("status", "demo"),
    ("events", "ls", "demo"),
    ("events", "verify", "demo"),
    ("logs", "demo", "pre"),
    ("explain", "demo", "pre"),
    ("dlq", "list", "demo"),
    ("checkpoints", "show", "demo"),
    ("checkpoints", "validate", "demo"),
    ("replay", "demo"),
    ("fork", "demo", "--at", "pre"),
    ("diff", "demo", "demo"),
]
Place = Callable[[Path], None]


def link(path: Path) -> None:
    """Put a symlink to a copy of it in its place."""
    copy = path.with_name("copy")
    path.rename(copy)
    path.symlink_to(copy)


def folder(path: Path) -> None:
    """Put a folder in its place."""
    path.unlink()
    path.mkdir(mode=0o700)


def fifo(path: Path) -> None:
    """Put a FIFO in its place, on which nobody may wait."""
    path.unlink()
    os.mkfifo(path, 0o600)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A run that failed at its second step, which would succeed now."""
    built = House(tmp_path)
    built.workflow({"id": "pre", "shell": "true"}, {"id": "bad", "shell": "test -e ok"})
    assert built.cook().code == 1
    built.write("ok", "")
    yield built
    built.close()


@pytest.mark.parametrize("place", [link, folder, fifo])
def test_a_log_that_is_no_file_is_refused_with_a_way_out(house: House, place: Place) -> None:
    """By every command that needs it; and the way leads out."""
    run = house.run_id
    place(house.log())
    for words in READERS:
        refused = house.prodigy(*words)
        told = refused.out + refused.err
        assert (7, True) == (refused.code, f"resume {run} --from-checkpoint mirror`" in told), (words, told)
    assert 0 == house.prodigy("resume", run, "--from-checkpoint", "mirror").code


@pytest.mark.parametrize("place", [link, folder, fifo])
def test_a_lock_that_is_no_file_is_refused_with_the_command_that_mends_it(house: House, place: Place) -> None:
    """It is put aside, and then nothing is lost."""
    lock = house.run / "lock"
    place(lock)
    mend = f"mv {shlex.quote(str(lock))} {shlex.quote(str(lock))}.aside"
    for words in (("resume", "demo"), ("status", "demo"), ("dlq", "list", "demo"), ("checkpoints", "validate", "demo")):
        refused = house.prodigy(*words)
        told = refused.out + refused.err
        assert (7, True, False) == (refused.code, f"`{mend}`" in told, "mirror" in told), (words, told)
    subprocess.run(mend, shell=True, check=True)
    assert 0 == house.prodigy("resume", "demo").code


@pytest.mark.parametrize("words", ["status", "ps", "init", "init ../first.yaml", "cook", "validate demo.yaml"])
def test_a_command_in_a_removed_folder_says_so(house: House, words: str) -> None:
    """There is nothing else that it could say of a folder that is nowhere."""
    below = house.folder / "below"
    below.mkdir()
    script = f"cd {shlex.quote(str(below))}; rmdir ../below; prodigy {words}"
    done = subprocess.run(["sh", "-c", script], env=house.environment, capture_output=True, text=True, check=False)
    assert "error: the working directory was removed\n  Go to your project first: `cd FOLDER`.\n" == done.stderr
    assert 2 == done.returncode


def test_a_run_whose_folder_a_step_removes_says_how_it_ended(house: House) -> None:
    """What is told is told with whole paths then, and a command typed in such a folder says what is wrong."""
    below = house.folder / "below"
    below.mkdir()
    elsewhere = {"shell": "echo lost >&2; exit 3", "working_dir": str(house.folder)}
    house.workflow({"shell": 'rm -rf "$PWD"'}, elsewhere, name="removing")
    script = f"cd {shlex.quote(str(below))}; prodigy cook ../removing.yaml; echo code $?; prodigy status; echo code $?"
    done = subprocess.run(["sh", "-c", script], env=house.environment, capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()
    assert ["code 1", "code 2"] == [line for line in lines if line.startswith("code")]
    assert 1 == sum(line.startswith("  mend it, then go on:") for line in lines)
    assert ["error: the working directory was removed"] == [
        line for line in done.stderr.splitlines() if line.startswith("error")
    ]
