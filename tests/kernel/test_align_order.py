"""An edited file, where the order of steps is what matters: what stood before what, and which takes whose place."""

from typing import Any

from prodigy.kernel import events as ev
from prodigy.kernel.align import Alignment, align
from prodigy.kernel.state import State
from prodigy.plan.nodes import Plan
from tests.kernel.story import Told, breaks, ends, fails, given, starts, succeeds
from tests.simulation.plans import compiled, in_stages, stage, step


def text(words: str, **keys: Any) -> dict[str, Any]:
    """Return a step without an id."""
    return {"shell": words, **keys}


def done(at: str, epoch: int, version: int = 1) -> tuple[Told, ...]:
    return starts(at), ends(at, epoch), succeeds(at, version)


def state_of(plan: Plan, *told: Told) -> State:
    return given(plan, *told).state


def test_handlers_go_where_their_step_goes() -> None:
    """A new step was put before it while they ran."""
    before = compiled(text("a", on_failure=text("mend")))
    handling = (ev.HandlingStarted(at="commands[0]"), ev.NodeStarted(at="commands[0].on_failure", attempt=1))
    at = "commands[0].on_failure[0]"
    state = state_of(before, starts("commands[0]"), breaks("commands[0]", 3), *handling, starts(at))
    found = align(state, compiled(text("new"), text("a", on_failure=text("mend"))))
    assert found.conflicts == ()
    assert found.dropped == ()
    assert found.moved == {
        "commands[0]": "commands[1]",
        "commands[0].on_failure": "commands[1].on_failure",
        at: "commands[1].on_failure[0]",
    }


def test_a_failed_step_may_go_to_another_stage() -> None:
    """It begins anew there: only what has finished stands where it stood."""
    before = in_stages(stage("one", step("a")), stage("two", step("b")))
    entered = ev.NodeStarted(at="one", attempt=1)
    state = state_of(before, entered, starts("one.a"), breaks("one.a", 4), fails("one.a", 1))
    found = align(state, in_stages(stage("one", step("c")), stage("two", step("b"), step("a"))))
    assert found.conflicts == ()


def test_of_a_failed_and_a_finished_step_the_new_text_is_the_failed_ones() -> None:
    """One new step takes the place of two."""
    told = (*done("commands[0]", 3), starts("commands[1]"), breaks("commands[1]", 7), fails("commands[1]", 2))
    found = align(state_of(compiled(text("a"), text("b")), *told), compiled(text("c")))
    assert found.moved == {"commands[1]": "commands[0]"}
    assert found.dropped == ("commands[0]",)


def test_of_three_new_texts_for_two_steps_each_old_one_has_its_own() -> None:
    """In their order; the last is new."""
    told = (*done("commands[0]", 3), starts("commands[1]"), breaks("commands[1]", 7), fails("commands[1]", 2))
    found = align(state_of(compiled(text("a"), text("b")), *told), compiled(text("c"), text("d"), text("e")))
    assert found == Alignment(moved={}, dropped=(), conflicts=("commands[0] has finished, and its text was changed",))


def test_conflicts_are_told_in_the_order_of_the_file() -> None:
    """Of steps that were changed between others, and of those that changed places."""
    old = compiled(text("a"), step("m"), text("b"), step("n"), text("c"))
    told = (*done("commands[0]", 3), *done("m", 7, 2), *done("commands[2]", 11, 3), *done("n", 15, 4))
    told = (*told, *done("commands[4]", 19, 5))
    found = align(state_of(old, *told), compiled(text("x"), step("m"), text("y"), step("n"), text("z")))
    changed = tuple(f"commands[{place}] has finished, and its text was changed" for place in (0, 2, 4))
    assert tuple(conflict for conflict in found.conflicts if "changed" in conflict) == changed
    two = state_of(compiled(step("a"), step("b")), *done("a", 3), *done("b", 7, 2))
    swapped = align(two, compiled(step("b", shell="other"), step("a", shell="other")))
    assert swapped.conflicts == tuple(f"{at} has finished, and its text was changed" for at in ("b", "a"))


def test_a_tolerated_failure_stands_before_what_finished_after_it() -> None:
    """It stood there before the edit too, right before it or not."""
    for between in ((), (step("m"),)):
        plan = compiled(step("a", allow_failure=True), *between, step("b"), step("c"))
        told: tuple[Told, ...] = (starts("a"), breaks("a", 3), fails("a", 1))
        told += done("m", 7, 2) if between else ()
        state = state_of(plan, *told, *done("b", 11 if between else 7, 3))
        edited = compiled(step("a", allow_failure=True, shell="other"), *between, step("b"), step("c"))
        assert align(state, edited) == Alignment(moved={}, dropped=(), conflicts=())


def test_a_stage_and_a_step_never_take_each_others_place() -> None:
    """Though they bear one name."""
    state = state_of(compiled(step("one")), starts("one"), breaks("one", 3), fails("one", 1))
    found = align(state, in_stages(stage("one", step("a"))))
    assert found == Alignment(moved={}, dropped=("one",), conflicts=())


def test_a_step_that_has_a_name_is_found_by_it_alone() -> None:
    """Not by another that runs the same and is called otherwise."""
    plan = compiled(text("same", id="a"), text("same", id="b"))
    state = state_of(plan, *done("a", 3))
    assert align(state, compiled(text("same", id="b"), text("same", id="a"))).conflicts == (
        "b has not finished and now stands before a, which has",
    )
