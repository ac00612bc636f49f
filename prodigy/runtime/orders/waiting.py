"""Become a run's owner, waiting for one that is about to stop.

People type `kill -INT` and then `resume`; the second must not fail because the first takes a moment.
"""

import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from prodigy.errors import ProdigyError, RunNotFound
from prodigy.kernel.state import State
from prodigy.store.history import read_history
from prodigy.store.inbox import stops
from prodigy.store.layout import RunFolder
from prodigy.store.lock import RunLock

LOOK_AGAIN_S = 2.0
STOPPING_S = 10.0
_STEP_S = 0.05


def acquire(folder: RunFolder, *, command: str, note: Callable[[str], None]) -> RunLock:
    """Return the run's lock; an owner that was asked to stop is waited for.

    A stop is an order to one owner, and all others are to the run: what asked an owner to stop that is gone, and was
    killed or had ended before it looked, is removed, or it would stop whoever goes on.

    Raises:
        RunNotFound: the owner goes on, or does not stop in time.
    """
    began = time.monotonic()
    patience_s = LOOK_AGAIN_S
    while True:
        earlier = stops(folder.inbox)  # looked for before the lock: what comes after it is meant for us
        try:
            lock = RunLock.acquire(folder.lock, command=command)
        except RunNotFound:
            if patience_s == LOOK_AGAIN_S and (grace_s := _stopping_within(folder)) is not None:
                patience_s = max(grace_s, STOPPING_S) + STOPPING_S
                note(f"{folder.path.name} is stopping; waiting for it")
            if time.monotonic() - began > patience_s:
                raise
        else:
            _forget(earlier)
            return lock
        time.sleep(_STEP_S)


def _forget(orders: Iterable[Path]) -> None:
    for path in orders:
        with suppress(OSError):  # then it is obeyed after all, and says so
            path.unlink()


def _stopping_within(folder: RunFolder) -> float | None:
    """Return the grace of a run that was asked to stop, or None."""
    try:
        state: State = read_history(folder, None).state
        return state.plan.grace_s if state.stopping or stops(folder.inbox) else None
    except ProdigyError:
        return None
