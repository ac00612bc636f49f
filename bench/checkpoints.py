"""Commands that look at checkpoints, where there are many runs and where one is long."""

import resource
from collections.abc import Iterator
from statistics import median

import msgspec

from bench.logs import LoggedRun
from bench.place import PLAYER, PRODIGY, Place
from bench.player import Share
from bench.report import Row

LIST_S_MAX = 0.5
LIST_S_AIM = 0.2
SHOW_S_MAX = 2.0
SHARE_PERCENT_MAX = 3.0
SHARE_PERCENT_AIM = 1.0

_EVENTS_PER_STEP = 4
_LONG = "long-000001"
_MEGABYTE = "head -c 1048576 /dev/zero | tr '\\0' x"
_ATTEMPTS = 10  # of each of its steps, for a workflow has no room for so many steps


def measure_list(place: Place, *, runs: int, steps: int, rounds: int) -> Iterator[Row]:
    """Yield how long it takes to list the runs of a project, for people and for programs."""
    workflow = place.project / place.workflow(steps)
    for number in range(runs):
        run = LoggedRun(place.project, workflow, f"listed-{number:06}")
        run.play(lambda spawn: 0, events=steps * _EVENTS_PER_STEP)
        run.checkpoint()
        run.close()
    for words in (("checkpoints", "list"), ("checkpoints", "list", "--verbose"), ("checkpoints", "list", "--json")):
        yield _row(place, words, f"{runs:,} runs of {steps} steps", limit=LIST_S_MAX, aim=LIST_S_AIM, rounds=rounds)


def measure_long(place: Place, *, events: int, rounds: int) -> Iterator[Row]:
    """Yield how long it takes to show the last version but one of a long log, and to list all of them."""
    steps = events // (3 * _ATTEMPTS + 1) + 2  # so that it does not come to its end
    workflow = place.project / "long.yaml"
    workflow.write_text(f'- shell: "true"\n  retry: {_ATTEMPTS - 1}\n' * steps)
    run = LoggedRun(place.project, workflow, _LONG)
    count = run.play(lambda spawn: int(spawn.attempt < _ATTEMPTS), events=events)
    run.checkpoint()
    run.close()
    looks = (
        ("checkpoints", "show", _LONG, "--version", str(steps - 3)),
        ("checkpoints", "list", "--workflow-id", _LONG),
        ("replay", _LONG, "--until", str(count)),
    )
    for words in looks:
        yield _row(place, words, f"a log of {count:,} events", limit=SHOW_S_MAX, rounds=rounds)


def measure_large(place: Place, *, steps: int, rounds: int) -> Iterator[Row]:
    """Yield the share that checkpoints take of a run whose variables hold 10 MB."""
    workflow = place.project / "large.yaml"
    captures = "".join(f"- shell: {_MEGABYTE}\n  capture: c{number}\n" for number in range(10))
    workflow.write_text(captures + '- shell: "true"\n' * steps)
    command = [*PLAYER, "time-checkpoints", "cook", str(workflow)]
    shares = [msgspec.json.decode(place.answer(command).splitlines()[-1], type=Share) for _ in range(rounds)]
    yield Row(
        what=f"share of checkpoints: 10 MB in variables, {steps} steps",
        value=median(100 * share.seconds / share.of_s for share in shares),
        unit="%",
        limit=SHARE_PERCENT_MAX,
        aim=SHARE_PERCENT_AIM,
    )


def _row(place: Place, words: tuple[str, ...], of: str, *, limit: float, aim: float | None = None, rounds: int) -> Row:
    command = (PRODIGY, *words)
    shown = " ".join(word for word in words if word != _LONG)
    taken = [(_busy(), place.timed(command), _busy()) for _ in range(rounds)]
    value = median(after - before for before, _, after in taken)
    note = f"of processors; {median(wall for _, wall, _ in taken):.2f} s by the clock"
    return Row(what=f"{shown}: {of}", value=value, unit="s", limit=limit, aim=aim, note=note)


def _busy() -> float:
    """Return the seconds of processors that our children have taken."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
