"""A short name for what a state means, so that a later prodigy can prove that it folds an old log to the same.

Only what a workflow can see or an operator is told goes into it: never times, epochs or places in the log, so a field
that a later version adds changes no digest. Nodes that nothing has happened to are left out, as are fields that say
nothing; the rest is JSON with sorted keys.
"""

from collections.abc import Iterator
from hashlib import blake2b
from typing import Any

import immutables
import msgspec

from prodigy.kernel.items import Items
from prodigy.kernel.state import PENDING, NodeState, State
from prodigy.plan.spelling import as_number

_DIGEST_BYTES = 8
_ENCODER = msgspec.json.Encoder(order="sorted", enc_hook=as_number)


def digest_of(state: State) -> str:
    """Return 16 hexadecimal digits that are the same for states that mean the same. Cost: the size of the state."""
    nodes = {address: told for address, node in state.nodes.items() if (told := _meaning(node))}
    meaning: dict[str, Any] = {"captures": state.captures, "nodes": nodes, "outputs": dict(state.outputs.items())}
    if state.maps:
        meaning["maps"] = {address: _items(items) for address, items in state.maps.items()}
    if state.scoped:
        meaning["scoped"] = immutables.Map({item: immutables.Map(own) for item, own in state.scoped.items()})
    digest = blake2b(digest_size=_DIGEST_BYTES)
    for piece in _json(immutables.Map(meaning | {"version": state.version})):
        digest.update(piece)
    return digest.hexdigest()


def _json(value: Any) -> Iterator[bytes]:
    """Yield the JSON of a value; of what persistent maps hold, and only of that, piece by piece.

    Captures that are kept elsewhere may be larger together than the memory is.
    """
    if not isinstance(value, immutables.Map):
        yield _ENCODER.encode(value)
        return
    yield b"{"
    for place, name in enumerate(sorted(value)):
        yield (b"," if place else b"") + _ENCODER.encode(name) + b":"
        yield from _json(value[name])
    yield b"}"


def _items(items: Items) -> dict[str, Any]:
    """Return what became of the items of a map that have settled, by key; and which keys there are."""
    settled = {
        key: {name: getattr(item, name) for name in ("disposition", "attempts", "output", "error", "step")}
        for key, item in items.settled.items()
    }
    return {"keys": items.listed.keys, "settled": settled}


def _meaning(node: NodeState) -> dict[str, Any]:
    """Return what a node has come to; of one that is as it was before the run, nothing."""
    told = {
        "status": str(node.status),
        "attempt": node.attempt,
        "exit_code": node.exit_code,
        "error": node.error,
        "output": node.output,
    }
    return {name: value for name, value in told.items() if value != _BEGINNING[name]}


_BEGINNING: dict[str, Any] = {
    "status": str(PENDING.status),
    "attempt": PENDING.attempt,
    "exit_code": PENDING.exit_code,
    "error": PENDING.error,
    "output": PENDING.output,
}
