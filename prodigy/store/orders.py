"""What can be asked of a run: one union of plain orders, each with exactly what it uses.

An order to a run that rests is carried out by the command that gives it, which owns the run meanwhile. An order to a
live run is a file in its inbox, which the owner turns into a signal; some orders apply only to runs that rest.
"""

import re
from typing import Any

import msgspec


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


class _Order(msgspec.Struct, frozen=True, kw_only=True, tag=_snake):
    """`by` says who asks, for the log; `trusted` takes a run that this machine does not know."""


class Cook(_Order, frozen=True):
    """Begin a run of the workflow file at `path`. Without `synced` it survives a crash of prodigy, not a power loss.

    `claude_bin` is the program that stands for Claude Code, whatever the file says.
    """

    path: str
    parameters: dict[str, Any] = {}
    max_retries: int | None = None
    budget_usd: float | None = None
    synced: bool = True
    claude_bin: str = ""


class _GoesOn(_Order, frozen=True):
    """The limits replace those of the workflow until the next resume."""

    max_retries: int | None = None
    max_parallel: int | None = None
    trusted: bool = False


class _KeepsResults(_GoesOn, frozen=True):
    """`accepts_changes` lets the results of steps stand that were edited since."""

    accepts_changes: bool = False


class Resume(_KeepsResults, frozen=True):
    """Go on where the run stopped."""


class StartOver(_GoesOn, frozen=True):
    """Begin anew with today's file and the parameters of the first time."""


class GoBack(_KeepsResults, frozen=True, kw_only=True):
    """Go on from an earlier moment, or ahead: `at` is `v3`, a step or a stage."""

    at: str


class TakeCopy(_KeepsResults, frozen=True, kw_only=True):
    """Go on from a copy of the checkpoint, whatever is left of the log: `where` is `mirror`, or a file's path."""

    where: str


class Fork(_Order, frozen=True):
    """Make a run that shares the history of this one up to `at`: `v3`, an event's seq, a step or a stage."""

    at: str
    variables: dict[str, Any] = {}
    accepts_changes: bool = False
    trusted: bool = False


class Retry(_Order, frozen=True):
    """Put dead letters back: those with these keys, all without, of which only what the filter wants; and go on.

    `reduces` says whether what follows a map that had settled runs again on the whole result.
    """

    by: str
    keys: tuple[str, ...] = ()
    filter: str | None = None
    reduces: bool = True
    max_parallel: int | None = None
    trusted: bool = False


class Purge(_Order, frozen=True):
    """Give dead letters up for good, chosen as for `Retry`."""

    by: str
    keys: tuple[str, ...] = ()
    filter: str | None = None


class Clean(_Order, frozen=True):
    """Remove what is kept of a run but its log; with `purge` that too.

    `only_finished` leaves a run alone that has gone on since it was chosen.
    """

    by: str
    only_finished: bool = False
    purge: bool = False


class Stop(_Order, frozen=True):
    """Interrupt the run as Ctrl-C would."""

    by: str


class Raise(_Order, frozen=True):
    """Let the run cost so many US dollars more."""

    usd: float
    by: str


class Approve(_Order, frozen=True):
    """Say yes to the node at `at`, which awaits it, and go on."""

    at: str
    by: str


Order = Cook | Resume | StartOver | GoBack | TakeCopy | Fork | Retry | Purge | Clean | Stop | Raise | Approve
GoingOn = Resume | StartOver | GoBack | TakeCopy | Retry | Approve
