"""Orders to a live run: whole or not at all, in order, obeyed once, and nothing else is followed."""

import itertools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from prodigy.errors import DamagedState
from prodigy.store.inbox import ORDER_BYTES_MAX, REFUSED, Taken, send, stops, take
from prodigy.store.orders import (
    Approve,
    Clean,
    Cook,
    Fork,
    GoBack,
    Order,
    Purge,
    Raise,
    Resume,
    Retry,
    StartOver,
    Stop,
    TakeCopy,
)


class Killed(BaseException):
    """The process is gone at this system call."""


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    return tmp_path / "inbox"


def test_an_order_is_taken_once(inbox: Path) -> None:
    """What was sent comes out, and then nothing more."""
    send(inbox, Stop(by="prodigy stop"))
    assert [take(inbox), take(inbox)] == [Taken([Stop(by="prodigy stop")], []), Taken([], [])]


EVERY: list[Order] = [
    Cook(path="a.yaml", parameters={"n": 1}),
    Resume(max_retries=2),
    StartOver(max_parallel=3),
    GoBack(at="v3", accepts_changes=True),
    TakeCopy(where="mirror"),
    Fork(at="v3", variables={"n": "2"}),
    Retry(by="me", keys=("a", "b"), filter="severity == 'high'", reduces=False),
    Purge(by="me", keys=("a",)),
    Clean(by="me", purge=True),
    Stop(by="me"),
    Raise(usd=2.5, by="me"),
    Approve(at="deploy", by="me"),
]


@pytest.mark.parametrize("order", EVERY, ids=lambda order: type(order).__name__)
def test_any_order_comes_out_as_it_went_in(inbox: Path, order: Order) -> None:
    """What can be done with it is for its owner to say."""
    assert set(map(type, EVERY)) == set(Order.__args__)
    send(inbox, order)
    assert take(inbox) == Taken([order], [])


@pytest.mark.parametrize(("order", "expected"), [(Stop(by="me"), True), (Purge(by="me"), False)], ids=["stop", "purge"])
def test_an_order_to_stop_is_seen_before_it_is_taken(inbox: Path, order: Order, expected: bool) -> None:
    """Whoever wants to own the run waits for the end of one that is to stop, and of no other."""
    path = send(inbox, order)
    (inbox / "2.json").write_text("{")
    assert (stops(inbox), path.exists()) == ((path,) if expected else (), True)


def test_an_order_is_private_json(inbox: Path) -> None:
    """The public form of an order's file."""
    send(inbox, Stop(by="me"))
    path = inbox / "000001.json"
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b'{"type":"stop","by":"me"}', 0o600)


def test_orders_come_in_the_order_they_were_given(inbox: Path) -> None:
    """The oldest first, beyond the width of a name too."""
    inbox.mkdir(mode=0o700)
    (inbox / "999998.json").write_bytes(b'{"type":"stop","by":"-1"}')
    orders = [Stop(by=str(number)) for number in range(12)]
    for order in orders:
        send(inbox, order)
    assert take(inbox) == Taken([Stop(by="-1"), *orders], [])


def test_orders_from_many_at_once_all_arrive(inbox: Path) -> None:
    """No sender replaces another's order."""
    orders = {Stop(by=str(number)) for number in range(40)}
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda order: send(inbox, order), orders))
    assert set(take(inbox).orders) == orders


def test_an_inbox_that_is_missing_has_no_orders(inbox: Path) -> None:
    """Looking makes nothing."""
    assert (take(inbox), inbox.exists()) == (Taken([], []), False)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "truncated"),
        (b"{", "truncated"),
        (b"\xff\xfe", "malformed"),
        (b'{"type":"explode"}', "Invalid value 'explode'"),
        (b'{"type":"stop"}', "missing required field `by`"),
        (b'{"type":"stop","by":7}', "Expected `str`"),
        (b'"%b"' % (b"x" * ORDER_BYTES_MAX), "longer than"),
    ],
)
def test_garbage_is_reported_and_moved_aside(inbox: Path, data: bytes, reason: str) -> None:
    """It is said once, kept, and stops no order behind it."""
    inbox.mkdir(mode=0o700)
    (inbox / "000001.json").write_bytes(data)
    send(inbox, Stop(by="me"))
    orders, refused = take(inbox)
    assert orders == [Stop(by="me")]
    assert len(refused) == 1
    assert refused[0].startswith("the order '000001.json' is none: ")
    assert reason in refused[0]
    assert [path.read_bytes() for path in (inbox / REFUSED).iterdir()] == [data]
    assert take(inbox) == Taken([], [])


def plant_link(path: Path, victim: Path) -> None:
    path.symlink_to(victim)


def plant_fifo(path: Path, victim: Path) -> None:
    os.mkfifo(path)


def plant_folder(path: Path, victim: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize("plant", [plant_link, plant_fifo, plant_folder])
def test_what_is_no_file_is_never_followed(inbox: Path, tmp_path: Path, plant: Callable[[Path, Path], None]) -> None:
    """A link to a good order is no order; the link is moved aside, not what it leads to."""
    victim = tmp_path / "victim"
    victim.write_bytes(b'{"type":"stop","by":"victim"}')
    inbox.mkdir(mode=0o700)
    plant(inbox / "000001.json", victim)
    orders, refused = take(inbox)
    assert (orders, len(refused), victim.exists()) == ([], 1, True)
    assert [path.name for path in inbox.glob("[!.]*")] == []


def test_a_strange_name_is_escaped(inbox: Path) -> None:
    """A name cannot drive the terminal of whoever reads the report."""
    inbox.mkdir(mode=0o700)
    (inbox / "\x1b]0;x\x07.json").write_bytes(b'{"type":"stop","by":"x"}')
    assert take(inbox) == Taken([], ["the order '\\x1b]0;x\\x07.json' is none: it is not named like one"])


def test_an_inbox_that_is_a_link_is_refused(inbox: Path, tmp_path: Path) -> None:
    """Neither sending nor taking follows it."""
    (tmp_path / "victim").mkdir()
    inbox.symlink_to(tmp_path / "victim")
    with pytest.raises(DamagedState, match="symlink"):
        send(inbox, Stop(by="me"))
    with pytest.raises(DamagedState, match="symlink"):
        take(inbox)
    assert list((tmp_path / "victim").iterdir()) == []


def test_a_sender_killed_anywhere_leaves_a_whole_order_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At every system call of a send the owner finds nothing or all of it, and no garbage."""
    countdown = -1

    def faulty(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            nonlocal countdown
            countdown -= 1
            if countdown == -1:
                raise Killed
            return real(*arguments, **named)

        return call

    for name in ("open", "write", "fsync", "replace"):
        monkeypatch.setattr(os, name, faulty(getattr(os, name)))
    seen = list[Taken]()
    for nth in itertools.count():
        countdown = nth
        try:
            send(tmp_path / str(nth), Stop(by="me"))
            break
        except Killed:
            countdown = -1
        seen.append(take(tmp_path / str(nth)))
    assert [each for each, _ in itertools.groupby(seen)] == [Taken([], []), Taken([Stop(by="me")], [])]
