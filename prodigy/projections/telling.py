"""What a command is called where people read it: its first line that says something, with values where they are known.

build   cc -c a.c        and not        build   set -e for f in ${files}; do …
"""

from contextlib import suppress

from prodigy.kernel.scope import lookup_in
from prodigy.kernel.state import State
from prodigy.plan.headline import telling_line
from prodigy.plan.nodes import Run
from prodigy.plan.shell import Unrenderable
from prodigy.projections.forecast import shown_command


def command_of(state: State, at: str, written: str) -> str:
    """Return `shell: cc -c a.c` of the leaf that begins at an address, as it was `written` where it cannot be told."""
    body = state.plan.node(at).body
    if not isinstance(body, Run):
        return written
    kind = type(body.command).__name__.lower()
    with suppress(ValueError, Unrenderable):  # which the step itself will say
        return f"{kind}: {telling_line(shown_command(body, lookup_in(state, at)))}"
    return written
