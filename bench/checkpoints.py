"""Commands that look at checkpoints, where there are many runs and where one is long."""

from collections.abc import Iterator
from statistics import median

from bench.logs import LoggedRun
from bench.place import PRODIGY, Place
from bench.report import Row

LIST_S_MAX = 1.0
SHOW_S_MAX = 2.0

_EVENTS_PER_STEP = 4
_LONG = "long-000001"
_ATTEMPTS = 10  # of each of its steps, for a workflow has no room for so many steps


def measure_list(place: Place, *, runs: int, steps: int, rounds: int) -> Iterator[Row]:
    """Yield how long it takes to list the runs of a project, for people and for programs."""
    workflow = place.project / place.workflow(steps)
    for number in range(runs):
        run = LoggedRun(place.project, workflow, f"listed-{number:06}")
        run.play(lambda spawn: 0, events=steps * _EVENTS_PER_STEP)
        run.checkpoint()
        run.close()
    for words in (("list",), ("list", "--verbose"), ("list", "--json")):
        yield _row(place, words, f"{runs:,} runs of {steps} steps", limit=LIST_S_MAX, rounds=rounds)


def measure_long(place: Place, *, events: int, rounds: int) -> Iterator[Row]:
    """Yield how long it takes to show the last version but one of a long log, and to list all of them."""
    steps = events // (3 * _ATTEMPTS + 1) + 2  # so that it does not come to its end
    workflow = place.project / "long.yaml"
    workflow.write_text(f'- shell: "true"\n  retry: {_ATTEMPTS - 1}\n' * steps)
    run = LoggedRun(place.project, workflow, _LONG)
    count = run.play(lambda spawn: int(spawn.attempt < _ATTEMPTS), events=events)
    run.checkpoint()
    run.close()
    for words in (("show", _LONG, "--version", str(steps - 3)), ("list", "--workflow-id", _LONG)):
        yield _row(place, words, f"a log of {count:,} events", limit=SHOW_S_MAX, rounds=rounds)


def _row(place: Place, words: tuple[str, ...], of: str, *, limit: float, rounds: int) -> Row:
    command = (PRODIGY, "checkpoints", *words)
    shown = " ".join(word for word in words if word != _LONG)
    value = median(place.timed(command) for _ in range(rounds))
    return Row(what=f"checkpoints {shown}: {of}", value=value, unit="s", limit=limit)
