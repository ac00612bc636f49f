"""A run that was killed before its first event: nothing was run, and nothing of it stays."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from prodigy.store.unbegun import YOUNG_S
from tests.end_to_end.house import House

SURVIVOR = "demo-survivor"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A project with a completed run."""
    built = House(tmp_path)
    built.workflow({"shell": "true"})
    assert built.cook().code == 0
    yield built
    built.close()


def left_behind(house: House, name: str, *, log: bytes | None = None, output: str = "", age_s: float = 0) -> Path:
    """Make the folder of a run as a cook leaves it that is killed so early; return it."""
    folder = house.state / "runs" / name
    for inner in ("values", "inbox", "outputs"):
        (folder / inner).mkdir(parents=True)
    (folder / "lock").touch()
    if log is not None:
        (folder / "events-1.jsonl").write_bytes(log)
    if output:
        (folder / "outputs" / "3.out").write_text(output)
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o700 if path.is_dir() else 0o600)
    os.utime(folder, (time.time() - age_s,) * 2)
    return folder


@pytest.mark.parametrize("log", [None, b"", b'{"seq":1,"type":"run_sta'], ids=["no log", "an empty one", "a torn one"])
def test_the_next_cook_removes_it_and_says_so(house: House, log: bytes | None) -> None:
    """In one sentence."""
    folder = left_behind(house, "demo-killed", log=log, age_s=2 * YOUNG_S)
    cooked = house.cook()
    sentence = "removed the empty folder of demo-killed: killed before anything was started\n"
    assert (0, True, False) == (cooked.code, sentence in cooked.err, folder.exists())


@pytest.mark.parametrize("log", [None, b"", b'{"seq":1,"type":"run_sta'], ids=["no log", "an empty one", "a torn one"])
def test_it_is_no_damage_to_whoever_looks(house: House, log: bytes | None) -> None:
    """Nor does a bare resume mean it; doctor has no error, and a command that removes it."""
    left_behind(house, "demo-killed", log=log)
    listed, resumed, found = (
        house.prodigy(*words) for words in (("checkpoints", "list"), ("resume",), ("doctor", "--json"))
    )
    assert ("demo-killed" in listed.out + listed.err, "demo-killed" in resumed.err) == (False, False)
    assert (0, True) == (found.code, "demo-killed was killed before anything was started" in found.out)
    assert 0 == house.prodigy("checkpoints", "clean", "--workflow-id", "demo-killed", "--purge", "--force").code
    assert "demo-killed" not in house.prodigy("doctor").out


def test_what_another_process_may_be_about_to_begin_is_left_alone(house: House) -> None:
    """A folder is made a moment before its lock is taken."""
    folder = left_behind(house, SURVIVOR)
    assert (0, True) == (house.cook().code, folder.exists())


def test_what_had_begun_is_left_alone(house: House) -> None:
    """It has an output, so its log was lost."""
    folder = left_behind(house, SURVIVOR, output="said", age_s=2 * YOUNG_S)
    assert (0, True) == (house.cook().code, folder.exists())
    assert 1 == house.prodigy("doctor").code


def test_a_run_whose_log_was_lost_is_left_alone(house: House) -> None:
    """Its checkpoint says that there was more."""
    run = house.run
    house.log().unlink()
    for output in (run / "outputs").iterdir():
        output.unlink()
    os.utime(run, (time.time() - 2 * YOUNG_S,) * 2)
    assert (0, True) == (house.cook().code, run.exists())
