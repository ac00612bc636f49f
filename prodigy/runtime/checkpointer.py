"""Write checkpoints off-thread: the newest state wins, and the run never waits unless it asks to.

The reactor drops each new state into a slot. A thread takes the newest, turns it into the document and replaces the
file, then rests in proportion to what that took, so that checkpoints stay a small share of any run. Whoever must know
that the file is current (`checkpoint: true`) asks to be called; then the thread does not rest.

A checkpoint that cannot be written is a warning: the log has the truth.
"""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from prodigy.errors import ProdigyError
from prodigy.kernel.state import State
from prodigy.plan.nodes import Plan
from prodigy.plan.spelling import as_number, as_spelled
from prodigy.projections.checkpoint import INLINE_CHARS_MAX, Checkpoint, document
from prodigy.runtime.diary import diary
from prodigy.store.checkpoints import encode_checkpoint, write_checkpoint
from prodigy.store.layout import Mirror
from prodigy.store.values import Values

REST_FACTOR = 50  # rest this many times what a write took: a share of 2 %
FIRST_REST_S = 0.1  # a run that is over sooner writes one checkpoint, its last
MIRROR_INTERVAL_S = 1.0
CLOSING_S = 10.0
FILE_BYTES_MAX = 1024 * 1024  # above it nobody waits for the file: the synced log stands in


class Checkpointer:
    """The writer of one run's checkpoint file and of its mirror."""

    def __init__(self, path: Path, values: Values, mirror: Mirror | None, warn: Callable[[str], None]) -> None:
        self._path = path
        self._values = values
        self._mirror = mirror
        self._warn = warn
        self._warned: set[str] = set()
        self._plan: Plan | None = None
        self._plan_digest = ""
        self._kept: dict[str, tuple[Any, str | None]] = {}
        self._copies = Values(mirror.values) if mirror else None
        self._mirror_due = 0.0
        self._size = 0
        self._written_seq = 0
        self._unmirrored: tuple[Checkpoint, bytes] | None = None
        self._condition = threading.Condition()
        self._slot: tuple[State, str] | None = None
        self._waiters: list[tuple[int, Callable[[], None]]] = []
        self._is_closing = False
        self._thread: threading.Thread | None = None

    def publish(self, state: State, chain: str) -> None:
        """Offer a newer state; `chain` is the log's at `state.seq`. Returns at once."""
        with self._condition:
            self._slot = (state, chain)
            if self._thread is None:
                self._thread = threading.Thread(target=self._write_on, name="checkpoints", daemon=True)
                self._thread.start()
            elif not self._waiters:
                return
            self._condition.notify()

    def when_written(self, seq: int, call: Callable[[], None]) -> None:
        """Call `call`, from the writer's thread, when the file shows event `seq` or cannot be written.

        A file over `FILE_BYTES_MAX` is not waited for.
        """
        with self._condition:
            if self._written_seq < seq and self._size <= FILE_BYTES_MAX:
                self._waiters.append((seq, call))
                self._condition.notify()
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
        if self._slot is not None:
            self._write(*self._slot)
        if self._unmirrored is not None:
            self._copy(*self._unmirrored)

    def _write_on(self) -> None:
        not_before = time.monotonic() + FIRST_REST_S
        while True:
            with self._condition:
                while not self._is_closing and not self._is_due(not_before):
                    self._condition.wait(None if self._slot is None else not_before - time.monotonic())
                if self._is_closing:
                    return
                taken, self._slot = self._slot, None
            assert taken is not None, "nothing is due without a state"
            began = time.monotonic()
            self._write(*taken)
            not_before = time.monotonic() + REST_FACTOR * (time.monotonic() - began)

    def _is_due(self, not_before: float) -> bool:
        return self._slot is not None and (bool(self._waiters) or time.monotonic() >= not_before)

    def _write(self, state: State, chain: str) -> None:
        began = time.monotonic()
        try:
            checkpoint = self._document(state, chain)
            data = encode_checkpoint(checkpoint)
            self._size = len(data)
            write_checkpoint(self._path, data)
            self._unmirrored = (checkpoint, data)
            if time.monotonic() >= self._mirror_due:
                self._copy(checkpoint, data)
            took_ms = round(1000 * (time.monotonic() - began), 1)
            run, version, size = checkpoint.workflow_id, checkpoint.version, len(data)
            diary().info("checkpoint_saved", run=run, version=version, seq=state.seq, size_bytes=size, took_ms=took_ms)
        except ProdigyError as problem:
            self._complain(f"the checkpoint was not written: {problem.message}")
        with self._condition:
            self._written_seq = state.seq
            done = [call for seq, call in self._waiters if seq <= state.seq]
            self._waiters = [(seq, call) for seq, call in self._waiters if seq > state.seq]
        for call in done:
            call()

    def _document(self, state: State, chain: str) -> Checkpoint:
        if self._plan is not state.plan:
            self._plan_digest = self._values.put(msgspec.json.encode(state.plan, enc_hook=as_number))
            self._plan = state.plan
        return document(state, chain=chain, plan_digest=self._plan_digest, keep=self._keep)

    def _keep(self, name: str, value: Any) -> str | None:
        """Store a large value once; a value is known by identity, for captures are never changed in place."""
        known = self._kept.get(name)
        if known is None or known[0] is not value:
            data = msgspec.json.encode(value, enc_hook=as_spelled)
            digest = self._values.put(data) if len(data) > INLINE_CHARS_MAX else None
            known = self._kept[name] = (value, digest)
        return known[1]

    def _copy(self, checkpoint: Checkpoint, data: bytes) -> None:
        """Mirror the checkpoint with the values it names."""
        self._mirror_due = time.monotonic() + MIRROR_INTERVAL_S
        self._unmirrored = None
        if self._mirror is None or self._copies is None:
            return
        try:
            stored = (*checkpoint.stored_captures.values(), *checkpoint.stored_items.values())
            for digest in {checkpoint.plan_digest, *stored}:
                self._copies.copy(digest, self._values)
            write_checkpoint(self._mirror.checkpoint(checkpoint.workflow_id), data)
        except ProdigyError as problem:
            self._complain(f"the mirror of the checkpoint was not written: {problem.message}")

    def _complain(self, message: str) -> None:
        if message not in self._warned:
            self._warned.add(message)
            self._warn(message)
