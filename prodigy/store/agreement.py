"""Compare a checkpoint with the log, for every command that resumes, validates, replays or examines a run."""

from collections.abc import Iterator
from hashlib import sha256
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from prodigy.errors import ProdigyError
from prodigy.kernel.state import State
from prodigy.plan.stored import Stored
from prodigy.projections.checkpoint import INLINE_CHARS_MAX, Checkpoint, document
from prodigy.store.checkpoints import encode_checkpoint, restored_state
from prodigy.store.large_values import json_of_value
from prodigy.store.values import Values

_DOCUMENT = msgspec.json.Decoder(Checkpoint)


class Agreement(NamedTuple):
    """How a checkpoint agrees with the log at its place.

    `state` is what it holds; None where it cannot be used: it is of another history, or `problem` says why what it
    names cannot be read. `differing` names what in it is not what the log folds to, as far as that was looked at.
    """

    state: State | None = None
    is_foreign: bool = False
    problem: str | None = None
    differing: tuple[str, ...] = ()


def agreement(checkpoint: Checkpoint, values: Values, *, chain: str | None, folded: State | None = None) -> Agreement:
    """Compare a checkpoint with the log.

    Args:
        values: where what it names is kept.
        chain: the log's at the checkpoint's last event; None where no turn ends with it.
        folded: the state that the log folds to there; without it what the checkpoint holds is believed.
    """
    if checkpoint.chain != chain:
        return Agreement(is_foreign=True)
    noted = checkpoint.snapshot
    if noted.ledger is None and (noted.cost_usd or noted.costs_unknown):
        return Agreement(problem="it is older than the ledger of what a run cost")
    try:
        held = restored_state(checkpoint, values)
    except (ProdigyError, msgspec.DecodeError) as problem:
        return Agreement(problem=str(problem))
    differing = () if folded is None else tuple(_differing(checkpoint, held, folded))
    return Agreement(held, differing=differing)


def _differing(checkpoint: Checkpoint, held: State, folded: State) -> Iterator[str]:
    right = document(folded, chain=checkpoint.chain, plan_digest=checkpoint.plan_digest, keep=_digest_of_large)
    right = _DOCUMENT.decode(encode_checkpoint(right))
    if checkpoint.snapshot.ledger is None:  # nobody had counted yet
        right = replace(right, snapshot=replace(right.snapshot, ledger=None))
    if checkpoint.snapshot.rested_s is None:
        right = replace(right, snapshot=replace(right.snapshot, rested_s=None))
    written = _with_named(checkpoint, held, right.stored_scoped)
    for name in Checkpoint.__struct_fields__:
        if getattr(right, name) != getattr(written, name):
            yield name
    if held.plan != folded.plan:
        yield "plan"


def _with_named(checkpoint: Checkpoint, held: State, named: dict[str, dict[str, str]]) -> Checkpoint:
    """Return a checkpoint in which these captures of items are named by digest; an earlier version wrote them out."""
    scoped = dict(checkpoint.snapshot.scoped)
    stored = {item: dict(digests) for item, digests in checkpoint.stored_scoped.items()}
    for item, names in named.items():
        for name in names.keys() & scoped.get(item, {}).keys():
            scoped[item] = {other: value for other, value in scoped[item].items() if other != name}
            stored.setdefault(item, {})[name] = sha256(json_of_value(held.scoped[item][name])).hexdigest()
    return replace(checkpoint, snapshot=replace(checkpoint.snapshot, scoped=scoped), stored_scoped=stored)


def _digest_of_large(_name: str, value: Any) -> str | None:
    if isinstance(value, Stored):
        return value.digest
    data = json_of_value(value)
    return sha256(data).hexdigest() if len(data) > INLINE_CHARS_MAX else None
