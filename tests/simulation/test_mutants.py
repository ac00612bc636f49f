"""Do the tests bite? Each known bug is planted into the living code, and the scenarios and the simulation must notice.

A bug is a replacement in a module's source. The edited source is compiled apart, and the function in question takes the
code of its edited twin for one test, so that whoever imported it by name has the bug too.
"""

import inspect
from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from types import CodeType, FunctionType, ModuleType
from typing import Any, NamedTuple

import pytest

from prodigy.kernel import (
    align,
    durability,
    effects,
    evolve,
    evolve_map,
    evolve_money,
    gating,
    items,
    ledger,
    lifecycle,
    outcome,
    queries,
    retry,
    scope,
)
from prodigy.kernel.rules import (
    commands,
    confirmations,
    gate,
    handlers,
    maps,
    nodes,
    recovery,
    rewinding,
    runs,
    sequences,
)
from prodigy.runtime.host import reactor
from prodigy.store import log
from tests.scenarios import test_scenarios as scenarios
from tests.simulation import test_crash_everywhere as crashing
from tests.simulation import test_map_crashes as mapping_crashes
from tests.simulation import test_money as money
from tests.simulation import test_wide_maps as wide_maps
from tests.simulation.world import CRASH_MODES

Checks = Iterator[tuple[str, Callable[[], None]]]


class Mutant(NamedTuple):
    """A bug: in a module, `right` becomes `wrong`."""

    module: ModuleType
    right: str
    wrong: str


MUTANTS = {
    "a map of nothing does not say why": Mutant(
        maps, "turn.record(ev.ItemsListed, signal)", 'turn.record(ev.ItemsListed, signal, note="")'
    ),
    "a crash costs an attempt": Mutant(
        recovery, "return (Start(move.at, here.attempt),)", "return (Start(move.at, here.attempt + 1),)"
    ),
    "what cannot be helped is tried again": Mutant(nodes, "move.may_retry and not is_final and", "move.may_retry and"),
    "one retry too many": Mutant(
        nodes,
        "tries(here) < attempts_allowed(turn.state, node)",
        "tries(here) <= attempts_allowed(turn.state, node)",
    ),
    "resume gives no new budget": Mutant(evolve, "first=before.attempt + 1,", "first=before.first,"),
    "every attempt begins a budget": Mutant(evolve, "        first=before.first,", "        first=event.attempt,"),
    "--max-retries retries the workflow": Mutant(
        evolve, 'spent_s=0.0, limit_since="")', 'spent_s=0.0, limit_since="", reopened=True)'
    ),
    "what was in flight at a crash costs nothing": Mutant(
        recovery, "if turn.state.plan.template(at).is_claude:", "if False:"
    ),
    "what is estimated is not told apart": Mutant(ledger, 'if cost.kind == "estimated" else 0.0', "if True else 0.0"),
    "what never began counts as unknown": Mutant(
        ledger, 'return Cost(kind="nothing", usd=0.0)', 'return Cost(kind="unknown", usd=None)'
    ),
    "weather is a failure": Mutant(
        gating, 'case "weather" if turn.state.plan.on_limit != "fail":', 'case "weather" if False:'
    ),
    "all go at once when the wait is over": Mutant(
        gate, "if parked is not None and parked.trying != at:", "if parked is not None and not parked.trying:"
    ),
    "the wait is forgotten by a resume": Mutant(
        gating,
        "    if parked is None:\n        return\n",
        "    if parked is not None or parked is None:\n        return\n",
    ),
    "the account fails the step": Mutant(gating, 'case "account":', 'case "account" if False:'),
    "what was cut off begins anew": Mutant(
        gate, 'resumes = conversation.is_cut and conversation.id != ""', 'resumes = False and conversation.id != ""'
    ),
    "what was held never begins": Mutant(gating, "return (Admit(),) if state.held else ()", "return ()"),
    "what was reserved stays so": Mutant(
        evolve_money, "max(0.0, ledger.rounded(state.reserved_usd - node.reserved_usd))", "state.reserved_usd"
    ),
    "a crash is booked twice": Mutant(evolve_money, "if event.cost_kind == BOOKED:", "if False:"),
    "a wait is not shortened": Mutant(
        recovery, "left_s = remaining_s(turn.time, due=here.due, delay_s=here.delay_s)", "left_s = here.delay_s"
    ),
    "a wait is forgotten": Mutant(retry, "return min(max(left, 0.0), delay_s)", "return 0.0"),
    "the owner runs again inside its handler": Mutant(
        recovery, "stack.append(handlers.address)", "yield Start(node.address, here.attempt)"
    ),
    "handlers do not begin anew": Mutant(
        evolve,
        "_turned(_unhandled(state, event.at), event, time, error=error",
        "_turned(state, event, time, error=error",
    ),
    "a repair is not counted": Mutant(lifecycle, "return before is Status.HANDLING", "return False"),
    "repairs without end": Mutant(nodes, "here.repairs >= handlers.repairs", "here.repairs >= 9"),
    "fail_workflow is ignored": Mutant(handlers, "if policy.fail_workflow:", "if False:"),
    "a late exit is accepted": Mutant(
        commands, "if turn.state.in_flight.get(signal.at) != signal.epoch:", "if signal.at not in turn.state.in_flight:"
    ),
    "an attempt that was stopped has failed": Mutant(commands, "if signal.stopped or (", "if ("),
    "an attempt that a stop of everything reached has failed": Mutant(
        commands, "if signal.stopped or (turn.state.stopping and may_be_stopped(signal)):", "if signal.stopped:"
    ),
    "a death beside a stop in one turn is a failure": Mutant(
        reactor, "in sorted(signals, key=_is_no_stop):", "in signals:"
    ),
    "only deaths by a signal are a stop's": Mutant(outcome, "or exited.exit_code in STOP_SIGNALS.values()", "or False"),
    "a tolerated failure is forgotten": Mutant(
        sequences, "failed = next(failures(turn.state, node), None)", "failed = None"
    ),
    "a failure is not tolerated": Mutant(
        queries,
        "child.policy.allow_failure or (child.address in owner.body.answers and not fails_workflow)",
        "child.policy.allow_failure",
    ),
    "an answer to come counts as none": Mutant(queries, "all(answer.is_settled and answer", "all(answer"),
    "a skip is not decided again": Mutant(
        recovery, "if turn.state.node(sibling).status is Status.SKIPPED:", "if False:"
    ),
    "a version is used twice": Mutant(nodes, "version=turn.state.version + 1", "version=turn.state.version or 1"),
    "a stage tried again keeps its children": Mutant(evolve, "if event.attempt > 1:", "if False:"),
    "a captured value is lost": Mutant(
        evolve, "captures=state.captures.set(event.name, event.value)", "captures=state.captures"
    ),
    "a capture that cannot be read is no failure": Mutant(
        outcome, 'error=f"capture_format {node.policy.capture_format}: {problem}"', 'error=""'
    ),
    "on_interrupt: fail repeats": Mutant(recovery, 'if turn.node(move.at).policy.on_interrupt != "fail":', "if True:"),
    "on_interrupt: ask does not ask": Mutant(queries, '.policy.on_interrupt == "ask"]', '.policy.on_interrupt == ""]'),
    "results are not synced": Mutant(durability, "elif type(event) not in _CHEAP_TO_LOSE:", "elif False:"),
    "half a turn is recovered": Mutant(log, "if head.endswith(_COMMIT):", "if True:"),
    "an edited step that finished is no conflict": Mutant(
        align, "if node.definition != news[now].definition:", "if False:"
    ),
    "accepted changes run again": Mutant(align, "zip(finished[:spare] + pending, nows", "zip(pending, nows"),
    "a node that asks begins unasked": Mutant(nodes, "if policy.requires_confirmation:", "if False:"),
    "nobody is somebody who agrees": Mutant(
        confirmations, "if signal.is_confirmed is None:", "if False and signal.is_confirmed is None:"
    ),
    "a no is a yes": Mutant(confirmations, "    if signal.is_confirmed:\n", "    if True:\n"),
    "a late wait begins something in a stage that timed out": Mutant(
        queries, "Status.HANDLING if is_handler else Status.RUNNING", "state.node(owner.address).status"
    ),
    "a timeout begins anew with every resume": Mutant(evolve, "spent_s=node.spent_s + used_s", "spent_s=0.0"),
    "time runs while nobody does": Mutant(recovery, 'stood=stood if stood != turn.state.time else ""', 'stood=""'),
    "a rest uses up a stage's time": Mutant(
        evolve, "limit_since=due_at(node.limit_since, event.rested_s)", "limit_since=node.limit_since"
    ),
    "a rest is not told": Mutant(runs, "if signal.rested_s > 0 and", "if signal.rested_s < 0 and"),
    "only the last process's time counts": Mutant(
        evolve, "spent_s=event.spent_s, limit_since=time", "spent_s=0.0, limit_since=time"
    ),
    "a stage that timed out has no time when resumed": Mutant(
        evolve, 'repairs=0, left_s=0.0, spent_s=0.0, limit_since="")', "repairs=0)"
    ),
    "a failure is passed over by going back": Mutant(
        recovery, "if failed := undecided(turn.state, node):", "if failed := None:"
    ),
    "what a dead process had in flight still is": Mutant(
        evolve, "in_flight=immutables.Map(),", "in_flight=state.in_flight,"
    ),
    "what is bypassed runs": Mutant(
        rewinding, "if not turn.state.node(child).is_settled or child in failed:", "if child in failed:"
    ),
    "a jump into a stage that asks is not asked": Mutant(rewinding, "and not is_asked:", "and True:"),
    "a version is used twice after going back": Mutant(
        evolve, "        version=event.version,\n", "        version=state.version,\n"
    ),
    "a fork keeps its values": Mutant(queries, "for name in variables if name in state.captures)", "for name in ())"),
    "a dead letter is lost": Mutant(evolve_map, "disposition=event.disposition,", 'disposition="succeeded",'),
    "a failed item is nowhere": Mutant(items, "settled=items.settled.set(key, item),", "settled=items.settled,"),
    "an item is counted twice": Mutant(
        items,
        "counts = {item.disposition: getattr(items, item.disposition) + 1}",
        "counts = {item.disposition: getattr(items, item.disposition) + 2}",
    ),
    "an item that settled is at work still": Mutant(
        items, "active=items.active.delete(key) if key in items.active else items.active,", "active=items.active,"
    ),
    "an item sees the value of another": Mutant(
        scope, '{"item": items.listed.values[place],', '{"item": items.listed.values[0],'
    ),
    "an item sees what another captured": Mutant(
        scope,
        "scoped = state.scoped.get(item, {}) if item else {}",
        "scoped = {k: v for own in state.scoped.values() for k, v in own.items()}",
    ),
    "an item sees another's result": Mutant(scope, "else inside(item, address)", 'else inside("map[a]", address)'),
    "a free place stays free": Mutant(maps, "    return (Fill(owner.address),)", "    return ()"),
    "more at work than there is room for": Mutant(queries, "items.working >= room", "items.working > room"),
    "the breaker never opens": Mutant(maps, "if items.streak >= breaker.failures or was_trying:", "if False:"),
    "the breaker never closes": Mutant(
        items, "is_trying=False,\n        unmarked", "is_trying=items.is_trying,\n        unmarked"
    ),
    "a trial that fails closes the breaker": Mutant(maps, "breaker.failures or was_trying:", "breaker.failures:"),
    "a pause when nothing is left": Mutant(maps, "items.is_open or not items.pending or", "items.is_open or"),
    "an item put back keeps its result": Mutant(items, "settled_ = settled_.delete(key)", "settled_ = settled_"),
    "an item put back is tried no more": Mutant(
        items, "cursor=min(items.cursor, *(items.listed.places[key] for key in keys)) if keys else", "cursor="
    ),
    "a dead letter that was given up counts as a failure": Mutant(
        maps, "    return (Fill(signal.at),) if signal.is_live and not turn.state.is_over else ()", "    return ()"
    ),
    "dead letters of a map that is done are put back beside what follows it": Mutant(
        maps, " or turn.state.node(signal.at).status is not Status.RUNNING", ""
    ),
    "an order about what is no dead letter any more is obeyed": Mutant(
        maps, 'if key in settled and settled[key].disposition == "dead")', "if key in settled)"
    ),
    "reduce does not run again": Mutant(
        recovery, "if turn.state.node(later).status is not Status.PENDING:", "if False:"
    ),
    "reduce keeps what it did": Mutant(
        evolve, "state = _unhandled(_forget(state, event.at), event.at)\n    node", "pass\n    node"
    ),
    "old failures count again": Mutant(evolve_map, "excused=count,", "excused=0,"),
    "old failures are not excused": Mutant(
        queries, "return failed_items(items, body.errors) - items.failed", "return items.excused"
    ),
    "a map that goes on does not say who is excused": Mutant(
        recovery, "excused=excused(turn.state, at) if", "excused=0 if"
    ),
    "those put back stay excused": Mutant(items, "excused=max(0, items.excused - gone),", "excused=items.excused,"),
    "dead letters are let go by a resume": Mutant(
        queries, "if not (items.pending or items.active or items.failed):", "if False:"
    ),
    "an item that stopped the map is forgotten": Mutant(
        evolve,
        "if state.plan.is_item(event.at):\n        return on_map.item_begun(state, event.at)",
        "if state.plan.is_item(event.at):\n        return state",
    ),
    "a map has no time limit after a resume": Mutant(
        recovery,
        "if node.policy.timeout is not None and not _has_time",
        "if not isinstance(node.body, Map) and node.policy.timeout is not None and not _has_time",
    ),
    "what was passed over is at work": Mutant(evolve, "state = on_map.map_bypassed(state, event.at)", "pass"),
    "a map tried again leaves what was at work": Mutant(nodes, "sorted((*bad, *items.active), key", "sorted(bad, key"),
    "a stage is known by its place": Mutant(align, "else node.id or node.name", "else node.id"),
    "a short list has no threshold": Mutant(
        queries, "or (done > 0 and not items.pending and not items.active)", "or False"
    ),
    "a map that failed says nothing to its handlers": Mutant(
        nodes, "error=outcome.failure, step=at_fault", 'error="", step=at_fault'
    ),
    "handlers of a stage are not told which step failed": Mutant(
        nodes, 'error=outcome.failure, step=at_fault(turn.state, move.at) or ""', "error=outcome.failure"
    ),
    "a stage that timed out names no step": Mutant(
        queries, "        at = below\n    return at if", "        break\n    return at if"
    ),
    "a fork is what it was": Mutant(evolve, "replace(state.run, workflow_id=event.workflow_id,", "replace(state.run,"),
}

# Bugs among items that run side by side: each must be noticed by the maps that are drawn from seeds alone.
BESIDE = {
    "an item's timeout ends its neighbours": Mutant(effects, "and is_below(state.plan, at, event.at):", "and True:"),
    "a timer of an earlier attempt ends a later one": Mutant(
        queries, "here.status is Status.RUNNING and here.attempt == timer.attempt", "here.status is Status.RUNNING"
    ),
    "results are in the order in which items ended": Mutant(
        scope,
        'of(items, "succeeded", "skipped")',
        'sorted(of(items, "succeeded", "skipped"), key=lambda row: row[2].duration_s)',
    ),
    "skipped items stand behind the others": Mutant(
        scope, 'of(items, "succeeded", "skipped")', '[*of(items, "succeeded"), *of(items, "skipped")]'
    ),
    "the place of an item that timed out stays taken": Mutant(
        maps,
        "    return (Fill(owner.address),)",
        '    return () if "timed out" in (move.error or "") else (Fill(owner.address),)',
    ),
    "what an item captured is lost by a resume": Mutant(
        evolve, "in_flight=immutables.Map(),", "in_flight=immutables.Map(), scoped=immutables.Map(),"
    ),
    "a share of failures that is just allowed is too much": Mutant(
        queries, "bad / done > errors.failure_threshold", "bad / done >= errors.failure_threshold"
    ),
    "a resume makes room for all that was at work": Mutant(recovery, "for key in active[:room]]", "for key in active]"),
    "an item that waits for room uses up its time": Mutant(
        evolve, 'left_s=node.left_s - used_s, limit_since=""', "left_s=node.left_s - used_s"
    ),
    "what an item was told before it was tried again stays": Mutant(evolve, "if event.attempt > 1:", "if False:"),
}


def test_without_a_bug_nothing_is_noticed() -> None:
    """Or the rest would prove nothing."""
    assert noticed_by(checks()) is None


@pytest.mark.parametrize("name", MUTANTS)
def test_a_bug_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a scenario or by the simulation."""
    plant(monkeypatch, MUTANTS[name])
    assert noticed_by(checks()) is not None


@pytest.mark.parametrize("name", BESIDE)
def test_a_bug_among_items_side_by_side_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the maps that are drawn from seeds, and nothing else."""
    plant(monkeypatch, BESIDE[name])
    assert noticed_by(beside()) is not None


def plant(monkeypatch: pytest.MonkeyPatch, mutant: Mutant) -> None:
    """Give the functions of the mutant's module the code of its edited source."""
    source = inspect.getsource(mutant.module)
    assert source.count(mutant.right) == 1, "the code has changed: write this bug anew"
    twin: dict[str, Any] = {"__name__": mutant.module.__name__}
    edited = source.replace(mutant.right, mutant.wrong)
    exec(compile(edited, inspect.getfile(mutant.module), "exec"), twin)
    changed = 0
    for name, function in functions(vars(mutant.module), mutant.module):
        wrong = dict(functions(twin, mutant.module))[name].__code__
        if not same_code(function.__code__, wrong):
            monkeypatch.setattr(function, "__code__", wrong)
            changed += 1
    assert changed == 1, "a bug is in one function"


def functions(names: dict[str, Any], module: ModuleType) -> Iterator[tuple[str, FunctionType]]:
    """Yield the functions and methods that a module defines, by name."""
    for name, value in names.items():
        if isinstance(value, FunctionType) and value.__module__ == module.__name__:
            yield name, value
        elif isinstance(value, type) and value.__module__ == module.__name__:
            for method, code in vars(value).items():
                if isinstance(code, FunctionType):
                    yield f"{name}.{method}", code


def same_code(one: CodeType, other: CodeType) -> bool:
    return one.co_code == other.co_code and one.co_consts == other.co_consts and one.co_names == other.co_names


def beside() -> Checks:
    """Yield the maps whose items run side by side."""
    for seed in wide_maps.SEEDS:
        yield f"beside: {seed}", partial(wide_maps.live_through, seed)


def noticed_by(all_checks: Checks) -> str | None:
    """Return the first check that fails, in whatever way."""
    for name, check in all_checks:
        try:
            check()
        except Exception:
            return name
    return None


def checks() -> Checks:
    """Yield the scenarios, then the simulation, cheapest first."""
    for path in scenarios.SCENARIOS:
        yield path.stem, partial(scenarios.test_scenario, path, rewrites=False)
    for name in crashing.CASES:
        yield f"stops: {name}", partial(crashing.test_a_stop_at_any_effect_changes_nothing, name)
        yield (
            f"stops all: {name}",
            partial(crashing.test_a_stop_that_reaches_everything_at_any_effect_changes_nothing, name),
        )
    for name in mapping_crashes.CASES:
        yield f"stops: {name}", partial(mapping_crashes.test_a_stop_at_any_effect_changes_nothing, name)
        yield (
            f"written: {name}",
            partial(mapping_crashes.test_the_state_survives_being_written_down_after_every_event, name),
        )
    for name, mode in product(crashing.CASES, CRASH_MODES):
        yield f"crashes: {name}, {mode}", partial(crashing.test_a_crash_at_any_append_changes_nothing, name, mode)
    for mode in CRASH_MODES:
        yield f"weather, {mode}", partial(money.test_weather_fails_nothing_and_is_waited_out_wherever_it_crashes, mode)
    for name, mode in product(money.CASES, CRASH_MODES):
        yield f"costs: {name}, {mode}", partial(money.test_every_dollar_is_booked_once_wherever_it_crashes, name, mode)
    for name in crashing.TRAVELLED:
        yield f"goes back: {name}", partial(crashing.test_going_back_to_any_version_comes_to_the_same, name)
