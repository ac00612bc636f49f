"""What we print to: a reader that goes away, or was never there, decides nothing.

`prodigy status | head -1` ends as `prodigy status` would: what nobody reads any more is dropped. Who prints very much,
or without end, asks with `check_reader` whether it is still worth it.
"""

import errno
import io
import os
import sys
from typing import Any

from prodigy.errors import ProdigyError, StorageFailure

_GONE = (errno.EPIPE, errno.EIO)  # EIO: a terminal that hung up


class ReaderGone(Exception):
    """Nobody reads what is printed; the command ends, and nothing is wrong."""


class _Pipe(io.FileIO):
    """A descriptor for writing that takes everything once its reader is gone."""

    is_gone = False
    decides = True
    failure: OSError | None = None

    def write(self, data: Any, /) -> int:
        if not self.is_gone:
            try:
                return super().write(data)
            except OSError as error:
                if error.errno not in _GONE and self.decides:
                    self.failure = error
                    raise
                self.is_gone = True
        return memoryview(data).nbytes


_pipes: dict[int, _Pipe] = {}


def open_streams() -> None:
    """Let stdout and stderr outlive their readers, and give what is closed to /dev/null.

    The next file that is opened, the log even, would take a closed one's number, and get what is printed.
    """
    for descriptor, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:  # as Python says that it was closed
            null = os.open(os.devnull, os.O_RDWR)
            assert null == descriptor, "the lowest free number is taken first"
            os.set_inheritable(null, True)
            setattr(sys, name, os.fdopen(null, mode, closefd=False))
    for descriptor, name in ((1, "stdout"), (2, "stderr")):
        setattr(sys, name, _outlasting(descriptor, getattr(sys, name)))


def let_answer_decide_nothing() -> None:
    """Lose what cannot be printed to stdout, its disk being full for one: how a run ended does not hang on that."""
    if 1 in _pipes:
        _pipes[1].decides = False


def lost_answer() -> ProdigyError | None:
    """Return what to say where stdout could not be written, though its reader is there; None where it could."""
    failure = _pipes[1].failure if 1 in _pipes else None
    if failure is None:
        return None
    try:
        place = f"{os.readlink('/proc/self/fd/1')}, where stdout goes"
    except OSError:
        place = "stdout"
    return StorageFailure(
        f"cannot write to {place}: {failure.strerror}",
        hint="Make room there, or print to another place, and run the command again.",
    )


def is_terminal(descriptor: int) -> bool:
    """Whether stdout, which is 1, or stderr, which is 2, is a terminal."""
    return (sys.stdout if descriptor == 1 else sys.stderr).isatty()


def check_reader() -> None:
    """See that somebody may still read stdout.

    Raises:
        ReaderGone: surely nobody does.
    """
    if 1 in _pipes and _pipes[1].is_gone:
        raise ReaderGone


def _outlasting(descriptor: int, stream: io.TextIOWrapper) -> io.TextIOWrapper:
    pipe = _pipes[descriptor] = _Pipe(descriptor, "w", closefd=False)
    return io.TextIOWrapper(
        io.BufferedWriter(pipe),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering or stream.write_through,
    )
