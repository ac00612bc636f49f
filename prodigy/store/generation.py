"""Read one generation of a run's log: its records and events, its marks, and whether it is as it was written.

All reading of logs goes through this module. Apart from the journal, which writes them, nothing else knows what a line
looks like. Reading streams: it holds one chunk, and one turn or `LINES_TOGETHER` lines.
"""

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import Any, NamedTuple

import msgspec

from prodigy.errors import DamagedState, RunNotFound
from prodigy.kernel.events import Event, GenerationStarted
from prodigy.store.journal import Journal, decode_lines, stored_in
from prodigy.store.layout import RunFolder
from prodigy.store.log import (
    START,
    Log,
    Position,
    Scan,
    TornTail,
    chain_of,
    ending,
    ends_turn,
    head_of,
    last_line,
    read_chunks,
    type_mark,
)
from prodigy.store.values import DIGEST_CHARS, LostValue, Values, digests_in

FIRST_LINE_BYTES_MAX = 128 * 1024
LINES_TOGETHER = 256  # decoded at once, which is faster
SEQ_MAX = 2**62

_RECORD = msgspec.json.Decoder(dict[str, Any])
_MARKED = "checkpoint_marked"


class LoggedEvent(NamedTuple):
    """One event of a history: its place and chain, in which generation's file it stands, when it happened.

    `ends_turn`: it was the last of those that were decided together.
    """

    generation: int
    seq: int
    chain: str
    time: str
    event: Event
    ends_turn: bool


class Verified(NamedTuple):
    """What was found of one generation's log: how many events, and what a crash has left behind them.

    `damage` says what is wrong with a generation that the run no longer builds on.
    """

    name: str
    events: int = 0
    torn: TornTail | None = None
    damage: str = ""


class Reading(Scan):
    """One checked pass over a generation's log. When it is over, `end` is its last event and `torn` what follows.

    What is wrong is raised as `DamagedState`, after what stands before it was yielded.
    """

    def __init__(self, generation: "Generation", *, witness_seq: int, after: int) -> None:
        chunks, self.name = read_chunks(generation.path), str(generation.path)
        super().__init__(chunks, generation.start, witness_seq=witness_seq, name=self.name)
        self.chain_there: str | None = None
        self._after = after
        self._path = generation.path
        self._values = Values(generation.folder.values)

    @property
    def count(self) -> int:
        """How many events it has passed, those up to `after` among them."""
        return self.end.seq - self._start.seq

    def events(self) -> Iterator[Iterable[tuple[str, Event]]]:
        """Yield (time, event) of what comes after event `after`, many together.

        From the first of them on, `chain_there` is the chain of event `after`, None where no turn ends with it.
        """
        for first, lines in self.together():
            yield decode_lines(first, lines, self._values, name=self.name)

    def together(self) -> Iterator[tuple[int, list[bytes]]]:
        """Yield (first seq, lines) of what comes after event `after`, whole turns, and many of them together."""
        first, many, damage = 0, list[bytes](), None
        try:
            for seq, lines in self.turns():
                if seq <= self._after:
                    if seq + len(lines) - 1 == self._after:
                        self.chain_there = chain_of(lines[-1])
                    continue
                if not many:
                    first = seq
                many += lines
                if len(many) >= LINES_TOGETHER:
                    yield first, many
                    many = []
        except DamagedState as found:
            damage = found
        if many:
            yield first, many
        if damage is not None:
            raise damage

    def reopened(self) -> tuple[Journal, TornTail | None]:
        """Open the log for appending when all of it was read; a torn tail is cut, kept beside it and returned.

        Raises:
            StorageFailure: the disk refused to mend it.
        """
        log, torn = Log.open_checked(self._path, self)
        return Journal(log, self._values), torn


class Generation:
    """The log of one generation of a run. Nothing is read before it is asked for.

    What it yields is checked; an unfinished last turn is skipped. `DamagedState` is raised only when the damage is
    reached. It carries the run's id, so that the message can list the ways out.
    """

    def __init__(self, folder: RunFolder, number: int) -> None:
        self.folder = folder
        self.number = number
        self.path = folder.events(number)

    @cached_property
    def begun(self) -> GenerationStarted | None:
        """The record that a log after the first begins with, unchecked; None where it cannot be read."""
        if self.number == 1:
            return None
        head = next(read_chunks(self.path), b"")[:FIRST_LINE_BYTES_MAX].partition(b"\n")[0]
        try:
            return msgspec.json.decode(head, type=GenerationStarted)
        except msgspec.DecodeError:
            return None

    @cached_property
    def start(self) -> Position:
        """What the log continues from: seq and chain; what cannot be read is left to the check."""
        return START if self.begun is None else Position(self.begun.from_seq, self.begun.from_chain)

    def read(self, *, witness_seq: int = 0, after: int = 0) -> Reading:
        """Return a pass over the log.

        Args:
            witness_seq: the last event that a checkpoint has seen; a log that ends before it is damaged.
            after: what comes up to this event is checked, but not yielded.
        """
        return Reading(self, witness_seq=witness_seq, after=after)

    def is_empty(self) -> bool:
        """Whether the log has no turn, and no damage that it could be hidden by."""
        try:
            return next(self.read().turns(), None) is None
        except DamagedState:
            return False

    def nothing(self) -> DamagedState:
        """Return what there is to say of a log without a turn."""
        return DamagedState(
            f"{self.path} is empty: nothing was started yet, or it lost all", workflow_id=self.folder.path.name
        )

    def logged_events(self, last_seq: int = SEQ_MAX) -> Iterator[LoggedEvent]:
        """Yield the events up to `last_seq`, oldest first."""
        reading = self.read()
        with damage_of(self.folder):
            for first, lines in reading.together():
                decoded = decode_lines(first, lines, Values(self.folder.values), name=reading.name)
                for seq, (line, (time, event)) in enumerate(zip(lines, decoded, strict=True), start=first):
                    if seq > last_seq:
                        return
                    yield LoggedEvent(self.number, seq, chain_of(line), time, event, ends_turn(line))

    def records(self, types: Collection[str] = (), last_seq: int = SEQ_MAX) -> Iterator[dict[str, Any]]:
        """Yield the records up to `last_seq` as they are logged, values that are kept in files left there.

        Args:
            types: the records that may be of these types; others of theirs are not even decoded. All without.
        """
        for line in self.lines(last_seq, types):
            yield _RECORD.decode(line)

    def lines(self, last_seq: int = SEQ_MAX, types: Collection[str] = ()) -> Iterator[bytes]:
        """Yield the lines of `records`, without their newlines."""
        marks = [type_mark(name) for name in types]
        with damage_of(self.folder):
            for first, lines in self.read().turns():
                if first > last_seq:
                    return
                for line in lines[: last_seq - first + 1]:
                    if not marks or any(mark in line for mark in marks):
                        yield line

    def versions(self, last_seq: int = SEQ_MAX) -> Iterator[tuple[int, int]]:
        """Yield (seq, version) of the checkpoint marks; nothing else is decoded."""
        for record in self.records((_MARKED,), last_seq):
            if record["type"] == _MARKED:
                yield record["seq"], record["version"]

    def versions_used(self) -> Iterator[int]:
        """Yield the versions that the log marks as far as it can be read, damage or not: none is used again."""
        mark, rest = type_mark(_MARKED), b""
        with suppress(DamagedState, msgspec.DecodeError):
            for chunk in read_chunks(self.path):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    if mark in line and line.endswith(b"}"):
                        yield _RECORD.decode(line).get("version", 0)

    def verified(self, *, witness_seq: int = 0, decodes: bool = True) -> Verified:
        """Check every line, and what it says with the values that it names unless not `decodes`.

        Raises:
            DamagedState: the log is altered, gone, or ends before event `witness_seq`.
        """
        reading = self.read(witness_seq=witness_seq)
        if decodes:
            for together in reading.events():
                for _ in together:
                    pass
        else:
            reading.verify()
        return Verified(self.path.name, reading.count, reading.torn)

    def values_named(self) -> Iterator[list[str]]:
        """Check every line, and yield the digests of the stored values that it names.

        What a line says is read as well where it names none: whether the values are there is another question.
        """
        reading = self.read()
        with damage_of(self.folder):
            for first, lines in reading.turns():
                for seq, line in enumerate(lines, start=first):
                    if not (named := _values_in(line)):
                        list(decode_lines(seq, [line], Values(self.folder.values), name=reading.name))
                    yield named

    def digests(self) -> set[str]:
        """Return everything in the log that looks like a digest, damage or not."""
        found, rest = set[str](), b""
        with suppress(DamagedState):
            for chunk in read_chunks(self.path):
                found |= digests_in(rest + chunk)
                rest = (rest + chunk)[-DIGEST_CHARS + 1 :]
        return found

    @staticmethod
    def ends_turn(line: bytes) -> bool:
        """Whether a line is the last of its turn: until it is there, the others may still be cut."""
        return ends_turn(line)

    def ends_with(self, chain: str) -> bool:
        """Whether the log ends with a turn that has this chain; what comes before is not looked at."""
        return self._last_line.endswith(ending(chain))

    @cached_property
    def _last_line(self) -> bytes:
        return last_line(self.path)

    def cleaned_at(self) -> str | None:
        """Return when the run was cleaned, by the last line; None where it was not."""
        time, kind = head_of(self._last_line)
        return time if kind == "run_cleaned" else None


@contextmanager
def damage_of(folder: RunFolder) -> Iterator[None]:
    """Give damage that is met here the id of its run, where it does not say what to do: there are ways out of it.

    Raises:
        RunNotFound: a value is gone because the run was cleaned.
    """
    try:
        yield
    except DamagedState as problem:
        if isinstance(problem, LostValue) and (time := cleaned_at(folder)):
            raise was_cleaned(folder.path.name, time) from problem
        if problem.hint is None:
            problem.workflow_id = folder.path.name
        raise


def was_cleaned(workflow_id: str, time: str) -> RunNotFound:
    """Return the refusal for a command that needs more of a run than its log, which is all that is left."""
    return RunNotFound(
        f"{workflow_id} was cleaned at {time}: only its log is left",
        hint=f"Read that: `prodigy events ls --job-id {workflow_id}`.\n"
        f"  Remove it too: `prodigy checkpoints clean --workflow-id {workflow_id} --purge`.",
    )


def newest_generation(folder: RunFolder) -> Generation | None:
    """Return the generation that was begun last, which may be empty; None where there is no log."""
    generations = folder.generations()
    return Generation(folder, generations[-1]) if generations else None


def cleaned_at(folder: RunFolder) -> str | None:
    """Return when a run was cleaned, UTC, ISO 8601; None where it was not, or has no log."""
    newest = newest_generation(folder)
    return newest.cleaned_at() if newest else None


def _values_in(line: bytes) -> list[str]:
    try:
        return stored_in(line)
    except msgspec.DecodeError:
        return []  # decoding it as an event says why
