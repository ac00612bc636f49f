"""The life cycle is a table: whole, legal, and the only way a node changes its status."""

import itertools

import pytest

from prodigy.kernel import events as ev
from prodigy.kernel.lifecycle import TRANSITIONS, Status, after

# Events about a node that leave its status alone.
ABOUT_A_NODE = {
    "value_captured",
    "checkpoint_marked",
    "items_requeued",
    "items_held",
    "dead_letters_purged",
    "claude_tried",
    "pause_requested",
}


def test_every_event_of_a_node_is_in_the_table() -> None:
    """A new event must say from where to where it leads."""
    at_a_node = {name for name, kind in ev.TYPES.items() if "at" in kind.__struct_fields__}
    at_a_node = {name for name in at_a_node if not name.startswith("run_")}
    assert TRANSITIONS.keys() == at_a_node - ABOUT_A_NODE


def test_only_what_the_table_names_is_legal() -> None:
    """Everything else is a mistake of ours, and found at once."""
    for event_type, before in itertools.product(TRANSITIONS, Status):
        if before not in TRANSITIONS[event_type]:
            with pytest.raises(AssertionError):
                after(event_type, before)


def test_every_status_can_be_reached_from_pending() -> None:
    """And none is left out."""
    reached, grown = {Status.PENDING}, True
    while grown:
        further = {moves[at] for moves in TRANSITIONS.values() for at in reached if at in moves}
        grown = not further <= reached
        reached |= further
    assert reached == set(Status)


@pytest.mark.parametrize("settled", [Status.SUCCEEDED, Status.HANDLED])
def test_a_success_is_for_ever(settled: Status) -> None:
    """What succeeded or was handled is left only when dead letters are put back: the map goes on, reduce runs again."""
    assert {name for name, moves in TRANSITIONS.items() if settled in moves} == {"node_continued", "node_reopened"}
