"""Write and read the checkpoint file of a run, and its mirror.

A checkpoint is a cache. Reading one that is missing, torn, foreign or newer is no error: the caller rebuilds
from the log, and says so.
"""

from pathlib import Path
from typing import NamedTuple

import msgspec

from prodigy.errors import DamagedState
from prodigy.kernel.state import State
from prodigy.plan.nodes import Plan
from prodigy.plan.spelling import as_number
from prodigy.projections.checkpoint import SCHEMA_VERSION, Checkpoint, restore
from prodigy.store.files import read_private
from prodigy.store.large_values import kept_value
from prodigy.store.values import Values

_ENCODER = msgspec.json.Encoder(enc_hook=as_number)
_DECODER = msgspec.json.Decoder(Checkpoint)


class CheckpointRead(NamedTuple):
    """A checkpoint, or why there is none that can be used; neither where the file is missing."""

    checkpoint: Checkpoint | None
    problem: str | None = None


def encode_checkpoint(checkpoint: Checkpoint) -> bytes:
    """Return the bytes of the file, which ends in a newline."""
    return _ENCODER.encode(checkpoint) + b"\n"


def read_checkpoint(path: Path, workflow_id: str) -> CheckpointRead:
    """Return the checkpoint of this run at `path`.

    Raises:
        DamagedState: a symlink, FIFO or folder stands in its place.
    """
    try:
        data = read_private(path)
    except FileNotFoundError:
        return CheckpointRead(None)
    except OSError as error:
        return CheckpointRead(None, f"{path} cannot be read: {error.strerror}")
    try:
        checkpoint = _DECODER.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return CheckpointRead(None, f"{path} is not a checkpoint of this prodigy: {error}")
    if checkpoint.schema_version > SCHEMA_VERSION:
        return CheckpointRead(None, f"{path} was written by a newer prodigy")
    if checkpoint.workflow_id != workflow_id:
        return CheckpointRead(None, f"{path} is of another run, {checkpoint.workflow_id[:100]!a}")
    return CheckpointRead(checkpoint)


def read_own_checkpoint(path: Path, workflow_id: str) -> CheckpointRead:
    """Return the checkpoint, and a symlink or the like in its place as a problem, for who has the log anyway."""
    try:
        return read_checkpoint(path, workflow_id)
    except DamagedState as problem:
        return CheckpointRead(None, problem.message)


def restored_state(checkpoint: Checkpoint, values: Values) -> State:
    """Return the state that a checkpoint holds, with what it names from `values`.

    Raises:
        DamagedState: a value that it names is missing or altered.
        msgspec.DecodeError: a value is not what its name says.
    """
    plan = msgspec.json.decode(values.get(checkpoint.plan_digest), type=Plan)
    return restore(
        checkpoint,
        plan,
        get=values.get,
        captured=lambda digest: kept_value(digest, values, checkpoint.workflow_id),
    )
