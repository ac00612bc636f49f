"""Which step is named when something failed, where several have."""

from msgspec.structs import replace

from prodigy.kernel import events as ev
from prodigy.kernel.snapshot import restored, snapshot_of
from tests.kernel.story import breaks, broke, given, run_fails, starts
from tests.kernel.test_map import at_work
from tests.simulation.plans import compiled, mapped, step


def test_an_item_names_the_step_that_failed_it_and_not_one_that_was_tolerated_before() -> None:
    """A dead letter's step, exit code and attempts belong to its error."""
    plan = mapped([], [step("a"), step("b", when="${a.success}"), step("c")], [])
    told = (
        ev.NodeStarted(at="map[k]", attempt=1),
        starts("map[k].a", text="do a"),
        breaks("map[k].a", 7, "tolerated"),
        ev.NodeFailed(at="map[k].a", error="tolerated"),
        ev.NodeSkipped(at="map[k].b", reason="${a.success}, with ${a.success} = false"),
        starts("map[k].c", text="do c"),
    )
    decided = at_work(plan, *told, keys="k").when(broke("map[k].c", 11, "fatal")).events
    settled = next(event for event in decided if isinstance(event, ev.ItemSettled))
    assert settled == ev.ItemSettled(
        at="map", key="k", disposition="dead", error="fatal", step="c", exit_code=1, attempts=1
    )


def test_a_run_that_has_not_failed_has_no_place_where_it_did() -> None:
    """Nor has one that goes on."""
    assert given(compiled(step("a"))).state.failed_at is None


def test_a_snapshot_says_in_empty_texts_that_nothing_failed_and_nobody_stops() -> None:
    """As in every version's checkpoints; what it is taken up as has neither."""
    state = given(compiled(step("a"))).state
    snapshot = snapshot_of(state, {})
    assert (snapshot.failed_at, snapshot.stopping) == ("", "")
    taken_up = restored(snapshot, state.plan)
    assert (taken_up["failed_at"], taken_up["stopping"]) == (None, None)


def test_a_snapshot_of_a_failed_run_keeps_where_it_failed() -> None:
    """And who stopped it."""
    told = (starts("a"), breaks("a", 3), ev.NodeFailed(at="a", error="boom"), run_fails("a"))
    state = given(compiled(step("a")), *told).state
    taken_up = restored(snapshot_of(replace(state, stopping="SIGINT"), {}), state.plan)
    assert (taken_up["failed_at"], taken_up["stopping"]) == ("a", "SIGINT")
