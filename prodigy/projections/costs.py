"""What a run cost, by step, item, model or attempt: another fold of the bookings that the ledger adds up.

Records are taken as they were logged, of all generations: what was gone back over was paid, too.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Literal

import msgspec

from prodigy.kernel.fault import IS_CUT
from prodigy.kernel.ledger import BOOKED, rounded
from prodigy.plan.address import in_item, item_of, template_of

By = Literal["step", "item", "model", "attempt"]

NOT_TOLD = "not told"
BOOKINGS = ("command_finished", "command_interrupted", "cost_booked")


class Costs(msgspec.Struct, kw_only=True):
    """What attempts of claude cost, in US dollars, under one `name`.

    `spent_usd` is what is known, `estimated_usd` of that what is no word of Claude Code's; `unknown` counts the
    attempts of which nothing is known. `wasted_usd` is what conversations cost that failed or were begun anew; None by
    model. Tokens are those of which Claude Code told.
    """

    name: str
    attempts: int = 0
    spent_usd: float = 0.0
    wasted_usd: float | None = 0.0
    estimated_usd: float = 0.0
    unknown: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_input_tokens: int = 0
    cache_creation_input_tokens: int = 0


class _Booking(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt that was booked; `number` counts the tries of its step."""

    at: str
    number: int
    kind: str
    usd: float
    models: dict[str, dict[str, Any]]


def costs(records: Iterable[dict[str, Any]], by: By) -> tuple[Costs, list[Costs]]:
    """Return the sum, and a row for each step, item, model or attempt; the costliest first, attempts as they came."""
    total, rows = Costs(name="all"), dict[str, Costs]()
    for at, booking, wasted_usd in _bookings(records):
        named = _name(at, booking, by)
        for costs in (total, *([rows.setdefault(named, Costs(name=named))] if named else [])):
            _add(costs, booking, wasted_usd)
        if by == "model" and booking is not None:
            _by_model(rows, booking)
    if by == "attempt":
        return total, list(rows.values())
    return total, sorted(rows.values(), key=lambda row: (-row.spent_usd, row.name))


def _bookings(records: Iterable[dict[str, Any]]) -> Iterator[tuple[str, _Booking | None, float]]:
    """Yield (address, what is booked, what came to nothing with it) as it happened; a new beginning books nothing."""
    begun: dict[str, dict[str, Any]] = {}
    paid: dict[str, float] = {}  # by the conversation that each step is in
    cut: set[str] = set()
    for record in records:
        at, kind = str(record.get("at", "")), record["type"]
        if kind == "command_started" and str(record.get("command", "")).startswith("claude:"):
            begun[at] = record
            if not record.get("resumes"):
                if at in cut:
                    yield at, None, paid[at]
                paid[at] = 0.0
            cut.discard(at)
        elif kind in BOOKINGS and at in begun and record.get("cost_kind") != BOOKED:
            booking = _booking(begun[at], record)
            paid[at] = rounded(paid[at] + booking.usd)
            is_cut = kind != "command_finished" or record.get("fault") in IS_CUT
            cut |= {at} if is_cut else set()
            yield at, booking, paid[at] if record.get("error") is not None and not is_cut else 0.0
        elif kind in ("generation_started", "run_forked"):
            cut.clear()


def _booking(start: dict[str, Any], record: dict[str, Any]) -> _Booking:
    usd = record.get("cost_usd")
    return _Booking(
        at=record["at"],
        number=start["attempt"],
        kind=record.get("cost_kind") or ("unknown" if usd is None else "exact"),
        usd=usd or 0.0,
        models=record.get("models") or {},
    )


def _name(at: str, booking: _Booking | None, by: By) -> str:
    """Return the row that an attempt belongs to; none where models have theirs, and of what was booked before."""
    match by:
        case "step":
            return template_of(at) if item_of(at) else at
        case "item":
            return in_item(at).key if item_of(at) else at
        case "attempt":
            return f"{at} #{booking.number}" if booking else ""
        case "model":
            return ""


def _add(costs: Costs, booking: _Booking | None, wasted_usd: float) -> None:
    costs.wasted_usd = rounded((costs.wasted_usd or 0.0) + wasted_usd)
    if booking is None:
        return
    costs.attempts += 1
    costs.spent_usd = rounded(costs.spent_usd + booking.usd)
    costs.estimated_usd = rounded(costs.estimated_usd + (booking.usd if booking.kind == "estimated" else 0.0))
    costs.unknown += booking.kind == "unknown"
    for usage in booking.models.values():
        _add_tokens(costs, usage)


def _by_model(rows: dict[str, Costs], booking: _Booking) -> None:
    """Add an attempt to the rows of its models; what they do not explain is not told."""
    told_usd = sum(usage.get("cost_usd", 0.0) for usage in booking.models.values())
    parts = [(name, usage, usage.get("cost_usd", 0.0)) for name, usage in booking.models.items()]
    if not parts or booking.usd - told_usd > 1e-9:
        parts.append((NOT_TOLD, {}, booking.usd - told_usd))
    for name, usage, usd in parts:
        row = rows.setdefault(name, Costs(name=name, wasted_usd=None))
        row.attempts += 1
        row.spent_usd = rounded(row.spent_usd + usd)
        row.estimated_usd = rounded(row.estimated_usd + (usd if booking.kind == "estimated" else 0.0))
        row.unknown += booking.kind == "unknown"
        _add_tokens(row, usage)


def _add_tokens(costs: Costs, usage: dict[str, Any]) -> None:
    costs.input_tokens += usage.get("input_tokens", 0)
    costs.output_tokens += usage.get("output_tokens", 0)
    costs.cache_read_input_tokens += usage.get("cache_read_input_tokens", 0)
    costs.cache_creation_input_tokens += usage.get("cache_creation_input_tokens", 0)
