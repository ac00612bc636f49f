"""How far a mapreduce job is: said before it goes on, and by `status`."""

from prodigy.cli.output.formatting import duration
from prodigy.cli.output.sentences import tell_beside
from prodigy.kernel.items import Items
from prodigy.kernel.retry import elapsed_s
from prodigy.kernel.state import State
from prodigy.plan.phrases import counted, portion
from prodigy.projections.checkpoint import map_progress
from prodigy.runtime.terminal import visible
from prodigy.store.catalog import read_run
from prodigy.store.layout import Project


def print_job(project: Project, workflow_id: str) -> None:
    """Print the state of a job to stderr; one that has not begun its map says so, a run that has none is no job."""
    run = read_run(project, workflow_id)
    if run.state is None:
        return
    nothing = "it has no map" if run.state.plan.map_at is None else "no items were listed yet"
    for line in job_lines(run.state) or [nothing]:
        tell_beside("     job  ", line)


def job_lines(state: State) -> list[str]:
    """Return how many items are done, failed, in flight and pending, and how fast it went; none without a map."""
    progress, items = map_progress(state), state.map_items
    if progress is None or items is None:
        return []
    if progress.total == 0:
        return [visible(f"0 items: {progress.note}") if progress.note else "0 items"]
    done = progress.succeeded + progress.skipped
    parts = [f"{portion(done, progress.total, 'item')} done"]
    if progress.dead_letters:
        parts.append(counted(progress.dead_letters, "dead letter"))
    waiting = (("failed", progress.failed), ("in flight", progress.in_flight), ("pending", progress.pending))
    parts += [f"{count} {word}" for word, count in waiting if count]
    return [", ".join(parts), *_pace(items, state.time, progress.pending + progress.in_flight)]


def _pace(items: Items, time: str, left: int) -> list[str]:
    """Return the rate in the latest life of the run and what it promises, while there are items left to say it of."""
    settled = len(items.settled) - items.settled_before
    took_s = elapsed_s(items.since, time)
    if left == 0 or settled <= 0 or took_s <= 0:
        return []
    rate = settled / took_s
    text = f"{rate:.1f} items a second" if rate >= 1 else f"{duration(1 / rate)} an item"
    return [f"{text}, about {duration(left / rate)} left"]
