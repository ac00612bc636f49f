"""The operator's log: how the program itself fares, for whoever wonders why a run is slow.

It is not the event log and is never read back. `PRODIGY_LOG=debug` or `info` turns it on; lines go to stderr, one event
each, `key=value`. Without that, structlog is not even imported.
"""

import os
import sys
from functools import cache
from typing import Any, Protocol

from prodigy.runtime.terminal import visible

LEVELS = ("debug", "info")
VARIABLE = "PRODIGY_LOG"


class OperatorLog(Protocol):
    """Where entries go: a word for what happened, and its fields with units in their names."""

    def debug(self, event: str, **fields: Any) -> Any: ...

    def info(self, event: str, **fields: Any) -> Any: ...


class _Silent:
    """Nobody wants to know."""

    def debug(self, event: str, **fields: Any) -> None: ...

    def info(self, event: str, **fields: Any) -> None: ...


@cache
def operator_log() -> OperatorLog:
    """Return the operator's log of this process; any word but `debug` means `info`."""
    level = os.environ.get(VARIABLE, "")
    return _structured("debug" if level == "debug" else "info") if level else _Silent()


def _structured(level: str) -> OperatorLog:
    import structlog  # 52 ms, for who asks for this log

    logger: OperatorLog = structlog.wrap_logger(
        structlog.PrintLogger(sys.stderr),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
            structlog.processors.LogfmtRenderer(key_order=["time", "level", "event"]),
            lambda logger, method, line: visible(str(line)),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(10 if level == "debug" else 20),
    )
    return logger
