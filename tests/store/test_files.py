"""Private modes, links refused, all or nothing: what every other module of the store relies on."""

import errno
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from prodigy.errors import DamagedState, StorageFailure
from prodigy.store import files
from prodigy.store.files import (
    existing_folder,
    locked,
    open_private,
    private_folder,
    read_private,
    write_all,
    write_atomically,
)

CALLS = ("open", "write", "fsync", "replace")


class Killed(BaseException):
    """The process is gone at this system call."""


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def plant_link(path: Path, victim: Path) -> None:
    victim.write_bytes(b"victim")
    path.symlink_to(victim)


def plant_dangling_link(path: Path, victim: Path) -> None:
    path.symlink_to(victim)


def plant_fifo(path: Path, victim: Path) -> None:
    os.mkfifo(path)


def plant_folder(path: Path, victim: Path) -> None:
    path.mkdir()


def plant_socket(path: Path, victim: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


PLANTS = (plant_link, plant_dangling_link, plant_fifo, plant_folder, plant_socket)


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o777])
def test_a_new_file_is_private_whatever_the_umask(tmp_path: Path, mask: int) -> None:
    """Files are 0600."""
    with umask(mask):
        os.close(open_private(tmp_path / "file", os.O_WRONLY | os.O_CREAT))
    assert mode_of(tmp_path / "file") == 0o600


def test_a_file_that_others_could_read_is_private_once_it_is_written(tmp_path: Path) -> None:
    """A file that a checkout brought is 0600 from then on."""
    path = tmp_path / "file"
    path.touch()
    path.chmod(0o644)
    os.close(open_private(path, os.O_WRONLY | os.O_CREAT))
    assert mode_of(path) == 0o600


@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_WRONLY | os.O_CREAT, os.O_RDWR | os.O_CREAT | os.O_EXCL])
@pytest.mark.parametrize("plant", PLANTS)
def test_what_is_no_plain_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plant: Callable[[Path, Path], None], flags: int
) -> None:
    """A link, FIFO, folder or socket is neither followed nor waited for; a dangling link makes nothing."""
    monkeypatch.chdir(tmp_path)  # a socket's path is short
    plant(Path("file"), Path("victim"))
    before = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(DamagedState, match="not a plain file"):
        open_private(Path("file"), flags)
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_a_device_is_refused() -> None:
    """A device is no file of ours."""
    with pytest.raises(DamagedState, match="a device"):
        open_private(Path("/dev/zero"), os.O_RDONLY)


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    """Whoever opens decides what a missing file means."""
    with pytest.raises(FileNotFoundError):
        open_private(tmp_path / "file", os.O_RDONLY)


def test_descriptors_are_not_inherited(tmp_path: Path) -> None:
    """A command that is started does not get our files, even when it is started carelessly."""
    descriptor = open_private(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    probe = f"import os; os.fstat({descriptor})"
    status = subprocess.run([sys.executable, "-Ic", probe], close_fds=False, stderr=subprocess.DEVNULL)
    os.close(descriptor)
    assert status.returncode == 1


def test_a_file_longer_than_the_limit_is_refused(tmp_path: Path) -> None:
    """A reader that names a limit never holds more than it."""
    (tmp_path / "file").write_bytes(b"12345")
    assert read_private(tmp_path / "file", bytes_max=5) == b"12345"
    with pytest.raises(DamagedState, match="longer than 4 bytes"):
        read_private(tmp_path / "file", bytes_max=4)


def test_a_link_is_replaced_and_its_victim_untouched(tmp_path: Path) -> None:
    """Replacing a file never writes through a link."""
    plant_link(tmp_path / "file", tmp_path / "victim")
    write_atomically(tmp_path / "file", b"new")
    assert ((tmp_path / "file").is_symlink(), (tmp_path / "file").read_bytes()) == (False, b"new")
    assert (tmp_path / "victim").read_bytes() == b"victim"


def test_a_temporary_name_that_is_taken_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link planted where the temporary file would be leads nowhere."""
    monkeypatch.setattr("secrets.token_hex", lambda size: "guessed")
    plant_link(tmp_path / ".file.guessed.tmp", tmp_path / "victim")
    with pytest.raises(DamagedState, match="symlink"):
        write_atomically(tmp_path / "file", b"new")
    assert (tmp_path / "victim").read_bytes() == b"victim"


def test_a_temporary_file_that_is_there_is_not_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second name of a victim's, planted where the temporary file would be, does not reach it."""
    monkeypatch.setattr("secrets.token_hex", lambda size: "guessed")
    (tmp_path / "victim").write_bytes(b"victim")
    (tmp_path / ".file.guessed.tmp").hardlink_to(tmp_path / "victim")
    with pytest.raises(StorageFailure, match="File exists"):
        write_atomically(tmp_path / "file", b"new")
    assert (tmp_path / "victim").read_bytes() == b"victim"


class Faults:
    """The calls of `os`, one of which is the last: it fails, or the process is gone before or after it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, calls: tuple[str, ...]) -> None:
        self.countdown = -1
        self.is_done_first = False
        self.fault: BaseException = Killed()
        for name in calls:
            monkeypatch.setattr(os, name, self._faulty(getattr(os, name)))

    def arm(self, nth: int, fault: BaseException, *, is_done_first: bool = False) -> None:
        """Let the `nth` call, 0-based, be the faulty one."""
        self.countdown, self.fault, self.is_done_first = nth, fault, is_done_first

    def _faulty(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def faulty(*arguments: Any, **named: Any) -> Any:
            self.countdown -= 1
            if self.countdown != -1:
                return call(*arguments, **named)
            if self.is_done_first:
                call(*arguments, **named)
            raise self.fault

        return faulty


@pytest.mark.parametrize("is_done_first", [False, True])
def test_killed_anywhere_a_reader_sees_old_or_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_done_first: bool
) -> None:
    """At every system call of a replacement the file is whole, and the replacement can be repeated."""
    path, seen, nth = tmp_path / "file", list[bytes](), 0
    faults = Faults(monkeypatch, CALLS)
    while True:
        path.write_bytes(b"old")
        faults.arm(nth, Killed(), is_done_first=is_done_first)
        try:
            write_atomically(path, b"new")
        except Killed:
            seen.append(path.read_bytes())
        else:
            break
        write_atomically(path, b"new")
        assert path.read_bytes() == b"new"
        nth += 1
    after_replace = 3 if is_done_first else 2
    assert seen == [b"old"] * (len(seen) - after_replace) + [b"new"] * after_replace


KILLED = """
import os, signal, sys
from pathlib import Path
from prodigy.store import files
files.sync = lambda _: os.kill(os.getpid(), signal.SIGKILL)
files.write_atomically(Path(sys.argv[1]), b"half")
"""


def test_what_a_killed_writer_left_is_put_away_and_nothing_else(tmp_path: Path) -> None:
    """A file that is being written, one with a name of its own and a link are left alone."""
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "checkpoint.json")], check=False)
    (left,) = tmp_path.iterdir()
    (tmp_path / ".notes.tmp").touch()
    (tmp_path / ".link.0123456789abcdef.tmp").symlink_to(left)
    before = sorted(tmp_path.iterdir())

    def look(descriptor: int) -> None:
        files.remove_unfinished(tmp_path)

    assert files.is_unfinished(left)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "sync", look)
        files.write_atomically(tmp_path / "state.json", b"whole")
    after = sorted(tmp_path.iterdir())
    assert ([path for path in before if path != left], b"whole") == (after[:-1], after[-1].read_bytes())


def test_a_writer_whose_new_file_is_put_away_makes_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the instant before its lock it looks like a dead one's."""
    really, seen = files.open_private, list[Path]()

    def open_private(path: Path, flags: int) -> int:
        descriptor = really(path, flags)
        if flags & os.O_CREAT and not seen:
            seen.append(path)
            path.unlink()
        return descriptor

    monkeypatch.setattr(files, "open_private", open_private)
    files.write_atomically(tmp_path / "state.json", b"whole")
    assert (1, b"whole") == (len(seen), (tmp_path / "state.json").read_bytes())


@pytest.mark.parametrize("nth", range(4))
def test_a_replacement_that_fails_leaves_the_old_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nth: int
) -> None:
    """A full disk leaves the file as it was, no temporary one, and the cause in the message."""
    (tmp_path / "file").write_bytes(b"old")
    Faults(monkeypatch, CALLS).arm(nth, OSError(errno.ENOSPC, "No space left on device"))
    with pytest.raises(StorageFailure, match=r"cannot write .*/file: No space left on device"):
        write_atomically(tmp_path / "file", b"new")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"file": b"old"}


def test_the_data_is_durable_before_the_name_and_the_name_before_the_return(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Power loss shows the old file or the whole new one."""
    calls = list[str]()

    def recorded(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            calls.append(name)
            return real(*arguments)

        return call

    for name in ("write", "fsync", "replace"):
        monkeypatch.setattr(os, name, recorded(name, getattr(os, name)))
    write_atomically(tmp_path / "file", b"new")
    assert calls == ["write", "fsync", "replace", "fsync"]


def test_short_writes_are_absorbed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A system that takes three bytes at a time gets them all."""
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, bytes(data)[:3]))
    descriptor = open_private(tmp_path / "file", os.O_WRONLY | os.O_CREAT)
    write_all(descriptor, b"0123456789")
    os.close(descriptor)
    assert (tmp_path / "file").read_bytes() == b"0123456789"


@pytest.mark.parametrize("mask", [0o000, 0o777])
def test_every_new_level_of_a_folder_is_private(tmp_path: Path, mask: int) -> None:
    """Folders are 0700, those in between too."""
    with umask(mask):
        private_folder(tmp_path / "a" / "b")
    assert (mode_of(tmp_path / "a"), mode_of(tmp_path / "a" / "b")) == (0o700, 0o700)


def test_a_link_is_no_folder_of_ours(tmp_path: Path) -> None:
    """A link in the place of a folder is refused, one that leads nowhere too."""
    (tmp_path / "victim").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "victim")
    (tmp_path / "dangling").symlink_to(tmp_path / "nothing")
    for name in ("link", "dangling"):
        with pytest.raises(DamagedState, match="not a folder but a symlink"):
            private_folder(tmp_path / name)
    assert not (tmp_path / "nothing").exists()


def test_a_folder_of_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else's folder could change under us."""
    owner = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.raises(DamagedState, match=f"belongs to user {owner}"):
        private_folder(tmp_path)


def test_a_folder_that_cannot_be_made_names_the_cause(tmp_path: Path) -> None:
    """A file where a level should be is a failure of the disk's, not a traceback."""
    (tmp_path / "file").touch()
    with pytest.raises(StorageFailure, match="Not a directory"):
        private_folder(tmp_path / "file" / "folder")


def test_asking_for_a_folder_makes_none(tmp_path: Path) -> None:
    """A reader changes nothing."""
    assert (existing_folder(tmp_path), existing_folder(tmp_path / "a")) == (True, False)
    assert list(tmp_path.iterdir()) == []


def test_a_lock_that_is_kept_too_long_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stopped process that holds a lock does not hang the next one for ever."""
    monkeypatch.setattr(files, "LOCK_WAIT_S", 0.02)
    with locked(tmp_path / "lock"), pytest.raises(StorageFailure, match="lock"), locked(tmp_path / "lock"):
        raise AssertionError("two hold one lock")


def test_a_lock_is_free_after_its_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error in the block frees the lock too."""
    monkeypatch.setattr(files, "LOCK_WAIT_S", 0.0)
    with pytest.raises(Killed), locked(tmp_path / "lock"):
        raise Killed
    with locked(tmp_path / "lock"):
        assert mode_of(tmp_path / "lock") == 0o600
