"""What to type: how this program was called, and how commands are shown to people."""

import os
import shutil
import sys
from pathlib import Path


def program() -> str:
    """Return what starts this very program: `prodigy` where the PATH finds it, else its path or `python -m`."""
    called = Path(sys.argv[0])
    if called.name == "__main__.py":
        return f"{_short(Path(sys.executable))} -m prodigy"
    found = shutil.which("prodigy")
    if found and os.path.realpath(found) == os.path.realpath(called):
        return "prodigy"
    return _short(called)


def in_our_words(hint: str) -> str:
    """Return a hint whose commands can be typed as they stand."""
    return hint.replace("`prodigy ", f"`{program()} ")


def _short(path: Path) -> str:
    """A path relative to here where that is shorter."""
    path = Path(os.path.abspath(path))
    relative = os.path.relpath(path)
    return relative if not relative.startswith("..") else str(path)
