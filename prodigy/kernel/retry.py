"""How often a node is tried, and how long it waits between."""

from datetime import UTC, datetime, timedelta
from hashlib import blake2b

from prodigy.kernel.counts import count_of
from prodigy.kernel.outcome import Outcome
from prodigy.kernel.scope import lookup_in
from prodigy.kernel.state import State
from prodigy.plan.nodes import Backoff, Node, Retry

ATTEMPTS_MAX = 1001
_EXPONENT_MAX = 64


def attempts_allowed(state: State, node: Node) -> int:
    """Return how many attempts the present budget of a node has, the first included.

    `--max-retries` replaces every count, and gives retries to a step without any only where resume began with it.
    """
    retry = node.policy.retry
    if state.max_retries is not None and (retry or state.node(node.address).reopened):
        return state.max_retries + 1
    if retry is None:
        return 1
    try:
        return attempts_of(state, node, retry)
    except ValueError:
        return 1


def attempts_of(state: State, node: Node, retry: Retry) -> int:
    """Return how many attempts `retry` asks for now.

    Raises:
        ValueError: a template that is no number from 0 to 1000, or for all attempts none from 1 to 1001.
    """
    if isinstance(retry.attempts, int):
        return retry.attempts
    first = int(retry.is_further)  # the attempt that the template does not count
    lookup = lookup_in(state, node.address)
    return first + count_of(retry.attempts, lookup, name="retry", least=1 - first, most=ATTEMPTS_MAX - first)


def is_retried(node: Node, outcome: Outcome) -> bool:
    """Whether `retry_on` wants this failure tried again; without it every failure is."""
    wanted = node.policy.retry.retry_on if node.policy.retry else ()
    return not wanted or any(_matches(condition, outcome) for condition in wanted)


def delay_before(node: Node, *, tries: int) -> float:
    """Return the delay after `tries` failed attempts of a budget, in seconds; deterministic, so replay agrees."""
    retry = node.policy.retry or Retry()
    factor = _factor(retry.backoff, tries)
    delay_s = min(retry.initial_delay_s * factor, retry.max_delay_s)
    if retry.jitter:
        seed = blake2b(f"{node.address}#{tries}".encode(), digest_size=4).digest()
        delay_s *= 0.5 + int.from_bytes(seed, "big") / 2**33
    return delay_s


def due_at(time: str, delay_s: float) -> str:
    """Return the moment `delay_s` after `time`, in the log's form; the far future is its last day."""
    try:
        due = datetime.fromisoformat(time) + timedelta(seconds=delay_s)
    except OverflowError:
        due = datetime.max.replace(tzinfo=UTC)
    return due.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def remaining_s(now: str, *, due: str, delay_s: float) -> float:
    """Return what is left of a wait, never more than all of it whatever the clock did."""
    try:
        left = (datetime.fromisoformat(due) - datetime.fromisoformat(now)).total_seconds()
    except (ValueError, TypeError):  # a log that was edited may hold anything for a time
        return delay_s
    return min(max(left, 0.0), delay_s)


def elapsed_s(start: str, end: str) -> float:
    """Return the seconds from one moment to another, 0 where the clock went back or either is no moment."""
    try:
        return max(0.0, (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds())
    except (ValueError, TypeError):  # one is empty, or a log that was edited holds anything
        return 0.0


def _matches(condition: int | str, outcome: Outcome) -> bool:
    if isinstance(condition, int):
        return outcome.exit_code == condition
    if condition == "timeout":
        return outcome.is_timeout
    if condition == "killed":
        return outcome.signal is not None and not outcome.is_timeout
    return condition in outcome.failure


def _factor(backoff: Backoff, tries: int) -> float:
    match backoff:
        case "fixed":
            return 1.0
        case "linear":
            return float(tries)
        case "exponential":
            return 2.0 ** min(tries - 1, _EXPONENT_MAX)
        case "fibonacci":
            a, b = 1.0, 1.0
            for _ in range(min(tries - 1, _EXPONENT_MAX)):
                a, b = b, a + b
            return a
