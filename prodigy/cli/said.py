"""Where all is kept that a command said."""

from pathlib import Path

from prodigy.store.layout import RunFolder


def said_files(folder: RunFolder, output_file: str) -> list[Path]:
    """Return the file with what a command said last: its stderr, else its stdout; none where it said nothing.

    Args:
        output_file: its stdout's, relative to the run's folder, as events have it; empty where nothing was started.
    """
    if not output_file:
        return []
    output = folder.path / output_file
    for file in (output.with_suffix(".err"), output):
        if _size(file):
            return [file]
    return []


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:
        return 0
