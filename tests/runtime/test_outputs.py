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


def command(
    outputs: Outputs, epoch: int, said: bytes = b"", *, is_free: bool = True, keeps_empty: bool = False
) -> list[int]:
    """Let a command come and go, and return the numbers of its files."""
    files = outputs.open(epoch, FILES)
    outputs.make_ahead()
    numbers = [os.fstat(file.descriptor).st_ino for file in files]
    os.write(files[0].descriptor, said)
    outputs.put_away(files, is_free=is_free, keeps_empty=keeps_empty)
    return numbers


def contents(folder: Path) -> dict[str, bytes]:
    """Return what is in each file of the outputs."""
    return {path.name: path.read_bytes() for path in (folder / "outputs").iterdir()}


def test_files_that_stayed_empty_are_used_again(outputs: Outputs) -> None:
    """From the second command on nothing is made."""
    first, second, third = (command(outputs, epoch) for epoch in range(1, 4))
    assert first == second == third


def test_only_what_was_printed_has_a_file(tmp_path: Path, outputs: Outputs) -> None:
    """Whatever is written later, an earlier output stays as it was; of commands that printed nothing nothing stays."""
    for epoch, said in enumerate((b"", b"", b"three", b"", b"five", b"six", b""), start=1):
        command(outputs, epoch, said)
    outputs.close()
    outputs.__init__(tmp_path)  # type: ignore[misc]
    assert contents(tmp_path) == {"3.out": b"three", "5.out": b"five", "6.out": b"six"}


def test_a_file_that_somebody_will_look_for_stands_though_it_is_empty(tmp_path: Path, outputs: Outputs) -> None:
    """It is no other command's, and an empty stderr never stands."""
    numbers = [command(outputs, epoch, keeps_empty=True) for epoch in range(1, 4)]
    outputs.close()
    outputs.__init__(tmp_path)  # type: ignore[misc]
    assert contents(tmp_path) == {"1.out": b"", "2.out": b"", "3.out": b""}
    assert (len({out for out, _ in numbers}), len({err for _, err in numbers})) == (3, 1)


def test_files_that_somebody_may_have_open_are_not_used_again(outputs: Outputs) -> None:
    """A daemon would write into a later command's output."""
    numbers = [command(outputs, epoch, is_free=False)[0] for epoch in range(1, 4)]
    assert len(set(numbers)) == 3


@pytest.mark.parametrize("epochs", [1, 2, 3])
def test_what_is_appended_to_an_earlier_output_shows_in_no_other(tmp_path: Path, outputs: Outputs, epochs: int) -> None:
    """A later step may write to the file that it was told of, whether that still stands or not."""
    for epoch in range(1, epochs + 1):
        command(outputs, epoch, keeps_empty=epoch == 1)
        with (tmp_path / "outputs" / f"{epoch}.out").open("a") as file:
            file.write(f"mine {epoch}")
    last = outputs.open(9, FILES)
    assert [file.tail(100).text for file in last] == ["", ""]
    outputs.put_away(last, is_free=True)
    outputs.close()
    outputs.__init__(tmp_path)  # type: ignore[misc]
    assert contents(tmp_path) == {f"{epoch}.out": b"mine %d" % epoch for epoch in range(1, epochs + 1)}


def test_an_output_that_has_another_name_too_is_not_used_again(tmp_path: Path, outputs: Outputs) -> None:
    """Somebody keeps it."""
    command(outputs, 1)
    os.link(tmp_path / "outputs" / "1.out", tmp_path / "kept")
    command(outputs, 2, b"two")
    assert (tmp_path / "kept").read_bytes() == b""


def test_a_link_in_the_place_of_an_output_leads_nowhere(tmp_path: Path, outputs: Outputs) -> None:
    """Nor is one that has vanished missed."""
    for epoch, end in ((1, "linked"), (2, "vanished")):
        command(outputs, epoch)
        (tmp_path / "outputs" / f"{epoch}.out").unlink()
        if end == "linked":
            (tmp_path / "outputs" / "1.out").symlink_to(tmp_path / "elsewhere")
    command(outputs, 3, b"three")
    third = (tmp_path / "outputs" / "3.out").read_bytes()
    assert ((tmp_path / "elsewhere").exists(), third) == (False, b"three")


def test_where_commands_print_the_next_ones_file_is_made_ahead(tmp_path: Path, outputs: Outputs) -> None:
    """From the second on; it is each command's own."""
    command(outputs, 1, b"one")
    files = outputs.open(2, FILES)
    outputs.make_ahead()
    waiting = (tmp_path / "outputs" / ".next.out").stat().st_ino
    os.write(files[0].descriptor, b"two")
    outputs.put_away(files, is_free=True)
    assert waiting == command(outputs, 3, b"three")[0]
    outputs.close()
    outputs.__init__(tmp_path)  # type: ignore[misc]
    assert contents(tmp_path) == {"1.out": b"one", "2.out": b"two", "3.out": b"three"}


def test_a_name_that_is_taken_is_left_alone(tmp_path: Path, outputs: Outputs) -> None:
    """What an earlier generation left stays, and the file is used under the next name, be it spare or made ahead."""
    (tmp_path / "outputs" / "3.out").write_text("earlier")
    (tmp_path / "outputs" / "4.err").write_text("earlier")
    for epoch, said in enumerate((b"one", b"two", b"three", b"", b"five"), start=1):
        command(outputs, epoch, said)
    outputs.close()
    outputs.__init__(tmp_path)  # type: ignore[misc]
    assert contents(tmp_path) == {
        "1.out": b"one",
        "2.out": b"two",
        "3.out": b"earlier",
        "3-2.out": b"three",
        "4.err": b"earlier",
        "5.out": b"five",
    }


def test_a_disk_without_links_gets_new_files(tmp_path: Path, outputs: Outputs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that stayed empty are removed."""

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(errno.EMLINK, "Too many links")

    monkeypatch.setattr(os, "link", refuse)
    for epoch, said in enumerate((b"one", b"", b"three", b"four"), start=1):
        command(outputs, epoch, said)
    outputs.close()
    outputs.__init__(tmp_path)  # type: ignore[misc]
    assert contents(tmp_path) == {"1.out": b"one", "3.out": b"three", "4.out": b"four"}


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
    assert command(outputs, 3, b"three")
    assert contents(tmp_path)["3.out"] == b"three"


def test_a_file_that_a_crash_left_is_gone(tmp_path: Path, outputs: Outputs) -> None:
    """It was made for a command that never came."""
    (tmp_path / "outputs" / ".next.out").touch()
    Outputs(tmp_path).close()
    assert contents(tmp_path) == {}


def test_how_long_an_output_is_does_not_change_after_its_end(outputs: Outputs) -> None:
    """What it said, what is shown and what is kept are the same."""
    (file, _) = outputs.open(1, FILES)
    os.write(file.descriptor, b"said\n")
    file.note_end()
    os.write(file.descriptor, b"later\n")
    assert (file.size_bytes, file.tail(100).text, file.unseen(is_over=True)) == (5, "said\n", (0, b"said\n"))
    file.write("ours")
    assert file.size_bytes == 15


async def test_commands_that_print_nothing_share_files(world: World) -> None:
    """Nobody is left who could write: the third gets the file that the second had."""
    for epoch in range(1, 4):
        await world.run("ls -i /proc/self/fd/2 > /dev/null; ls -iL /proc/self/fd/2 > seen", epoch=epoch)
    seen = (world.directory / "seen").read_text().split()[0]
    await world.run("ls -iL /proc/self/fd/2 > seen", epoch=4)
    assert (world.directory / "seen").read_text().split()[0] == seen


async def test_a_command_that_printed_nothing_has_no_file(world: World) -> None:
    """Unless somebody will look for it: the workflow, we for the items of a map, a person where it failed."""
    more: list[dict[str, Any]] = [{}, {"keeps_file": True}, {"printed_bytes_max": 100}, {"script": "exit 3"}, {}]
    for epoch, fields in enumerate(more, start=1):
        assert (await world.run(**({"script": "true"} | fields), epoch=epoch)).output_file == f"outputs/{epoch}.out"
    await world.processes.close()
    assert world.outputs() == ["2.out", "3.out", "4.out"]


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
