"""A captured value that is kept elsewhere is fetched where it is used, and nowhere else."""

import pytest

from prodigy.kernel import events as ev
from prodigy.kernel.scope import lookup_in
from prodigy.plan.stored import Stored
from tests.kernel.story import ends, given, starts
from tests.simulation.plans import compiled, step

PLAN = compiled(step("a", capture_output="x"), step("b"))


def captures(value: Stored) -> tuple[ev.Event, ...]:
    return starts("a"), ends("a", 3), ev.ValueCaptured(at="a", name="x", value=value), ev.NodeSucceeded(at="a")


def test_a_stored_value_is_fetched_when_its_name_is_used() -> None:
    """Whoever asks what the name means gets the value."""
    state = given(PLAN, *captures(Stored("0" * 64, lambda: ["a", "b"]))).state
    assert lookup_in(state, "b")("x") == (True, ["a", "b"])


def test_a_stored_value_that_is_not_used_is_not_fetched() -> None:
    """Neither when it is captured nor when another name is looked up."""
    state = given(PLAN, *captures(Stored("0" * 64, lambda: pytest.fail("fetched for nothing")))).state
    assert lookup_in(state, "b")("y") == (False, None)
