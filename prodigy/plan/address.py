"""Addresses: paths in the plan that a person can read, such as `deploy.on_failure[0]`.

A step is addressed by its id, or else by its 0-based place among its siblings. Steps of the root sequence
carry no prefix: `transform`, `commands[3]`. Ids hold neither dots nor brackets, so no two nodes share one.
"""

import re

_HEX = re.compile(r"%([0-9A-F]{2})")
_ESCAPED = re.compile(r"[\]%\x00-\x1f\x7f]")


def of_step(identifier: str | None, index: int, *, parent: str | None) -> str:
    """Return the address of the step at `index` (0-based) under `parent`; None is the root sequence."""
    if parent is None:
        return identifier or f"commands[{index}]"
    return f"{parent}.{identifier}" if identifier else f"{parent}[{index}]"


def of_handlers(owner: str) -> str:
    """Return the address of the sequence that runs when the node at `owner` has failed."""
    return f"{owner}.on_failure"


def item_address(map_address: str, key: str) -> str:
    """Return the address of an item: its key in brackets, what would end or break them escaped."""
    return f"{map_address}[{_ESCAPED.sub(_escape, key)}]"


def within(item: str, step: str) -> str:
    """Return the address of what an item's record calls `step`: `lint`, or `[0]` where it has no id."""
    return f"{item}{step}" if step.startswith("[") or not step else f"{item}.{step}"


def item_of(address: str) -> str | None:
    """Return the address of the item that an address is in, itself included, or None outside items.

    It is told by shape alone: a place in a list is a number and stands after a dot or a bare word of the plan, so
    callers ask only about addresses that the plan does not have itself.
    """
    start = address.find("[")
    end = address.find("]", start)
    return address[: end + 1] if 0 < start < end else None


def map_of(item: str) -> str:
    """Return the address of the map that an item, or what is in one, belongs to."""
    return item[: item.index("[")]


def key_of(address: str) -> str:
    """Return the key of the item that an address is in."""
    start = address.index("[") + 1
    return _HEX.sub(lambda match: chr(int(match[1], 16)), address[start : address.index("]", start)])


def template_of(address: str) -> str:
    """Return the address in the plan of a node inside an item: `map[].lint` for `map[src/a.py].lint`."""
    start = address.index("[")
    return f"{address[:start]}[]{address[address.index(']', start) + 1 :]}"


def is_at(address: str, wanted: str | None) -> bool:
    """Whether a node is the wanted one: itself, in some item a step of the wanted template, or None for any."""
    return wanted in (None, address) or ("[" in address and template_of(address) == wanted)


def _escape(match: re.Match[str]) -> str:
    return f"%{ord(match.group()):02X}"
