"""What a command printed, from the files that keep it."""

import os
from pathlib import Path
from typing import Any

from prodigy.kernel.outcome import end_of
from prodigy.store.files import open_private
from prodigy.store.layout import RunFolder

END_BYTES_MAX = 4096


def last_output(folder: RunFolder, output_file: str) -> Path | None:
    """Return the file with what a command printed last: its stderr, else its stdout; None where it printed nothing.

    Args:
        output_file: its stdout's, relative to the run's folder, as events have it; empty where nothing was started.
    """
    if not output_file:
        return None
    output = folder.path / output_file
    return next((file for file in (output.with_suffix(".err"), output) if _size(file)), None)


def ends_of(output: Path | None) -> list[tuple[Path, str, int]]:
    """Return (file, the end of its text, its size) of what a command printed: stdout, then stderr."""
    files = (output, output.with_suffix(".err")) if output else ()
    ends = ((file, *_end(file)) for file in files)
    return [(file, text, size) for file, text, size in ends if text]


def _end(path: Path) -> tuple[str, int]:
    try:
        descriptor = open_private(path, os.O_RDONLY)
    except OSError:
        return "", 0
    try:
        size = os.fstat(descriptor).st_size
        data = os.pread(descriptor, END_BYTES_MAX, max(0, size - END_BYTES_MAX))
    finally:
        os.close(descriptor)
    if size > len(data):
        data = data.partition(b"\n")[2] or data
    return end_of(data.decode(errors="replace"), END_BYTES_MAX), size


def ends_document(output: Path | None) -> list[dict[str, Any]]:
    """Return the ends of what a command printed, its stdout's before its stderr's, for a document."""
    return [{"file": str(file), "end": text, "size_bytes": size} for file, text, size in ends_of(output)]


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:
        return 0
