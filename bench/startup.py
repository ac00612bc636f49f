"""Start-up: how long it takes until something happens, beside what Python and the libraries take alone."""

import sys
from collections.abc import Iterator
from functools import partial
from statistics import median

import msgspec

from bench.measure import in_turns, ratio
from bench.place import PLAYER, PRODIGY, Place
from bench.player import Share
from bench.report import Row

LOOKS = {"--version": 2.0, "--help": 6.0, "ps": 8.0, "status": 8.0}  # and how many times `python -c pass` each may take
COOK_TIMES_MAX = 1.35
COOK_TIMES_AIM = 1.15

_IMPORTS = "import typer, msgspec, yaml, asyncio"


def measure(place: Place, *, rounds: int) -> Iterator[Row]:
    """Yield how `prodigy --version` and a one-step `cook` compare, and what the syncs of the latter took."""
    workflow = place.workflow(1)
    commands = {
        "pass": [sys.executable, "-c", "pass"],
        **{words: [PRODIGY, words] for words in LOOKS},
        "imports": [sys.executable, "-c", _IMPORTS],
        "cook": [PRODIGY, "cook", workflow],
    }
    measures = {name: partial(place.timed, command) for name, command in commands.items()}
    place.timed(commands["cook"])  # so that there is a run to look at
    in_turns(measures, rounds=1)  # once for the byte code and the disk's cache
    series = in_turns(measures, rounds=rounds)
    medians = {name: median(values) for name, values in series.items()}
    for words, times_max in LOOKS.items():
        yield Row(
            what=f"prodigy {words}, to python -c pass",
            value=ratio(series, words, "pass"),
            unit="times",
            limit=times_max,
            note=f"{medians[words] * 1000:.0f} ms to {medians['pass'] * 1000:.0f} ms",
        )
    yield Row(
        what="cook of one step, to its imports",
        value=ratio(series, "cook", "imports"),
        unit="times",
        limit=COOK_TIMES_MAX,
        aim=COOK_TIMES_AIM,
        note=f"{medians['cook'] * 1000:.0f} ms to {medians['imports'] * 1000:.0f} ms: {_IMPORTS}",
    )
    yield _syncs(place, workflow, rounds=rounds)


def _syncs(place: Place, workflow: str, *, rounds: int) -> Row:
    counted = [_counted(place, workflow) for _ in range(rounds)]
    return Row(
        what="syncs of a one-step cook",
        value=median(syncs.seconds for syncs in counted) * 1000,
        unit="ms",
        note=f"{median(syncs.count for syncs in counted):.0f} syncs, part of the time above",
    )


def _counted(place: Place, workflow: str) -> Share:
    printed = place.answer([*PLAYER, "count-syncs", "cook", workflow])
    return msgspec.json.decode(printed.splitlines()[-1], type=Share)
