"""Large captured values that stay in their files while a run is executed or read."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache, partial
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from prodigy.errors import DamagedState
from prodigy.kernel.events import Event, RunRestored
from prodigy.kernel.state import State
from prodigy.plan.pointer import below, changed
from prodigy.plan.spelling import as_spelled, from_json
from prodigy.plan.stored import WHOLE_BYTES_MAX, Stored
from prodigy.store.values import Values

T = TypeVar("T")


def json_of_value(value: Any) -> bytes:
    """Return a value as checkpoints keep it: JSON, its numbers as their author wrote them."""
    return msgspec.json.encode(value, enc_hook=as_spelled)


def digest_of_value(value: Any) -> str:
    """Return the digest under which a checkpoint keeps a value."""
    return value.digest if isinstance(value, Stored) else sha256(json_of_value(value)).hexdigest()


def kept_value(digest: str, values: Values, workflow_id: str) -> Any:
    """Return what a checkpoint of this run keeps among `values`; of a large one it is checked that it is there.

    Raises:
        DamagedState: it is missing or altered.
    """
    data = values.get(digest)
    return from_json(data) if len(data) <= WHOLE_BYTES_MAX else _left_in_file(digest, values, workflow_id)


def with_captures_copied(state: State, values: Values, workflow_id: str) -> State:
    """Return the state with its large captures among the values of another run, which then needs no other's.

    Raises:
        DamagedState: a value is missing or altered where it was.
        StorageFailure: the disk refused.
    """

    def here(captures: Mapping[str, Any]) -> dict[str, Any]:
        large = {name: value for name, value in captures.items() if isinstance(value, Stored)}
        return {  # one after the other, for together they may not fit into memory
            name: _left_in_file(values.put(json_of_value(value)), values, workflow_id) for name, value in large.items()
        }

    scoped = {item: captures | here(captures) for item, captures in state.scoped.items()}
    return replace(state, captures=state.captures.update(here(state.captures)), scoped=state.scoped.update(scoped))


def taken_apart(event: Event) -> tuple[Event, dict[str, Stored]]:
    """Return an event with None in the place of each `Stored` that it has within a field, and these by JSON Pointer."""
    if type(event) is not RunRestored:
        return event, {}
    large = {
        below(pointer, name): value
        for pointer, captures in _captures_within(event).items()
        for name, value in captures.items()
        if isinstance(value, Stored)
    }
    return _with_captures(event, large, lambda *_: None), large


def put_together(event: Event, digests: Mapping[str, str], values: Values) -> Event:
    """Return an event that was taken apart as it was, with what `values` keep under these digests.

    Raises:
        DamagedState: a value is missing or altered.
    """
    if type(event) is not RunRestored:
        return event
    workflow_id = values.folder.parent.name
    return _with_captures(event, digests, lambda _, digest: kept_value(digest, values, workflow_id))


@contextmanager
def damage_of_run(workflow_id: str) -> Iterator[None]:
    """Give a value that is lost or altered the id of its run, so that the message has the ways out."""
    try:
        yield
    except DamagedState as problem:
        problem.workflow_id = workflow_id
        raise


def _captures_within(event: RunRestored) -> dict[str, Mapping[str, Any]]:
    """Return all captures that the event holds, by the JSON Pointers to where they stand."""
    of_items = {below("/snapshot/scoped", item): captures for item, captures in event.snapshot.scoped.items()}
    return {"/snapshot/captures": event.snapshot.captures, **of_items}


def _with_captures(event: RunRestored, told: Mapping[str, T], change: Callable[[Any, T], Any]) -> RunRestored:
    if not told:
        return event
    snapshot = event.snapshot
    within = changed({"snapshot": {"captures": snapshot.captures, "scoped": snapshot.scoped}}, told, change)
    return replace(event, snapshot=replace(snapshot, **within["snapshot"]))


def _left_in_file(digest: str, values: Values, workflow_id: str) -> Stored:
    return Stored(digest, partial(_loaded, values.folder, digest, workflow_id))


@lru_cache(maxsize=1)
def _loaded(folder: Path, digest: str, workflow_id: str) -> Any:
    """Return a value from its file: the last one is at hand, for it is often used more than once."""
    with damage_of_run(workflow_id):
        return from_json(Values(folder).get(digest))
