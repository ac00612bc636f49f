"""Which tests that start whole runs call a function? They are told by a survey, in a copy of the project.

What is told stays true enough when the program changes: it only decides which tests are asked.
"""

import ast
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.mutants.fresh import Fresh
from tests.mutants.operators import Bug

LEFT_OUT = "test_package.py"  # which builds packages


class Called(NamedTuple):
    """What running a test showed: whether it passed, how long it took, and the functions it called, by file."""

    passed: bool
    duration_s: float
    functions: dict[str, set[str]]


class WholeRuns:
    """The tests of `folder` that start whole runs, and what they call."""

    def __init__(self, root: Path, folder: Path, *, budget_s: float) -> None:
        self._root = root
        self._folder = folder
        self._budget_s = budget_s
        self._tests: dict[str, Called] = {}

    def survey(self, fresh: Fresh) -> None:
        """Run every test that has changed since the last survey."""
        kept = self._root / "build" / "mutants"
        files = [path for path in sorted(self._folder.glob("test_*.py")) if path.name != LEFT_OUT]
        places = {file: kept / f"whole-{file.stem}-{self._digest(file)}.json" for file in files}
        unknown = [file for file in files if not places[file].exists()]
        if unknown:
            notes = self._run(fresh, unknown)
            for file in unknown:
                name = f"{file.relative_to(self._root)}::"
                places[file].write_text(json.dumps([note for note in notes if note[0].startswith(name)]))
        for place in places.values():
            for test, passed, duration_s, calls in json.loads(place.read_text()):
                self._tests[test] = Called(passed, duration_s, _by_file(calls))

    def of(self, bug: Bug, path: str) -> list[str]:
        """Return the tests that call the function of a bug, as many as the budget allows.

        Those come first that call much of its file in a short time.
        """
        function = "" if bug.when_imported else _function_at(bug.path, bug.line)
        calling = {
            test: called
            for test, called in self._tests.items()
            if called.passed
            and (function in called.functions.get(path, ()) or (not function and path in called.functions))
        }
        ordered = sorted(calling, key=lambda test: calling[test].duration_s / len(calling[test].functions[path]))
        return list(self._affordable(ordered))

    def duration_s(self, tests: Sequence[str]) -> float:
        """Return how long these tests took in the survey."""
        return sum(self._tests[test].duration_s for test in tests)

    def _affordable(self, tests: Sequence[str]) -> Iterator[str]:
        spent_s = 0.0
        for test in tests:
            if spent_s < self._budget_s:
                yield test
            spent_s += self._tests[test].duration_s

    def _run(self, fresh: Fresh, files: Sequence[Path]) -> list[tuple[str, bool, float, list[str]]]:
        fresh.calls.mkdir()
        notes = fresh.calls.with_name("notes")
        os.environ |= {"MUTANTS_CALLS": str(fresh.calls), "MUTANTS_NOTES": str(notes)}
        fresh.run(["-p", "tests.mutants.noting", *(str(file.relative_to(self._root)) for file in files)])
        for path in fresh.calls.iterdir():
            path.unlink()
        fresh.calls.rmdir()  # from now on nothing is noted
        return [json.loads(line) for line in notes.read_text().splitlines()]

    def _digest(self, file: Path) -> str:
        house = (self._folder / "house.py").read_bytes()
        return hashlib.sha256(house + file.read_bytes()).hexdigest()[:20]


def _by_file(calls: Sequence[str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for call in calls:
        path, _, function = call.partition(":")
        found.setdefault(path, set()).add(function.partition(".<locals>")[0])
    return found


def _function_at(path: Path, line: int) -> str:
    """Return the name of the function or method that a line is in; of an inner one, of what it is in."""

    def look(body: Sequence[ast.stmt], above: str) -> str:
        for node in body:
            if isinstance(node, ast.ClassDef) and node.lineno <= line <= (node.end_lineno or 0):
                return look(node.body, f"{above}{node.name}.")
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.lineno <= line <= (
                node.end_lineno or 0
            ):
                return above + node.name
        return ""

    return look(ast.parse(path.read_bytes()).body, "")
