"""A log of a million events: how fast it opens, and in how much memory."""

import sys
from collections.abc import Iterator
from statistics import median

import msgspec

from bench.logs import LoggedRun
from bench.opener import Opened
from bench.place import Place
from bench.report import Row

EVENTS_PER_S_MIN = 200_000.0
EVENTS_PER_S_AIM = 400_000.0
PEAK_MB_MAX = 400.0

_RUN = "million-000001"
_STEPS_MAX = 10_000
_ATTEMPTS = 33
_EVENTS_PER_ATTEMPT = 3  # started, finished, retry scheduled
_TAIL_EVENTS = 1000


def measure(place: Place, *, events: int, rounds: int) -> Iterator[Row]:
    """Yield the speed and the memory of opening a log, alone and from a checkpoint shortly before its end."""
    made = _write(place, events)
    alone = [_open(place, "log") for _ in range(rounds)]
    tail = [_open(place, "tail") for _ in range(rounds)]
    assert {opened.events for opened in alone + tail} == {made}, "not all of the log was read"
    yield Row(
        what=f"log of {made:,} events, opened from the log alone",
        value=median(made / opened.seconds for opened in alone),
        unit="events/s",
        limit=EVENTS_PER_S_MIN,
        aim=EVENTS_PER_S_AIM,
        at_least=True,
        note=f"{median(opened.seconds for opened in alone):.2f} s, every line's chain checked",
    )
    yield Row(
        what="the same: peak memory",
        value=max(opened.peak_mb for opened in alone),
        unit="MB",
        limit=PEAK_MB_MAX,
    )
    yield Row(
        what=f"the same from a checkpoint, {_TAIL_EVENTS:,} events before its end",
        value=median(made / opened.seconds for opened in tail),
        unit="events/s",
        note=f"{median(opened.seconds for opened in tail):.2f} s: every line is still checked, only the tail decoded",
    )


def _write(place: Place, events: int) -> int:
    """Write the log of a run whose steps fail many times, for a plan has at most 10,000 steps."""
    steps = min(_STEPS_MAX, events // (_ATTEMPTS * _EVENTS_PER_ATTEMPT) + 2)
    step = f'- shell: "true"\n  retry: {_ATTEMPTS - 1}\n'
    workflow = place.project / "million.yaml"
    workflow.write_text(step * steps)
    run = LoggedRun(place.project, workflow, _RUN)
    run.play(lambda spawn: int(spawn.attempt < _ATTEMPTS), events=events - _TAIL_EVENTS)
    run.checkpoint()
    made = run.play(lambda spawn: int(spawn.attempt < _ATTEMPTS), events=events)
    run.close()
    return made


def _open(place: Place, how: str) -> Opened:
    printed = place.answer([sys.executable, "-m", "bench.opener", str(place.project), _RUN, how])
    return msgspec.json.decode(printed, type=Opened)
