"""Addresses: paths in the plan that a person can read, such as `deploy.on_failure[0]`.

A step is addressed by its id, or else by its 0-based place among its siblings. Steps of the root sequence
carry no prefix: `transform`, `commands[3]`. Ids hold neither dots nor brackets, so no two nodes share one.

An address travels as text, for it is in every event and names nodes to people. Only this module takes one apart.
"""

import re
from functools import lru_cache
from typing import NamedTuple

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


class Parts(NamedTuple):
    """An address within a map, taken apart: `map[src/a.py].lint` is of the map `map`, `src/a.py`, `.lint`.

    `written` is the key as addresses have it, empty in the map's template; `rest` is what follows the item.
    """

    map: str
    written: str
    rest: str

    @property
    def item(self) -> str:
        """The address of the item, or of the template."""
        return f"{self.map}[{self.written}]"

    @property
    def key(self) -> str:
        """The item's key."""
        return _HEX.sub(lambda match: chr(int(match[1], 16)), self.written)

    @property
    def template(self) -> str:
        """The address in the plan: `map[].lint`."""
        return f"{self.map}[]{self.rest}"

    @property
    def step(self) -> str:
        """What the item's record calls it: `lint`, or `[0]` where it has no id; empty for the item itself."""
        return self.rest.removeprefix(".")


@lru_cache(4096)
def parse(address: str) -> Parts | None:
    """Return the parts of an address in a map, or None outside of one.

    It is told by shape alone: a place in a list is a number and stands after a dot or a bare word of the plan, so
    callers ask only about addresses that the plan does not have itself, or about its templates.
    """
    start = address.find("[")
    end = address.find("]", start)
    return Parts(address[:start], address[start + 1 : end], address[end + 1 :]) if 0 < start < end else None


def in_item(address: str) -> Parts:
    """Return the parts of an address in a map.

    Raises:
        ValueError: it is in none.
    """
    parts = parse(address)
    if parts is None:
        raise ValueError(f"{address} is in no map")
    return parts


def is_template(address: str) -> bool:
    """Whether the plan has the address once for all items of a map."""
    return "[]" in address


def inside(item: str, template: str) -> str:
    """Return the address that a template's has in an item: `map[src/a.py].lint` for `map[].lint`."""
    return item + in_item(template).rest


def within(item: str, step: str) -> str:
    """Return the address of what an item's record calls `step`; the reverse of `Parts.step`."""
    return f"{item}{step}" if step.startswith("[") or not step else f"{item}.{step}"


def item_of(address: str) -> str | None:
    """Return the address of the item that an address is in, itself included, or None outside items."""
    parts = parse(address)
    return None if parts is None else parts.item


def key_of(address: str) -> str:
    """Return the key of the item that an address is in."""
    return in_item(address).key


def template_of(address: str) -> str:
    """Return the address in the plan of a node inside an item: `map[].lint` for `map[src/a.py].lint`."""
    return in_item(address).template


def stage_of(address: str) -> str:
    """Return the address of the stage, or of the step outside stages, that an address belongs to."""
    return address.partition(".")[0]


def alike(address: str) -> tuple[str, ...]:
    """Return an address, and of one inside an item of a map that of its template too, which stands for all items'."""
    parts = parse(address)
    return (address,) if parts is None else (address, parts.template)


def is_under(address: str, ancestor: str) -> bool:
    """Whether an address is another one, or begins with it."""
    return address == ancestor or address.startswith((f"{ancestor}.", f"{ancestor}["))


def _escape(match: re.Match[str]) -> str:
    return f"%{ord(match.group()):02X}"
