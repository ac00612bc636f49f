"""The rule of going back to an earlier moment, or of beginning with a node that was never entered.

Going back needs no rule: the kernel is given the state of that moment, and resume goes on from it. There is something
to decide only if the operator jumps ahead: what has not settled before the target is bypassed, and logged so.
"""

from itertools import pairwise

from prodigy.kernel import events as ev
from prodigy.kernel.lifecycle import Status
from prodigy.kernel.moves import GoBack, Moves
from prodigy.kernel.queries import failures
from prodigy.kernel.turn import Turn
from prodigy.plan.nodes import Node, Sequence


def go_back(turn: Turn, move: GoBack) -> Moves:
    """Begin a new generation at the moment that the state is of, and bypass what stands before the target."""
    rewind = move.rewind
    turn.record(ev.GenerationStarted, rewind, is_parent_lost=rewind.restored is not None)
    if rewind.restored is not None:
        turn.emit(ev.RunRestored(plan=turn.state.plan, snapshot=rewind.restored))
    if rewind.target is not None:
        path = [rewind.target, *turn.state.plan.ancestors(rewind.target)][::-1]
        for owner, child in pairwise(path):
            _open(turn, turn.node(owner))
            _bypass_before(turn, turn.node(owner), child, rewind.by)
    return ()


def _open(turn: Turn, owner: Node) -> None:
    """Bring a sequence on the way to the target to work, whatever became of it; one that asks first asks still."""
    at = owner.address
    if turn.state.node(at).status is Status.HANDLING:
        turn.emit(ev.NodeFailed(at=at, error=turn.state.node(at).failure))
    if turn.state.node(at).status in (Status.FAILED, Status.SUCCEEDED, Status.HANDLED):
        turn.emit(ev.NodeContinued(at=at))
    if turn.state.node(at).status is Status.SKIPPED:
        turn.emit(ev.NodeReopened(at=at))
    status = turn.state.node(at).status
    is_asked = owner.policy.requires_confirmation and status in (Status.PENDING, Status.AWAITING)
    if status in (Status.PENDING, Status.AWAITING, Status.WAITING) and not is_asked:
        turn.emit(ev.NodeStarted(at=at, attempt=turn.state.node(at).attempt + 1))


def _bypass_before(turn: Turn, owner: Node, target: str, by: str) -> None:
    """Bypass the children before the target that have not settled, or that failed and nobody answered."""
    assert isinstance(owner.body, Sequence), "only a sequence has children"
    failed = set(failures(turn.state, owner))
    for child in owner.body.children[: turn.node(target).index]:
        if not turn.state.node(child).is_settled or child in failed:
            turn.emit(ev.NodeBypassed(at=child, by=by))
