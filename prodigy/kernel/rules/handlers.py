"""The rule of handlers: their result decides the fate of the node they belong to."""

from prodigy.kernel import events as ev
from prodigy.kernel.cause import HANDLER_TOO
from prodigy.kernel.lifecycle import Status
from prodigy.kernel.moves import GiveUp, HandlersSettled, Mark, Moves, Settled, Start
from prodigy.kernel.queries import is_held
from prodigy.kernel.turn import Turn


def settled(turn: Turn, move: HandlersSettled) -> Moves:
    """Settle a node by the result of its handlers, or try it again if they were there to repair it."""
    here, policy = turn.state.node(move.at), turn.node(move.at).policy.on_failure
    assert policy is not None, "only handlers settle so"
    handlers = turn.state.node(policy.address)
    if handlers.status is Status.FAILED:
        return (GiveUp(move.at, f"{here.failure}\n{HANDLER_TOO}{handlers.failure}".strip()),)
    if policy.repairs:
        return () if is_held(turn.state, move.at) else (Start(move.at, here.attempt + 1),)
    if policy.fail_workflow:
        return (GiveUp(move.at, here.failure),)
    turn.emit(ev.NodeHandled(at=move.at))
    return (Mark(move.at), Settled(move.at))
