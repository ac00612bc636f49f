"""Moments as people read them: by the clock on their wall, and how long ago. Documents keep UTC.

This module alone decides how. What lies below the command line, an error of the store for one, names a moment as logs
write it, and `spoken` says it to people.
"""

import re
from datetime import datetime

from prodigy.cli.output.formatting import duration
from prodigy.plan.phrases import Spoken, ago
from prodigy.runtime.clock import now

# As the clock of records and of locks writes moments; one in quotes is quoted.
_LOGGED = re.compile(r"(?<![\w'\"])\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{6})?Z(?!\w)")


def spoken(text: str) -> str:
    """Return a text of ours with the moments in it, in the form of logs, as people read them."""
    return _LOGGED.sub(lambda match: dated(match[0]), text)


def said(time: str) -> Spoken:
    """Return a logged moment in local time, its day named where that is near; what is no moment, as it stands."""
    moment, here = _moment(time), _moment(_now())
    if moment is None or here is None:
        return Spoken("", time)
    days = (here.date() - moment.date()).days
    return Spoken({0: "today", 1: "yesterday"}.get(days) or f"{moment:%Y-%m-%d}", f"{moment:%H:%M:%S}")


def local(time: str) -> str:
    """Return a logged moment in local time, its date always: `2026-01-31 10:00:05`; what is no moment, as it stands."""
    moment = _moment(time)
    return time if moment is None else f"{moment:%Y-%m-%d %H:%M:%S}"


def clock(time: str) -> str:
    """Return a logged moment in local time: `10:00:05`, `10:00:05 yesterday`, else with its date first."""
    moment = said(time)
    return moment.clock if moment.day == "today" else moment.whole()


def since(time: str) -> str:
    """Return how long ago a logged moment was, in one unit; nothing of nothing, and of what is no moment."""
    moment, here = _moment(time), _moment(_now())
    return "" if moment is None or here is None else ago((here - moment).total_seconds())


def dated(time: str) -> str:
    """Return a logged moment in both ways: `10:00:05, 5 minutes ago`."""
    return ", ".join(filter(None, (clock(time), since(time))))


def due(time: str) -> str:
    """Return a moment that is to come in both ways: `10:00:05, in 12 s`."""
    moment, here = _moment(time), _moment(_now())
    if moment is None or here is None or moment <= here:
        return clock(time)
    return f"{clock(time)}, in {duration((moment - here).total_seconds())}"


def _moment(time: str) -> datetime | None:
    """Return a moment in local time, or None of what is none, whether unreadable or beyond what a calendar has."""
    try:
        return datetime.fromisoformat(time).astimezone()
    except (ValueError, OverflowError, OSError):
        return None


def _now() -> str:
    return now()
