"""What the world says comes to the log whole, and what is in the state comes through its snapshot whole."""

from typing import Any

import immutables
import msgspec
import pytest

from prodigy.kernel import events as ev
from prodigy.kernel import signals as sig
from prodigy.kernel.decide import decide
from prodigy.kernel.items import Item, Items, item_list
from prodigy.kernel.ledger import Ledger, Spent
from prodigy.kernel.lifecycle import Epoch, Status
from prodigy.kernel.snapshot import restored, snapshot_of
from prodigy.kernel.state import NodeState, Origin, Parked, Pausing, State
from tests.kernel.story import NOW, Given, given, resume, starts, stops
from tests.kernel.test_map import at_work, begins, dies, plan
from tests.simulation.plans import compiled, mapped, step

EXIT = sig.Exited(
    time=NOW,
    at="a",
    epoch=Epoch(3),
    exit_code=3,
    signal="SIGTERM",
    timed_out_s=9.0,
    aborted=True,
    error="it could not be read",
    output="out",
    stderr="err",
    output_file="outputs/a-1.log",
    duration_s=2.5,
    spent=Spent(kind="exact", session_usd=0.25),
    warnings=("its output is no UTF-8",),
)
COOK = sig.CookRequested(
    time=NOW,
    workflow_id="demo-000001",
    workflow_path="demo.yaml",
    workflow_text="- shell: do a",
    directory="/project",
    number=4,
    plan=compiled(step("a")),
    prodigy_version="1",
    parameters={"north": 1},
    max_retries=2,
    max_parallel=3,
    budget_usd=5.0,
    synced=False,
    generation=2,
    version=7,
    from_chain="c",
    reason="--force",
    ledger=Ledger(spent_usd=2.0, exact=1),
)
REWIND = sig.Rewind(
    generation=2,
    parent=1,
    from_seq=9,
    from_chain="c",
    version=7,
    reason="because",
    by="ann",
    workflow_id="demo-000002",
    ledger=Ledger(spent_usd=2.0, exact=1),
)
FORK = sig.Fork(workflow_id="demo-000002", from_workflow_id="demo-000001", variables={"north": 2})


def shared(said: msgspec.Struct, event: ev.Event, *, but: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return what a signal said, by the names that the event has too."""
    names = set(said.__struct_fields__) & set(event.__struct_fields__) - set(but)
    return {name: getattr(said, name) for name in sorted(names)}


def kept(said: msgspec.Struct, event: ev.Event, *, but: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the same names as the event has them."""
    return {name: getattr(event, name) for name in shared(said, event, but=but)}


def decided(now: Given, signal: sig.Signal, kind: type[ev.Event]) -> ev.Event:
    """Return the first event of a kind that is decided."""
    return next(event for event in decide(now.state, signal)[0] if isinstance(event, kind))


@pytest.mark.parametrize("stopped", [False, True])
def test_the_end_of_a_command_is_recorded_with_all_that_is_known_of_it(stopped: bool) -> None:
    """Its output's file, and what was odd about it; whether it ended by itself or not."""
    said = msgspec.structs.replace(EXIT, stopped=stopped)
    event = decided(
        given(compiled(step("a")), starts("a")), said, ev.CommandInterrupted if stopped else ev.CommandFinished
    )
    reason = ("error",)  # a timeout is the reason before any other
    assert kept(said, event, but=reason) == shared(said, event, but=reason)


def test_a_run_begins_with_all_that_its_cook_was_asked_for() -> None:
    """Its bounds, its parameters, whether its log is synced; over again, from where its log went on."""
    now = Given(State())
    started, began = decided(now, COOK, ev.RunStarted), decided(now, COOK, ev.GenerationStarted)
    assert kept(COOK, started) == shared(COOK, started)
    of_run = ("workflow_id",)  # it is said where a fork goes back into its parent
    assert kept(COOK, began, but=of_run) == shared(COOK, began, but=of_run)
    assert isinstance(began, ev.GenerationStarted)
    assert began.parent == 1
    state = now.when(COOK).state
    assert state.run == Origin(
        workflow_id="demo-000001",
        workflow_path="demo.yaml",
        directory="/project",
        started=NOW,
        parameters={"north": 1},
        synced=False,
        prodigy_version="1",
    )
    assert (state.number, state.max_retries, state.max_parallel) == (4, 2, 3)


def test_a_resume_is_recorded_with_all_that_it_was_asked_for() -> None:
    """Its bounds, and what was noticed on the way."""
    said = resume(max_retries=2, max_parallel=3, notes=("the folder lies elsewhere now",))
    now = given(compiled(step("a")), starts("a"), stops(), ev.RunInterrupted())
    event = decided(now, said, ev.RunResumed)
    assert kept(said, event) == shared(said, event)
    assert (now.when(said).state.max_retries, now.when(said).state.max_parallel) == (2, 3)


def test_going_back_is_recorded_with_where_to_and_why() -> None:
    """And for which run: in a fork the moment may be of its parent."""
    event = decided(given(compiled(step("a")), starts("a")), resume(rewind=REWIND), ev.GenerationStarted)
    assert kept(REWIND, event) == shared(REWIND, event)
    assert isinstance(event, ev.GenerationStarted)
    assert not event.is_parent_lost


def test_a_fork_is_recorded_with_its_parent_and_what_is_changed() -> None:
    """The values of the parent stand, but those."""
    now = given(compiled(step("a"), variables={"north": 1, "south": 1}), starts("a"), stops(), ev.RunInterrupted())
    event = decided(now, resume(fork=FORK), ev.RunForked)
    assert kept(FORK, event) == shared(FORK, event)
    assert isinstance(event, ev.RunForked)
    assert event.from_seq == now.state.seq


def test_an_edit_is_recorded_with_what_moved_and_what_was_dropped() -> None:
    """So that every reader of the log finds the steps again."""
    edited = compiled(step("b"))
    revision = sig.Revision(plan=edited, workflow_text="- shell: do b", moved={"a": "b"}, dropped=("c",))
    now = given(compiled(step("a"), step("c")), starts("a"), stops(), ev.RunInterrupted())
    event = decided(now, resume(revision=revision), ev.PlanChanged)
    assert kept(revision, event) == shared(revision, event)


def test_items_are_recorded_as_they_were_listed() -> None:
    """With the reason where there are none."""
    said = sig.Listed(time=NOW, at="map", keys=(), items=(), note="items.txt is empty")
    event = decided(
        given(plan(), ev.NodeStarted(at="map", attempt=1), ev.ListingStarted(at="map")), said, ev.ItemsListed
    )
    assert kept(said, event) == shared(said, event)


def test_dead_letters_that_are_put_back_or_given_up_say_by_whom() -> None:
    """Both are an operator's word."""
    now = at_work(plan(max_parallel=1), begins("a"), dies("a", 7), begins("b"), stops(), ev.RunInterrupted())
    requeue = sig.Requeue(at="map", keys=("a",), by="ann")
    back = decided(now, resume(requeue=requeue), ev.ItemsRequeued)
    assert kept(requeue, back) == shared(requeue, back)
    purge = sig.PurgeRequested(time=NOW, at="map", keys=("a",), by="ann")
    purged = decided(now, purge, ev.DeadLettersPurged)
    assert kept(purge, purged) == shared(purge, purged)


# Snapshots --------------------------------------------------------------------------------------------------

ITEMS = Items(
    listed=item_list(tuple("cabdef"), (3, 1, 2, 4, 5, 6)),
    note="a note",
    cursor=2,
    active=immutables.Map({"c": True, "f": True}),
    held=("f",),
    settled=immutables.Map(
        {
            "a": Item(disposition="succeeded", output="x"),
            "b": Item(disposition="dead", error="boom"),
            "d": Item(disposition="skipped"),
            "e": Item(disposition="failed", error="boom"),
        }
    ),
    succeeded=1,
    skipped=1,
    dead=1,
    failed=1,
    excused=1,
    streak=2,
    is_open=True,
    is_trying=True,
    unmarked=3,
    since=NOW,
    settled_before=1,
)
MAPPED = mapped([], [step("x")], [step("r")])
FULL = State(
    seq=9,
    time=NOW,
    rested_s=1.5,
    generation=2,
    version=7,
    status="interrupted",
    stopping="SIGINT",
    origin=Origin(workflow_id="demo-000001", workflow_path="demo.yaml", directory="/project", started=NOW),
    plan=MAPPED,
    number=3,
    max_retries=2,
    addresses={node.id: node.address for node in MAPPED.nodes.values() if node.id},
    nodes=immutables.Map({"map": NodeState(status=Status.RUNNING, attempt=1)}),
    in_flight=immutables.Map({"map[c].x": Epoch(8)}),
    expired=frozenset({"map[c]"}),
    maps=immutables.Map({"map": ITEMS}),
    scoped=immutables.Map({"map[c]": {"seen": "it"}}),
    max_parallel=4,
    captures=immutables.Map({"x": 1}),
    outputs=immutables.Map({"shell": "out"}),
    ledger=Ledger(spent_usd=0.5, exact=1, unknown=1),
    reserved_usd=0.25,
    budget_usd=5.0,
    raised_usd=1.0,
    is_warned=True,
    held=immutables.Map({"map[f].x": 7}),
    parked=Parked(reason="a limit", since=NOW, due=NOW, tries=1, number=1),
    pausing=Pausing(at="map", reason="a key"),
    failed_at="map",
    failure="boom",
)


def test_a_state_comes_through_its_snapshot_whole() -> None:
    """Every field of it and of its maps; the folder is said by whoever plays the run."""
    plain = [name for name in State.__struct_fields__ if getattr(FULL, name) == getattr(State(), name)]
    assert plain == ["folder"]
    bare = Items(listed=ITEMS.listed)
    assert [name for name in Items.__struct_fields__ if getattr(ITEMS, name) == getattr(bare, name)] == ["listed"]
    snapshot = snapshot_of(FULL, dict(FULL.captures))
    place = State(seq=9, time=NOW, generation=2, version=7)
    assert msgspec.structs.replace(place, **restored(snapshot, MAPPED)) == FULL


def test_the_list_of_a_map_is_left_out_where_it_is_kept_elsewhere() -> None:
    """Of that map alone."""
    two = msgspec.structs.replace(FULL, maps=FULL.maps.set("other", ITEMS))
    snapshot = snapshot_of(two, {}, elsewhere=["map"])
    assert {at: items.listed for at, items in snapshot.maps.items()} == {"map": None, "other": ITEMS.listed}
