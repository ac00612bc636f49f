"""The digest of a state: the same for what means the same, another for anything that a workflow can see."""

from typing import Any

import immutables
import msgspec
import pytest
from msgspec.structs import replace

from prodigy.kernel import events as ev
from prodigy.kernel.decide import decide
from prodigy.kernel.digest import digest_of
from prodigy.kernel.evolve import fold
from prodigy.kernel.items import Item, Items, item_list, settled
from prodigy.kernel.items import begun as begun_item
from prodigy.kernel.lifecycle import Epoch, Status
from prodigy.kernel.state import NodeState, State
from prodigy.plan.spelling import as_number
from tests.kernel.story import NOW, begun, exited, flat, given, later, starts
from tests.simulation.plans import compiled, step

NODE = NodeState(
    status=Status.SUCCEEDED, attempt=2, exit_code=0, error="was", output="hello", epoch=Epoch(7), since=NOW
)
STATE = State(
    seq=12,
    time=NOW,
    version=3,
    nodes=immutables.Map({"a": NODE}),
    captures=immutables.Map({"x": [1, 2.5, None, {"b": True}]}),
    outputs=immutables.Map({"shell": "hello"}),
)


def with_node(**changes: Any) -> State:
    return replace(STATE, nodes=STATE.nodes.set("a", replace(NODE, **changes)))


def test_the_digest_of_a_state_never_changes() -> None:
    """Old logs carry it: whoever changes this number breaks their proof."""
    assert digest_of(STATE) == "c1bbf6b0f17c1a20"


@pytest.mark.parametrize(
    "other",
    [
        with_node(epoch=9),
        with_node(since=later(5)),
        with_node(duration_s=1.0),
        with_node(output_file="outputs/9.out"),
        replace(STATE, seq=99, time=later(5), generation=4),
        replace(STATE, nodes=STATE.nodes.set("b", NodeState(since=NOW))),
    ],
    ids=["epoch", "since", "duration", "file", "place", "a node that nothing happened to"],
)
def test_when_and_where_make_no_difference(other: State) -> None:
    """Nor does what a later version may keep besides."""
    assert digest_of(other) == digest_of(STATE)


@pytest.mark.parametrize(
    "other",
    [
        with_node(status=Status.HANDLED),
        with_node(attempt=3),
        with_node(exit_code=1),
        with_node(exit_code=None),
        with_node(error=None),
        with_node(output="hello "),
        replace(STATE, nodes=STATE.nodes.set("b", NODE)),
        replace(STATE, captures=STATE.captures.set("x", [1, 2.5, None, {"b": 1}])),
        replace(STATE, captures=STATE.captures.set("y", None)),
        replace(STATE, outputs=STATE.outputs.set("claude", "hello")),
        replace(STATE, version=4),
    ],
)
def test_what_a_workflow_can_see_makes_a_difference(other: State) -> None:
    """Status, attempt, exit code, error, output, captures, last outputs, version."""
    assert digest_of(other) != digest_of(STATE)


def test_the_order_in_which_things_happened_makes_no_difference() -> None:
    """Maps are told by sorted keys."""
    one = immutables.Map({"a": 1}).set("b", 2)
    other = immutables.Map({"b": 2}).set("a", 1)
    assert digest_of(replace(STATE, captures=one)) == digest_of(replace(STATE, captures=other))


def test_a_labelled_version_carries_the_digest_of_the_state_before_it() -> None:
    """The step has succeeded by then, and the version is the one before."""
    run = given(compiled(step("a", checkpoint=True), step("b")), starts("a"))
    turn = run.when(exited("a", 3, output="hello\n"))
    (place,) = [place for place, event in enumerate(turn.events) if isinstance(event, ev.CheckpointMarked)]
    before = fold(run.state, ((NOW, event) for event in turn.events[:place]))
    assert turn.events[place] == ev.CheckpointMarked(version=1, at="a", label="a", digest=digest_of(before))


def test_a_version_without_a_label_carries_none() -> None:
    """It would cost a look at the whole state at every step."""
    run = given(compiled(step("a"), step("b")), starts("a"))
    assert ev.CheckpointMarked(version=1, at="a") in run.when(exited("a", 3)).events


@pytest.mark.parametrize("text", ["1e400", "[1.0, 1, null]", '{"b": 12345678901234567890123, "a": "ß"}'])
def test_a_digest_outlives_the_way_through_the_log(text: str) -> None:
    """What was captured folds to the same value when it is read back."""
    plan = compiled(step("a", checkpoint=True, capture="x", capture_format="json"))
    decided = decide(given(plan, starts("a")).state, exited("a", 3, output=text)).events
    told = msgspec.json.decode(msgspec.json.encode(decided, enc_hook=as_number), type=list[ev.Event])
    state = fold(State(), ((NOW, event) for event in flat((*begun(plan), starts("a")))))
    (place,) = [place for place, event in enumerate(told) if isinstance(event, ev.CheckpointMarked)]
    state = fold(state, ((NOW, event) for event in told[:place]))
    assert told[place] == ev.CheckpointMarked(version=1, at="a", label="a", digest=digest_of(state))


def test_what_became_of_items_makes_a_difference() -> None:
    """Which there are, and how each settled; not which are at work."""
    listed = Items(listed=item_list(("a", "b"), (1, 2)))
    dead, fine = Item(disposition="dead", error="boom"), Item(disposition="succeeded")
    digests = [
        digest_of(replace(STATE, maps=immutables.Map({"map": items})))
        for items in (
            listed,
            begun_item(listed, "a"),
            settled(begun_item(listed, "a"), "a", dead),
            settled(begun_item(listed, "a"), "a", fine),
            Items(listed=item_list(("a",), (1,))),
        )
    ]
    assert [digests[0] == digests[1], len(set(digests))] == [True, 4]
