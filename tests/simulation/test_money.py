"""Crash at every append, stop at every effect: every dollar is in the ledger once."""

import itertools
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from prodigy.kernel import events as ev
from prodigy.kernel.state import State
from prodigy.plan.nodes import Budget, Plan
from prodigy.projections.costs import costs
from prodigy.projections.statistics import statistics
from tests.simulation.plans import DIE, FAIL, Script, compiled, mapped, step
from tests.simulation.test_crash_everywhere import DEATHS, _stopping_at, play
from tests.simulation.world import CRASH_MODES, OK, Ending, World, history, reached_at, state_on


def asking(id_: str, **keys: Any) -> dict[str, Any]:
    return {"claude": f"do {id_}", "id": id_, **keys}


def cases() -> dict[str, tuple[Plan, Script, list[str]]]:
    """Return plans with claude in them, the script of their world, and their items."""
    return {
        "two steps": (compiled(asking("a"), step("b"), asking("c")), {}, []),
        "retried": (compiled(asking("a", retry=2), asking("b")), {"a": [FAIL, DIE, OK]}, []),
        "given up": (compiled(asking("a", retry=1), asking("b")), {"a": [FAIL]}, []),
        "not to be repeated": (compiled(asking("a", on_interrupt="fail"), asking("b")), {}, []),
        "handled": (compiled(asking("a", on_failure={"claude": "mend"}), asking("b")), {"a": [FAIL]}, []),
        "weather": (
            mapped([], [asking("x")], [asking("r")], max_parallel=2),
            {
                "map[p].x": [Ending(no_fault=("weather", "weather"))],
                "map[q].x": [Ending(no_fault=("weather",))],
                "reduce.r": [Ending(no_fault=("weather",))],
            },
            ["p", "q", "s", "t"],
        ),
        "a budget": (
            replace(mapped([], [asking("x")], [], max_parallel=3), budget=Budget(usd=50, per_step=20)),
            {},
            ["p", "q", "s", "t"],
        ),
        "ended by the budget": (
            replace(mapped([], [asking("x")], [], max_parallel=2), budget=Budget(usd=1000)),
            {"map[p].x": [Ending(no_fault=("budget",))]},
            ["p", "q", "s"],
        ),
        "a map": (
            mapped([], [asking("x", retry=1)], [asking("r")], max_parallel=2),
            {"map[p].x": [FAIL], "map[q].x": [FAIL, OK]},
            ["p", "q", "s"],
        ),
    }


CASES = cases()


def check(world: World) -> None:
    """Assert that the ledger has every process once, and what is known of its cost."""
    ledger, bank = world.state.ledger, world.bank
    booked = sum(1 for _, event in history(world.disk) if is_booking(world.state, event))
    assert ledger.attempts == booked
    assert ledger.exact + ledger.estimated + ledger.unknown == len(bank.charged)
    assert ledger.exact + ledger.estimated == len(bank.known)
    assert ledger.spent_usd == pytest.approx(sum(bank.known.values()))
    assert 0 <= ledger.wasted_usd <= ledger.spent_usd
    assert ledger.estimated_usd == pytest.approx(sum(bank.known[epoch] for epoch in bank.estimated()))
    assert ledger == state_on(world.disk).ledger
    if world.state.is_over:
        assert world.state.reserved_usd == 0
    told, _ = costs((msgspec.to_builtins(event) for _, event in history(world.disk)), "step")
    assert (told.attempts, told.unknown) == (ledger.attempts, ledger.unknown)
    assert told.spent_usd == pytest.approx(ledger.spent_usd)
    assert told.estimated_usd == pytest.approx(ledger.estimated_usd)
    assert told.wasted_usd == pytest.approx(ledger.wasted_usd)
    counted = statistics({"time": time, **msgspec.to_builtins(event)} for time, event in history(world.disk))
    assert counted.cost_usd == pytest.approx(ledger.spent_usd)
    assert counted.attempts_of_unknown_cost == ledger.unknown


def is_booking(state: State, event: ev.Event) -> bool:
    if isinstance(event, ev.CostBooked):
        return True
    if not isinstance(event, ev.CommandFinished | ev.CommandInterrupted):
        return False
    return state.plan.template(event.at).is_claude and event.cost_kind != "booked"


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("mode", CRASH_MODES)
def test_every_dollar_is_booked_once_wherever_it_crashes(name: str, mode: Any) -> None:
    """Known exactly, estimated, or known to be unknown; what never began cost nothing."""
    plan, script, items = CASES[name]
    calm, _ = play(plan, script, {}, items=items)
    check(calm)
    assert calm.state.is_over
    for append in range(1, calm.disk.appends + 1):
        world, _ = play(plan, script, {append: mode}, items=items)
        check(world)
        assert world.state.is_over


@pytest.mark.parametrize("name", ["retried", "a map"])
def test_every_dollar_is_booked_once_though_recovery_crashes_too(name: str) -> None:
    """At each of its first appends, in each way."""
    plan, script, items = CASES[name]
    calm, _ = play(plan, script, {}, items=items)
    for append, later in itertools.product(range(1, calm.disk.appends + 1), (1, 2)):
        for first, second in itertools.product(CRASH_MODES, repeat=2):
            world, _ = play(plan, script, {append: first, append + later: second}, items=items)
            check(world)


@pytest.mark.parametrize("mode", CRASH_MODES)
def test_weather_fails_nothing_and_is_waited_out_wherever_it_crashes(mode: Any) -> None:
    """All items are done, in one attempt each; nothing is paid again that succeeded, or begun anew that could go on."""
    plan, script, items = CASES["weather"]
    calm, _ = play(plan, script, {}, items=items)
    for append in range(1, calm.disk.appends + 1):
        world, _ = play(plan, script, {append: mode}, items=items)
        done = world.state.maps["map"]
        assert (world.state.status, done.succeeded, done.dead) == ("completed", 4, 0), f"crashed {mode} append {append}"
        assert {item.attempts for item in done.settled.values()} == {1}
        assert again(world) == []


def again(world: World) -> list[str]:
    """Return the steps that began once more although they had succeeded, or anew although they could go on."""
    done, cut, bad = set[str](), set[str](), list[str]()
    for _, event in history(world.disk):
        match event:
            case ev.CommandStarted():
                bad += [event.at] * (event.at in done or (event.at in cut and not event.resumes))
                cut.discard(event.at)
            case ev.CommandFinished(error=None):
                done.add(event.at)
            case ev.CommandFinished(fault="weather"):
                cut.add(event.at)
            case ev.CostBooked() | ev.CommandInterrupted() if event.cost_kind != "nothing":
                cut.add(event.at)
    return bad


@pytest.mark.parametrize("name", CASES)
def test_every_dollar_is_booked_once_wherever_it_is_stopped(name: str) -> None:
    """By us, or by what stops everything."""
    plan, script, items = CASES[name]
    calm, _ = play(plan, script, {}, items=items)
    for moment in range(calm.effects - 1):
        watches = [_stopping_at(moment), *(reached_at(moment, death, commands_first=True) for death in DEATHS)]
        for watch in watches:
            world = World(plan, script)
            world.items = list(items)
            world.watch = watch
            if world.cook().status == "interrupted":
                check(world)
                world.watch = lambda world, effect: None
                world.resume()
            check(world)
