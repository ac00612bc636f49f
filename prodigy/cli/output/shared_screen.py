"""A screen that several write to: a line that one has begun, a prompt for one, is ended before another writes."""

from collections.abc import Callable

from prodigy.runtime.terminal import Lines

Write = Callable[[str], None]


class SharedScreen:
    """One screen that several write to, each by its own function."""

    def __init__(self) -> None:
        self._open: tuple[Lines, Write] | None = None

    def write(self, text: str, write: Write, lines: Lines | None = None) -> None:
        """Write `text`, which `lines` made of the output of a step, or which is nobody's."""
        if not text:
            return
        self.close(lines)
        write(text)
        self._open = (lines, write) if lines is not None and lines.is_open else None

    def close(self, lines: Lines | None = None) -> None:
        """End the line that is open, unless it is one of `lines`."""
        if self._open is not None and self._open[0] is not lines:
            begun, write = self._open
            self._open = None
            write(begun.interrupt())
