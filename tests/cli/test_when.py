"""People read local times, and how long ago something was; documents keep UTC."""

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from prodigy.cli.output.complaints import complain
from prodigy.cli.output.times import clock, dated, due, local, since, spoken
from prodigy.runtime import clock as runtime_clock
from prodigy.store.generation import was_cleaned
from prodigy.store.log import Log, Position
from tests.cli.looks import piped, settle, told
from tests.cli.made import House
from tests.cli.whole import everywhere

RUN = "story-000001"
PRINTED = {
    "events ls": "2026-01-31 18:00:04  command_finished",
    "events stats": "2026-01-31 18:00:00 to 2026-01-31 18:00:22",
    "replay": "2026-01-31 18:00:00  run_started",
    "explain": "It began at 18:00:04:",
    "status": "updated  18:00:22, 1 hour ago",
    "checkpoints show": "updated    18:00:22, 1 hour ago",
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


ZONES = {
    "half an hour beside the others": ("Asia/Kolkata", "2026-01-31T09:00:05.000000Z", "14:30:05"),
    "before the clocks went forward": ("Europe/Berlin", "2026-03-29T00:59:59.000000Z", "2026-03-29 01:59:59"),
    "after the clocks went forward": ("Europe/Berlin", "2026-03-29T01:00:00.000000Z", "2026-03-29 03:00:00"),
    "the hour that is there twice, first": ("Europe/Berlin", "2025-10-26T00:30:00.000000Z", "2025-10-26 02:30:00"),
    "the hour that is there twice, then": ("Europe/Berlin", "2025-10-26T01:30:00.000000Z", "2025-10-26 02:30:00"),
    "yesterday here, today in Greenwich": ("America/New_York", "2026-01-31T04:59:59.000000Z", "23:59:59 yesterday"),
    "today": ("America/New_York", "2026-01-31T05:00:00.000000Z", "00:00:00"),
    "the day before yesterday": ("UTC", "2026-01-29T23:59:59.000000Z", "2026-01-29 23:59:59"),
    "tomorrow": ("UTC", "2026-02-01T00:00:00.000000Z", "2026-02-01 00:00:00"),
}


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Go to a time zone, at eleven of the last of January in Greenwich."""
    everywhere(monkeypatch, runtime_clock, "now", lambda: "2026-01-31T11:00:00.000000Z")

    def go(name: str) -> None:
        monkeypatch.setenv("TZ", name)
        time.tzset()

    yield go
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize("case", ZONES)
def test_a_moment_is_told_by_the_clock_on_the_wall(zone: Callable[[str], None], case: str) -> None:
    """Whatever zone that hangs in: today needs no date, and of the night before one says yesterday."""
    name, moment, expected = ZONES[case]
    zone(name)
    assert clock(moment) == expected


def test_how_long_ago_counts_hours_and_no_clock_hands(zone: Callable[[str], None]) -> None:
    """Over a night in which the clocks went forward, too."""
    zone("Europe/Berlin")
    assert (since("2025-10-25T11:00:00.000000Z"), since("2026-01-31T09:59:59.000000Z")) == ("98 days ago", "1 hour ago")


@pytest.mark.parametrize("text", ["", "soon", "2026-13-45T00:00:00Z", "0001-01-01T00:00:00+14:00", "12", "9" * 5000])
def test_what_is_no_moment_is_shown_as_it_stands(zone: Callable[[str], None], text: str) -> None:
    """A log that was edited by hand may hold anything; no reader of it breaks off."""
    zone("America/New_York")
    assert (local(text), clock(text), since(text), dated(text), due(text)) == (text, text, "", text, text)


def test_a_time_without_a_zone_is_taken_as_local(zone: Callable[[str], None]) -> None:
    """As somebody writes it who edits a log."""
    zone("Asia/Tokyo")
    assert dated("2026-01-31T19:00:00") == "19:00:00, 1 hour ago"


def test_what_is_to_come_says_when_and_in_how_long(zone: Callable[[str], None]) -> None:
    """And what should have come already only when."""
    zone("Asia/Tokyo")
    assert [due(f"2026-01-31T{time}.000000Z") for time in ("11:00:05", "10:59:55")] == [
        "20:00:05, in 5.0 s",
        "19:59:55",
    ]


def test_an_error_names_its_moment_in_local_time(zone: Callable[[str], None]) -> None:
    """The store writes it as logs do, which programs get; what is quoted is left alone."""
    zone("Asia/Tokyo")
    at = "2026-01-31T09:00:05.123456Z"
    assert spoken(f"a was cleaned at {at}: gone; '{at}' ({at[:19]}Z)") == (
        f"a was cleaned at 18:00:05, 1 hour ago: gone; '{at}' (18:00:05, 1 hour ago)"
    )


def test_a_refusal_is_local_for_people_and_utc_for_programs(
    house: House, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a run that was cleaned: the same sentence, twice."""
    problem = was_cleaned(RUN, "2026-01-31T09:00:05.000000Z")
    monkeypatch.setattr(sys, "argv", ["prodigy", "status", "--json"])
    complain(problem)
    out, err = capsys.readouterr()
    assert (json.loads(out)["error"], err.splitlines()[0]) == (
        f"{RUN} was cleaned at 2026-01-31T09:00:05.000000Z: only its log is left",
        f"error: {RUN} was cleaned at 18:00:05, 1 hour ago: only its log is left",
    )


def test_a_log_with_times_that_are_none_is_read(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """By every command that shows one, without a traceback."""
    append = Log.append

    def timeless(log: Log, turn: Sequence[tuple[str, bytes]], *, sync: bool) -> Position:
        return append(log, [("long ago", body) for _, body in turn], sync=sync)

    monkeypatch.setattr(Log, "append", timeless)
    told(house, "story-000002")
    house.project.checkpoint("story-000002").unlink()
    shown = {
        command: piped(*command.split(), "story-000002", *(["build.flaky"] if command == "explain" else []))
        for command in PRINTED
    }
    assert {command: (said.code, "long ago" in said.out) for command, said in shown.items()} == dict.fromkeys(
        PRINTED, (0, True)
    )
