"""Can we still read last year's log? Every history opens, and folds to what it meant when it was written."""

import json
from pathlib import Path

import pytest

from tests.histories.record import FOLDER, STATES, opened, summary

HISTORIES = sorted(FOLDER.glob("*.jsonl"))
RECORDED = json.loads(STATES.read_text())
FIRST = frozenset(
    [
        "checkpoint_marked",
        "command_finished",
        "command_interrupted",
        "command_started",
        "generation_started",
        "handling_started",
        "node_continued",
        "node_failed",
        "node_handled",
        "node_reopened",
        "node_skipped",
        "node_started",
        "node_succeeded",
        "plan_changed",
        "retry_scheduled",
        "run_completed",
        "run_failed",
        "run_interrupted",
        "run_paused",
        "run_resumed",
        "run_started",
        "stop_requested",
        "value_captured",
    ]
)


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
def test_a_history_folds_to_what_it_meant(path: Path, tmp_path: Path) -> None:
    """Framing, chain, codec, kernel: all of them still understand it."""
    assert summary(opened(path.read_bytes(), tmp_path)) == RECORDED[path.stem]


def test_no_history_was_lost() -> None:
    """What is recorded has its log, and the other way round."""
    assert [path.stem for path in HISTORIES] == sorted(RECORDED)


def test_the_histories_hold_every_event_of_their_day() -> None:
    """All kinds that the first version could write; a new kind brings a new history."""
    kinds = {json.loads(line)["type"] for path in HISTORIES for line in path.read_text().splitlines()}
    assert FIRST - kinds == set()
