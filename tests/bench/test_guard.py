"""What a step takes is counted, and a count that has risen is named."""

import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from bench import guard
from bench.guard import KEPT, Kept, main, read_strace, risen
from bench.place import Place, new_place

LISTING = """\
syscall               calls
---------------- ----------
openat                  302
fdatasync               120
---------------- ----------
total                   422
"""


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A place of the bench in a folder of the test."""
    with new_place(tmp_path) as made:
        yield made


def test_the_table_of_strace_is_read() -> None:
    """Its heading, its lines and its total are no calls."""
    assert read_strace(LISTING) == Counter({"openat": 302, "fdatasync": 120})


def test_a_count_that_has_risen_is_named() -> None:
    """One that fell is not, one that may vary only when it rose by more, and one that nobody has kept is."""
    before = {"step: calls": 40.0, "step: syncs": 1.0, "item, ten at once: calls": 30.0}
    now = {"step: calls": 41.0, "step: syncs": 0.0, "item, ten at once: calls": 34.0, "step: names": 1.0}
    assert risen(now, before) == ["step: calls", "step: names"]


def test_where_a_count_has_risen_the_guard_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same counts pass, and those of another machine are not compared."""
    kept = tmp_path / "guard.json"
    monkeypatch.setattr(shutil, "which", lambda name: name)
    monkeypatch.setattr(guard, "counted", lambda place: {"step: calls": 40.0})
    main(["--write"], kept=kept)
    main([], kept=kept)
    monkeypatch.setattr(guard, "counted", lambda place: {"step: calls": 41.0})
    with pytest.raises(SystemExit, match="RISEN: step: calls"):
        main([], kept=kept)
    monkeypatch.setattr(guard, "where", lambda: "elsewhere")
    main([], kept=kept)


def test_without_strace_nothing_is_counted(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """That is said, and nothing has failed."""
    monkeypatch.setattr(shutil, "which", lambda name: None)
    main([])
    assert capsys.readouterr().out == "NOT COUNTED: strace is not installed\n"


@pytest.mark.skipif(shutil.which("strace") is None, reason="it counts with strace")
def test_a_step_syncs_once(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is counted is what the steps take, not the start."""
    monkeypatch.setattr(guard, "MANY", 30)
    monkeypatch.setattr(guard, "_WORKFLOWS", {"step": guard._WORKFLOWS["step"]})
    counts = guard.counted(place)
    assert (round(counts["step: syncs"]), counts["step: calls"] > 10) == (1, True)


def test_what_is_kept_names_all_that_is_counted() -> None:
    """A count without its limit would be no guard."""
    kept = msgspec.json.decode(KEPT.read_bytes(), type=Kept)
    assert {name.partition(": ")[0] for name in kept.counts} == guard._WORKFLOWS.keys()
