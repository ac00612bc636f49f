"""The files that commands write into, and what we read of them.

A command's stdout and stderr are files, never pipes: nothing blocks when nobody reads, a daemon that holds
them open holds nobody up, and all of it survives us. We only ever look at the end of a file, or at what is
new in it, in bounded pieces; how large it is costs nothing.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from prodigy.store.files import CHUNK_BYTES, FILE_MODE, private_folder, write_all

OUTPUTS_FOLDER = "outputs"
SHOWN_BYTES_MAX = 64 * 1024
# Appending, so that a script which opens /dev/stderr anew does not write over what is there.
_NEW = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Tail(NamedTuple):
    """The end of a file as text. `is_valid`: its bytes were UTF-8; `size_bytes`: how long all of it is."""

    text: str
    is_valid: bool
    size_bytes: int


class OutputFile:
    """One file that a command writes and we read. `path` is relative to the run's folder."""

    def __init__(self, folder: int, name: str) -> None:
        self.path = f"{OUTPUTS_FOLDER}/{name}"
        self._name = name
        self.descriptor = os.open(name, _NEW, FILE_MODE, dir_fd=folder)
        self._folder = folder
        self._seen = 0

    def tail(self, bytes_max: int) -> Tail:
        """Return the last `bytes_max` bytes as text, invalid ones as U+FFFD, no character cut in two."""
        size = os.fstat(self.descriptor).st_size
        if size == 0:
            return Tail("", True, 0)
        data = self._read(max(0, size - bytes_max), size)
        if size > bytes_max:
            data = _without_half_character(data)
        try:
            return Tail(data.decode(), True, size)
        except UnicodeDecodeError:
            return Tail(data.decode(errors="replace"), False, size)

    def unseen(self, *, is_over: bool) -> tuple[int, bytes]:
        """Return (bytes left out, new whole lines), of what is new at most the last 64 KiB.

        A line that has not ended is held back, unless it is that long or the command is over; then it is
        ended here, so that the lines of two files never run into each other.
        """
        size = os.fstat(self.descriptor).st_size
        start = self._seen if size >= self._seen else 0  # a script may have emptied its own output
        skipped = max(0, size - start - SHOWN_BYTES_MAX)
        data = self._read(start + skipped, size)
        whole = data.rfind(b"\n") + 1
        if not is_over and (whole or len(data) < SHOWN_BYTES_MAX):
            data = data[:whole]
        self._seen = start + skipped + len(data)
        return skipped, data if data[-1:] in (b"", b"\n") else data + b"\n"

    def chunks(self) -> Iterator[bytes]:
        """Yield all of it, in pieces of 1 MiB."""
        position = 0
        while data := os.pread(self.descriptor, CHUNK_BYTES, position):
            position += len(data)
            yield data

    def write(self, text: str) -> int:
        """Write what is ours to write, and return its size in bytes."""
        data = text.encode(errors="replace")
        write_all(self.descriptor, data)
        return len(data)

    def close(self, *, is_kept: bool) -> None:
        """Close the file; one that is not kept is removed, if nobody has done so already."""
        os.close(self.descriptor)
        if not is_kept:
            with suppress(FileNotFoundError):
                os.unlink(self._name, dir_fd=self._folder)

    def _read(self, start: int, end: int) -> bytes:
        """Return the bytes from `start` to `end`, fewer when the file has shrunk meanwhile."""
        data = os.pread(self.descriptor, end - start, start)
        while len(data) < end - start and (
            more := os.pread(self.descriptor, end - start - len(data), start + len(data))
        ):
            data += more
        return data


class Outputs:
    """The folder `outputs` of a run, held open so that no link can be slipped in between."""

    def __init__(self, run_folder: Path) -> None:
        path = private_folder(run_folder / OUTPUTS_FOLDER)
        self._descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)

    def open(self, epoch: int, extensions: tuple[str, ...]) -> list[OutputFile]:
        """Create new files, such as `12.out` and `12.err`, or `12-2.out` and `12-2.err` where one stands already.

        Raises:
            OSError: the disk or the system refused; none is left behind.
        """
        stem, number = f"{epoch}", 1
        while True:
            files: list[OutputFile] = []
            try:
                for extension in extensions:
                    files.append(OutputFile(self._descriptor, f"{stem}.{extension}"))
            except OSError as error:
                for file in files:
                    file.close(is_kept=False)
                if not isinstance(error, FileExistsError):
                    raise
                number += 1
                stem = f"{epoch}-{number}"
            else:
                return files

    def close(self) -> None:
        """Let the folder go."""
        os.close(self._descriptor)


def end_of(text: str, bytes_max: int) -> str:
    """Return the last `bytes_max` bytes of `text`, no character cut in two."""
    data = text.encode(errors="replace")
    return _without_half_character(data[-bytes_max:]).decode() if len(data) > bytes_max else text


def _without_half_character(data: bytes) -> bytes:
    """Drop up to three continuation bytes at the start: the rest of a character that was cut."""
    start = 0
    while start < 3 and data[start : start + 1] and data[start] & 0xC0 == 0x80:
        start += 1
    return data[start:]
