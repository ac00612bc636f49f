"""What a check is given, what it finds, and the commands that mend it."""

import shlex
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Literal

import msgspec

from prodigy.cli.program import program
from prodigy.store.layout import Mirror, Project


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One difference between what should be and what is; `mend` is the command that mends it, `check` its kind."""

    check: str
    severity: Literal["wrong", "warning"]
    what: str
    mend: str


class Examined(msgspec.Struct, frozen=True, kw_only=True):
    """A project as every check is given it: with the runs that nobody owns, and the locks that could not be read."""

    project: Project
    mirror: Mirror | None
    ownerless: list[str]
    strange_locks: dict[str, Exception]


Check = Callable[[Examined], Iterator[Finding]]


def wrong(check: str, what: str, mend: str) -> Finding:
    """Return what has to be mended; it decides the exit code."""
    return Finding(check=check, severity="wrong", what=what, mend=mend)


def warning(check: str, what: str, mend: str) -> Finding:
    """Return what may be as somebody wants it."""
    return Finding(check=check, severity="warning", what=what, mend=mend)


def resume(workflow_id: str, *options: str) -> str:
    """Return the command that goes on with a run."""
    return " ".join([program(), "resume", workflow_id, *options])


def remove(paths: Iterable[Path]) -> str:
    """Return the command that removes files."""
    return f"rm {' '.join(map(quoted, paths))}"


def quoted(path: Path) -> str:
    """Return a path as a shell takes it."""
    return shlex.quote(str(path))
