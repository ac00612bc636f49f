"""Lines on a terminal that are drawn again in place, as what they tell changes."""

import os
import shutil
import sys
from collections.abc import Sequence

from prodigy.cli.output.outlet import draw
from prodigy.cli.output.width import cells
from prodigy.runtime.terminal import visible


class LiveLines:
    """The last lines on stdout; never more rows than there are, for what scrolled away stays.

    A line that is wider than the terminal goes on in its next row, as the terminal breaks it: a command to type is one.
    """

    def __init__(self) -> None:
        self._drawn = 0

    def show(self, lines: Sequence[str]) -> None:
        """Show these lines in the place of those before."""
        columns, rows = shutil.get_terminal_size()
        shown, drawn = list[str](), 0
        for line in map(visible, lines):
            height = max(1, -(-cells(line) // columns))
            if drawn + height > rows - 1:
                break
            shown.append(line)
            drawn += height
        back = f"\x1b[{self._drawn}A" if self._drawn else ""
        draw(f"{back}\x1b[J" + "".join(f"{line}\n" for line in shown))
        sys.stdout.flush()
        self._drawn = drawn


def can_move_cursor() -> bool:
    """Whether stdout is a terminal on which the cursor can be moved."""
    return sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
