"""Damaged state: what is refused, what is mended and said, and whose state is trusted."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.end_to_end.house import House


def failed(house: House) -> None:
    """Cook a run that fails at its second step until `ready` exists; that file is there afterwards."""
    house.workflow({"shell": house.traced("one")}, {"shell": house.traced("two", "[ -e ready ]")})
    house.cook()
    house.write("ready", "")


def flip(path: Path, line: int) -> None:
    """Change one byte in the middle of a line, 1-based."""
    lines = path.read_bytes().splitlines(keepends=True)
    middle = len(lines[line - 1]) // 2
    lines[line - 1] = lines[line - 1][:middle] + b"\x7f" + lines[line - 1][middle + 1 :]
    path.write_bytes(b"".join(lines))


def test_a_damaged_log_is_refused_with_its_line(house: House) -> None:
    """Exit 7, nothing runs, nothing is mended, and the way out is named."""
    failed(house)
    flip(house.log(), 5)
    before = house.log().read_bytes()
    code, _, err = house.prodigy("resume")
    assert (7, ["one", "two"], before) == (code, house.trace, house.log().read_bytes())
    assert [True, True] == ["line 5" in err, "--force" in err], err


def test_force_goes_on_after_damage(house: House) -> None:
    """A new generation begins; the damaged log stays for whoever wants to look."""
    failed(house)
    flip(house.log(), 5)
    before = house.log().read_bytes()
    code = house.prodigy("resume", house.run_id, "--force").code
    assert (0, ["one", "two", "one", "two"], before) == (code, house.trace, house.log().read_bytes())


def test_verify_finds_the_damaged_line(house: House) -> None:
    """Exit 7."""
    failed(house)
    flip(house.log(), 5)
    code, _, err = house.prodigy("events", "verify")
    assert (7, True) == (code, "line 5" in err)


def test_a_log_that_lost_its_end_is_refused(house: House) -> None:
    """The checkpoint has seen more: a lost success must not be run again."""
    failed(house)
    lines = house.log().read_bytes().splitlines(keepends=True)
    house.log().write_bytes(b"".join(lines[:3]))
    code, _, err = house.prodigy("resume")
    assert (7, ["one", "two"], True) == (code, house.trace, "a checkpoint has seen" in err)


def test_a_log_that_is_gone_is_refused(house: House) -> None:
    """Never restarted from nothing."""
    failed(house)
    house.log().unlink()
    assert (7, ["one", "two"]) == (house.prodigy("resume", "demo").code, house.trace)


def test_force_goes_on_after_the_loss_of_the_log(house: House) -> None:
    """What the checkpoint knows is enough to start over; the lost log's number is not used again."""
    failed(house)
    house.log().unlink()
    code = house.prodigy("resume", house.run_id, "--force").code
    assert (0, ["one", "two", "one", "two"], [house.log(2)]) == (code, house.trace, list(house.run.glob("events-*")))


@pytest.mark.parametrize("written", [b"", b'{"seq":1,"time":"2026-01'], ids=["empty", "torn"])
def test_starting_over_that_was_killed_at_once_has_not_begun(house: House, written: bytes) -> None:
    """A new generation without a turn is no history: the one before it goes on."""
    failed(house)
    house.log(2).write_bytes(written)
    code, _, _ = house.prodigy("resume")
    assert (0, ["one", "two", "two"], "completed") == (code, house.trace, house.status)


def test_a_torn_tail_is_cut_reported_and_kept(house: House) -> None:
    """Half a record at the end is what a crash leaves; the run goes on behind the last good one."""
    failed(house)
    lines = house.log().read_bytes().splitlines(keepends=True)
    torn = b'{"seq":%d,"time":"2026-01-31T09:00:00.000000Z","type":"comma' % (len(lines) + 1)
    house.log().write_bytes(b"".join(lines) + torn)
    code, _, err = house.prodigy("resume")
    (kept,) = house.run.glob("events-1.jsonl.torn-*")
    assert (0, ["one", "two", "two"], torn) == (code, house.trace, kept.read_bytes())
    said = [word in err for word in (f"{len(torn)} bytes", f"offset {len(b''.join(lines))}", kept.name)]
    assert [True] * 3 == said, err


def replaced_by_a_link(path: Path) -> None:
    """Put a link to another file in the place of a checkpoint."""
    victim = path.parents[2] / "victim"
    victim.write_text("precious")
    path.unlink()
    path.symlink_to(victim)


def of_another_run(path: Path) -> None:
    """Say another run's id in it."""
    path.write_text(path.read_text().replace(path.stem, "other-abc234"))


HARMS: dict[str, Callable[[Path], object]] = {
    "deleted": lambda path: path.unlink(),
    "emptied": lambda path: path.write_bytes(b""),
    "garbage": lambda path: path.write_bytes(b"\x00\xff{]" * 100),
    "foreign": of_another_run,
    "a link": replaced_by_a_link,
}


@pytest.mark.parametrize("harm", HARMS)
def test_a_harmed_checkpoint_is_rebuilt_from_the_log_and_said(house: House, harm: str) -> None:
    """A checkpoint is a cache: what finished is not run again, and the file is whole afterwards."""
    failed(house)
    HARMS[harm](house.checkpoint_file)
    code, _, err = house.prodigy("resume")
    assert (0, ["one", "two", "two"], "completed") == (code, house.trace, house.status)
    assert "the checkpoint was rebuilt from the log" in err


def test_a_link_in_the_place_of_a_checkpoint_leads_nowhere(house: House) -> None:
    """Its target is as it was, and a file has taken its place."""
    failed(house)
    replaced_by_a_link(house.checkpoint_file)
    house.prodigy("resume")
    assert ("precious", False) == ((house.folder / "victim").read_text(), house.checkpoint_file.is_symlink())


@pytest.mark.parametrize("place", ["", "runs", "checkpoints"])
def test_a_link_in_the_place_of_a_folder_is_refused(house: House, place: str) -> None:
    """Exit 7 before anything runs; nothing is written where it leads."""
    victim = house.path / "victim"
    victim.mkdir()
    link = house.state / place
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(victim)
    house.workflow({"shell": house.traced("one")})
    code, _, err = house.cook()
    assert (7, [], []) == (code, list(victim.iterdir()), house.trace)
    assert "symlink" in err


def carried_off(house: House, tmp_path: Path) -> House:
    """Return another machine's house, into which this one's project was copied."""
    (tmp_path / "elsewhere").mkdir()
    other = House(tmp_path / "elsewhere")
    shutil.copytree(house.folder, other.folder, dirs_exist_ok=True)
    return other


def test_a_run_from_elsewhere_is_not_trusted(house: House, tmp_path: Path) -> None:
    """A log holds commands of whoever wrote it: exit 6, the folder is named, nothing runs."""
    failed(house)
    other = carried_off(house, tmp_path)
    before = other.snapshot()
    code, _, err = other.prodigy("resume")
    assert (6, ["one", "two"], before) == (code, other.trace, other.snapshot())
    assert [True, True] == ["--trust" in err, str(other.run) in err], err


def test_a_run_from_elsewhere_goes_on_when_it_is_trusted(house: House, tmp_path: Path) -> None:
    """And from then on this machine knows it."""
    failed(house)
    other = carried_off(house, tmp_path)
    (other.folder / "ready").unlink()
    trusted = other.prodigy("resume", "--trust").code
    other.write("ready", "")
    assert (1, 0) == (trusted, other.prodigy("resume").code)


@pytest.mark.parametrize("mask", ["0", "022", "077", "0377"])
def test_everything_kept_is_private(house: House, mask: str) -> None:
    """Folders 0700 and files 0600, whatever the umask; large values, outputs of a step that waits, prompts."""
    large = "x" * 200_000
    house.workflow(
        {"shell": "echo $(umask)", "capture_output": "mask"},
        {"shell": f"echo ${{mask}} {large} | wc -c; echo oops >&2", "capture_output": "length"},
        {"shell": "cat", "env": {"mask": "${mask|file}"}, "interpreter": "sh"},
    )
    assert 0 == house.shell(f"umask {mask}; exec prodigy cook demo.yaml").wait().code
    kept = [path for top in (house.state, house.path / "global") for path in [top, *top.rglob("*")]]
    modes = {(path.is_dir(), path.stat().st_mode & 0o777) for path in kept}
    assert {(True, 0o700), (False, 0o600)} == modes


def test_the_checkpoint_of_a_run_that_has_ended_is_made_current(house: House) -> None:
    """Its coordinator may have been killed between the last turn and the last checkpoint; the next resume writes it."""
    house.workflow({"shell": "true"})
    assert house.prodigy("cook", "demo.yaml").code == 0
    house.checkpoint_file.unlink()
    assert (house.prodigy("resume", "demo").code, house.status) == (0, "completed")
