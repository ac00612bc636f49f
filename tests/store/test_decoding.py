"""Many lines of a log are decoded at once; what is special about one of them is not lost thereby."""

from pathlib import Path

import pytest

from prodigy.errors import DamagedState
from prodigy.kernel.events import CommandFinished, Event, NodeSucceeded
from prodigy.kernel.lifecycle import Epoch
from prodigy.store.journal import STORED_BYTES_MIN, Journal, decode_lines
from prodigy.store.log import Log, Scan, read_chunks
from prodigy.store.values import Values

TIME = "2026-01-31T09:00:00.000000Z"
SMALL: Event = NodeSucceeded(at="commands[0]")
LARGE: Event = CommandFinished(
    at="commands[1]", epoch=Epoch(1), exit_code=0, duration_s=1, output="x" * STORED_BYTES_MIN
)


def written(folder: Path, *events: Event) -> list[bytes]:
    """Return the lines of a log with these events, one turn."""
    path = folder / "events-1.jsonl"
    journal = Journal(Log.create(path), Values(folder / "values"))
    journal.append([(TIME, event) for event in events], sync=False)
    journal.close()
    ((_, lines),) = Scan(read_chunks(path)).turns()
    return lines


@pytest.mark.parametrize("events", [(SMALL, SMALL), (SMALL, LARGE, SMALL)], ids=["small", "one is stored"])
def test_lines_are_decoded_as_they_were_written(tmp_path: Path, events: tuple[Event, ...]) -> None:
    """Events come back whole and in order, with their times, also where a value is kept in a file."""
    lines = written(tmp_path, *events)
    found = list(decode_lines(1, lines, Values(tmp_path / "values"), name="the log"))
    assert found == [(TIME, event) for event in events]


def test_an_event_of_a_newer_prodigy_is_named(tmp_path: Path) -> None:
    """Among many lines, the one that cannot be read is told by its number."""
    lines = written(tmp_path, SMALL, SMALL)
    lines[1] = lines[1].replace(b"node_succeeded", b"node_dreamt")
    with pytest.raises(DamagedState, match="event 2 is a 'node_dreamt'"):
        list(decode_lines(1, lines, Values(tmp_path / "values"), name="the log"))
