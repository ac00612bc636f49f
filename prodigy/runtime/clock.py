"""The only place that reads the wall clock for the log."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

LEAP_S_MIN = 2.0  # between two looks a moment apart; what is less is a clock that is being set right little by little


def now() -> str:
    """Return the time as records have it: UTC, ISO 8601 with microseconds and Z."""
    return f"{datetime.now(UTC).isoformat(timespec='microseconds')[:26]}Z"


class Leaps:
    """Notices when the wall clock runs ahead of us: the machine slept, or somebody set the clock.

    Timers do not mind, for they are monotonic. But a resume tells how much of a timeout was used by the times in the
    log, and those have leapt.
    """

    def __init__(self, wall: Callable[[], float] = time.time, steady: Callable[[], float] = time.monotonic) -> None:
        self._wall = wall
        self._steady = steady
        self._lead_s = self._lead()

    def leapt_s(self) -> float:
        """Return by how many seconds the clock has leapt forward since the last look; 0 where it went back."""
        before, self._lead_s = self._lead_s, self._lead()
        leapt_s = self._lead_s - before
        return leapt_s if leapt_s >= LEAP_S_MIN else 0.0

    def _lead(self) -> float:
        return self._wall() - self._steady()
