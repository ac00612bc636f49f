"""Workflows that nobody thought of, crashed and stopped anywhere: the run must come to what the calm one came to.

A failing example is shrunk and printed with its seed, `@reproduce_failure(…)`: put that above the test to repeat it.
"""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from prodigy.kernel import effects as fx
from prodigy.kernel import events as ev
from prodigy.kernel import signals as sig
from prodigy.plan.nodes import Plan, Policy, Retry, Run
from tests.simulation.plans import DIE, FAIL, SLOW, Script, compiled, mapped, staged, step
from tests.simulation.test_crash_everywhere import finishes, play
from tests.simulation.test_map_crashes import ITEMS, assert_accounted, told
from tests.simulation.world import CRASH_MODES, OK, CrashMode, Ending, World, history, meaning

STEPS_MAX = 5
ENDINGS = (OK, OK, FAIL, DIE, SLOW, Ending(output="7\n"))

CONDITIONS = ("${ID.success}", "${ID.partial_success}", "${ID.exit_code} != 0", "${ID.output} != 7")

Case = tuple[Plan, Script]

playing = settings(max_examples=250, deadline=None, print_blob=True)
crashes = st.dictionaries(st.integers(1, 40), st.sampled_from(CRASH_MODES), min_size=1, max_size=3)
worlds = st.lists(st.sampled_from(ENDINGS), min_size=1, max_size=3)


@st.composite
def handlers(draw: st.DrawFn) -> dict[str, Any]:
    """Draw what runs after the last failure: it cleans up, repairs, or fails the workflow all the same."""
    commands = [{"shell": f"handle {number}"} for number in range(draw(st.integers(1, 2)))]
    kinds: list[dict[str, Any]] = [{}, {"retry_original": True}, {"max_attempts": 2}, {"fail_workflow": True}]
    return {"commands": commands, **draw(st.sampled_from(kinds))}


@st.composite
def steps(draw: st.DrawFn, names: str) -> list[dict[str, Any]]:
    """Draw steps; a condition looks back to any earlier one."""
    written = []
    for place, name in enumerate(names):
        keys: dict[str, Any] = {}
        if draw(st.booleans()):
            keys["retry"] = draw(st.integers(0, 2))
        if draw(st.integers(0, 3)) == 0:
            keys["on_failure"] = draw(handlers())
        if place and draw(st.booleans()):
            asked = names[draw(st.integers(0, place - 1))]
            keys["when"] = draw(st.sampled_from(CONDITIONS)).replace("ID", asked)
        keys |= draw(st.sampled_from([{}, {}, {"allow_failure": True}, {"checkpoint": True}, {"capture": f"c{name}"}]))
        written.append(step(name, **keys))
    return written


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Draw a plan, in stages or not, and how its commands end."""
    names = "abcdefgh"[: draw(st.integers(1, STEPS_MAX))]
    plan = compiled(*draw(steps(names)))
    if len(names) > 1 and draw(st.booleans()):
        cut = draw(st.integers(1, len(names) - 1))
        policies = {
            stage: Policy(retry=Retry(attempts=draw(st.integers(1, 2))), checkpoint=draw(st.booleans()))
            for stage in ("one", "two")
        }
        plan = staged(plan, {"one": list(names[:cut]), "two": list(names[cut:])}, policies)
    script = {node.address: draw(worlds) for node in plan.nodes.values() if isinstance(node.body, Run)}
    return plan, script


POLICIES: tuple[dict[str, Any], ...] = (
    {},
    {"on_item_failure": "retry", "max_retries": 1},
    {"on_item_failure": "skip"},
    {"on_item_failure": "stop"},
    {"max_failures": 2},
    {"failure_threshold": 0.5},
    {"circuit_breaker": {"failure_threshold": 2, "timeout": 5}},
)


@st.composite
def maps(draw: st.DrawFn) -> Case:
    """Draw a map and how its commands end. Where an order of ends could matter, one item is at work at a time."""
    template = draw(steps("xy"[: draw(st.integers(1, 2))]))
    for written in template:
        written.pop("checkpoint", None)
    policy = draw(st.sampled_from(POLICIES))
    is_calm = set(policy) <= {"max_retries"} or policy.get("on_item_failure") in ("retry", "skip")
    keys: dict[str, Any] = {"error_policy": policy} if policy else {}
    keys |= {"max_parallel": draw(st.integers(1, 4)) if is_calm else 1, "checkpoint_frequency": draw(st.integers(1, 5))}
    if draw(st.integers(0, 3)) == 0:
        keys["retry"] = 1
    if draw(st.integers(0, 3)) == 0:
        keys["on_failure"] = draw(handlers())
    end = [{"shell": "sum ${map.results} ${map.dead_letters}", "id": "r"}]
    script = {f"map[{key}].{written['id']}": draw(worlds) for key in ITEMS for written in template}
    return mapped([], template, end, **keys), script


def assert_same(world: World, calm: World) -> None:
    """The same meaning, the same results in the same order, and versions that are never used twice."""
    assert meaning(world.state) == meaning(calm.state)
    assert finishes(world) == finishes(calm)
    versions = [event.version for _, event in history(world.disk) if isinstance(event, ev.CheckpointMarked)]
    assert versions == list(range(1, len(versions) + 1))


@playing
@given(cases(), crashes)
def test_crashes_change_nothing(case: Case, crashes: dict[int, CrashMode]) -> None:
    """Up to three of them, each at any append, in any way; each repeats at most the command in flight."""
    calm, _ = play(*case, {})
    world, count = play(*case, crashes)
    assert_same(world, calm)
    assert len(world.starts) <= len(calm.starts) + count


@playing
@given(cases(), st.integers(0, 40), st.sampled_from([None, 0, 2]))
def test_a_stop_changes_nothing(case: Case, moment: int, max_retries: int | None) -> None:
    """At any effect; resume goes on where it stood. With `--max-retries` the run may try more, never repeat."""
    calm, _ = play(*case, {})
    world = World(*case)
    world.watch = _stopping_at(moment)
    if world.cook().status == "interrupted":
        assert not world.state.in_flight
        world.resume(max_retries=max_retries)
    if max_retries is None:
        assert_same(world, calm)
    assert _repeated_successes(world) == []


@playing
@given(maps(), crashes, st.integers(0, 99))
def test_crashes_change_nothing_in_a_map(case: Case, crashes: dict[int, CrashMode], seed: int) -> None:
    """Whatever order items end in, each is in exactly one place all the time."""
    calm, _ = play(*case, {}, items=ITEMS)
    world, _ = play(*case, crashes, seed=seed, items=ITEMS)
    assert told(world) == told(calm)
    assert_accounted(world.disk)


@playing
@given(maps(), st.integers(0, 40), st.integers(0, 99))
def test_a_stop_changes_nothing_in_a_map(case: Case, moment: int, seed: int) -> None:
    """At any effect, nothing is counted as failed."""
    calm, _ = play(*case, {}, items=ITEMS)
    world = World(*case, seed=seed)
    world.items = list(ITEMS)
    world.watch = _stopping_at(moment)
    if world.cook().status == "interrupted":
        assert not world.state.in_flight
        world.resume()
    assert told(world) == told(calm)
    assert_accounted(world.disk)


def _stopping_at(moment: int) -> Any:
    def watch(world: World, effect: fx.Effect) -> None:
        if world.effects - 1 == moment:
            world.orders.append(sig.StopRequested(time=world.time(), by="SIGINT"))

    return watch


def _repeated_successes(world: World) -> list[str]:
    """Return the steps that were started after they had succeeded, though no stage around them began anew."""
    done: set[str] = set()
    repeated = []
    for _, event in history(world.disk):
        if isinstance(event, ev.NodeSucceeded):
            done.add(event.at)
        elif isinstance(event, ev.NodeStarted | ev.HandlingStarted):
            below = _below(world.plan, event)
            done -= below
        elif isinstance(event, ev.CommandStarted) and event.at in done:
            repeated.append(event.at)
    return repeated


def _below(plan: Plan, event: ev.NodeStarted | ev.HandlingStarted) -> set[str]:
    """Return what an attempt of a stage, or a new handling, begins anew."""
    if isinstance(event, ev.HandlingStarted):
        return {at for at in plan.nodes if at.startswith(f"{event.at}.on_failure")}
    children = {node.address for node in plan.walk(event.at)} if event.at in ("one", "two") else set()
    return children | {at for at in plan.nodes for child in children if at.startswith(f"{child}.on_failure")}
