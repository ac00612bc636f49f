"""What each event of a run changed: in its nodes, its variables, and in the run itself.

An event names the node it is about, so telling what it changed costs the same however large the run is. The few kinds
that reach further (a stage that is tried again, an edited plan, a fork) are told by comparing everything.
"""

from collections.abc import Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any, Literal, NamedTuple

import msgspec

from prodigy.kernel import events as ev
from prodigy.kernel.lifecycle import Status
from prodigy.kernel.state import PENDING, NodeState, State
from prodigy.plan.address import item_address
from prodigy.plan.phrases import clipped, counted
from prodigy.plan.spelling import as_spelled

Kind = Literal["run", "node", "variable", "item"]

_NODE_FIELDS = ("status", "attempt", "exit_code", "error", "output", "due", "reason", "version")
_node_values = attrgetter(*_NODE_FIELDS)
_RUN_FIELDS = ("status", "generation", "stopping", "max_retries", "failed_at", "failure", "cost_usd", "costs_unknown")
# What reaches further than the node that it names.
_WIDE = (ev.RunStarted, ev.GenerationStarted, ev.PlanChanged, ev.NodeBypassed, ev.RunForked, ev.RunRestored)


_SAID_OTHERWISE = frozenset({"output", "due"})
_OF_COURSE = frozenset({("attempt", 0), ("attempt", 1), ("version", 0)})


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One difference between the states before and after an event.

    `name` is the address of a node or item, or a variable's name, empty for the run; `field` is what of it changed,
    `value` for a variable. A variable that is not there is null.
    """

    kind: Kind
    name: str
    field: str
    before: Any
    after: Any


class Frame(NamedTuple):
    """One event of a replay: where and when it happened, what it changed, and the state after it."""

    generation: int
    seq: int
    time: str
    event: ev.Event
    changes: list[Change]
    state: State


def changes(before: State, after: State, event: ev.Event) -> list[Change]:
    """Return what `event` changed, which led from `before` to `after`: the run first, then nodes, then variables."""
    address = getattr(event, "at", "")
    if _is_wide(before, event):
        return [*_of_run(before, after), *_of_everything(before, after)]
    if not address or _costs(before) != _costs(after) or before.status != after.status:
        found = list(_of_run(before, after))
    else:
        found = []
    if address:
        found += _of_node(address, before.node(address), after.node(address))
    if isinstance(event, ev.ItemSettled):
        found += _of_items(before, after, event.at, (event.key,))
    if isinstance(event, ev.ItemsRequeued | ev.DeadLettersPurged):
        found += _of_items(before, after, event.at, event.keys)
    if before.outputs is not after.outputs:
        found += _of_variables(_outputs(before), _outputs(after))
    if before.captures is not after.captures:
        name = getattr(event, "name", "")
        found += _of_variables({name: before.captures.get(name)}, {name: after.captures.get(name)})
    return found


def _is_wide(before: State, event: ev.Event) -> bool:
    """Whether an event reaches further than the node that it names: what is entered again forgets what is below it."""
    match event:
        case ev.NodeStarted():
            return event.attempt > 1
        case ev.HandlingStarted():
            return before.node(event.at).repairs > 0
    return isinstance(event, _WIDE)


def in_words(event: ev.Event, found: Sequence[Change], *, clip: int | None = None) -> str:
    """Return an event in one line: its type, what it changed, and its remark.

    Args:
        clip: the most characters of each of these; all of them without.
    """
    words = [clipped(as_words(change), clip) for change in found if is_told(change)]
    note = clipped(remark(event), clip)
    if words and note:
        note = f"  ({note})"
    return f"{ev.type_of(event):<19} {', '.join(words)}{note}".rstrip()


def as_words(change: Change) -> str:
    """Return a change in one line: `build: running → succeeded`, `build.attempt = 2`, `greeting = "hello"`."""
    owner = change.name or "run"
    if change.field == "status":
        return f"{owner}: {change.before} → {change.after}" if change.before else f"{owner}: {change.after}"
    if change.field == "version":
        return f"v{change.after}"
    if change.kind == "variable":
        return f"{change.name} = {_as_json(change.after)}"
    return f"{owner}.{change.field} = {_as_json(change.after)}"


def remark(event: ev.Event) -> str:
    """Return what an event says that no change shows, in a few words; often nothing."""
    match event:
        case ev.CommandStarted():
            return event.command
        case ev.CommandFinished() | ev.CommandInterrupted():
            return f"{event.duration_s:.1f} s"
        case ev.CostBooked():
            return event.cost_kind if event.cost_usd is None else f"${event.cost_usd:.4f}, {event.cost_kind}"
        case ev.RetryScheduled():
            return f"attempt {event.attempt} in {event.delay_s:g} s"
        case ev.RunResumed() if event.again:
            return f"again: {', '.join(event.again)}"
        case ev.GenerationStarted():
            return event.reason
        case ev.ConfirmationAnswered():
            return f"{'yes' if event.is_confirmed else 'no'}, said {event.by}"
        case ev.LimitStarted():
            return f"{event.left_s:g} s left"
        case ev.LimitReached():
            return f"after {event.timeout_s:g} s"
        case ev.ItemsListed():
            return counted(len(event.keys), "item") + (f": {event.note}" if event.note else "")
        case ev.ItemSettled() if event.error:
            return f"{event.step}: {event.error}" if event.step else event.error
        case ev.DeadLettersPurged():
            return f"by {event.by}"
        case ev.BreakerOpened():
            return f"nothing begins for {event.delay_s:g} s"
        case ev.CheckpointMarked():
            return event.label
        case ev.RunForked():
            return f"from {event.from_workflow_id}"
    return ""


def is_told(change: Change) -> bool:
    """Whether people are told of a change.

    A first attempt goes without saying, and so does what is cleared when something begins anew; a node's output is a
    variable too, and when it is due its remark says.
    """
    if change.kind == "variable" or change.field == "status":
        return True
    if not change.after and change.after != 0:
        return False
    return change.field not in _SAID_OTHERWISE and (change.field, change.after) not in _OF_COURSE


def _of_run(before: State, after: State) -> Iterator[Change]:
    for field, old, new in zip(_RUN_FIELDS, _run_values(before), _run_values(after), strict=True):
        if old != new:
            yield Change(kind="run", name="", field=field, before=old, after=new)


def _run_values(state: State) -> Iterator[Any]:
    """Yield the values of `_RUN_FIELDS`, empty for what is not there; of a run that has not begun no status."""
    for field in _RUN_FIELDS:
        value = getattr(state, field) if field != "status" or state.origin is not None else None
        yield "" if value is None and field != "max_retries" else value


def _of_node(address: str, before: NodeState, after: NodeState) -> Iterator[Change]:
    if before is after:
        return
    for field, old, new in zip(_NODE_FIELDS, _node_values(before), _node_values(after), strict=True):
        if old != new:
            yield Change(kind="node", name=address, field=field, before=_plain(old), after=_plain(new))


def _of_items(before: State, after: State, address: str, keys: Sequence[str]) -> Iterator[Change]:
    for key in keys:
        old, new = (_disposition(state, address, key) for state in (before, after))
        if old != new:
            yield Change(kind="item", name=item_address(address, key), field="status", before=old, after=new)


def _disposition(state: State, address: str, key: str) -> str:
    item = state.maps[address].settled.get(key) if address in state.maps else None
    return item.disposition if item else "pending"


def _of_variables(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    for name in {**before, **after}:
        if before.get(name) != after.get(name):
            yield Change(kind="variable", name=name, field="value", before=before.get(name), after=after.get(name))


def _of_everything(before: State, after: State) -> Iterator[Change]:
    if before.nodes is not after.nodes:
        for address in sorted({*before.nodes, *after.nodes}):
            yield from _of_node(address, before.nodes.get(address, PENDING), after.nodes.get(address, PENDING))
    yield from _of_variables(variables_of(before), variables_of(after))


def variables_of(state: State) -> dict[str, Any]:
    """Return every variable and its value: the workflow's, what steps captured, and `shell.output` and the like."""
    return {**state.plan.variables, **dict(sorted(state.captures.items())), **_outputs(state)}


def _outputs(state: State) -> dict[str, str]:
    return {f"{kind}.output": output for kind, output in sorted(state.outputs.items())}


def _costs(state: State) -> tuple[float, int]:
    return state.cost_usd, state.costs_unknown


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Status) else value


def _as_json(value: Any) -> str:
    return msgspec.json.encode(value, enc_hook=as_spelled).decode()
