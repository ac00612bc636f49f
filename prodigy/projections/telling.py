"""What a command is called where people read it: its first line that says something, with values where they are known.

build   cc -c a.c        and not        build   set -e for f in ${files}; do …
"""

from collections import Counter
from contextlib import suppress
from typing import Any

from prodigy.kernel.scope import lookup_in
from prodigy.kernel.state import State
from prodigy.plan.headline import headline, telling_line
from prodigy.plan.nodes import Node, Plan, Run
from prodigy.plan.reference import Lookup
from prodigy.projections.forecast import shown_command


def told_later(state: State, at: str) -> str:
    """Return `shell: cc -c a.c` for a leaf, with the values that it certainly had when it ran.

    A name that several steps capture may have had another value then, so it is shown as written.
    """
    node = state.plan.node(at)
    known, again = lookup_in(state, at), _captured_again(state.plan)

    def lookup(name: str) -> tuple[bool, Any]:
        return (False, None) if name in again else known(name)

    return _filled(node, lookup, headline(node))


def _captured_again(plan: Plan) -> set[str]:
    """Return the names whose value changes during the run: the latest outputs, and captures of more than one step."""
    named = Counter(node.policy.capture for node in plan.nodes.values())
    changing = {name for name, count in named.items() if name and (count > 1 or name in plan.variables)}
    return changing | {"shell", "claude"}


def command_of(state: State, at: str, written: str) -> str:
    """Return `shell: cc -c a.c` of the leaf that begins at an address, as it was `written` where it cannot be told."""
    return _filled(state.plan.node(at), lookup_in(state, at), written)


def _filled(node: Node, lookup: Lookup, written: str) -> str:
    if isinstance(node.body, Run):
        with suppress(ValueError):  # which the step itself will say
            kind = type(node.body.command).__name__.lower()
            return f"{kind}: {telling_line(shown_command(node.body, lookup))}"
    return written
