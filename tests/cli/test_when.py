"""People read local times, and how long ago something was; documents keep UTC."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.looks import piped, settle, told
from tests.cli.made import House

RUN = "story-000001"
PRINTED = {
    "events ls": "2026-01-31 18:00:04  command_finished",
    "events stats": "2026-01-31 18:00:00 to 2026-01-31 18:00:22",
    "replay": "2026-01-31 18:00:00  run_started",
    "explain": "It began at 2026-01-31 18:00:04:",
    "checkpoints show": "updated    2026-01-31 18:00:22, 1 hour ago",
}


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """The story, cooked and read in Tokyo, nine hours before Greenwich."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    built = settle(tmp_path, monkeypatch)
    told(built, RUN)
    yield built
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize("command", PRINTED)
def test_people_read_local_times(house: House, command: str) -> None:
    """By the clock on their wall; how long ago, where it matters when a run last did something."""
    step = ["build.flaky"] if command == "explain" else []
    shown = piped(*command.split(), RUN, *step).out
    assert (PRINTED[command] in shown, "09:00" in shown.replace("due=2026-01-31T09:00:10.000000Z", "")) == (True, False)


def test_documents_have_utc(house: House) -> None:
    """The times of the log, as they stand there."""
    document = json.loads(piped("events", "ls", RUN, "--json").out)
    explanation = json.loads(piped("explain", RUN, "build.greet", "--json").out)["explanation"]
    assert (document["events"][0]["time"], explanation["sentences"][0]) == (
        "2026-01-31T09:00:00.000000Z",
        "It began at 2026-01-31 09:00:00 UTC: it is the first step of build.",
    )
