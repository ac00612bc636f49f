"""Two things at once: late timers and answers, two times that end together, more at work than a resume has room for."""

import pytest

from prodigy.kernel import events as ev
from prodigy.kernel import signals as sig
from prodigy.kernel.scope import lookup_in
from prodigy.plan.nodes import ROOT
from tests.kernel.story import (
    NOW,
    Given,
    Told,
    breaks,
    broke,
    ends,
    exited,
    fails,
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
    ended = sig.Exited(time=NOW, at="map[a].x", epoch=9, stopped=True, signal="SIGTERM", duration_s=1.0)
    _, item, of_map, *_ = given(both, *began).when(ended).events
    assert isinstance(item, ev.ItemSettled)
    assert item.error == late_item
    assert of_map == ev.NodeFailed(at="map", error=late_map)


def test_what_awaited_an_answer_when_the_time_ended_is_named_to_the_handlers() -> None:
    """It was at work, if only on a person."""
    asking = in_stages(stage("one", step("a", requires_confirmation=True), timeout=60, on_failure={"shell": "clean"}))
    entered = (ev.NodeStarted(at="one", attempt=1), ev.LimitStarted(at="one", attempt=1, left_s=60.0))
    given(asking, *entered, ev.ConfirmationRequested(at="one.a")).when(
        sig.LimitFired(time=NOW, at="one", attempt=1)
    ).then(
        ev.LimitReached(at="one", timeout_s=60.0),
        ev.HandlingStarted(at="one", error="timed out after 60 s", step="one.a"),
        ev.NodeStarted(at="one.on_failure", attempt=1),
        starts("one.on_failure[0]", text="clean"),
    )


# Answers and handlers while the run stops ---------------------------------------------------------------------


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


def test_a_dead_letter_says_where_its_output_is() -> None:
    """The file of the step that failed."""
    now = at_work(plan(max_parallel=1), begins("a"))
    settled = now.when(exited("map[a].x", 7, exit_code=3, output_file="outputs/x.log")).events[2]
    assert isinstance(settled, ev.ItemSettled)
    assert settled.output_file == "outputs/x.log"
    assert settled.exit_code == 3


# Names and blame -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "label"), [({"id": "made", "name": "Make it"}, "made"), ({"name": "Make it"}, "Make it")]
)
def test_a_version_bears_the_name_of_its_step(keys: dict[str, str], label: str) -> None:
    """Its id, or else the name that people gave it."""
    named = compiled({"shell": "make", "checkpoint": True, **keys})
    at = next(at for at in named.nodes if at != ROOT)
    mark = given(named, starts(at)).when(exited(at, 3)).events[2]
    assert isinstance(mark, ev.CheckpointMarked)
    assert mark.label == label


def test_of_two_unanswered_failures_the_first_is_to_blame() -> None:
    """Each was tolerated for the sake of a later step that never succeeded."""
    asking = compiled(step("a"), step("b"), step("c", when="${a.success} && ${b.success}"))
    told = (starts("a"), breaks("a", 3), fails("a", 1), starts("b"), breaks("b", 7, "bang"))
    decided = given(asking, *told, ev.NodeFailed(at="b", error="bang")).state
    assert decided.node("b").error == "bang"
    ended = given(asking, *told[:-1]).when(exited("b", 7, exit_code=1, stderr="bang\n")).events
    assert isinstance(ended[-1], ev.RunFailed)
    assert ended[-1].at == "a"


# Going ahead ------------------------------------------------------------------------------------------------

BACK = ev.GenerationStarted(generation=2, parent=1, from_seq=9, from_chain="c", version=7, reason="because")


def ahead(target: str) -> sig.Signal:
    return resume(
        rewind=sig.Rewind(
            generation=2, parent=1, from_seq=9, from_chain="c", version=7, reason="because", by="ann", target=target
        )
    )


def test_a_jump_into_a_stage_that_is_being_handled_leaves_its_handlers() -> None:
    """It has failed, and goes on where the operator says."""
    handled = in_stages(stage("one", step("a"), step("b"), on_failure={"shell": "clean"}))
    told = (
        ev.NodeStarted(at="one", attempt=1),
        starts("one.a"),
        breaks("one.a", 4),
        fails("one.a", 1),
        ev.HandlingStarted(at="one", error="boom", step="one.a"),
        ev.NodeStarted(at="one.on_failure", attempt=1),
        starts("one.on_failure[0]", text="clean"),
    )
    given(handled, *told).when(ahead("one.b")).then(
        BACK,
        ev.NodeFailed(at="one", error="boom"),
        ev.NodeContinued(at="one"),
        ev.NodeBypassed(at="one.a", by="ann"),
        resumes(),
        starts("one.b", text="do b"),
    )


def test_a_jump_into_a_stage_that_awaits_a_word_asks_for_it_once_more() -> None:
    """Going ahead is no yes."""
    asked = in_stages(stage("one", step("a"), step("b"), requires_confirmation=True))
    asks = ev.ConfirmationRequested(at="one")
    given(asked, asks).when(ahead("one.b")).then(BACK, ev.NodeBypassed(at="one.a", by="ann"), resumes(), asks)


def test_a_jump_into_a_stage_that_waits_begins_it() -> None:
    """The rest of its wait does not count."""
    tried = in_stages(stage("one", step("a"), step("b"), retry=1))
    told = (ev.NodeStarted(at="one", attempt=1), starts("one.a"), breaks("one.a", 4), fails("one.a", 1))
    given(tried, *told, waits("one", 2, 1.0)).when(ahead("one.b")).then(
        BACK,
        ev.NodeStarted(at="one", attempt=2),
        ev.NodeBypassed(at="one.a", by="ann"),
        resumes(),
        starts("one.b", text="do b"),
    )


def test_a_run_whose_last_step_is_jumped_to_completes_with_it() -> None:
    """What was bypassed has settled."""
    two = compiled(step("a"), step("b"))
    jumped = given(two).when(ahead("b")).then(BACK, ev.NodeBypassed(at="a", by="ann"), resumes(), starts("b"))
    epoch = jumped.in_flight["b"]
    Given(jumped).when(exited("b", epoch)).then(ends("b", epoch), succeeds("b", 8), run_completes())
