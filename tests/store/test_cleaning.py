"""Cleaning: first the log says so, then everything goes; and never anything but what is the run's."""

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from prodigy.errors import DamagedState, RunNotFound, StorageFailure
from prodigy.kernel.events import RunCleaned
from prodigy.runtime.orders import upkeep
from prodigy.store.catalog import cleaning_of, workflow_ids
from prodigy.store.cleaning import clean_values, weigh, weigh_values
from prodigy.store.lock import RunLock
from prodigy.store.log import Scan, read_chunks
from prodigy.store.orders import Clean
from tests.cli.made import STAGED, Ending, House, at, changed

ORDER = Clean(by="a test")
NOW = at(5000)
RUN = "done-aaaaaa"
LARGE = "x" * 20_000


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """A project with one completed run, whose output is large."""
    monkeypatch.setenv("PRODIGY_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(upkeep, "now", lambda: NOW)
    built = House(tmp_path)
    built.make(RUN, ends=lambda spawn: Ending(output=LARGE))
    yield built


def clean(house: House, workflow_id: str, order: Clean, *, is_mirrored: bool = True) -> int | None:
    """Clean a run; there is nothing else to say about it."""
    mirror = house.mirror if is_mirrored else None
    return upkeep.clean(house.project, mirror, workflow_id, order, pytest.fail)


def size_of(house: House) -> int:
    """Return the bytes of all files of the run and of both copies of its checkpoint, but for log and lock."""
    files = [path for path in house.run(RUN).path.rglob("*") if path.is_file()]
    files = [path for path in files if path.name not in ("lock", "events-1.jsonl")]
    return sum(path.stat().st_size for path in [*files, house.project.checkpoint(RUN), house.mirror.checkpoint(RUN)])


def mirrored(house: House) -> set[str]:
    return {path.name for path in house.mirror.values.iterdir()}


def test_the_log_ends_with_what_was_done(house: House) -> None:
    """By whom, when, and how much there was."""
    size = clean(house, RUN, ORDER)
    assert size is not None
    *_, last = Scan(read_chunks(house.run(RUN).events(1)))
    event = msgspec.json.decode(last.line, type=RunCleaned)
    assert (last.time, event) == (NOW, RunCleaned(by="a test", size_bytes=size))


def test_it_weighs_what_it_frees(house: House) -> None:
    """Every file of the run, but not its log."""
    size = size_of(house)
    assert weigh(house.project, house.mirror, RUN, purge=False) == size
    assert clean(house, RUN, ORDER) == size
    assert weigh(house.project, house.mirror, RUN, purge=False) == 0


def test_what_a_fork_shares_is_not_freed(house: House) -> None:
    """A file with a second name takes its room still."""
    output = next(house.run(RUN).outputs.iterdir())
    before = weigh(house.project, house.mirror, RUN, purge=False)
    os.link(output, house.path / "shared")
    assert weigh(house.project, house.mirror, RUN, purge=False) == before - len(LARGE)


def test_a_cleaner_that_is_killed_has_cleaned(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run is known as cleaned from its event on; cleaning it once more removes what was left."""

    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as dying:
        dying.setattr(upkeep, "remove", die)
        with pytest.raises(KeyboardInterrupt):
            clean(house, RUN, ORDER)
    assert (cleaning_of(house.project, RUN), workflow_ids(house.project), size_of(house) > 0) == (NOW, [], True)
    left = size_of(house)
    assert (clean(house, RUN, ORDER), weigh(house.project, house.mirror, RUN, purge=False)) == (
        left,
        0,
    )


def test_it_is_said_once(house: House) -> None:
    """Cleaning a run again adds nothing to its log."""
    clean(house, RUN, ORDER)
    log = house.run(RUN).events(1).read_bytes()
    assert clean(house, RUN, ORDER) == 0
    assert house.run(RUN).events(1).read_bytes() == log


def test_a_live_run_is_left_alone(house: House) -> None:
    """Its owner has the lock."""
    with RunLock.acquire(house.run(RUN).lock, command="resume"):
        before = house.disk()
        with pytest.raises(RunNotFound):
            clean(house, RUN, ORDER)
        assert house.disk() == before


def test_a_run_that_has_gone_on_is_left_alone(house: House) -> None:
    """Between its choice and its cleaning it was resumed."""
    house.make("killed-bbbbbb", STAGED, until=10)
    size = weigh(house.project, house.mirror, "killed-bbbbbb", purge=False)
    assert clean(house, "killed-bbbbbb", replace(ORDER, only_finished=True)) is None
    assert weigh(house.project, house.mirror, "killed-bbbbbb", purge=False) == size


def test_a_damaged_log_is_not_written_to(house: House) -> None:
    """Nothing goes before the log can say so; the hint has the way."""
    changed(house.run(RUN).events(1), '"number":1', '"number":7')
    size = size_of(house)
    with pytest.raises(DamagedState) as refused:
        clean(house, RUN, ORDER)
    assert f"`prodigy checkpoints clean --workflow-id {RUN} --purge`" in str(refused.value.hint)
    assert size_of(house) == size


def test_a_purge_takes_a_damaged_log_with_it(house: House) -> None:
    """Nothing is left, in the global folder neither."""
    changed(house.run(RUN).events(1), '"number":1', '"number":7')
    clean(house, RUN, replace(ORDER, purge=True))
    clean_values(house.project, house.mirror)
    assert [name for name in house.disk() if RUN in name] == []
    assert mirrored(house) == set()


# The values of the mirror ---------------------------------------------------------------------------------


def test_values_that_another_run_needs_stay(house: House) -> None:
    """They go with the last run that names them."""
    house.make("other-bbbbbb", ends=lambda spawn: Ending(output=LARGE))
    stored = mirrored(house)
    clean(house, RUN, ORDER)
    assert (clean_values(house.project, house.mirror), mirrored(house)) == (0, stored)
    clean(house, "other-bbbbbb", ORDER)
    assert (clean_values(house.project, house.mirror) > len(LARGE), mirrored(house)) == (True, set())


def test_values_are_weighed_as_if_the_runs_were_gone(house: House) -> None:
    """Nothing is removed by that."""
    stored = sum(path.stat().st_size for path in house.mirror.values.iterdir())
    weighed = [weigh_values(house.project, house.mirror, gone) for gone in ([RUN], [])]
    assert (weighed, len(mirrored(house))) == ([stored, 0], 2)


def test_values_stay_while_a_run_is_live(house: House) -> None:
    """It may be about to name one of them."""
    house.make("live-bbbbbb", STAGED, until=10)
    house.mirror.checkpoint("live-bbbbbb").unlink()
    clean(house, RUN, ORDER)
    stored = mirrored(house)
    with RunLock.acquire(house.run("live-bbbbbb").lock, command="cook"):
        assert (clean_values(house.project, house.mirror), mirrored(house)) == (0, stored)


def test_values_stay_where_a_checkpoint_cannot_be_read(house: House) -> None:
    """What it names is not known."""
    house.make("other-bbbbbb", STAGED)
    house.mirror.checkpoint("other-bbbbbb").write_text("{")
    clean(house, RUN, ORDER)
    stored = mirrored(house)
    assert (clean_values(house.project, house.mirror), mirrored(house)) == (0, stored)


def test_without_a_mirror_there_are_none(house: House) -> None:
    """The run is cleaned where it is."""
    size = weigh(house.project, None, RUN, purge=False)
    assert (clean(house, RUN, ORDER, is_mirrored=False), weigh_values(house.project, None, [RUN])) == (size, 0)
    assert clean_values(house.project, None) == 0


# Never through a link -------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["", "runs", f"runs/{RUN}", "checkpoints"])
def test_a_link_on_the_way_is_refused(place: str, house: House) -> None:
    """What it leads to stays as it is."""
    path, victim = house.project.state / place, house.path / "victim"
    os.rename(path, victim)
    path.symlink_to(victim)
    before = {name: seen for name, seen in house.disk().items() if "victim" in name and "events-1" not in name}
    with pytest.raises(DamagedState):
        clean(house, RUN, ORDER)
    assert {name: seen for name, seen in house.disk().items() if name in before} == before


@pytest.mark.parametrize("name", ["outputs", "values", "inbox", "stray"])
@pytest.mark.parametrize("purge", [False, True])
def test_a_link_in_the_folder_goes_and_not_what_it_leads_to(name: str, purge: bool, house: House) -> None:
    """Of a link only the link is removed."""
    victim, link = house.path / "victim", house.run(RUN).path / name
    victim.mkdir()
    (victim / "mine").write_text("mine")
    if link.exists():
        os.rename(link, house.path / "aside")
    link.symlink_to(victim)
    (house.run(RUN).path / "outer").mkdir()
    (house.run(RUN).path / "outer" / "inner").symlink_to(victim)
    clean(house, RUN, replace(ORDER, purge=purge))
    assert ((victim / "mine").read_text(), link.is_symlink()) == ("mine", False)


def test_a_checkpoint_that_is_a_link_goes_and_not_what_it_leads_to(house: House) -> None:
    """Of both copies."""
    victim = house.path / "victim"
    victim.write_text("mine")
    for path in (house.project.checkpoint(RUN), house.mirror.checkpoint(RUN)):
        path.unlink()
        path.symlink_to(victim)
    clean(house, RUN, ORDER)
    assert (victim.read_text(), house.project.checkpoint(RUN).is_symlink()) == ("mine", False)


def test_what_cannot_be_removed_is_named(house: House) -> None:
    """A folder in the place of the checkpoint; cleaning goes on when it is gone."""
    path = house.project.checkpoint(RUN)
    path.unlink()
    path.mkdir()
    with pytest.raises(StorageFailure, match=str(path)):
        clean(house, RUN, ORDER)
    path.rmdir()
    clean(house, RUN, ORDER)
    assert sorted(os.listdir(house.run(RUN).path)) == ["events-1.jsonl", "lock"]


def test_a_link_in_a_run_s_folder_weighs_nothing(house: House) -> None:
    """Removing it frees nothing of what it leads to."""
    before = weigh(house.project, house.mirror, RUN, purge=False)
    (house.path / "large").write_text(LARGE)
    (house.run(RUN).path / "link").symlink_to(house.path / "large")
    assert weigh(house.project, house.mirror, RUN, purge=False) == before
