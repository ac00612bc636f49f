"""One owner per run, whatever happens to it; and numbers that nobody gets twice."""

import errno
import fcntl
import itertools
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest

from prodigy.errors import DamagedState, ExitCode, RunNotFound, StorageFailure
from prodigy.kernel.events import RunCompleted
from prodigy.store import lock
from prodigy.store.journal import Journal
from prodigy.store.layout import Project, prepare
from prodigy.store.lock import Holder, RunLock, check_owned, holder, next_number
from prodigy.store.log import Log
from prodigy.store.values import Values

TIME = "2026-01-31T09:00:00.000000Z"

# A process that owns the run, says so, does `{then}`, and waits to be ended.
OWNER = """
import os, subprocess, sys
from pathlib import Path
from prodigy.errors import RunNotFound
from prodigy.store.lock import RunLock
sys.stdin.readline()
try:
    lock = RunLock.acquire(Path(sys.argv[1]), command="prodigy cook")
except RunNotFound as error:
    sys.exit(error.message)
{then}
sys.stdin.readline()
"""
SAY = "print('owner', flush=True)"
START_CHILD = """
child = subprocess.Popen(["sleep", "60"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, close_fds={})
print(child.pid, flush=True)
"""
FORK_CHILD = """
child = os.fork()
if child == 0:
    os.write(1, b"%d\\n" % os.getpid())
    os.close(1)
    import signal; signal.pause()
"""


class Killed(BaseException):
    """The process is gone at this system call."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "demo-k3x9f2"
    folder.mkdir()
    return folder / "lock"


@pytest.fixture
def start(path: Path) -> Iterator[Callable[[str], "subprocess.Popen[str]"]]:
    """Start a process that will become the owner when it is told to go."""
    started = list[subprocess.Popen[str]]()

    def begin(then: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-c", OWNER.format(then=then), str(path)]
        pipe = subprocess.PIPE
        started.append(subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True))
        return started[-1]

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def go(process: "subprocess.Popen[str]") -> None:
    assert process.stdin
    process.stdin.write("go\n")
    process.stdin.flush()


def said(process: "subprocess.Popen[str]") -> str:
    assert process.stdout
    return process.stdout.readline().strip()


def test_of_eight_processes_exactly_one_wins(path: Path, start: Callable[[str], "subprocess.Popen[str]"]) -> None:
    """The others end at once and name it; when it is killed, the run is free."""
    processes = [start(SAY) for _ in range(8)]
    for process in processes:
        go(process)
    winners = [process for process in processes if said(process) == "owner"]
    assert len(winners) == 1
    (winner,) = winners
    message = rf"'demo-k3x9f2' is being run by process {winner.pid} \(prodigy cook, since \S+Z\)"
    for process in processes:
        if process is not winner:
            assert re.fullmatch(message, process.communicate()[1].strip())
    owner = holder(path)
    assert owner is not None
    assert (owner.pid, owner.command) == (winner.pid, "prodigy cook")
    winner.kill()
    winner.wait()
    assert holder(path) is None
    RunLock.acquire(path).release()


@pytest.mark.parametrize(
    "then",
    [START_CHILD.format(True), START_CHILD.format(False), FORK_CHILD],
    ids=["child", "inherits", "forked"],
)
def test_a_child_does_not_hold_the_lock_of_a_dead_owner(
    path: Path, start: Callable[[str], "subprocess.Popen[str]"], then: str
) -> None:
    """Not one that was started, not one that inherits descriptors, not one that was only forked."""
    owner = start(then)
    go(owner)
    child = int(said(owner))
    try:
        with pytest.raises(RunNotFound, match=f"process {owner.pid} "):
            RunLock.acquire(path)
        owner.kill()
        owner.wait()
        os.kill(child, 0)
        RunLock.acquire(path).release()
    finally:
        os.kill(child, signal.SIGKILL)


def test_an_owner_keeps_its_lock_when_it_forks(path: Path) -> None:
    """The child gives up its copy only."""
    owner = RunLock.acquire(path)
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    assert holder(path) is not None
    owner.release()


def test_who_is_refused_changes_nothing(path: Path) -> None:
    """The lock file still names its owner, and the error is exit 6 with a way out."""
    with RunLock.acquire(path, command="prodigy resume"):
        before = path.read_bytes()
        with pytest.raises(RunNotFound) as caught:
            RunLock.acquire(path)
        assert path.read_bytes() == before
    assert caught.value.exit_code == ExitCode.NOT_FOUND
    assert caught.value.hint == "Wait for it, or end it with `prodigy stop demo-k3x9f2`."


def test_a_lock_is_released_once(path: Path) -> None:
    """Released twice, it is not the next owner's that is lost."""
    first = RunLock.acquire(path)
    first.release()
    with RunLock.acquire(path):
        first.release()
        assert holder(path) is not None
    assert holder(path) is None


def test_of_many_threads_exactly_one_wins_each_time(path: Path) -> None:
    """Contenders that meet each other's looks do not all give up, nor do two win."""
    barrier = threading.Barrier(8)
    owners = list[RunLock]()

    def contend(_: int) -> None:
        barrier.wait()
        with suppress(RunNotFound):
            owners.append(RunLock.acquire(path))

    counts = list[int]()
    with ThreadPoolExecutor(8) as pool:
        for _ in range(30):
            list(pool.map(contend, range(8)))
            counts.append(len(owners))
            owners.pop().release()
    assert counts == [1] * 30


def test_a_shorter_name_replaces_a_longer_one(path: Path) -> None:
    """Nothing of the last owner's name is left behind the new one."""
    RunLock.acquire(path, command="prodigy resume demo-k3x9f2 --force").release()
    with RunLock.acquire(path, command="p"):
        owner = holder(path)
    assert owner is not None
    assert owner.command == "p"


def test_a_look_turns_no_owner_away(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An owner-to-be that meets a reader waits for it to have looked."""
    path.touch()
    descriptor = os.open(path, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    monkeypatch.setattr("time.sleep", lambda seconds: os.close(descriptor))
    with RunLock.acquire(path):
        assert holder(path) == msgspec.json.decode(path.read_bytes(), type=Holder)


def test_a_look_sees_no_other_look(path: Path) -> None:
    """Two readers at once do not take each other for an owner."""
    path.touch()
    descriptor = os.open(path, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    assert holder(path) is None
    os.close(descriptor)


def test_looking_makes_nothing(path: Path) -> None:
    """A run that was never owned has no owner and no lock file."""
    assert (holder(path), path.exists()) == (None, False)


@pytest.mark.parametrize("name", [b"", b"{", b'{"pid":"x"}', b'{"pid":-1}', b'{"pid":99999999999999999999}'])
def test_an_owner_that_has_not_said_its_name_is_still_one(
    path: Path, monkeypatch: pytest.MonkeyPatch, name: bytes
) -> None:
    """The kernel's lock decides; what the file says is only for messages."""
    monkeypatch.setattr(lock, "NAMING_WAIT_S", 0.0)
    with RunLock.acquire(path):
        path.write_bytes(name)
        assert holder(path) == Holder()
        with pytest.raises(RunNotFound, match="'demo-k3x9f2' is being run by another process"):
            RunLock.acquire(path)


def test_a_new_owner_is_not_called_by_a_dead_ones_name(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between its lock and its name a reader waits for the name."""
    with RunLock.acquire(path):
        name = path.read_bytes()
        dead = subprocess.Popen(["true"])
        dead.wait()
        path.write_bytes(b'{"pid":%d}' % dead.pid)
        monkeypatch.setattr("time.sleep", lambda seconds: path.write_bytes(name))
        owner = holder(path)
    assert owner is not None
    assert owner.pid == os.getpid()


def test_what_a_killed_owner_left_does_not_matter(path: Path) -> None:
    """The name of a process that lives, in a file that nobody has locked, is no owner."""
    path.write_bytes(b'{"pid":%d,"started":"","command":""}' % os.getppid())
    assert holder(path) is None
    RunLock.acquire(path).release()


def test_a_link_in_the_place_of_the_lock_is_refused(path: Path, tmp_path: Path) -> None:
    """Its victim is not written to."""
    (tmp_path / "victim").write_bytes(b"victim")
    path.symlink_to(tmp_path / "victim")
    with pytest.raises(DamagedState, match="symlink"):
        RunLock.acquire(path)
    with pytest.raises(DamagedState, match="symlink"):
        holder(path)
    assert (tmp_path / "victim").read_bytes() == b"victim"


def test_a_lock_file_that_was_just_removed_is_not_owned(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waited while a cleaner removed the file locks the new one, as everybody else will."""
    real, calls = fcntl.flock, itertools.count()

    def removed_first(descriptor: int, operation: int) -> None:
        if next(calls) == 0:
            path.unlink()
        real(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", removed_first)
    with RunLock.acquire(path):
        assert holder(path) is not None


@pytest.mark.parametrize(("module", "name"), [(fcntl, "flock"), (os, "pwrite")])
def test_a_file_system_that_refuses_is_named_and_nothing_is_kept(
    path: Path, monkeypatch: pytest.MonkeyPatch, module: Any, name: str
) -> None:
    """No locks on it, or no room: the run is not owned by halves."""
    with monkeypatch.context() as broken:

        def failing(*arguments: Any) -> None:
            raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

        broken.setattr(module, name, failing)
        with pytest.raises(StorageFailure, match="No locks available"):
            RunLock.acquire(path)
    RunLock.acquire(path).release()


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project(tmp_path)
    prepare(project)
    return project


def no_runs() -> int:
    return 0


def test_numbers_count_from_one(project: Project) -> None:
    """Each call takes the next one, and it is on disk."""
    assert [next_number(project, no_runs) for _ in range(3)] == [1, 2, 3]
    assert project.counter.read_bytes() == b"3\n"


@pytest.mark.parametrize("data", [None, b"", b"x", b"-5", b"1 2", b"9" * 19, "٣".encode(), b"7" * 2000])
def test_a_counter_that_is_missing_or_garbled_goes_on_from_the_runs(project: Project, data: bytes | None) -> None:
    """The largest number of any run is then the last one taken."""
    if data is not None:
        project.counter.write_bytes(data)
    assert [next_number(project, lambda: 41), next_number(project, no_runs)] == [42, 43]


def test_a_good_counter_asks_no_runs(project: Project) -> None:
    """Reading every run is for the rare case."""
    project.counter.write_bytes(b"7\n")

    def reading_them_all() -> int:
        raise AssertionError("the runs were read")

    assert next_number(project, reading_them_all) == 8


def test_a_link_in_the_place_of_the_counter_is_refused(project: Project, tmp_path: Path) -> None:
    """Its victim is neither read nor written."""
    (tmp_path / "victim").write_bytes(b"7")
    project.counter.symlink_to(tmp_path / "victim")
    with pytest.raises(DamagedState, match="symlink"):
        next_number(project, no_runs)
    assert (tmp_path / "victim").read_bytes() == b"7"


def test_nobody_gets_a_number_twice(project: Project) -> None:
    """However many ask at once, each number is given once and none is left out."""
    with ThreadPoolExecutor(8) as pool:
        numbers = list(pool.map(lambda _: next_number(project, no_runs), range(64)))
    assert sorted(numbers) == list(range(1, 65))


def test_a_crash_at_any_instant_neither_repeats_nor_loses_the_count(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before any system call, the next number is larger than all that were returned."""
    countdown = -1

    def faulty(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            nonlocal countdown
            countdown -= 1
            if countdown == -1:
                raise Killed
            return real(*arguments, **named)

        return call

    for name in ("open", "write", "fsync", "replace"):
        monkeypatch.setattr(os, name, faulty(getattr(os, name)))
    last = next_number(project, no_runs)
    for nth in itertools.count():
        countdown = nth
        try:
            next_number(project, no_runs)
            break
        except Killed:
            countdown = -1
        number = next_number(project, no_runs)
        assert number in (last + 1, last + 2)
        last = number
    assert nth > 5


def test_an_owner_whose_lock_file_was_removed_writes_no_more(path: Path) -> None:
    """For another may own the run beside it."""
    with RunLock.acquire(path):
        check_owned()
        path.unlink()
        with RunLock.acquire(path), pytest.raises(StorageFailure, match="was removed while the run went on"):
            check_owned()
    check_owned()


def test_a_turn_is_refused_where_the_lock_file_was_removed(path: Path) -> None:
    """Before a byte of it is written."""
    log = path.with_name("events-1.jsonl")
    journal = Journal(Log.create(log), Values(path.parent / "values"))
    with RunLock.acquire(path):
        journal.append([(TIME, RunCompleted())], sync=False)
        before = log.read_bytes()
        path.unlink()
        with pytest.raises(StorageFailure, match="was removed while the run went on"):
            journal.append([(TIME, RunCompleted())], sync=False)
    journal.close()
    assert (log.read_bytes(), before != b"") == (before, True)
