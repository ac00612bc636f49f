"""What an order in the inbox means to a run that is live, and what is said of one that means nothing there."""

import pytest

from prodigy.errors import ProdigyError, RunNotFound, UsageProblem
from prodigy.kernel import events as ev
from prodigy.kernel import signals as sig
from prodigy.kernel.state import State
from prodigy.runtime.orders import live_orders
from prodigy.runtime.orders.live_orders import signal_of
from prodigy.store.orders import (
    Approve,
    Clean,
    Cook,
    Fork,
    GoBack,
    Order,
    Purge,
    Resume,
    Retry,
    StartOver,
    Stop,
    TakeCopy,
)
from tests.kernel.story import NOW, ends
from tests.kernel.test_map import at_work, begins, dies, good, plan

AT_WORK = at_work(plan(max_parallel=2), begins("a"), begins("b"), dies("a", 7), keys="ab").state
DONE = at_work(
    plan(max_parallel=2),
    *(begins("a"), begins("b"), dies("a", 7), ends("map[b].x", 9), *good("b"), ev.NodeSucceeded(at="map")),
    keys="ab",
).state


@pytest.fixture(autouse=True)
def at_a_known_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that happens happens now."""
    monkeypatch.setattr(live_orders, "now", lambda: NOW)


@pytest.mark.parametrize(
    ("order", "state", "expected"),
    [
        (Stop(by="ann"), DONE, sig.StopRequested(time=NOW, by="ann")),
        (Approve(at="x", by="ann"), DONE, sig.Answered(time=NOW, at="x", is_confirmed=True, by="ann")),
        (Retry(by="ann"), AT_WORK, sig.RequeueRequested(time=NOW, at="map", keys=("a",), by="ann")),
        (Purge(by="ann"), AT_WORK, sig.PurgeRequested(time=NOW, at="map", keys=("a",), by="ann", is_live=True)),
        (Purge(by="ann"), DONE, sig.PurgeRequested(time=NOW, at="map", keys=("a",), by="ann", is_live=True)),
    ],
    ids=["stop", "approve", "retry", "purge", "purge of a map that is done"],
)
def test_an_order_is_one_signal(order: Order, state: State, expected: sig.Signal) -> None:
    """Which the kernel then decides on."""
    assert expected == signal_of(order, state)


@pytest.mark.parametrize(
    ("order", "state", "kind"),
    [
        (Retry(by="ann", keys=("b",)), AT_WORK, UsageProblem),
        (Retry(by="ann", filter="item == 'z'"), AT_WORK, RunNotFound),
        (Retry(by="ann", max_parallel=2), AT_WORK, UsageProblem),
        (Retry(by="ann"), DONE, RunNotFound),
        (Purge(by="ann", filter="item == 'z'"), AT_WORK, RunNotFound),
        (Cook(path="a.yaml"), AT_WORK, UsageProblem),
        (Resume(), AT_WORK, UsageProblem),
        (StartOver(), AT_WORK, UsageProblem),
        (GoBack(at="v1"), AT_WORK, UsageProblem),
        (TakeCopy(where="mirror"), AT_WORK, UsageProblem),
        (Fork(at="v1"), AT_WORK, UsageProblem),
        (Clean(by="ann"), AT_WORK, UsageProblem),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_order_that_means_nothing_is_refused(order: Order, state: State, kind: type[ProdigyError]) -> None:
    """With a sentence, and nothing happens."""
    with pytest.raises(kind):
        signal_of(order, state)
