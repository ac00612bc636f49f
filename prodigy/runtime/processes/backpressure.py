"""Backpressure: the system has no room to start more just now, for want of processes, files or memory.

That is no failure of a step. It is answered by fewer commands at once for a while, so that those at work find room for
what they start themselves, by trying again at growing intervals, and, when it lasts, by stopping the run.
"""

from prodigy.runtime.timers import awake_s

CALM_S = 30.0  # so long after the last refusal as many as wanted are started again


class Backpressure:
    """How many commands may be at work at once, as the system has answered of late."""

    def __init__(self) -> None:
        self._room: int | None = None
        self._calm_at = 0.0

    def refused(self, started: int) -> None:
        """A start was refused while `started` commands were at work: half as many are to be."""
        self._room = max(1, started // 2)
        self._calm_at = awake_s() + CALM_S

    def has_room(self, started: int) -> bool:
        """Whether one more may be started beside `started`."""
        if self._room is not None and awake_s() >= self._calm_at:
            self._room = None
        return self._room is None or started < self._room
