"""The one place where a signal becomes history: decide, append, publish, and only then act.

    signals ─▶ decide ─▶ events ─▶ journal (durable) ─▶ state published ─▶ effects

The reactor knows no clock, no process and no terminal: it returns the effects for somebody else to perform. So the
simulation drives the very same code as a real run does.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from prodigy.kernel.decide import decide
from prodigy.kernel.durability import must_sync
from prodigy.kernel.effects import Effect, effects
from prodigy.kernel.events import Event
from prodigy.kernel.evolve import fold
from prodigy.kernel.signals import Signal, StopRequested
from prodigy.kernel.state import State

Record = tuple[str, Event]


class Journal(Protocol):
    """Where turns go. An append that returns has happened; with `sync`, for ever.

    It returns the turn as a reader gets it: the same, or one whose large values are left where they are kept now.
    """

    def append(self, turn: Sequence[Record], *, sync: bool) -> Sequence[Record]: ...


class Reactor:
    """A run in motion: its state, its journal, and who wants to see every new state."""

    def __init__(self, state: State, journal: Journal, publish: Callable[[State, Sequence[Record]], None]) -> None:
        self.state = state
        self._journal = journal
        self._publish = publish

    def handle(self, signals: Iterable[Signal]) -> list[Effect]:
        """Make one turn of all that waiting signals lead to, and return what the world must now do.

        A stop comes before whatever waits beside it: nobody can tell which was first, and it may have been the cause.

        Raises:
            StorageFailure: the journal refused the turn. Nothing of it has happened; the run must stop.
        """
        state, turn = self.state, list[Record]()
        for signal in sorted(signals, key=_is_no_stop):
            events, state = decide(state, signal)
            turn += [(signal.time, event) for event in events]
        if not turn:
            return []
        is_synced = state.origin is None or state.origin.synced
        sync = is_synced and must_sync(state, (event for _, event in turn))
        written = self._journal.append(turn, sync=sync)
        assert len(written) == len(turn), "no effect without an event: the log has not all of this turn"
        if written is not turn:
            state = fold(self.state, written)
        first = self.state.seq + 1
        self.state = state
        self._publish(state, written)
        return [effect for seq, (_, event) in enumerate(written, start=first) for effect in effects(state, event, seq)]


def _is_no_stop(signal: Signal) -> bool:
    return not isinstance(signal, StopRequested)
