"""A turn in the making: the events decided so far, and the state that they lead to.

A signal is answered by a chain of moves: each is a function that emits events and returns the next move, or None when
the world has the word. They are walked in a loop, so nothing recurses however many steps or items there are.
"""

from collections.abc import Callable
from typing import Union

from prodigy.kernel import events as ev
from prodigy.kernel.evolve import evolve
from prodigy.kernel.state import State
from prodigy.plan.nodes import Node

Move = Callable[[], Union["Move", None]]


class Turn:
    """The events decided so far and the state they lead to."""

    def __init__(self, state: State, time: str) -> None:
        self.state = state
        self.time = time
        self.events: list[ev.Event] = []
        self.filling: set[str] = set()  # maps whose loop of beginning items is at work

    def emit(self, event: ev.Event) -> None:
        """Add an event and fold it."""
        self.events.append(event)
        self.state = evolve(self.state, event, self.time)

    def node(self, address: str) -> Node:
        """Return the plan's node at `address`."""
        return self.state.plan.node(address)


def walk(move: Move | None) -> None:
    """Make moves until the world has the word."""
    while move is not None:
        move = move()
