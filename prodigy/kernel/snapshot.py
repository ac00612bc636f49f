"""The state as one plain value, to be written down and taken up again.

What the plan or the log's position already say is not repeated: the plan, the seq, the generation and the version are
kept beside a snapshot, by the checkpoint document or by the event that restores a run.
"""

from typing import Any

import immutables
import msgspec

from prodigy.kernel.state import NodeState, Origin, RunStatus, State
from prodigy.plan.nodes import Plan


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A state without its plan and its place in the log. `captures` may lack those that are kept elsewhere."""

    origin: Origin
    number: int
    time: str
    status: RunStatus
    stopping: str
    max_retries: int | None
    nodes: dict[str, NodeState]
    in_flight: dict[str, int]
    captures: dict[str, Any]
    outputs: dict[str, str]
    cost_usd: float
    costs_unknown: int
    failed_at: str
    failure: str
    stood: str = ""
    expired: tuple[str, ...] = ()


def snapshot_of(state: State, captures: dict[str, Any]) -> Snapshot:
    """Return the snapshot of a state, with these of its captures."""
    return Snapshot(
        origin=state.run,
        number=state.number,
        time=state.time,
        status=state.status,
        stopping=state.stopping,
        max_retries=state.max_retries,
        nodes=dict(state.nodes.items()),
        in_flight=dict(state.in_flight.items()),
        captures=captures,
        outputs=dict(state.outputs.items()),
        cost_usd=state.cost_usd,
        costs_unknown=state.costs_unknown,
        failed_at=state.failed_at,
        failure=state.failure,
        stood=state.stood,
        expired=tuple(sorted(state.expired)),
    )


def restored(snapshot: Snapshot, plan: Plan, *, seq: int, generation: int, version: int) -> State:
    """Return the state that a snapshot is of, at its place in the log."""
    return State(
        seq=seq,
        time=snapshot.time,
        generation=generation,
        version=version,
        status=snapshot.status,
        stopping=snapshot.stopping,
        origin=snapshot.origin,
        plan=plan,
        number=snapshot.number,
        max_retries=snapshot.max_retries,
        addresses={node.id: node.address for node in plan.nodes.values() if node.id},
        nodes=immutables.Map(snapshot.nodes),
        in_flight=immutables.Map(snapshot.in_flight),
        captures=immutables.Map(snapshot.captures),
        outputs=immutables.Map(snapshot.outputs),
        cost_usd=snapshot.cost_usd,
        costs_unknown=snapshot.costs_unknown,
        failed_at=snapshot.failed_at,
        failure=snapshot.failure,
        stood=snapshot.stood,
        expired=frozenset(snapshot.expired),
    )
