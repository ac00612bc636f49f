"""A turn in the making: the events decided so far, and the state that they lead to.

Events are folded as they are emitted, so every rule sees the state that its predecessors left.
"""

from functools import cache
from typing import Any

import msgspec

from prodigy.kernel import events as ev
from prodigy.kernel.evolve import evolve
from prodigy.kernel.state import State
from prodigy.plan.nodes import Node

_NO_EVENT = "no effect without an event: a rule changed the state by hand, and no log would say so"


class Turn:
    """The events decided so far and the state they lead to. `time` is the signal's, and so that of all its events.

    Here the two laws are kept: a rule changes nothing but by emitting an event, and emits only while a signal is
    answered.
    """

    def __init__(self, state: State, time: str) -> None:
        self.state = self._folded = state
        self.time = time
        self.events: list[ev.Event] = []
        self._is_open = True

    def emit(self, event: ev.Event) -> None:
        """Add an event and fold it."""
        assert self._is_open, "no event without a signal: the one that this turn answered has been answered"
        assert self.state is self._folded, _NO_EVENT
        self.events.append(event)
        self.state = self._folded = evolve(self.state, event, self.time)

    def record(self, kind: type[ev.Event], said: msgspec.Struct, **more: Any) -> None:
        """Emit an event of this kind: what it shares by name with what was `said` is handed on, but for `more`."""
        handed = {name: getattr(said, name) for name in _shared(kind, type(said))}
        handed.update(more)
        self.emit(kind(**handed))

    def close(self) -> None:
        """The signal has been answered: nothing more can be added."""
        assert self.state is self._folded, _NO_EVENT
        self._is_open = False

    def node(self, address: str) -> Node:
        """Return the plan's node at `address`."""
        return self.state.plan.node(address)


@cache
def _shared(kind: type[msgspec.Struct], said: type[msgspec.Struct]) -> tuple[str, ...]:
    return tuple(name for name in kind.__struct_fields__ if name in said.__struct_fields__)
