"""One event of a replay at a time, forwards and backwards, on a screen of its own.

States are persistent maps that share what they have in common, so the state after every event is kept, and going back
is as quick as going on.
"""

import os
import shutil
import sys
import termios
import tty
from collections.abc import Iterator
from itertools import islice
from typing import Any

import msgspec

from prodigy.cli.output.outlet import draw
from prodigy.cli.output.width import cells, cut, padded
from prodigy.cli.replay_frames import COLUMNS_MIN, lines_of
from prodigy.kernel.state import State
from prodigy.plan.spelling import as_spelled
from prodigy.projections.replay import Frame, variables_of
from prodigy.projections.steps import steps_of
from prodigy.runtime.terminal import visible

ROWS_MIN = 10
VALUE_CHARS_MAX = 1000  # more than a line of any terminal

_NEXT = frozenset({b" ", b"\r", b"\n", b"n", b"l", b"j", b"\x1b[C", b"\x1bOC", b"\x1b[B", b"\x1bOB"})
_BACK = frozenset({b"b", b"h", b"k", b"\x1b[D", b"\x1bOD", b"\x1b[A", b"\x1bOA"})
_FIRST = frozenset({b"g", b"\x1b[H", b"\x1b[1~"})
_LAST = frozenset({b"G", b"\x1b[F", b"\x1b[4~"})
_QUIT = frozenset({b"q", b"Q", b"\x04", b""})
_KEYS = "→ next   ← back   number ⏎ go to   g first   G last   q quit"


class Stepper:
    """Where somebody stands in a replay. What was folded is kept; what comes is folded when it is asked for."""

    def __init__(self, frames: Iterator[Frame]) -> None:
        self._frames = frames
        self._seen: list[Frame] = []
        self._place = 0
        self.number = ""
        self.values = Values()
        self._load(0)

    @property
    def frame(self) -> Frame | None:
        """The event that is shown; none in an empty log."""
        return self._seen[self._place] if self._seen else None

    def press(self, key: bytes) -> bool:
        """Obey a key; whether there is to be another."""
        if key.isdigit() and len(self.number) < 9:
            self.number += key.decode()
        elif key in (b"\x7f", b"\b"):
            self.number = self.number[:-1]
        elif key in (b"\r", b"\n") and self.number:
            self._go_to(int(self.number))
        else:
            self.number = ""
            self._move(key)
        return key not in _QUIT

    def _move(self, key: bytes) -> None:
        if key in _NEXT:
            self._load(self._place + 1)
            self._place = min(self._place + 1, len(self._seen) - 1)
        elif key in _BACK:
            self._place = max(0, self._place - 1)
        elif key in _FIRST:
            self._place = 0
        elif key in _LAST:
            self._seen += self._frames
            self._place = len(self._seen) - 1

    def _go_to(self, seq: int) -> None:
        """Show event `seq`, or the last one before it."""
        self.number = ""
        if not self._seen:
            return
        wanted = max(0, seq - self._seen[0].seq)
        self._load(wanted)
        self._place = min(wanted, len(self._seen) - 1)

    def _load(self, place: int) -> None:
        while len(self._seen) <= place:
            frame = next(self._frames, None)
            if frame is None:
                return
            self._seen.append(frame)


class Values:
    """Values as JSON. One is encoded once for all frames that have it, and of a long text only what can be seen."""

    def __init__(self) -> None:
        self._encoded: dict[str, tuple[Any, str]] = {}

    def shown(self, name: str, value: Any) -> str:
        """Return the beginning of a variable's value, at most `VALUE_CHARS_MAX` characters."""
        known = self._encoded.get(name)
        if known is None or known[0] is not value:
            known = self._encoded[name] = (value, _beginning(value))
        return known[1]


def step_through(workflow_id: str, frames: Iterator[Frame]) -> None:
    """Show one event at a time, on a screen of its own, until somebody has seen enough."""
    stepper = Stepper(frames)
    before = termios.tcgetattr(0)
    draw("\x1b[?1049h\x1b[?25l")
    try:
        tty.setcbreak(0)
        goes_on = True
        while goes_on:
            columns, rows = shutil.get_terminal_size()
            lines = screen(workflow_id, stepper, columns=max(COLUMNS_MIN, columns), rows=max(ROWS_MIN, rows))
            draw("\x1b[H" + "".join(f"{line}\x1b[K\n" for line in lines[:-1]) + lines[-1] + "\x1b[J")
            sys.stdout.flush()
            goes_on = stepper.press(os.read(0, 16))
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)
        draw("\x1b[?25h\x1b[?1049l")
        sys.stdout.flush()


def screen(workflow_id: str, stepper: Stepper, *, columns: int, rows: int) -> list[str]:
    """Return what one screen shows: the event, what it changed, where the steps stand, and the variables."""
    frame = stepper.frame
    footer = f"go to event {stepper.number}▏  ⏎" if stepper.number else _KEYS
    if frame is None:
        return [f"{workflow_id} has no events yet", "", footer]
    generation = f"  generation {frame.generation}" if frame.generation > 1 else ""
    head = [f"{workflow_id}{generation}  run: {frame.state.status}", "", *lines_of(frame, columns), ""]
    room = max(2, rows - len(head) - 2)
    variables = list(_variable_lines(frame.state, stepper.values, columns, max(0, room // 2 - 1)))
    steps = _step_lines(frame, room - len(variables) - (2 if variables else 0))
    body = [*head, *steps, *(["", *variables] if variables else [])][: rows - 2]
    return [cut(line, columns) for line in [*body, "", footer]]


def _step_lines(frame: Frame, rows: int) -> list[str]:
    """Return the steps around the one that the event is about, as many as there is room for."""
    at = getattr(frame.event, "at", "")
    steps = steps_of(frame.state) if frame.state.origin is not None else []
    here = next((step.index for step in steps if step.leaf.address == at), None)
    if here is None:
        here = next((step.index for step in steps if not step.is_settled), 0)
    first = max(0, min(here - rows // 2, len(steps) - rows))
    width = max((cells(visible(step.leaf.address)) for step in steps), default=0)
    return [
        f"{'▸' if step.leaf.address == at else ' '} {padded(visible(step.leaf.address), width)}  {step.here.status}"
        for step in steps[first : first + max(1, rows)]
    ]


def _variable_lines(state: State, values: Values, columns: int, rows: int) -> Iterator[str]:
    """Yield the first variables of a state, as many as there are rows."""
    for name, value in islice(variables_of(state).items(), rows):
        yield cut(visible(f"  {name} = {values.shown(name, value)}"), columns)


def _beginning(value: Any) -> str:
    whole = value[:VALUE_CHARS_MAX] if isinstance(value, str) else value
    return msgspec.json.encode(whole, enc_hook=as_spelled).decode()[:VALUE_CHARS_MAX]
