"""Steps one after another: what each costs beside a bare loop of spawns, and how that grows with their number.

A program's cost of a step is what a run of N steps takes longer than a run of one, by N - 1: start-up is measured
elsewhere, everything else (reading the workflow, the log, the display, checkpoints) is in it.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from math import isnan
from statistics import median

import msgspec

from bench.measure import Series, exponent, forgiving, in_turns, ratio
from bench.place import PLAYER, PRODIGY, Place
from bench.player import Share
from bench.report import Row
from bench.rivals import Command, rivals

STEP_TIMES_MAX = 1.8
STEP_TIMES_AIM = 1.6
OUTPUT_MS_MAX = 0.1
OUTPUT_MS_AIM = 0.05
CHECKPOINT_PERCENT_MAX = 3.0
CHECKPOINT_PERCENT_AIM = 1.0
EXPONENT_MAX = 1.05

Prepare = Callable[[Place, int], Command]

_LINE = "x" * 199
_FLOOR = "a loop of posix_spawn"
_SYNCED = "prodigy, synced log"
_UNSYNCED = "prodigy --durability process"
_NO_CHECKPOINTS = "prodigy without checkpoints"


def measure_cost(place: Place, *, steps: int, rounds: int) -> Iterator[Row]:
    """Yield what one of `steps` steps costs in each program, beside the floor."""
    programs: dict[str, Prepare] = {
        _SYNCED: _prodigy,
        _UNSYNCED: _unsynced,
        _NO_CHECKPOINTS: _without_checkpoints,
    }
    found = rivals()
    programs |= {name: prepare for name, prepare in found.items() if prepare}
    measures: dict[str, Callable[[], float]] = {_FLOOR: lambda: spawn_loop(steps)}
    for name, prepare in programs.items():
        measure = partial(_cost, place, prepare, steps)
        measures[name] = forgiving(measure) if name in found else measure
    series = in_turns(measures, rounds=rounds)
    yield from _rows(series, steps)
    for name in found.keys() - programs.keys():
        yield Row(what=f"{steps} steps: {name}", value=0, unit="", note="not installed: skipped")


def measure_output(place: Place, *, steps: int, rounds: int) -> Iterator[Row]:
    """Yield what a step costs more that prints 200 bytes, and one that captures them, than one that prints nothing."""
    scripts = {
        "prints nothing": f'": {_LINE}"',
        "prints 200 bytes": f'"echo {_LINE}"',
        "captures 200 bytes": f'"echo {_LINE}"\n  capture: line',
    }

    def prepared(name: str) -> Prepare:
        return lambda place, count: [PRODIGY, "cook", place.written(f"- shell: {scripts[name]}\n" * count)]

    series = in_turns({name: partial(_cost, place, prepared(name), steps) for name in scripts}, rounds=rounds)
    for name in list(scripts)[1:]:
        more = median(value - base for value, base in zip(series[name], series["prints nothing"], strict=True))
        yield Row(
            what=f"{steps} steps: one that {name}, beyond one that prints nothing",
            value=more * 1000,
            unit="ms",
            limit=OUTPUT_MS_MAX,
            aim=OUTPUT_MS_AIM,
            note=f"{median(series['prints nothing']) * 1000:.2f} ms for that",
        )


def measure_checkpoints(place: Place, *, steps: int, rounds: int) -> Row:
    """Return the share of a run that its checkpoint writer works or waits for the disk, beside it in a thread."""
    command = [*PLAYER, "time-checkpoints", "cook", place.workflow(steps)]
    shares = [msgspec.json.decode(place.answer(command).splitlines()[-1], type=Share) for _ in range(rounds)]
    return Row(
        what=f"{steps} steps: share of checkpoints",
        value=median(100 * share.seconds / share.of_s for share in shares),
        unit="%",
        limit=CHECKPOINT_PERCENT_MAX,
        aim=CHECKPOINT_PERCENT_AIM,
        note="of the time; its thread works beside the run, which only waits for the last one",
    )


def measure_growth(place: Place, *, sizes: Sequence[int], rounds: int) -> Iterator[Row]:
    """Yield how the cost of all steps grows with their number, and the most of them."""
    measures = {str(size): partial(_extra, place, _prodigy, size) for size in sizes}
    series = in_turns(measures, rounds=rounds)
    medians = [median(series[str(size)]) for size in sizes]
    each = ", ".join(f"{size:,}: {value / size * 1000:.2f}" for size, value in zip(sizes, medians, strict=True))
    yield Row(
        what=f"growth from {sizes[0]:,} to {sizes[-1]:,} steps",
        value=exponent(sizes, medians),
        unit="exponent",
        limit=EXPONENT_MAX,
        note=f"ms per step at {each}",
    )


def spawn_loop(steps: int) -> float:
    """Start `sh -c true` and wait for it, `steps` times; return the seconds of one."""
    return _loop(steps) / steps


def _loop(steps: int) -> float:
    environment = dict(os.environ)
    began = time.perf_counter()
    for _ in range(steps):
        os.waitpid(os.posix_spawn("/bin/sh", ["sh", "-c", "true"], environment), 0)
    return time.perf_counter() - began


def _prodigy(place: Place, steps: int) -> Command:
    return [PRODIGY, "cook", place.workflow(steps)]


def _unsynced(place: Place, steps: int) -> Command:
    return [PRODIGY, "cook", "--durability", "process", place.workflow(steps)]


def _without_checkpoints(place: Place, steps: int) -> Command:
    return [*PLAYER, "no-checkpoints", "cook", place.workflow(steps)]


def _cost(place: Place, prepare: Prepare, steps: int) -> float:
    return _extra(place, prepare, steps) / (steps - 1)


def _extra(place: Place, prepare: Prepare, steps: int) -> float:
    """Return the seconds that a run takes longer than a run of one step."""
    one, many = prepare(place, 1), prepare(place, steps)
    start = place.timed(one)
    return place.timed(many) - start


def _rows(series: Series, steps: int) -> Iterator[Row]:
    for name, values in series.items():
        if any(map(isnan, values)):
            yield Row(what=f"{steps} steps: {name}", value=0, unit="", note="it fails with so many: left out")
            continue
        yield Row(
            what=f"{steps} steps: {name}",
            value=ratio(series, name, _FLOOR),
            unit="times",
            limit=STEP_TIMES_MAX if name == _SYNCED else None,
            aim=STEP_TIMES_AIM if name == _SYNCED else None,
            note=f"{median(values) * 1000:.2f} ms per step",
        )
