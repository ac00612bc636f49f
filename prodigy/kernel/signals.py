"""What the world said. The kernel hears nothing else: times and ids arrive here, inside the signal."""

from typing import Any

import msgspec

from prodigy.kernel.fault import Fault
from prodigy.kernel.ledger import UNKNOWN, Ledger, Spent
from prodigy.kernel.lifecycle import Epoch
from prodigy.kernel.snapshot import Snapshot
from prodigy.plan.nodes import Plan


class _Signal(msgspec.Struct, frozen=True, kw_only=True):
    """`time` is UTC, ISO 8601 with microseconds and Z, as the reactor's clock read it."""

    time: str


class CookRequested(_Signal, frozen=True):
    """Begin a run. `number` is the project's count of cooks and resumes.

    A `generation` above 1 starts a run over: `version` is the last that its earlier generations used, `from_chain`
    where its new log begins, `reason` the operator's order, `ledger` what they cost.
    """

    workflow_id: str
    workflow_path: str
    workflow_text: str
    directory: str
    number: int
    plan: Plan
    prodigy_version: str
    parameters: dict[str, Any] = {}
    max_retries: int | None = None
    max_parallel: int | None = None
    budget_usd: float | None = None
    synced: bool = True
    claude_bin: str = ""
    generation: int = 1
    version: int = 0
    from_chain: str = ""
    reason: str = ""
    ledger: Ledger | None = None


class Revision(msgspec.Struct, frozen=True, kw_only=True):
    """An edited workflow file: its plan, and how the recorded plan's addresses are found in it."""

    plan: Plan
    workflow_text: str
    moved: dict[str, str] = {}
    dropped: tuple[str, ...] = ()


class Rewind(msgspec.Struct, frozen=True, kw_only=True):
    """Go on from an earlier moment, in a new generation. The state that the kernel is given is that moment's.

    `target` names the node to begin with, where it was never entered: what stands before it is bypassed by `by`.
    `restored` is the moment's snapshot where its log is lost. `workflow_id` names the run that goes on: in a fork the
    moment may be from before the fork, and still the parent's. `ledger` has what the run cost until now, that which it
    goes back over too.
    """

    generation: int
    parent: int
    from_seq: int
    from_chain: str
    version: int
    reason: str
    by: str
    workflow_id: str = ""
    target: str | None = None
    restored: Snapshot | None = None
    ledger: Ledger | None = None


class Fork(msgspec.Struct, frozen=True, kw_only=True):
    """Go on as a new run that shares history until now, with changed variables."""

    workflow_id: str
    from_workflow_id: str
    variables: dict[str, Any] = {}


class Requeue(msgspec.Struct, frozen=True, kw_only=True):
    """Put dead letters of a map back: these keys. `reduces` says whether what follows a completed map runs again."""

    at: str
    keys: tuple[str, ...]
    reduces: bool = True
    by: str = ""


class ResumeRequested(_Signal, frozen=True):
    """Go on. `answers` holds the operator's yes or no for each in-flight step that asks; `notes` what was mended.

    `spent` is what could be found out about the cost of claude's attempts in flight, by address.
    """

    number: int
    max_retries: int | None = None
    max_parallel: int | None = None
    requeue: Requeue | None = None
    rewind: Rewind | None = None
    fork: Fork | None = None
    answers: dict[str, bool] = {}
    revision: Revision | None = None
    notes: tuple[str, ...] = ()
    spent: dict[str, Spent] = {}


class Exited(_Signal, frozen=True):
    """A command ended. `stopped` says that we ended it because the run is stopping; `signal` is a name like SIGKILL.

    `aborted`: the program says that it was interrupted, whatever its exit code. `idle_s`: it was ended because it gave
    no sign of work for so long. `is_final`: no further attempt can help. `structured`, `model` and `claude_version` are
    claude's.
    `output` and `stderr` are the tails that the spawn asked for, `error` a reason that is no exit status.
    `duration_s` is monotonic time. `spent` is what is known of its cost, asked only of claude; `fault`
    says whose its failure is, `resets_at_s` when its limit ends, in seconds since 1970.
    """

    at: str
    epoch: Epoch
    exit_code: int | None = None
    signal: str | None = None
    timed_out_s: float | None = None
    idle_s: float | None = None
    stopped: bool = False
    aborted: bool = False
    error: str | None = None
    is_final: bool = False
    output: str = ""
    stderr: str = ""
    output_file: str = ""
    duration_s: float = 0.0
    structured: Any = None
    spent: Spent = UNKNOWN
    fault: Fault = ""
    resets_at_s: int | None = None
    model: str = ""
    claude_version: str = ""
    warnings: tuple[str, ...] = ()


class TimerFired(_Signal, frozen=True):
    """The wait before `attempt` of the node is over."""

    at: str
    attempt: int


class Listed(_Signal, frozen=True):
    """A map's items were read, or could not be: `error` says why. `items[i]` has the key `keys[i]`.

    Where there are none, `note` says why.
    """

    at: str
    keys: tuple[str, ...] = ()
    items: tuple[Any, ...] = ()
    error: str | None = None
    note: str = ""


class PurgeRequested(_Signal, frozen=True):
    """Give these dead letters of a map up for good; `by` says who. `is_live`: what that makes room for may begin."""

    at: str
    keys: tuple[str, ...]
    by: str
    is_live: bool = False


class RequeueRequested(_Signal, frozen=True):
    """Put these dead letters of a map back while it is at work; `by` says who."""

    at: str
    keys: tuple[str, ...]
    by: str


class CleanRequested(_Signal, frozen=True):
    """Keep nothing of the run but its log: `size_bytes` go; `by` says who wants it."""

    by: str
    size_bytes: int


class LimitFired(_Signal, frozen=True):
    """The time that this attempt of a sequence may take is over."""

    at: str
    attempt: int


class Answered(_Signal, frozen=True):
    """A person said yes or no to a node that awaits it; None where there is nobody to ask. `by` says who."""

    at: str
    is_confirmed: bool | None
    by: str


class Rested(_Signal, frozen=True):
    """The process stood still for so long, because of Ctrl-Z or a SIGSTOP, and goes on; or the clock leapt so far."""

    rested_s: float


class WakeFired(_Signal, frozen=True):
    """The wait of claude with this number is over."""

    at: str
    number: int


class RaiseRequested(_Signal, frozen=True):
    """Let the run cost so many US dollars more; `by` says who. `is_live`: what has room then may begin."""

    usd: float
    by: str
    is_live: bool = False


class StopRequested(_Signal, frozen=True):
    """Ctrl-C, a SIGTERM, or `prodigy stop`: `by` names it."""

    by: str


Signal = (
    CookRequested
    | ResumeRequested
    | PurgeRequested
    | RequeueRequested
    | CleanRequested
    | Exited
    | Listed
    | TimerFired
    | LimitFired
    | Answered
    | Rested
    | WakeFired
    | RaiseRequested
    | StopRequested
)
