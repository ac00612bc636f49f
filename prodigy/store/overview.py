"""Where a run stands, as a list shows it, without folding its log wherever that can be spared.

A checkpoint whose chain is that of the log's last line says all that a row needs, so a thousand runs are listed by
reading a thousand headers. What lies before that line is not checked here; a command that acts on a run reads its whole
log.
"""

from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from prodigy.errors import DamagedState
from prodigy.kernel.ledger import EMPTY, Ledger
from prodigy.kernel.lifecycle import Status
from prodigy.kernel.state import RunStatus, State
from prodigy.plan.stored import Stored
from prodigy.projections.checkpoint import SCHEMA_VERSION, MapProgress, document
from prodigy.projections.next_steps import Rest, rest_of
from prodigy.projections.steps import progress
from prodigy.store.checkpoints import encode_checkpoint
from prodigy.store.files import read_private
from prodigy.store.generation import Generation
from prodigy.store.layout import Project, stem_of
from prodigy.store.lock import Holder, holder


class _Execution(msgspec.Struct, frozen=True):
    status: RunStatus
    current_step_index: int
    total_steps: int


class _Origin(msgspec.Struct, frozen=True):
    started: str


class _Node(msgspec.Struct, frozen=True):
    status: str = ""
    output_file: str = ""
    held_attempt: int = 0


class _Snapshot(msgspec.Struct, frozen=True):
    origin: _Origin
    number: int
    stopping: str
    cost_usd: float
    costs_unknown: int
    in_flight: dict[str, int]
    nodes: msgspec.Raw
    failed_at: str = ""
    maps: dict[str, msgspec.Raw] = {}
    ledger: Ledger | None = None


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """What a list shows of a checkpoint document; its fields are that document's."""

    workflow_id: str
    workflow_path: str
    timestamp: str
    execution_state: _Execution
    variables: dict[str, msgspec.Raw]
    schema_version: int
    name: str
    version: int
    generation: int
    last_seq: int
    chain: str
    address: str
    failure: str
    snapshot: _Snapshot
    stage: str | None = None
    cause: str = ""
    map: MapProgress | None = None


class RunOverview(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """Where one run stands: the row of every list.

    `noted` is what its checkpoint says, `state` what its log folds to, where that was read. Of a damaged run there is
    neither, and `problem` says why. `owner` is who runs it now.
    """

    workflow_id: str
    noted: "Header | None" = None
    state: State | None = None
    owner: Holder | None = None
    problem: str | None = None
    is_mirror_only: bool = False

    @cached_property
    def header(self) -> "Header | None":
        """What a list shows of it; made of the state where no checkpoint says it."""
        return header_of(self.state) if self.state is not None else self.noted

    @property
    def ledger(self) -> Ledger:
        """What it cost."""
        if self.state is not None:
            return self.state.ledger
        if self.noted is None:
            return EMPTY
        noted = self.noted.snapshot
        return noted.ledger or Ledger(spent_usd=noted.cost_usd, unknown=noted.costs_unknown)

    def sound(self) -> State:
        """Return the state that its log folds to.

        Raises:
            DamagedState: it cannot be read.
        """
        if self.state is None:
            raise DamagedState(f"{self.workflow_id} cannot be read: {self.problem}", workflow_id=self.workflow_id)
        return self.state

    @property
    def is_damaged(self) -> bool:
        """Whether it cannot be read."""
        return self.state is None and self.noted is None

    @property
    def status(self) -> str:
        """The run's status as people know it: what its log says, and whether somebody owns it."""
        if self.state is not None:
            status, stopping = self.state.status, self.state.stopping
        elif self.noted is not None:
            status, stopping = self.noted.execution_state.status, self.noted.snapshot.stopping
        else:
            return "damaged"
        if status == "running" and self.owner is None:
            return "interrupted"
        return "stopping" if self.owner and stopping else status

    @property
    def number(self) -> int:
        """When it was last cooked or resumed, as the project counts."""
        if self.state is not None:
            return self.state.number
        return self.noted.snapshot.number if self.noted else 0

    @property
    def name(self) -> str:
        """The workflow's name; of a damaged run, what its id makes of it."""
        if self.state is not None:
            return self.state.plan.name
        return self.noted.name if self.noted else self.workflow_id.rpartition("-")[0]

    def is_named(self, name: str) -> bool:
        """Whether this is a run of the workflow of this name, as written; of a damaged run its id decides."""
        return self.name == (stem_of(name) if self.is_damaged else name)

    @property
    def step(self) -> str:
        """How many steps come up to the current one, of how many, and which it is; or the stage: `4/9 transform`."""
        if self.state is not None:
            return progress(self.state)
        if self.noted is None:
            return ""
        steps = self.noted.execution_state
        if self.noted.stage or not self.noted.address:
            return self.noted.stage or f"{steps.total_steps}/{steps.total_steps}"
        return f"{steps.current_step_index + 1}/{steps.total_steps} {self.noted.address}"

    @property
    def running(self) -> list[str]:
        """The addresses of what is in flight."""
        if self.state is not None:
            return sorted(self.state.in_flight)
        return sorted(self.noted.snapshot.in_flight) if self.noted else []

    @property
    def rest(self) -> Rest:
        """What decides the next step; of a damaged run nothing but that."""
        if self.state is not None:
            return rest_of(self.state, self.status, is_mirror_only=self.is_mirror_only)
        if self.noted is None:
            return Rest(workflow_id=self.workflow_id, status=self.status)
        at, items = self.noted.snapshot.failed_at, self.noted.map
        nodes = {} if self.status == "completed" else _NODES.decode(self.noted.snapshot.nodes)
        has_said = at in nodes and nodes[at].output_file != ""
        return Rest(
            workflow_id=self.workflow_id,
            status=self.status,
            failed_at=at or None,
            culprit="map" if at in self.noted.snapshot.maps else "step" if has_said else "other",
            dead=items.dead_letters if items else 0,
            left=items.pending + items.in_flight + items.failed if items else 0,
            awaiting=tuple(name for name, node in nodes.items() if node.status == Status.AWAITING),
            is_held=self.status == "paused" and at in nodes and nodes[at].held_attempt > 0,
            is_mirror_only=self.is_mirror_only,
        )


_DECODER = msgspec.json.Decoder(Header)
_NODES = msgspec.json.Decoder(dict[str, _Node])


def overview_from_checkpoint(project: Project, newest: Generation) -> RunOverview | None:
    """Return where a run stands if its checkpoint and the end of its newest log agree, else None.

    Raises:
        DamagedState: the lock is no file of ours.
        OSError: it cannot be read.
    """
    workflow_id = newest.folder.path.name
    header = read_header(project.checkpoint(workflow_id), workflow_id)
    if header is None or header.generation != newest.number or not newest.ends_with(header.chain):
        return None
    return RunOverview(workflow_id=workflow_id, noted=header, owner=holder(newest.folder.lock))


def read_header(path: Path, workflow_id: str) -> Header | None:
    """Return the header of this run's checkpoint at `path`, or None where there is none that can be used."""
    try:
        header = _DECODER.decode(read_private(path))
    except (OSError, DamagedState, msgspec.DecodeError, UnicodeDecodeError):
        return None
    is_known = header.workflow_id == workflow_id and header.schema_version <= SCHEMA_VERSION
    return header if is_known else None


def header_of(state: State) -> Header:
    """Return what a checkpoint of this state would begin with, but for its chain."""
    return _DECODER.decode(encode_checkpoint(document(state, chain="", plan_digest="", keep=_digest_of_stored)))


def _digest_of_stored(_name: str, value: Any) -> str | None:
    return value.digest if isinstance(value, Stored) else None
