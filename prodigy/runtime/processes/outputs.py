"""The files that commands write into, and what we read of them.

A command's stdout and stderr are files, never pipes: nothing blocks when nobody reads, a daemon that holds
them open holds nobody up, and all of it survives us. We only ever look at the end of a file, or at what is
new in it, in bounded pieces; how large it is costs nothing.

To make a file can cost as much as to run a short command: ext4 looks at the number of each file that was removed of
late. Most commands print nothing to stderr, many nothing at all; so a file that stayed empty, and that surely nobody
has open any more, becomes a later command's under a new name. Its old name, where it must not vanish, becomes one more
link to one empty file.
"""

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
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
_LINK = ".empty"  # a link on its way to its name
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
        self._seen = 0
        self._looks = (0, 0)  # how long the file was, and how often it was looked at since it is
        self._looks_at_line = 0  # how often the line that has not ended was looked at since it was begun or shown
        self._is_cut = False
        self.is_mid_line = False

    @property
    def size_bytes(self) -> int:
        """Return how much is in it now."""
        return os.fstat(self.descriptor).st_size

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

        A line that has not ended is held back until it was looked at some times and nothing came, as of a prompt, or
        more times although something did, as of a row of dots. Then the file `is_mid_line`. One that is as long as
        64 KiB, or that is new when the command is over, is ended here, so that the lines of two files never run into
        each other.
        """
        size = os.fstat(self.descriptor).st_size
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


class Outputs:
    """The folder `outputs` of a run, held open so that no link can be slipped in between."""

    def __init__(self, run_folder: Path) -> None:
        path = private_folder(run_folder / OUTPUTS_FOLDER)
        self._descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        self._spare_outputs = list[str]()
        self._spare_errors = list[str]()
        self._empty = ""  # the file that names without content are links to
        self._unlink(_LINK)

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
                    files.append(self._open(f"{stem}.{extension}"))
            except OSError as error:
                for file in files:
                    file.close(is_kept=False)
                if not isinstance(error, FileExistsError):
                    raise
                number += 1
                stem = f"{epoch}-{number}"
            else:
                return files

    def put_away(self, files: Sequence[OutputFile], *, is_free: bool) -> None:
        """Close the files of a command that has ended: all are kept but an empty stderr.

        `is_free`: surely nobody has them open, so those that are empty may serve another command.
        """
        for file in files:
            is_error, is_empty = file.name.endswith(".err"), file.size_bytes == 0
            if is_empty and is_free:
                (self._spare_errors if is_error else self._spare_outputs).append(file.name)
            file.close(is_kept=is_free or not (is_error and is_empty))

    def close(self) -> None:
        """Remove what was to be used again, and let the folder go."""
        for name in self._spare_errors:
            self._unlink(name)
        os.close(self._descriptor)

    def _open(self, name: str) -> OutputFile:
        """Open a file under a new name: a spare one, or else a new one."""
        spares = self._spare_errors if name.endswith(".err") else self._spare_outputs
        while spares:
            is_renamed = self._rename(spares[-1], name)
            spares.pop()
            if is_renamed:
                return OutputFile(self._descriptor, name, self._open_again(name))
        descriptor = os.open(name, _NEW, FILE_MODE, dir_fd=self._descriptor)
        if os.fstat(descriptor).st_mode != _PRIVATE_FILE:
            os.fchmod(descriptor, FILE_MODE)  # a strange umask
        return OutputFile(self._descriptor, name, descriptor)

    def _open_again(self, name: str) -> int:
        """Open a file anew: flags and locks that the last command set on its own are gone with it."""
        try:
            return os.open(name, _OLD, dir_fd=self._descriptor)
        except OSError:
            self._unlink(name)
            raise

    def _rename(self, spare: str, name: str) -> bool:
        """Give a spare file a new name; False when that cannot be. At no moment does an output lack its file.

        Raises:
            FileExistsError: the name is taken.
        """
        is_error = spare.endswith(".err")
        if self._links(spare) != 1:
            return False  # somebody wrote into an old output
        if not is_error and not self._links(self._empty):
            self._empty = spare
            return False
        try:
            if is_error:
                self._link(spare, name)
                self._unlink(spare)
            else:
                self._link(self._empty, _LINK)
                self._link(spare, name)
                os.rename(_LINK, spare, src_dir_fd=self._descriptor, dst_dir_fd=self._descriptor)
        except OSError as error:
            self._unlink(_LINK)
            if isinstance(error, FileExistsError):
                raise
            # The empty file has as many names as the disk allows, or the disk has no links.
            self._empty = self._empty if is_error else spare
            return False
        return True

    def _links(self, name: str) -> int:
        """Return how many names a file of ours has that is as it was made, empty and private; of any other none."""
        try:
            status = os.stat(name, dir_fd=self._descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return 0
        return status.st_nlink if (status.st_mode, status.st_size) == (_PRIVATE_FILE, 0) else 0

    def _link(self, old: str, new: str) -> None:
        os.link(old, new, src_dir_fd=self._descriptor, dst_dir_fd=self._descriptor, follow_symlinks=False)

    def _unlink(self, name: str) -> None:
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self._descriptor)


def _without_half_character(data: bytes) -> bytes:
    """Drop up to three continuation bytes at the start: the rest of a character that was cut."""
    start = 0
    while start < 3 and data[start : start + 1] and data[start] & 0xC0 == 0x80:
        start += 1
    return data[start:]
