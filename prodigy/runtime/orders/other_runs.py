"""Tell whoever cooks a workflow that it has an unfinished run."""

from prodigy.kernel.retry import elapsed_s
from prodigy.plan.phrases import ago, counted
from prodigy.store.overview import RunOverview

DAY_S = 86400


def about_unfinished(unfinished: list[RunOverview], time: str) -> str:
    """Return what to say of a workflow's unfinished runs, the last first, when it is cooked; nothing without any.

    Args:
        time: now, UTC, ISO 8601.
    """
    if not unfinished:
        return ""
    run, others = unfinished[0], len(unfinished) - 1
    more = f", and {counted(others, 'other run')} of this workflow" if others else ""
    if run.owner is not None:
        lead = f"{run.workflow_id} is live (process {run.owner.pid}){more}; this begins another run beside it"
        return f"{lead}. To stop that one: `prodigy stop {run.workflow_id}`"
    lead = f"{stood(run, time)} is unfinished{more}; this begins another run"
    return f"{lead}. To go on with that one: `prodigy resume {run.workflow_id}`"


def stood(run: RunOverview, time: str) -> str:
    """Return a run with how it stands and since when: `demo-k3x9f2 (failed 2 hours ago)`."""
    return f"{run.workflow_id} ({run.status} {ago(age_s(run, time))})"


def age_s(run: RunOverview, time: str) -> float:
    """Return how long ago anything last happened in a run, in seconds; 0 of a run that cannot be read."""
    if run.header is None:
        return 0.0
    return elapsed_s(run.header.timestamp, time)
