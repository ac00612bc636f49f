"""A changed workflow file: every clause of that paragraph, as given and then."""

from typing import Any

import pytest

from prodigy.kernel.align import Alignment, align
from prodigy.kernel.signals import Revision
from prodigy.kernel.state import State
from prodigy.plan.nodes import Plan
from tests.simulation.plans import FAIL, Script, compiled, in_stages, mapped, stage, step
from tests.simulation.world import OK, World, stopped_at

FAILED_B: Script = {"b": [FAIL]}


def shell(text: str, **keys: Any) -> dict[str, Any]:
    """Return a step without an id."""
    return {"shell": text, **keys}


def failed_at_second(*steps: dict[str, Any]) -> State:
    """Return a run whose second step failed; the first has succeeded."""
    world = World(compiled(*steps), {"b": [FAIL], "commands[1]": [FAIL]})
    return world.cook()


def conflicts(state: State, plan: Plan) -> tuple[str, ...]:
    return align(state, plan).conflicts


def revised(world: World, plan: Plan) -> Revision:
    alignment = align(world.state, plan)
    return Revision(plan=plan, workflow_text="", moved=alignment.moved, dropped=alignment.dropped)


def started(world: World) -> list[str]:
    return [start.at for start in world.starts]


def test_the_same_file_moves_nothing() -> None:
    """And conflicts with nothing."""
    state = failed_at_second(step("a"), step("b"))
    assert align(state, compiled(step("a"), step("b"))) == Alignment(moved={}, dropped=(), conflicts=())


@pytest.mark.parametrize(
    "change",
    [
        {"name": "first"},
        {"retry": 3},
        {"timeout": 9},
        {"when": "true"},
        {"on_failure": {"shell": "clean"}},
        {"checkpoint": True},
    ],
)
def test_policy_of_a_finished_step_may_change_freely(change: dict[str, Any]) -> None:
    """Name, retry, timeout, when, handlers: what it ran is the same."""
    state = failed_at_second(step("a"), step("b"))
    assert conflicts(state, compiled(step("a", **change), step("b"))) == ()


@pytest.mark.parametrize(
    "change",
    [{"shell": "do more"}, {"env": {"X": "1"}}, {"working_dir": "x"}, {"interpreter": "bash"}, {"capture": "x"}],
)
def test_what_a_finished_step_runs_may_not_change(change: dict[str, Any]) -> None:
    """Text, env, folder, interpreter, capture: resume stops and names it."""
    state = failed_at_second(step("a"), step("b"))
    edited = compiled({**step("a"), **change}, step("b"))
    assert conflicts(state, edited) == ("a has finished, and its text was changed",)


def test_a_failed_step_takes_the_new_text() -> None:
    """Whoever mends the failing step and resumes must simply succeed."""
    world = World(compiled(step("a"), step("b")), {"b": [FAIL, OK]})
    world.cook()
    plan = compiled(step("a"), {**step("b"), "shell": "do better"})
    assert world.resume(revision=revised(world, plan)).status == "completed"
    assert [start.text for start in world.starts] == ["do a", "do b", "do better"]


def test_a_failed_step_without_id_takes_the_text_in_its_place() -> None:
    """And its attempt numbers go on."""
    world = World(compiled(shell("one"), shell("two")), {"commands[1]": [FAIL, OK]})
    world.cook()
    state = world.resume(revision=revised(world, compiled(shell("one"), shell("TWO"))))
    assert (state.status, state.node("commands[1]").attempt) == ("completed", 2)


def test_a_step_is_found_again_by_its_id_wherever_it_went() -> None:
    """A renamed workflow key, an unfinished step moved behind: its result goes with it."""
    state = failed_at_second(step("a"), step("b"), step("c"))
    alignment = align(state, compiled(step("a"), step("c"), step("b")))
    assert alignment == Alignment(moved={}, dropped=(), conflicts=())


def test_a_step_without_id_is_found_again_by_what_it_runs() -> None:
    """Here one that is new and not yet due stands behind it."""
    state = failed_at_second(shell("one"), shell("two"))
    alignment = align(state, compiled(shell("one"), shell("new"), shell("two")))
    assert alignment == Alignment(moved={"commands[1]": "commands[2]"}, dropped=(), conflicts=())


def test_a_finished_step_that_gets_an_id_is_still_found() -> None:
    """By its definition."""
    state = failed_at_second(shell("one"), shell("two"))
    alignment = align(state, compiled(shell("one", id="first"), shell("two")))
    assert alignment == Alignment(moved={"commands[0]": "first"}, dropped=(), conflicts=())


def test_a_new_step_in_the_place_of_a_finished_one_is_a_change() -> None:
    """A finished step without id and without match counts as changed."""
    state = failed_at_second(shell("one"), shell("two"))
    edited = compiled(shell("ONE"), shell("two"))
    assert conflicts(state, edited) == ("commands[0] has finished, and its text was changed",)


def test_steps_without_an_id_are_named_as_they_stand_today_with_their_lines() -> None:
    """A new step moves all that follow: that `commands[0]` stands before `commands[0]` said nothing."""
    state = failed_at_second(shell("do a"), shell("do b"))
    edited = compiled(shell("new"), shell("do a"), shell("do b"))
    said = "commands[0] (line 1) is new and stands before commands[1] (line 1), which has finished"
    assert conflicts(state, edited) == (said,)


def test_a_finished_step_that_was_removed_is_no_conflict() -> None:
    """Nothing stands in its place."""
    state = failed_at_second(step("a"), step("b"))
    assert align(state, compiled(step("b"))) == Alignment(moved={}, dropped=("a",), conflicts=())


def test_a_new_step_before_a_finished_one_is_a_conflict() -> None:
    """History would be rewritten."""
    state = failed_at_second(step("a"), step("b"))
    edited = compiled(step("new"), step("a"), step("b"))
    assert conflicts(state, edited) == ("new is new and stands before a, which has finished",)


def test_an_unfinished_step_moved_before_a_finished_one_is_a_conflict() -> None:
    """It had not run when that one did."""
    state = failed_at_second(step("a"), step("b"))
    assert conflicts(state, compiled(step("b"), step("a"))) == (
        "b has not finished and now stands before a, which has",
    )


def test_a_new_step_before_a_failed_one_runs_first() -> None:
    """The way to mend what the failed step needs."""
    world = World(compiled(step("a"), step("b")), {"b": [FAIL, OK]})
    world.cook()
    world.resume(revision=revised(world, compiled(step("a"), step("new"), step("b"))))
    assert started(world) == ["a", "b", "new", "b"]


def test_accepted_changes_let_results_stand() -> None:
    """`--accept-changes`: the finished step is not run again, whatever its text says now."""
    world = World(compiled(shell("one"), shell("two")), {"commands[1]": [FAIL, OK]})
    world.cook()
    state = world.resume(revision=revised(world, compiled(shell("ONE"), shell("TWO"))))
    assert (state.status, started(world)) == ("completed", ["commands[0]", "commands[1]", "commands[1]"])


def test_accepted_changes_run_a_new_step_before_a_finished_one() -> None:
    """It is unfinished, so it runs; what has finished stands."""
    world = World(compiled(step("a"), step("b")), {"b": [FAIL, OK]})
    world.cook()
    world.resume(revision=revised(world, compiled(step("new"), step("a"), step("b"))))
    assert started(world) == ["a", "b", "new", "b"]


def test_a_skipped_step_may_change() -> None:
    """It never ran; decided again, it runs its new text."""
    plan = compiled(step("a"), step("b", when="${a.success}"))
    world = World(plan, {"a": [FAIL, OK]})
    world.cook()
    edited = compiled(step("a"), {**step("b", when="${a.success}"), "shell": "do better"})
    assert conflicts(world.state, edited) == ()
    world.resume(revision=revised(world, edited))
    assert [start.text for start in world.starts] == ["do a", "do a", "do better"]


def test_what_is_new_in_the_place_of_a_skipped_step_runs() -> None:
    """The skip was of another step."""
    world = World(compiled(step("a"), shell("x", when="false"), step("b")), {"b": [FAIL, OK]})
    world.cook()
    world.resume(revision=revised(world, compiled(step("a"), shell("y"), step("b"))))
    assert started(world) == ["a", "b", "commands[1]", "b"]


def test_a_step_in_flight_that_was_removed_does_not_run_again() -> None:
    """Nor does anything else of it remain."""
    world = World(compiled(step("a"), step("b")))
    world.watch = stopped_at("a")
    world.cook()
    state = world.resume(revision=revised(world, compiled(step("b"))))
    assert (state.status, started(world), sorted(state.nodes)) == ("completed", ["a", "b"], ["b", "workflow"])


def test_a_failed_last_step_that_was_removed_completes_the_run() -> None:
    """Everything that is left has succeeded."""
    world = World(compiled(step("a"), step("b")), FAILED_B)
    world.cook()
    assert world.resume(revision=revised(world, compiled(step("a")))).status == "completed"


def test_a_tolerance_that_was_edited_away_does_not_hide_a_failure() -> None:
    """Nobody asks about it any more, so at the end it counts."""
    world = World(compiled(step("a"), step("b"), step("c", when="${a.exit_code} != 0")), {"a": [FAIL]})
    world.watch = stopped_at("b")
    world.cook()
    state = world.resume(revision=revised(world, compiled(step("a"), step("b"), step("c"))))
    assert (state.status, state.failed_at) == ("failed", "a")


# Handlers -------------------------------------------------------------------------------------------------

TWO = [shell("one"), shell("two")]


def test_handlers_may_change_freely_even_where_they_ran() -> None:
    """The owner had failed; it runs again and its handlers are new."""
    world = World(compiled(step("a", on_failure=TWO)), {"a": [FAIL], "a.on_failure[1]": [FAIL]})
    world.cook()
    edited = compiled(step("a", on_failure=[shell("ONE"), shell("two")]))
    assert conflicts(world.state, edited) == ()


def test_handlers_of_a_handled_step_may_change_freely() -> None:
    """The step is handled, and stands."""
    world = World(compiled(step("a", on_failure=TWO), step("b")), {"a": [FAIL], "b": [FAIL]})
    world.cook()
    assert conflicts(world.state, compiled(step("a", on_failure=shell("ONE")), step("b"))) == ()


def test_a_handler_edited_while_it_ran_runs_its_new_text() -> None:
    """The owner is not run again."""
    world = World(compiled(step("a", on_failure=shell("one"))), {"a": [FAIL]})
    world.watch = stopped_at("a.on_failure[0]")
    world.cook()
    state = world.resume(revision=revised(world, compiled(step("a", on_failure=shell("ONE")))))
    assert (state.status, [start.text for start in world.starts]) == ("completed", ["do a", "one", "ONE"])


def test_handlers_removed_while_they_ran_leave_a_failed_step() -> None:
    """It runs again, as failed steps do."""
    world = World(compiled(step("a", on_failure=shell("one"))), {"a": [FAIL, OK]})
    world.watch = stopped_at("a.on_failure[0]")
    world.cook()
    state = world.resume(revision=revised(world, compiled(step("a"))))
    assert (state.status, started(world)) == ("completed", ["a", "a.on_failure[0]", "a"])


def test_a_new_step_before_one_that_is_being_handled() -> None:
    """It runs first; then the handler goes on, and the owner is not run again."""
    world = World(compiled(step("a", on_failure=shell("one"))), {"a": [FAIL]})
    world.watch = stopped_at("a.on_failure[0]")
    world.cook()
    world.resume(revision=revised(world, compiled(step("new"), step("a", on_failure=shell("one")))))
    assert started(world) == ["a", "a.on_failure[0]", "new", "a.on_failure[0]"]


# Elsewhere: into another sequence, and inside items.


def test_a_finished_step_in_another_stage_is_found_by_its_id() -> None:
    """That is a conflict; where it is accepted its result stands."""
    world = World(in_stages(stage("one", step("a"), step("t")), stage("two", step("b"))), {"two.b": [FAIL, OK]})
    world.cook()
    edited = in_stages(stage("one", step("a")), stage("two", step("b"), step("t")))
    assert conflicts(world.state, edited) == ("one.t has finished, and was moved to two.t",)
    state = world.resume(revision=revised(world, edited))
    assert (state.status, started(world)) == ("completed", ["one.a", "one.t", "two.b", "two.b"])


def test_stages_that_become_a_list_of_steps_keep_their_results() -> None:
    """Each is found by its id."""
    world = World(in_stages(stage("one", step("a"), step("t")), stage("two", step("b"))), {"two.b": [FAIL, OK]})
    world.cook()
    state = world.resume(revision=revised(world, compiled(step("a"), step("t"), step("b"))))
    assert (state.status, started(world)[:3], started(world)[3:]) == ("completed", ["one.a", "one.t", "two.b"], ["b"])


ITEM = "map[i1]"


def in_an_item() -> World:
    """Return a run that was stopped in the second step of an item; the first has finished."""
    world = World(mapped([], [step("x"), step("y")], [], max_parallel=1), {})
    world.items = ["i1", "i2"]
    world.watch = stopped_at(f"{ITEM}.y")
    world.cook()
    return world


def test_a_step_that_finished_in_an_item_under_way_may_not_change() -> None:
    """Nor be swapped with one that has not, nor may anything new be put before it."""
    state = in_an_item().state
    changed = mapped([], [step("x", shell="other"), step("y")], [], max_parallel=1)
    swapped = mapped([], [step("y"), step("x")], [], max_parallel=1)
    put_before = mapped([], [step("new"), step("x"), step("y")], [], max_parallel=1)
    assert conflicts(state, changed) == ("map[].x has finished, and its text was changed",)
    assert conflicts(state, swapped) == ("map[].y has not finished and now stands before map[].x, which has",)
    assert conflicts(state, put_before) == ("map[].new is new and stands before map[].x, which has finished",)


def test_a_step_that_no_item_has_finished_may_change() -> None:
    """The one in flight takes the new text."""
    edited = mapped([], [step("x"), step("y", shell="other")], [], max_parallel=1)
    assert conflicts(in_an_item().state, edited) == ()
