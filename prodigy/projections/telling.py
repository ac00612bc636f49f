"""What a command is called where people read it: its first line that says something, with values where they are known.

build   cc -c a.c        and not        build   set -e for f in ${files}; do …
"""

import re
from contextlib import suppress

from prodigy.kernel.scope import lookup_in
from prodigy.kernel.state import State
from prodigy.plan.nodes import Run
from prodigy.plan.shell import Unrenderable
from prodigy.projections.forecast import shown_command

LINE_CHARS_MAX = 200
_SILENT = re.compile(r"\s*(?:#.*|set\s+[-+].*|:)?")  # a blank line, a comment, an option of the shell


def telling_line(text: str) -> str:
    """Return the line of a script or prompt that says most, cut at 200 characters, with a mark where there are more."""
    lines = [line.strip() for line in text.strip().splitlines()]
    said = [line for line in lines if not _SILENT.fullmatch(line)] or lines or [""]
    line = said[0] if len(said[0]) <= LINE_CHARS_MAX else said[0][:LINE_CHARS_MAX] + "…"
    return f"{line} …" if len(said) > 1 else line


def command_of(state: State, at: str, written: str) -> str:
    """Return `shell: cc -c a.c` of the leaf that begins at an address, as it was `written` where it cannot be told."""
    body = state.plan.node(at).body
    if not isinstance(body, Run):
        return written
    kind = type(body.command).__name__.lower()
    with suppress(ValueError, Unrenderable):  # which the step itself will say
        return f"{kind}: {telling_line(shown_command(body, lookup_in(state, at)))}"
    return written
