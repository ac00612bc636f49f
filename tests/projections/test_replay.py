"""What each event changed: compared with the state before it, and told in words."""

from typing import Any

import msgspec
import pytest

from prodigy.kernel import events as ev
from prodigy.kernel.evolve import evolve, fold
from prodigy.kernel.state import State
from prodigy.plan.nodes import Plan
from prodigy.projections.replay import Change, changes, in_words, variables_of
from tests.kernel.story import NOW, Told, begun, breaks, ends, flat, starts, stops, succeeds, waits
from tests.projections.test_explain import mapped, mapping
from tests.simulation.plans import compiled, step

PLAN = compiled(step("a", retry=1, capture="x", on_failure={"shell": "tell"}), step("b", when="${a.success}"))


def last(plan: Plan, *told: Told, begins: bool = True) -> tuple[ev.Event, list[Change]]:
    """Return the last of these events, and what it changed."""
    *before, event = flat((*(begun(plan) if begins else ()), *told))
    state = fold(State(), ((NOW, earlier) for earlier in before))
    return event, changes(state, evolve(state, event, NOW), event)


def words(plan: Plan, *told: Told, **more: Any) -> str:
    """Return the last of these events in words."""
    return in_words(*last(plan, *told), **more)


def test_a_change_says_what_of_what_was_and_is() -> None:
    """For programs: all of it, also what people are not told."""
    assert last(PLAN, starts("a"))[1] == [
        Change(kind="node", name="a", field="status", before="pending", after="running"),
        Change(kind="node", name="a", field="attempt", before=0, after=1),
    ]


def test_a_run_begins_with_its_variables() -> None:
    """The first event has no state before it."""
    plan = msgspec.structs.replace(PLAN, variables={"who": "world", "many": [1, 2]})
    started = begun(plan)[0]
    found = changes(State(), evolve(State(), started, NOW), started)
    assert in_words(started, found) == 'run_started         run: running, who = "world", many = [1,2]'


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ((starts("a", text="go"),), "command_started     a: pending → running  (shell: go)"),
        (
            (starts("a"), ends("a", 3, output="hi")),
            'command_finished    a.exit_code = 0, shell.output = "hi"  (1.0 s)',
        ),
        (
            (starts("a"), breaks("a", 3)),
            'command_finished    a.exit_code = 1, a.error = "boom", shell.output = ""  (1.0 s)',
        ),
        (
            (starts("a"), breaks("a", 3), waits("a", 2, 1.0)),
            "retry_scheduled     a: running → waiting  (attempt 2 in 1 s)",
        ),
        (
            (starts("a"), breaks("a", 3), waits("a", 2, 1.0), starts("a", 2)),
            "command_started     a: waiting → running, a.attempt = 2  (shell: do a)",
        ),
        (
            (starts("a"), ev.ValueCaptured(at="a", name="x", value={"k": None})),
            'value_captured      x = {"k":null}',
        ),
        ((starts("a"), ends("a", 3), *succeeds("a", 1)), "checkpoint_marked   v1"),
        ((starts("a"), ends("a", 3), ev.NodeSucceeded(at="a")), "node_succeeded      a: running → succeeded"),
        (
            (ev.NodeSkipped(at="b", reason="${a.success}, with ${a.success} = false"),),
            'node_skipped        b: pending → skipped, b.reason = "${a.success}, with ${a.success} = false"',
        ),
        ((stops(),), 'stop_requested      run.stopping = "SIGINT"'),
        ((ev.RunCompleted(),), "run_completed       run: running → completed"),
        (
            (ev.RunFailed(at="a", error="boom"),),
            'run_failed          run: running → failed, run.failed_at = "a", run.failure = "boom"',
        ),
        (
            (ev.ConfirmationRequested(at="a"), ev.ConfirmationAnswered(at="a", is_confirmed=True, by="ann")),
            "confirmation_answered yes, said ann",
        ),
    ],
)
def test_an_event_is_told_in_a_line(told: tuple[Told, ...], expected: str) -> None:
    """Its type, what it changed, and what no change shows."""
    assert words(PLAN, *told) == expected


def test_a_capture_that_replaces_a_variable_is_told_with_its_new_value() -> None:
    """And only that one."""
    told = [starts("a"), *(ev.ValueCaptured(at="a", name=name, value=1) for name in ("x", "y", "x"))]
    told[-1] = ev.ValueCaptured(at="a", name="x", value=2)
    assert last(PLAN, *told)[1] == [Change(kind="variable", name="x", field="value", before=1, after=2)]


def test_a_sequence_that_is_tried_again_forgets_what_its_children_did() -> None:
    """That reaches further than the node it names."""
    told = (starts("a"), ends("a", 3), ev.NodeSucceeded(at="a"))
    again = (ev.RetryScheduled(at="workflow", attempt=2, delay_s=0, due=NOW), ev.NodeStarted(at="workflow", attempt=2))
    expected = "node_started        a: succeeded → pending, workflow: waiting → running, workflow.attempt = 2"
    assert words(PLAN, *told, *again) == expected


def test_a_fork_is_told_with_the_variables_that_it_changes() -> None:
    """And where it comes from."""
    plan = msgspec.structs.replace(PLAN, variables={"who": "world", "same": 1})
    forked = ev.RunForked(workflow_id="b", from_workflow_id="a", from_seq=2, variables={"who": "moon"})
    assert words(plan, forked) == 'run_forked          who = "moon"  (from a)'


def test_long_words_are_clipped_where_that_is_asked_for() -> None:
    """Each by itself; in a pipe nothing is."""
    told = (starts("a"), ends("a", 3, output="o" * 50))
    assert words(PLAN, *told, clip=20) == 'command_finished    a.exit_code = 0, shell.output = "oooo…  (1.0 s)'


def test_the_variables_are_those_that_a_step_could_use() -> None:
    """The workflow's, what was captured, and the last outputs."""
    plan = msgspec.structs.replace(PLAN, variables={"who": "world"})
    told = (starts("a"), ends("a", 3, output="hi"), ev.ValueCaptured(at="a", name="x", value=1))
    state = fold(State(), ((NOW, event) for event in flat((*begun(plan), *told))))
    assert variables_of(state) == {"who": "world", "x": 1, "shell.output": "hi"}


def test_an_item_that_settles_is_told_with_why() -> None:
    """A dead letter with the step that failed; one that is put back begins anew."""
    told = (*mapping("a"), ev.NodeStarted(at="map[a]", attempt=1))
    settled = ev.ItemSettled(at="map", key="a", disposition="dead", error="boom", step="work")
    lines = [
        words(mapped(), *mapping("a")),
        words(mapped(), *told, settled),
        words(mapped(), *told, settled, ev.ItemsRequeued(at="map", keys=("a",))),
    ]
    assert lines == [
        "items_listed        1 item",
        "item_settled        map[a]: pending → dead  (work: boom)",
        "items_requeued      map[a]: dead → pending",
    ]
