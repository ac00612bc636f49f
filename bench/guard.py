"""Count what noise cannot touch, and fail where a count has risen: `python -m bench.guard [--write]`.

A time depends on the machine and on who else is at work; a count does not. So what a step and an item take is counted:
system calls of the main thread, syncs, names in the run's folder, blocks of memory that stay in use. Each is the
difference between a run of many steps and one of few, so that start-up is not in it. `guard.json` has the counts that
must not be exceeded; a change that lowers one writes it anew in the same commit.

Where ten items run at once, how many end at one moment is chance, and with it how many turns and syncs there are:
`MARGINS` says by how much such a count may vary; so may the blocks, for caches grow when they like.
"""

import argparse
import platform
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec

from bench.place import PLAYER, Place, new_place
from bench.player import Share

KEPT = Path(__file__).with_name("guard.json")
FEW, MANY = 20, 120
SYNCS = ("fsync", "fdatasync")
# Of the C library's memory, of Python's lock and of names of temporary files: how often is chance.
UNSTEADY = ("brk", "mmap", "munmap", "madvise", "mremap", "futex", "sched_yield", "getrandom", "restart_syscall")
_NAP = "clock_nanosleep"  # between two looks whether a helper has ended, which is one `wait4` each
EXACT = 0.1  # what start-up makes of a hundred steps
MARGINS = {"blocks": 2.0, "item, ten at once: calls": 5.0, "item, ten at once: syncs": 0.5}

Counts = dict[str, float]


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """The counts that must not be exceeded, and where they were made: elsewhere Python and C take other calls."""

    where: str
    counts: Counts


_MAP = """\
name: items
mode: mapreduce
map:
  input: items.txt
  max_parallel: {parallel}
  agent_template:
    - shell: "true"
"""


def main(arguments: Sequence[str] | None = None, *, kept: Path = KEPT) -> None:
    """Count everything and compare it with what is kept; exit with 1 where something has risen."""
    parser = argparse.ArgumentParser(prog="python -m bench.guard", description=__doc__)
    parser.add_argument("--write", action="store_true", help="keep what is counted now")
    chosen = parser.parse_args(arguments)
    if shutil.which("strace") is None:
        print("NOT COUNTED: strace is not installed")
        return
    with new_place(Path(tempfile.gettempdir())) as place:
        counts = counted(place)
    if chosen.write:
        kept.write_bytes(msgspec.json.format(msgspec.json.encode(Kept(where=where(), counts=counts)), indent=2) + b"\n")
    before = msgspec.json.decode(kept.read_bytes(), type=Kept)
    print(*lines(counts, before.counts), sep="\n")
    if before.where != where():
        print(f"NOT COMPARED: what is kept was counted on {before.where}, this is {where()}")
    elif names := risen(counts, before.counts):
        sys.exit(f"RISEN: {', '.join(names)}; lower it, or say why it must rise and run `make bench-guard WRITE=1`")


def where() -> str:
    """Return what decides how many calls Python and the C library take for the same work."""
    version = ".".join(platform.python_version_tuple()[:2])
    return f"{sys.platform} {platform.machine()}, Python {version}, {' '.join(platform.libc_ver())}"


def counted(place: Place) -> Counts:
    """Return all counts by name."""
    found: Counts = {}
    _count(place, _steps(place, FEW, '- shell: "true"\n'))  # once for the byte code and the global folder
    for name, workflow in _WORKFLOWS.items():
        few, many = (_count(place, workflow(place, size)) for size in (FEW, MANY))
        found |= {f"{name}: {what}": round((many[what] - few[what]) / (MANY - FEW), 2) for what in many}
    return found


def _count(place: Place, workflow: str) -> Counts:
    """Cook a workflow and return what that took in all."""
    listing = place.folder / "calls"
    strace = ("strace", "-c", "-U", "name,calls", "-o", str(listing), "--")
    printed = place.answer([*strace, *PLAYER, "still", "cook", workflow])
    (run,) = (place.project / ".prodigy" / "runs").iterdir()
    names = sum(1 for _ in run.rglob("*"))
    shutil.rmtree(run)
    calls = read_strace(listing.read_text())
    return {
        "calls": sum(calls[name] for name in calls.keys() - {*UNSTEADY, _NAP}) - calls[_NAP],
        "syncs": sum(calls[name] for name in SYNCS),
        "names": names,
        "blocks": msgspec.json.decode(printed.splitlines()[-1], type=Share).count,
    }


def read_strace(listing: str) -> Counter[str]:
    """Return how often each system call was made, of what `strace -c -U name,calls` writes."""
    rows = (line.split() for line in listing.splitlines())
    return Counter({row[0]: int(row[1]) for row in rows if len(row) == 2 and row[1].isdigit() and row[0] != "total"})


def _steps(place: Place, size: int, step: str) -> str:
    path = place.project / "steps.yaml"
    path.write_text(step * size)
    return path.name


def _items(place: Place, size: int, parallel: int) -> str:
    (place.project / "items.txt").write_text("".join(f"item-{number}\n" for number in range(size)))
    path = place.project / "items.yaml"
    path.write_text(_MAP.format(parallel=parallel))
    return path.name


_WORKFLOWS: dict[str, Callable[[Place, int], str]] = {
    "step": lambda place, size: _steps(place, size, '- shell: "true"\n'),
    "step that prints": lambda place, size: _steps(place, size, '- shell: "echo a line"\n'),
    "step that captures": lambda place, size: _steps(place, size, '- shell: "echo a line"\n  capture: line\n'),
    "item": lambda place, size: _items(place, size, 1),
    "item, ten at once": lambda place, size: _items(place, size, 10),
}


def lines(counts: Counts, before: Counts) -> Iterator[str]:
    """Yield a table for people."""
    yield f"{'EACH':<40}{'NOW':>9}{'KEPT':>9}"
    for name, value in counts.items():
        yield f"{name:<40}{value:>9.2f}{before.get(name, float('nan')):>9.2f}"


def risen(counts: Counts, before: Counts) -> list[str]:
    """Return the names of the counts that are higher than what is kept, or that are not kept at all."""
    return [name for name, value in counts.items() if value > before.get(name, -1.0) + margin(name)]


def margin(name: str) -> float:
    """Return by how much a count may be higher than what is kept."""
    return MARGINS.get(name) or MARGINS.get(name.rpartition(": ")[2], EXACT)


if __name__ == "__main__":
    main()
