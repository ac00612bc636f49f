"""A log in numbers: how many events of each type, and per step its attempts, retries, time and cost.

Records are taken as they were logged, so even a log that can no longer be folded can be counted.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from prodigy.kernel.ledger import BOOKED, rounded
from prodigy.projections.costs import BOOKINGS

_ENDINGS = ("command_finished", "command_interrupted")


class StepStatistics(msgspec.Struct, kw_only=True):
    """What one step took, all its attempts together. `cost_usd` adds up what is known of it."""

    at: str
    attempts: int = 0
    failed: int = 0
    interrupted: int = 0
    retries: int = 0
    duration_s: float = 0.0
    longest_s: float = 0.0
    cost_usd: float = 0.0
    attempts_of_unknown_cost: int = 0


class Statistics(msgspec.Struct, kw_only=True):
    """A log in numbers. `first` and `last` are times, empty without any event; `steps` come longest first."""

    events: int = 0
    first: str = ""
    last: str = ""
    types: dict[str, int] = {}
    attempts: int = 0
    failed: int = 0
    interrupted: int = 0
    retries: int = 0
    resumes: int = 0
    duration_s: float = 0.0
    cost_usd: float = 0.0
    attempts_of_unknown_cost: int = 0
    steps: list[StepStatistics] = []


def statistics(records: Iterable[dict[str, Any]]) -> Statistics:
    """Return what records come to; each record is an event as logged."""
    total, steps = Statistics(), dict[str, StepStatistics]()
    claudes: set[str] = set()
    for record in records:
        kind = str(record["type"])
        total.events += 1
        total.first, total.last = total.first or record["time"], record["time"]
        total.types[kind] = total.types.get(kind, 0) + 1
        at = str(record.get("at", ""))
        if kind == "command_started" and str(record.get("command", "")).startswith("claude:"):
            claudes.add(at)
        elif kind in _ENDINGS:
            _count_attempt(steps.setdefault(at, StepStatistics(at=at)), record)
        elif kind == "retry_scheduled":
            steps.setdefault(at, StepStatistics(at=at)).retries += 1
        if kind in BOOKINGS and record.get("cost_kind") != BOOKED:
            step = steps.setdefault(at, StepStatistics(at=at))
            _count_cost(step, record.get("cost_usd"), is_claude=at in claudes)
    total.types = dict(sorted(total.types.items(), key=lambda entry: (-entry[1], entry[0])))
    total.steps = sorted(steps.values(), key=lambda step: (-step.duration_s, step.at))
    return _summed(total)


def _count_attempt(step: StepStatistics, record: dict[str, Any]) -> None:
    took_s = float(record.get("duration_s", 0.0))
    step.attempts += 1
    step.failed += record.get("error") is not None
    step.interrupted += record["type"] == "command_interrupted"
    step.duration_s += took_s
    step.longest_s = max(step.longest_s, took_s)


def _count_cost(step: StepStatistics, cost_usd: float | None, *, is_claude: bool) -> None:
    step.cost_usd = rounded(step.cost_usd + (cost_usd or 0.0))
    step.attempts_of_unknown_cost += is_claude and cost_usd is None


def _summed(total: Statistics) -> Statistics:
    """Fill in what is the sum of the steps."""
    for field in ("attempts", "failed", "interrupted", "retries", "duration_s", "cost_usd", "attempts_of_unknown_cost"):
        setattr(total, field, sum(getattr(step, field) for step in total.steps))
    total.cost_usd = rounded(total.cost_usd)
    total.resumes = total.types.get("run_resumed", 0)
    return total
