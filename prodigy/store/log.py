"""Append turns to a run's event log, and check and read them back.

A turn is durable as a whole or not at all: its last record carries `commit`. A record is one line,

    {"seq":7,"time":"2026-01-31T09:00:00.000000Z","type":"…",…,"commit":true,"chain":"<16 hex>"}

and `chain` hashes the previous chain and the line before that key, so a lost, doubled, swapped or
altered line shows at once, without decoding any JSON. Bodies arrive encoded: the log knows no events.

What a crash leaves behind is at most one unfinished turn at the end: it is cut, kept beside the log and
reported. A turn is one write, so what is left of it is a beginning of it, in which the disk may have lost whole blocks:
where anything of a record still stands behind the bad place, zeros of a block must stand between. Anything else is
damage and refused. Only the run's owner opens a `Log`; readers use `Scan`.
"""

import errno
import itertools
import os
import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple, Self

from prodigy.errors import DamagedState, StorageFailure
from prodigy.plan.phrases import counted
from prodigy.store.files import (
    CHUNK_BYTES,
    open_private,
    opened,
    refused,
    sync,
    sync_data,
    sync_folder,
    write_all,
    write_atomically,
)

EVENT_BYTES_MAX = 64 * 1024
LINE_BYTES_MAX = EVENT_BYTES_MAX + 1024  # the event, and room for seq, time, commit and chain

LAST_BYTES = 4096  # a commit and the event that says a run was cleaned are shorter

REWRITTEN_BYTES_MAX = 1 << 20  # how much of the end of a log is written again when it is opened

BLOCK_BYTES = 512  # what a disk writes whole or not at all; larger blocks are multiples of it

_HASH = blake2b(digest_size=8)
_COMMIT = b',"commit":true'
_CHAIN = b',"chain":"'
_TAIL_BYTES = len(_CHAIN) + 16 + len('"}')
_MARK = _COMMIT + _CHAIN
_STAMP = re.compile(rb'\{"seq":\d{1,18},"time":"([^"]*)","type":"([^"]*)",')
_SEQ = re.compile(rb'\{"seq":(\d{1,18}),')
_HEAD = b'{"seq":'
_LINE_START = re.compile(rb'\n\{"seq":\d{1,18},"time":"')
_TEXT = re.compile(rb'(?:\{"seq":[^\x00-\x1f]*)?(?:\n(?:\{"seq":[^\x00-\x1f]*)?)*')  # lines, the last one cut anywhere
_TURN_END_BYTES = len(_MARK) + 16 + len('"}\n')
_WINDOW_BYTES = _TURN_END_BYTES + len('{"seq":')


class Position(NamedTuple):
    """A place between two turns: the last record's seq and chain."""

    seq: int
    chain: str


class Record(NamedTuple):
    """One line of a committed turn, whole, without its newline."""

    seq: int
    time: str
    line: bytes


class TornTail(NamedTuple):
    """An unfinished turn at the end of a log: where it starts, how long it is, where its bytes are kept."""

    offset: int
    size_bytes: int
    kept: Path | None = None


START = Position(0, "0" * 16)


def frame(position: Position, turn: Sequence[tuple[str, bytes]]) -> tuple[bytes, Position]:
    """Return the lines of one turn and the position after it. The last line carries `commit`.

    Args:
        position: where the log ends now.
        turn: (time, body) of each event; the body is a JSON object with at least one field.
    """
    assert turn, "a turn has at least one event"
    seq, chain = position.seq, position.chain.encode()
    data, last = b"", position.seq + len(turn)
    for time, body in turn:
        assert body[:2] == b'{"' and body[-1:] == b"}" and b"\n" not in body, "a body is a one-line object"
        assert len(body) <= EVENT_BYTES_MAX, f"an event of {counted(len(body), 'byte')}; stow its fields first"
        seq += 1
        line = b'{"seq":%d,"time":"%b",%b%b' % (seq, time.encode(), body[1:-1], _COMMIT if seq == last else b"")
        chain = _digest(chain + line)
        data += b'%b%b%b"}\n' % (line, _CHAIN, chain)
    return data, Position(seq, chain.decode())


def _digest(data: bytes) -> bytes:
    """Return the chain of a line; to copy a hash costs a third less than to make one from its parameters."""
    copied = _HASH.copy()
    copied.update(data)
    return copied.hexdigest().encode()


class Scan:
    """A checked pass over a log's bytes, once: iterate for records, or `verify` without making any.

    Only whole committed turns come out. When the pass is over, `end` and `end_offset` tell where the
    last of them ends, and `torn` what follows it. Memory: one chunk and one turn.

    Args:
        start: the position that the first line continues from.
        witness_seq: the last seq that a checkpoint has seen; a log that ends before it is damaged.
        name: what messages call the log; its path.

    Raises, while iterating:
        DamagedState: a bad line that no crash explains, or a log shorter than `witness_seq`.
    """

    def __init__(
        self, data: Iterable[bytes], start: Position = START, *, witness_seq: int = 0, name: str = "the log"
    ) -> None:
        self._data = iter(data)
        self._start = start
        self._witness_seq = witness_seq
        self._name = name
        self.end = start
        self.end_offset = 0
        self.torn: TornTail | None = None

    def __iter__(self) -> Iterator[Record]:
        for first, lines in self.turns():
            yield from records(first, lines)

    def verify(self) -> Self:
        """Check every line to the end and return self."""
        for _ in self.turns():
            pass
        return self

    def turns(self) -> Iterator[tuple[int, list[bytes]]]:
        """Yield (first seq, lines) of each committed turn. The loop is tight: a million lines pass it."""
        chain, seq = self._start.chain.encode(), self._start.seq
        offset, rest, turn = 0, b"", list[bytes]()
        new_hash = _HASH.copy
        for chunk in self._data:
            lines = (rest + chunk).split(b"\n")
            rest = lines.pop()
            for index, line in enumerate(lines):
                head = line[:-_TAIL_BYTES]
                hash_ = new_hash()
                hash_.update(chain + head)
                digest = hash_.hexdigest().encode()
                seq += 1
                is_framed = line.endswith(_CHAIN + digest + b'"}') and line.startswith(b'{"seq":%d,"time":"' % seq)
                if not is_framed or len(line) > LINE_BYTES_MAX:
                    return self._finish(offset, seq, b"\n".join([*lines[index:], rest]))
                chain = digest
                offset += len(line) + 1
                turn.append(line)
                if head.endswith(_COMMIT):
                    self.end, self.end_offset = Position(seq, chain.decode()), offset
                    yield seq - len(turn) + 1, turn
                    turn = []
            if len(rest) > LINE_BYTES_MAX:
                break
        digest = _digest(chain + rest[: -_TAIL_BYTES - 1])
        if rest[:-1].endswith(_CHAIN + digest + b'"}'):  # all but its newline is as it was written
            raise self._altered(offset, seq + 1)
        return self._finish(offset, seq + 1, rest)

    def _finish(self, offset: int, seq: int, rest: bytes) -> None:
        """Judge what follows the last good line: nothing, a torn tail, or damage."""
        found = _SEQ.match(rest)
        is_other = found is not None and int(found[1]) != seq  # lost, doubled or swapped: no crash does that
        tail = _survey(rest, self._data, offset, turn=self.end_offset)
        if is_other or not tail.may_be_torn:
            raise self._altered(offset, seq)
        if self.end.seq < self._witness_seq:
            raise self._damaged(
                f"line {seq - self._start.seq} (offset {offset}) should be event {seq}, but the log ends "
                f"at event {self.end.seq} and a checkpoint has seen event {self._witness_seq}"
            )
        end = offset + tail.size
        self.torn = TornTail(self.end_offset, end - self.end_offset) if end > self.end_offset else None

    def _altered(self, offset: int, seq: int) -> DamagedState:
        return self._damaged(f"line {seq - self._start.seq} (offset {offset}) is not what was written")

    def _damaged(self, what: str) -> DamagedState:
        return DamagedState(f"{self._name}: {what}; nothing was run")


def chain_of(line: bytes) -> str:
    """Return the chain that a checked line carries."""
    return line[-18:-2].decode()


def ends_turn(line: bytes) -> bool:
    """Whether a checked line is the last of its turn."""
    return line.endswith(_COMMIT, 0, -_TAIL_BYTES)


def ending(chain: str) -> bytes:
    """Return what the last line of a turn with this chain ends with."""
    return _MARK + chain.encode() + b'"}'


def head_of(line: bytes) -> tuple[str, str]:
    """Return the time and the type that a line begins with, checked or not; nothing where it does not."""
    found = _STAMP.match(line)
    return (found[1].decode(), found[2].decode()) if found else ("", "")


def type_mark(name: str) -> bytes:
    """Return what stands in every record of this type, and may stand in others."""
    return b'"type":"%b"' % name.encode()


def records(first: int, lines: list[bytes]) -> Iterator[Record]:
    """Yield the records of one turn; `first` is the seq of its first line."""
    for seq, line in enumerate(lines, start=first):
        time = line.index(b'"time":"') + 8
        yield Record(seq, line[time : line.index(b'"', time)].decode(), line)


@cache
def _turn_end() -> re.Pattern[bytes]:
    """Return what ends a turn; it is looked for in damaged and torn logs alone.

    One wrong byte does not hide it: a flipped bit must not make two turns look like one. Nor can an event's fields
    forge it, not even a captured log: in JSON no newline is bare, and `,` parts objects.
    """
    return re.compile(
        b"|".join(
            [re.escape(_MARK[:i]) + b"." + re.escape(_MARK[i + 1 :]) + rb'.{16}"\}\n' for i in range(len(_MARK))]
            + [re.escape(_MARK) + rb'.{16}(?:.\}|".)\n', re.escape(_MARK) + rb'.{16}"\}[^,](?=\{"seq":)']
        ),
        re.S,
    )


class _Tail(NamedTuple):
    """What stands behind the last good line; places are offsets in the log, `size` counts bytes.

    `turn_ends` counts how many turns end in it (2: or more), the last of them at `last_end`. `kept` is where the first
    thing stands that can only be of a record, the start of a line or the end of a turn. The last zeros before that, or
    so far, end at `zeros_end`; `is_block` if a disk may have lost just them. `is_broken`: zeros begin where none does.
    """

    start: int
    size: int = 0
    turn_ends: int = 0
    last_end: int = 0
    kept: int | None = None
    zeros_end: int = 0
    is_block: bool = False
    is_broken: bool = False

    @property
    def may_be_torn(self) -> bool:
        """Whether a write that was broken off can have left this."""
        is_one_turn = self.turn_ends == 0 or (self.turn_ends == 1 and self.last_end == self.start + self.size)
        return is_one_turn and (self.kept is None or self.is_block) and not self.is_broken


def _survey(rest: bytes, more: Iterator[bytes], start: int, *, turn: int) -> _Tail:
    """Return what there is to say of the tail that begins at `start` with `rest`; its turn begins at `turn`."""
    tail = _Tail(start, is_broken=_breaks(rest, start, turn))
    seen = b""  # so that what lies across two chunks is seen
    for chunk in itertools.chain([rest], more):
        window, base = seen + chunk, start + tail.size - len(seen)
        is_kept = tail.kept is not None
        tail = _with_marks(tail, window, base)
        if not is_kept:
            tail = _with_zeros(tail, window, base, turn)
        tail = tail._replace(size=tail.size + len(chunk))
        seen = window[-max(_WINDOW_BYTES, BLOCK_BYTES) + 1 :]
        if tail.turn_ends > 1:
            break
    return tail


def _with_marks(tail: _Tail, window: bytes, base: int) -> _Tail:
    """Return the tail with the ends of turns, and the first place of a record, that a window shows."""
    turn_ends, last_end = tail.turn_ends, tail.last_end
    found = [] if tail.kept is None else [tail.kept]
    for mark in _turn_end().finditer(window):
        if base + mark.end() > last_end:
            turn_ends, last_end = turn_ends + 1, base + mark.end()
            found.append(base + mark.start())
    if line := _LINE_START.search(window):
        found.append(base + line.start())
    return tail._replace(turn_ends=turn_ends, last_end=last_end, kept=min(found, default=None))


def _with_zeros(tail: _Tail, window: bytes, base: int, turn: int) -> _Tail:
    """Return the tail with the last zeros that a window shows before what was kept.

    A disk loses whole blocks; of the block that a turn begins in, the part that is the turn's.
    """
    end = base + window.rfind(b"\0", 0, None if tail.kept is None else max(0, tail.kept - base)) + 1
    if end <= max(base, tail.zeros_end):
        return tail
    first = max(end - BLOCK_BYTES, turn)
    is_block = end % BLOCK_BYTES == 0 and first >= base and not any(window[first - base : end - base])
    return tail._replace(zeros_end=end, is_block=is_block)


def _breaks(rest: bytes, start: int, turn: int) -> bool:
    """Whether zeros follow on text in the middle of a block, where a line or its beginning was written whole."""
    zero = rest.find(b"\0")
    if zero < 0 or start + zero == turn or (start + zero) % BLOCK_BYTES == 0:
        return False
    is_line_begun = start != turn and _HEAD.startswith(rest[:zero])
    return is_line_begun or _TEXT.fullmatch(rest, 0, zero) is not None


def read_chunks(path: Path) -> Iterator[bytes]:
    """Yield a log's bytes in chunks of 1 MiB. A log that is missing or cannot be read is `DamagedState`."""
    descriptor = _open_log(path, os.O_RDONLY)
    try:
        while chunk := os.read(descriptor, CHUNK_BYTES):
            yield chunk
    except OSError as error:
        raise _unreadable(path, error) from error
    finally:
        os.close(descriptor)


def last_line(path: Path) -> bytes:
    """Return the last line of a log, of a long one the end; nothing where it cannot be read or is unfinished."""
    try:
        with opened(path, os.O_RDONLY) as descriptor:
            size = os.fstat(descriptor).st_size
            data = os.pread(descriptor, LAST_BYTES, max(0, size - LAST_BYTES))
    except (OSError, DamagedState):
        return b""
    return data[:-1].rpartition(b"\n")[2] if data.endswith(b"\n") else b""


class Log:
    """The log file of one generation, open for appending. Only the run's owner has one.

    The first write or sync that fails is the last: every later append is refused, because after a
    failed sync nobody knows what the disk holds. Opening the log anew finds out.
    """

    def __init__(self, path: Path, descriptor: int, position: Position) -> None:
        self.path = path
        self.position = position
        self._descriptor = descriptor
        self._failure: str | None = None
        self._is_settled = True  # whether all that was appended is durable

    @classmethod
    def create(cls, path: Path, start: Position = START) -> Self:
        """Create an empty log that continues from `start`; one that exists already is refused."""
        try:
            descriptor = open_private(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL)
            try:
                sync_folder(path.parent)
            except OSError:
                os.close(descriptor)
                raise
        except OSError as error:
            raise refused(path, error) from error
        return cls(path, descriptor, start)

    @classmethod
    def open_checked(cls, path: Path, checked: Scan) -> tuple[Self, TornTail | None]:
        """Open a log that `checked` has passed over to its end; a torn tail is cut, kept beside it and returned.

        Recovery can be killed and repeated: the tail is kept durably before it is cut. Memory: the torn tail.

        Raises:
            StorageFailure: the disk refused to mend it.
        """
        torn = checked.torn
        try:
            kept = _mend(path, end=checked.end_offset, torn=torn)
        except OSError as error:
            raise refused(path, error) from error
        descriptor = _open_log(path, os.O_RDWR | os.O_APPEND)
        return cls(path, descriptor, checked.end), torn and torn._replace(kept=kept)

    def append(self, turn: Sequence[tuple[str, bytes]], *, sync: bool) -> Position:
        """Write one turn, durable on return if `sync`, and return the position after it.

        Raises:
            StorageFailure: this or an earlier write failed; the log takes nothing any more.
        """
        if self._failure:
            raise StorageFailure(self._failure, hint="`prodigy resume` opens the log anew.")
        data, position = frame(self.position, turn)
        try:
            self.check()
            self._is_settled = False
            write_all(self._descriptor, data)
            if sync:
                sync_data(self._descriptor)
                self._is_settled = True
        except OSError as error:
            self._failure = refused(self.path, error).message
            raise refused(self.path, error) from error
        except BaseException:  # a KeyboardInterrupt may have left half a record
            self._failure = f"writing {self.path} was broken off"
            raise
        self.position = position
        return position

    def copy(self, lines: Iterable[bytes], position: Position) -> None:
        """Write checked lines of another log up to `position`, not durable yet.

        Raises:
            OSError: the disk refused.
        """
        self._is_settled = False
        for line in lines:
            write_all(self._descriptor, line + b"\n")
        self.position = position

    def check(self) -> None:
        """See that the file still has its name: what is written into one without is lost.

        Raises:
            FileNotFoundError: somebody removed it, or put another in its place.
        """
        if os.fstat(self._descriptor).st_nlink == 0:
            raise FileNotFoundError(errno.ENOENT, "it was removed while the run went on", str(self.path))

    def settle(self) -> None:
        """Make durable what was appended without `sync`; another thread than the one that appends may call it.

        Raises:
            StorageFailure: the sync failed; the log takes nothing any more.
        """
        if self._is_settled:
            return
        self._is_settled = True  # before the sync: what is appended meanwhile is settled by another
        try:
            sync_data(self._descriptor)
        except OSError as error:
            self._failure = refused(self.path, error).message
            raise refused(self.path, error) from error

    def close(self) -> None:
        """Close the file; nothing is synced and nothing can be appended any more."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor, self._failure = -1, f"{self.path} is closed"


def _open_log(path: Path, flags: int) -> int:
    try:
        return open_private(path, flags)
    except OSError as error:
        raise _unreadable(path, error) from error
    except DamagedState as strange:  # no log at all: the ways out are those of one that is gone
        raise DamagedState(strange.message, workflow_id=path.parent.name) from strange


def _unreadable(path: Path, error: OSError) -> DamagedState:
    is_forbidden = isinstance(error, PermissionError)
    return DamagedState(
        f"cannot read the log {path}: {error.strerror}",
        hint=f"Give yourself the right to: `chmod u+rw {shlex.quote(str(path))}`." if is_forbidden else None,
    )


def _mend(path: Path, *, end: int, torn: TornTail | None) -> Path | None:
    """Make the log whole and durable up to `end`; return where the torn bytes behind it are kept.

    The last bytes are written again, unchanged: after a failed sync they may be in memory only and yet count
    as clean, so that a mere sync would succeed and store nothing.
    """
    kept = None
    descriptor = _open_log(path, os.O_RDWR)  # no O_APPEND: with it Linux ignores the offset of a pwrite
    try:
        if torn:
            kept = _keep(path, descriptor, torn)
            os.ftruncate(descriptor, end)
        start = max(0, end - REWRITTEN_BYTES_MAX)
        _write_at(descriptor, start, os.pread(descriptor, end - start, start))
        sync(descriptor)
    finally:
        os.close(descriptor)
    return kept


def _write_at(descriptor: int, offset: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        written = os.pwrite(descriptor, rest, offset)
        rest, offset = rest[written:], offset + written


def _keep(path: Path, descriptor: int, torn: TornTail) -> Path:
    """Copy the torn bytes beside the log and return where; what an earlier recovery kept stays."""
    chunks, offset = list[bytes](), torn.offset
    while chunk := os.pread(descriptor, CHUNK_BYTES, offset):
        chunks.append(chunk)
        offset += len(chunk)
    data = b"".join(chunks)
    digest = blake2b(data, digest_size=4).hexdigest()  # a recovery that is repeated finds the same name
    kept = path.with_name(f"{path.name}.torn-{torn.offset}-{digest}")
    write_atomically(kept, data)
    return kept
