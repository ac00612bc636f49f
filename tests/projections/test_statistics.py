"""A log in numbers."""

from typing import Any

import msgspec

from prodigy.projections.statistics import StepStatistics, statistics


def records(*told: dict[str, Any]) -> list[dict[str, Any]]:
    """Return these as records, a second after each other."""
    return [{"seq": seq, "time": f"2026-01-31T09:00:{seq:02}Z", **record} for seq, record in enumerate(told, start=1)]


def started(at: str, command: str = "shell: x") -> dict[str, Any]:
    return {"type": "command_started", "at": at, "attempt": 1, "command": command}


def finished(at: str, duration_s: float, **more: Any) -> dict[str, Any]:
    return {"type": "command_finished", "at": at, "epoch": 1, "exit_code": 0, "duration_s": duration_s, **more}


def test_an_empty_log_has_nothing_to_count() -> None:
    """And no times."""
    told = statistics([])
    assert (told.events, told.first, told.last, told.types, told.steps) == (0, "", "", {}, [])


def test_events_are_counted_by_type_the_most_frequent_first() -> None:
    """Those of the same number by name."""
    told = statistics(records(started("a"), finished("a", 1.0), {"type": "run_resumed"}, started("a")))
    assert (list(told.types.items()), told.events, told.first, told.last, told.resumes) == (
        [("command_started", 2), ("command_finished", 1), ("run_resumed", 1)],
        4,
        "2026-01-31T09:00:01Z",
        "2026-01-31T09:00:04Z",
        1,
    )


def test_a_step_adds_up_its_attempts() -> None:
    """Failures, interruptions, retries, time and cost; the longest step comes first."""
    told = statistics(
        records(
            started("a"),
            finished("a", 1.0, error="boom", cost_usd=0.5),
            {"type": "retry_scheduled", "at": "a"},
            {"type": "command_interrupted", "at": "a", "epoch": 4, "duration_s": 3.0},
            finished("a", 2.0, cost_usd=0.25),
            finished("b", 10.0),
        )
    )
    assert told.steps == [
        StepStatistics(at="b", attempts=1, duration_s=10.0, longest_s=10.0),
        StepStatistics(
            at="a", attempts=3, failed=1, interrupted=1, retries=1, duration_s=6.0, longest_s=3.0, cost_usd=0.75
        ),
    ]


def test_the_run_is_the_sum_of_its_steps() -> None:
    """Of everything that steps have."""
    told = statistics(records(finished("a", 1.0, error="x"), finished("b", 2.0, cost_usd=1.0)))
    fields = msgspec.to_builtins(told)
    assert {name: fields[name] for name in ("attempts", "failed", "duration_s", "cost_usd")} == {
        "attempts": 2,
        "failed": 1,
        "duration_s": 3.0,
        "cost_usd": 1.0,
    }


def test_what_a_claude_attempt_cost_may_be_unknown() -> None:
    """A shell step costs nothing, which is known."""
    told = statistics(records(started("a", "claude: x"), finished("a", 1.0), started("b"), finished("b", 1.0)))
    assert [(step.at, step.attempts_of_unknown_cost) for step in told.steps] == [("a", 1), ("b", 0)]
