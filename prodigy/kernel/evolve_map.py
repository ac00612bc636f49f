"""Fold the events of a map: items listed, begun, settled, put back. No rule lives here either."""

import immutables
from msgspec.structs import replace

from prodigy.kernel import events as ev
from prodigy.kernel.items import Item, Items, begun, item_list, purged, requeued, settled
from prodigy.kernel.queries import excused
from prodigy.kernel.retry import elapsed_s
from prodigy.kernel.state import State
from prodigy.plan.address import in_item, item_address, template_of
from prodigy.plan.nodes import Map, Node, Sequence


def listed(state: State, event: ev.ItemsListed, time: str) -> State:
    """The map knows its items."""
    items = Items(listed=item_list(event.keys, event.items), note=event.note, since=time)
    return _with(state, event.at, items)


def item_begun(state: State, item: str) -> State:
    """An item is at work: it began, is tried again, or failed for good and is taken up again."""
    parts = in_item(item)
    at, key = parts.map, parts.key
    items = state.maps[at]
    if key in items.active:
        return state
    if key in items.settled:
        items = requeued(items, (key,))
    return _with(state, at, begun(items, key))


def tried(state: State, item: str) -> dict[str, int]:
    """Return how often each step of an item was tried so far, by what follows the item in its address."""
    found = dict(state.node(item).tried)
    for suffix in state.plan.within_items[template_of(item)]:
        if suffix and (attempt := state.node(item + suffix).attempt):
            found[suffix] = found.get(suffix, 0) + attempt
    return found


def item_settled(state: State, event: ev.ItemSettled, time: str) -> State:
    """An item shrinks to what is asked of it later; only a failed one keeps its steps, to be gone on with."""
    item = item_address(event.at, event.key)
    items = settled(state.maps[event.at], event.key, _shrunk(state, event, item, time))
    state = _with(state, event.at, items)
    if event.disposition == "failed":  # resume goes on inside it
        return state
    return _forgotten(state, item)


def items_held(state: State, event: ev.ItemsHeld, time: str) -> State:
    """These items wait for room, and no others."""
    return _with(state, event.at, replace(state.maps[event.at], held=event.keys))


def items_requeued(state: State, event: ev.ItemsRequeued, time: str) -> State:
    """Items are pending again, and begin anew."""
    return _put_back(state, event.at, event.keys)


def _put_back(state: State, at: str, keys: tuple[str, ...]) -> State:
    """Items are pending, as if nothing had happened to them."""
    for key in keys:
        state = _forgotten(state, item_address(at, key))
    return _with(state, at, requeued(state.maps[at], keys))


def map_bypassed(state: State, at: str) -> State:
    """The operator passes over the map: nothing is at work in it any more."""
    if at not in state.maps:
        return state
    return _put_back(state, at, tuple(state.maps[at].active))


def dead_letters_purged(state: State, event: ev.DeadLettersPurged, time: str) -> State:
    """Dead letters that the operator gave up count as skipped."""
    return _with(state, event.at, purged(state.maps[event.at], event.keys, event.by))


def map_taken_up(state: State, event: ev.NodeContinued) -> State:
    """The map goes on, and so many failed items do not count against its error policy again."""
    count = excused(state, event.at) if event.excused is None else event.excused
    items = replace(state.maps[event.at], excused=count, streak=0, is_open=False, is_trying=False)
    return _with(state, event.at, items)


def resumed(maps: immutables.Map[str, Items], time: str) -> immutables.Map[str, Items]:
    """The run goes on: the pace of its maps is told from here."""
    return maps.update({at: replace(it, since=time, settled_before=len(it.settled)) for at, it in maps.items()})


def breaker(state: State, event: ev.BreakerOpened | ev.BreakerTried, time: str) -> State:
    """The breaker opens, or lets one item through."""
    is_open = isinstance(event, ev.BreakerOpened)
    items = replace(state.maps[event.at], is_open=is_open, is_trying=not is_open, streak=0)
    return _with(state, event.at, items)


def marked(state: State, at: str) -> State:
    """A version was made: the next one is counted from here."""
    return _with(state, at, replace(state.maps[at], unmarked=0))


def _forgotten(state: State, item: str) -> State:
    """Return the state as if nothing had happened within an item."""
    with state.nodes.mutate() as nodes:
        for suffix in state.plan.within_items[template_of(item)]:
            if item + suffix in nodes:
                del nodes[item + suffix]
        forgotten = nodes.finish()
    scoped = state.scoped.delete(item) if item in state.scoped else state.scoped
    expired = state.expired - {item} if item in state.expired else state.expired
    return replace(state, nodes=forgotten, scoped=scoped, expired=expired)


def _shrunk(state: State, event: ev.ItemSettled, item: str, time: str) -> Item:
    node = state.node(item)
    body = state.plan.template(event.at).body
    assert isinstance(body, Map), "only a map has items"
    outputs = _outputs(state, state.plan.node(item)) if body.keeps_results else None
    return Item(
        disposition=event.disposition,
        attempts=event.attempts or max(node.attempt, 1),
        duration_s=elapsed_s(node.since, time),
        output=_output(state, state.plan.node(item)) if body.keeps_results else "",
        outputs=outputs,
        error=event.error,
        step=event.step,
        exit_code=event.exit_code,
        output_file=event.output_file,
    )


def _outputs(state: State, root: Node) -> dict[str, str]:
    """Return each step's output, by its id or else its place, in order."""
    assert isinstance(root.body, Sequence), "a template is a sequence"
    return {
        state.plan.template(child).id or str(place): state.node(child).output
        for place, child in enumerate(root.body.children)
    }


def _output(state: State, root: Node) -> str:
    """Return the item's output: that of its last claude step, else of its last step."""
    assert isinstance(root.body, Sequence), "a template is a sequence"
    children = root.body.children
    asked = [child for child in children if state.plan.template(child).is_claude]
    last = (asked or list(children))[-1:]
    return state.node(last[0]).output if last else ""


def _with(state: State, at: str, items: Items) -> State:
    return replace(state, maps=state.maps.set(at, items))
