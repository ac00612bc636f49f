"""Files that stayed empty serve later commands, and every output keeps its own file."""

import errno
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from prodigy.runtime.following import follow
from prodigy.runtime.processes.outputs import Outputs
from prodigy.runtime.processes.reaper import Reaper
from tests.runtime.world import World

FILES = ("out", "err")


@pytest.fixture
def outputs(tmp_path: Path) -> Iterator[Outputs]:
    """The folder of a run's outputs."""
    opened = Outputs(tmp_path)
    yield opened
    opened.close()


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A run with a reaper, as every real one has: the system shows that it is our child."""
    reaper = Reaper.start(tmp_path)
    world = World(tmp_path, reaper)
    yield world
    world.processes.kill_all()
    await world.processes.close()
    reaper.close()


def command(outputs: Outputs, epoch: int, said: bytes = b"", *, is_free: bool = True) -> list[int]:
    """Let a command come and go, and return the numbers of its files."""
    files = outputs.open(epoch, FILES)
    numbers = [os.fstat(file.descriptor).st_ino for file in files]
    os.write(files[0].descriptor, said)
    outputs.put_away(files, is_free=is_free)
    return numbers


def contents(folder: Path) -> dict[str, bytes]:
    """Return what is in each file of the outputs."""
    return {path.name: path.read_bytes() for path in (folder / "outputs").iterdir()}


def test_files_that_stayed_empty_are_used_again(outputs: Outputs) -> None:
    """The second is kept as the one empty file, so from the third on nothing is made."""
    first, second, third, fourth = (command(outputs, epoch) for epoch in range(1, 5))
    assert (first[1], second) == (second[1], third) == (third[1], fourth)
    assert first[0] != second[0]


def test_every_output_keeps_its_file(tmp_path: Path, outputs: Outputs) -> None:
    """Whatever is written later, an earlier output stays as it was."""
    for epoch in range(1, 5):
        command(outputs, epoch)
    command(outputs, 5, b"five")
    command(outputs, 6)
    outputs.close()
    outputs.__init__(tmp_path)  # type: ignore[misc]
    assert contents(tmp_path) == {f"{epoch}.out": b"five" if epoch == 5 else b"" for epoch in range(1, 7)}


def test_files_that_somebody_may_have_open_are_not_used_again(outputs: Outputs) -> None:
    """A daemon would write into a later command's output."""
    numbers = [command(outputs, epoch, is_free=False)[0] for epoch in range(1, 4)]
    assert len(set(numbers)) == 3


def test_an_output_that_was_written_into_is_not_used_again(tmp_path: Path, outputs: Outputs) -> None:
    """A later step may append to the file that it was told of; it stays where it is."""
    command(outputs, 1)
    command(outputs, 2)
    (tmp_path / "outputs" / "2.out").write_text("mine")
    command(outputs, 3)
    assert contents(tmp_path)["2.out"] == b"mine"
    assert contents(tmp_path)["3.out"] == b""


def test_an_empty_file_that_was_written_into_gets_no_more_names(tmp_path: Path, outputs: Outputs) -> None:
    """The other names are the next empty file's."""
    command(outputs, 1)
    command(outputs, 2)
    (tmp_path / "outputs" / "1.out").write_text("mine")
    for epoch in range(3, 6):
        command(outputs, epoch)
    assert {name: text for name, text in contents(tmp_path).items() if text} == {"1.out": b"mine"}


def test_a_name_that_is_taken_is_left_alone(tmp_path: Path, outputs: Outputs) -> None:
    """What an earlier generation left stays, and the file is used under the next name."""
    command(outputs, 1)
    second = command(outputs, 2)
    (tmp_path / "outputs" / "3.out").write_text("earlier")
    third = command(outputs, 3)
    assert third == second
    assert {"3.out", "3-2.out"} < contents(tmp_path).keys()
    assert contents(tmp_path)["3.out"] == b"earlier"


def test_a_disk_without_links_gets_new_files(tmp_path: Path, outputs: Outputs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or one where a file has as many names as it can have."""

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(errno.EMLINK, "Too many links")

    monkeypatch.setattr(os, "link", refuse)
    numbers = [command(outputs, epoch)[0] for epoch in range(1, 4)]
    assert (len(set(numbers)), {name for name in contents(tmp_path) if name.endswith(".out")}) == (
        3,
        {"1.out", "2.out", "3.out"},
    )


def test_a_file_that_cannot_be_opened_again_leaves_nothing(
    tmp_path: Path, outputs: Outputs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Too many open files is a lack of room: the start is tried again, under the same name."""
    command(outputs, 1)
    command(outputs, 2)

    def refuse(*_: Any, **__: Any) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse)
        with pytest.raises(OSError, match="Too many"):
            outputs.open(3, FILES)
    assert "3.out" not in contents(tmp_path)


def test_a_link_that_a_crash_left_is_gone(tmp_path: Path, outputs: Outputs) -> None:
    """It would stand in the way of the next one."""
    (tmp_path / "outputs" / ".empty").touch()
    Outputs(tmp_path).close()
    assert contents(tmp_path) == {}


async def test_commands_that_print_nothing_share_files(world: World) -> None:
    """Nobody is left who could write: the third gets the file that the second had."""
    for epoch in range(1, 4):
        await world.run("ls -i /proc/self/fd/2 > /dev/null; ls -iL /proc/self/fd/2 > seen", epoch=epoch)
    seen = (world.directory / "seen").read_text().split()[0]
    await world.run("ls -iL /proc/self/fd/2 > seen", epoch=4)
    assert (world.directory / "seen").read_text().split()[0] == seen


async def test_a_daemon_that_hides_writes_into_no_later_output(world: World) -> None:
    """It left its session and its mark, so it lives on; what it prints is its own command's."""
    await world.run("true", epoch=1)
    daemon = ": > up; while [ ! -e go ]; do /bin/sleep 0.01; done; echo late; : > done"
    await world.run(f'env -i setsid sh -c "{daemon}" & while [ ! -e up ]; do sleep 0.01; done', epoch=2)
    seen = await world.run(": > go; while [ ! -e done ]; do sleep 0.01; done", epoch=3)
    assert (seen.output, (world.run_folder / "outputs" / "2.out").read_text()) == ("", "late\n")


async def test_a_follower_stops_where_the_file_became_another_commands(tmp_path: Path, outputs: Outputs) -> None:
    """What is in it then is the later command's and shown as that."""
    command(outputs, 1)
    second = outputs.open(2, FILES)
    ended: list[int] = []
    seen = []

    def is_over() -> bool:
        if not ended:
            ended.append(2)
            outputs.put_away(second, is_free=True)
            command(outputs, 3, b"three")
        return True

    async for chunk in follow(tmp_path / "outputs" / "2.out", is_over):
        seen.append(chunk)
    assert (seen, contents(tmp_path)["3.out"]) == ([], b"three")


@pytest.mark.parametrize(
    ("data", "bytes_max", "told"),
    [
        (b"abc", 10, ("abc", True)),
        (b"abcdef", 3, ("def", True)),
        ("aé".encode() * 2, 2, ("é", True)),
        ("aéb".encode(), 2, ("b", True)),
        ("a€b".encode(), 2, ("b", True)),
        ("a\N{OWL}b".encode(), 4, ("b", True)),
        (b"a\x80\x80\x80\x80b", 5, ("\ufffdb", False)),
        (b"a\xffb", 10, ("a\ufffdb", False)),
    ],
)
def test_the_end_of_a_file_begins_with_a_whole_character(
    outputs: Outputs, data: bytes, bytes_max: int, told: tuple[str, bool]
) -> None:
    """A character has three bytes at most behind its first; what is no text of the whole is marked."""
    (file,) = outputs.open(1, ("out",))
    os.write(file.descriptor, data)
    assert file.tail(bytes_max) == (*told, len(data))
    file.close(is_kept=True)
