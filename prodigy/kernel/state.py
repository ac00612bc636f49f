"""Where a run stands: the immutable fold of its events.

Persistent maps (`immutables`) keep every event's cost flat however many nodes there are. Nothing here is
derived twice: what the plan says is in the plan, what a node has done is in its `NodeState`.
"""

from typing import Any, Literal

import immutables
import msgspec

from prodigy.kernel.items import Items
from prodigy.kernel.ledger import EMPTY, NONE, Conversation, Ledger
from prodigy.kernel.lifecycle import SETTLED, Epoch, Status
from prodigy.plan.nodes import ROOT, Plan
from prodigy.plan.spelling import keep_spellings

RunStatus = Literal["running", "interrupted", "failed", "paused", "completed", "cancelled"]


class NodeState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What one node has done. `attempt` is the latest (1-based), `epoch` its start, `since` its last transition.

    `first` is the attempt with which the present budget began, `repairs` the tries after handlers in it. The rest is
    the result of the last attempt, `delay_s` and `due` a wait that is on, `left_s` what a sequence's timeout had left
    and `spent_s` what of it was used at `limit_since`, `version` the checkpoint that its settling made, `reason` why it
    was skipped, `tried` of an item how often each of its steps was in earlier attempts, `failed_step` the
    address of the step for which a sequence is being handled, `conversation` the one that claude had last. `is_final`:
    no further attempt of a step can help. `paid_usd` is what it, or an item, has cost, `reserved_usd` what its attempt
    in flight may. A claude step that may not begin yet is held, with the attempt that will.
    """

    status: Status = Status.PENDING
    attempt: int = 0
    epoch: Epoch = Epoch(0)
    first: int = 1
    repairs: int = 0
    reopened: bool = False
    since: str = ""
    exit_code: int | None = None
    error: str | None = None
    duration_s: float | None = None
    output: str = ""
    stderr: str = ""
    output_file: str = ""
    is_final: bool = False
    structured: Any = None
    delay_s: float = 0.0
    due: str = ""
    left_s: float = 0.0
    spent_s: float = 0.0
    limit_since: str = ""
    version: int = 0
    reason: str = ""
    tried: dict[str, int] = {}
    failed_step: str = ""
    conversation: Conversation = NONE
    paid_usd: float = 0.0
    reserved_usd: float = 0.0
    held_attempt: int = 0

    @property
    def is_settled(self) -> bool:
        return self.status in SETTLED

    @property
    def failure(self) -> str:
        """Why it failed; empty where it did not, or where an early version's log does not say."""
        return self.error or ""


PENDING = NodeState()


def ids_of(plan: Plan) -> dict[str, str]:
    """Return the address of each id."""
    return {node.id: node.address for node in plan.nodes.values() if node.id}


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """What a run was started with."""

    workflow_id: str
    workflow_path: str
    directory: str
    started: str
    parameters: dict[str, Any] = {}
    synced: bool = True
    prodigy_version: str = ""
    claude_bin: str = ""
    spellings: dict[str, str] = {}

    def __post_init__(self) -> None:
        keep_spellings(self, "parameters")


class Parked(msgspec.Struct, frozen=True, kw_only=True):
    """Claude is out of reach, or its limit is used up: nothing begins until `due`; then one step goes first.

    `since` is when that began; `tries` counts the waits, `number` tells this one from the earlier. `trying` is the
    address of the step that tries the way.
    """

    reason: str
    since: str
    due: str
    tries: int
    number: int
    trying: str = ""


class Pausing(msgspec.Struct, frozen=True, kw_only=True):
    """Why a run is about to pause, or to fail, because of the step at `at`."""

    at: str
    reason: str
    fails: bool = False


class State(msgspec.Struct, frozen=True, kw_only=True):
    """A run as it stands after event `seq`; empty before its first.

    `folder` is where the run's files lie now, absolute: the process that plays the run says it, and no event does, for
    projects move. Nothing where nobody plays.

    `rested_s` is for how long the run rested in all, between its resumes and while it stood still; `version` is the
    last checkpoint's. `in_flight` maps the address of each running command to its epoch, `expired` names sequences that
    reached their timeout and still have something in flight. `maps` has the items of each map that has listed them,
    `scoped` what is captured within each item at work. `addresses` maps each id to its address, `captures` each
    captured name to its value, or to a `Stored` that has it, `outputs` each kind of command to its last output.
    `ledger` has what all attempts cost, `reserved_usd` what those in flight may; `budget_usd` replaces the workflow's,
    and `raised_usd` is added to it. `held` has the claude steps that may not begin, with the seq of that; all are held
    while `parked`. A run that is `pausing` begins nothing, and pauses or fails when nothing of it is in flight.
    """

    seq: int = 0
    time: str = ""
    rested_s: float = 0.0
    generation: int = 1
    version: int = 0
    status: RunStatus = "running"
    stopping: str | None = None
    origin: Origin | None = None
    plan: Plan = Plan(name="", nodes={})
    number: int = 0
    max_retries: int | None = None
    addresses: dict[str, str] = {}
    nodes: immutables.Map[str, NodeState] = immutables.Map()
    in_flight: immutables.Map[str, Epoch] = immutables.Map()
    expired: frozenset[str] = frozenset()
    maps: immutables.Map[str, Items] = immutables.Map()
    scoped: immutables.Map[str, dict[str, Any]] = immutables.Map()
    max_parallel: int | None = None
    captures: immutables.Map[str, Any] = immutables.Map()
    outputs: immutables.Map[str, str] = immutables.Map()
    ledger: Ledger = EMPTY
    reserved_usd: float = 0.0
    budget_usd: float | None = None
    raised_usd: float = 0.0
    is_warned: bool = False
    held: immutables.Map[str, int] = immutables.Map()
    parked: Parked | None = None
    pausing: Pausing | None = None
    failed_at: str | None = None
    failure: str = ""
    folder: str = ""

    def node(self, address: str) -> NodeState:
        """Return what the node at `address` has done; a node that nothing happened to is pending."""
        return self.nodes.get(address, PENDING)

    @property
    def cost_usd(self) -> float:
        """What is known of the cost, estimates included, in US dollars."""
        return self.ledger.spent_usd

    @property
    def costs_unknown(self) -> int:
        """How many attempts there were of whose cost nothing is known."""
        return self.ledger.unknown

    @property
    def run(self) -> Origin:
        """What the run was started with; an empty state has none."""
        assert self.origin is not None, "the run has not started"
        return self.origin

    @property
    def is_over(self) -> bool:
        """Whether the run has come to rest: nothing is in flight and nothing will start by itself."""
        return self.origin is not None and self.status != "running"

    @property
    def culprit(self) -> NodeState:
        """What the step has done at which the run failed, paused or was cancelled; nothing where it did not."""
        return PENDING if self.failed_at is None else self.node(self.failed_at)

    @property
    def map_items(self) -> Items | None:
        """The items of the run's map; None before they are listed, and where it has none."""
        return None if self.plan.map_at is None else self.maps.get(self.plan.map_at)

    @property
    def root(self) -> NodeState:
        return self.node(ROOT)
