"""What is left of a run whose log cannot be trusted: the numbers of its versions are never used again."""

from pathlib import Path

import pytest

from prodigy.errors import DamagedState
from prodigy.store.layout import Project, prepare_run
from prodigy.store.rescue import Way, is_file, last_version, origin_of, printed_by, usable_copy, ways_out
from tests.cli.made import Ending, House

RUN = "short-aaaaaa"


@pytest.mark.parametrize(
    ("logs", "last"),
    [
        ([[1, 2, 3], [4, 5], []], 5),
        ([[1, 2, 3], [], [4]], 4),
        ([[1, 2], [3, 4], [3]], 4),
        ([[]], 0),
    ],
    ids=["one that made none", "an older one", "one that reached further", "none"],
)
def test_the_versions_of_dropped_generations_are_used_up(tmp_path: Path, logs: list[list[int]], last: int) -> None:
    """Whichever the run goes on from, and where no copy of the checkpoint is left to tell."""
    project = Project(tmp_path)
    folder = prepare_run(project, "demo-aaaaaa")
    for generation, marked in enumerate(logs, start=1):
        lines = [f'{{"type":"checkpoint_marked","version":{version}}}\n' for version in marked]
        folder.events(generation).write_text("".join(lines))
    assert last == last_version(project, None, "demo-aaaaaa")


def test_a_torn_version_was_never_made(tmp_path: Path) -> None:
    """Its line has no end; what stands before it counts."""
    project = Project(tmp_path)
    folder = prepare_run(project, "demo-aaaaaa")
    folder.events(1).write_text('{"type":"checkpoint_marked","version":7}\n{"type":"checkpoint_marked","version":8')
    assert 7 == last_version(project, None, "demo-aaaaaa")


def test_a_line_that_was_cut_hides_no_version_behind_it(tmp_path: Path) -> None:
    """Whatever it was of."""
    project = Project(tmp_path)
    folder = prepare_run(project, "demo-aaaaaa")
    marks = ['{"type":"checkpoint_marked","version":7', '{"type":"x', '{"type":"checkpoint_marked","version":9}']
    folder.events(1).write_text("\n".join(marks) + "\n")
    assert 9 == last_version(project, None, "demo-aaaaaa")


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    """A project with a completed run, whose capture is too large for a checkpoint."""
    monkeypatch.setenv("PRODIGY_HOME", str(tmp_path / "global"))
    monkeypatch.chdir(tmp_path)
    built = House(tmp_path)
    built.make(RUN, ends=lambda spawn: Ending(output="x" * 20_000))
    return built


def offered(house: House) -> list[tuple[str, ...]]:
    return [way.options for way in ways_out(house.project, house.mirror, RUN)]


FROM_MIRROR = ("--from-checkpoint", "mirror")


def test_the_way_that_loses_least_comes_first(house: House) -> None:
    """Of equal copies the mirror; of others the one that has seen most; a version; last the beginning."""
    own = house.project.checkpoint(RUN)
    last = house.run(RUN).events(1).read_bytes().count(b"\n")
    assert ways_out(house.project, house.mirror, RUN) == [
        Way(FROM_MIRROR, f"go on from the mirror, which has seen event {last}"),
        Way(("--from-checkpoint", "v1"), "go back to v1, after commands[0]"),
        Way(("--force",), "start it over"),
    ]
    kept = house.mirror.checkpoint(RUN)
    kept.write_bytes(kept.read_bytes().replace(f'"last_seq":{last}'.encode(), b'"last_seq":4'))
    assert offered(house)[0] == ("--from-checkpoint", str(own))
    kept.unlink()
    assert offered(house)[0] == ("--from-checkpoint", str(own))
    own.unlink()
    assert offered(house) == [("--from-checkpoint", "v1"), ("--force",)]


def test_a_way_is_named_only_where_it_can_be_gone(house: House) -> None:
    """A copy whose values are nowhere is none; the mirror's values serve the run's own file too."""
    for value in house.run(RUN).values.iterdir():
        value.unlink()
    assert offered(house)[0] == FROM_MIRROR
    house.mirror.checkpoint(RUN).unlink()
    assert offered(house)[0][1].endswith(f"{RUN}.json")
    for value in house.mirror.values.iterdir():
        value.unlink()
    assert ("--from-checkpoint", str(house.project.checkpoint(RUN))) not in offered(house)
    assert offered(house)[-1] == ("--force",)


def test_nothing_is_left_where_neither_log_nor_copy_is(house: House) -> None:
    """Not even the beginning."""
    house.run(RUN).events(1).unlink()
    assert origin_of(house.project, house.mirror, RUN) is not None
    for path in (house.project.checkpoint(RUN), house.mirror.checkpoint(RUN)):
        path.unlink()
    assert offered(house) == []


def test_a_path_is_short_where_it_is_typed(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the project, and from its folders as far as it does not lead upwards."""
    house.mirror.checkpoint(RUN).unlink()
    monkeypatch.chdir(house.root)
    assert offered(house)[0] == ("--from-checkpoint", f".prodigy/checkpoints/{RUN}.json")
    (house.root / "below").mkdir()
    monkeypatch.chdir(house.root / "below")
    assert offered(house)[0] == ("--from-checkpoint", str(house.project.checkpoint(RUN)))
    monkeypatch.chdir(house.path)
    assert offered(house)[0] == ("--from-checkpoint", str(house.project.checkpoint(RUN)))


def test_a_copy_that_cannot_be_used_says_why(house: House) -> None:
    """It is missing, broken, or names what is not there."""
    path = house.mirror.checkpoint(RUN)
    with pytest.raises(DamagedState) as refused:
        usable_copy(path, RUN, house.path / "nowhere")
    assert refused.value.message.startswith(f"what {path} names cannot be read: the stored value ")
    path.write_text("{")
    with pytest.raises(DamagedState, match="is not a checkpoint of this prodigy"):
        usable_copy(path, RUN, house.mirror.values)
    path.unlink()
    with pytest.raises(DamagedState) as missing:
        usable_copy(path, RUN, house.mirror.values)
    assert missing.value.message == f"there is no {path}"


def test_which_step_printed_what_is_told_by_any_copy(house: House) -> None:
    """The mirror, or where there is none the run's own file."""
    printed = {f"outputs/{path.name}": "commands[0]" for path in house.run(RUN).outputs.iterdir()}
    assert printed_by(house.project, house.mirror, RUN) == printed
    assert printed_by(house.project, None, RUN) == printed
    house.mirror.checkpoint(RUN).unlink()
    assert printed_by(house.project, house.mirror, RUN) == printed
    house.project.checkpoint(RUN).unlink()
    assert printed_by(house.project, house.mirror, RUN) == {}


def test_a_file_of_a_checkpoint_is_told_from_a_step(house: House) -> None:
    """By its ending, and because it is there."""
    path = house.project.checkpoint(RUN)
    assert is_file(str(path))
    assert not is_file("nothing.json")
    assert not is_file(str(path.parent))
