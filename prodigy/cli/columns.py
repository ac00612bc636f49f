"""Aligned columns without a library: a table of a thousand rows costs milliseconds, on a terminal and in a pipe."""

import os
import shutil
import sys
from collections.abc import Iterable, Sequence

from prodigy.cli.output import cells
from prodigy.runtime.terminal import visible

GAP = "  "
CUT_CHARS_MIN = 12  # so much of the column that gives way is always shown


def columns_of_terminal() -> int | None:
    """Return how wide the terminal is that stdout goes to, as COLUMNS or the terminal says; None in a pipe."""
    try:
        is_terminal = os.isatty(sys.stdout.fileno())
    except (OSError, ValueError):
        return None
    return shutil.get_terminal_size().columns if is_terminal else None


def table(
    headings: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    columns: int | None,
    spare: Sequence[str] = (),
    cut: str = "",
) -> list[str]:
    """Return the lines of a table, its headings first.

    Args:
        rows: their cells are data of unknown origin, and are made safe to show.
        columns: how many characters fit; None for all there are.
        spare: the headings of columns that are left out, in this order, until the rest fits.
        cut: the heading of the column that then gives way, cut with an ellipsis.
    """
    texts = [list(headings), *([visible(cell) for cell in row] for row in rows)]
    sizes = [max(map(cells, column)) for column in zip(*texts, strict=True)]
    shown = list(range(len(headings)))
    for heading in spare:
        if columns is not None and _total(sizes, shown) > columns:
            shown.remove(headings.index(heading))
    if cut and columns is not None and (excess := _total(sizes, shown) - columns) > 0:
        place = headings.index(cut)
        sizes[place] = max(min(sizes[place], CUT_CHARS_MIN), sizes[place] - excess)
    return [GAP.join(_fitted(row[place], sizes[place]) for place in shown).rstrip() for row in texts]


def _total(sizes: Sequence[int], shown: Sequence[int]) -> int:
    return sum(sizes[place] for place in shown) + len(GAP) * (len(shown) - 1)


def _fitted(text: str, size: int) -> str:
    taken = cells(text)
    if taken <= size:
        return text + " " * (size - taken)
    while cells(text) > size - 1:
        text = text[:-1]
    return text + "…" + " " * (size - 1 - cells(text))
