"""Find a run's steps again in an edited workflow.

Two plans are aligned sequence by sequence: by id, else by definition, else by standing in the same gap. What has
settled keeps its result wherever its step went; what has not takes the new plan. Where an edit would rewrite
history (a finished step changed, or something unfinished stands before it), that is a conflict, for the operator to
decide.
"""

from collections.abc import Iterator
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from prodigy.kernel.lifecycle import Status
from prodigy.kernel.state import State
from prodigy.plan.address import inside, item_of, template_of
from prodigy.plan.nodes import ROOT, Map, Node, Plan, Run, Sequence


class Alignment(msgspec.Struct, frozen=True, kw_only=True):
    """How an old plan's addresses are found in a new one. `conflicts` are sentences that name steps."""

    moved: dict[str, str]
    dropped: tuple[str, ...]
    conflicts: tuple[str, ...]


def align(state: State, plan: Plan) -> Alignment:
    """Return where the nodes of a run are in an edited plan."""
    seen = _with_templates(state)
    pairs = {ROOT: ROOT}
    conflicts: list[str] = []
    stack = [_Pair(ROOT, ROOT, False)]
    while stack:
        pair = stack.pop()
        old, new = state.plan.node(pair.old), plan.node(pair.new)
        below = list(_align_children(seen, old, plan, new, [] if pair.is_free else conflicts, pair.is_free))
        below += _align_handlers(old, new)
        pairs.update((before, now) for before, now, _ in below)
        stack += reversed(below)
    for before, now in _elsewhere(state, plan, pairs):
        pairs[before] = now
        conflicts.append(f"{before} has finished, and was moved to {now}")
    places = {at: _place(state, pairs, at) for at in state.nodes}
    known = {at: place for at, place in places.items() if place is not None}
    return Alignment(
        moved={old: new for old, new in {**pairs, **known}.items() if old != new},
        dropped=tuple(at for at, place in places.items() if place is None),
        conflicts=tuple(conflicts),
    )


def _with_templates(state: State) -> State:
    """Return the state in which a template's step has finished as soon as it has in one item that is under way."""
    found = {
        template_of(at): node
        for at, node in state.nodes.items()
        if state.plan.is_in_item(at) and node.status in (Status.SUCCEEDED, Status.HANDLED)
    }
    return replace(state, nodes=state.nodes.update(found)) if found else state


def _elsewhere(state: State, plan: Plan, pairs: dict[str, str]) -> list[tuple[str, str]]:
    """Return (old, new) of finished steps that were not found in their sequence but by id in another one."""
    taken = set(pairs.values())
    steps = [(at, node) for at, node in plan.nodes.items() if isinstance(node.body, Run)]
    free = {node.id: at for at, node in steps if node.id and at not in taken}
    lost = [(at, state.plan.nodes[at]) for at in state.nodes if at in state.plan.nodes and at not in pairs]
    return [
        (at, free.pop(node.id))
        for at, node in lost
        if node.id in free and isinstance(node.body, Run) and _is_finished(state, node)
    ]


def _place(state: State, pairs: dict[str, str], at: str) -> str | None:
    """Return where a node that something happened to is now; inside an item it goes where its template's went."""
    item = item_of(at) if state.plan.is_in_item(at) else None
    if item is None:
        return pairs.get(at)
    template = pairs.get(template_of(at))
    return None if template is None else inside(item, template)


class _Pair(NamedTuple):
    """An old address and its new one. Handlers, and all below them, are free: their edits are never conflicts."""

    old: str
    new: str
    is_free: bool


def _align_handlers(old: Node, new: Node) -> list[_Pair]:
    before, now = old.policy.on_failure, new.policy.on_failure
    return [_Pair(before.address, now.address, True)] if before and now else []


def _align_children(
    state: State, old: Node, plan: Plan, new: Node, conflicts: list[str], is_free: bool
) -> Iterator[_Pair]:
    if isinstance(old.body, Map) and isinstance(new.body, Map):
        yield _Pair(old.body.template, new.body.template, is_free)
    if not (isinstance(old.body, Sequence) and isinstance(new.body, Sequence)):
        return
    olds = [state.plan.node(at) for at in old.body.children]
    news = [plan.node(at) for at in new.body.children]
    matches = _match(olds, news)
    gaps = _gaps(olds, news, matches)
    for befores, nows in gaps:
        conflicts += _changed(state, befores, nows)
        for before, now in _pair_up(state, befores, nows, is_free=is_free):
            yield _Pair(before.address, now.address, is_free)
    conflicts += _rewritten(state, olds, news, matches)
    for at_before, at_now in matches.items():
        yield _Pair(olds[at_before].address, news[at_now].address, is_free)


def _match(olds: list[Node], news: list[Node]) -> dict[int, int]:
    """Return {place in the old sequence: place in the new}: by id or name first, then by definition, in order."""
    by_name = {name: place for place, node in enumerate(news) if (name := _name(node))}
    matches = {
        place: by_name[name]
        for place, node in enumerate(olds)
        if (name := _name(node)) in by_name and _same_kind(node, news[by_name[name]])
    }
    taken = set(matches.values())
    known = {_name(node) for node in olds}
    free: dict[str, list[int]] = {}
    for place, node in enumerate(news):
        if place not in taken and (not _name(node) or _name(node) not in known):
            free.setdefault(node.definition, []).append(place)
    for place, node in enumerate(olds):
        if place not in matches and (candidates := free.get(node.definition)):
            matches[place] = candidates.pop(0)
    return matches


def _name(node: Node) -> str | None:
    """Return what a node is known by: a step by its id, a stage by its name, a map by being one, for there is one."""
    return node.address if isinstance(node.body, Map) else node.id or node.name


def _same_kind(old: Node, new: Node) -> bool:
    """Steps go with steps, maps with maps, stages with stages."""
    return type(old.body) is type(new.body)


def _gaps(olds: list[Node], news: list[Node], matches: dict[int, int]) -> list[tuple[list[Node], list[Node]]]:
    """Return the unmatched nodes of both sides, grouped by the matched one that they follow."""
    back = {now: before for before, now in matches.items()}
    befores: dict[int, list[Node]] = {}
    nows: dict[int, list[Node]] = {}
    anchor = -1
    for place, node in enumerate(olds):
        if place in matches:
            anchor = place
        else:
            befores.setdefault(anchor, []).append(node)
    anchor = -1
    for place, node in enumerate(news):
        if place in back:
            anchor = back[place]
        else:
            nows.setdefault(anchor, []).append(node)
    return [(befores.get(key, []), nows.get(key, [])) for key in sorted(befores.keys() | nows.keys())]


def _pair_up(state: State, befores: list[Node], nows: list[Node], *, is_free: bool) -> list[tuple[Node, Node]]:
    """Pair the unmatched nodes of a gap, in order: what is to be done takes the new texts.

    New texts that are left over stand for finished steps: a conflict, and where it is accepted their results stand.
    A skipped step and a handler have no such result: whatever is new in their place runs.
    """
    pending = [node for node in befores if not _is_over(state, node)]
    finished = [] if is_free else [node for node in befores if _is_finished(state, node)]
    spare = max(0, len(nows) - len(pending))
    pairs = zip(finished[:spare] + pending, nows, strict=False)
    return [(before, now) for before, now in pairs if _same_kind(before, now)]


def _changed(state: State, befores: list[Node], nows: list[Node]) -> Iterator[str]:
    """A finished step that is gone counts as changed when a new one stands in its place."""
    finished = [node for node in befores if _is_finished(state, node)]
    if nows:
        for node in finished:
            yield f"{node.address} has finished, and its text was changed"


def _rewritten(state: State, olds: list[Node], news: list[Node], matches: dict[int, int]) -> Iterator[str]:
    """Finished steps whose definition changed, and what is unfinished but stands before one that has finished."""
    finished = {now: olds[before] for before, now in matches.items() if _is_finished(state, olds[before])}
    for now, node in sorted(finished.items()):
        if node.definition != news[now].definition:
            yield f"{node.address} has finished, and its text was changed"
    last = max(finished, default=-1)
    back = {now: before for before, now in matches.items()}
    for place in range(last):
        if place in finished:
            continue
        after = next(now for now in sorted(finished) if now > place)
        here, there = _placed(news[place]), _placed(news[after])
        if place not in back:
            yield f"{here} is new and stands before {there}, which has finished"
        elif not _was_before(olds, back[place], finished[after].address):
            yield f"{here} has not finished and now stands before {there}, which has"


def _placed(node: Node) -> str:
    """Return where a step stands in the edited file: one without an id has moved, and so its number says little."""
    return node.address if node.id or not node.line else f"{node.address} (line {node.line})"


def _was_before(olds: list[Node], place: int, later: str) -> bool:
    """Whether the old plan had the same order: a tolerated failure, say, stands before what finished after it."""
    return any(node.address == later for node in olds[place + 1 :])


def _is_finished(state: State, node: Node) -> bool:
    """A failed step is unfinished: whoever mends it and resumes must simply succeed. A skipped one never ran."""
    return state.node(node.address).status in (Status.SUCCEEDED, Status.HANDLED)


def _is_over(state: State, node: Node) -> bool:
    return _is_finished(state, node) or state.node(node.address).status is Status.SKIPPED
