"""What happened: the facts of a run, one struct each, in the past tense.

On disk an event is one record of the log; `type` is its struct's name in snake case. Names and fields are public,
made for `jq`: fields without a default are always written, fields equal to their default never. Types only ever gain
fields with defaults, so a log of every released version opens for ever.

`stored` names fields that are kept as files because they are large: field → sha256 of its JSON. The store fills it
in and puts the values back; whoever folds sees whole values. `spellings` has the text of numbers that were written
otherwise than JSON writes them (`3.10`, `0xFF`), by JSON Pointer.
"""

import re
from typing import Any

import msgspec

from prodigy.kernel.fault import Fault
from prodigy.kernel.items import Disposition
from prodigy.kernel.ledger import Ledger, Models
from prodigy.kernel.lifecycle import Epoch
from prodigy.kernel.snapshot import Snapshot
from prodigy.plan.nodes import Plan
from prodigy.plan.spelling import keep_spellings

FORMAT = 1

_WORD = re.compile(r"(?<!^)(?=[A-Z])")


def _snake(name: str) -> str:
    return _WORD.sub("_", name).lower()


class _Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag=_snake):
    stored: dict[str, str] = {}


class RunStarted(_Event, frozen=True):
    """A run began. `directory` is absolute; `number` is the project's count of cooks and resumes.

    `claude_bin` is the program that stands for Claude Code in all of it, where the operator named one.
    """

    format: int
    workflow_id: str
    workflow_path: str
    directory: str
    number: int
    prodigy_version: str
    plan: Plan
    workflow_text: str
    parameters: dict[str, Any] = {}
    max_retries: int | None = None
    max_parallel: int | None = None
    budget_usd: float | None = None
    synced: bool = True
    claude_bin: str = ""
    spellings: dict[str, str] = {}

    def __post_init__(self) -> None:
        keep_spellings(self, "parameters")


class GenerationStarted(_Event, frozen=True):
    """A new log file begins; history goes on from `from_seq` of generation `parent` (0: from nothing).

    `version` is the last checkpoint version that any generation has used. `is_parent_lost`: that history is gone, and
    the next event holds the state that it led to. `workflow_id` is the run, for history may be from
    before a fork. `ledger` is what all generations cost until then.
    """

    generation: int
    parent: int
    from_seq: int
    from_chain: str
    version: int
    reason: str
    is_parent_lost: bool = False
    workflow_id: str = ""
    ledger: Ledger | None = None


class RunResumed(_Event, frozen=True):
    """The run goes on. `again` names the steps that were in flight and run again.

    `stood` is when the run had come to rest, where the events before this one in its turn hide it.
    """

    number: int
    max_retries: int | None = None
    max_parallel: int | None = None
    again: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    stood: str = ""


class PlanChanged(_Event, frozen=True):
    """An edited workflow file was accepted. `moved` maps old addresses to new ones where they differ."""

    plan: Plan
    workflow_text: str
    moved: dict[str, str] = {}
    dropped: tuple[str, ...] = ()


class NodeStarted(_Event, frozen=True):
    """A sequence began its attempt; its children are entered anew."""

    at: str
    attempt: int


class CommandStarted(_Event, frozen=True):
    """A command begins; this event's seq is its epoch.

    `session` is the conversation of claude; it `resumes` one that was cut off, or begins it. It may cost
    `reserved_usd`, where there is a budget.
    """

    at: str
    attempt: int
    command: str
    session: str = ""
    resumes: bool = False
    reserved_usd: float | None = None


class CommandFinished(_Event, frozen=True):
    """A command ended. `output` and `stderr` are their ends without the last newline; `output_file` has it all.

    `error` says why it failed, as `${id.error}` will. `idle_s` is how long it gave no sign of work, where it was ended
    for that; `is_final` says that no further attempt can help, `fault` whose it is. Of claude, `structured` is what
    `json_schema` asked for, `model` what answered, `claude_version` the program's own; `cost_usd` is what this attempt
    cost, null where that is not known; `cost_kind` is exact, estimated, unknown, nothing, or booked where an earlier
    event has it; `models` has it by model; `session_usd` is what the whole conversation cost, as Claude Code counts.
    """

    at: str
    epoch: Epoch
    exit_code: int | None
    duration_s: float
    signal: str | None = None
    timed_out_s: float | None = None
    idle_s: float | None = None
    error: str | None = None
    is_final: bool = False
    fault: Fault = ""
    output: str = ""
    stderr: str = ""
    output_file: str = ""
    structured: Any = None
    cost_usd: float | None = None
    cost_kind: str = ""
    session_usd: float | None = None
    models: Models = {}
    model: str = ""
    claude_version: str = ""
    warnings: tuple[str, ...] = ()


class CommandInterrupted(_Event, frozen=True):
    """A command was ended because the run is stopping; its result, whatever it was, does not count.

    Its cost is told as in `command_finished`.
    """

    at: str
    epoch: Epoch
    duration_s: float
    output_file: str = ""
    cost_usd: float | None = None
    cost_kind: str = ""
    session_usd: float | None = None
    models: Models = {}
    model: str = ""
    claude_version: str = ""
    warnings: tuple[str, ...] = ()


class CostBooked(_Event, frozen=True):
    """What an attempt of claude cost that was in flight when its coordinator died, as far as that can be found out."""

    at: str
    epoch: Epoch
    cost_kind: str
    cost_usd: float | None = None
    session_usd: float | None = None
    models: Models = {}


class CommandHeld(_Event, frozen=True):
    """A claude step waits until it may begin, or go on: `reason` says why."""

    at: str
    attempt: int
    reason: str


class ClaudeParked(_Event, frozen=True):
    """Claude is out of reach, or its limit is used up: no claude step begins for `delay_s`, until `due`."""

    reason: str
    since: str
    delay_s: float
    due: str
    tries: int
    number: int


class ClaudeTried(_Event, frozen=True):
    """The wait is over: the step at `at` tries the way."""

    at: str
    number: int


class ClaudeReleased(_Event, frozen=True):
    """Claude is within reach again: whatever was held may begin."""


class PauseRequested(_Event, frozen=True):
    """Nothing begins any more because of the step at `at`; when nothing is in flight the run pauses, or `fails`."""

    at: str
    reason: str
    fails: bool = False


class BudgetNeared(_Event, frozen=True):
    """The run has cost so much of its budget that its operator wanted to be told."""

    spent_usd: float
    usd: float


class BudgetRaised(_Event, frozen=True):
    """The run may cost so many US dollars more; `by` says who wants it."""

    usd: float
    by: str


class ValueCaptured(_Event, frozen=True):
    """A step's output became a variable."""

    at: str
    name: str
    value: Any
    spellings: dict[str, str] = {}

    def __post_init__(self) -> None:
        keep_spellings(self, "value")


class RetryScheduled(_Event, frozen=True):
    """The node is tried again: `attempt` starts after `delay_s`, by the clock at `due`."""

    at: str
    attempt: int
    delay_s: float
    due: str


class HandlingStarted(_Event, frozen=True):
    """The last attempt failed and the handlers of the node begin.

    For a node that is not a command, `error` says why it failed, and `step` is the address of the step that failed it,
    or that was running when its time was over.
    """

    at: str
    error: str = ""
    step: str = ""


class ConfirmationRequested(_Event, frozen=True):
    """The node waits for a person's yes before it begins."""

    at: str


class ConfirmationAnswered(_Event, frozen=True):
    """A person answered; `by` says who, and from where."""

    at: str
    is_confirmed: bool
    by: str


class LimitStarted(_Event, frozen=True):
    """The time that a sequence may take begins to run, or goes on after a resume.

    `left_s` is what is left of it, `spent_s` what earlier processes have used.
    """

    at: str
    attempt: int
    left_s: float
    spent_s: float = 0.0


class LimitReached(_Event, frozen=True):
    """A sequence took longer than its timeout; what runs in it is ended, and then it has failed."""

    at: str
    timeout_s: float


class NodeBypassed(_Event, frozen=True):
    """The operator passes over a node that has not settled, or failed: it counts as skipped. `by` says who."""

    at: str
    by: str


class ListingStarted(_Event, frozen=True):
    """The items of a map are about to be read."""

    at: str


class ItemsListed(_Event, frozen=True):
    """The items of a map, read once: `items[i]` has the key `keys[i]`. If there are none, `note` says why."""

    at: str
    keys: tuple[str, ...]
    items: tuple[Any, ...]
    note: str = ""
    spellings: dict[str, str] = {}

    def __post_init__(self) -> None:
        keep_spellings(self, "items")


class ItemsHeld(_Event, frozen=True):
    """These items, of those that were at work before a resume, wait for room: fewer may be at work than were."""

    at: str
    keys: tuple[str, ...]


class ItemSettled(_Event, frozen=True):
    """An item of the map at `at` has come to its end.

    If it failed, `step` says where, within the item; `exit_code` and `output_file` are that step's last, and
    `attempts` is how often it was tried, in all attempts of the item; 0 means unknown.
    """

    at: str
    key: str
    disposition: Disposition
    error: str = ""
    step: str = ""
    exit_code: int | None = None
    output_file: str = ""
    attempts: int = 0


class ItemsRequeued(_Event, frozen=True):
    """Dead letters were put back and begin anew; `by` says who asked for it, empty where the map was tried again."""

    at: str
    keys: tuple[str, ...]
    by: str = ""


class DeadLettersPurged(_Event, frozen=True):
    """The operator gave these dead letters up for good; they count as skipped."""

    at: str
    keys: tuple[str, ...]
    by: str


class BreakerOpened(_Event, frozen=True):
    """Too many items failed in a row: nothing begins for `delay_s`, by the clock until `due`."""

    at: str
    delay_s: float
    due: str


class BreakerTried(_Event, frozen=True):
    """The pause is over: one item tries the way."""

    at: str


class NodeSkipped(_Event, frozen=True):
    """The node was not run; `reason` shows the condition with its values."""

    at: str
    reason: str


class NodeSucceeded(_Event, frozen=True):
    """The node did what it is for."""

    at: str


class NodeHandled(_Event, frozen=True):
    """The node failed and its handlers succeeded; the run goes on."""

    at: str


class NodeFailed(_Event, frozen=True):
    """The node failed for good."""

    at: str
    error: str


class NodeReopened(_Event, frozen=True):
    """Resume will enter a settled step anew: a failed one with a new budget, a skipped one to be decided again."""

    at: str


class NodeContinued(_Event, frozen=True):
    """Resume goes on inside a failed sequence: its finished children stand, its budget is new.

    For a map, `excused` says how many failed items no longer count against its error policy.
    """

    at: str
    excused: int | None = None


class CheckpointMarked(_Event, frozen=True):
    """A version of the state worth going back to; with a `label`, and the state's digest, where it was asked for."""

    version: int
    at: str
    label: str = ""
    digest: str = ""


class RunRested(_Event, frozen=True):
    """The process stood still, because of Ctrl-Z or a SIGSTOP, or the clock leapt; that counts for no timeout."""

    rested_s: float


class StopRequested(_Event, frozen=True):
    """Nothing new starts. `by` is a signal's name or the command that asked."""

    by: str


class RunInterrupted(_Event, frozen=True):
    """The run has stopped and can be resumed."""


class RunPaused(_Event, frozen=True):
    """The run waits for its operator's word about `at`."""

    at: str
    reason: str


class RunCancelled(_Event, frozen=True):
    """A person said no to `at`; the run can be resumed by name."""

    at: str
    by: str


class RunForked(_Event, frozen=True):
    """A new run shares another's history up to here. `variables` are changed from now on.

    Those named in `captured` replace what a step captured, the others what the workflow was given.
    """

    workflow_id: str
    from_workflow_id: str
    from_seq: int
    variables: dict[str, Any] = {}
    captured: tuple[str, ...] | None = None
    spellings: dict[str, str] = {}

    def __post_init__(self) -> None:
        keep_spellings(self, "variables")


class RunRestored(_Event, frozen=True):
    """The log was lost and the run goes on from a checkpoint: this is the state that it held."""

    plan: Plan
    snapshot: Snapshot


class RunFailed(_Event, frozen=True):
    """The run came to its end without success; `at` is the step that decided it."""

    at: str
    error: str


class RunCompleted(_Event, frozen=True):
    """The run did all it was asked to."""


class RunCleaned(_Event, frozen=True):
    """Nothing is kept of the run but its log: `size_bytes` of checkpoints, values and outputs go. Nothing follows."""

    by: str
    size_bytes: int


Event = (
    RunStarted
    | GenerationStarted
    | RunResumed
    | PlanChanged
    | NodeStarted
    | CommandStarted
    | CommandFinished
    | CommandInterrupted
    | CostBooked
    | CommandHeld
    | ClaudeParked
    | ClaudeTried
    | ClaudeReleased
    | PauseRequested
    | BudgetNeared
    | BudgetRaised
    | ValueCaptured
    | RetryScheduled
    | HandlingStarted
    | ConfirmationRequested
    | ConfirmationAnswered
    | LimitStarted
    | LimitReached
    | NodeBypassed
    | ListingStarted
    | ItemsListed
    | ItemsHeld
    | ItemSettled
    | ItemsRequeued
    | DeadLettersPurged
    | BreakerOpened
    | BreakerTried
    | NodeSkipped
    | NodeSucceeded
    | NodeHandled
    | NodeFailed
    | NodeReopened
    | NodeContinued
    | CheckpointMarked
    | RunRested
    | StopRequested
    | RunInterrupted
    | RunPaused
    | RunCancelled
    | RunForked
    | RunRestored
    | RunFailed
    | RunCompleted
    | RunCleaned
)

TYPES: dict[str, type[Event]] = {_snake(kind.__name__): kind for kind in Event.__args__}
_NAMES = {kind: name for name, kind in TYPES.items()}


def type_of(event: Event) -> str:
    """Return the event's public name, as `type` has it."""
    return _NAMES[type(event)]
