"""Measure everything, print it as a table, keep it as JSON: `python -m bench [--quick] [PART …]`."""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from bench import checkpoints, compiling, items, opening, resume, startup, steps
from bench.place import Place, new_place
from bench.report import Row, load_average, report, table, wait_for_rest, write

RESULTS = Path(__file__).resolve().parent / "results"

Part = Callable[[Place, bool], Iterator[Row]]


def main(arguments: Sequence[str] | None = None, *, results: Path = RESULTS) -> None:
    """Measure the parts that were asked for, all of them without a word."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller and fewer: a look, no verdict")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}")
    chosen = parser.parse_args(arguments)
    unknown = set(chosen.parts) - PARTS.keys()
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    if not chosen.quick:
        print(wait_for_rest(), file=sys.stderr)
    load_before, rows = load_average(), list[Row]()
    with ExitStack() as places:  # removed at the end: after many files were removed, ext4 is slow to make new ones
        for name in chosen.parts or PARTS:
            print(f"measuring {name} …", file=sys.stderr)
            rows += PARTS[name](places.enter_context(new_place(results)), chosen.quick)
        finished = report(rows, load_before=load_before, quick=chosen.quick)
    print(table(rows))
    print(f"\nkept in {write(results, finished)}")


def _start_up(place: Place, quick: bool) -> Iterator[Row]:
    return startup.measure(place, rounds=5 if quick else 15)


def _steps(place: Place, quick: bool) -> Iterator[Row]:
    for count in (100,) if quick else (500, 2000):
        yield from steps.measure_cost(place, steps=count, rounds=5)
        yield steps.measure_checkpoints(place, steps=count, rounds=3)
    yield from steps.measure_output(place, steps=100 if quick else 500, rounds=3 if quick else 7)


def _compile(place: Place, quick: bool) -> Iterator[Row]:
    return compiling.measure(steps=100 if quick else 1000, rounds=3 if quick else 7)


def _growth(place: Place, quick: bool) -> Iterator[Row]:
    sizes = (50, 500) if quick else (100, 1000, 10_000)
    return steps.measure_growth(place, sizes=sizes, rounds=1 if quick else 2)


def _resume(place: Place, quick: bool) -> Iterator[Row]:
    return resume.measure(place, steps=1000 if quick else 10_000, rounds=3 if quick else 5)


def _map(place: Place, quick: bool) -> Iterator[Row]:
    for count in (100,) if quick else (1000, 10_000):
        yield from items.measure_cost(place, items=count, rounds=5)


def _map_growth(place: Place, quick: bool) -> Iterator[Row]:
    return items.measure_growth(place, sizes=(50, 500) if quick else (1000, 10_000, 100_000))


def _map_resume(place: Place, quick: bool) -> Iterator[Row]:
    return items.measure_resume(place, items=500 if quick else 10_000)


def _checkpoints(place: Place, quick: bool) -> Iterator[Row]:
    rounds = 1 if quick else 3
    yield from checkpoints.measure_list(place, runs=20 if quick else 1000, steps=10 if quick else 100, rounds=rounds)
    yield from checkpoints.measure_long(place, events=2000 if quick else 100_000, rounds=rounds)
    yield from checkpoints.measure_large(place, steps=50 if quick else 500, rounds=rounds)


def _million(place: Place, quick: bool) -> Iterator[Row]:
    return opening.measure(place, events=100_000 if quick else 1_000_000, rounds=3)


PARTS: dict[str, Part] = {
    "start-up": _start_up,
    "compile": _compile,
    "steps": _steps,
    "growth": _growth,
    "resume": _resume,
    "map": _map,
    "map-growth": _map_growth,
    "map-resume": _map_resume,
    "checkpoints": _checkpoints,
    "million": _million,
}

if __name__ == "__main__":
    main()
