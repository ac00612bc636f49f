"""Answers on stdout: tables for people, JSON for programs. A pipe gets no colour, no box and no cut."""

import sys
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from prodigy.runtime.terminal import visible

PIPE_COLUMNS = 10_000


def print_json(document: Any) -> None:
    """Print one JSON document, indented."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n")


def print_json_line(record: Any) -> None:
    """Print one JSON value as one line."""
    sys.stdout.write(msgspec.json.encode(record).decode() + "\n")


def print_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print aligned columns; on a terminal the last one wraps or is cut to fit, in a pipe nothing is."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="dim")
    for index, heading in enumerate(headings):
        is_last = index == len(headings) - 1
        table.add_column(heading, no_wrap=not is_last, overflow="ellipsis" if not is_last else "fold")
    for row in rows:
        table.add_row(*(Text(visible(cell)) for cell in row))
    console = Console(highlight=False) if sys.stdout.isatty() else Console(highlight=False, width=PIPE_COLUMNS)
    console.print(table)
