"""Where a run stands, as a list shows it, without folding its log wherever that can be spared.

A checkpoint whose chain is that of the log's last line says all that a row needs, so a thousand runs are listed by
reading a thousand headers. What lies before that line is not checked: a list promises nothing, and whoever is about to
act reads the whole log.
"""

from pathlib import Path
from typing import Any

import msgspec

from prodigy.errors import DamagedState
from prodigy.kernel.lifecycle import Status
from prodigy.kernel.state import RunStatus, State
from prodigy.plan.stored import Stored
from prodigy.projections.checkpoint import SCHEMA_VERSION, MapProgress, document
from prodigy.projections.next_steps import Rest
from prodigy.store.checkpoints import encode_checkpoint
from prodigy.store.files import read_private
from prodigy.store.generation import Generation
from prodigy.store.layout import Project, RunFolder, stem_of
from prodigy.store.lock import Holder, holder


class _Execution(msgspec.Struct, frozen=True):
    status: RunStatus
    current_step_index: int
    total_steps: int


class _Origin(msgspec.Struct, frozen=True):
    started: str


class _Node(msgspec.Struct, frozen=True):
    status: str = ""


class _Snapshot(msgspec.Struct, frozen=True):
    origin: _Origin
    number: int
    stopping: str
    cost_usd: float
    costs_unknown: int
    nodes: msgspec.Raw
    failed_at: str = ""
    maps: dict[str, msgspec.Raw] = {}


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


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """One run of a list. `header` is None where it is damaged; `problem` says why, `owner` who runs it now."""

    workflow_id: str
    header: Header | None
    owner: Holder | None = None
    problem: str = ""
    is_mirror_only: bool = False

    @property
    def status(self) -> str:
        """The run's status as people know it."""
        if self.header is None:
            return "damaged"
        return status_of(self.header.execution_state.status, self.header.snapshot.stopping, self.owner)

    @property
    def number(self) -> int:
        """When it was last cooked or resumed, as the project counts."""
        return self.header.snapshot.number if self.header else 0

    @property
    def name(self) -> str:
        """The workflow's name; of a damaged run, what its id makes of it."""
        return self.header.name if self.header else self.workflow_id.rpartition("-")[0]

    def is_named(self, name: str) -> bool:
        """Whether this is a run of the workflow of this name, as written; of a damaged run its id decides."""
        if self.header is not None:
            return self.header.name == name
        return self.workflow_id.rpartition("-")[0] == stem_of(name)

    @property
    def rest(self) -> Rest:
        """What decides the next step; of a damaged run nothing but that."""
        header = self.header
        if header is None:
            return Rest(workflow_id=self.workflow_id, status=self.status)
        at, items = header.snapshot.failed_at, header.map
        return Rest(
            workflow_id=self.workflow_id,
            status=self.status,
            failed_at=at,
            culprit="map" if at in header.snapshot.maps else "step",
            dead=items.dead_letters if items else 0,
            left=items.pending + items.in_flight + items.failed if items else 0,
            awaiting=_awaiting(header.snapshot) if header.execution_state.status == "paused" else (),
            is_mirror_only=self.is_mirror_only,
        )


def _awaiting(snapshot: _Snapshot) -> tuple[str, ...]:
    nodes = msgspec.json.decode(snapshot.nodes, type=dict[str, _Node])
    return tuple(at for at, node in nodes.items() if node.status == Status.AWAITING)


_DECODER = msgspec.json.Decoder(Header)


def status_of(status: RunStatus, stopping: str, owner: Holder | None) -> str:
    """Return a run's status as people know it: what its log says, and whether somebody owns it."""
    if status == "running" and owner is None:
        return "interrupted"
    return "stopping" if owner and stopping else status


def quick_standing(project: Project, folder: RunFolder, generation: int) -> Standing | None:
    """Return where a run stands if its checkpoint and the end of its log agree, else None.

    Args:
        generation: the run's present one.

    Raises:
        DamagedState: the lock is no file of ours.
        OSError: it cannot be read.
    """
    header = read_header(project.checkpoint(folder.path.name), folder.path.name)
    if header is None or header.generation != generation:
        return None
    if not Generation(folder, generation).ends_with(header.chain):
        return None
    return Standing(workflow_id=header.workflow_id, header=header, owner=holder(folder.lock))


def read_header(path: Path, workflow_id: str) -> Header | None:
    """Return the header of this run's checkpoint at `path`, or None where there is none that can be used."""
    try:
        header = _DECODER.decode(read_private(path))
    except (OSError, DamagedState, msgspec.DecodeError, UnicodeDecodeError):
        return None
    is_known = header.workflow_id == workflow_id and header.schema_version <= SCHEMA_VERSION
    return header if is_known else None


def header_of(state: State, chain: str = "") -> Header:
    """Return what a checkpoint of this state would begin with."""
    return _DECODER.decode(encode_checkpoint(document(state, chain=chain, plan_digest="", keep=_digest_of_stored)))


def _digest_of_stored(_name: str, value: Any) -> str | None:
    return value.digest if isinstance(value, Stored) else None
