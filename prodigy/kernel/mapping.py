"""The rules of a map: begin items while there is room, settle them, and know when enough have failed.

A settled item frees its place for the next one; a map settles when nothing is active and nothing may begin any more.
Items are sequences like any other, entered and failed by the rules of `decide`.
"""

from prodigy.kernel import decide
from prodigy.kernel import events as ev
from prodigy.kernel import signals as sig
from prodigy.kernel.cause import cause
from prodigy.kernel.counts import count_of
from prodigy.kernel.items import Disposition, Items, failures
from prodigy.kernel.lifecycle import Status
from prodigy.kernel.outcome import Outcome
from prodigy.kernel.retry import due_at
from prodigy.kernel.scope import lookup_in
from prodigy.kernel.state import State
from prodigy.kernel.turn import Move, Turn, walk
from prodigy.plan.address import item_address, key_of
from prodigy.plan.nodes import ErrorPolicy, Map, Node
from prodigy.plan.reference import Template
from prodigy.plan.words import counted

PARALLEL_MAX = 1000
THRESHOLD_ITEMS_MIN = 10  # a share of fewer settled items says nothing while there are more to come


def begin(turn: Turn, node: Node) -> Move | None:
    """Ask for the items, or go on with those that are known: a map tried again re-opens all that did not succeed."""
    if node.address not in turn.state.maps:
        turn.emit(ev.ListingStarted(at=node.address))
        return None
    items = turn.state.maps[node.address]
    bad = [key for key, item in items.settled.items() if item.disposition in ("dead", "failed")]
    if again := sorted((*bad, *items.active), key=items.listed.places.__getitem__):
        turn.emit(ev.ItemsRequeued(at=node.address, keys=tuple(again)))
    return lambda: go_on(turn, node)


def listed(turn: Turn, signal: sig.Listed) -> None:
    """The items were read, once and for all; or they could not be."""
    here = turn.state.node(signal.at)
    if here.status is not Status.RUNNING or signal.at in turn.state.maps or decide.is_held(turn.state, signal.at):
        return
    node = turn.node(signal.at)
    problem = signal.error or _unlimited(turn.state, node)
    if problem:
        walk(decide.fail(turn, node, Outcome(error=problem)))
        return
    turn.emit(ev.ItemsListed(at=signal.at, keys=signal.keys, items=signal.items, note=signal.note))
    walk(go_on(turn, node))


def go_on(turn: Turn, node: Node) -> Move | None:
    """Begin items while there is room, and settle the map when there is nothing left to wait for.

    Items that settle at once come back here while the loop is at work: then there is nothing to do but to go on.
    """
    if node.address in turn.filling:
        return None
    turn.filling.add(node.address)
    try:
        while (key := _next(turn.state, node)) is not None:
            if held := turn.state.maps[node.address].held:
                turn.emit(ev.ItemsHeld(at=node.address, keys=held[1:]))
            walk(decide.enter(turn, item_address(node.address, key)))
            assert _next(turn.state, node) != key, "an item that began is not pending any more"
    finally:
        turn.filling.discard(node.address)
    if turn.state.node(node.address).status is not Status.RUNNING or turn.state.maps[node.address].active:
        return None
    return _finish(turn, node)


def settle_item(turn: Turn, node: Node, error: str) -> Move:
    """An item came to its end, well where `error` is empty; what a failure means is the error policy's word."""
    owner = turn.node(node.parent)
    assert isinstance(owner.body, Map), "only a map has items"
    disposition: Disposition = _disposition(owner.body.errors) if error else "succeeded"
    culprit = _culprit(turn, node) if error else node.address
    said, key = turn.state.node(culprit), key_of(node.address)
    was_trying = turn.state.maps[owner.address].is_trying
    if disposition == "failed":
        turn.emit(ev.NodeFailed(at=node.address, error=error))
    turn.emit(
        ev.ItemSettled(
            at=owner.address,
            key=key,
            disposition=disposition,
            error=error,
            step=culprit[len(node.address) :].lstrip("."),
            exit_code=said.exit_code,
            output_file=said.output_file,
            attempts=_tries(turn.state, node.address, culprit) if error else 0,
        )
    )
    items = turn.state.maps[owner.address]
    if items.unmarked >= owner.body.checkpoint_frequency:
        turn.emit(ev.CheckpointMarked(version=turn.state.version + 1, at=owner.address))
    if error:
        _open_breaker(turn, owner, was_trying=was_trying)
    return lambda: go_on(turn, owner)


def pause_over(turn: Turn, node: Node) -> None:
    """The breaker's pause is over: one item tries the way."""
    if turn.state.maps[node.address].is_open and not decide.is_held(turn.state, node.address):
        turn.emit(ev.BreakerTried(at=node.address))
        walk(go_on(turn, node))


def has_enough(items: Items, errors: ErrorPolicy) -> str:
    """Return why no further item may begin, or nothing while it may."""
    bad = failures(items, errors) - items.excused
    if items.failed:
        return "an item failed, and on_item_failure is stop"
    if errors.max_failures is not None and bad >= errors.max_failures:
        return f"{counted(bad, 'item')} failed, and max_failures is {errors.max_failures}"
    done = len(items.settled) - items.excused
    is_telling = done >= THRESHOLD_ITEMS_MIN or (done > 0 and not items.pending and not items.active)
    if errors.failure_threshold is not None and is_telling and bad / done > errors.failure_threshold:
        return f"{bad} of {counted(done, 'item')} failed, and failure_threshold is {errors.failure_threshold:g}"
    return ""


def _next(state: State, node: Node) -> str | None:
    """Return the item that may begin now, or None."""
    assert isinstance(node.body, Map), "only a map has items"
    items = state.maps[node.address]
    if state.node(node.address).status is not Status.RUNNING or items.is_open or decide.is_held(state, node.address):
        return None
    room = 1 if items.is_trying else parallel(state, node)
    if items.working >= room:
        return None
    if items.held:
        return items.held[0]
    return None if has_enough(items, node.body.errors) else items.next_key()


def parallel(state: State, node: Node) -> int:
    """Return how many items may be at work at once."""
    assert isinstance(node.body, Map), "only a map has items"
    wanted = state.max_parallel or _limit(state, node, node.body.max_parallel, "max_parallel")
    if node.body.max_processes is None:
        return wanted
    return min(wanted, _limit(state, node, node.body.max_processes, "max_processes"))


def _limit(state: State, node: Node, written: int | Template, name: str) -> int:
    if isinstance(written, int):
        return written
    return count_of(written, lookup_in(state, node.address), name=name, least=1, most=PARALLEL_MAX)


def _unlimited(state: State, node: Node) -> str:
    """Return what is wrong with the limits of a map, checked once before its first item begins."""
    try:
        parallel(state, node)
    except ValueError as problem:
        return str(problem)
    return ""


def _finish(turn: Turn, node: Node) -> Move | None:
    assert isinstance(node.body, Map), "only a map has items"
    items = turn.state.maps[node.address]
    if enough := has_enough(items, node.body.errors):
        return decide.fail(turn, node, Outcome(error=f"{enough}{_example(items)}"))
    if items.is_open or items.pending or decide.is_held(turn.state, node.address):
        return None
    if items.total and not items.succeeded + items.skipped:
        which = "the only item" if items.total == 1 else f"every one of {items.total} items"
        return decide.fail(turn, node, Outcome(error=f"{which} failed{_example(items)}"))
    return decide.succeed(turn, node)


def _tries(state: State, item: str, at: str) -> int:
    """Return how often a step of an item was tried: in its last attempt, and in those before."""
    return state.node(at).attempt + state.node(item).tried.get(at[len(item) :], 0)


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


def _disposition(errors: ErrorPolicy) -> Disposition:
    match errors.on_item_failure:
        case "skip":
            return "skipped"
        case "stop":
            return "failed"
        case "dlq" | "retry":
            return "dead"


def _culprit(turn: Turn, node: Node) -> str:
    """Return the address of what failed an item: the deepest step that nothing tolerated."""
    at = node.address
    while below := next(decide.failures(turn.state, turn.node(at)), None):
        at = below
    return at


def _open_breaker(turn: Turn, node: Node, *, was_trying: bool) -> None:
    assert isinstance(node.body, Map), "only a map has items"
    breaker, items = node.body.errors.breaker, turn.state.maps[node.address]
    if breaker is None or items.is_open or not items.pending or has_enough(items, node.body.errors):
        return
    if items.streak >= breaker.failures or was_trying:
        due = due_at(turn.time, breaker.pause_s)
        turn.emit(ev.BreakerOpened(at=node.address, delay_s=breaker.pause_s, due=due))
