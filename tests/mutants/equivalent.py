"""Bugs that are none: each of them in a file of text, with the reason."""

from pathlib import Path

from tests.mutants.operators import Bug


class Equivalents:
    """Reads lines of four: a file of the program and a reason, `- ` and what it says, `+ ` and what it would say."""

    def __init__(self, path: Path) -> None:
        self._reasons: dict[tuple[str, str, str], str] = {}
        for entry in path.read_text().split("\n\n"):
            lines = [line for line in entry.splitlines() if line and not line.startswith("#")]
            if lines:
                where, right, wrong = lines
                file, _, reason = where.partition(": ")
                self._reasons[file, right.removeprefix("- "), wrong.removeprefix("+ ")] = reason

    def reason(self, bug: Bug) -> str:
        """Return why no test could notice a bug, or nothing."""
        right, wrong = bug.difference(bug.path.read_bytes())
        key = ("/".join(bug.path.parts[bug.path.parts.index("prodigy") :]), right, wrong)
        return self._reasons.get(key, "")
