"""The wall clock, when it is set while we run."""

from datetime import UTC, datetime

import pytest

from prodigy.runtime.clock import LEAP_S_MIN, Leaps, now


@pytest.mark.parametrize(
    ("wall", "leapt"),
    [
        ([0.0, 0.25, 86400.5, 86400.75], [0.0, 86400.0, 0.0]),
        ([0.0, 0.25, -86400.0, -86399.75], [0.0, 0.0, 0.0]),
        ([0.0, 0.25, -86400.0, 0.75], [0.0, 0.0, 86400.5]),
        ([0.0, 1.0, 2.0, 3.0], [0.0, 0.0, 0.0]),
    ],
    ids=["forward", "back", "back and forward again", "little by little"],
)
def test_a_leap_forward_is_told_once(wall: list[float], leapt: list[float]) -> None:
    """One back is none: by the times in the log less time was used, and nobody loses any."""
    times, moments = iter(wall), iter([0.0, 0.25, 0.5, 0.75])
    leaps = Leaps(lambda: next(times), lambda: next(moments))
    assert leapt == [leaps.leapt_s() for _ in range(3)]
    assert LEAP_S_MIN > 1.0


def test_a_time_is_utc_to_the_microsecond() -> None:
    """As every log has it, whole even where the microseconds are none."""
    assert len(now()) == len("2026-01-31T09:00:04.078394Z")
    assert datetime.strptime(now(), "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC) <= datetime.now(UTC)
