"""The versions of a run, as its events tell them."""

from typing import NamedTuple

from prodigy.kernel import events as ev
from prodigy.projections.versions import Version, versions
from tests.kernel.story import NOW, begun, breaks, ends, fails, flat, starts, succeeds
from tests.simulation.plans import compiled, step


class Happened(NamedTuple):
    """An event with its place."""

    generation: int
    seq: int
    time: str
    event: ev.Event


def history(*told: ev.Event | tuple[ev.Event, ...]) -> list[Happened]:
    """Return a run of two steps to which all this has happened."""
    plan = compiled(step("a"), step("b"))
    return [Happened(1, seq, NOW, event) for seq, event in enumerate(flat((*begun(plan), *told)), start=1)]


def test_a_version_says_after_what_it_was_made() -> None:
    """Where, how that came out, and what it ran."""
    told = history(starts("a"), ends("a", 3), succeeds("a", 1), starts("b"), breaks("b", 7), fails("b", 2))
    made = [(made.version, made.seq, made.at, made.outcome, made.command) for made in versions(told)]
    assert made == [(1, 6, "a", "succeeded", "shell: do a"), (2, 10, "b", "failed", "shell: do b")]


def test_a_version_in_the_middle_of_a_step_is_no_outcome() -> None:
    """A map makes some on its way; what came of another step is not its own."""
    told = history(
        starts("a"), ends("a", 3), succeeds("a", 1), starts("b"), ev.CheckpointMarked(version=2, at="b", label="half")
    )
    assert list(versions(told))[-1] == Version(
        version=2, generation=1, seq=8, time=NOW, at="b", outcome="in progress", command="shell: do b", label="half"
    )


def test_an_edited_plan_counts_from_then_on() -> None:
    """A step is shown as the plan had it."""
    edited = ev.PlanChanged(plan=compiled({"id": "a", "shell": "do otherwise"}), workflow_text="")
    told = history(starts("a"), ends("a", 3), succeeds("a", 1), edited, ev.CheckpointMarked(version=2, at="a"))
    assert [made.command for made in versions(told)] == ["shell: do a", "shell: do otherwise"]
