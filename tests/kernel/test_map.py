"""The rules of a map: begin items while there is room, settle them, and know when enough have failed."""

from collections.abc import Sequence
from typing import Any

import pytest

from prodigy.kernel import events as ev
from prodigy.kernel import signals as sig
from prodigy.kernel.items import Items
from prodigy.kernel.lifecycle import Epoch
from prodigy.kernel.scope import lookup_in
from prodigy.kernel.state import State
from prodigy.plan.nodes import Plan
from tests.kernel.story import (
    NOW,
    Given,
    Told,
    breaks,
    broke,
    ends,
    exited,
    fired,
    given,
    interrupted,
    later,
    resume,
    resumes,
    starts,
    stops,
)
from tests.simulation.plans import mapped, step


def plan(**keys: Any) -> Plan:
    """Return a map of one step, and reduce."""
    return mapped([], [step("x")], [step("r")], **keys)


def at_work(plan: Plan, *told: Told, keys: Sequence[str] = "abc") -> Given:
    """Return a run whose map has these items; what is told next has seq 6."""
    listed = ev.ItemsListed(at="map", keys=tuple(keys), items=tuple(keys))
    return given(plan, ev.NodeStarted(at="map", attempt=1), ev.ListingStarted(at="map"), listed, *told)


def begins(key: str) -> tuple[ev.Event, ...]:
    """An item begins; two events, the second is its command's epoch."""
    return ev.NodeStarted(at=f"map[{key}]", attempt=1), starts(f"map[{key}].x", text="do x")


def good(key: str) -> tuple[ev.Event, ...]:
    return ev.NodeSucceeded(at=f"map[{key}].x"), ev.ItemSettled(at="map", key=key, disposition="succeeded")


def bad(key: str, disposition: Any = "dead") -> tuple[ev.Event, ...]:
    settled = ev.ItemSettled(
        at="map", key=key, disposition=disposition, error="boom", step="x", exit_code=1, attempts=1
    )
    return ev.NodeFailed(at=f"map[{key}].x", error="boom"), settled


def dies(key: str, epoch: int) -> tuple[ev.Event, ...]:
    return breaks(f"map[{key}].x", epoch), *bad(key)


def map_fails(error: str, version: int = 1) -> tuple[ev.Event, ...]:
    return (
        ev.NodeFailed(at="map", error=error),
        ev.CheckpointMarked(version=version, at="map"),
        ev.NodeFailed(at="workflow", error=error),
        ev.RunFailed(at="map", error=error),
    )


def reduce_begins(version: int = 1) -> tuple[ev.Event, ...]:
    return (
        ev.NodeSucceeded(at="map"),
        ev.CheckpointMarked(version=version, at="map"),
        ev.NodeStarted(at="reduce", attempt=1),
        starts("reduce.r", text="do r"),
    )


def items_of(state: State) -> Items:
    return state.maps["map"]


def listed(*keys: str, error: str | None = None) -> sig.Signal:
    return sig.Listed(time=NOW, at="map", keys=keys, items=keys, error=error)


LISTING = (ev.NodeStarted(at="map", attempt=1), ev.ListingStarted(at="map"))


def test_as_many_items_begin_as_there_is_room_for() -> None:
    """In their order."""
    facts = ev.ItemsListed(at="map", keys=("a", "b", "c"), items=("a", "b", "c"))
    given(plan(max_parallel=2), *LISTING).when(listed("a", "b", "c")).then(facts, begins("a"), begins("b"))


def test_a_free_place_is_taken_by_the_next() -> None:
    """In the same turn."""
    now = at_work(plan(max_parallel=2), begins("a"), begins("b"))
    now.when(exited("map[b].x", 9)).then(ends("map[b].x", 9), good("b"), begins("c"))


def test_the_exit_of_an_older_epoch_settles_nothing() -> None:
    """The item runs again, and only that end counts."""
    at_work(plan(), begins("a")).when(exited("map[a].x", 6)).then()


def test_zero_items_are_a_result() -> None:
    """Reduce runs."""
    given(plan(), *LISTING).when(listed()).then(ev.ItemsListed(at="map", keys=(), items=()), reduce_begins())


def test_items_that_cannot_be_read_fail_the_map() -> None:
    """With the reason."""
    given(plan(), *LISTING).when(listed(error="items.txt: no such file")).then(map_fails("items.txt: no such file"))


def test_a_limit_that_is_no_number_fails_the_map() -> None:
    """Before any item begins."""
    many = mapped([step("s", capture="n")], [step("x")], [], max_parallel="${n}")
    given(many, *LISTING).when(listed("a")).then(map_fails("max_parallel is '', not a number from 1 to 1000"))


def test_items_are_never_listed_twice() -> None:
    """A second answer changes nothing."""
    at_work(plan(), begins("a")).when(listed("z")).then()


def test_items_that_are_listed_while_the_run_stops_are_not_taken() -> None:
    """Resume asks for them anew."""
    given(plan(), *LISTING, stops()).when(listed("a")).then()


def test_after_a_stop_in_the_listing_they_are_listed_anew() -> None:
    """Nothing was recorded of them."""
    given(plan(), *LISTING, stops(), ev.RunInterrupted()).when(resume()).then(resumes(), ev.ListingStarted(at="map"))


def test_a_stop_counts_no_item_as_failed() -> None:
    """They are at work still, and resume begins them again."""
    state = (
        at_work(plan(), begins("a"), stops()).when(exited("map[a].x", 7, stopped=True)).then(interrupted("map[a].x", 7))
    )
    assert (["a"], 0, 2) == (list(items_of(state).active), items_of(state).dead, items_of(state).pending)


def test_no_item_begins_while_the_run_stops() -> None:
    """Though a place is free."""
    now = at_work(plan(max_parallel=1), begins("a"), stops())
    now.when(exited("map[a].x", 7)).then(ends("map[a].x", 7), good("a"), ev.RunInterrupted())


def test_resume_begins_what_was_at_work_and_the_pending() -> None:
    """What was at work with the same attempt, within the room that there is."""
    now = at_work(plan(max_parallel=2), begins("a"), stops(), interrupted("map[a].x", 7))
    now.when(resume()).then(resumes("map[a].x"), begins("b"), starts("map[a].x", text="do x"))


def test_resume_with_fewer_workers_holds_the_others_back() -> None:
    """What was at work goes on as places become free, before anything new begins."""
    now = at_work(plan(max_parallel=2), begins("a"), begins("b"), stops(), ev.RunInterrupted())
    again = ("map[a].x", "map[b].x")
    told = ev.RunResumed(number=2, max_parallel=1, again=again)
    held = (ev.ItemsHeld(at="map", keys=("b",)), starts("map[a].x", text="do x"))
    resumed = Given(now.when(resume(max_parallel=1)).then(told, *held))
    epoch = resumed.state.seq
    freed = (ends("map[a].x", epoch), *good("a"), ev.ItemsHeld(at="map", keys=()))
    resumed.when(exited("map[a].x", epoch)).then(*freed, starts("map[b].x", text="do x"))


def test_resume_may_change_the_parallelism() -> None:
    """Until the next resume."""
    now = at_work(plan(max_parallel=1), stops(), ev.RunInterrupted())
    told = ev.RunResumed(number=2, max_parallel=3)
    now.when(resume(max_parallel=3)).then(told, begins("a"), begins("b"), begins("c"))


@pytest.mark.parametrize(("policy", "disposition"), [("dlq", "dead"), ("skip", "skipped")])
def test_a_failed_item_is_what_the_policy_says(policy: str, disposition: str) -> None:
    """And the others go on."""
    now = at_work(plan(max_parallel=1, error_policy={"on_item_failure": policy}), begins("a"))
    now.when(broke("map[a].x", 7)).then(breaks("map[a].x", 7), bad("a", disposition), begins("b"))


def test_stop_lets_those_at_work_end() -> None:
    """Nothing further begins."""
    now = at_work(plan(max_parallel=2, error_policy={"on_item_failure": "stop"}), begins("a"), begins("b"))
    failed = ev.NodeFailed(at="map[a]", error="boom")
    step_failed, settled = bad("a", "failed")
    now.when(broke("map[a].x", 7)).then(breaks("map[a].x", 7), step_failed, failed, settled)


def test_an_item_that_stopped_the_map_is_at_work_again_after_resume() -> None:
    """It is one of the failed no more."""
    step_failed, settled = bad("a", "failed")
    failed = (step_failed, ev.NodeFailed(at="map[a]", error="boom"), settled)
    error = "an item failed, and on_item_failure is stop; the first is a: boom"
    now = at_work(
        plan(max_parallel=1, error_policy={"on_item_failure": "stop"}),
        begins("a"),
        breaks("map[a].x", 7),
        failed,
        map_fails(error),
    )
    state = now.when(resume()).state
    assert (["a"], 0, 2) == (list(items_of(state).active), items_of(state).failed, items_of(state).pending)


def test_too_many_failures_end_the_map() -> None:
    """Counted from its beginning."""
    now = at_work(plan(max_parallel=1, error_policy={"max_failures": 1}), begins("a"))
    error = "1 item failed, and max_failures is 1; the first is a: exit 1 · boom"
    now.when(broke("map[a].x", 7)).then(breaks("map[a].x", 7), bad("a"), map_fails(error))


def test_items_that_are_let_go_are_failures_too() -> None:
    """With `skip`, max_failures still is a limit."""
    now = at_work(plan(max_parallel=1, error_policy={"on_item_failure": "skip", "max_failures": 1}), begins("a"))
    assert now.when(broke("map[a].x", 7)).state.failure == "1 item failed, and max_failures is 1"


def test_a_share_of_failures_is_judged_at_the_end_of_a_short_list_too() -> None:
    """Two of three is more than half, though three items say little on the way."""
    policy = {"failure_threshold": 0.5}
    told = (begins("a"), dies("a", 7), begins("b"), dies("b", 12), begins("c"))
    now = at_work(plan(max_parallel=1, error_policy=policy), *told)
    error = "2 of 3 items failed, and failure_threshold is 0.5; the first is a: exit 1 · boom"
    now.when(exited("map[c].x", 17)).then(ends("map[c].x", 17), good("c"), map_fails(error))


def test_when_every_item_failed_the_map_has() -> None:
    """And reduce does not run."""
    now = at_work(plan(), begins("a"), keys="a")
    now.when(broke("map[a].x", 7)).then(
        breaks("map[a].x", 7), bad("a"), map_fails("the only item failed; the first is a: exit 1 · boom")
    )


BREAKER = {"circuit_breaker": {"failure_threshold": 1, "timeout": 30}}


def opens() -> ev.Event:
    return ev.BreakerOpened(at="map", delay_s=30.0, due=later(30))


def test_the_breaker_pauses_the_map() -> None:
    """After so many failures in a row, whatever room there is."""
    now = at_work(plan(max_parallel=1, error_policy=BREAKER), begins("a"))
    now.when(broke("map[a].x", 7)).then(breaks("map[a].x", 7), bad("a"), opens())


def test_after_the_pause_one_item_tries_the_way() -> None:
    """However many could."""
    now = at_work(plan(max_parallel=3, error_policy=BREAKER), begins("a"), dies("a", 7), opens())
    now.when(fired("map", 0)).then(ev.BreakerTried(at="map"), begins("b"))


def test_an_item_that_succeeds_closes_the_breaker() -> None:
    """All places are taken again."""
    told = (begins("a"), dies("a", 7), opens(), ev.BreakerTried(at="map"), begins("b"))
    now = at_work(plan(max_parallel=2, error_policy=BREAKER), *told, keys="abcd")
    now.when(exited("map[b].x", 14)).then(ends("map[b].x", 14), good("b"), begins("c"), begins("d"))


def test_a_trial_that_fails_opens_the_breaker_at_once() -> None:
    """One failure is enough."""
    policy = {"circuit_breaker": {"failure_threshold": 2, "timeout": 30}}
    told = (begins("a"), dies("a", 7), begins("b"), dies("b", 12), opens(), ev.BreakerTried(at="map"), begins("c"))
    now = at_work(plan(max_parallel=1, error_policy=policy), *told, keys="abcd")
    now.when(broke("map[c].x", 19)).then(breaks("map[c].x", 19), bad("c"), opens())


def test_there_is_no_pause_when_nothing_is_left_to_begin() -> None:
    """The map settles."""
    now = at_work(
        plan(max_parallel=1, error_policy=BREAKER), begins("a"), ends("map[a].x", 7), good("a"), begins("b"), keys="ab"
    )
    now.when(broke("map[b].x", 12)).then(breaks("map[b].x", 12), bad("b"), reduce_begins())


def test_a_pause_that_ends_while_the_run_stops_begins_nothing() -> None:
    """Resume tries the way."""
    now = at_work(plan(max_parallel=1, error_policy=BREAKER), begins("a"), dies("a", 7), opens(), stops())
    now.when(fired("map", 0)).then()


def test_resume_in_a_pause_tries_the_way_at_once() -> None:
    """The operator said go on."""
    told = (begins("a"), dies("a", 7), opens(), stops(), ev.RunInterrupted())
    now = at_work(plan(max_parallel=3, error_policy=BREAKER), *told)
    now.when(resume()).then(resumes(), ev.BreakerTried(at="map"), begins("b"))


def test_every_so_many_items_there_is_a_version() -> None:
    """And one at the end of the map."""
    now = at_work(plan(max_parallel=1, checkpoint_frequency=1), begins("a"), keys="a")
    mark = ev.CheckpointMarked(version=1, at="map")
    now.when(exited("map[a].x", 7)).then(ends("map[a].x", 7), good("a"), mark, reduce_begins(2))


def test_the_time_of_a_map_runs_on_after_a_resume() -> None:
    """What was used before is gone."""
    told = (ev.NodeStarted(at="map", attempt=1), ev.LimitStarted(at="map", attempt=1, left_s=10.0))
    now = given(plan(timeout=10), *told, ev.ListingStarted(at="map"), stops(), ev.RunInterrupted())
    rest = ev.LimitStarted(at="map", attempt=1, left_s=10.0)
    now.when(resume()).then(resumes(), rest, ev.ListingStarted(at="map"))


def test_an_item_that_timed_out_can_begin_again() -> None:
    """Its time is new."""
    over = (
        ev.LimitReached(at="map[a]", timeout_s=9.0),
        ev.CommandInterrupted(at="map[a].x", epoch=Epoch(8), duration_s=1.0),
    )
    dead = ev.ItemSettled(at="map", key="a", disposition="dead", error="timed out after 9 s")
    began = (ev.NodeStarted(at="map[a]", attempt=1), ev.LimitStarted(at="map[a]", attempt=1, left_s=9.0))
    now = at_work(plan(agent_timeout=9), *began, starts("map[a].x", text="do x"), *over, dead)
    assert (frozenset(), {}) == (now.state.expired, dict(now.state.in_flight))


def test_a_result_is_seen_in_its_item_only() -> None:
    """By its id there, and nowhere else."""
    seen = at_work(plan(), begins("a"), ends("map[a].x", 7, exit_code=3, error="three"), begins("b")).state
    values = [lookup_in(seen, at)("x") for at in ("map[a].x", "map[b].x", "reduce.r")]
    codes = [value["exit_code"] if known else "unknown" for known, value in values]
    assert [3, None, "unknown"] == codes
