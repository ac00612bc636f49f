"""Tests are tried in a fork of a process that has imported everything: with a bug, or to see which lines they run."""

import os
import pickle
import select
import shutil
import signal
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple

import pytest

from tests.mutants.nearest import Noticing, Ran, forget_results, now_s
from tests.mutants.operators import Bug
from tests.mutants.planting import CannotPlantError, Living, plant

PATIENCE_S = 10.0  # beyond five times of what a test took
Verdict = Literal["caught", "alive", "unplanted"]


class Tried(NamedTuple):
    """What became of a bug, and the test that caught it."""

    verdict: Verdict
    by: str = ""


class Failures:
    """A plugin that knows whether a test has failed."""

    def __init__(self) -> None:
        self.count = 0

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count it."""
        self.count += report.failed


class Trials:
    """Runs tests of a session that was collected, in forks."""

    def __init__(self, session: pytest.Session, root: str) -> None:
        self._items = {item.nodeid: item for item in session.items}
        self._root = root
        self._failures = Failures()
        self.durations_s: dict[str, float] = {}
        session.config.pluginmanager.register(self._failures)

    def survey(self, tests: Sequence[str]) -> dict[str, Ran]:
        """Return what running each of these tests shows; one after which the process ended is missing."""

        def work(tell: Callable[[Any], None]) -> None:
            noticing = Noticing(self._root)
            for test in tests:
                forget_results()
                began = now_s()
                with noticing:
                    passed = self._passes(test)
                tell((test, Ran(passed, now_s() - began, noticing.lines())))

        return dict(self._forked(work, lambda _: 300.0)[0])

    def try_bug(self, bug: Bug, tests: Sequence[str], living: Living) -> Tried:
        """Run tests with a bug until one fails, or takes far longer than it should."""
        if not tests:
            return Tried("alive", "no test runs it")

        def work(tell: Callable[[Any], None]) -> None:
            try:
                plant(bug, living)
            except CannotPlantError:
                return tell(Tried("unplanted"))
            for test in tests:
                tell(test)
                if not self._passes(test):
                    return tell(Tried("caught", test))
            return tell(Tried("alive"))

        def patience_s(last: Any) -> float:
            return PATIENCE_S + (5 * self.durations_s.get(last, 0) if isinstance(last, str) else 0)

        told, ended = self._forked(work, patience_s)
        last = told[-1] if told else ""
        if isinstance(last, Tried):
            return last
        return Tried("caught", f"{last} ({'the process ended' if ended else 'without end'})")

    def _passes(self, test: str) -> bool:
        item, before = self._items[test], self._failures.count
        item.ihook.pytest_runtest_protocol(item=item, nextitem=None)
        return self._failures.count == before

    def _forked(self, work: Callable[[Callable[[Any], None]], None], patience_s: Any) -> tuple[list[Any], bool]:
        """Return what the work told in a process of its own, and whether it came to an end by itself."""
        place = tempfile.mkdtemp(prefix="mutants-")
        reading, writing = os.pipe()
        pid = os.fork()
        if not pid:
            os.close(reading)
            _work_apart(work, os.fdopen(writing, "wb"), place)
        os.close(writing)
        with os.fdopen(reading, "rb", buffering=0) as source:
            told, ended = _heard(source, patience_s)
        for end in (os.killpg, os.kill):
            with suppress(ProcessLookupError):
                end(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        shutil.rmtree(place, ignore_errors=True)
        return told, ended


def _work_apart(work: Callable[[Callable[[Any], None]], None], out: IO[bytes], place: str) -> None:
    def tell(what: Any) -> None:
        data = pickle.dumps(what)
        out.write(len(data).to_bytes(4, "big") + data)
        out.flush()

    try:
        os.setsid()
        (Path(place) / "home").mkdir()
        os.environ |= {"PYTEST_DEBUG_TEMPROOT": place, "TMPDIR": place, "PRODIGY_HOME": f"{place}/home"}
        tempfile.tempdir = None
        work(tell)
    finally:
        os._exit(0)


def _heard(source: Any, patience_s: Callable[[Any], float]) -> tuple[list[Any], bool]:
    told, rest = list[Any](), b""
    while True:
        if not select.select([source], [], [], patience_s(told[-1] if told else None))[0]:
            return told, False
        if not (data := source.read(1 << 20)):
            return told, True
        rest += data
        while len(rest) >= 4 and len(rest) >= 4 + (size := int.from_bytes(rest[:4], "big")):
            told.append(pickle.loads(rest[4 : 4 + size]))
            rest = rest[4 + size :]
