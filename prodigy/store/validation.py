"""Say what is wrong with what is kept of a run: its log, the values that it names, its checkpoint and the mirror.

Nothing is changed. Every line of every log is checked and decoded, every stored value is compared with its digest, and
each copy of the checkpoint with what the log folds to at its place.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from prodigy.errors import DamagedState, ProdigyError, RunNotFound, UsageProblem
from prodigy.plan.phrases import counted
from prodigy.projections.checkpoint import Checkpoint
from prodigy.store.agreement import agreement
from prodigy.store.catalog import cleaning_of
from prodigy.store.checkpoints import CheckpointRead, read_own_checkpoint
from prodigy.store.generation import Generation, Verified, damage_of
from prodigy.store.history import lineage, present_generation
from prodigy.store.layout import Mirror, Project, RunFolder, checkpoints_of
from prodigy.store.lock import holder
from prodigy.store.values import Values

NAMED_MAX = 5  # so many differences are named, and the rest is counted


class Finding(NamedTuple):
    """What was found about one thing: `log`, `values`, `checkpoint` or `mirror`."""

    thing: str
    is_wrong: bool
    says: str


def examine(project: Project, mirror: Mirror | None, workflow_id: str) -> list[Finding]:
    """Return what was found about each thing that is kept of a run; a run that is live may be examined too.

    Args:
        mirror: the project's, or None where this machine has none.
    """
    folder = project.run(workflow_id)
    is_live = holder(folder.lock) is not None
    # The copies are read before the log, so that a live run's log has all that they have.
    copies = [("checkpoint", project.checkpoint(workflow_id), folder.values)]
    if mirror is not None and mirror.knows(workflow_id):
        copies.append(("mirror", mirror.checkpoint(workflow_id), mirror.values))
    found = [(thing, path, values, read_own_checkpoint(path, workflow_id)) for thing, path, values in copies]
    log, named = _of_log(folder)
    if not log.is_wrong and (short := lost_end(project, mirror, workflow_id)):
        log = Finding("log", True, short.message)
    findings = [log, _of_values(folder, named)]
    for thing, path, values, read in found:
        findings.append(_of_read(thing, path, read, folder, Values(values), is_live=is_live))
    if len(copies) == 1:
        findings.append(Finding("mirror", False, "none: this machine does not know the run"))
    return findings


def examine_checkpoint(project: Project, workflow_id: str) -> Finding:
    """Return what was found about the checkpoint of a run that has a log; one that is live may be examined too."""
    folder, path = project.run(workflow_id), project.checkpoint(workflow_id)
    is_live = holder(folder.lock) is not None
    read = read_own_checkpoint(path, workflow_id)
    return _of_read("checkpoint", path, read, folder, Values(folder.values), is_live=is_live)


def verified(project: Project, mirror: Mirror | None, workflow_id: str) -> Iterator[Verified]:
    """Check every line of every log of a run, and yield what was found of each, oldest first.

    What the lines say is read too, with the values that they name; of a cleaned run these are gone.

    Raises:
        DamagedState: when it is reached: a log is altered, gone, empty, or shorter than a checkpoint has seen.
    """
    folder = project.run(workflow_id)
    is_cleaned = cleaning_of(project, workflow_id) is not None
    seen = _seen(project, mirror, workflow_id)  # before the log, so that a live run's has all that they have
    with damage_of(folder):
        present = present_generation(folder)
        needed = {generation.number for generation, _ in lineage(folder, present.number).parts}
        needed |= {generation for generation in seen if generation > present.number}
        for generation in sorted(needed.union(folder.generations())):
            try:
                log = Generation(folder, generation)
                found = log.verified(witness_seq=seen.get(generation, 0), decodes=not is_cleaned)
            except DamagedState as problem:
                if generation in needed:
                    raise
                found = Verified(folder.events(generation).name, damage=problem.message)
            if generation == present.number and not found.events:
                raise present.nothing()
            yield found


def lost_end(project: Project, mirror: Mirror | None, workflow_id: str) -> DamagedState | None:
    """Return what to say where a copy of the checkpoint has seen more of a log than there is; no event is decoded."""
    folder = project.run(workflow_id)
    seen = _seen(project, mirror, workflow_id)  # before the log, so that a live run's has all that they have
    present = present_generation(folder)
    with damage_of(folder):
        end = present.read().verify().end.seq
    for generation, seq in seen.items():
        if generation > present.number or (generation == present.number and seq > end):
            return DamagedState(
                f"{folder.events(generation)} lost its end: a checkpoint has seen event {seq} of it",
                workflow_id=workflow_id,
            )
    return None


@contextmanager
def lost_where_missed(project: Project, mirror: Mirror | None, workflow_id: str) -> Iterator[None]:
    """Say of a moment of a run that is not found that the log lost its end, where it did.

    Raises:
        DamagedState: there is no such moment in a log that was longer.
    """
    try:
        yield
    except (UsageProblem, RunNotFound):
        if short := lost_end(project, mirror, workflow_id):
            raise short from None
        raise


def _seen(project: Project, mirror: Mirror | None, workflow_id: str) -> dict[int, int]:
    """Return the last event that a copy of the checkpoint has seen, by its generation."""
    seen = dict[int, int]()
    for path in checkpoints_of(project, mirror, workflow_id):
        if checkpoint := read_own_checkpoint(path, workflow_id).checkpoint:
            seen[checkpoint.generation] = max(checkpoint.last_seq, seen.get(checkpoint.generation, 0))
    return seen


def _of_log(folder: RunFolder) -> tuple[Finding, set[str]]:
    """Check every line of every generation and that each can be read; return the stored values that they name too."""
    generations, named, count = folder.generations(), set[str](), 0
    if not generations:
        return Finding("log", True, f"{folder.path} has none"), named
    try:
        for generation in generations:
            for digests in Generation(folder, generation).values_named():
                count += 1
                named.update(digests)
    except ProdigyError as problem:
        return Finding("log", True, problem.message), named
    several = f" in {counted(len(generations), 'generation')}" if len(generations) > 1 else ""
    return Finding("log", False, f"{counted(count, 'event')}{several}, every one as it was written"), named


def _of_values(folder: RunFolder, named: set[str]) -> Finding:
    """Compare every value that the log names with its name."""
    values, wrong = Values(folder.values), list[str]()
    for digest in sorted(named):
        try:
            values.get(digest)
        except DamagedState as problem:
            wrong.append(problem.message)
    if wrong:
        more = f"; and {len(wrong) - NAMED_MAX} more" if len(wrong) > NAMED_MAX else ""
        return Finding("values", True, "; ".join(wrong[:NAMED_MAX]) + more)
    says = f"{len(named)} named by the log, every one as it was written" if named else "none named by the log"
    return Finding("values", False, says)


def _of_read(
    thing: str, path: Path, read: CheckpointRead, folder: RunFolder, values: Values, *, is_live: bool
) -> Finding:
    """Say what there is to say of a copy of the checkpoint as it was read."""
    if read.checkpoint is not None:
        return _of_copy(thing, path, read.checkpoint, folder, values)
    says = read.problem or f"{path} is missing" + (", as long as the run has not come far" if is_live else "")
    return Finding(thing, bool(read.problem) or not is_live, says)


def _of_copy(thing: str, path: Path, checkpoint: Checkpoint, folder: RunFolder, values: Values) -> Finding:
    """Compare a checkpoint with what the log folds to at its place."""
    state, chain, last = None, None, 0
    try:
        for moment, _, after in lineage(folder, checkpoint.generation).steps():
            last = moment.seq
            if (moment.generation, last) == (checkpoint.generation, checkpoint.last_seq):
                state, chain = after, moment.chain
    except ProdigyError as problem:
        return Finding(thing, True, f"{path} cannot be compared: {problem.message}")
    seen = f"event {checkpoint.last_seq}"
    if state is None:
        return Finding(thing, True, f"{path} has seen {seen}, and the log ends at event {last}: it lost something")
    agreed = agreement(checkpoint, values, chain=chain, folded=state)
    if agreed.is_foreign:
        return Finding(thing, True, f"{path} is of another history than {seen} of the log")
    if wrong := agreed.problem or ", ".join(agreed.differing):
        return Finding(thing, True, f"{path} is not what the log folds to: {wrong}")
    behind = last - checkpoint.last_seq
    late = f"; the log has {behind} more, which resume reads from it" if behind else ""
    return Finding(thing, False, f"event {checkpoint.last_seq}, v{checkpoint.version}: what the log folds to{late}")
