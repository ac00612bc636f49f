"""Which tests run a line? They are told by a survey: every test is run once, and what it calls is noted."""

import gc
import hashlib
import json
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from functools import _lru_cache_wrapper
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, NamedTuple

from tests.mutants.operators import Bug

Lines = dict[str, list[int]]
MARGIN_S = 0.02  # a test beside the code comes first unless it is this much slower


class Ran(NamedTuple):
    """What running a test showed: whether it passed, how long it took, and which lines it ran, by file."""

    passed: bool
    duration_s: float
    lines: Lines


class Noticing:
    """Notes the functions of some files that are called while it is entered; in every thread."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._called: dict[int, CodeType] = {}  # by identity: a code is slow to be hashed

    def __enter__(self) -> "Noticing":
        self._called = {}
        threading.settrace(self._notice)
        sys.settrace(self._notice)
        return self

    def __exit__(self, *error: object) -> None:
        sys.settrace(None)
        threading.settrace(None)

    def lines(self) -> Lines:
        """Return the lines of what was called since it was entered: functions are short."""
        found: dict[str, set[int]] = {}
        for code in self._called.values():
            if code.co_filename.startswith(self._root):
                lines = found.setdefault(code.co_filename.removeprefix(self._root), set())
                lines |= {line for _, _, line in code.co_lines() if line is not None}
        return {path: sorted(lines) for path, lines in found.items()}

    def _notice(self, frame: FrameType, kind: str, value: Any) -> None:
        self._called[id(frame.f_code)] = frame.f_code


class Nearest:
    """The tests of every line, and what they cost."""

    def __init__(self, survey: dict[str, Ran], *, budget_s: float) -> None:
        self._survey, self._budget_s = survey, budget_s
        self._tests: dict[str, dict[int, list[str]]] = {}
        self._caught: dict[tuple[str, str], int] = {}
        for test, ran in survey.items():
            for path, lines in ran.lines.items() if ran.passed else ():
                here = self._tests.setdefault(path, {})
                for line in lines:
                    here.setdefault(line, []).append(test)

    def of(self, bug: Bug, path: str) -> list[str]:
        """Return the tests that run the lines of a bug, most promising first, as many as the budget allows."""
        here, lines = self._tests.get(path, {}), range(bug.line, bug.line + bug.wrong.count("\n") + 1)
        tests = {test for line in lines for test in here.get(line, ())}
        ordered = sorted(tests, key=lambda test: (-self._caught.get((path, test), 0), self._cost(test, path), test))
        return list(self._affordable(ordered))

    def beside(self, path: str) -> list[str]:
        """Return the tests that run anything of a file or are named after it; of one with data only, its layer's."""
        passed = [test for test, ran in self._survey.items() if ran.passed]
        tests = {test for tests in self._tests.get(path, {}).values() for test in tests}
        tests = tests or {test for test in passed if _is_beside(test, path)}
        tests |= {test for test in passed if _is_namesake(test, path)}
        return list(self._affordable(sorted(tests, key=lambda test: (self._cost(test, path), test))))

    def caught(self, path: str, test: str) -> None:
        """Let a test that noticed a bug of a file be asked first about the next."""
        self._caught[path, test] = self._caught.get((path, test), 0) + 1

    def duration_s(self, test: str) -> float:
        """Return how long a test took in the survey, which is longer than it takes."""
        return self._survey[test].duration_s

    def _cost(self, test: str, path: str) -> tuple[bool, float]:
        """Return what is asked first: the tests that are named after a file, then the quick ones beside the code."""
        return not _is_namesake(test, path), self.duration_s(test) + (0 if _is_beside(test, path) else MARGIN_S)

    def _affordable(self, tests: Iterable[str]) -> Iterator[str]:
        spent = 0.0
        for test in tests:
            if spent < self._budget_s:
                yield test
            spent += self.duration_s(test)


def _is_namesake(test: str, path: str) -> bool:
    return f"/test_{Path(path).stem}.py" in test


def _is_beside(test: str, path: str) -> bool:
    return f"tests/{Path(path).parts[0]}/" in test


def forget_results() -> None:
    """Empty the caches of functions of the program, so that each test runs what it stands on."""
    for thing in gc.get_objects():
        if isinstance(thing, _lru_cache_wrapper) and thing.__module__.startswith("prodigy"):
            thing.cache_clear()


class Kept:
    """Surveys of former calls, of one test file each; one counts while neither it nor the program has changed."""

    def __init__(self, root: Path) -> None:
        self._root, self._folder = root, root / "build" / "mutants"
        others = (
            path
            for path in (root / "tests").rglob("*.py")
            if not path.name.startswith("test_") and path.parent.name != "mutants"
        )
        self._stands_on = self._digest(sorted([*(root / "prodigy").rglob("*.py"), *others]))

    def read(self, test_file: Path) -> dict[str, Ran] | None:
        """Return what is known of the tests of a file, by their ids."""
        try:
            known = json.loads(self._place(test_file).read_bytes())
        except FileNotFoundError:
            return None
        return {test: Ran(*ran) for test, ran in known.items()}

    def write(self, test_file: Path, survey: dict[str, Ran]) -> None:
        """Keep what a survey of a file showed."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._place(test_file).write_text(json.dumps(survey))

    def _place(self, test_file: Path) -> Path:
        digest = hashlib.sha256((self._stands_on + self._digest([test_file])).encode()).hexdigest()[:20]
        return self._folder / f"{test_file.stem}-{digest}.json"

    def _digest(self, paths: Iterable[Path]) -> str:
        whole = hashlib.sha256()
        for path in paths:
            whole.update(str(path.relative_to(self._root)).encode() + path.read_bytes())
        return whole.hexdigest()


def now_s() -> float:
    """Return a moment of a clock that never goes back."""
    return time.monotonic()
