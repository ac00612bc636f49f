"""A plugin for pytest in a copy of the project: notes for every test which functions its processes called."""

import json
import os
from importlib import import_module
from pathlib import Path

import pytest

CALLS = Path(os.environ["MUTANTS_CALLS"])
NOTES = Path(os.environ["MUTANTS_NOTES"])
NOTICED = import_module("noticed")

_failed: set[str] = set()
_durations_s: dict[str, float] = {}


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Begin a test with nothing noted."""
    NOTICED.seen.clear()
    for path in CALLS.iterdir():
        if path.name == str(os.getpid()):
            os.truncate(path, 0)
        else:
            path.unlink()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Add what was noted of a test when it is over."""
    test = report.nodeid
    _durations_s[test] = _durations_s.get(test, 0.0) + report.duration
    if report.failed:
        _failed.add(test)
    if report.when == "teardown":
        calls = {call for path in CALLS.iterdir() for call in path.read_text().splitlines()}
        with NOTES.open("a") as notes:
            print(json.dumps([test, test not in _failed, _durations_s[test], sorted(calls)]), file=notes)
