"""What a name on the command line means in a run: a step, a stage, an item, one that waits; one that means nothing.

Whatever names nothing is refused with the nearest that does: silence would look like "it has printed nothing".
"""

from typing import TYPE_CHECKING

from prodigy.errors import UsageProblem

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prodigy.kernel.state import State

SHOWN_MAX = 20
NAMED_CHARS_MAX = 100
COMPARED_MAX = 10_000


def address_of(workflow_id: str, state: "State", name: str, *, form: str = "{}") -> str:
    """Return the address of the step or stage that an id or an address means, of one inside an item too.

    Args:
        form: how the nearest name is shown where there is none.

    Raises:
        UsageProblem: the run has no such step, stage or item; the hint has the nearest.
    """
    address = state.addresses.get(name, name)
    if address in state.plan.nodes or _is_in_item(state, address):
        return address
    known = tuple(dict.fromkeys([*state.addresses, *state.plan.nodes]))
    near = nearest(name, [*known, *_items_like(state, name)], form=form)
    hint = near or f"There are {', '.join(known[:SHOWN_MAX])}."
    raise UsageProblem(f"{workflow_id} has no step or stage {name[:NAMED_CHARS_MAX]!a}", hint=hint)


def nearest(name: str, known: "Iterable[str]", *, form: str = "{}") -> str | None:
    """Return the hint that names the nearest of what is known, as it can be printed, or None."""
    from itertools import islice

    from prodigy.plan.reference import suggestion
    from prodigy.runtime.terminal import visible

    near = suggestion(name[:NAMED_CHARS_MAX], tuple(islice(known, COMPARED_MAX)), form=form)
    return near and visible(near)


def _is_in_item(state: "State", address: str) -> bool:
    from prodigy.plan.address import item_of, key_of, template_of

    if item_of(address) is None or template_of(address) not in state.plan.nodes:
        return False
    items = state.maps.get(address[: address.index("[")])
    return items is not None and key_of(address) in items.listed.places


def _items_like(state: "State", name: str) -> "Iterable[str]":
    """Return the addresses in all items that end as the name does, where it has the shape of one."""
    from prodigy.plan.address import item_address, item_of

    item = item_of(name)
    if item is None:
        return ()
    rest = name[len(item) :]
    return (item_address(at, key) + rest for at, items in state.maps.items() for key in items.listed.keys)
