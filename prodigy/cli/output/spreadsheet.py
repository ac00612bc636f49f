"""CSV for spreadsheets: one writer for all commands."""

import csv
from collections.abc import Iterable, Sequence
from typing import Any

from prodigy.cli.output import outlet
from prodigy.cli.output.streams import check_reader
from prodigy.plan.reference import as_text

# What makes a cell a formula in a spreadsheet, the wide forms in some languages; what steps print must never be one.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


class _Lines:
    """A file as the writer of CSV wants one."""

    def write(self, line: str) -> None:
        check_reader()
        outlet.export(line)


def print_csv(headings: Sequence[str], rows: Iterable[Iterable[Any]]) -> None:
    """Print a table as CSV: numbers as they are, and a ' before a text that a spreadsheet would take for a formula."""
    table = csv.writer(_Lines(), lineterminator="\n")
    table.writerow(headings)
    table.writerows([cell(value) for value in row] for row in rows)


def cell(value: Any) -> str:
    """Return a value as the cell of a spreadsheet."""
    text = as_text(value)
    return f"'{text}" if isinstance(value, str) and value.startswith(_FORMULA) else text
