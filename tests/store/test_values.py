"""Large values: named by their digest, durable before they are named, checked when they are read."""

import itertools
import os
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from prodigy.errors import DamagedState, StorageFailure
from prodigy.store.values import Values

DATA = b"a large value"
DIGEST = sha256(DATA).hexdigest()


class Killed(BaseException):
    """The process is gone at this system call."""


@pytest.fixture
def values(tmp_path: Path) -> Values:
    return Values(tmp_path / "values")


def test_a_value_comes_back_under_its_digest(values: Values) -> None:
    """The digest is the sha256, and the file private."""
    assert (values.put(DATA), values.get(DIGEST)) == (DIGEST, DATA)
    path = values.folder / DIGEST
    modes = [stat.S_IMODE(each.stat().st_mode) for each in (values.folder, path)]
    assert modes == [0o700, 0o600]


@pytest.mark.parametrize("data", [b"", b"\0\xff\n" * 100_000])
def test_any_bytes_are_a_value(values: Values, data: bytes) -> None:
    """The empty one and large ones too."""
    assert values.get(values.put(data)) == data


def test_a_value_that_is_there_is_not_written_again(values: Values) -> None:
    """The same file stays in its place."""
    values.put(DATA)
    before = (values.folder / DIGEST).stat()
    values.put(DATA)
    assert os.path.samestat(before, (values.folder / DIGEST).stat())
    assert (values.folder / DIGEST).stat().st_mtime_ns == before.st_mtime_ns


@pytest.mark.parametrize("altered", [b"", DATA[:-1], DATA + b"!", b"A" + DATA[1:]])
def test_an_altered_value_is_damage_until_it_is_put_again(values: Values, altered: bytes) -> None:
    """An altered file is named and never returned; the right contents mend it, put by who has not put them before."""
    values.put(DATA)
    (values.folder / DIGEST).write_bytes(altered)
    with pytest.raises(DamagedState, match=f"values/{DIGEST} is not what was written"):
        values.get(DIGEST)
    Values(values.folder).put(DATA)
    assert values.get(DIGEST) == DATA


def test_a_missing_value_is_damage(values: Values) -> None:
    """The message names the file."""
    with pytest.raises(DamagedState, match=f"values/{DIGEST} cannot be read: No such file"):
        values.get(DIGEST)


@pytest.mark.parametrize(
    "digest", ["", "../../etc/passwd", "/etc/passwd", DIGEST[:-1], DIGEST + "\n", DIGEST.upper(), "\x1b" * 64]
)
def test_only_a_digest_reaches_a_path(values: Values, digest: str) -> None:
    """Anything else is refused, escaped in the message, whatever file it would lead to."""
    values.put(DATA)
    (values.folder / DIGEST.upper()).write_bytes(DATA)
    with pytest.raises(DamagedState, match="does not name a stored value") as caught:
        values.get(digest)
    assert caught.value.message.isprintable()


def test_a_link_is_neither_read_nor_written_through(values: Values, tmp_path: Path) -> None:
    """A link in the place of a value is refused and its victim untouched, even with the right contents."""
    values.put(b"another")
    (tmp_path / "victim").write_bytes(DATA)
    (values.folder / DIGEST).symlink_to(tmp_path / "victim")
    for use in (lambda: values.put(DATA), lambda: values.get(DIGEST)):
        with pytest.raises(DamagedState, match="symlink"):
            use()
    assert (tmp_path / "victim").read_bytes() == DATA


def test_many_writers_of_one_value_agree(tmp_path: Path) -> None:
    """Concurrent writers each return the digest, and one whole file remains."""
    with ThreadPoolExecutor(8) as pool:
        digests = list(pool.map(lambda _: Values(tmp_path / "values").put(DATA), range(40)))
    assert digests == [DIGEST] * 40
    assert {path.name: path.read_bytes() for path in (tmp_path / "values").iterdir()} == {DIGEST: DATA}


def recorded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    calls = list[str]()
    real = os.fsync

    def fsync(descriptor: int) -> None:
        calls.append(stat.filemode(os.fstat(descriptor).st_mode)[0])
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    return calls


def test_a_value_is_durable_when_it_is_named(values: Values, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file and its folder are synced, also when the file is found there: its writer may have died."""
    values.put(b"another")
    calls = recorded(monkeypatch)
    values.put(DATA)
    Values(values.folder).put(DATA)
    assert calls == ["-", "d", "-", "d"]


def test_killed_anywhere_a_value_is_whole_or_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At every system call of a put, a reader finds nothing or everything, and the put can be repeated."""
    countdown = -1

    def faulty(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            nonlocal countdown
            countdown -= 1
            if countdown == -1:
                raise Killed
            return real(*arguments, **named)

        return call

    for name in ("mkdir", "open", "write", "fsync", "replace"):
        monkeypatch.setattr(os, name, faulty(getattr(os, name)))
    for nth in itertools.count():
        values, countdown = Values(tmp_path / str(nth)), nth
        try:
            values.put(DATA)
            break
        except Killed:
            countdown = -1
        names = [path.name for path in values.folder.glob("[!.]*")]
        assert [values.get(name) for name in names] == [DATA] * len(names)
        assert Values(values.folder).put(DATA) == DIGEST
        assert values.get(DIGEST) == DATA
    assert nth > 5


def test_a_disk_that_refuses_is_named(values: Values) -> None:
    """A folder that cannot be made stops the run with the cause."""
    values.folder.parent.joinpath("file").touch()
    with pytest.raises(StorageFailure, match="Not a directory"):
        Values(values.folder.parent / "file" / "values").put(DATA)


def test_a_value_of_another_folder_is_copied(tmp_path: Path) -> None:
    """The copy stays when the other folder goes."""
    source, copies = Values(tmp_path / "run"), Values(tmp_path / "mirror")
    digest = source.put(b"large")
    copies.copy(digest, source)
    (tmp_path / "run" / digest).unlink()
    copies.copy(digest, source)
    assert copies.get(digest) == b"large"


def test_what_nobody_has_cannot_be_copied(tmp_path: Path) -> None:
    """The file is named."""
    with pytest.raises(DamagedState, match="cannot be read"):
        Values(tmp_path / "mirror").copy("0" * 64, Values(tmp_path / "run"))
