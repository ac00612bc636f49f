"""The frames of a replay: each event of a history with what it changed, and how it stands on a terminal."""

import textwrap
from collections.abc import Iterator

from prodigy.cli.output.times import local
from prodigy.projections.replay import Frame, changes, in_words
from prodigy.runtime.terminal import visible
from prodigy.store.history import Lineage

VALUE_CHARS_MAX = 200
COLUMNS_MIN = 40
WIDE_COLUMNS = 100  # from here on what is wrapped stands below the changes


def replayed(history: Lineage) -> Iterator[Frame]:
    """Yield a frame for every event of a history.

    Raises:
        DamagedState: when the damage is reached, not before.
    """
    for moment, before, state in history.steps():
        changed = changes(before, state, moment.event)
        yield Frame(moment.generation, moment.seq, moment.time, moment.event, changed, state)


def lines_of(frame: Frame, columns: int) -> list[str]:
    """Return a frame as it stands on a terminal of so many columns: one line, and more where it does not fit."""
    head = f"{frame.seq:>6}  {local(frame.time)[11:]}  "
    indent = len(head) + (20 if columns >= WIDE_COLUMNS else 2)
    lines = textwrap.wrap(
        head + visible(in_words(frame.event, frame.changes, clip=VALUE_CHARS_MAX)),
        columns,
        subsequent_indent=" " * indent,
        drop_whitespace=False,
        replace_whitespace=False,
        break_on_hyphens=False,
    )
    return [lines[0].rstrip(), *(" " * indent + line.strip() for line in lines[1:])]
