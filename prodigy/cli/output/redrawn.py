"""Lines on a terminal that are drawn again in place, as what they tell changes."""

import os
import shutil
import sys
from collections.abc import Sequence

from prodigy.cli.output.outlet import draw
from prodigy.cli.output.width import cut
from prodigy.runtime.terminal import visible


class LiveLines:
    """The last lines on stdout, each cut to fit; never more than there are rows, for what scrolled away stays."""

    def __init__(self) -> None:
        self._drawn = 0

    def show(self, lines: Sequence[str]) -> None:
        """Show these lines in the place of those before."""
        columns, rows = shutil.get_terminal_size()
        shown = [cut(visible(line), columns) for line in lines[: rows - 1]]
        back = f"\x1b[{self._drawn}A" if self._drawn else ""
        draw(back + "".join(f"{line}\x1b[K\n" for line in shown) + "\x1b[J")
        sys.stdout.flush()
        self._drawn = len(shown)


def can_move_cursor() -> bool:
    """Whether stdout is a terminal on which the cursor can be moved."""
    return sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
