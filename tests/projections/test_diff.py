"""Two runs side by side: which step is which, and what differs."""

from typing import Any

import msgspec
import pytest

from prodigy.kernel.evolve import fold
from prodigy.kernel.state import State
from prodigy.plan.nodes import Plan
from prodigy.projections.diff import Side, StepPair, VariablePair, difference
from tests.kernel.story import NOW, Told, begun, breaks, ends, fails, flat, starts, succeeds
from tests.simulation.plans import compiled, step


def state(plan: Plan, *told: Told) -> State:
    """Return a run to which all this has happened."""
    return fold(State(), ((NOW, event) for event in flat((*begun(plan), *told))))


def pairs(a: Plan, b: Plan) -> list[tuple[str | None, str | None, tuple[str, ...]]]:
    """Return which steps of two plans stand side by side, and what differs."""
    found = difference(state(a), state(b)).steps
    return [(pair.a.address if pair.a else None, pair.b.address if pair.b else None, pair.differs) for pair in found]


def shell(text: str, **more: Any) -> dict[str, Any]:
    return {"shell": text, **more}


ONE, TWO, THREE = shell("one"), shell("two"), shell("three")


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ([ONE, TWO], [ONE, TWO], [("commands[0]", "commands[0]", ()), ("commands[1]", "commands[1]", ())]),
        ([ONE, TWO], [TWO, ONE], [("commands[0]", "commands[1]", ()), ("commands[1]", "commands[0]", ())]),
        (
            [ONE, TWO],
            [ONE, THREE, TWO],
            [
                ("commands[0]", "commands[0]", ()),
                (None, "commands[1]", ("presence",)),
                ("commands[1]", "commands[2]", ()),
            ],
        ),
        ([ONE, TWO], [ONE], [("commands[0]", "commands[0]", ()), ("commands[1]", None, ("presence",))]),
        ([ONE], [THREE, ONE], [(None, "commands[0]", ("presence",)), ("commands[0]", "commands[1]", ())]),
        (
            [ONE, TWO],
            [ONE, THREE],
            [("commands[0]", "commands[0]", ()), ("commands[1]", "commands[1]", ("definition",))],
        ),
        (
            [step("x")],
            [ONE, shell("other", id="x")],
            [(None, "commands[0]", ("presence",)), ("x", "x", ("definition",))],
        ),
        ([ONE, ONE], [ONE], [("commands[0]", "commands[0]", ()), ("commands[1]", None, ("presence",))]),
        (
            [shell("one", id="x"), shell("two", id="y")],
            [shell("two", id="x"), shell("one", id="y")],
            [("x", "x", ("definition",)), ("y", "y", ("definition",))],
        ),
        ([step("x")], [step("x", when="true")], [("x", "x", ("when",))]),
    ],
    ids=[
        "equal",
        "swapped",
        "new",
        "gone",
        "new before",
        "edited",
        "edited with id",
        "twice the same",
        "ids first",
        "when",
    ],
)
def test_steps_are_matched_by_identity(
    a: list[dict[str, Any]], b: list[dict[str, Any]], expected: list[tuple[str | None, str | None, tuple[str, ...]]]
) -> None:
    """By id, else by what they run, else by place."""
    assert pairs(compiled(*a), compiled(*b)) == expected


def test_a_step_is_shown_with_how_it_ended() -> None:
    """In both runs."""
    plan = compiled(step("a"))
    one = state(plan, starts("a"), ends("a", 3), succeeds("a", 1))
    other = state(plan, starts("a"), breaks("a", 3), fails("a", 1))
    succeeded = Side(
        address="a",
        what="shell: do a",
        when=None,
        status="succeeded",
        attempts=1,
        exit_code=0,
        error=None,
        duration_s=1.0,
    )
    failed = msgspec.structs.replace(succeeded, status="failed", exit_code=1, error="boom")
    assert difference(one, other).steps == (StepPair(a=succeeded, b=failed, differs=("outcome",)),)


def test_handlers_are_compared_where_they_began() -> None:
    """Those that nobody needed are no steps of the run."""
    from prodigy.kernel import events as ev

    plan = compiled(step("a", on_failure={"shell": "clean"}))
    told = (
        starts("a"),
        breaks("a", 3),
        ev.HandlingStarted(at="a"),
        ev.NodeStarted(at="a.on_failure", attempt=1),
        starts("a.on_failure[0]"),
    )
    found = difference(state(plan), state(plan, *told)).steps
    assert [(pair.a is None, pair.b and pair.b.address) for pair in found] == [(False, "a"), (True, "a.on_failure[0]")]


def test_variables_are_compared_by_name() -> None:
    """One that a run does not have is no null; last outputs are no variables of anybody."""
    plan = compiled(step("a"))
    one = msgspec.structs.replace(plan, variables={"same": 1, "other": [1], "mine": None})
    two = msgspec.structs.replace(plan, variables={"same": 1, "other": [2], "yours": 3})
    a = state(one, starts("a"), ends("a", 3, output="hi"))
    found = difference(a, state(two)).variables
    assert [(pair, pair.differs) for pair in found] == [
        (VariablePair(name="same", in_a=True, in_b=True, a=1, b=1), False),
        (VariablePair(name="other", in_a=True, in_b=True, a=[1], b=[2]), True),
        (VariablePair(name="mine", in_a=True, in_b=False, a=None, b=None), True),
        (VariablePair(name="yours", in_a=False, in_b=True, a=None, b=3), True),
    ]


def test_how_long_something_took_is_no_difference() -> None:
    """No two runs take the same time."""
    plan = compiled(step("a"))
    one, other = (state(plan, starts("a"), ends("a", 3, duration_s=took_s)) for took_s in (1.0, 2.0))
    assert difference(one, other).count == 0


def test_everything_that_differs_is_counted_once() -> None:
    """The status, a step, a variable."""
    from prodigy.kernel import events as ev

    plan = compiled(step("a"))
    other = msgspec.structs.replace(compiled(shell("else", id="a")), variables={"x": 1})
    assert difference(state(plan), state(other, ev.RunInterrupted())).count == 3
