"""Aligned columns without a library: a table of a thousand rows costs milliseconds, on a terminal and in a pipe.

What does not fit a terminal gives way in this order: columns that can be spared are left out; one is cut, or the last
goes on below itself; the last stands below the others; and where even these are too wide, the cells of a row flow one
after the other into as many lines as they need. No column is ever squeezed to nothing.
"""

import re
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TextIO, TypedDict, Unpack

from prodigy.cli.output.width import cells, cut, cut_start, padded, wrapped
from prodigy.runtime.terminal import visible

GAP = "  "
BELOW = " " * 8  # before a last cell that stands below the others
MARGIN = " " * 4  # before what flows on in another line
CUT_CHARS_MIN = 12  # so much of the column that is cut is always shown
LAST_CHARS_MIN = 24  # and so much of the last one stands beside the others
COLUMNS_MIN = 20

_GOES_ON = " \\"
_QUOTED = re.compile(r"`[^`]*`")  # in a sentence: a command
_WORD = re.compile(r"(?:'[^']*'|\"[^\"]*\"|[^\s'\"]|['\"])+")  # of a shell's command, quotes and all


def columns_of_terminal(stream: TextIO | None = None) -> int | None:
    """Return how wide the terminal is that a stream goes to, stdout without, as COLUMNS or it says; None in a pipe."""
    try:
        is_terminal = (stream or sys.stdout).isatty()
    except ValueError:
        return None
    return max(COLUMNS_MIN, shutil.get_terminal_size().columns) if is_terminal else None


class Fit(TypedDict, total=False):
    """What gives way where a table is wider than the terminal.

    `spare` has the headings of columns that are left out, in this order, until the rest fits; `cut` the heading of the
    column that then is cut with an ellipsis, without which the last goes on below; with `keeps_end` it is the end that
    is kept of what is cut, which tells one address from another.
    """

    spare: Sequence[str]
    cut: str
    keeps_end: bool


def folded(text: str, columns: int | None, *, indent: str = "", more: str | None = None) -> list[str]:
    """Return a text as lines that fit, broken at blanks only: what is wider than a line, a path for one, stays whole.

    Args:
        columns: how many characters fit; None for all there are.
        indent: what stands before the first line, and before the others unless `more` does.
    """
    behind = indent if more is None else more
    if columns is None or cells(indent + text) <= columns:
        return [indent + text]
    first, *others = wrapped(text, columns - cells(indent), breaks_words=False)
    if others and cells(behind) > cells(indent):
        others = wrapped(text.removeprefix(first).lstrip(" "), columns - cells(behind), breaks_words=False)
    return [(indent + first).rstrip(), *(behind + line for line in others)]


def prose(text: str, columns: int | None, *, indent: str = "", more: str | None = None) -> list[str]:
    """Return sentences as lines that fit, as `folded` does; what they have in backticks can be typed, and stays whole.

    A line of the text begins a line anew, and what does not fit of it goes on below it, as far to the right.
    """
    if columns is None:
        return [indent + line for line in text.split("\n")]
    lines = list[str]()
    for line in text.split("\n"):
        words = line.lstrip(" ")
        head = indent + " " * (len(line) - len(words))
        held = _QUOTED.sub(lambda match: match[0].replace(" ", "\0"), words)
        pieces = folded(held, columns, indent=head, more=head if more is None else more)
        lines += [piece.replace("\0", " ") for piece in pieces]
    return lines


def beside(label: str, text: str, columns: int | None) -> list[str]:
    """Return sentences beside a label, every line of them as far to the right as the first; see `prose`."""
    indent = " " * cells(label)
    head, *below = prose(text, columns, indent=indent)
    return [label + head[len(indent) :], *below]


def fact(name: str, value: str, columns: int | None) -> str:
    """Return what is known of a thing by its name: what does not fit beside that goes on below itself."""
    return "\n".join(beside(f"  {name:<10} ", "\n".join(map(visible, value.splitlines())), columns))


def with_command(why: str, command: str, columns: int | None, *, indent: str = "") -> list[str]:
    """Return why, and a command that can be typed: below it, see `as_command`, where they do not fit in a line."""
    whole = f"{indent}{why}:  {command}"
    if columns is None or cells(whole) <= columns:
        return [whole]
    return [*folded(f"{why}:", columns, indent=indent), *as_command(command, columns, indent=indent + MARGIN)]


def as_command(command: str, columns: int | None, *, indent: str) -> list[str]:
    """Return a command that can be typed: what is too wide goes on behind a backslash, and no word is broken."""
    if columns is None or cells(indent + command) <= columns:
        return [indent + command]
    lines, line = list[str](), ""
    for word in _WORD.findall(command):
        joined = f"{line} {word}" if line else word
        if line and cells(indent + joined + _GOES_ON) > columns:
            lines.append(line + _GOES_ON)
            line = word
        else:
            line = joined
    return [indent + line for line in (*lines, line)]


def table(
    headings: Sequence[str], rows: Iterable[Sequence[str]], *, columns: int | None, **fit: Unpack[Fit]
) -> list[str]:
    """Return the lines of a table, its headings first; see `blocks`."""
    return [line for block in blocks(headings, rows, columns=columns, **fit) for line in block]


def blocks(
    headings: Sequence[str], rows: Iterable[Sequence[str]], *, columns: int | None, **fit: Unpack[Fit]
) -> list[list[str]]:
    """Return the lines of each row of a table, its headings first.

    Args:
        rows: their cells are data of unknown origin, and are made safe to show.
        columns: how many characters fit; None for all there are.
        fit: what gives way where more are needed.
    """
    cut = fit.get("cut", "")
    texts = [list(headings), *([_in_a_line(cell) for cell in row] for row in rows)]
    sizes = [max(map(cells, column)) for column in zip(*texts, strict=True)]
    if columns is None:
        return [[_aligned(row, sizes)] for row in texts]
    kept = _kept(headings, sizes, fit.get("spare", ()), columns)
    shown, sizes = [[row[place] for place in kept] for row in texts], [sizes[place] for place in kept]
    if (excess := _total(sizes) - columns) <= 0:
        return [[_aligned(row, sizes)] for row in shown]
    place = shown[0].index(cut) if cut else -1
    least = min(sizes[place], CUT_CHARS_MIN if cut else LAST_CHARS_MIN)
    if sizes[place] - excess < least:
        lay = _below if _total(sizes[:-1]) <= columns else _flowing
        return [list(lay(row, sizes, columns)) for row in shown]
    sizes[place] -= excess
    if cut:
        return [[_aligned(_shortened(row, place, sizes[place], fit.get("keeps_end", False)), sizes)] for row in shown]
    return [list(_going_on(row, sizes)) for row in shown]


def _shortened(row: Sequence[str], place: int, size: int, keeps_end: bool) -> list[str]:
    shorten = cut_start if keeps_end else cut
    return [shorten(text, size) if at == place else text for at, text in enumerate(row)]


def _in_a_line(cell: str) -> str:
    return cell if cell.isprintable() else visible(cell).replace("\t", r"\t")


def _kept(headings: Sequence[str], sizes: Sequence[int], spare: Sequence[str], columns: int) -> list[int]:
    """Return the places of the columns that are not left out."""
    kept = list(range(len(headings)))
    for heading in spare:
        if _total([sizes[place] for place in kept]) > columns:
            kept.remove(headings.index(heading))
    return kept


def _total(sizes: Sequence[int]) -> int:
    return sum(sizes) + len(GAP) * (len(sizes) - 1)


def _aligned(row: Sequence[str], sizes: Sequence[int]) -> str:
    return GAP.join(padded(cut(text, size), size) for text, size in zip(row, sizes, strict=True)).rstrip()


def _going_on(row: Sequence[str], sizes: Sequence[int]) -> Iterator[str]:
    """Yield a row whose last cell goes on below itself."""
    head = "".join(padded(text, size) + GAP for text, size in zip(row[:-1], sizes, strict=False))
    first, *more = wrapped(row[-1], sizes[-1])
    yield (head + first).rstrip()
    indent = " " * (_total(sizes) - sizes[-1])
    yield from (indent + line for line in more)


def _below(row: Sequence[str], sizes: Sequence[int], columns: int) -> Iterator[str]:
    """Yield a row whose last cell stands below the others where it does not fit beside them."""
    line = _aligned(row, [*sizes[:-1], cells(row[-1])])
    if cells(line) <= columns:
        yield line
        return
    yield _aligned(row[:-1], sizes[:-1])
    yield from (BELOW + piece for piece in wrapped(row[-1], columns - len(BELOW)))


def _flowing(row: Sequence[str], sizes: Sequence[int], columns: int) -> Iterator[str]:
    """Yield a row whose cells stand one after the other, each in a line of its own where it does not fit."""
    line = ""
    for text in filter(None, row):
        joined = f"{line}{GAP}{text}" if line else text
        if cells(joined) <= columns:
            line = joined
            continue
        if line:
            yield line
        indent = MARGIN if line else ""
        *full, rest = wrapped(text, columns - len(MARGIN))
        yield from (indent + piece for piece in full)
        line = (MARGIN if line or full else "") + rest
    yield line
