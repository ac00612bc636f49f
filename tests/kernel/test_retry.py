"""How often, and how long between: budgets, backoff, jitter, wake times."""

from typing import Any

import pytest

from prodigy.kernel.retry import attempts_allowed, delay_before, due_at, elapsed_s, remaining_s
from prodigy.plan.nodes import Node
from tests.kernel.story import NOW, given, later
from tests.simulation.plans import compiled, step


def node(**retry: Any) -> Node:
    return compiled(step("a", retry={"attempts": 9, **retry})).nodes["a"]


BACKOFFS: dict[str, tuple[dict[str, Any], list[float]]] = {
    "by default": ({}, [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]),
    "fixed": ({"backoff": "fixed", "initial_delay": 3}, [3.0, 3.0, 3.0, 3.0, 3.0, 3.0, 3.0]),
    "linear": ({"backoff": "linear", "initial_delay": 2}, [2.0, 4.0, 6.0, 8.0, 10.0, 12.0, 14.0]),
    "exponential": ({"backoff": "exponential", "max_delay": 5}, [1.0, 2.0, 4.0, 5.0, 5.0, 5.0, 5.0]),
    "fibonacci": ({"backoff": "fibonacci"}, [1.0, 1.0, 2.0, 3.0, 5.0, 8.0, 13.0]),
}


@pytest.mark.parametrize("name", BACKOFFS)
def test_delays_grow_as_the_backoff_says(name: str) -> None:
    """And never exceed the largest."""
    retry, expected = BACKOFFS[name]
    assert [delay_before(node(**retry), tries=tries) for tries in range(1, 8)] == expected


def test_jitter_is_the_same_in_every_replay() -> None:
    """It shortens a delay by up to a half, and depends on the step and the try alone."""
    delays = [delay_before(node(backoff="fixed", jitter=True), tries=tries) for tries in range(1, 101)]
    again = [delay_before(node(backoff="fixed", jitter=True), tries=tries) for tries in range(1, 101)]
    assert delays == again
    assert all(0.5 <= delay < 1.0 for delay in delays)
    assert min(delays) < 0.55 and max(delays) > 0.95, "they are spread over all of it"
    assert len(set(delays)) == len(delays)


def test_a_thousand_tries_do_not_overflow() -> None:
    """The largest delay holds for ever."""
    assert delay_before(node(), tries=1000) == 30.0


@pytest.mark.parametrize(("retry", "expected"), [(None, 1), (2, 3), (0, 1), ({"attempts": 2}, 2), ("${n}", 6)])
def test_a_budget_counts_the_first_attempt(retry: Any, expected: int) -> None:
    """`retry: N` is N further ones, `attempts: N` is all of them."""
    plan = compiled(step("a", retry=retry) if retry is not None else step("a"), variables={"n": "5"})
    assert attempts_allowed(given(plan).state, plan.nodes["a"]) == expected


@pytest.mark.parametrize("value", ["many", "-1", "1001", "00000000099999", "1.5", "", "٣"])
def test_a_budget_that_is_no_count_allows_one_attempt(value: str) -> None:
    """The attempt is rejected with the reason; it must not be tried again for that."""
    plan = compiled(step("a", retry="${n}"), variables={"n": value})
    assert attempts_allowed(given(plan).state, plan.nodes["a"]) == 1


def test_the_far_future_is_its_last_day() -> None:
    """A wait beyond the calendar does not break the run."""
    assert due_at(NOW, 1e15) == "9999-12-31T23:59:59.999999Z"


@pytest.mark.parametrize(("passed_s", "expected"), [(0, 4.0), (1, 3.0), (4, 0.0), (99, 0.0), (-99, 4.0)])
def test_what_is_left_of_a_wait_is_between_nothing_and_all(passed_s: int, expected: float) -> None:
    """Whatever the clock did meanwhile."""
    assert remaining_s(later(passed_s), due=later(4), delay_s=4.0) == expected


def test_no_time_has_passed_from_or_to_a_moment_that_is_not_known() -> None:
    """Nor where the clock went back."""
    assert [elapsed_s("", NOW), elapsed_s(NOW, ""), elapsed_s(later(5), NOW)] == [0.0, 0.0, 0.0]
    assert elapsed_s(NOW, later(5)) == 5.0
