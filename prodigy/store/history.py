"""Read a run back: check its log, fold it from the latest checkpoint or from its start, open it for appending.

One pass checks every line's framing and chain; events are decoded and folded only after the checkpoint's last.
A checkpoint is never believed further than the log bears it out: its chain must be the log's at that place, and a log
shorter than a checkpoint has seen has lost something.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple, Protocol

import msgspec

from prodigy.errors import DamagedState, ProdigyError
from prodigy.kernel.events import Event, GenerationStarted
from prodigy.kernel.evolve import evolve, fold
from prodigy.kernel.state import State
from prodigy.plan.words import counted
from prodigy.projections.checkpoint import Checkpoint
from prodigy.store.checkpoints import restored
from prodigy.store.files import refused, sync_folder
from prodigy.store.journal import Journal, decode, decode_lines
from prodigy.store.layout import RunFolder
from prodigy.store.log import START, Log, Position, Scan, chain_of, ends_turn, read_chunks, scan
from prodigy.store.standing import cleaned_at, was_cleaned
from prodigy.store.values import LostValue, Values

FIRST_LINE_BYTES_MAX = 128 * 1024
LINES_TOGETHER = 256
SEQ_MAX = 2**62


class Witness(Protocol):
    """What has seen how far a log came: a checkpoint, or its mirror."""

    @property
    def generation(self) -> int: ...
    @property
    def last_seq(self) -> int: ...


class History(NamedTuple):
    """A run as its log tells it. `notes` say what was wrong with the checkpoint, if anything was."""

    state: State
    generation: int
    checked: Scan
    notes: tuple[str, ...]


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


@contextmanager
def damage_of(folder: RunFolder) -> Iterator[None]:
    """Give damage that is met here the id of its run, where it does not say what to do: there are ways out of it.

    Raises:
        RunNotFound: a value is gone because the run was cleaned.
    """
    try:
        yield
    except DamagedState as problem:
        if isinstance(problem, LostValue) and (time := cleaned_at(folder, max(folder.generations(), default=1))):
            raise was_cleaned(folder.path.name, time) from problem
        if problem.hint is None:
            problem.workflow_id = folder.path.name
        raise


def present_generation(folder: RunFolder) -> int:
    """Return the generation that goes on: the newest, unless whoever began it died before its first turn.

    Raises:
        DamagedState: there is no log.
    """
    generations = folder.generations()
    if not generations:
        raise DamagedState(f"{folder.path} has no log", workflow_id=folder.path.name)
    while len(generations) > 1 and is_empty(folder, generations[-1]):
        generations.pop()
    return generations[-1]


def is_empty(folder: RunFolder, generation: int) -> bool:
    """Whether a generation's log has no turn, and no damage that it could be hidden by."""
    path = folder.events(generation)
    try:
        turns = scan(read_chunks(path), start_of(folder, generation), name=str(path)).turns()
        return next(turns, None) is None
    except DamagedState:
        return False


def nothing_in(folder: RunFolder, generation: int) -> DamagedState:
    """Return what there is to say of a log without a turn."""
    path = folder.events(generation)
    return DamagedState(f"{path} is empty: nothing was started yet, or it lost all", workflow_id=folder.path.name)


def _lost(folder: RunFolder, witness: Witness) -> DamagedState:
    return DamagedState(
        f"{folder.events(witness.generation)} is gone, and a checkpoint has seen event {witness.last_seq} of it; "
        "nothing was run"
    )


def _read_generation(
    folder: RunFolder, generation: int, checkpoint: Checkpoint | None, witnesses: Sequence[Witness]
) -> History:
    seen_seq = max((witness.last_seq for witness in witnesses if witness.generation == generation), default=0)
    if checkpoint is not None and checkpoint.generation == generation:
        try:
            return _read(folder, generation, checkpoint, seen_seq)
        except _Foreign as foreign:
            note = f"the checkpoint was rebuilt from the log: {foreign}"
            return _read(folder, generation, None, seen_seq)._replace(notes=(note,))
    return _read(folder, generation, None, seen_seq)


def open_journal(folder: RunFolder, history: History) -> tuple[Journal, tuple[str, ...]]:
    """Open the log that `history` was read from, for appending. Returns what had to be mended, in words.

    Raises:
        StorageFailure: the disk refused to mend it.
    """
    path = folder.events(history.generation)
    log, torn = Log.open_checked(path, history.checked)
    notes: tuple[str, ...] = ()
    if torn:
        notes = (
            f"an unfinished turn of {counted(torn.size_bytes, 'byte')} at offset {torn.offset} of {path.name} was cut; "
            f"it is kept in {torn.kept}",
        )
    return Journal(log, Values(folder.values)), notes


def events_of(folder: RunFolder, generation: int) -> Iterator[tuple[int, str, Event]]:
    """Yield (seq, time, event) of one generation's log, checked; an unfinished last turn is passed over."""
    path = folder.events(generation)
    values = Values(folder.values)
    with damage_of(folder):
        for record in scan(read_chunks(path), start_of(folder, generation), name=str(path)):
            yield record.seq, record.time, decode(record, values, name=str(path))


class NewJournal(Journal):
    """The journal of a new generation or run: its log gets its name with the first turn.

    Whoever is killed before that leaves the run as it was: a log that does not say what it continues is never met.
    """

    def __init__(self, folder: RunFolder, generation: int, log: Log) -> None:
        super().__init__(log, Values(folder.values))
        self._path = folder.events(generation)
        self._is_named = False

    def append(self, turn: Sequence[tuple[str, Event]], *, sync: bool) -> Sequence[tuple[str, Event]]:
        """Write one turn; the first is durable on return in any case.

        Raises:
            StorageFailure: the disk refused the turn, or the log's name.
        """
        written = super().append(turn, sync=sync or not self._is_named)
        if self._is_named:
            return written
        try:
            self._log.path.rename(self._path)
            sync_folder(self._path.parent)
        except OSError as error:
            raise refused(self._path, error) from error
        self._log.path = self._path
        self._is_named = True
        return written


def new_log(folder: RunFolder, generation: int, start: Position = START) -> Log:
    """Create the log of a new generation under a name that nobody reads yet; `NewJournal` gives it its own.

    Raises:
        StorageFailure: the disk refused.
    """
    path = folder.events(generation)
    unnamed = path.with_name(f".{path.name}.new")
    try:
        unnamed.unlink(missing_ok=True)  # of one who was killed here
    except OSError as error:
        raise refused(unnamed, error) from error
    return Log.create(unnamed, start)


class Moment(NamedTuple):
    """One event of a history: its place and chain, in which generation's file it stands, when it happened.

    `ends_turn`: it was the last of those that were decided together.
    """

    generation: int
    seq: int
    chain: str
    time: str
    event: Event
    ends_turn: bool


def moments(folder: RunFolder, parts: list[tuple[int, int]]) -> Iterator[Moment]:
    """Yield the events of a history, oldest first, checked; `parts` are what `lineage` returns.

    Raises:
        DamagedState: when the damage is reached, not before.
    """
    values = Values(folder.values)
    with damage_of(folder):
        for generation, last_seq in parts:
            path = folder.events(generation)
            for record in scan(read_chunks(path), start_of(folder, generation), name=str(path)):
                if record.seq > last_seq:
                    break
                event = decode(record, values, name=str(path))
                yield Moment(generation, record.seq, chain_of(record.line), record.time, event, ends_turn(record.line))


def beginning(folder: RunFolder, generation: int) -> State:
    """Return the state that a generation's whole history begins with: an empty one, after what was lost before it."""
    first = _first(folder, lineage(folder, generation)[0][0])
    return State(seq=first.from_seq) if first is not None and first.is_parent_lost else State()


def start_of(folder: RunFolder, generation: int) -> Position:
    """Return the position that a generation's log continues from; what cannot be read is left to the check."""
    first = _first(folder, generation)
    return START if first is None else Position(first.from_seq, first.from_chain)


def lineage(folder: RunFolder, generation: int) -> list[tuple[int, int]]:
    """Return (generation, last seq of it that counts) of the files that a history is made of, oldest first.

    The last seq of the present generation is `SEQ_MAX`: all of it counts.
    """
    parts = [(generation, SEQ_MAX)]
    while (first := _first(folder, parts[0][0])) and first.from_seq > 0 and not first.is_parent_lost:
        if not 0 < first.parent < parts[0][0]:
            raise DamagedState(
                f"{folder.events(parts[0][0])} does not say which log it continues", workflow_id=folder.path.name
            )
        parts.insert(0, (first.parent, first.from_seq))
    return parts


def _first(folder: RunFolder, generation: int) -> GenerationStarted | None:
    """Return the record that a log after the first begins with, unchecked."""
    if generation == 1:
        return None
    head = next(read_chunks(folder.events(generation)), b"")[:FIRST_LINE_BYTES_MAX].partition(b"\n")[0]
    try:
        return msgspec.json.decode(head, type=GenerationStarted)
    except msgspec.DecodeError:
        return None


class _Foreign(Exception):
    """A checkpoint that is not of this log."""


def _read(folder: RunFolder, generation: int, checkpoint: Checkpoint | None, seen_seq: int) -> History:
    path, name = folder.events(generation), str(folder.events(generation))
    values = Values(folder.values)
    state = _base(folder, generation) if checkpoint is None else _restored(checkpoint, values)
    start = start_of(folder, generation)
    folded_seq = 0 if checkpoint is None else checkpoint.last_seq
    checked = scan(read_chunks(path), start, witness_seq=seen_seq, name=name)
    for first, lines in _together(checked.turns(), folded_seq):
        if first <= folded_seq:
            _compare(checkpoint, first, lines)
        else:
            state = fold(state, decode_lines(first, lines, values, name=name))
    return History(state, generation, checked, ())


def _base(folder: RunFolder, generation: int) -> State:
    """Return the state that a generation's log begins with: what its parents came to."""
    state = beginning(folder, generation)
    for moment in moments(folder, lineage(folder, generation)[:-1]):
        state = evolve(state, moment.event, moment.time)
    return state


def _together(turns: Iterator[tuple[int, list[bytes]]], folded_seq: int) -> Iterator[tuple[int, list[bytes]]]:
    """Yield turns as they come up to the one with `folded_seq`, and many at once after it: that is decoded faster."""
    first, many = 0, list[bytes]()
    for seq, lines in turns:
        if seq <= folded_seq:
            yield seq, lines
            continue
        if not many:
            first = seq
        many += lines
        if len(many) >= LINES_TOGETHER:
            yield first, many
            many = []
    if many:
        yield first, many


def _compare(checkpoint: Checkpoint | None, first: int, lines: list[bytes]) -> None:
    """A checkpoint stands between two turns: its chain is that of a turn's last line."""
    assert checkpoint is not None
    last = first + len(lines) - 1
    if last < checkpoint.last_seq:
        return
    if last > checkpoint.last_seq or not lines[-1].endswith(b'"%b"}' % checkpoint.chain.encode()):
        raise _Foreign(f"it is of another history than event {checkpoint.last_seq} of the log")


def _restored(checkpoint: Checkpoint, values: Values) -> State:
    try:
        return restored(checkpoint, values)
    except (ProdigyError, msgspec.DecodeError) as error:
        raise _Foreign(f"what it names cannot be read ({error})") from error
