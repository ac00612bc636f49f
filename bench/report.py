"""What was measured: rows for people as a table, for programs as JSON."""

import os
import platform
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

import prodigy

LOAD_MAX = 1.0  # above it somebody else is at work
REST_S_MAX = 120.0
LOOK_EVERY_S = 5


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One number. `limit` is what must be, `aim` what should be; with `at_least` both are minima, not maxima.

    `load` is the machine's load average when the number was taken.
    """

    what: str
    value: float
    unit: str
    limit: float | None = None
    aim: float | None = None
    at_least: bool = False
    note: str = ""
    load: float = msgspec.field(default_factory=lambda: load_average())

    @property
    def verdict(self) -> str:
        """`aim`, `yes` or `NO` where there is a promise, else nothing."""
        if self.aim is not None and self._reaches(self.aim):
            return "aim"
        if self.limit is None:
            return ""
        return "yes" if self._reaches(self.limit) else "NO"

    def _reaches(self, bound: float) -> bool:
        return self.value >= bound if self.at_least else self.value <= bound


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """One run of the bench. `load` is the machine's load average before it and after it."""

    started: str
    prodigy: str
    python: str
    machine: str
    cpus: int
    load: tuple[float, float]
    quick: bool
    rows: list[Row]


def report(rows: Iterable[Row], *, load_before: float, quick: bool) -> Report:
    """Return the rows with what must be known to read them."""
    return Report(
        started=datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%SZ"),
        prodigy=prodigy.__version__,
        python=platform.python_version(),
        machine=f"{sys.platform} {platform.machine()}",
        cpus=os.cpu_count() or 1,
        load=(load_before, load_average()),
        quick=quick,
        rows=list(rows),
    )


def load_average() -> float:
    """Return how many processes wanted a processor during the last minute."""
    return round(os.getloadavg()[0], 2)


def wait_for_rest(
    *,
    seconds: float = REST_S_MAX,
    load: Callable[[], float] = load_average,
    sleep: Callable[[float], None] = time.sleep,
) -> str:
    """Wait until the machine is at rest, not for ever, and return a sentence about what was found."""
    first = load()
    for waited in range(0, int(seconds), LOOK_EVERY_S):
        if load() < LOAD_MAX:
            return f"the machine is at rest: load {load():.2f}, after {waited} s"
        sleep(LOOK_EVERY_S)
    return (
        f"NOT AT REST: load {load():.2f} after {seconds:g} s, {first:.2f} before; what is measured is worse than it is"
    )


def table(rows: Sequence[Row]) -> str:
    """Return the rows as aligned columns."""
    headings = ("WHAT", "VALUE", "UNIT", "MUST", "AIM", "KEPT", "LOAD", "NOTE")
    cells = [headings, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(headings))]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in cells)


def write(folder: Path, finished: Report) -> Path:
    """Write the report as JSON into `folder` and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{finished.started}.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(finished), indent=2) + b"\n")
    return path


def _cells(row: Row) -> tuple[str, ...]:
    if not row.unit:  # what was not measured
        return row.what, "", "", "", "", "", "", row.note
    must, aim = (_bound(row, bound) for bound in (row.limit, row.aim))
    return row.what, _number(row.value), row.unit, must, aim, row.verdict, f"{row.load:.2f}", row.note


def _bound(row: Row, bound: float | None) -> str:
    return "" if bound is None else f"{'≥' if row.at_least else '≤'} {bound:,g}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
