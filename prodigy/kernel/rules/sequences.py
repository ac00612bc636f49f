"""The rules of a sequence: its children one after another, and what it comes to when all have settled."""

from prodigy.kernel.moves import Advance, Enter, Fail, Moves, Succeed
from prodigy.kernel.outcome import Outcome
from prodigy.kernel.queries import failures
from prodigy.kernel.turn import Turn
from prodigy.plan.nodes import Node, Sequence


def advance(turn: Turn, move: Advance) -> Moves:
    """Enter the next unsettled child of a running sequence, or settle it."""
    node = turn.node(move.at)
    assert isinstance(node.body, Sequence), "only a sequence has children"
    children = node.body.children
    for index in range(move.after_index + 1, len(children)):
        if not turn.state.node(children[index]).is_settled:
            return (Enter(children[index]),)
    return _finish(turn, node)


def _finish(turn: Turn, node: Node) -> Moves:
    failed = next(failures(turn.state, node), None)
    if failed is None:
        return (Succeed(node.address),)
    error = f"{turn.state.node(failed).failure} (at {failed}; no later step answered it)"
    return (Fail(node.address, Outcome(error=error)),)
