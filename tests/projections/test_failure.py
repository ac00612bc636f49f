"""What failed, in one line each, by kind, and in the order in which it began."""

import pytest

from prodigy.kernel import events as ev
from prodigy.kernel.evolve import fold
from prodigy.kernel.items import Item
from prodigy.kernel.state import State
from prodigy.projections.failure import Failure, Group, failure_of, failures_of, grouped, kind_of
from tests.kernel.story import NOW, Told, begun, breaks, ends, fails, flat, run_fails, starts, succeeds, waits
from tests.simulation.plans import compiled, mapped, step

TRACEBACK = 'Traceback (most recent call last):\n  File "x.py", line 1, in <module>\nValueError: no'


def told(plan: object, *events: Told) -> State:
    """Return the state after these events."""
    return fold(State(), ((NOW, event) for event in flat((*begun(plan), *events))))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("exit 3 · no field", "exit 3 · no field"),
        ("exit 137, killed? · line 12: no", "exit 137, killed? · line …: no"),
        ("exit 1 · cat: /no/such/a1.txt: No such file", "exit 1 · cat: …: No such file"),
        ("exit 1 · src/a/b.py:12:3: bad", "exit 1 · …:…: bad"),
        ("exit 1 · GET https://example.org/x?y=1 took 3.5s", "exit 1 · GET … took …s"),
        ("exit 1 · job 8a6e0804-2bd0-4672-b79d-d97027f9071a is gone", "exit 1 · job … is gone"),
        ("exit 1 · commit 3f1f8b3 is gone", "exit 1 · commit … is gone"),
        ("exit 1 · at 0x7f00aa", "exit 1 · at …"),
        ("exit 1 · 40% of bob's quota", "exit 1 · …% of …'s quota"),
        ("exit 1 · either/or", "exit 1 · …"),
        ("exit 1 · utf8 and facade", "exit 1 · utf8 and facade"),
        ("timed out after 90 s", "timed out after … s"),
    ],
)
def test_a_kind_leaves_out_numbers_paths_ids_and_the_items_key(line: str, expected: str) -> None:
    """What else it says stays, and so does how the command ended."""
    assert expected == kind_of(line, "bob")


def test_groups_show_a_cause_whole_where_all_say_the_same() -> None:
    """And what tells them apart is left out where it does; the largest group comes first."""
    dead = {"a": "no a", "b": "no b", "c": "line 3", "d": "line 4", "e": "line 4"}
    rows = [(key, key, Item(disposition="dead", error=error, step="s", exit_code=1)) for key, error in dead.items()]
    assert [
        Group(step="s", error="exit 1 · line …", count=3),
        Group(step="s", error="exit 1 · no a", count=1),
        Group(step="s", error="exit 1 · no b", count=1),
    ] == grouped(rows)


def test_the_failure_of_a_run_is_its_steps_with_how_that_ended() -> None:
    """Not the first line of a traceback."""
    events = (starts("a"), breaks("a", 3, TRACEBACK), *fails("a", 1, TRACEBACK), *run_fails("a", TRACEBACK))
    assert "exit 1 · ValueError: no" == failure_of(told(compiled(step("a")), *events))


def test_a_question_is_no_error() -> None:
    """A paused run says what it waits for."""
    paused = told(compiled(step("a")), ev.ConfirmationRequested(at="a"), ev.RunPaused(at="a", reason="a waits"))
    assert "a waits" == failure_of(paused)


def test_failures_come_in_the_order_in_which_they_began() -> None:
    """Dead letters among steps, by the file of their output; what succeeded is none."""
    plan = mapped([step("s")], [step("w")], [step("r", retry=1)])
    dead = ev.ItemSettled(
        at="map", key="k", disposition="dead", error="no", step="w", exit_code=2, output_file="outputs/9-2.out"
    )
    events = (
        *(starts("setup.s"), ends("setup.s", 4), *succeeds("setup.s", 1)),
        *(ev.NodeStarted(at="map", attempt=1), ev.ListingStarted(at="map")),
        ev.ItemsListed(at="map", keys=("j", "k"), items=("j", "k")),
        *(ev.NodeStarted(at="map[k]", attempt=1), starts("map[k].w"), breaks("map[k].w", 12)),
        dead,
        *(starts("reduce.r"), ends("reduce.r", 15, exit_code=1, error="oh", output_file="outputs/15.out")),
        waits("reduce.r", 2, 1.0),
    )
    assert [
        Failure(at="map[k].w", cause="exit 2 · no", error="no", attempt=1, epoch=9, output_file="outputs/9-2.out"),
        Failure(at="reduce.r", cause="exit 1 · oh", error="oh", attempt=1, epoch=14, output_file="outputs/15.out"),
    ] == failures_of(told(plan, *events))
