"""The two laws: no effect without an event, no event without a signal. What breaks one is stopped at once."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from prodigy.kernel import decide as deciding
from prodigy.kernel import effects as ordering
from prodigy.kernel import events as ev
from prodigy.kernel import moves as mv
from prodigy.kernel.effects import effects
from prodigy.kernel.lifecycle import Epoch
from prodigy.kernel.state import State
from prodigy.kernel.turn import Turn
from prodigy.runtime.host.reactor import Reactor, Record
from tests.kernel.story import exited, given, starts, stop
from tests.simulation.plans import compiled, step

RULES: dict[Any, Any] = deciding.RULES
RUNNING = given(compiled(step("a")), starts("a"))


def test_a_rule_that_changes_the_state_by_hand_breaks_the_first_law(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here the last one of the turn: nobody emits after it."""

    def rest(turn: Turn, move: mv.Rest) -> mv.Moves:
        turn.state = msgspec.structs.replace(turn.state, in_flight=turn.state.in_flight.set("b", Epoch(9)))
        return ()

    monkeypatch.setitem(RULES, mv.Rest, rest)
    with pytest.raises(AssertionError, match="no effect without an event: a rule changed the state by hand"):
        RUNNING.when(stop())


def test_a_later_event_hides_no_change_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is noticed before anything is folded on top of it."""

    def rest(turn: Turn, move: mv.Rest) -> mv.Moves:
        turn.state = msgspec.structs.replace(turn.state, stopping=None)
        turn.emit(ev.RunInterrupted())
        return ()

    monkeypatch.setitem(RULES, mv.Rest, rest)
    with pytest.raises(AssertionError, match="no effect without an event: a rule changed the state by hand"):
        RUNNING.when(stop())


def test_an_effect_that_its_event_does_not_order_breaks_the_first_law(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here a command that claims to be another start of the step than the log has."""
    spawn = ordering._spawn
    monkeypatch.setattr(
        ordering, "_spawn", lambda state, event, epoch: msgspec.structs.replace(spawn(state, event, epoch), epoch=9)
    )
    with pytest.raises(AssertionError, match="no effect without an event: CommandStarted"):
        list(effects(RUNNING.state, starts("a"), RUNNING.state.seq))


def test_a_turn_of_which_the_log_has_only_a_part_breaks_the_first_law() -> None:
    """Nothing of it is performed."""

    class Forgetful:
        def append(self, turn: Sequence[Record], *, sync: bool) -> Sequence[Record]:
            return turn[:-1]

    def publish(state: State, turn: Sequence[Record]) -> None:
        raise AssertionError("it was published")

    state = given(compiled(step("a")), starts("a")).state
    with pytest.raises(AssertionError, match="no effect without an event: the log has not all of this turn"):
        Reactor(state, Forgetful(), publish).handle([exited("a", 3)])


def test_a_rule_that_emits_when_its_signal_is_answered_breaks_the_second_law(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here one that kept the turn, to emit when it likes."""
    kept = list[Turn]()

    def rest(turn: Turn, move: mv.Rest) -> mv.Moves:
        kept.append(turn)
        return ()

    monkeypatch.setitem(RULES, mv.Rest, rest)
    RUNNING.when(stop())
    with pytest.raises(AssertionError, match="no event without a signal"):
        kept[0].emit(ev.RunInterrupted())
