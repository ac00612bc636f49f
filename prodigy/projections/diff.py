"""Two runs side by side: what of their steps, items, variables and outcomes differs.

Steps are matched by id, else by what they run, in order, else by their place. Durations are shown but never counted as
a difference: no two runs take the same time.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from prodigy.kernel.lifecycle import Status
from prodigy.kernel.state import State
from prodigy.plan.address import is_template
from prodigy.plan.headline import headline
from prodigy.plan.nodes import Map, Node, Run
from prodigy.projections.item_diff import MapPair, map_pair
from prodigy.projections.replay import variables_of
from prodigy.projections.steps import Step, steps_of


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """A step in one of the runs: `what` it runs, and `when`; how it stands, and what its last attempt came to.

    A step of a map's template has the status `for each item`, and no more than what it runs and when.
    """

    address: str
    what: str
    when: str | None
    status: str
    attempts: int
    exit_code: int | None
    error: str | None
    duration_s: float | None


class StepPair(msgspec.Struct, frozen=True, kw_only=True):
    """One step in both runs; null where it is only in the other. `differs` names what differs, empty where nothing."""

    a: Side | None
    b: Side | None
    differs: tuple[str, ...]


class VariablePair(msgspec.Struct, frozen=True, kw_only=True):
    """One variable in both runs. Where a run has none of that name `in_a` or `in_b` is false and its value null."""

    name: str
    in_a: bool
    in_b: bool
    a: Any
    b: Any

    @property
    def differs(self) -> bool:
        """Whether the runs do not agree about it."""
        return (self.in_a, self.a) != (self.in_b, self.b)


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """Two runs side by side. `status` is how each stands; steps are in order, those that only b has in their place.

    After a map come those steps of its template that differ. `maps` are those that both runs have, each with its items
    that differ.
    """

    status: tuple[str, str]
    steps: tuple[StepPair, ...]
    maps: tuple[MapPair, ...]
    variables: tuple[VariablePair, ...]

    @property
    def count(self) -> int:
        """How many things differ: the status, steps, items and variables."""
        differing = sum(bool(pair.differs) for pair in self.steps) + sum(pair.differs for pair in self.variables)
        return differing + sum(pair.count for pair in self.maps) + (self.status[0] != self.status[1])


def difference(a: State, b: State) -> Difference:
    """Return what differs between two runs; neither state is empty."""
    values_a, values_b = variables_of(a), variables_of(b)
    variables = tuple(
        VariablePair(
            name=name, in_a=name in values_a, in_b=name in values_b, a=values_a.get(name), b=values_b.get(name)
        )
        for name in {**values_a, **values_b}
        if not name.endswith(".output")  # what came last is no more than a step's result
    )
    matched = list(_matched(_steps(a), _steps(b)))
    return Difference(
        status=(a.status, b.status),
        steps=tuple(_pairs(a, b, matched)),
        maps=tuple(_maps(a, b, matched)),
        variables=variables,
    )


def _pairs(a: State, b: State, matched: list[tuple[Step | None, Step | None]]) -> Iterator[StepPair]:
    for one, other in matched:
        yield _pair(one, other)
        if one and other and isinstance(one.leaf.body, Map) and isinstance(other.leaf.body, Map):
            templates = _matched(_template(a, one.leaf), _template(b, other.leaf))
            yield from (pair for pair in (_pair(*steps) for steps in templates) if pair.differs)


def _template(state: State, owner: Node) -> list[Step]:
    """Return what a map runs for each item, handlers too."""
    beginning = f"{owner.address}[]"
    leaves = [node for node in state.plan.nodes.values() if isinstance(node.body, Run)]
    return _with_state(state, [leaf for leaf in leaves if leaf.address.startswith(beginning)])


def _maps(a: State, b: State, matched: list[tuple[Step | None, Step | None]]) -> Iterator[MapPair]:
    for one, other in matched:
        if one and other and isinstance(one.leaf.body, Map) and isinstance(other.leaf.body, Map):
            here, there = one.leaf.address, other.leaf.address
            if here in a.maps or there in b.maps:
                yield map_pair(here, there, a.maps.get(here), b.maps.get(there))


def _steps(state: State) -> list[Step]:
    """Return the steps in document order, and after each its handlers where they began; those of a stage come last."""
    begun: dict[str, list[Node]] = {}
    for node in state.plan.nodes.values():
        handlers = node.policy.on_failure
        if handlers is not None and state.node(handlers.address).status is not Status.PENDING:
            begun[node.address] = state.plan.leaves(handlers.address)
    found: list[Step] = []
    for step in steps_of(state):
        found.append(step)
        found += _with_state(state, begun.pop(step.leaf.address, []))
    for leaves in begun.values():
        found += _with_state(state, leaves)
    return found


def _with_state(state: State, leaves: list[Node]) -> list[Step]:
    return [Step(leaf.index, leaf, state.node(leaf.address)) for leaf in leaves]


def _matched(ones: list[Step], others: list[Step]) -> Iterator[tuple[Step | None, Step | None]]:
    """Yield the steps of both runs in pairs, in the first one's order; what only b has follows its neighbour."""
    matches = _matches([step.leaf for step in ones], [step.leaf for step in others])
    back = {there: here for here, there in matches.items()}
    after: dict[int, list[Step]] = {}
    anchor = -1
    for there, other in enumerate(others):
        if there in back:
            anchor = back[there]
        else:
            after.setdefault(anchor, []).append(other)
    yield from ((None, other) for other in after.get(-1, ()))
    for here, one in enumerate(ones):
        yield one, others[matches[here]] if here in matches else None
        yield from ((None, other) for other in after.get(here, ()))


def _matches(ones: list[Node], others: list[Node]) -> dict[int, int]:
    """Return {place among the first: place among the second}: by id, then by definition, then by address."""
    matches: dict[int, int] = {}
    for identity in ("id", "definition", "address"):
        free: dict[str, list[int]] = {}
        taken = set(matches.values())
        for there, node in enumerate(others):
            if there not in taken and (key := getattr(node, identity)):
                free.setdefault(key, []).append(there)
        for here, node in enumerate(ones):
            if here not in matches and (candidates := free.get(getattr(node, identity))):
                matches[here] = candidates.pop(0)
    return matches


def _pair(one: Step | None, other: Step | None) -> StepPair:
    here = _side(one) if one else None
    there = _side(other) if other else None
    return StepPair(a=here, b=there, differs=tuple(_differing(one, other, here, there)))


def _side(step: Step) -> Side:
    here = step.here
    return Side(
        address=step.leaf.address,
        what=headline(step.leaf),
        when=step.leaf.policy.when.text.strip() if step.leaf.policy.when else None,
        status="for each item" if is_template(step.leaf.address) else str(here.status),
        attempts=here.attempt,
        exit_code=here.exit_code,
        error=here.error if here.status is not Status.SUCCEEDED else None,
        duration_s=here.duration_s,
    )


def _differing(one: Step | None, other: Step | None, here: Side | None, there: Side | None) -> Iterator[str]:
    if one is None or other is None or here is None or there is None:
        yield "presence"
        return
    if one.leaf.definition != other.leaf.definition:
        yield "definition"
    if here.when != there.when:
        yield "when"
    outcomes = [(side.status, side.attempts, side.exit_code, side.error) for side in (here, there)]
    if outcomes[0] != outcomes[1]:
        yield "outcome"
