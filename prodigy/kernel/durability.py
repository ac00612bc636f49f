"""Which turns must be on disk before anything may depend on them.

A result, an order of the operator, a wake time: synced. A start is not, for a lost one costs nothing, resume would run
that command again anyway; except where a second start does cost: money (claude), or what the author guards with
`checkpoint` or `on_interrupt`.
"""

from collections.abc import Iterable

from prodigy.kernel import events as ev
from prodigy.kernel.state import State
from prodigy.plan.nodes import Node

_CHEAP_TO_LOSE = frozenset[type[ev.Event]](
    (
        ev.NodeStarted,
        ev.LimitStarted,
        ev.ConfirmationRequested,
        ev.HandlingStarted,
        ev.NodeSkipped,
        ev.NodeReopened,
        ev.NodeContinued,
        ev.ListingStarted,
        ev.RunRested,
    )
)


def must_sync(state: State, events: Iterable[ev.Event]) -> bool:
    """Whether this turn must be durable before its effects. `state` is the fold up to and including it."""
    for event in events:
        if isinstance(event, ev.CommandStarted):
            if is_guarded(state.plan.node(event.at)):
                return True
        elif type(event) not in _CHEAP_TO_LOSE:
            return True
    return False


def is_guarded(node: Node) -> bool:
    """Whether the start of this leaf must be durable before its command runs."""
    return node.is_claude or node.policy.checkpoint or node.policy.on_interrupt != "rerun"
