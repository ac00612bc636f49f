"""The checkpoint document: where a run stands, for people and for a quick resume.

Its first keys are the guide's. `snapshot` is the state itself, so that resume folds only what the log has after
`last_seq`; large values and the plan are named by digest and kept as files. The document is a cache: whatever is wrong
with it, the log has the truth.
"""

from collections.abc import Callable
from typing import Any

import immutables
import msgspec

from prodigy.kernel.decide import headline
from prodigy.kernel.lifecycle import SETTLED, Status
from prodigy.kernel.retry import attempts_allowed
from prodigy.kernel.state import NodeState, Origin, RunStatus, State
from prodigy.plan.nodes import Node, Plan

SCHEMA_VERSION = 1
INLINE_CHARS_MAX = 16 * 1024

Keep = Callable[[str, Any], str | None]
Get = Callable[[str], bytes]


class ExecutionState(msgspec.Struct, frozen=True, kw_only=True):
    """`current_step_index` is the smallest that has not settled, `total_steps` when all have."""

    status: RunStatus
    current_step_index: int
    total_steps: int


class CompletedStep(msgspec.Struct, frozen=True, kw_only=True):
    """A settled leaf. `step_index` is its 0-based place in document order, handlers not counted."""

    step_index: int
    command: str
    success: bool
    timestamp: str
    address: str
    outcome: str
    version: int = 0


class RetryState(msgspec.Struct, frozen=True, kw_only=True):
    """The current step's attempts: the latest, how many its budget reaches to, and why the last one failed."""

    current_attempt: int
    max_attempts: int
    last_error: str | None


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The state, its plan by digest. `stored` maps a capture's or output's name to the digest of its value."""

    plan: str
    origin: Origin
    number: int
    time: str
    status: RunStatus
    stopping: str
    max_retries: int | None
    nodes: dict[str, NodeState]
    in_flight: dict[str, int]
    captures: dict[str, Any]
    stored_captures: dict[str, str]
    outputs: dict[str, str]
    cost_usd: float
    costs_unknown: int
    failed_at: str
    failure: str


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """The document in `checkpoints/<workflow-id>.json`."""

    workflow_id: str
    workflow_path: str
    timestamp: str
    execution_state: ExecutionState
    variables: dict[str, Any]
    completed_steps: list[CompletedStep]
    retry_state: RetryState | None
    schema_version: int
    name: str
    version: int
    generation: int
    last_seq: int
    chain: str
    address: str
    failure: str
    snapshot: Snapshot


def document(state: State, *, chain: str, plan_digest: str, keep: Keep) -> Checkpoint:
    """Return the checkpoint of `state`.

    Args:
        chain: the log's at `state.seq`.
        plan_digest: names the plan's JSON among the stored values.
        keep: given a capture's name and value, stores it where it is large and returns its digest, else None.
    """
    leaves = state.plan.leaves()
    current = current_step(state, leaves)
    total = len(leaves)
    run = state.run
    small, stored = _split(state.captures, keep)
    return Checkpoint(
        workflow_id=run.workflow_id,
        workflow_path=run.workflow_path,
        timestamp=state.time,
        execution_state=ExecutionState(
            status=state.status,
            current_step_index=total if current is None else current[0],
            total_steps=total,
        ),
        variables=_variables(state, small, stored),
        completed_steps=completed_steps(state, leaves),
        retry_state=retry_state(state, current[1]) if current else None,
        schema_version=SCHEMA_VERSION,
        name=state.plan.name,
        version=state.version,
        generation=state.generation,
        last_seq=state.seq,
        chain=chain,
        address=current[1].address if current else "",
        failure=state.failure,
        snapshot=_snapshot(state, plan_digest, small, stored),
    )


def restore(checkpoint: Checkpoint, plan: Plan, *, get: Get) -> State:
    """Return the state that a checkpoint holds; `get` yields a stored value's JSON by digest."""
    kept = checkpoint.snapshot
    captures = kept.captures | {name: msgspec.json.decode(get(digest)) for name, digest in kept.stored_captures.items()}
    return State(
        seq=checkpoint.last_seq,
        time=kept.time,
        generation=checkpoint.generation,
        version=checkpoint.version,
        status=kept.status,
        stopping=kept.stopping,
        origin=kept.origin,
        plan=plan,
        number=kept.number,
        max_retries=kept.max_retries,
        addresses={node.id: node.address for node in plan.nodes.values() if node.id},
        nodes=immutables.Map(kept.nodes),
        in_flight=immutables.Map(kept.in_flight),
        captures=immutables.Map(captures),
        outputs=immutables.Map(kept.outputs),
        cost_usd=kept.cost_usd,
        costs_unknown=kept.costs_unknown,
        failed_at=kept.failed_at,
        failure=kept.failure,
    )


def current_step(state: State, leaves: list[Node]) -> tuple[int, Node] | None:
    """Return (index, leaf) of the first step that has not settled, or None when all have.

    Of a failed run it is the step that failed it: resume goes on there.
    """
    for index, leaf in enumerate(leaves):
        if state.node(leaf.address).status not in SETTLED or leaf.address == state.failed_at:
            return index, leaf
    return None


def completed_steps(state: State, leaves: list[Node]) -> list[CompletedStep]:
    """Return every settled leaf, in document order."""
    rows = []
    for index, leaf in enumerate(leaves):
        node = state.nodes.get(leaf.address)
        if node is not None and node.status in SETTLED:
            rows.append(
                CompletedStep(
                    step_index=index,
                    command=headline(leaf),
                    success=node.status is Status.SUCCEEDED,
                    timestamp=node.since,
                    address=leaf.address,
                    outcome=str(node.status),
                    version=node.version,
                )
            )
    return rows


def retry_state(state: State, leaf: Node) -> RetryState | None:
    """Return the attempts of the current step, or None before its first."""
    node = state.node(leaf.address)
    if node.attempt == 0:
        return None
    return RetryState(
        current_attempt=node.attempt,
        max_attempts=node.first - 1 + attempts_allowed(state, leaf),
        last_error=node.error,
    )


def _variables(state: State, small: dict[str, Any], stored: dict[str, str]) -> dict[str, Any]:
    shown = {**state.plan.variables, **small}
    shown |= {name: {"stored": digest} for name, digest in stored.items()}
    return shown | {kind: {"output": output[:INLINE_CHARS_MAX]} for kind, output in state.outputs.items()}


def _split(captures: immutables.Map[str, Any], keep: Keep) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the captures that are small enough to stand in the document, and the digests of the others."""
    small, stored = {}, {}
    for name, value in captures.items():
        digest = keep(name, value)
        if digest is None:
            small[name] = value
        else:
            stored[name] = digest
    return small, stored


def _snapshot(state: State, plan_digest: str, small: dict[str, Any], stored: dict[str, str]) -> Snapshot:
    return Snapshot(
        plan=plan_digest,
        origin=state.run,
        number=state.number,
        time=state.time,
        status=state.status,
        stopping=state.stopping,
        max_retries=state.max_retries,
        nodes=dict(state.nodes.items()),
        in_flight=dict(state.in_flight.items()),
        captures=small,
        stored_captures=stored,
        outputs=dict(state.outputs.items()),
        cost_usd=state.cost_usd,
        costs_unknown=state.costs_unknown,
        failed_at=state.failed_at,
        failure=state.failure,
    )
