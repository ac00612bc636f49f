"""The checkpoint document: where a run stands, for people and for a quick resume.

Its first keys are the guide's. `snapshot` is the state itself, so that resume folds only what the log has after
`last_seq`; large values and the plan are named by digest and kept as files. The document is a cache: whatever is wrong
with it, the log has the truth.
"""

from collections.abc import Callable
from typing import Any

import immutables
import msgspec

from prodigy.kernel.items import ItemList
from prodigy.kernel.lifecycle import Status
from prodigy.kernel.retry import attempts_allowed
from prodigy.kernel.snapshot import Snapshot, restored, snapshot_of
from prodigy.kernel.state import RunStatus, State
from prodigy.plan.headline import headline
from prodigy.plan.nodes import Node, Plan
from prodigy.plan.phrases import counted
from prodigy.plan.stored import Stored
from prodigy.projections.failure import failure_of
from prodigy.projections.steps import Step, current_step, stage_of, steps_of

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


class MapProgress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a map is: each item is in exactly one count after `total`. If there are none, `note` says why."""

    total: int
    succeeded: int
    skipped: int
    dead_letters: int
    failed: int
    in_flight: int
    pending: int
    note: str | None = None


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """The document in `checkpoints/<workflow-id>.json`.

    `stored_captures` maps the name of each capture that is too large for it to the digest of its value, and
    `stored_items` each map to that of its list of items, `stored_scoped` each item at work to those of what it
    captured. `cause` is the `failure` in one line.
    """

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
    plan_digest: str
    stored_captures: dict[str, str]
    snapshot: Snapshot
    stage: str | None = None
    map: MapProgress | None = None
    stored_items: dict[str, str] = {}
    stored_scoped: dict[str, dict[str, str]] = {}
    cause: str = ""

    @property
    def stored(self) -> set[str]:
        """The digests of all values that it names, but that of the plan."""
        scoped = {digest for captures in self.stored_scoped.values() for digest in captures.values()}
        return {*self.stored_captures.values(), *self.stored_items.values(), *scoped}


def document(state: State, *, chain: str, plan_digest: str, keep: Keep) -> Checkpoint:
    """Return the checkpoint of `state`.

    Args:
        chain: the log's at `state.seq`.
        plan_digest: names the plan's JSON among the stored values.
        keep: given a capture's name and value, stores it where it is large and returns its digest, else None.
    """
    steps = steps_of(state)
    current = current_step(state, steps)
    stage = stage_of(state, current)
    run = state.run
    small, stored = _split(state.captures, keep)
    scoped, stored_scoped = _split_scoped(state, keep)
    lists = {
        at: digest for at, items in state.maps.items() if (digest := keep(f"items of {at}", items.listed)) is not None
    }
    return Checkpoint(
        workflow_id=run.workflow_id,
        workflow_path=run.workflow_path,
        timestamp=state.time,
        execution_state=ExecutionState(
            status=state.status,
            current_step_index=len(steps) if current is None else current.index,
            total_steps=len(steps),
        ),
        variables=_variables(state, small, stored),
        completed_steps=[_completed(state, step) for step in steps if step.is_settled],
        retry_state=retry_state(state, current.leaf) if current else None,
        schema_version=SCHEMA_VERSION,
        name=state.plan.name,
        version=state.version,
        generation=state.generation,
        last_seq=state.seq,
        chain=chain,
        address=current.leaf.address if current else "",
        stage=str(stage) if stage else None,
        failure=state.failure,
        plan_digest=plan_digest,
        stored_captures=stored,
        snapshot=snapshot_of(state, small, scoped=scoped, elsewhere=lists),
        map=map_progress(state),
        stored_items=lists,
        stored_scoped=stored_scoped,
        cause=failure_of(state),
    )


def restore(checkpoint: Checkpoint, plan: Plan, *, get: Get, captured: Callable[[str], Any]) -> State:
    """Return the state that a checkpoint holds; by digest `get` yields JSON, and `captured` a captured value."""
    large = {name: captured(digest) for name, digest in checkpoint.stored_captures.items()}
    captures = checkpoint.snapshot.captures | large
    scoped = dict(checkpoint.snapshot.scoped)
    for item, stored in checkpoint.stored_scoped.items():
        scoped[item] = scoped.get(item, {}) | {name: captured(digest) for name, digest in stored.items()}
    maps = {
        at: msgspec.structs.replace(items, listed=_list(get(checkpoint.stored_items[at])))
        if items.listed is None
        else items
        for at, items in checkpoint.snapshot.maps.items()
    }
    return State(
        seq=checkpoint.last_seq,
        time=checkpoint.snapshot.time,
        generation=checkpoint.generation,
        version=checkpoint.version,
        **restored(msgspec.structs.replace(checkpoint.snapshot, captures=captures, maps=maps, scoped=scoped), plan),
    )


def _list(data: bytes) -> ItemList:
    return msgspec.json.decode(data, type=ItemList)


def map_progress(state: State) -> MapProgress | None:
    """Return how far the run's map is, or None where it has none or has not listed its items."""
    items = state.map_items
    if items is None:
        return None
    return MapProgress(
        total=items.total,
        succeeded=items.succeeded,
        skipped=items.skipped,
        dead_letters=items.dead,
        failed=items.failed,
        in_flight=len(items.active),
        pending=items.pending,
        note=items.note or None,
    )


def _completed(state: State, step: Step) -> CompletedStep:
    items = state.maps.get(step.leaf.address)
    return CompletedStep(
        step_index=step.index,
        command=headline(step.leaf) + (f" ({counted(items.total, 'item')})" if items else ""),
        success=step.here.status is Status.SUCCEEDED,
        timestamp=step.here.since,
        address=step.leaf.address,
        outcome=str(step.here.status),
        version=step.here.version,
    )


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


def _split_scoped(state: State, keep: Keep) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, str]]]:
    """Do the same with what the items at work captured; only what is kept elsewhere already is left there."""
    small: dict[str, dict[str, Any]] = {}
    stored: dict[str, dict[str, str]] = {}
    for item, captures in state.scoped.items():
        digests = {
            name: digest
            for name, value in captures.items()
            if isinstance(value, Stored) and (digest := keep(f"{name} of {item}", value)) is not None
        }
        small[item] = {name: value for name, value in captures.items() if name not in digests}
        if digests:
            stored[item] = digests
    return small, stored
