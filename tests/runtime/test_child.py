"""Programs start alike whether `posix_spawn` or `Popen` starts them."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from prodigy.runtime.processes.child import Child, Process, keep_descriptors, start
from prodigy.runtime.processes.commands import Prepared, encode


class Ground(NamedTuple):
    """Where a program starts, and the file that it prints into."""

    directory: str
    out: Path

    def start(self, script: str, program: str = "/bin/sh") -> Process:
        """Start a script of sh, or another program in its place."""
        prepared = Prepared(["sh", "-c", script], program, encode({"PATH": os.environ["PATH"], "A": "b c"}))
        null = os.open(os.devnull, os.O_RDONLY)
        out = os.open(self.out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        try:
            return start(prepared, directory=self.directory, stdin=null, stdout=out, stderr=out)
        finally:
            os.close(null)
            os.close(out)

    def says(self, script: str) -> str:
        """Return what a script prints."""
        self.start(script).wait()
        return self.out.read_text()


@pytest.fixture(params=["here", "elsewhere"])
def ground(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ground:
    """A place where we stand, and one where we do not."""
    folder = Path(os.path.realpath(tmp_path)) / "folder"
    folder.mkdir()
    monkeypatch.chdir(folder if request.param == "here" else tmp_path)
    return Ground(str(folder), tmp_path / "printed")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere Popen starts everything")
def test_only_a_step_elsewhere_needs_popen(ground: Ground) -> None:
    """`posix_spawn` cannot change the directory."""
    process = ground.start("true")
    process.wait()
    assert isinstance(process, Child) is (os.getcwd() == ground.directory)


def test_it_runs_in_its_directory(ground: Ground) -> None:
    """Wherever we stand."""
    assert ground.says("pwd -P") == f"{ground.directory}\n"


def test_it_gets_the_environment_and_no_other(ground: Ground) -> None:
    """Nothing of ours but what it was given."""
    assert ground.says("env | grep -v -e ^PWD= -e ^_= -e ^SHLVL= -e ^OLDPWD= -e ^PATH=") == "A=b c\n"


def test_it_leads_a_session(ground: Ground) -> None:
    """So that all of it can be ended at once."""
    pid, session = ground.says("echo $$; ps -o sid= -p $$").split()
    assert pid == session


def test_it_gets_no_descriptor_but_its_three(ground: Ground) -> None:
    """Neither what we have opened nor what we have inherited."""
    inherited, _ = pipe = os.pipe()
    try:
        os.set_inheritable(inherited, True)
        keep_descriptors()
        listing = ground.says("ls -1 /dev/fd/")
        is_inheritable = os.get_inheritable(inherited)
    finally:
        for descriptor in pipe:
            os.close(descriptor)
    assert (listing.split()[:4], is_inheritable) == (["0", "1", "2", "3"], False)  # 3 is the listing's own


def test_python_leaves_no_signal_ignored(ground: Ground) -> None:
    """SIGPIPE ends it, as it would without us."""
    assert ground.start("kill -PIPE $$; exit 7").wait() == -signal.SIGPIPE


@pytest.mark.parametrize(("script", "code"), [("true", 0), ("exit 3", 3), ("kill -KILL $$", -9)])
def test_its_end_is_told_again_and_again(ground: Ground, script: str, code: int) -> None:
    """The status of a program, or the signal that ended it, negative."""
    process = ground.start(script)
    assert (process.wait(), process.wait(), process.returncode) == (code, code, code)


def test_an_end_that_somebody_else_collected_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As for `Popen`: how it ended is not known."""
    monkeypatch.chdir(tmp_path)
    pid = subprocess.Popen(["true"], stdin=subprocess.DEVNULL)
    pid.wait()
    assert Child(pid.pid).wait() == 0


def test_a_missing_program_is_an_error(ground: Ground) -> None:
    """With its cause; nothing was started."""
    with pytest.raises(FileNotFoundError):
        ground.start("true", program="/nowhere/sh")


def test_a_nul_is_an_error(ground: Ground) -> None:
    """No program can be given one."""
    with pytest.raises(ValueError, match="null"):
        ground.start("a\0b")


def test_a_directory_that_was_replaced_is_the_new_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """We stand in the old one, which is gone; the step runs in the one that has its name."""
    folder = Path(os.path.realpath(tmp_path)) / "folder"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
    folder.mkdir()
    (folder / "new").touch()
    assert Ground(str(folder), tmp_path / "printed").says("ls") == "new\n"
    os.chdir(tmp_path)
