"""The files that commands write into, and what we read of them.

A command's stdout and stderr are files, never pipes: nothing blocks when nobody reads, a daemon that holds
them open holds nobody up, and all of it survives us. We only ever look at the end of a file, or at what is
new in it, in bounded pieces; how large it is costs nothing.

To make a file can cost as much as to run a short command: ext4 looks at the number of each file that was removed of
late. Most commands print nothing to stderr, many nothing at all; so a file that stayed empty, that nobody will look for
and that surely nobody has open any more, becomes a later command's under a new name. A command that succeeded and
printed nothing has no file then. And where commands print, the next one's files are made while this one is at work.
"""

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from prodigy.store.files import CHUNK_BYTES, FILE_MODE, private_folder, write_all

OUTPUTS_FOLDER = "outputs"
TRANSCRIPT = ".jsonl"  # what claude prints while it is at work
SHOWN_BYTES_MAX = 64 * 1024
LOOKS_AT_PARTIAL_LINE = 4  # so often it is looked at, and nothing comes, before it is shown
LOOKS_AT_GROWING_LINE = 10  # or so often in all, if more and more comes of it: a row of dots
# Appending, so that a script which opens /dev/stderr anew does not write over what is there.
_OLD = os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = _OLD | os.O_CREAT | os.O_EXCL
_AHEAD = ".next"  # before its extension: a file that was made for a command to come
_PRIVATE_FILE = stat.S_IFREG | FILE_MODE


class Tail(NamedTuple):
    """The end of a file as text. `is_valid`: its bytes were UTF-8; `size_bytes`: how long all of it is."""

    text: str
    is_valid: bool
    size_bytes: int


class OutputFile:
    """One file that a command writes and we read. `path` is relative to the run's folder."""

    def __init__(self, folder: int, name: str, descriptor: int) -> None:
        self.path = f"{OUTPUTS_FOLDER}/{name}"
        self.name = name
        self.descriptor = descriptor
        self._folder = folder
        self._end: int | None = None
        self._seen = 0
        self._looks = (0, 0)  # how long the file was, and how often it was looked at since it is
        self._looks_at_line = 0  # how often the line that has not ended was looked at since it was begun or shown
        self._is_cut = False
        self.is_mid_line = False

    @property
    def size_bytes(self) -> int:
        """Return how much is in it now, or was when the command had ended."""
        return os.fstat(self.descriptor).st_size if self._end is None else self._end

    def note_end(self) -> None:
        """Take note of how long it is: the command is over, and what it printed is what is there now."""
        self._end = os.fstat(self.descriptor).st_size

    def tail(self, bytes_max: int) -> Tail:
        """Return the last `bytes_max` bytes as text, invalid ones as U+FFFD, no character cut in two."""
        size = self.size_bytes
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

        A line that has not ended is held back until it was looked at some times and nothing came, as of a prompt, or
        more times although something did, as of a row of dots. Then the file `is_mid_line`. One that is as long as
        64 KiB, or that is new when the command is over, is ended here, so that the lines of two files never run into
        each other.
        """
        size = self.size_bytes
        if size == self._seen == 0:
            return 0, b""
        self._looks = (size, self._looks[1] + 1 if size == self._looks[0] else 1)
        start = self._seen if size >= self._seen else 0  # a script may have emptied its own output
        skipped = max(0, size - start - SHOWN_BYTES_MAX)
        data = self._read(start + skipped, size)
        whole = data.rfind(b"\n") + 1
        is_whole = is_over or self.name.endswith(TRANSCRIPT)  # half a line of that says nothing
        is_waiting = not is_whole and self._has_waited(is_begun=len(data) > whole, is_new=whole > 0)
        if not is_over and not is_waiting and (whole or len(data) < SHOWN_BYTES_MAX):
            data = data[:whole]
        self._seen = start + skipped + len(data)
        return skipped, self._ended(data, is_waiting=is_waiting)

    def _has_waited(self, *, is_begun: bool, is_new: bool) -> bool:
        """Whether the line that has not ended, if one is begun, was held back long enough."""
        self._looks_at_line = (1 if is_new else self._looks_at_line + 1) if is_begun else 0
        if self._looks[1] < LOOKS_AT_PARTIAL_LINE and self._looks_at_line < LOOKS_AT_GROWING_LINE:
            return False
        self._looks_at_line = 0
        return True

    def cut(self) -> bytes:
        """Return what ends a line that was shown in part, for another file has something to say."""
        ending, self.is_mid_line = b"\n" if self.is_mid_line else b"", False
        self._is_cut = self._is_cut or ending != b""
        return ending

    def _ended(self, data: bytes, *, is_waiting: bool) -> bytes:
        """Return data whose last line is ended, or else noted as begun."""
        if not data:
            return data
        if self._is_cut:  # the line that goes on here was ended already
            self._is_cut, data = False, data.removeprefix(b"\n")
        self.is_mid_line = is_waiting and data[-1:] not in (b"", b"\n")
        return data if self.is_mid_line or data[-1:] in (b"", b"\n") else data + b"\n"

    def chunks(self) -> Iterator[bytes]:
        """Yield all of it, in pieces of 1 MiB."""
        position = 0
        while data := os.pread(self.descriptor, CHUNK_BYTES, position):
            position += len(data)
            yield data

    def piece(self, start: int, end: int) -> bytes:
        """Return the bytes from `start` to `end`, fewer where there are not so many."""
        return os.pread(self.descriptor, end - start, start)

    def write(self, text: str) -> int:
        """Write what is ours to write, and return its size in bytes."""
        data = text.encode(errors="replace")
        write_all(self.descriptor, data)
        self._end = None
        return len(data)

    def close(self, *, is_kept: bool) -> None:
        """Close the file; one that is not kept is removed, if nobody has done so already."""
        os.close(self.descriptor)
        if not is_kept:
            with suppress(FileNotFoundError):
                os.unlink(self.name, dir_fd=self._folder)

    def _read(self, start: int, end: int) -> bytes:
        """Return the bytes from `start` to `end`, fewer when the file has shrunk meanwhile."""
        data = os.pread(self.descriptor, end - start, start)
        while len(data) < end - start and (
            more := os.pread(self.descriptor, end - start - len(data), start + len(data))
        ):
            data += more
        return data


class _Spare(NamedTuple):
    """An empty file for a command to come; the descriptor is of one that no command has had yet."""

    name: str
    descriptor: int | None = None


class Outputs:
    """The folder `outputs` of a run, held open so that no link can be slipped in between."""

    def __init__(self, run_folder: Path) -> None:
        path = private_folder(run_folder / OUTPUTS_FOLDER)
        self._descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        self._spares: dict[str, list[_Spare]] = {"out": [], "err": []}  # by extension
        self._printed = set[str]()  # the extensions of which a file was kept
        for extension in self._spares:
            self._unlink(f"{_AHEAD}.{extension}")

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
                    files.append(self._open(f"{stem}.{extension}", extension))
            except OSError as error:
                for file in files:
                    file.close(is_kept=False)
                if not isinstance(error, FileExistsError):
                    raise
                number += 1
                stem = f"{epoch}-{number}"
            else:
                return files

    def make_ahead(self) -> None:
        """Make what the next command will need, where commands print; what fails now fails again when it is needed."""
        for extension in self._printed:
            if not self._spares[extension]:
                with suppress(OSError):
                    name = f"{_AHEAD}.{extension}"
                    self._spares[extension].append(_Spare(name, self._create(name)))

    def put_away(self, files: Sequence[OutputFile], *, is_free: bool, keeps_empty: bool = False) -> None:
        """Close the files of a command that has ended; of those that are empty at most its stdout is kept.

        Args:
            is_free: surely nobody has them open, so those that are empty may serve another command.
            keeps_empty: somebody will look for its stdout, whatever is in it.
        """
        for file in files:
            extension = file.name.rpartition(".")[2]
            is_error, is_empty = extension == "err", file.size_bytes == 0
            spares = self._spares.get(extension)
            if is_empty and is_free and spares is not None and (is_error or not keeps_empty):
                spares.append(_Spare(file.name))
                file.close(is_kept=True)
            else:
                file.close(is_kept=not (is_error and is_empty))
                self._printed |= {extension} & self._spares.keys()

    def close(self) -> None:
        """Remove what was to be used again, and let the folder go."""
        for spare in chain(*self._spares.values()):
            with suppress(OSError):
                if (descriptor := self._opened(spare)) is not None:
                    os.close(descriptor)
                    self._unlink(spare.name)
        os.close(self._descriptor)

    def _open(self, name: str, extension: str) -> OutputFile:
        """Open a file under a new name: a spare one, or else a new one."""
        spares = self._spares.get(extension, [])
        while spares:
            spare = spares[-1]
            descriptor = self._opened(spare)
            spares.pop()
            if descriptor is not None and self._rename(spare.name, name, descriptor, spares):
                return OutputFile(self._descriptor, name, descriptor)
        return OutputFile(self._descriptor, name, self._create(name))

    def _create(self, name: str) -> int:
        descriptor = os.open(name, _NEW, FILE_MODE, dir_fd=self._descriptor)
        if os.fstat(descriptor).st_mode != _PRIVATE_FILE:
            os.fchmod(descriptor, FILE_MODE)  # a strange umask
        return descriptor

    def _opened(self, spare: _Spare) -> int | None:
        """Open a spare anew: flags and locks that the last command set on its own are gone with it.

        None where it is not as it was made, empty, private and under this name alone: somebody has written into an old
        output, or linked it.
        """
        descriptor = spare.descriptor
        try:
            if descriptor is None:
                descriptor = os.open(spare.name, _OLD, dir_fd=self._descriptor)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ELOOP):  # it is gone, or a link in its place
                return None
            raise
        if _is_untouched(os.fstat(descriptor)):
            return descriptor
        os.close(descriptor)
        return None

    def _rename(self, spare: str, name: str, descriptor: int, spares: list[_Spare]) -> bool:
        """Give a spare file a new name; False where the disk has no links. At no moment does an output lack its file.

        Raises:
            FileExistsError: the name is taken; the file is one of `spares` again.
        """
        try:
            os.link(spare, name, src_dir_fd=self._descriptor, dst_dir_fd=self._descriptor, follow_symlinks=False)
        except OSError as error:
            os.close(descriptor)
            if isinstance(error, FileExistsError):
                spares.append(_Spare(spare))
                raise
            self._unlink(spare)
            return False
        self._unlink(spare)
        return True

    def _unlink(self, name: str) -> None:
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self._descriptor)


def _is_untouched(status: os.stat_result) -> bool:
    return (status.st_mode, status.st_size, status.st_nlink) == (_PRIVATE_FILE, 0, 1)


def _without_half_character(data: bytes) -> bytes:
    """Drop up to three continuation bytes at the start: the rest of a character that was cut."""
    start = 0
    while start < 3 and data[start : start + 1] and data[start] & 0xC0 == 0x80:
        start += 1
    return data[start:]
