"""What a command is called where people read it: the first line of it that says something.

build   shell: cc -c a.c        and not        build   shell: set -e for f in *; do …
"""

import re
from functools import lru_cache

from prodigy.plan.nodes import Map, Node, Run
from prodigy.plan.phrases import clipped

LINE_CHARS_MAX = 200
READ_CHARS_MAX = 4096  # of a script or prompt; what says nothing until there is a preamble that nobody reads
_SILENT = re.compile(r"\s*(?:#.*|set\s+[-+].*|:)?")  # a blank line, a comment, an option of the shell


def headline(node: Node) -> str:
    """Return what a leaf runs, in one line as its author wrote it: `shell: make test`, `map: files.json`."""
    if isinstance(node.body, Map):
        return f"map: {' '.join(as_source(node.body).split())[:LINE_CHARS_MAX]}"
    assert isinstance(node.body, Run), "a sequence runs nothing itself"
    command = node.body.command
    return f"{type(command).__name__.lower()}: {telling_line(command.text)}"


@lru_cache(maxsize=256)
def telling_line(text: str) -> str:
    """Return the line of a script or prompt that says most, cut at 200 characters, with a mark where there is more."""
    lines = [line.strip() for line in text[:READ_CHARS_MAX].strip().splitlines()]
    said = [line for line in lines if not _SILENT.fullmatch(line)] or lines or [""]
    line = clipped(said[0], LINE_CHARS_MAX)
    return f"{line} …" if len(said) > 1 else line


def as_source(body: Map) -> str:
    """Return where a map's items come from, as its author wrote it; of a list how long it is."""
    if body.source.kind == "list":
        return f"a list of {len(body.source.elements)}"
    return "".join(piece if isinstance(piece, str) else piece.text for piece in body.source.text)
