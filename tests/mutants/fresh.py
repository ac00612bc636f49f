"""A bug in what a module does when it is imported is tried in a copy of the project, by a new process."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.mutants.operators import Bug
from tests.mutants.trial import Tried

LEFT_BEHIND = shutil.ignore_patterns(".venv", ".git", "build", "__pycache__", ".*_cache", ".hypothesis")
PATIENCE_S = 120.0


class Fresh:
    """A copy of the project while it is entered."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._place = Path(tempfile.mkdtemp(prefix="mutants-"))
        self._copy = self._place / "project"

    def __enter__(self) -> "Fresh":
        shutil.copytree(self._root, self._copy, ignore=LEFT_BEHIND)
        return self

    def __exit__(self, *error: object) -> None:
        shutil.rmtree(self._place, ignore_errors=True)

    def try_bug(self, bug: Bug, tests: Sequence[str]) -> Tried:
        """Run tests with a bug until one fails, or takes far longer than it should."""
        if not tests:
            return Tried("alive", "no test runs it")
        source = bug.path.read_bytes()
        place = self._copy / bug.path.relative_to(self._root)
        try:
            place.write_bytes(bug.planted(source))
            return self._tried(tests)
        finally:
            place.write_bytes(source)

    def _tried(self, tests: Sequence[str]) -> Tried:
        own = {"PYTHONPATH": str(self._copy), "PYTHONDONTWRITEBYTECODE": "1", "PRODIGY_HOME": str(self._place / "home")}
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
        try:
            ran = subprocess.run(
                command, cwd=self._copy, env=os.environ | own, capture_output=True, timeout=PATIENCE_S, check=False
            )
        except subprocess.TimeoutExpired:
            return Tried("caught", "without end")
        return Tried("caught", "in a new process") if ran.returncode else Tried("alive", "in a new process")
