"""The bugs that are planted: which there are, where they stand, and that planting one changes what is alive."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from tests.mutants.operators import bugs_of
from tests.mutants.planting import CannotPlantError, living_functions, plant

SOURCE = '''
LIMIT = 3

def kept(values, *, most=LIMIT):
    """Return some."""
    if not values or most < 1:
        return []
    return [value for value in sorted(values) if value][:most]
'''
BUGS = [
    "LIMIT = 4",
    "LIMIT = 2",
    "pass",
    "if (not values and most < 1):",
    "if (most < 1):",
    "if (not values):",
    "if values or most < 1:",
    "if not values or (most <= 1):",
    "if not values or most < 2:",
    "if not values or most < 0:",
    "return None",
    "return ([value for value in sorted(values)])[:most]",
    "return [value for value in list(values) if value][:most]",
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a file with the source."""
    path = tmp_path / "source.py"
    path.write_text(SOURCE)
    return path


def lived(file: Path) -> ModuleType:
    """Return the module that a file is, as an import makes it."""
    module = ModuleType("source")
    exec(compile(file.read_bytes(), str(file), "exec", dont_inherit=True), module.__dict__)
    return module


def test_every_bug_is_one_small_edit(file: Path) -> None:
    """Of a comparison, a choice, a guard, a number, a filter, a call, a result; not of words for people."""
    assert [bug.difference(file.read_bytes())[1] for bug in bugs_of(file)] == BUGS


def test_what_asserts_and_times_of_the_author_s_choice_are_no_bugs(tmp_path: Path) -> None:
    """Nobody could notice one."""
    path = tmp_path / "source.py"
    path.write_text("WAIT_S = 0.5\nREST_S_MAX = 1.5\n\ndef pairs(ones, others):\n    zip(ones, others, strict=True)\n")
    assert [bug.difference(path.read_bytes())[1] for bug in bugs_of(path)] == ["pass", "zip(others, ones, strict=True)"]


def test_a_bug_moves_no_line(file: Path) -> None:
    """So a failure in an edited file is shown where it is."""
    lines = {bug.planted(file.read_bytes()).count(b"\n") for bug in bugs_of(file)}
    assert lines == {SOURCE.count("\n")}


def test_whoever_holds_a_function_has_its_bug(file: Path) -> None:
    """The function itself takes the code of its edited twin."""
    kept: Callable[..., object] = lived(file).kept
    bug = next(bug for bug in bugs_of(file) if "(most <= 1)" in bug.wrong)
    assert kept([1, 2], most=1) == [1]
    plant(bug, living_functions(str(file.parent)))
    assert kept([1, 2], most=1) == []


def test_what_an_import_does_cannot_be_planted_afterwards(file: Path) -> None:
    """Such a bug needs a new process, and says so."""
    module = lived(file)
    bug = bugs_of(file)[0]
    assert bug.when_imported
    with pytest.raises(CannotPlantError):
        plant(bug, living_functions(str(file.parent)))
    assert module.kept([3], most=1) == [3]
