"""Prove that a run's log still folds to what it was: every digest in it, and the stored checkpoint.

An upgrade can be tried so against old logs before anything is resumed. Nothing is written.
"""

from collections.abc import Iterator
from typing import NamedTuple

import typer

from prodigy.cli.output.answers import print_json
from prodigy.cli.output.sentences import print_prose
from prodigy.cli.projects import mirror_of
from prodigy.errors import DamagedState, ExitCode
from prodigy.kernel.digest import digest_of
from prodigy.kernel.events import CheckpointMarked
from prodigy.kernel.state import State
from prodigy.plan.phrases import counted
from prodigy.projections.checkpoint import Checkpoint
from prodigy.store.agreement import agreement
from prodigy.store.checkpoints import read_own_checkpoint
from prodigy.store.generation import LoggedEvent
from prodigy.store.history import lineage, present_generation
from prodigy.store.layout import Project
from prodigy.store.validation import lost_end
from prodigy.store.values import Values


class Proof(NamedTuple):
    """What a check found: how many digests there were, how many labelled versions without one, the checkpoint's seq.

    `differences` are sentences; there are none where the log still folds to what it was.
    """

    digests: int
    without: int
    checkpoint_seq: int | None
    differences: list[str]


def prove(project: Project, workflow_id: str, *, json: bool) -> None:
    """Say whether a run still folds to what it was.

    Raises:
        DamagedState: it does not; the message has every difference.
    """
    proof = proof_of(project, workflow_id)
    if json:
        print_json(
            {
                "schema_version": 1,
                "workflow_id": workflow_id,
                "digests": proof.digests,
                "labelled_without_digest": proof.without,
                "checkpoint_seq": proof.checkpoint_seq,
                "differences": proof.differences,
            }
        )
        if proof.differences:
            raise typer.Exit(ExitCode.DAMAGED)
        return
    if proof.differences:
        if (short := lost_end(project, mirror_of(project), workflow_id)) is not None:
            raise short
        raise DamagedState(
            f"{workflow_id} does not fold to what it was:\n  " + "\n  ".join(proof.differences),
            hint=f"Make a checkpoint again: `prodigy checkpoints validate {workflow_id} --repair`. A digest that "
            "differs means that this prodigy reads the log another way: go on with the one that wrote it.",
        )
    digests = counted(proof.digests, "digest")
    checkpoint = (
        "no checkpoint file" if proof.checkpoint_seq is None else f"the checkpoint of event {proof.checkpoint_seq}"
    )
    print_prose(f"{workflow_id}: {digests} and {checkpoint}: all is as the log folds")
    if proof.without:
        print_prose(f"  {counted(proof.without, 'labelled version')} without a digest: an older prodigy made them")


def proof_of(project: Project, workflow_id: str) -> Proof:
    """Fold every generation of a run, and compare it with each digest in its log and with its checkpoint.

    Raises:
        DamagedState: a log cannot be trusted.
    """
    folder = project.run(workflow_id)
    # Read before the log, which a live run goes on writing: what the checkpoint has seen is then in the log.
    found = read_own_checkpoint(project.checkpoint(workflow_id), workflow_id)
    checkpoint = found.checkpoint
    differences = [found.problem] if found.problem else []
    present_generation(folder)
    digests = without = 0
    is_met = checkpoint is None
    for generation in folder.generations():
        for moment, before, state in lineage(folder, generation).steps():
            event = moment.event
            is_own = moment.generation == generation  # what comes before is another generation's, and proved there
            if is_own and isinstance(event, CheckpointMarked) and event.label:
                digests, without = digests + bool(event.digest), without + (not event.digest)
                if event.digest and event.digest != (now := digest_of(before)):
                    differences.append(_differs(moment, event, now))
            if is_own and checkpoint and (generation, moment.seq) == (checkpoint.generation, checkpoint.last_seq):
                is_met = True
                differences += _of_checkpoint(checkpoint, Values(folder.values), moment.chain, state)
    if not is_met and checkpoint:
        place = f"event {checkpoint.last_seq} of generation {checkpoint.generation}"
        differences.append(f"the checkpoint has seen {place}, which the log does not have")
    return Proof(digests, without, checkpoint.last_seq if checkpoint else None, differences)


def _differs(moment: LoggedEvent, event: CheckpointMarked, now: str) -> str:
    place = f"event {moment.seq} of generation {moment.generation}"
    return f"v{event.version} ({event.label}, {place}) had the digest {event.digest}, and folds to {now}"


def _of_checkpoint(checkpoint: Checkpoint, values: Values, chain: str, state: State) -> Iterator[str]:
    """Yield in what a checkpoint differs from the state that the log folds to at its place."""
    place = f"the checkpoint of event {checkpoint.last_seq}"
    agreed = agreement(checkpoint, values, chain=chain, folded=state)
    if agreed.is_foreign:
        yield f"{place} is of another history than the log"
    if agreed.state is None:
        if agreed.problem:
            yield f"{place} cannot be used: {agreed.problem}"
        return
    if (held := digest_of(agreed.state)) != (now := digest_of(state)):
        yield f"{place} holds the state {held}, and the log folds to {now}"
    for field in agreed.differing:
        if field != "snapshot":  # of which the digest is what counts: a later prodigy may keep more in it
            yield f"{place} has another `{field}` than the log"
