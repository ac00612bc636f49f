"""The log: turns are durable whole or not at all, a torn tail is cut and kept, other damage is refused."""

import errno
import itertools
import os
import random
import re
import shutil
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as some

from prodigy.errors import DamagedState, StorageFailure
from prodigy.store.log import (
    BLOCK_BYTES,
    EVENT_BYTES_MAX,
    LINE_BYTES_MAX,
    START,
    Log,
    Position,
    Record,
    Scan,
    TornTail,
    frame,
    read_chunks,
)

TIME = "2026-01-31T09:00:00.000000Z"
Turn = Sequence[tuple[str, bytes]]


def turn(*bodies: bytes) -> Turn:
    return [(TIME, body) for body in bodies]


def event(number: int) -> bytes:
    return b'{"type":"%d"}' % number


LARGE = b'{"type":"%b"}' % (b"x" * 1500)
TURNS = [turn(event(1)), turn(event(2), event(3)), turn(event(4)), turn(event(5), event(6))]


def framed(turns: Sequence[Turn], start: Position = START) -> tuple[bytes, list[tuple[int, Position]]]:
    """Return a log's bytes, and where each turn ends: its offset and position, the beginning first."""
    data, position = b"", start
    ends = [(0, start)]
    for each in turns:
        lines, position = frame(position, each)
        data += lines
        ends.append((len(data), position))
    return data, ends


LOG, ENDS = framed(TURNS)
LINES = LOG.splitlines(keepends=True)
LAST_TURN = ENDS[-2][0]
# Its last turns begin in the middle of a block and are longer than several.
LONG, _ = framed(
    [*TURNS, turn(*(b'{"type":"%b"}' % (b"%d" % number * 900) for number in range(3))), turn(LARGE, LARGE)]
)


def write_log(path: Path, data: bytes = LOG) -> Path:
    path.write_bytes(data)
    path.chmod(0o600)
    return path


def reopened(path: Path, *, witness_seq: int = 0) -> tuple[Log, TornTail | None]:
    """Check a log as a resume does, and open it for appending."""
    return Log.open_checked(path, Scan(read_chunks(path), witness_seq=witness_seq, name=str(path)).verify())


class Killed(BaseException):
    """The process is gone at this system call."""


def test_a_turn_is_lines_that_a_person_can_read() -> None:
    """The public form of a record: seq, time, the event's fields, commit on the last, and the chain."""
    lines = [b'{"seq":1,"time":"%b","type":"1","chain":"' % TIME.encode()]
    lines += [b'{"seq":2,"time":"%b","type":"2","commit":true,"chain":"' % TIME.encode()]
    data, position = frame(START, turn(event(1), event(2)))
    assert [line[:-19] for line in data.splitlines(keepends=True)] == lines
    assert data.endswith(b'"%b"}\n' % position.chain.encode())
    assert position.seq == 2


def test_records_come_back_as_they_were_written() -> None:
    """Every committed line, with its seq and time."""
    expected = [Record(seq, TIME, line[:-1]) for seq, line in enumerate(LINES, start=1)]
    assert list(Scan([LOG])) == expected


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, len(LOG)])
def test_the_size_of_chunks_does_not_matter(size: int) -> None:
    """A log reads the same however the disk hands it over."""
    chunks = [LOG[offset : offset + size] for offset in range(0, len(LOG), size)]
    checked = Scan(chunks)
    assert [record.seq for record in checked] == [1, 2, 3, 4, 5, 6]
    assert (checked.end, checked.end_offset, checked.torn) == (ENDS[-1][1], len(LOG), None)


def test_a_log_cut_at_any_byte_opens(tmp_path: Path) -> None:
    """What was committed survives, the rest is kept beside the log, and the log can be appended to."""
    for cut in range(len(LOG) + 1):
        folder = tmp_path / str(cut)
        folder.mkdir()
        path = write_log(folder / "events-1.jsonl", LOG[:cut])
        end, position = max(each for each in ENDS if each[0] <= cut)
        log, torn = reopened(path)
        log.close()
        assert (log.position, path.read_bytes()) == (position, LOG[:end])
        kept = [other for other in folder.iterdir() if other != path]
        assert torn == (TornTail(end, cut - end, kept[0]) if cut > end else None)
        assert [other.read_bytes() for other in kept] == ([LOG[end:cut]] if cut > end else [])


@pytest.mark.parametrize("chunk_size", [7, 50, len(LOG)])
def test_a_bit_flipped_before_the_last_turn_is_damage_and_its_line_is_named(chunk_size: int) -> None:
    """No single flipped bit of an acknowledged turn passes for a crash."""
    for offset, bit in itertools.product(range(LAST_TURN), range(8)):
        data = bytearray(LOG)
        data[offset] ^= 1 << bit
        chunks = [bytes(data[at : at + chunk_size]) for at in range(0, len(data), chunk_size)]
        number = LOG[:offset].count(b"\n") + 1
        with pytest.raises(DamagedState, match=rf"^the log: line {number} \(offset \d+\) is not what was written"):
            Scan(chunks).verify()


def outcome(data: bytes) -> int | str:
    """Return where the check finds the end of the last whole turn, or that it finds damage."""
    try:
        return Scan([data]).verify().end_offset
    except DamagedState:
        return "damage"


@pytest.mark.parametrize("log", [LOG, LONG], ids=["short lines", "lines longer than a block"])
def test_a_byte_altered_in_the_last_two_turns_is_damage(log: bytes) -> None:
    """Each of them, in every bit, and into what parts lines: a write that was broken off alters no byte."""
    first = framed_ends(log)[-3]
    found = set()
    for offset in (*range(first, len(log) - 100, 1 + len(log) // 1000), *range(len(log) - 100, len(log))):
        values = {log[offset] ^ 1 << bit for bit in range(8)} | set(b'\0\n,{}" ')
        for value in values - {log[offset]}:
            found.add(outcome(log[:offset] + bytes([value]) + log[offset + 1 :]))
    assert {"damage"} == found


def framed_ends(log: bytes) -> list[int]:
    """Return where each turn of a whole log ends, its beginning first."""
    marks = re.finditer(rb',"commit":true,"chain":".{16}"\}\n', log)
    return [0, *(mark.end() for mark in marks)]


def test_zeros_in_the_last_two_turns_are_torn_only_where_a_disk_loses_blocks() -> None:
    """They begin where a turn began or a block does, and end with a block or the log."""
    *_, last_but_one, last, end = framed_ends(LONG)
    places = {*range(last_but_one, end - 50, 151), end, last_but_one, last_but_one + 9, last - 1, last, last + 9}
    places |= {block + more for block in range(0, end, BLOCK_BYTES) for more in (-1, 0, 1)}
    torn, possible = set(), set()
    for start, after in itertools.combinations(sorted(place for place in places if last_but_one <= place <= end), 2):
        found = outcome(LONG[:start] + b"\0" * (after - start) + LONG[after:])
        assert found in ("damage", last, last_but_one)
        if found != "damage":
            torn.add((start, after))
        if (start in (last_but_one, last) or not start % BLOCK_BYTES) and (after == end or not after % BLOCK_BYTES):
            possible.add((start, after))
    only_the_turn_before = {(start, after) for start, after in possible if start < last and after <= last}
    assert torn == possible - only_the_turn_before


@pytest.mark.parametrize("width", [2, 16, 43, 60])
def test_two_turns_are_not_taken_for_one_whatever_hides_their_border(width: int) -> None:
    """Both were acknowledged; bytes of any kind in the place of the first one's commit mark are damage."""
    *_, last, _ = framed_ends(LOG)
    for start, filling in itertools.product(range(last - 60, last), (b"\0", b" ", b"x", b"\xff", b"\n")):
        assert outcome(LOG[:start] + filling * width + LOG[start + width :]) == "damage"


@pytest.mark.parametrize("chunk_size", [100, 511, 512, 513, len(LONG)])
@pytest.mark.parametrize("block", range(len(LONG) // BLOCK_BYTES))
def test_a_lost_block_of_the_last_turn_is_a_torn_tail(block: int, chunk_size: int) -> None:
    """The power may go when the end of a turn is on disk and its beginning, or its middle, is not yet."""
    *_, last, end = framed_ends(LONG)
    start, after = max(last, block * BLOCK_BYTES), (block + 1) * BLOCK_BYTES
    if after <= last:
        return
    data = LONG[:start] + b"\0" * (after - start) + LONG[after:]
    chunks = [data[at : at + chunk_size] for at in range(0, end, chunk_size)]
    assert Scan(chunks).verify().torn == TornTail(last, end - last)


def test_damage_before_a_torn_tail_is_damage() -> None:
    """A turn that another was begun behind was acknowledged; it is not cut with the torn one."""
    altered = bytearray(LOG[:-5])
    altered[LAST_TURN - 60] ^= 1
    with pytest.raises(DamagedState, match="line 4 "):
        Scan([bytes(altered)]).verify()


def without(index: int) -> list[bytes]:
    return LINES[:index] + LINES[index + 1 :]


def doubled(index: int) -> list[bytes]:
    return LINES[: index + 1] + LINES[index:]


def swapped(index: int) -> list[bytes]:
    return [*LINES[:index], LINES[index + 1], LINES[index], *LINES[index + 2 :]]


@pytest.mark.parametrize(
    ("lines", "number"),
    [(without(index), index + 1) for index in range(len(LINES) - 1)]
    + [(doubled(index), index + 2) for index in range(len(LINES))]
    + [(swapped(index), index + 1) for index in range(len(LINES) - 1)],
)
def test_a_line_lost_doubled_or_swapped_is_damage_and_named(lines: list[bytes], number: int) -> None:
    """No crash loses a line and keeps a later one, also at the very end."""
    with pytest.raises(DamagedState, match=rf"line {number} \("):
        Scan([b"".join(lines)]).verify()


@given(some.binary(max_size=200), some.integers(0, len(ENDS) - 1), some.integers(1, 300))
def test_garbage_behind_a_turn_adds_nothing(garbage: bytes, turns: int, chunk_size: int) -> None:
    """Whatever stands behind the committed turns is torn or damage, never a record."""
    assume(b'{"seq":' not in garbage)  # what looks like a record is another matter
    end, position = ENDS[turns]
    data = LOG[:end] + garbage
    checked = Scan([data[at : at + chunk_size] for at in range(0, len(data), chunk_size)])
    assert [record.seq for record in checked] == list(range(1, position.seq + 1))
    assert checked.torn == (TornTail(end, len(garbage)) if garbage else None)


def test_zeros_behind_a_turn_are_a_torn_tail() -> None:
    """Some file systems show zeros where data was not yet written when the power went."""
    checked = Scan([LOG, b"\0" * 3 * LINE_BYTES_MAX]).verify()
    assert checked.torn == TornTail(len(LOG), 3 * LINE_BYTES_MAX)


@pytest.mark.parametrize("form", [b'{"type":"x","value":[%b]}', b'{"type":"x","value":{"a":%b}}'])
def test_an_event_that_holds_a_log_is_not_taken_for_turns(form: bytes) -> None:
    """A workflow may capture Prodigy's own log; a crash while that is written stays a torn tail."""
    captured = form % b",".join(line.rstrip() for line in LINES) if b"[" in form else form % LINES[0].rstrip()
    lines, _ = frame(ENDS[-1][1], turn(captured, event(8)))
    ends = {Scan([LOG, lines[:cut]]).verify().end for cut in range(len(lines))}
    assert ends == {ENDS[-1][1]}


@pytest.mark.parametrize("cut", range(0, len(LOG), 10))
def test_a_log_shorter_than_a_checkpoint_has_seen_is_damage(tmp_path: Path, cut: int) -> None:
    """The witness tells a lost end from a torn one, and nothing is changed."""
    path = write_log(tmp_path / "events-1.jsonl", LOG[:cut])
    with pytest.raises(DamagedState, match="a checkpoint has seen event 6"):
        reopened(path, witness_seq=6)
    assert {path: LOG[:cut]} == {each: each.read_bytes() for each in tmp_path.iterdir()}


def test_a_log_as_long_as_a_checkpoint_has_seen_is_whole() -> None:
    """The witness of the last event is satisfied by it."""
    assert Scan([LOG], witness_seq=6).verify().end == ENDS[-1][1]


def test_a_generation_continues_seq_and_chain() -> None:
    """The first line of a new generation follows the place that it continues from, and no other."""
    data, ends = framed(TURNS, Position(41, "a" * 16))
    assert Scan([data], Position(41, "a" * 16)).verify().end == ends[-1][1]
    for other in (START, Position(41, "b" * 16), Position(40, "a" * 16)):
        with pytest.raises(DamagedState, match="line 1 "):
            Scan([data], other).verify()


def test_the_largest_event_passes_and_a_larger_one_is_our_mistake() -> None:
    """An event of 64 KiB fits into a line; more should have become a stored value."""
    largest = b'{"type":"%b"}' % (b"x" * (EVENT_BYTES_MAX - 11))
    data, position = frame(START, turn(largest))
    assert Scan([data]).verify().end == position
    with pytest.raises(AssertionError, match="stow its fields"):
        frame(START, turn(largest[:-2] + b'x"}'))


def test_a_log_is_appended_to_where_it_ended(tmp_path: Path) -> None:
    """Created, closed, opened and appended to, it is the log of all turns."""
    path = tmp_path / "events-1.jsonl"
    log = Log.create(path)
    for each in TURNS[:2]:
        log.append(each, sync=False)
    log.close()
    log, torn = reopened(path)
    positions = [log.append(each, sync=True) for each in TURNS[2:]]
    log.close()
    assert (torn, positions, path.read_bytes()) == (None, [ENDS[3][1], ENDS[4][1]], LOG)


def test_a_new_log_is_durable_under_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A turn that is synced into a file without a name would be lost with the power."""
    synced, real = list[int](), os.fsync

    def fsync(descriptor: int) -> None:
        synced.append(os.fstat(descriptor).st_ino)
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    Log.create(tmp_path / "events-1.jsonl").close()
    assert synced == [tmp_path.stat().st_ino]


def test_a_log_that_exists_is_not_created_again(tmp_path: Path) -> None:
    """Creating never empties a log."""
    path = write_log(tmp_path / "events-1.jsonl")
    with pytest.raises(StorageFailure, match="File exists"):
        Log.create(path)
    assert path.read_bytes() == LOG


def test_a_log_that_is_gone_is_damage(tmp_path: Path) -> None:
    """A missing log is never started from nothing."""
    with pytest.raises(DamagedState, match="No such file"):
        reopened(tmp_path / "events-1.jsonl")
    assert list(tmp_path.iterdir()) == []


def test_a_link_in_the_place_of_the_log_is_refused(tmp_path: Path) -> None:
    """The file that a link leads to is not cut."""
    victim = write_log(tmp_path / "victim", LOG[:-1])
    (tmp_path / "events-1.jsonl").symlink_to(victim)
    with pytest.raises(DamagedState, match="symlink"):
        reopened(tmp_path / "events-1.jsonl")
    assert victim.read_bytes() == LOG[:-1]


def test_a_log_that_cannot_be_read_is_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bad sector is said in a sentence."""
    path = write_log(tmp_path / "events-1.jsonl")
    monkeypatch.setattr(os, "read", failing(errno.EIO))
    with pytest.raises(DamagedState, match="Input/output error"):
        Scan(read_chunks(path)).verify()


def failing(code: int) -> Callable[..., Any]:
    def call(*arguments: Any) -> Any:
        raise OSError(code, os.strerror(code))

    return call


def short_then_failing(code: int) -> Callable[[int, bytes], int]:
    calls, write = itertools.count(), os.write

    def call(descriptor: int, data: bytes) -> int:
        if next(calls):
            raise OSError(code, os.strerror(code))
        return write(descriptor, bytes(data)[:20])

    return call


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
@pytest.mark.parametrize(
    ("name", "fault", "is_written"),
    [("write", failing, False), ("write", short_then_failing, False), ("fdatasync", failing, True)],
)
def test_after_a_failure_everything_is_refused_until_the_log_is_opened_anew(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    fault: Callable[[int], Callable[..., Any]],
    is_written: bool,
    code: int,
) -> None:
    """A failed write or sync is never followed by another; opened anew, the log has no half turn."""
    path = tmp_path / "events-1.jsonl"
    log = Log.create(path)
    log.append(TURNS[0], sync=True)
    with monkeypatch.context() as broken:
        broken.setattr(os, name, fault(code))
        with pytest.raises(StorageFailure, match=os.strerror(code)):
            log.append(TURNS[1], sync=True)
    left = path.read_bytes()
    with pytest.raises(StorageFailure, match=os.strerror(code)):
        log.append(TURNS[2], sync=True)
    assert (path.read_bytes(), log.position) == (left, ENDS[1][1])
    log.close()
    log, _ = reopened(path)
    log.close()
    turns = 2 if is_written else 1
    assert (log.position, path.read_bytes()) == (ENDS[turns][1], LOG[: ENDS[turns][0]])


def test_a_turn_broken_off_is_never_written_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Ctrl-C that strikes inside a write leaves half a record, and nothing is glued to it."""
    log = Log.create(tmp_path / "events-1.jsonl")
    with monkeypatch.context() as broken:

        def interrupted(*arguments: Any) -> int:
            raise KeyboardInterrupt

        broken.setattr(os, "write", interrupted)
        with pytest.raises(KeyboardInterrupt):
            log.append(TURNS[0], sync=True)
    with pytest.raises(StorageFailure, match="broken off"):
        log.append(TURNS[0], sync=True)
    log.close()


def test_short_writes_are_absorbed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A system that takes a few bytes at a time gets the whole turn."""
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, bytes(data)[:7]))
    log = Log.create(tmp_path / "events-1.jsonl")
    log.append(TURNS[0], sync=True)
    log.close()
    assert log.path.read_bytes() == LOG[: ENDS[1][0]]


def test_a_closed_log_takes_nothing(tmp_path: Path) -> None:
    """Appending to a closed log is refused, and closing it again is nothing."""
    log = Log.create(tmp_path / "events-1.jsonl")
    log.close()
    log.close()
    with pytest.raises(StorageFailure, match="is closed"):
        log.append(TURNS[0], sync=False)


@pytest.mark.parametrize("sync", [True, False])
def test_a_turn_is_one_write_and_one_sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sync: bool) -> None:
    """A turn costs one write, and a sync only where something may depend on it."""
    log = Log.create(tmp_path / "events-1.jsonl")
    calls = recorded(monkeypatch, "write", "fsync", "fdatasync")
    log.append(TURNS[1], sync=sync)
    assert calls == (["write", "fdatasync"] if sync else ["write"])
    log.close()


def test_what_was_not_synced_is_settled_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is about to claim it makes it durable; a turn that was synced, or settled, costs nothing more."""
    log = Log.create(tmp_path / "events-1.jsonl")
    calls = recorded(monkeypatch, "write", "fdatasync")
    log.append(TURNS[0], sync=True)
    log.settle()
    log.append(TURNS[1], sync=False)
    log.settle()
    log.settle()
    log.close()
    assert calls == ["write", "fdatasync", "write", "fdatasync"]


def test_after_settling_failed_everything_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody knows what the disk holds then."""
    log = Log.create(tmp_path / "events-1.jsonl")
    log.append(TURNS[0], sync=False)
    with monkeypatch.context() as broken:
        broken.setattr(os, "fdatasync", failing(errno.EIO))
        with pytest.raises(StorageFailure, match=os.strerror(errno.EIO)):
            log.settle()
    with pytest.raises(StorageFailure, match=os.strerror(errno.EIO)):
        log.append(TURNS[1], sync=False)
    log.close()


def recorded(monkeypatch: pytest.MonkeyPatch, *names: str) -> list[str]:
    calls = list[str]()

    def recording(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            calls.append(name)
            return real(*arguments)

        return call

    for name in names:
        monkeypatch.setattr(os, name, recording(name, getattr(os, name)))
    return calls


def test_the_tail_is_kept_before_it_is_cut_and_the_rest_is_stored_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Recovery loses nothing at any moment, and trusts no pages that a failed sync left marked as clean."""
    path = write_log(tmp_path / "events-1.jsonl", LOG[:-1])
    names = ("write", "fsync", "replace", "ftruncate", "pwrite", "fdatasync")
    calls = recorded(monkeypatch, *names)
    reopened(path)[0].close()
    assert calls == ["write", "fsync", "replace", "fsync", "ftruncate", "pwrite", "fsync"]
    assert path.read_bytes() == LOG[:LAST_TURN]


SYSTEM_CALLS = ("open", "read", "pread", "write", "pwrite", "fsync", "replace", "ftruncate")


@pytest.mark.parametrize("way", ["killed before", "killed after", "half written", "failed"])
def test_recovery_that_dies_at_any_system_call_can_be_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """Killed before or after each call, or failed by it: the next recovery finds and keeps the same."""
    countdown = -1

    def faulty(real: Callable[..., Any], name: str) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            nonlocal countdown
            countdown -= 1
            if countdown != -1:
                return real(*arguments, **named)
            if way == "failed":
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            if way == "half written" and name in ("write", "pwrite"):
                real(arguments[0], bytes(arguments[1])[: len(arguments[1]) // 2], *arguments[2:])
            elif way != "killed before":
                real(*arguments, **named)
            raise Killed

        return call

    for name in SYSTEM_CALLS:
        monkeypatch.setattr(os, name, faulty(getattr(os, name), name))
    for nth in itertools.count():
        folder = tmp_path / str(nth)
        folder.mkdir()
        path = write_log(folder / "events-1.jsonl", LOG[:-5])
        countdown = nth
        try:
            reopened(path)[0].close()
            break
        except (Killed, StorageFailure, DamagedState):
            countdown = -1
        log, _ = reopened(path)
        log.close()
        assert (log.position, path.read_bytes()) == (ENDS[-2][1], LOG[:LAST_TURN])
        kept = [each.read_bytes() for each in folder.glob("events-1.jsonl.*")]
        assert kept == [LOG[LAST_TURN:-5]]
    assert nth > len(SYSTEM_CALLS)


def test_what_an_earlier_recovery_kept_stays(tmp_path: Path) -> None:
    """Two different tails torn at one place are both kept."""
    path = write_log(tmp_path / "events-1.jsonl", LOG[:LAST_TURN] + b"first")
    reopened(path)[0].close()
    write_log(path, LOG[:LAST_TURN] + b"second")
    reopened(path)[0].close()
    assert {each.read_bytes() for each in tmp_path.glob("*.torn-*")} == {b"first", b"second"}


def test_a_reader_changes_nothing(tmp_path: Path) -> None:
    """Scanning a torn log says so and leaves it."""
    path = write_log(tmp_path / "events-1.jsonl", LOG[:-1])
    assert Scan(read_chunks(path)).verify().torn == TornTail(LAST_TURN, len(LOG) - 1 - LAST_TURN)
    assert {each: each.read_bytes() for each in tmp_path.iterdir()} == {path: LOG[:-1]}


def big_log(path: Path, *, turns: int, ending: bytes) -> Path:
    """Write a log of one-event turns of some 2,000 bytes."""
    rng, position = random.Random(1), START
    with path.open("wb") as file:
        for _ in range(turns):
            lines, position = frame(position, turn(b'{"type":"%01900x"}' % rng.getrandbits(400)))
            file.write(lines)
        file.write(ending)
    return path


def peak_bytes(path: Path) -> int:
    tracemalloc.start()
    Scan(read_chunks(path)).verify()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


@pytest.mark.parametrize("ending", [b"", b"\0" * (1 << 23)], ids=["whole", "torn by zeros"])
def test_a_check_holds_a_chunk_and_no_log(tmp_path: Path, ending: bytes) -> None:
    """A log of any length, or a tail of any length, is checked in the same little memory."""
    path = big_log(tmp_path / "events-1.jsonl", turns=6_000, ending=ending)
    assert path.stat().st_size > 12_000_000
    assert peak_bytes(path) < 6_000_000
    shutil.rmtree(tmp_path)


@pytest.mark.parametrize("is_replaced", [False, True])
def test_a_log_that_was_removed_under_its_owner_takes_nothing(tmp_path: Path, is_replaced: bool) -> None:
    """What is written into a file without a name is lost, and nothing may be claimed that is."""
    path = tmp_path / "events-1.jsonl"
    log = Log.create(path)
    log.append(TURNS[0], sync=False)
    path.unlink()
    if is_replaced:
        path.write_bytes(LOG)
    for _ in range(2):
        with pytest.raises(StorageFailure, match="it was removed while the run went on"):
            log.append(TURNS[1], sync=False)
    log.close()
