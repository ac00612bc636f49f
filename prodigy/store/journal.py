"""Events to records and back: the codec between the kernel and the log.

Fields that are large become files named by digest and are synced before the event that names them; readers get
them back, so the kernel sees whole values, and of a captured one over `WHOLE_BYTES_MAX` where it is. An event of a
kind that this prodigy does not know was written by a newer one and is refused.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Any

import msgspec

from prodigy.errors import DamagedState
from prodigy.kernel.events import FORMAT, TYPES, Event, RunStarted, ValueCaptured
from prodigy.plan.spelling import as_number
from prodigy.plan.stored import WHOLE_BYTES_MAX, Stored
from prodigy.store.files import link, refused, sync_folder
from prodigy.store.large_values import damage_of_run, digest_of_value, json_of_value, put_together, taken_apart
from prodigy.store.layout import RunFolder
from prodigy.store.lock import check_owned
from prodigy.store.log import EVENT_BYTES_MAX, START, Log, Position, Record, records
from prodigy.store.values import Values

STORED_BYTES_MIN = 16 * 1024

_ENCODER = msgspec.json.Encoder(enc_hook=as_number)
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_STORED = msgspec.json.Decoder(dict[str, str])
_NOTHING = msgspec.Raw(b"{}")
_NAMES_STORED = b',"stored":{"'
_TIME = b'"time":"'
_STARTS_RUN = b'"type":"run_started"'


class _Kind(msgspec.Struct):
    type: str = ""


_KIND = msgspec.json.Decoder(_Kind)


class Journal:
    """A log that takes events. Only the run's owner has one."""

    def __init__(self, log: Log, values: Values) -> None:
        self._log = log
        self._values = values

    @staticmethod
    def create(folder: RunFolder) -> "Journal":
        """Create the first log of a new run.

        Raises:
            StorageFailure: the disk refused, or there is one.
        """
        return Journal(Log.create(folder.events(1)), Values(folder.values))

    @property
    def values(self) -> Values:
        """Where the large fields of its events are."""
        return self._values

    @property
    def position(self) -> Position:
        """Where the log ends now."""
        return self._log.position

    @property
    def path(self) -> Path:
        """The file that its events go to."""
        return self._log.path

    def check(self) -> None:
        """See that log and lock are still where they were, between two turns.

        Raises:
            StorageFailure: one of them was removed; nothing can be written any more.
        """
        check_owned()
        try:
            self._log.check()
        except OSError as error:
            raise refused(self._log.path, error) from error

    def append(self, turn: Sequence[tuple[str, Event]], *, sync: bool) -> Sequence[tuple[str, Event]]:
        """Write one turn of (time, event), durable on return if `sync`.

        Returns the turn as a reader gets it: another one only where a large value is left where it is kept now.

        Raises:
            StorageFailure: the disk refused the turn or one of its stored values, or the run is not ours any more.
        """
        check_owned()
        bodies = [encode(event, self._values) for _, event in turn]
        self._log.append([(time, body) for (time, _), body in zip(turn, bodies, strict=True)], sync=sync)
        light = [lightened(event, body, self._values) for (_, event), body in zip(turn, bodies, strict=True)]
        if all(event is now for (_, event), now in zip(turn, light, strict=True)):
            return turn
        return [(time, event) for (time, _), event in zip(turn, light, strict=True)]

    def settle(self) -> None:
        """Make durable what was appended without `sync`, from whatever thread.

        Raises:
            StorageFailure: the disk refused; the log takes nothing any more.
        """
        self._log.settle()

    def close(self) -> None:
        """Close the log."""
        self._log.close()


class NewJournal(Journal):
    """The journal of a new generation or run: its log gets its name with the first turn.

    Whoever is killed before that leaves the run as it was: a log that does not say what it continues is never met.
    """

    def __init__(self, folder: RunFolder, generation: int, *, seq: int = START.seq, chain: str = START.chain) -> None:
        """Create the log under a name that nobody reads yet; it continues from event `seq`, which has that chain.

        Raises:
            StorageFailure: the disk refused.
        """
        super().__init__(_unnamed(folder.events(generation), Position(seq, chain)), Values(folder.values))
        self._path = folder.events(generation)
        self._is_named = False

    def copy(self, lines: Iterable[bytes], source: Values, *, seq: int, chain: str) -> None:
        """Begin with the lines of another run up to event `seq`, which has that chain, and the values that they name.

        Raises:
            OSError: the disk refused.
        """
        self._log.copy(self._with_values(lines, source), Position(seq, chain))

    def _with_values(self, lines: Iterable[bytes], source: Values) -> Iterator[bytes]:
        for line in lines:
            for digest in stored_in(line):
                link(source.folder / digest, self.values.folder / digest)
            yield line

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


def _unnamed(path: Path, start: Position) -> Log:
    unnamed = path.with_name(f".{path.name}.new")
    try:
        unnamed.unlink(missing_ok=True)  # of one who was killed here
    except OSError as error:
        raise refused(unnamed, error) from error
    return Log.create(unnamed, start)


def encode(event: Event, values: Values) -> bytes:
    """Return the body of a record; `values` gets large fields, and what is `Stored`, first."""
    event, large = taken_apart(event)
    stored = {
        pointer: value.digest if values.has(value.digest) else values.put(json_of_value(value))
        for pointer, value in large.items()
    }
    body = _ENCODER.encode(event)
    return body if len(body) <= STORED_BYTES_MIN and not stored else _stow(body, values, stored)


def decode(record: Record, values: Values, *, name: str) -> Event:
    """Return the event of a record, its stored fields checked and put back. `name` is what messages call the log.

    Raises:
        DamagedState: a stored value is missing or altered, or a newer prodigy wrote the event.
    """
    try:
        if _NAMES_STORED in record.line:
            return lightened(_restore(record.line, values), record.line, values)
        return _known(_decoder().decode(record.line))
    except msgspec.DecodeError as error:
        raise _unreadable(record, name, error) from error


def decode_lines(first: int, lines: list[bytes], values: Values, *, name: str) -> Iterable[tuple[str, Event]]:
    """Return (time, event) of each of these checked lines; `first` is the seq of the first of them.

    Raises:
        DamagedState: as for `decode`.
    """
    data = b"\n".join(lines)
    if _NAMES_STORED not in data and _STARTS_RUN not in data:
        with suppress(msgspec.DecodeError):  # which is said better line by line
            return zip(map(_time_of, lines), _decoder().decode_lines(data), strict=True)
    return ((record.time, decode(record, values, name=name)) for record in records(first, lines))


@cache
def _decoder() -> msgspec.json.Decoder[Event]:
    """Made when the first event is read, for it takes 4 ms and a new run reads none."""
    return msgspec.json.Decoder(Event)


def _time_of(line: bytes) -> str:
    start = line.index(_TIME) + len(_TIME)
    return line[start : line.index(b'"', start)].decode()


def _stow(body: bytes, values: Values, stored: dict[str, str]) -> bytes:
    """Move the largest fields into files, beside those of `stored`, until none is large and the rest fits a record."""
    fields: dict[str, Any] = dict(_FIELDS.decode(body))
    stored = dict(stored)
    size = len(body)
    for name in sorted(fields, key=lambda name: -len(fields[name])):
        data = bytes(fields[name])
        if name == "type" or (len(data) <= STORED_BYTES_MIN and size <= EVENT_BYTES_MAX // 2):
            break
        stored[name] = values.put(data)
        del fields[name]
        size -= len(data)
    return _ENCODER.encode({**fields, "stored": stored})


def stored_in(line: bytes) -> list[str]:
    """Return the digests of the stored values that a checked line names."""
    if _NAMES_STORED not in line:
        return []
    stored = _FIELDS.decode(line).get("stored")
    return [] if stored is None else list(_STORED.decode(stored).values())


def _restore(line: bytes, values: Values) -> Event:
    fields: dict[str, Any] = dict(_FIELDS.decode(line))
    stored = _STORED.decode(fields.pop("stored", b"{}"))
    inner = {pointer: stored.pop(pointer) for pointer in list(stored) if pointer.startswith("/")}
    for name, digest in stored.items():
        fields[name] = msgspec.Raw(values.get(digest))
    return put_together(_known(_decoder().decode(_ENCODER.encode(fields))), inner, values)


def lightened(event: Event, line: bytes, values: Values) -> Event:
    """Return the event of a line without its captured value where that is large: it stays in its file."""
    if type(event) is not ValueCaptured or _NAMES_STORED not in line:
        return event
    digest = _STORED.decode(_FIELDS.decode(line).get("stored", _NOTHING)).get("value")
    if digest is None or values.size(digest) <= WHOLE_BYTES_MAX:
        return event
    if event.spellings:  # which stand beside it in the log, and in it in a checkpoint
        digest = digest_of_value(event.value)
    return msgspec.structs.replace(event, value=Stored(digest, partial(_captured, line, values.folder)), spellings={})


@lru_cache(maxsize=1)
def _captured(line: bytes, folder: Path) -> Any:
    """Return the value that a line captured: the last one is at hand, for it is often used more than once."""
    with damage_of_run(folder.parent.name):
        event = _restore(line, Values(folder))
    assert isinstance(event, ValueCaptured), "no other event has a value"
    return event.value


def _known(event: Event) -> Event:
    if type(event) is RunStarted and event.format > FORMAT:
        raise msgspec.ValidationError(f"format {event.format} is newer than {FORMAT}")
    return event


def _unreadable(record: Record, name: str, error: msgspec.DecodeError) -> DamagedState:
    kind = _KIND.decode(record.line).type
    if kind not in TYPES:
        return DamagedState(
            f"{name}: event {record.seq} is a {kind!r}, which this prodigy does not know; nothing was run",
            hint="A newer prodigy wrote this run. Upgrade, then resume.",
        )
    return DamagedState(
        f"{name}: event {record.seq} ({kind}) cannot be read: {error}; if a newer prodigy wrote it, upgrade; "
        "nothing was run"
    )
