"""The versions of a run that there are, each with the command that goes on after it."""

from typing import Any, NamedTuple

import msgspec

from prodigy.cli.output.columns import blocks, columns_of_terminal, folded, table
from prodigy.cli.output.times import clock
from prodigy.cli.program import program
from prodigy.errors import DamagedState
from prodigy.plan.spelling import as_number
from prodigy.projections.versions import Version, versions
from prodigy.store.history import lineage
from prodigy.store.layout import RunFolder

NO_VERSIONS_YET = "no versions yet: the first step that ends makes one"


class Made(NamedTuple):
    """A version that was made; one that `is_left` is no part of the run's present history, but can be gone back to."""

    version: Version
    workflow_id: str
    is_left: bool

    @property
    def command(self) -> str:
        """What to type to go on after it."""
        return f"{program()} resume {self.workflow_id} --from-checkpoint v{self.version.version}"

    def document(self) -> dict[str, Any]:
        """Return it as `--json` shows it."""
        fields: dict[str, Any] = msgspec.to_builtins(self.version, enc_hook=as_number)
        return fields | {"is_left": self.is_left, "resume": self.command}


def versions_of(folder: RunFolder) -> tuple[list[Made], list[str]]:
    """Return the versions of a run, newest first, of all its generations; and what could not be read, in words."""
    found: dict[int, Made] = {}
    problems = []
    generations = folder.generations()
    for generation in reversed(generations):
        try:
            for version in versions(lineage(folder, generation).logged_events()):
                made = Made(version, folder.path.name, generation != generations[-1])
                found.setdefault(version.version, made)
        except DamagedState as problem:
            problems.append(f"versions of generation {generation} may be missing: {problem.message}")
    return [found[number] for number in sorted(found, reverse=True)], problems


def fault(status: str) -> str:
    """Return what to call the reason why a run rests: a question that waits for an answer is no failure."""
    return {"paused": "waits", "cancelled": "refused"}.get(status, "failure")


def version_lines(made: list[Made], *, unmade: str) -> list[str]:
    """Return versions as lines, each with the command that goes on after it: beside it where that fits, else below.

    Args:
        unmade: what to say where there are none.
    """
    if not made:
        return folded(unmade, columns_of_terminal())
    columns = columns_of_terminal()
    headings = ("VERSION", "AFTER", "OUTCOME", "MADE", "GO ON AFTER IT WITH")
    rows = [_version_row(version) for version in made]
    lines = table(headings, rows, columns=None)
    if columns is None or max(map(len, lines)) <= columns:
        return lines
    above = blocks(headings[:-1], [row[:-1] for row in rows], columns=columns, cut="AFTER")
    below = [f"         {row[-1]}" for row in rows]
    return [*above[0], *(line for block, last in zip(above[1:], below, strict=True) for line in (*block, last))]


def _version_row(made: Made) -> tuple[str, str, str, str, str]:
    version = made.version
    name = f"{version.at} ({version.label})" if version.label not in ("", version.at) else version.at
    if made.is_left:
        name += f", left behind in generation {version.generation}"
    return f"v{version.version}", name, version.outcome, clock(version.time), made.command
