"""What was measured: rows for people as a table, for programs as JSON."""

import os
import platform
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

import prodigy


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One number. `limit` is what was promised; `at_least` says that the promise is a minimum, not a maximum."""

    what: str
    value: float
    unit: str
    limit: float | None = None
    at_least: bool = False
    note: str = ""

    @property
    def verdict(self) -> str:
        """`yes` or `no` where there is a promise, else nothing."""
        if self.limit is None:
            return ""
        is_kept = self.value >= self.limit if self.at_least else self.value <= self.limit
        return "yes" if is_kept else "NO"


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


def table(rows: Sequence[Row]) -> str:
    """Return the rows as aligned columns."""
    headings = ("WHAT", "VALUE", "UNIT", "PROMISED", "KEPT", "NOTE")
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
    promised = "" if row.limit is None else f"{'≥' if row.at_least else '≤'} {row.limit:,g}"
    return row.what, _number(row.value), row.unit, promised, row.verdict, row.note


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
