"""How a run ended: the answer of `cook` and `resume`, and their exit code."""

from collections.abc import Iterator
from typing import Any

from prodigy.cli.job import job_lines
from prodigy.cli.kept_output import last_output
from prodigy.cli.output.advice import advice
from prodigy.cli.output.advice import document as advised
from prodigy.cli.output.answers import print_json
from prodigy.cli.output.columns import MARGIN, columns_of_terminal, folded
from prodigy.cli.output.costs import cost_of
from prodigy.cli.output.formatting import duration
from prodigy.cli.program import from_here
from prodigy.errors import ExitCode
from prodigy.kernel.budget import limit_of
from prodigy.kernel.queries import worked_s
from prodigy.kernel.state import State
from prodigy.plan.phrases import portion
from prodigy.projections.checkpoint import map_progress
from prodigy.projections.failure import failure_of, reason_of
from prodigy.projections.next_steps import rest_of
from prodigy.projections.steps import steps_of
from prodigy.runtime.terminal import visible
from prodigy.store.layout import RunFolder

REST_SHOWN_MIN_S = 1.0
_BY_SIGNAL = {
    "SIGINT": ExitCode.INTERRUPT,
    "SIGTERM": ExitCode.TERMINATE,
    "SIGHUP": ExitCode.HANGUP,
    "SIGQUIT": ExitCode.QUIT,
}


def exit_code(state: State) -> ExitCode:
    """Return the exit code that says how a run ended."""
    match state.status:
        case "completed":
            return ExitCode.DEAD_LETTERS if _dead(state) else ExitCode.COMPLETED
        case "paused":
            return ExitCode.PAUSED
        case "interrupted":
            return _BY_SIGNAL.get(state.stopping or "", ExitCode.INTERRUPT)
        case _:
            return ExitCode.FAILED


def print_summary(state: State, folder: RunFolder, *, json: bool, needs_trust: bool = False) -> None:
    """Print how the run ended, to stdout, and what to type next; `folder` is the run's."""
    if json:
        print_json(summary(state, needs_trust=needs_trust))
        return
    counts = _counts(state)
    line = f"{state.status}  {state.run.workflow_id}  {portion(counts['settled'], counts['total'], 'step')}"
    details = [f"{counts[word]} {word}" for word in ("failed", "handled", "skipped") if counts[word]]
    line += f" ({', '.join(details)})" if details else ""
    line += f"  {took(state)}"
    if cost := cost_of(state.ledger):
        line += f"  {cost}"
    columns = columns_of_terminal()
    lines = folded(line, columns, more=MARGIN)
    for text in _about(state, folder):
        lines += folded(text, columns, indent="  ", more=MARGIN)
    print("\n".join(lines + advice(rest_of(state, needs_trust=needs_trust), columns, indent="  ")))


def _about(state: State, folder: RunFolder) -> Iterator[str]:
    """Yield why a run did not complete, where what it said is kept, and how far its map is."""
    if state.status == "failed":
        yield f"{visible(state.failed_at or '')} failed: {visible(failure_of(state))}"
        if file := last_output(folder, state.culprit.output_file):
            yield f"its output: {visible(from_here(file))}"
    elif state.status in ("cancelled", "paused"):
        yield visible(reason_of(state))
    yield from job_lines(state)[:1]


def summary(state: State, *, needs_trust: bool = False) -> dict[str, Any]:
    """Return the document of `--json`."""
    run = state.run
    return {
        "schema_version": 1,
        "workflow_id": run.workflow_id,
        "workflow_path": run.workflow_path,
        "name": state.plan.name,
        "status": state.status,
        "exit_code": int(exit_code(state)),
        "steps": _counts(state),
        "map": map_progress(state),
        "failed_at": state.failed_at,
        "failure": state.failure or None,
        "cause": failure_of(state) or None,
        "started": run.started,
        "ended": state.time,
        "duration_s": worked_s(state),
        "rested_s": state.rested_s,
        "cost_usd": state.cost_usd,
        "parked_until": state.parked.due if state.parked else None,
        "budget_usd": limit_of(state),
        "wasted_usd": state.ledger.wasted_usd,
        "estimated_usd": state.ledger.estimated_usd,
        "attempts_of_unknown_cost": state.costs_unknown,
        "last_checkpoint": f"v{state.version}" if state.version else None,
    } | advised(rest_of(state, needs_trust=needs_trust))


def took(state: State, until: str = "") -> str:
    """Return how long a run worked, and how long it rested if it did: `12 s, and 3 m 05 s at rest`."""
    rest = f", and {duration(state.rested_s)} at rest" if state.rested_s >= REST_SHOWN_MIN_S else ""
    return f"{duration(worked_s(state, until))}{rest}"


def _dead(state: State) -> int:
    return sum(items.dead for items in state.maps.values())


def _counts(state: State) -> dict[str, int]:
    counts = {"total": 0, "settled": 0, "succeeded": 0, "handled": 0, "skipped": 0, "failed": 0}
    for step in steps_of(state):
        counts["total"] += 1
        if step.is_settled:
            counts["settled"] += 1
            counts[str(step.here.status)] += 1
    return counts
