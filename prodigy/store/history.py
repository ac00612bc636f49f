"""Read a run back: the generations that its history is made of, and where it stands.

One pass checks every line's framing and chain; events are decoded and folded only after the checkpoint's last.
A checkpoint is used only if its chain equals the log's at that place. A log that is shorter than what a checkpoint has
seen has lost something.
"""

import os
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import NamedTuple, Protocol, Self

from msgspec.structs import replace

from prodigy.errors import DamagedState
from prodigy.kernel.evolve import evolve, fold
from prodigy.kernel.state import State
from prodigy.plan.phrases import counted
from prodigy.projections.checkpoint import Checkpoint
from prodigy.store.agreement import Agreement, agreement
from prodigy.store.checkpoints import CheckpointRead, read_own_checkpoint
from prodigy.store.generation import SEQ_MAX, Generation, LoggedEvent, Reading, damage_of
from prodigy.store.journal import Journal
from prodigy.store.layout import Mirror, Project, RunFolder
from prodigy.store.overview import read_header
from prodigy.store.values import Values


class Step(NamedTuple):
    """One event of a history, and the state before and after it."""

    moment: LoggedEvent
    before: State
    state: State


class Lineage(NamedTuple):
    """A history: the generations that it is made of, oldest first, each with the last event of it that counts."""

    parts: tuple[tuple[Generation, int], ...]

    @property
    def first_seq(self) -> int:
        """The number of its first event."""
        return self.parts[0][0].start.seq + 1

    @property
    def beginning(self) -> State:
        """The state that it begins with: an empty one, after what was lost before it."""
        oldest = self.parts[0][0]
        return State(seq=oldest.start.seq, folder=_real(oldest.folder))

    def logged_events(self) -> Iterator[LoggedEvent]:
        """Yield its events, oldest first.

        Raises:
            DamagedState: when the damage is reached, not before.
        """
        for generation, last_seq in self.parts:
            yield from generation.logged_events(last_seq)

    def steps(self) -> Iterator[Step]:
        """Yield its events with the states around them, oldest first; raises as `logged_events` does."""
        state = self.beginning
        for moment in self.logged_events():
            before, state = state, evolve(state, moment.event, moment.time)
            yield Step(moment, before, state)

    def lines(self) -> Iterator[bytes]:
        """Yield its lines as they are logged, without their newlines."""
        for generation, last_seq in self.parts:
            yield from generation.lines(last_seq)

    def versions(self) -> Iterator[tuple[int, int]]:
        """Yield (seq, version) of its checkpoint marks."""
        for generation, last_seq in self.parts:
            yield from generation.versions(last_seq)

    def until(self, seq: int) -> Self:
        """Return this history up to event `seq`."""
        kept = [(generation, min(last_seq, seq)) for generation, last_seq in self.parts]
        count = next((place for place, (_, last_seq) in enumerate(kept, start=1) if last_seq == seq), len(kept))
        return type(self)(tuple(kept[:count]))


class Witness(Protocol):
    """What has seen how far a log came: a checkpoint, or its mirror."""

    @property
    def generation(self) -> int: ...
    @property
    def last_seq(self) -> int: ...


class History(NamedTuple):
    """A run as its log tells it. `notes` say what was wrong with the checkpoint, if anything was.

    `is_current`: there is a checkpoint, and it holds just this state.
    """

    state: State
    generation: int
    checked: Reading
    notes: tuple[str, ...]
    is_current: bool


def lineage(folder: RunFolder, generation: int) -> Lineage:
    """Return the whole history of a generation, with what it continues from."""
    parts = [(Generation(folder, generation), SEQ_MAX)]
    while (first := parts[0][0].begun) and first.from_seq > 0 and not first.is_parent_lost:
        oldest = parts[0][0]
        if not 0 < first.parent < oldest.number:
            raise DamagedState(f"{oldest.path} does not say which log it continues", workflow_id=folder.path.name)
        parts.insert(0, (Generation(folder, first.parent), first.from_seq))
    return Lineage(tuple(parts))


def present_generation(folder: RunFolder) -> Generation:
    """Return the generation that goes on: the newest, unless whoever began it died before its first turn.

    Raises:
        DamagedState: there is no log.
    """
    generations = folder.generations()
    if not generations:
        raise DamagedState(f"{folder.path} has no log", workflow_id=folder.path.name)
    while len(generations) > 1 and Generation(folder, generations[-1]).is_empty():
        generations.pop()
    return Generation(folder, generations[-1])


def begun_generation(folder: RunFolder) -> Generation:
    """Return the generation that goes on, of which there is something to read.

    Raises:
        DamagedState: there is no log, or an empty one: what it had is lost, rather than not there yet.
    """
    present = present_generation(folder)
    if present.is_empty():
        raise present.nothing()
    return present


def read_history(folder: RunFolder, checkpoint: Checkpoint | None, mirrored: Witness | None = None) -> History:
    """Return where a run stands. Nothing is mended: an unfinished last turn is only passed over.

    Args:
        checkpoint: the run's own, from which only the end of the log is folded; it may be missing or foreign.
        mirrored: the mirror's copy, if there is one: it only bears witness of how far the log came.

    Raises:
        DamagedState: the log is missing or altered, lost its end, or a newer prodigy wrote it.
    """
    with damage_of(folder):
        generations = folder.generations()
        if not generations:
            raise DamagedState(f"{folder.path} has no log")
        witnesses = [witness for witness in (checkpoint, mirrored) if witness is not None]
        for witness in witnesses:
            if witness.generation > generations[-1]:
                raise _lost(folder, witness)
        history = _read_generation(folder, generations.pop(), checkpoint, witnesses)
        while generations and not history.checked.end_offset:  # whoever began it died before its first turn
            history = _read_generation(folder, generations.pop(), checkpoint, witnesses)
        return history


def read_run_history(project: Project, mirror: Mirror | None, workflow_id: str) -> tuple[History, CheckpointRead]:
    """Return where a run of the project stands, and its checkpoint as it was found.

    Raises:
        DamagedState: as for `read_history`.
    """
    found = read_own_checkpoint(project.checkpoint(workflow_id), workflow_id)
    mirrored = None if mirror is None else read_header(mirror.checkpoint(workflow_id), workflow_id)
    return read_history(project.run(workflow_id), found.checkpoint, mirrored), found


def open_journal(folder: RunFolder, history: History) -> tuple[Journal, tuple[str, ...]]:
    """Open the log that `history` was read from, for appending. Returns what had to be mended, in words.

    Raises:
        StorageFailure: the disk refused to mend it.
    """
    journal, torn = history.checked.reopened()
    notes: tuple[str, ...] = ()
    if torn:
        size, place = counted(torn.size_bytes, "byte"), f"offset {torn.offset} of {journal.path.name}"
        notes = (f"an unfinished turn of {size} at {place} was cut; it is kept in {torn.kept}",)
    return journal, notes


def _lost(folder: RunFolder, witness: Witness) -> DamagedState:
    return DamagedState(
        f"{folder.events(witness.generation)} is gone, and a checkpoint has seen event {witness.last_seq} of it; "
        "nothing was run"
    )


def _read_generation(
    folder: RunFolder, number: int, checkpoint: Checkpoint | None, witnesses: Sequence[Witness]
) -> History:
    seen_seq = max((witness.last_seq for witness in witnesses if witness.generation == number), default=0)
    if checkpoint is None or checkpoint.generation != number:
        return _from_beginning(folder, number, seen_seq)
    reading = Generation(folder, number).read(witness_seq=seen_seq, after=checkpoint.last_seq)
    state: State | None = None
    for together in chain(reading.events(), ((),)):  # the end too: nothing may come after the checkpoint
        if state is None:
            agreed = agreement(checkpoint, Values(folder.values), chain=reading.chain_there)
            if agreed.state is None:
                note = f"the checkpoint was rebuilt from the log: {_why(agreed, checkpoint)}"
                return _from_beginning(folder, number, seen_seq)._replace(notes=(note,))
            state = replace(agreed.state, folder=_real(folder))
        state = fold(state, together)
    assert state is not None, "the end is always met"
    return History(state, number, reading, (), is_current=state.seq == checkpoint.last_seq)


def _from_beginning(folder: RunFolder, number: int, seen_seq: int) -> History:
    """Fold what a generation continues from, and then all of it."""
    whole = lineage(folder, number)
    earlier = Lineage(whole.parts[:-1]).logged_events()
    state = fold(whole.beginning, ((moment.time, moment.event) for moment in earlier))
    reading = whole.parts[-1][0].read(witness_seq=seen_seq)
    for together in reading.events():
        state = fold(state, together)
    return History(state, number, reading, (), is_current=False)


def _real(folder: RunFolder) -> str:
    """Return where the run's files lie now; no event says it, and whoever tells of them does."""
    return os.path.realpath(folder.path)


def _why(agreed: Agreement, checkpoint: Checkpoint) -> str:
    if agreed.is_foreign:
        return f"it is of another history than event {checkpoint.last_seq} of the log"
    return f"what it names cannot be read ({agreed.problem})"
