"""Items of a map, ten at once: what each costs beside a ten-slot loop of spawns, how that grows, and how soon a map
that was killed goes on.

A program's cost of an item is what a map of N items takes longer than one of one item, by N - 1.
"""

import os
import select
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from math import isnan
from pathlib import Path
from statistics import median

from bench.measure import Series, exponent, forgiving, in_turns, ratio
from bench.place import PRODIGY, Place
from bench.report import Row
from bench.rivals import PARALLEL, Command, rivals_at_once
from prodigy.runtime.processes.orphans import end_marked

ITEM_TIMES_MAX = 1.8
ITEM_TIMES_AIM = 1.7
EXPONENT_MAX = 1.05
MEMORY_MB_MAX = 150.0
FIRST_ITEM_S_MAX = 0.5
FIRST_ITEM_S_AIM = 0.3
PATIENCE_S = 600.0

Prepare = Callable[[Place, int], Command]

_FLOOR = f"a loop of posix_spawn, {PARALLEL} at once"
_SYNCED = "prodigy, synced log"
_UNSYNCED = "prodigy --durability process"
_WORKFLOW = """\
name: items
mode: mapreduce
map:
  input: items-{items}.txt
  max_parallel: {parallel}
  agent_template:
    - shell: "{script}"
"""


def measure_cost(place: Place, *, items: int, rounds: int) -> Iterator[Row]:
    """Yield what one of `items` items costs in each program, beside the floor."""
    found = rivals_at_once()
    programs: dict[str, Prepare] = {_SYNCED: _prodigy, _UNSYNCED: _unsynced}
    programs |= {name: prepare for name, prepare in found.items() if prepare}
    measures: dict[str, Callable[[], float]] = {_FLOOR: lambda: spawn_loop(items)}
    for name, prepare in programs.items():
        measure = partial(_cost, place, prepare, items)
        measures[name] = forgiving(measure) if name in found else measure
    yield from _rows(in_turns(measures, rounds=rounds), items)
    for name in found.keys() - programs.keys():
        yield Row(what=f"{items:,} items: {name}", value=0, unit="", note="not installed: skipped")


def measure_growth(place: Place, *, sizes: Sequence[int]) -> Iterator[Row]:
    """Yield how the processor time of all items grows with their number, and what the largest map takes and leaves."""
    seconds, spent, memory_mb = list[float](), list[float](), 0.0
    for size in sizes:
        start, own, _ = _run(place, _prodigy(place, 1))
        taken, busy, memory_mb = _run(place, _prodigy(place, size))
        seconds.append(taken - start)
        spent.append(busy - own)
    each = [
        f"{size:,}: {busy / size * 1000:.2f} ({taken / size * 1000:.2f})"
        for size, busy, taken in zip(sizes, spent, seconds, strict=True)
    ]
    yield Row(
        what=f"growth from {sizes[0]:,} to {sizes[-1]:,} items, processor time",
        value=exponent(sizes, spent),
        unit="exponent",
        limit=EXPONENT_MAX,
        note=f"ms per item, its command's too (and by the clock), at {', '.join(each)}",
    )
    yield Row(what=f"{sizes[-1]:,} items: most memory", value=memory_mb, unit="MB", limit=MEMORY_MB_MAX)
    newest = max(_runs(place), key=lambda folder: folder.stat().st_mtime)
    left = sum(1 for _ in newest.joinpath("outputs").iterdir())
    yield Row(what=f"{sizes[-1]:,} items that print nothing: files left", value=left, unit="files", limit=0)


def measure_resume(place: Place, *, items: int) -> Iterator[Row]:
    """Yield when the first new item of a map that was killed at 90 % runs, and how many items run again."""
    os.mkfifo(place.project / "pipe")
    done = items * 9 // 10
    # Before the kill, after which `go` comes, the last tenth waits for it; then every item says that it runs.
    script = f"if [ -e go ]; then echo ran > pipe; elif [ ${{item_index}} -ge {done} ]; then sleep 600; fi"
    _kill(place, _workflow(place, items, script=script), at=done)
    (place.project / "go").touch()
    pipe = os.open(place.project / "pipe", os.O_RDWR)
    began = time.perf_counter()
    process = place.begin([PRODIGY, "resume"])
    heard = b""
    select.select([pipe], [], [], PATIENCE_S)
    waited = time.perf_counter() - began
    while process.poll() is None or select.select([pipe], [], [], 0)[0]:
        if select.select([pipe], [], [], 0.1)[0]:
            heard += os.read(pipe, 1 << 16)
    process.communicate()
    os.close(pipe)
    assert process.returncode == 0, place.complaints
    again = len(heard.splitlines()) - (items - done)
    what = f"resume of {items:,} items, 90 % done"
    yield Row(
        what=f"{what}: first new item",
        value=waited,
        unit="s",
        limit=FIRST_ITEM_S_MAX,
        aim=FIRST_ITEM_S_AIM,
        note="from process start",
    )
    yield Row(what=f"{what}: items lost or run again that were settled", value=abs(again), unit="items", limit=0)


def spawn_loop(items: int) -> float:
    """Run `sh -c true` so many times, ten at once; return the seconds of one."""
    environment = dict(os.environ)
    begun = running = 0
    began = time.perf_counter()
    while begun < items or running:
        while running < PARALLEL and begun < items:
            os.posix_spawn("/bin/sh", ["sh", "-c", "true"], environment)
            begun, running = begun + 1, running + 1
        os.wait()
        running -= 1
    return (time.perf_counter() - began) / items


def _kill(place: Place, workflow: str, *, at: int) -> None:
    """Cook a map, kill the coordinator when `at` items are settled, and wait until its commands are gone too."""
    process = place.begin([PRODIGY, "cook", workflow])
    deadline = time.monotonic() + PATIENCE_S
    while _settled(place) < at:
        assert process.poll() is None and time.monotonic() < deadline, place.complaints
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    for folder in _runs(place):
        end_marked(folder, grace_s=0.0)


def _settled(place: Place) -> int:
    logs = [folder / "events-1.jsonl" for folder in _runs(place)]
    return sum(log.read_bytes().count(b'"type":"item_settled"') for log in logs if log.exists())


def _runs(place: Place) -> list[Path]:
    return list((place.project / ".prodigy" / "runs").glob("items-*"))


def _workflow(place: Place, items: int, *, script: str = "true") -> str:
    """Write a map of that many items and return its file's name."""
    listed = place.project / f"items-{items}.txt"
    listed.write_text("".join(f"item-{number}\n" for number in range(items)))
    path = place.project / f"map-{items}.yaml"
    path.write_text(_WORKFLOW.format(items=items, parallel=PARALLEL, script=script))
    return path.name


def _prodigy(place: Place, items: int) -> Command:
    return [PRODIGY, "cook", _workflow(place, items)]


def _unsynced(place: Place, items: int) -> Command:
    return [PRODIGY, "cook", "--durability", "process", _workflow(place, items)]


def _cost(place: Place, prepare: Prepare, items: int) -> float:
    one, many = prepare(place, 1), prepare(place, items)
    start = place.timed(one)
    return (place.timed(many) - start) / (items - 1)


def _run(place: Place, command: Command) -> tuple[float, float, float]:
    """Run a program to its end: its seconds, those of processors, and the most memory it or a command had, in MB."""
    began = time.perf_counter()
    process = place.begin(command)
    assert process.stdout, "it is a pipe"
    process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    process.stdout.close()
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, place.complaints
    return time.perf_counter() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def _rows(series: Series, items: int) -> Iterator[Row]:
    for name, values in series.items():
        if any(map(isnan, values)):
            yield Row(what=f"{items:,} items: {name}", value=0, unit="", note="it fails with so many: left out")
            continue
        yield Row(
            what=f"{items:,} items: {name}",
            value=ratio(series, name, _FLOOR),
            unit="times",
            limit=ITEM_TIMES_MAX if name == _SYNCED else None,
            aim=ITEM_TIMES_AIM if name == _SYNCED else None,
            note=f"{median(values) * 1000:.2f} ms per item",
        )
