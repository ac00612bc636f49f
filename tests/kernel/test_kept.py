"""What is kept of a run and read again: spelled numbers, items that wait, sequences that ran out of time."""

from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from prodigy.kernel import effects as fx
from prodigy.kernel import events as ev
from prodigy.kernel.align import align
from prodigy.kernel.effects import effects
from prodigy.kernel.items import Items, begun, item_list, requeued
from prodigy.kernel.lifecycle import Status
from prodigy.kernel.scope import lookup_in
from prodigy.kernel.snapshot import snapshot_of
from prodigy.kernel.state import NodeState, Origin
from prodigy.plan.nodes import Source
from prodigy.plan.reference import as_text
from prodigy.plan.spelling import as_number, spelled
from tests.kernel.story import breaks, broke, ends, given, interrupted, later, resume, starts
from tests.kernel.test_map import LISTING, at_work, begins, map_fails, plan
from tests.simulation.plans import compiled, in_stages, mapped, stage, step

VERSION = spelled(3.1, "3.10")
ORIGIN = Origin(workflow_id="w-1", workflow_path="w.yaml", directory="/p", started="", parameters={"python": VERSION})


def reread(value: Any) -> Any:
    """Return a struct as it is written down and read again."""
    return msgspec.json.decode(msgspec.json.encode(value, enc_hook=as_number), type=type(value))


@pytest.mark.parametrize(
    ("struct", "field"),
    [
        (item_list(("a",), (VERSION,)), "values"),
        (ORIGIN, "parameters"),
        (ev.ItemsListed(at="map", keys=("a",), items=(VERSION,)), "items"),
        (Source(kind="list", text=(), elements=(VERSION,)), "elements"),
    ],
    ids=["items", "parameters", "what is listed", "elements"],
)
def test_a_number_is_read_again_as_its_author_wrote_it(struct: Any, field: str) -> None:
    """In JSON it is a number, and beside it stands its text."""
    kept = getattr(reread(struct), field)
    assert as_text(next(iter(kept.values() if isinstance(kept, dict) else kept))) == "3.10"


def test_a_variable_that_a_fork_changes_is_not_spelled_as_the_one_before() -> None:
    """The new value is 3.1, and nobody wrote 3.10 for it."""
    workflow = replace(compiled(step("a")), variables={"python": VERSION})
    forked = ev.RunForked(workflow_id="b", from_workflow_id="demo-000001", from_seq=2, variables={"python": 3.1})
    state = given(workflow, forked).state
    assert as_text(lookup_in(state, "a")("python")[1]) == "3.1"


def test_an_item_that_waits_for_room_waits_no_more_when_it_is_put_back() -> None:
    """Those beside it still do."""
    items = Items(listed=item_list(("a", "b", "c"), ("a", "b", "c")))
    for key in "abc":
        items = begun(items, key)
    assert requeued(replace(items, held=("a", "b")), ("a",)).held == ("b",)


def test_what_ran_out_of_time_is_written_down_in_one_order() -> None:
    """So that equal states have equal snapshots."""
    names = tuple("hgfedcba")
    state = replace(given(compiled(step("a"))).state, expired=frozenset(names))
    assert snapshot_of(state, {}).expired == tuple(sorted(names))


def test_the_pause_of_a_breaker_is_slept_for_the_map_itself() -> None:
    """It is no wait before an attempt."""
    opened = ev.BreakerOpened(at="map", delay_s=30.0, due=later(30))
    state = at_work(plan(error_policy={"circuit_breaker": {"failure_threshold": 1, "timeout": 30}}), opened).state
    assert list(effects(state, opened, state.seq)) == [fx.Sleep(at="map", attempt=0, delay_s=30.0)]


def test_items_that_could_not_be_read_are_read_anew_by_a_resume() -> None:
    """There is none to go on with."""
    failed = given(plan(), *LISTING, map_fails("items.txt: no such file"))
    assert ev.ListingStarted(at="map") in failed.when(resume()).events


def test_an_item_that_is_tried_again_does_not_count_its_own_attempts_twice() -> None:
    """Where the item itself is at fault, as when its time is over, its latest attempt says how many there were."""
    policy = {"on_item_failure": "retry", "max_retries": 1}
    workflow = mapped([], [step("x")], [], agent_timeout=9, error_policy=policy)
    attempts = (
        ev.NodeStarted(at="map[a]", attempt=1),
        ev.LimitStarted(at="map[a]", attempt=1, left_s=9.0),
        ev.RetryScheduled(at="map[a]", attempt=2, delay_s=1.0, due=later(1)),
        ev.NodeStarted(at="map[a]", attempt=2),
    )
    assert at_work(workflow, *attempts, keys="a").state.node("map[a]").tried == {}


def test_a_step_of_an_item_that_is_tried_again_keeps_how_often_it_was_tried() -> None:
    """All attempts of the item together."""
    policy = {"on_item_failure": "retry", "max_retries": 1}
    workflow = mapped([], [step("x")], [], error_policy=policy)
    again = (
        begins("a"),
        breaks("map[a].x", 7),
        ev.NodeFailed(at="map[a].x", error="boom"),
        ev.RetryScheduled(at="map[a]", attempt=2, delay_s=1.0, due=later(1)),
        ev.NodeStarted(at="map[a]", attempt=2),
    )
    assert at_work(workflow, *again, keys="a").state.node("map[a]").tried == {".x": 1}


def test_items_at_work_are_written_down_in_one_order() -> None:
    """So that equal states have equal snapshots."""
    state = at_work(plan(max_parallel=9), *(begins(key) for key in "hgfedcba"), keys="hgfedcba").state
    assert snapshot_of(state, {}).maps["map"].active == tuple("abcdefgh")


def test_of_a_step_that_nobody_refers_to_no_stderr_is_kept() -> None:
    """It is in the log and in its file."""
    told = (starts("a"), ends("a", 3, output="out", stderr="err"))
    here = given(compiled(step("a")), *told).state.node("a")
    assert (here.output, here.stderr) == ("", "")


def test_a_command_that_does_not_run_cannot_be_interrupted() -> None:
    """A log that says so is none that could have been written."""
    with pytest.raises(AssertionError, match="command_interrupted cannot happen to a node that is pending"):
        given(compiled(step("a")), interrupted("a", 3))


def test_the_only_item_decides_about_a_share() -> None:
    """There is no other to come."""
    now = at_work(plan(error_policy={"failure_threshold": 0.5}), begins("a"), keys="a")
    decided = now.when(broke("map[a].x", 7)).events
    error = "1 of 1 item failed, and failure_threshold is 0.5; the first is a: exit 1 · boom"
    assert ev.NodeFailed(at="map", error=error) in decided


def test_what_has_finished_and_was_edited_is_told_in_the_order_of_the_file() -> None:
    """Stage by stage."""
    before = in_stages(stage("one", step("a")), stage("two", step("b")))
    after = in_stages(stage("one", step("a", env={"X": 1})), stage("two", step("b", env={"X": 1})))
    finished = {at: NodeState(status=Status.SUCCEEDED) for at in ("one", "one.a", "two.b")}
    state = given(before).state
    conflicts = align(replace(state, nodes=state.nodes.update(finished)), after).conflicts
    assert conflicts == (
        "one.a has finished, and its text was changed",
        "two.b has finished, and its text was changed",
    )
