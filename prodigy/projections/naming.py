"""What people call a step or stage, and which node they mean: its id, its address, or its `name:`.

The plan knows the nodes, the state the items whose steps stand inside brackets: `map[src/a.py].lint`. An id is one
node's, and so is an address; a `name:` may be several nodes', and then it means none until the address is said. An item
is also called by its key alone, as tables show it, where no node is called so.
"""

from collections.abc import Iterable
from itertools import islice

from prodigy.errors import UsageProblem
from prodigy.kernel.state import State
from prodigy.plan.address import in_item, inside, is_template, item_address, parse
from prodigy.plan.nodes import Plan
from prodigy.plan.phrases import counted
from prodigy.plan.reference import suggestion

SHOWN_MAX = 20
NAMED_CHARS_MAX = 100
COMPARED_MAX = 10_000  # names with which a misspelt one is compared


def addresses_in(plan: Plan, name: str) -> tuple[str, ...]:
    """Return the addresses in the plan that a name means: none, one, or those of all steps of one `name:`."""
    return plan.called.get(name.strip(), ())


def address_of(workflow_id: str, state: State, name: str, *, form: str = "{}") -> str:
    """Return the address of the step or stage that a name means, of one inside an item too.

    Args:
        name: its id, its address, or its `name:`.
        form: how the nearest name is shown where there is none.

    Raises:
        UsageProblem: the run has no such step, stage or item, and the hint has the nearest; or it has several of that
            `name:`, and the hint has their addresses.
    """
    found = addresses_in(state.plan, name) or _in_item(state, name.strip()) or _of_key(state, name.strip())
    check_one(workflow_id, name, found)
    if found:
        return found[0]
    message = f"{workflow_id} has no step or stage {name[:NAMED_CHARS_MAX]!a}"
    raise UsageProblem(message, hint=near_or_all(state, name, form=form))


def check_one(workflow_id: str, name: str, found: tuple[str, ...]) -> None:
    """Refuse a name that several steps have.

    Raises:
        UsageProblem: there are several; the hint has their addresses.
    """
    if len(found) > 1:
        raise UsageProblem(
            f"{workflow_id} has {counted(len(found), 'step')} of the name {name[:NAMED_CHARS_MAX]!a}",
            hint=f"Say which, by its address: {_listed(found)}.",
        )


def near_or_all(state: State, name: str, *, form: str = "{}") -> str:
    """Return the hint about a name that means nothing: the nearest that does, else those that there are."""
    ids = tuple(node.id for node in state.plan.nodes.values() if node.id)
    known = tuple(dict.fromkeys([*ids, *state.plan.nodes]))
    names = (node.name for node in state.plan.nodes.values() if node.name and node.name.isprintable())
    like = islice([*known, *names, *_items_like(state, name)], COMPARED_MAX)
    near = suggestion(name[:NAMED_CHARS_MAX], tuple(like), form=form)
    return near or f"There are {', '.join(known[:SHOWN_MAX])}."


def _in_item(state: State, name: str) -> tuple[str, ...]:
    """Return the address of an item, or of a step in it: what follows the item is an address, an id or a name."""
    parts = parse(name)
    items = None if parts is None else state.maps.get(parts.map)
    if parts is None or items is None or parts.key not in items.listed.places:
        return ()
    if parts.template in state.plan.nodes:
        return (name,)
    called = addresses_in(state.plan, parts.step)
    return tuple(inside(parts.item, at) for at in called if is_template(at) and in_item(at).map == parts.map)


def _of_key(state: State, name: str) -> tuple[str, ...]:
    """Return the address of each item that has this key: one in each map at most."""
    return tuple(item_address(at, name) for at, items in state.maps.items() if name in items.listed.places)


def _items_like(state: State, name: str) -> Iterable[str]:
    """Return the addresses in all items that end as the name does, where it has the shape of one."""
    parts = parse(name)
    if parts is None:
        return ()
    return (item_address(at, key) + parts.rest for at, items in state.maps.items() for key in items.listed.keys)


def _listed(addresses: tuple[str, ...]) -> str:
    more = f" and {len(addresses) - SHOWN_MAX} more" if len(addresses) > SHOWN_MAX else ""
    return ", ".join(addresses[:SHOWN_MAX]) + more
