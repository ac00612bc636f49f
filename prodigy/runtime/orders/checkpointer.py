"""Write checkpoints in a thread: only the newest state is written, and the run waits only where it asks to.

The reactor drops each new state into a slot. A thread takes the newest, turns it into the document and replaces the
file, then rests in proportion to what that took, so that checkpoints stay a small share of any run, but never long:
the file is the witness of how far the log came. Its mirror follows it. Whoever must know that the file is current
(`checkpoint: true`, the first result of a run) asks to be called; then the thread does not rest.

A checkpoint that cannot be written is a warning: the log has the truth.
"""

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

from prodigy.errors import ProdigyError
from prodigy.kernel.state import State
from prodigy.plan.nodes import Plan
from prodigy.plan.spelling import as_number
from prodigy.plan.stored import Stored
from prodigy.projections.checkpoint import INLINE_CHARS_MAX, Checkpoint, document
from prodigy.runtime.operator_log import operator_log
from prodigy.store.checkpoints import encode_checkpoint
from prodigy.store.files import write_atomically
from prodigy.store.large_values import json_of_value
from prodigy.store.layout import Mirror
from prodigy.store.values import Values

REST_FACTOR = 50  # rest this many times what a write took: a share of 2 %
REST_S_MAX = 1.5  # however slow the disk is: what is on disk is at most 2 s behind the run
FIRST_REST_S = 0.1  # a run that is over sooner writes one checkpoint, its last
CLOSING_S = 10.0
MIRROR_INTERVAL_S = 0.5  # steps that wait for the file, one after the other, do not wait for its copies too
FILE_BYTES_MAX = 1024 * 1024  # above it nobody waits for the file: the synced log stands in


class Checkpointer:
    """The writer of one run's checkpoint file and of its mirror.

    `settle` makes the log durable as far as it was published: a file that has seen more than a log after a power loss
    would call that damaged. `renew_mirror` makes a mirror anew that was removed. `now` and `sleep` are the writer's
    clock: `sleep(condition, timeout_s)` waits as `threading.Condition.wait` does.
    """

    def __init__(
        self,
        path: Path,
        values: Values,
        mirror: Mirror | None,
        warn: Callable[[str], None],
        *,
        settle: Callable[[], None] = lambda: None,
        renew_mirror: Callable[[], Mirror] | None = None,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[threading.Condition, float | None], object] = threading.Condition.wait,
    ) -> None:
        self._path = path
        self._values = values
        self._mirror = mirror
        self._warn = warn
        self._warned: set[str] = set()
        self._plan: Plan | None = None
        self._plan_digest = ""
        self._kept: dict[str, tuple[Any, str | None]] = {}
        self._fresh: dict[str, bytes] = {}  # large values that are not in both places yet, by digest
        self._copies = Values(mirror.values) if mirror else None
        self._settle = settle
        self._renew_mirror = renew_mirror
        self._now = now
        self._sleep = sleep
        self._mirror_due = -math.inf
        self._mirror_seq = 0  # the last event whose mirror is waited for
        self._mirrored_seq = 0
        self._write_due = now() + FIRST_REST_S
        self._wakes = -math.inf
        self._size = 0
        self._is_saved = False
        self._written_seq = 0
        self._unmirrored: tuple[Checkpoint, bytes] | None = None
        self._condition = threading.Condition()
        self._slot = deque[tuple[State, str]](maxlen=1)  # emptied when it is taken, for a state may be large
        self._unsaved: tuple[State, str] | None = None
        self._waiters: list[tuple[int, Callable[[], None]]] = []
        self._is_closing = False
        self._thread: threading.Thread | None = None

    def publish(self, state: State, chain: str) -> None:
        """Offer a newer state; `chain` is the log's at `state.seq`. Returns at once, mostly without the lock.

        The slot is filled before it is looked whether the writer sleeps, and the writer says that it sleeps before it
        looks into the slot for the last time: so one of the two sees the other.
        """
        self._slot.append((state, chain))
        if self._thread is not None and self._wakes <= self._write_due and not self._waiters:
            return
        with self._condition:
            if self._thread is None:
                self._thread = threading.Thread(target=self._write_on, name="checkpoints", daemon=True)
                self._thread.start()
            self._wake()

    def when_written(self, seq: int, call: Callable[[], None], *, is_mirrored: bool = False) -> None:
        """Call `call`, from the writer's thread, when the file shows event `seq` or cannot be written.

        With `is_mirrored` its mirror does too. A file over `FILE_BYTES_MAX` is not waited for.
        """
        with self._condition:
            if is_mirrored:
                self._mirror_seq = seq
            if self._written_seq < seq and self._size <= FILE_BYTES_MAX:
                self._waiters.append((seq, call))
                self._wake()
                return
        call()

    def close(self) -> None:
        """Write what is newest, mirror it, and end the thread; one that hangs in the disk is not waited for."""
        with self._condition:
            self._is_closing = True
            self._condition.notify()
        if self._thread is not None:
            self._thread.join(CLOSING_S)
            if self._thread.is_alive():
                self._complain(f"the checkpoint was not written: the disk did not answer for {CLOSING_S:g} s")
                return
        if (newest := self._newest()) is not None:
            self._write(*newest)
        if self._unmirrored is not None:
            self._copy(*self._unmirrored)

    def _write_on(self) -> None:
        while (work := self._next_work()) is not None:
            began = self._now()
            work()
            took_s = self._now() - began
            self._write_due = self._now() + (min(REST_FACTOR * took_s, REST_S_MAX) if self._is_saved else REST_S_MAX)

    def _next_work(self) -> Callable[[], None] | None:
        """Rest until something is due and return what it is, or None when the run is over."""
        with self._condition:
            while not self._is_closing:
                due, now = self._due(), self._now()
                if due <= now:
                    return self._taken(now)
                self._wakes = due
                if self._due() >= due:
                    self._sleep(self._condition, None if due == math.inf else due - now)
                self._wakes = -math.inf
        return None

    def _due(self) -> float:
        """Return when there is something to do, by our clock."""
        write = -math.inf if self._waiters else self._write_due
        return min(
            write if self._slot or self._unsaved is not None else math.inf,
            math.inf if self._unmirrored is None else self._mirror_due,
        )

    def _newest(self) -> tuple[State, str] | None:
        """Take the newest state out of its place, or the one that could not be written."""
        unsaved, self._unsaved = self._unsaved, None
        return self._slot.pop() if self._slot else unsaved

    def _taken(self, now: float) -> Callable[[], None]:
        """Return what is due, taken out of its place; a newer state spares an older one its copy."""
        if (self._waiters or self._write_due <= now) and (taken := self._newest()) is not None:
            return partial(self._write, *taken)
        assert self._unmirrored is not None, "nothing is due without a state"
        return partial(self._copy, *self._unmirrored)

    def _wake(self) -> None:
        """Wake the writer, unless it looks soon enough anyway."""
        if self._due() < self._wakes:
            self._condition.notify()

    def _write(self, state: State, chain: str) -> None:
        """Write the checkpoint of a state, then its mirror if that is due: each, whatever becomes of the other."""
        began = time.monotonic()
        checkpoint = self._document(state, chain)
        data = encode_checkpoint(checkpoint)
        self._size = len(data)
        self._is_saved = self._save(data)
        self._unmirrored = (checkpoint, data)
        if self._now() >= self._mirror_due or self._mirrored_seq < self._mirror_seq:
            self._copy(checkpoint, data)
        if self._is_saved:
            took_ms = round(1000 * (time.monotonic() - began), 1)
            run, version, size = checkpoint.workflow_id, checkpoint.version, len(data)
            operator_log().info(
                "checkpoint_saved", run=run, version=version, seq=state.seq, size_bytes=size, took_ms=took_ms
            )
        with self._condition:
            if not self._is_saved:
                self._unsaved = (state, chain)  # to be tried again
            self._written_seq = state.seq
            done = [call for seq, call in self._waiters if seq <= state.seq]
            self._waiters = [(seq, call) for seq, call in self._waiters if seq > state.seq]
        for call in done:
            call()

    def _document(self, state: State, chain: str) -> Checkpoint:
        if self._plan is not state.plan:
            self._plan_digest = self._named(msgspec.json.encode(state.plan, enc_hook=as_number))
            self._plan = state.plan
        return document(state, chain=chain, plan_digest=self._plan_digest, keep=self._keep)

    def _keep(self, name: str, value: Any) -> str | None:
        """Name a large value, once; a value is known by identity, for captures are never changed in place."""
        if isinstance(value, Stored) and self._values.has(value.digest):
            return value.digest
        known = self._kept.get(name)
        if known is None or known[0] is not value:
            data = json_of_value(value)
            digest = self._named(data) if len(data) > INLINE_CHARS_MAX else None
            known = self._kept[name] = (value, digest)
        return known[1]

    def _named(self, data: bytes) -> str:
        """Return the digest of a large value, which is stored before any file that names it."""
        digest = sha256(data).hexdigest()
        self._fresh[digest] = data
        return digest

    def _save(self, data: bytes) -> bool:
        """Replace the file, after the log that it claims and the values that it names; return whether the disk did."""
        try:
            self._settle()
            for value in self._fresh.values():
                self._values.put(value)
            write_atomically(self._path, data)
        except ProdigyError as problem:
            self._complain(f"the checkpoint was not written: {problem.message}")
            return False
        return True

    def _copy(self, checkpoint: Checkpoint, data: bytes) -> None:
        """Mirror the checkpoint with the values it names, which the run's own folder may have lost."""
        self._mirror_due = self._now() + MIRROR_INTERVAL_S
        self._mirrored_seq = checkpoint.last_seq
        self._unmirrored = None
        try:
            if (mirror := self._standing_mirror(checkpoint.workflow_id)) is not None and self._copies is not None:
                for value in self._fresh.values():
                    self._copies.put(value)
                for digest in {checkpoint.plan_digest, *checkpoint.stored}:
                    self._copies.copy(digest, self._values)
                write_atomically(mirror.checkpoint(checkpoint.workflow_id), data)
        except (ProdigyError, OSError) as problem:
            self._complain(f"the mirror of the checkpoint was not written: {problem}")
        if self._is_saved:
            self._fresh.clear()

    def _standing_mirror(self, workflow_id: str) -> Mirror | None:
        """Return the mirror, made anew where somebody removed it during the run."""
        if self._mirror is not None and self._renew_mirror is not None and not self._mirror.knows(workflow_id):
            self._mirror = self._renew_mirror()
            self._copies = Values(self._mirror.values)
        return self._mirror

    def _complain(self, message: str) -> None:
        if message not in self._warned:
            self._warned.add(message)
            self._warn(message)
