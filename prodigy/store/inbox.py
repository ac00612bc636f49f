"""Orders to the owner of a live run, as files in the run's inbox.

Only the owner writes a run's log; whoever else wants something of the run leaves a file here, which appears
whole or not at all, and the owner turns it into a signal. Files are numbered: orders come in the order they
were given, whatever the clock does.
"""

import os
import re
import secrets
from pathlib import Path
from typing import NamedTuple

import msgspec

from prodigy.errors import DamagedState
from prodigy.store.files import (
    existing_folder,
    locked,
    private_folder,
    read_private,
    refused,
    write_atomically,
)
from prodigy.store.orders import Order, Stop

ORDER_BYTES_MAX = 16 * 1024 * 1024  # all the keys that a command line has room for
REFUSED = ".refused"

_NAME = re.compile(r"([0-9]{1,15})\.json")


_decoder: msgspec.json.Decoder[Order] = msgspec.json.Decoder(Order)


class Taken(NamedTuple):
    """The orders found, oldest first, and a sentence for each file that is none."""

    orders: list[Order]
    refused: list[str]


def send(folder: Path, order: Order) -> Path:
    """Leave an order in the inbox, durable on return, and return its file: it is there until somebody took it.

    Raises:
        DamagedState: the inbox is a symlink or somebody else's.
        StorageFailure: the disk refused.
    """
    private_folder(folder)
    with locked(folder / ".lock"):
        names = map(_NAME.fullmatch, os.listdir(folder))
        number = max((int(match[1]) for match in names if match), default=0) + 1
        path = folder / f"{number:06}.json"
        write_atomically(path, msgspec.json.encode(order))
    return path


def take(folder: Path) -> Taken:
    """Return the orders that wait and remove them; an inbox that is missing has none.

    What is no order is moved to `.refused` beside them, never followed, and named.

    Raises:
        DamagedState: the inbox is a symlink or somebody else's.
        StorageFailure: the disk refused to remove an order, which would else be obeyed again and again.
    """
    taken = Taken([], [])
    if not existing_folder(folder):
        return taken
    for name in sorted(os.listdir(folder), key=_age):
        if name.startswith("."):
            continue  # ours: the lock, a file being written, what was refused
        path = folder / name
        try:
            taken.orders.append(_read(path))
            path.unlink()
        except (DamagedState, msgspec.DecodeError) as error:
            taken.refused.append(f"the order {name!a} is none: {error}")
            _move_aside(path)
        except OSError as error:
            raise refused(path, error) from error
    return taken


def stops(folder: Path) -> tuple[Path, ...]:
    """Return the orders to stop that wait in the inbox; nothing is changed."""
    if not existing_folder(folder):
        return ()
    return tuple(path for name in os.listdir(folder) if _is_stop(path := folder / name))


def _is_stop(path: Path) -> bool:
    try:
        return isinstance(_read(path), Stop)
    except (DamagedState, msgspec.DecodeError, OSError):
        return False


def _age(name: str) -> tuple[int, str]:
    match = _NAME.fullmatch(name)
    return (int(match[1]) if match else 0, name)


def _read(path: Path) -> Order:
    if not _NAME.fullmatch(path.name):
        raise DamagedState("it is not named like one")
    return _decoder.decode(read_private(path, bytes_max=ORDER_BYTES_MAX))


def _move_aside(path: Path) -> None:
    aside = private_folder(path.parent / REFUSED)
    try:
        path.rename(aside / f"{secrets.token_hex(4)}-{path.name[:100]}")
    except OSError as error:
        raise refused(path, error) from error
