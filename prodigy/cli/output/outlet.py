"""The one way out: what is printed for people drives no terminal, whoever prints it and wherever it came from.

Ids, names, paths, items, errors, whatever a checkpoint file says: all of it is data of unknown origin, and one `print`
that forgets so is enough to set a title, fill a clipboard or overwrite a line that was read already. So stdout and
stderr themselves are made safe when the program starts. Newlines and tabs pass; every other control character, and
what reorders a line, is shown in letters.

    print(text)      safe, and without colour
    draw(text)       our own colours and cursor moves; what is in it of others has been through `visible`
    export(text)     exact, for another program; on a terminal it is printed
    copy(data)       bytes as a step wrote them, likewise
"""

import io
import sys
from typing import Literal, TextIO

from prodigy.runtime.terminal import harmless

Descriptor = Literal[1, 2]


class Outlet(io.TextIOWrapper):
    """stdout or stderr, of which only `draw`, `export` and `copy` know the other doors.

    It shares the buffer of the stream that it stands before, which stays: it is asked how wide the terminal is, and
    would close the buffer when it went.
    """

    def __init__(self, stream: io.TextIOWrapper) -> None:
        self._stream = stream
        is_by_line = stream.line_buffering or stream.isatty()
        super().__init__(stream.buffer, stream.encoding, "backslashreplace", line_buffering=is_by_line)

    def write(self, text: str, /) -> int:
        """Write text as `print` does."""
        super().write(harmless(text))
        return len(text)

    def write_as_is(self, text: str) -> None:
        """Write text that is safe already, or that no terminal gets."""
        super().write(text)


def guard() -> None:
    """Make stdout and stderr of this process outlets."""
    sys.stdout, sys.stderr = guarded(sys.stdout), guarded(sys.stderr)


def guarded(stream: TextIO) -> TextIO:
    """Return an outlet in place of a stream. What its encoding lacks is shown in letters, too."""
    if isinstance(stream, Outlet) or not isinstance(stream, io.TextIOWrapper):
        return stream
    return Outlet(stream)


def draw(text: str) -> None:
    """Print to stdout what may colour and move the cursor."""
    _write(sys.stdout, text)


def export(text: str) -> None:
    """Print to stdout exactly, unless that is a terminal."""
    if sys.stdout.isatty():
        sys.stdout.write(text)
    else:
        _write(sys.stdout, text)


def copy(data: bytes, descriptor: Descriptor) -> None:
    """Write bytes to stdout or stderr, which is no terminal, as they are and at once."""
    stream = _stream(descriptor)
    assert not stream.isatty(), "a terminal gets lines that were made safe"
    stream.flush()
    stream.buffer.write(data)
    stream.buffer.flush()


def copy_lines(text: str, descriptor: Descriptor) -> None:
    """Write what `Lines` made of a step's output, its colours included, to stdout or stderr, at once."""
    stream = _stream(descriptor)
    _write(stream, text)
    stream.flush()


def _stream(descriptor: Descriptor) -> TextIO:
    return sys.stdout if descriptor == 1 else sys.stderr


def _write(stream: TextIO, text: str) -> None:
    if isinstance(stream, Outlet):
        stream.write_as_is(text)
    else:
        stream.write(text)
