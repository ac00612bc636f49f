"""The rules of a map: its items are listed, begun while there is room, and settled; a map settles when enough is known.

An item is a sequence like any other, at an address of its own. A settled one frees its place for the next.
"""

from prodigy.kernel import events as ev
from prodigy.kernel import signals as sig
from prodigy.kernel.cause import cause
from prodigy.kernel.items import Disposition, Items
from prodigy.kernel.lifecycle import Status
from prodigy.kernel.moves import Enter, Fail, Fill, Moves, SettleItem, Succeed
from prodigy.kernel.outcome import Outcome
from prodigy.kernel.queries import culprit_of, has_enough, is_held, next_item, parallel
from prodigy.kernel.retry import due_at
from prodigy.kernel.state import State
from prodigy.kernel.turn import Turn
from prodigy.plan.address import in_item, item_address, key_of
from prodigy.plan.nodes import ErrorPolicy, Map, Node
from prodigy.plan.phrases import counted


def listed(turn: Turn, signal: sig.Listed) -> Moves:
    """Record the items of a map, once and for all; or fail it where they could not be read."""
    here = turn.state.node(signal.at)
    if here.status is not Status.RUNNING or signal.at in turn.state.maps or is_held(turn.state, signal.at):
        return ()
    if problem := signal.error or _unlimited(turn.state, turn.node(signal.at)):
        return (Fail(signal.at, Outcome(error=problem)),)
    turn.record(ev.ItemsListed, signal)
    return (Fill(signal.at),)


def _unlimited(state: State, node: Node) -> str:
    """Return what is wrong with the limits of a map, checked once before its first item begins."""
    try:
        parallel(state, node)
    except ValueError as problem:
        return str(problem)
    return ""


def fill(turn: Turn, move: Fill) -> Moves:
    """Begin the next item if there is room, and look again; settle the map when there is nothing left to wait for."""
    node = turn.node(move.at)
    if turn.state.node(move.at).status is not Status.RUNNING:
        return ()
    key = next_item(turn.state, node)
    if key is None:
        return _finish(turn, node)
    assert key != move.begun, "an item that has begun is not pending any more"
    if held := turn.state.maps[move.at].held:
        turn.emit(ev.ItemsHeld(at=move.at, keys=held[1:]))
    return (Enter(item_address(move.at, key)), Fill(move.at, key))


def _finish(turn: Turn, node: Node) -> Moves:
    assert isinstance(node.body, Map), "only a map has items"
    items = turn.state.maps[node.address]
    if items.active:
        return ()
    if enough := has_enough(items, node.body.errors):
        return (Fail(node.address, Outcome(error=f"{enough}{_example(items)}")),)
    if items.is_open or items.pending or is_held(turn.state, node.address):
        return ()
    if items.total and not items.succeeded + items.skipped:
        which = "the only item" if items.total == 1 else f"every one of {counted(items.total, 'item')}"
        return (Fail(node.address, Outcome(error=f"{which} failed{_example(items)}")),)
    return (Succeed(node.address),)


def _example(items: Items) -> str:
    bad = min(
        (key for key, item in items.settled.items() if item.disposition in ("dead", "failed")),
        key=items.listed.places.__getitem__,
        default=None,
    )
    if bad is None:
        return ""
    item = items.settled[bad]
    return f"; the first is {bad}: {cause(item.error, item.exit_code)}"


def settle_item(turn: Turn, move: SettleItem) -> Moves:
    """Record how an item ended; the error policy decides what a failure means."""
    node = turn.node(move.at)
    owner = turn.state.plan.owner_of(node)
    assert isinstance(owner.body, Map), "only a map has items"
    was_trying = turn.state.maps[owner.address].is_trying
    if move.error is None:
        turn.emit(ev.ItemSettled(at=owner.address, key=key_of(move.at), disposition="succeeded"))
    else:
        _record_failure(turn, owner.address, move.at, move.error, _disposition(owner.body.errors))
    if turn.state.maps[owner.address].unmarked >= owner.body.checkpoint_frequency:
        turn.emit(ev.CheckpointMarked(version=turn.state.version + 1, at=owner.address))
    if move.error is not None:
        _open_breaker(turn, owner, was_trying=was_trying)
    return (Fill(owner.address),)


def _record_failure(turn: Turn, at: str, item: str, error: str, disposition: Disposition) -> None:
    culprit = culprit_of(turn.state, item)
    said = turn.state.node(culprit)
    if disposition == "failed":
        turn.emit(ev.NodeFailed(at=item, error=error))
    turn.emit(
        ev.ItemSettled(
            at=at,
            key=key_of(item),
            disposition=disposition,
            error=error,
            step=in_item(culprit).step,
            exit_code=said.exit_code,
            output_file=said.output_file,
            attempts=_tries(turn.state, item, culprit),
        )
    )


def _tries(state: State, item: str, at: str) -> int:
    """Return how often a step of an item was tried: in its last attempt, and in those before."""
    return state.node(at).attempt + state.node(item).tried.get(in_item(at).rest, 0)


def _disposition(errors: ErrorPolicy) -> Disposition:
    match errors.on_item_failure:
        case "skip":
            return "skipped"
        case "stop":
            return "failed"
        case "dlq" | "retry":
            return "dead"


def _open_breaker(turn: Turn, node: Node, *, was_trying: bool) -> None:
    assert isinstance(node.body, Map), "only a map has items"
    breaker, items = node.body.errors.breaker, turn.state.maps[node.address]
    if breaker is None or items.is_open or not items.pending or has_enough(items, node.body.errors):
        return
    if items.streak >= breaker.failures or was_trying:
        due = due_at(turn.time, breaker.pause_s)
        turn.emit(ev.BreakerOpened(at=node.address, delay_s=breaker.pause_s, due=due))


def purge(turn: Turn, signal: sig.PurgeRequested) -> Moves:
    """Give dead letters up for good: they count as skipped, and no more against the error policy."""
    keys = _dead(turn.state, signal.at, signal.keys)
    if not keys:
        return ()
    turn.record(ev.DeadLettersPurged, signal, keys=keys)
    return (Fill(signal.at),) if signal.is_live and not turn.state.is_over else ()


def requeue(turn: Turn, signal: sig.RequeueRequested) -> Moves:
    """Put dead letters back while their map is at work; when it has settled they wait for the next resume."""
    keys = _dead(turn.state, signal.at, signal.keys)
    if not keys or turn.state.is_over or turn.state.node(signal.at).status is not Status.RUNNING:
        return ()
    turn.record(ev.ItemsRequeued, signal, keys=keys)
    return (Fill(signal.at),)


def _dead(state: State, at: str, keys: tuple[str, ...]) -> tuple[str, ...]:
    """Return which of these are dead letters still: another order may have come first."""
    settled = state.maps[at].settled
    return tuple(key for key in keys if key in settled and settled[key].disposition == "dead")
