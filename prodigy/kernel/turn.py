"""A turn in the making: the events decided so far, and the state that they lead to.

Events are folded as they are emitted, so every rule sees the state that its predecessors left.
"""

from prodigy.kernel import events as ev
from prodigy.kernel.evolve import evolve
from prodigy.kernel.state import State
from prodigy.plan.nodes import Node


class Turn:
    """The events decided so far and the state they lead to. `time` is the signal's, and so that of all its events."""

    def __init__(self, state: State, time: str) -> None:
        self.state = state
        self.time = time
        self.events: list[ev.Event] = []

    def emit(self, event: ev.Event) -> None:
        """Add an event and fold it."""
        self.events.append(event)
        self.state = evolve(self.state, event, self.time)

    def node(self, address: str) -> Node:
        """Return the plan's node at `address`."""
        return self.state.plan.node(address)
