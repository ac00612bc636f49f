"""What failed in a run and why, in one line each; and where all that it said is kept."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from prodigy.kernel.cause import cause
from prodigy.kernel.items import Item, of
from prodigy.kernel.lifecycle import Status
from prodigy.kernel.state import NodeState, State
from prodigy.plan.address import item_address, within
from prodigy.plan.nodes import Run

_BAD = frozenset({Status.FAILED, Status.HANDLED, Status.HANDLING, Status.WAITING})
# Numbers, paths and ids: what tells two failures of one kind apart.
_PARTICULARS = re.compile(
    r"""
      \w+://\S+ | (?<![\w/])~?\.{0,2}/[^\s'"`:,;)\]]+ | (?<![\w/])[\w.@-]+(/[\w.@-]+)+/?
    | \b[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b | \b(?=[a-f]*\d)[0-9a-f]{7,64}\b | \b0x[0-9a-fA-F]+\b
    | (?<![\w.])[+-]?\d+([.,:]\d+)*(?=([a-zA-Z]{1,3}|%)?\b|\W|$)
    """,
    re.VERBOSE,
)
_ELSEWHERE = "…"
_EPOCH = re.compile(r"outputs/(\d+)")  # files are named by the start of their command


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """A command whose last attempt failed. `epoch` is its start, 0 of dead letters that older versions wrote.

    `output_file` is relative to the run's folder, and empty where nothing was started.
    """

    at: str
    cause: str
    error: str
    attempt: int
    epoch: int = 0
    output_file: str = ""


def failure_of(state: State) -> str:
    """Return in one line why a run failed, paused or was cancelled; empty where it did none of these."""
    if state.status != "failed":
        return state.failure
    return cause(state.failure, state.culprit.exit_code)


def reason_of(state: State) -> str:
    """Return where and why a run failed, paused or was cancelled, its place named once: `deploy: exit 1 · no disk`."""
    why = failure_of(state)
    return why if why.startswith(f"{state.failed_at} ") else f"{state.failed_at}: {why}"


def node_cause(here: NodeState) -> str:
    """Return in one line why a node failed; empty where it did not."""
    return "" if here.error is None else cause(here.error, here.exit_code)


def item_cause(item: Item) -> str:
    """Return in one line why an item failed."""
    return cause(item.error, item.exit_code)


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Dead letters of one kind: `error` is their cause, what tells them apart left out where they differ."""

    step: str
    error: str
    count: int


def grouped(rows: Iterable[tuple[str, Any, Item]]) -> list[Group]:
    """Return (key, value, item) of dead letters by step and kind of cause, those of which there are most first."""
    groups: dict[tuple[str, str], list[str]] = {}
    for key, _, item in rows:
        why = item_cause(item)
        groups.setdefault((item.step, kind_of(why, key)), []).append(why)
    found = [
        Group(step=step, error=kind if len(set(whys)) > 1 else whys[0], count=len(whys))
        for (step, kind), whys in groups.items()
    ]
    return sorted(found, key=lambda group: -group.count)


def kind_of(line: str, key: str = "") -> str:
    """Return a line without what tells two failures of one kind apart: numbers, paths, ids and the item's own key."""
    ended, separator, said = line.partition(" · ")
    if not separator:
        ended, said = "", line
    if len(key) > 1:
        said = re.sub(rf"(?<!\w){re.escape(key)}(?!\w)", _ELSEWHERE, said)
    return f"{ended}{separator}{_PARTICULARS.sub(_ELSEWHERE, said)}"


def failures_of(state: State) -> list[Failure]:
    """Return the commands whose last attempt failed, handlers among them, in the order in which they began."""
    return sorted([*_items(state), *_steps(state)], key=lambda failure: failure.epoch)


def _steps(state: State) -> Iterator[Failure]:
    for at, here in state.nodes.items():
        if here.error is not None and here.status in _BAD and isinstance(state.plan.template(at).body, Run):
            yield Failure(
                at=at,
                cause=node_cause(here),
                error=here.error,
                attempt=here.attempt,
                epoch=here.epoch,
                output_file=here.output_file,
            )


def _items(state: State) -> Iterator[Failure]:
    """Yield the dead letters; of an item that failed and keeps its steps they are told."""
    for at, items in state.maps.items():
        for key, _, item in of(items, "dead"):
            address = item_address(at, key)
            named = _EPOCH.match(item.output_file)
            yield Failure(
                at=within(address, item.step),
                cause=item_cause(item),
                error=item.error,
                attempt=item.attempts,
                epoch=int(named[1]) if named else 0,
                output_file=item.output_file,
            )
