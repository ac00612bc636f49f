"""Two things at once: late timers and answers, two times that end together, more at work than a resume has room for."""

import pytest
from msgspec.structs import replace

from prodigy.kernel import effects as fx
from prodigy.kernel import events as ev
from prodigy.kernel import signals as sig
from prodigy.kernel.effects import effects
from prodigy.kernel.evolve import fold
from prodigy.kernel.lifecycle import Epoch
from prodigy.kernel.scope import lookup_in
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
    later,
    resume,
    resumes,
    run_completes,
    starts,
    stops,
    succeeds,
    waits,
)
from tests.kernel.test_map import at_work, bad, begins, dies, good, map_fails, plan, reduce_begins
from tests.simulation.plans import compiled, in_stages, mapped, stage, step

BREAKER = {"circuit_breaker": {"failure_threshold": 1, "timeout": 30}}
OPENED = ev.BreakerOpened(at="map", delay_s=30.0, due=later(30))


def answer(at: str) -> sig.Signal:
    return sig.Answered(time=NOW, at=at, is_confirmed=True, by="ann")


# Late timers ------------------------------------------------------------------------------------------------


def test_the_timer_of_an_earlier_wait_does_not_shorten_the_next() -> None:
    """The second try has failed as well, and waits for longer."""
    told = (starts("a"), breaks("a", 3), waits("a", 2, 1.0), starts("a", 2), breaks("a", 6), waits("a", 3, 2.0))
    given(compiled(step("a", retry=3)), *told).when(fired("a", 2)).then()


def test_the_timer_of_a_pause_that_is_over_tries_no_way() -> None:
    """An item has found it open, and all places are taken again."""
    told = (begins("a"), dies("a", 7), OPENED, ev.BreakerTried(at="map"), begins("b"), ends("map[b].x", 14), good("b"))
    again = (begins("c"), begins("d"))
    now = at_work(plan(max_parallel=2, error_policy=BREAKER), *told, *again, keys="abcde")
    now.when(fired("map", 0)).then()


def test_the_timer_of_a_pause_tries_no_way_before_the_items_are_known() -> None:
    """The map was begun anew from the start, and still reads them."""
    now = given(plan(error_policy=BREAKER), ev.NodeStarted(at="map", attempt=1), ev.ListingStarted(at="map"))
    now.when(fired("map", 0)).then()


def test_the_timer_of_a_pause_begins_nothing_in_a_map_whose_time_was_over() -> None:
    """Its handlers are at work."""
    timed = plan(max_parallel=1, timeout=50, error_policy=BREAKER, on_failure={"shell": "tell"})
    began = (
        ev.NodeStarted(at="map", attempt=1),
        ev.LimitStarted(at="map", attempt=1, left_s=50.0),
        ev.ListingStarted(at="map"),
        ev.ItemsListed(at="map", keys=("a", "b"), items=("a", "b")),
    )
    paused = given(timed, *began, begins("a"), dies("a", 8), OPENED)
    handled = paused.when(sig.LimitFired(time=NOW, at="map", attempt=1)).state
    assert list(handled.in_flight) == ["map.on_failure[0]"]
    Given(handled).when(fired("map", 0)).then()


# Times that end together ------------------------------------------------------------------------------------


def test_an_item_and_its_map_whose_times_are_over_fail_in_that_order() -> None:
    """What became of the item is recorded before the map fails."""
    late_item, late_map = "timed out after 9 s", "timed out after 50 s"
    began = (
        ev.NodeStarted(at="map", attempt=1),
        ev.LimitStarted(at="map", attempt=1, left_s=50.0),
        ev.ListingStarted(at="map"),
        ev.ItemsListed(at="map", keys=("a",), items=("a",)),
        ev.NodeStarted(at="map[a]", attempt=1),
        ev.LimitStarted(at="map[a]", attempt=1, left_s=9.0),
        starts("map[a].x", text="do x"),
        ev.LimitReached(at="map[a]", timeout_s=9.0),
        ev.LimitReached(at="map", timeout_s=50.0),
    )
    both = mapped([], [step("x")], [], agent_timeout=9, timeout=50)
    ended = sig.Exited(time=NOW, at="map[a].x", epoch=Epoch(9), stopped=True, signal="SIGTERM", duration_s=1.0)
    _, item, of_map, *_ = given(both, *began).when(ended).events
    assert isinstance(item, ev.ItemSettled)
    assert item.error == late_item
    assert of_map == ev.NodeFailed(at="map", error=late_map)


def test_a_stage_is_tried_again_where_retry_on_names_its_timeout() -> None:
    """Its end is a timeout like that of a step."""
    retry = {"attempts": 2, "initial_delay": 5, "backoff": "fixed", "jitter": False, "retry_on": ["timeout"]}
    tried = in_stages(stage("one", step("a", requires_confirmation=True), timeout=60, retry=retry))
    entered = (ev.NodeStarted(at="one", attempt=1), ev.LimitStarted(at="one", attempt=1, left_s=60.0))
    late = sig.LimitFired(time=NOW, at="one", attempt=1)
    given(tried, *entered, ev.ConfirmationRequested(at="one.a")).when(late).then(
        ev.LimitReached(at="one", timeout_s=60.0), waits("one", 2, 5.0)
    )


def test_half_a_second_is_time_that_is_left() -> None:
    """A stage goes on for it after a resume."""
    timed = in_stages(stage("one", step("a"), timeout=60))
    entered = (ev.NodeStarted(at="one", attempt=1), ev.LimitStarted(at="one", attempt=1, left_s=60.0), starts("one.a"))
    state = given(timed, *entered).state
    late = replace(state, time=later(59.5))
    stopped = fold(late, [(later(59.5), stops()), (later(59.5), ev.RunInterrupted())])
    limit = ev.LimitStarted(at="one", attempt=1, left_s=0.5, spent_s=59.5)
    assert limit in Given(stopped).when(resume(time=later(3600))).events


# Answers and handlers while the run stops ---------------------------------------------------------------------


def test_a_stop_ends_all_that_is_in_flight_in_the_order_of_their_addresses() -> None:
    """Each once."""
    state = at_work(plan(max_parallel=5), *(begins(key) for key in "ecabd"), keys="ecabd").state
    ends_of = [effect.at for effect in effects(state, stops(), state.seq + 1) if isinstance(effect, fx.Terminate)]
    assert ends_of == [f"map[{key}].x" for key in "abcde"]


def test_the_end_of_a_maps_time_ends_its_items_in_the_order_of_their_addresses() -> None:
    """All of them."""
    state = at_work(plan(max_parallel=5, timeout=50), *(begins(key) for key in "ecabd"), keys="ecabd").state
    reached = ev.LimitReached(at="map", timeout_s=50.0)
    ends_of = [effect.at for effect in effects(state, reached, state.seq + 1) if isinstance(effect, fx.Terminate)]
    assert ends_of == [f"map[{key}].x" for key in "abcde"]


def test_a_yes_to_a_run_that_paused_begins_nothing() -> None:
    """Nobody was there; the word that comes after needs a resume."""
    asked = compiled(step("a", requires_confirmation=True))
    told = (ev.ConfirmationRequested(at="a"), ev.RunPaused(at="a", reason="a waits for confirmation"))
    given(asked, *told).when(answer("a")).then()


def test_a_repaired_step_is_not_tried_again_while_the_run_stops() -> None:
    """The handler's end beats the stop; resume tries the step."""
    repairing = compiled(step("a", on_failure={"commands": [{"shell": "mend"}], "max_attempts": 2}))
    handlers = "a.on_failure"
    told = (
        starts("a"),
        breaks("a", 3),
        ev.HandlingStarted(at="a"),
        ev.NodeStarted(at=handlers, attempt=1),
        starts(f"{handlers}[0]", text="mend"),
        stops(),
    )
    given(repairing, *told).when(exited(f"{handlers}[0]", 7)).then(
        ends(f"{handlers}[0]", 7),
        succeeds(f"{handlers}[0]", 1),
        ev.NodeSucceeded(at=handlers),
        ev.RunInterrupted(),
    )


# Items ------------------------------------------------------------------------------------------------------


def test_what_a_resume_has_no_room_for_is_held_in_the_order_of_the_list() -> None:
    """Not in that of the alphabet."""
    told = (begins("c"), begins("a"), begins("b"), stops(), ev.RunInterrupted())
    now = at_work(plan(max_parallel=3), *told, keys="cab")
    again = tuple(f"map[{key}].x" for key in "abc")
    now.when(resume(max_parallel=1)).then(
        ev.RunResumed(number=2, again=again, max_parallel=1),
        ev.ItemsHeld(at="map", keys=("a", "b")),
        starts("map[c].x", text="do x"),
    )


def test_results_are_in_the_order_of_the_list() -> None:
    """Whichever item ended first, and whatever the alphabet says."""
    collected = mapped([], [step("x")], [{"shell": "sum ${map.results}"}], max_parallel=3)
    ended = ((ends(f"map[{key}].x", epoch, output=f"of {key}"), *good(key)) for key, epoch in (("b", 11), ("a", 9)))
    last = (ends("map[c].x", 7, output="of c"), *good("c"))
    now = at_work(collected, begins("c"), begins("a"), begins("b"), *ended, last, keys="cab")
    _, value = lookup_in(now.state, "reduce[0]")("map")
    assert [row["item"] for row in value["results"]] == ["c", "a", "b"]


def test_of_two_limits_for_the_items_at_work_the_smaller_one_holds() -> None:
    """Processes are dearer than items: `max_processes` below `max_parallel`, and the other way round."""
    items = ev.ItemsListed(at="map", keys=tuple("abc"), items=tuple("abc"))
    for keys in ({"max_parallel": 3, "max_processes": 1}, {"max_parallel": 1, "max_processes": 3}):
        listing = (ev.NodeStarted(at="map", attempt=1), ev.ListingStarted(at="map"))
        signal = sig.Listed(time=NOW, at="map", keys=tuple("abc"), items=tuple("abc"))
        given(plan(**keys), *listing).when(signal).then(items, begins("a"))


@pytest.mark.parametrize(
    ("most", "is_taken"), [("1", True), ("1000", True), ("0", False), ("1001", False), ("x", False)]
)
def test_a_limit_that_a_step_yields_is_taken_within_its_range(most: str, is_taken: bool) -> None:
    """The first and the last number are in it."""
    counting = mapped([step("s", capture="most")], [step("x")], [], max_parallel="${most}")
    setup = (ev.NodeStarted(at="setup", attempt=1), starts("setup.s"), ends("setup.s", 4))
    listing = (ev.NodeStarted(at="map", attempt=1), ev.ListingStarted(at="map"))
    told = (*setup, ev.ValueCaptured(at="setup.s", name="most", value=most), ev.NodeSucceeded(at="setup.s"))
    listed = sig.Listed(time=NOW, at="map", keys=("a",), items=("a",))
    events = given(counting, *told, ev.NodeSucceeded(at="setup"), *listing).when(listed).events
    assert isinstance(events[0], ev.ItemsListed if is_taken else ev.NodeFailed)


def test_a_share_of_ten_items_says_something() -> None:
    """Of nine it does not, while there are more to come."""
    keys = [f"k{number}" for number in range(12)]

    def after(count: int) -> list[ev.Event]:
        told: list[Told] = [begins(key) for key in keys[:count]]
        told += [dies(key, 7 + 2 * place) for place, key in enumerate(keys[: count - 1])]
        policy = {"failure_threshold": 0.5}
        now = at_work(plan(max_parallel=count, error_policy=policy), *told, keys=keys)
        return now.when(exited(f"map[{keys[count - 1]}].x", 5 + 2 * count)).events

    assert after(9)[3:5] == list(begins("k9"))
    assert after(10)[-1] == ev.RunFailed(
        at="map",
        error="9 of 10 items failed, and failure_threshold is 0.5; the first is k0: exit 1 · boom",
    )


def test_what_had_failed_before_a_resume_does_not_count_again() -> None:
    """Neither as a failure nor in the number of those that settled: a share is of what came after."""
    policy = {"failure_threshold": 0.4}
    told = (begins("a"), dies("a", 7), begins("b"), dies("b", 12), begins("c"), dies("c", 17))
    error = "3 of 3 items failed, and failure_threshold is 0.4; the first is a: exit 1 · boom"
    failed = at_work(plan(max_parallel=1, error_policy=policy), *told, map_fails(error))
    requeue = sig.Requeue(at="map", keys=("a", "b"), by="ann", reduces=True)
    begun = failed.when(resume(requeue=requeue)).state
    epoch = begun.in_flight["map[a].x"]
    second = Given(begun).when(exited("map[a].x", epoch)).state
    third = Given(second).when(exited("map[b].x", second.in_flight["map[b].x"]))
    third.then(ends("map[b].x", second.in_flight["map[b].x"]), good("b"), reduce_begins(2))


def test_items_that_end_as_they_begin_settle_their_map_once() -> None:
    """Each takes its place and leaves it in the same turn; the last look finds the map settled."""
    skipping = mapped([], [step("x", when="false")], [step("r")], max_parallel=2)
    listing = (ev.NodeStarted(at="map", attempt=1), ev.ListingStarted(at="map"))
    signal = sig.Listed(time=NOW, at="map", keys=tuple("abc"), items=tuple("abc"))
    events = given(skipping, *listing).when(signal).events
    assert [event.key for event in events if isinstance(event, ev.ItemSettled)] == ["a", "b", "c"]
    assert events.count(ev.NodeSucceeded(at="map")) == 1
    assert events[-1] == starts("reduce.r", text="do r")


def test_items_that_come_after_the_time_of_their_map_are_not_taken() -> None:
    """Its handlers are at work."""
    timed = plan(timeout=50, on_failure={"shell": "tell"})
    began = (
        ev.NodeStarted(at="map", attempt=1),
        ev.LimitStarted(at="map", attempt=1, left_s=50.0),
        ev.ListingStarted(at="map"),
    )
    handled = given(timed, *began).when(sig.LimitFired(time=NOW, at="map", attempt=1)).state
    assert dict(handled.in_flight) == {"map.on_failure[0]": handled.seq}
    Given(handled).when(sig.Listed(time=NOW, at="map", keys=("a",), items=("a",))).then()


def test_a_place_is_given_to_one_of_those_that_are_held() -> None:
    """The others wait on, and nothing new begins before them."""
    told = (*(begins(key) for key in "abc"), stops(), ev.RunInterrupted())
    again = tuple(f"map[{key}].x" for key in "abc")
    began = (
        ev.RunResumed(number=2, again=again, max_parallel=1),
        ev.ItemsHeld(at="map", keys=("b", "c")),
        starts("map[a].x", text="do x"),
    )
    now = at_work(plan(max_parallel=3), *told, *began, keys="abcd")
    now.when(exited("map[a].x", 16)).then(
        ends("map[a].x", 16), good("a"), ev.ItemsHeld(at="map", keys=("c",)), starts("map[b].x", text="do x")
    )


def test_a_map_of_one_success_and_one_item_let_go_has_succeeded() -> None:
    """Only where every item failed has the map."""
    policy = {"on_item_failure": "skip"}
    told = (begins("a"), ends("map[a].x", 7), good("a"), begins("b"))
    now = at_work(plan(max_parallel=1, error_policy=policy), *told, keys="ab")
    now.when(broke("map[b].x", 12)).then(breaks("map[b].x", 12), bad("b", "skipped"), reduce_begins())


def test_the_first_failure_that_is_told_is_the_first_of_the_list() -> None:
    """Not of the alphabet, nor of the clock."""
    now = at_work(plan(max_parallel=2), begins("b"), begins("a"), dies("a", 9), keys="ba")
    now.when(broke("map[b].x", 7)).then(
        breaks("map[b].x", 7), bad("b"), map_fails("every one of 2 items failed; the first is b: exit 1 · boom")
    )


def test_an_item_that_fails_in_a_pause_begins_no_second_one() -> None:
    """It was at work when the breaker opened."""
    told = (begins("a"), begins("b"), dies("a", 7), OPENED)
    now = at_work(plan(max_parallel=2, error_policy=BREAKER), *told, keys="abc")
    now.when(broke("map[b].x", 9)).then(breaks("map[b].x", 9), bad("b"))


def test_a_map_that_has_failed_enough_begins_no_pause() -> None:
    """It fails at once."""
    policy = {"max_failures": 1, "circuit_breaker": {"failure_threshold": 1, "timeout": 30}}
    now = at_work(plan(max_parallel=1, error_policy=policy), begins("a"))
    error = "1 item failed, and max_failures is 1; the first is a: exit 1 · boom"
    now.when(broke("map[a].x", 7)).then(breaks("map[a].x", 7), bad("a"), map_fails(error))


def test_items_whose_handlers_an_edit_took_away_fail_in_the_order_of_their_addresses() -> None:
    """Several were handled at once."""
    before = mapped([], [step("x", on_failure={"shell": "mend"})], [], max_parallel=5)
    handled = (
        (begins(key), breaks(f"map[{key}].x", 7 + 4 * n), ev.HandlingStarted(at=f"map[{key}].x"))
        for n, key in enumerate("ecabd")
    )
    told = [event for group in handled for event in group]
    state = at_work(before, *told, stops(), ev.RunInterrupted(), keys="ecabd")
    revision = sig.Revision(plan=mapped([], [step("x")], [], max_parallel=5), workflow_text="")
    events = state.when(resume(revision=revision)).events
    assert [event.at for event in events if isinstance(event, ev.NodeFailed)] == [f"map[{key}].x" for key in "abcde"]


def test_a_dead_letter_says_where_its_output_is() -> None:
    """The file of the step that failed."""
    now = at_work(plan(max_parallel=1), begins("a"))
    settled = now.when(exited("map[a].x", 7, exit_code=3, output_file="outputs/x.log")).events[2]
    assert isinstance(settled, ev.ItemSettled)
    assert settled.output_file == "outputs/x.log"
    assert settled.exit_code == 3


def test_items_that_were_at_work_go_on_in_the_order_of_the_list() -> None:
    """As they began."""
    told = (*(begins(key) for key in "cab"), stops(), ev.RunInterrupted())
    now = at_work(plan(max_parallel=3), *told, keys="cab")
    now.when(resume()).then(
        resumes(*(f"map[{key}].x" for key in "abc")), *(starts(f"map[{key}].x", text="do x") for key in "cab")
    )


def test_a_map_that_is_tried_again_puts_its_dead_letters_back_in_the_order_of_the_list() -> None:
    """Whichever failed first; what succeeded stands."""
    policy = {"max_failures": 2}
    told = (begins("c"), begins("a"), begins("b"), ends("map[b].x", 11), good("b"), dies("a", 9), dies("c", 7))
    again = waits("map", 2, 1.0)
    now = at_work(plan(max_parallel=3, retry=1, error_policy=policy), *told, again, keys="cab")
    now.when(fired("map", 2)).then(
        ev.NodeStarted(at="map", attempt=2), ev.ItemsRequeued(at="map", keys=("c", "a")), begins("c"), begins("a")
    )


def test_items_that_stopped_their_map_are_taken_up_in_the_order_of_the_list() -> None:
    """Two failed before the map came to rest."""
    policy = {"on_item_failure": "stop"}

    def stopped(key: str, epoch: int) -> tuple[ev.Event, ...]:
        step_failed, settled = bad(key, "failed")
        return breaks(f"map[{key}].x", epoch), step_failed, ev.NodeFailed(at=f"map[{key}]", error="boom"), settled

    error = "an item failed, and on_item_failure is stop; the first is b: exit 1 · boom"
    told = (begins("b"), begins("a"), stopped("b", 7), stopped("a", 9), map_fails(error))
    events = at_work(plan(max_parallel=2, error_policy=policy), *told, keys="ba").when(resume()).events
    assert [event.at for event in events if isinstance(event, ev.NodeContinued)][-2:] == ["map[b]", "map[a]"]
    assert [event.at for event in events if isinstance(event, ev.CommandStarted)] == ["map[b].x", "map[a].x"]


def test_dead_letters_that_are_put_back_leave_what_came_before_the_map() -> None:
    """Setup stands; reduce begins anew."""
    whole = mapped([step("s")], [step("x")], [step("r")])
    done = (
        ev.NodeStarted(at="setup", attempt=1),
        starts("setup.s"),
        ends("setup.s", 4),
        succeeds("setup.s", 1),
        ev.NodeSucceeded(at="setup"),
        ev.NodeStarted(at="map", attempt=1),
        ev.ListingStarted(at="map"),
        ev.ItemsListed(at="map", keys=("a", "b"), items=("a", "b")),
        begins("a"),
        dies("a", 12),
        begins("b"),
        ends("map[b].x", 17),
        good("b"),
        reduce_begins(2),
        ends("reduce.r", 23),
        succeeds("reduce.r", 3),
        ev.NodeSucceeded(at="reduce"),
        run_completes(),
    )
    requeue = sig.Requeue(at="map", keys=("a",), by="ann")
    events = given(whole, *done).when(resume(requeue=requeue)).events
    assert [event.at for event in events if isinstance(event, ev.NodeReopened)] == ["reduce"]
    assert events[-1] == starts("map[a].x", text="do x")


def test_what_fails_again_after_a_resume_is_a_share_of_what_came_after() -> None:
    """One of the two that were put back, whatever lies there from before."""
    policy = {"failure_threshold": 0.4}
    told = (begins("a"), dies("a", 7), begins("b"), dies("b", 12), begins("c"), dies("c", 17))
    error = "3 of 3 items failed, and failure_threshold is 0.4; the first is a: exit 1 · boom"
    failed = at_work(plan(max_parallel=1, error_policy=policy), *told, map_fails(error))
    requeue = sig.Requeue(at="map", keys=("a", "b"), by="ann", reduces=True)
    begun = failed.when(resume(requeue=requeue)).state
    second = Given(begun).when(broke("map[a].x", begun.in_flight["map[a].x"])).state
    ended = Given(second).when(exited("map[b].x", second.in_flight["map[b].x"])).events
    again = "1 of 2 items failed, and failure_threshold is 0.4; the first is a: exit 1 · boom"
    assert ended[-1] == ev.RunFailed(at="map", error=again)


def test_of_no_items_none_has_failed() -> None:
    """Whatever share may."""
    began = (ev.NodeStarted(at="map", attempt=1), ev.ListingStarted(at="map"))
    none = sig.Listed(time=NOW, at="map", keys=(), items=())
    given(plan(error_policy={"failure_threshold": 0.5}), *began).when(none).then(
        ev.ItemsListed(at="map", keys=(), items=()), reduce_begins()
    )
