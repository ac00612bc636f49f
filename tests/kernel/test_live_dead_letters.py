"""Orders about the dead letters of a map that is at work: what they make room for begins at once."""

import pytest

from prodigy.kernel import events as ev
from prodigy.kernel import signals as sig
from tests.kernel.story import NOW, ends, fired, later, stops
from tests.kernel.test_map import BREAKER, at_work, begins, dies, good, plan

TWO = plan(max_parallel=2)


def retry(*keys: str) -> sig.Signal:
    return sig.RequeueRequested(time=NOW, at="map", keys=keys, by="ann")


def purge(*keys: str, is_live: bool = True) -> sig.Signal:
    return sig.PurgeRequested(time=NOW, at="map", keys=keys, by="ann", is_live=is_live)


def put_back(*keys: str) -> ev.Event:
    return ev.ItemsRequeued(at="map", keys=keys, by="ann")


def given_up(*keys: str) -> ev.Event:
    return ev.DeadLettersPurged(at="map", keys=keys, by="ann")


def test_what_is_put_back_begins_where_there_is_room() -> None:
    """Anew, beside what is at work."""
    run = at_work(TWO, begins("a"), begins("b"), dies("a", 7), keys="ab")
    run.when(retry("a")).then(put_back("a"), begins("a"))


def test_without_room_it_waits_for_its_turn() -> None:
    """In the order of the list."""
    run = at_work(plan(max_parallel=1), begins("a"), dies("a", 7), begins("b"))
    run.when(retry("a")).then(put_back("a"))


def test_in_a_run_that_stops_nothing_begins() -> None:
    """The next resume finds it among the pending."""
    run = at_work(TWO, begins("a"), begins("b"), dies("a", 7), stops(), keys="ab")
    assert 1 == run.when(retry("a")).then(put_back("a")).maps["map"].pending


def test_of_a_map_that_is_done_nothing_is_put_back() -> None:
    """What was built on its result would be wrong."""
    done = (begins("a"), begins("b"), dies("a", 7), ends("map[b].x", 9), *good("b"), ev.NodeSucceeded(at="map"))
    at_work(TWO, *done, keys="ab").when(retry("a")).then()


@pytest.mark.parametrize("order", [retry("a", "b", "c"), purge("a", "b", "c")], ids=["retry", "purge"])
def test_only_dead_letters_are_meant(order: sig.Signal) -> None:
    """Not what is at work, and not what has not begun."""
    run = at_work(TWO, begins("a"), begins("b"), dies("a", 7), keys="ab")
    told = run.when(order).events[0]
    assert told in (put_back("a"), given_up("a"))


@pytest.mark.parametrize("first", [retry("a"), purge("a")], ids=["retry", "purge"])
@pytest.mark.parametrize("second", [retry("a"), purge("a")], ids=["retry", "purge"])
def test_the_second_order_about_the_same_changes_nothing(first: sig.Signal, second: sig.Signal) -> None:
    """Two people may give one each."""
    run = at_work(TWO, begins("a"), begins("b"), dies("a", 7), keys="ab")
    run._replace(state=run.when(first).state).when(second).then()


def test_what_was_given_up_is_no_failure_any_more() -> None:
    """A map that had enough of them goes on."""
    run = at_work(plan(max_parallel=2, error_policy={"max_failures": 1}), begins("a"), begins("b"), dies("a", 7))
    run.when(purge("a")).then(given_up("a"), begins("c"))


def test_where_nobody_plays_the_run_giving_up_begins_nothing() -> None:
    """There is nobody to start it: the next resume does."""
    run = at_work(plan(max_parallel=2, error_policy={"max_failures": 1}), begins("a"), begins("b"), dies("a", 7))
    run.when(purge("a", is_live=False)).then(given_up("a"))


def test_in_a_run_that_has_come_to_rest_giving_up_begins_nothing() -> None:
    """Its owner may still hear of it."""
    policy = {"max_failures": 1}
    paused = ev.RunPaused(at="map[b].x", reason="it waits for confirmation")
    run = at_work(plan(max_parallel=2, error_policy=policy), begins("a"), begins("b"), dies("a", 7), paused)
    run.when(purge("a")).then(given_up("a"))


def test_whoever_puts_back_closes_the_breaker() -> None:
    """The item is the trial, and the end of the pause means nothing any more."""
    opened = ev.BreakerOpened(at="map", delay_s=30.0, due=later(30.0))
    run = at_work(plan(max_parallel=1, error_policy=BREAKER), begins("a"), dies("a", 7), opened, keys="ab")
    when = run.when(retry("a"))
    when.then(put_back("a"), begins("a"))
    run._replace(state=when.state).when(fired("map", 0)).then()
