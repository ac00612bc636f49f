"""What a run has cost: every attempt of claude books its cost once, whatever kind of end it had.

A cost is exact where Claude Code said it with its result, estimated where its session or its stream had to do, unknown
where nothing told it, and nothing where no process began. Claude Code counts by conversation: one that is gone on with
says what all of it cost, so what an attempt cost is the difference to where the counter stood.
"""

from typing import Any, Literal

import msgspec
from msgspec.structs import replace

CostKind = Literal["exact", "estimated", "unknown", "nothing"]
_USD_DIGITS = 9  # what is less is no money: sums and differences of binary fractions are off by it
BOOKED = "booked"  # of the end of an attempt whose cost an earlier event has


class ModelUsage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one model was used for: tokens, and US dollars as Claude Code counts them."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_input_tokens: int = 0
    cache_creation_input_tokens: int = 0
    cost_usd: float = 0.0


Models = dict[str, ModelUsage]


class Spent(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the cost of one process.

    `session_usd` is where the counter of its conversation stands; with the result of an exact one `models` too. An
    estimate has in `own_usd` and `models` what this process is known to have used.
    """

    kind: CostKind
    session_usd: float | None = None
    own_usd: float | None = None
    models: Models = {}


NOTHING = Spent(kind="nothing")
UNKNOWN = Spent(kind="unknown")


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """What one attempt is booked with. `usd` is None where it is unknown; `session_usd` is where the counter stands."""

    kind: CostKind
    usd: float | None
    session_usd: float | None = None
    models: Models = {}

    def fields(self) -> dict[str, Any]:
        """Return it as the fields of an event."""
        return {"cost_kind": self.kind, "cost_usd": self.usd, "session_usd": self.session_usd, "models": self.models}


class Conversation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The conversation of a step's last attempt, and where its own counter stands.

    `paid_usd` is what its attempts were booked with. It `is_cut` where it was ended before it had come to an end, and
    can be gone on with; it `is_resumed` where that was done.
    """

    id: str = ""
    counted_usd: float = 0.0
    models: Models = {}
    paid_usd: float = 0.0
    is_cut: bool = False
    is_resumed: bool = False


NONE = Conversation()


class Ledger(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What all attempts cost, in US dollars; and how many there were whose cost is exact, estimated, unknown, nothing.

    `spent_usd` contains the estimates. `wasted_usd` is what conversations cost that came to nothing: they failed, or
    were begun anew. `assumed_usd` is what attempts of unknown cost count for in a budget. `most_usd` is what the
    costliest attempt cost.
    """

    spent_usd: float = 0.0
    estimated_usd: float = 0.0
    wasted_usd: float = 0.0
    assumed_usd: float = 0.0
    most_usd: float = 0.0
    exact: int = 0
    estimated: int = 0
    unknown: int = 0
    nothing: int = 0

    @property
    def attempts(self) -> int:
        """How many attempts were booked."""
        return self.exact + self.estimated + self.unknown + self.nothing


EMPTY = Ledger()


def rounded(usd: float) -> float:
    """Return an amount as it is told, without what the arithmetic of binary fractions added."""
    return round(usd, _USD_DIGITS)


def cost_of(conversation: Conversation, spent: Spent) -> Cost:
    """Return what an attempt is booked with that belongs to this conversation.

    Its counter goes on from where it stood after the last process that said so, or was ended in good order; what one
    cost that was killed is not in it. One that says less than before has begun from nothing.
    """
    if spent.kind == "nothing":
        return Cost(kind="nothing", usd=0.0)
    if spent.kind == "estimated":
        return _estimate(conversation, spent)
    if spent.session_usd is None:
        return Cost(kind="unknown", usd=None)
    is_new = spent.session_usd < conversation.counted_usd
    models = spent.models if is_new else _difference(spent.models, conversation.models)
    usd = rounded(spent.session_usd - (0.0 if is_new else conversation.counted_usd))
    return Cost(kind="exact", usd=usd, session_usd=spent.session_usd, models=models)


def _estimate(conversation: Conversation, spent: Spent) -> Cost:
    """Return the larger of what the counter says and what the process itself is known to have used.

    A counter that stands where it stood was not written down: the process was killed.
    """
    counted_usd = (spent.session_usd or 0.0) - conversation.counted_usd
    own_usd = spent.own_usd or 0.0
    if counted_usd <= 0 and own_usd <= 0:
        return Cost(kind="unknown", usd=None)
    session_usd = spent.session_usd if counted_usd > 0 else None
    usd = rounded(max(counted_usd, own_usd))
    return Cost(kind="estimated", usd=usd, session_usd=session_usd, models=spent.models)


def counted(conversation: Conversation, cost: Cost) -> Conversation:
    """Return a conversation after one of its attempts was booked."""
    paid_usd = rounded(conversation.paid_usd + (cost.usd or 0.0))
    if cost.session_usd is None:
        return replace(conversation, paid_usd=paid_usd)
    models = _sum(conversation.models, cost.models)
    return replace(conversation, paid_usd=paid_usd, counted_usd=cost.session_usd, models=models)


def booked(ledger: Ledger, cost: Cost, *, wasted_usd: float, reserved_usd: float = 0.0) -> Ledger:
    """Return the ledger after an attempt.

    Args:
        wasted_usd: what came to nothing with it.
        reserved_usd: what was reserved for it.
    """
    usd = cost.usd or 0.0
    counts: dict[str, Any] = {cost.kind: getattr(ledger, cost.kind) + 1}
    return replace(
        ledger,
        spent_usd=rounded(ledger.spent_usd + usd),
        estimated_usd=rounded(ledger.estimated_usd + (usd if cost.kind == "estimated" else 0.0)),
        wasted_usd=rounded(ledger.wasted_usd + wasted_usd),
        assumed_usd=rounded(ledger.assumed_usd + (reserved_usd if cost.kind == "unknown" else 0.0)),
        most_usd=max(ledger.most_usd, usd),
        **counts,
    )


def _difference(now: Models, before: Models) -> Models:
    """Return what was used since; a model that was not used since is left out."""
    since = {name: _minus(usage, before[name]) if name in before else usage for name, usage in now.items()}
    return {name: usage for name, usage in since.items() if usage != ModelUsage()}


def _sum(one: Models, other: Models) -> Models:
    return one | {name: _plus(usage, one[name]) if name in one else usage for name, usage in other.items()}


def _minus(now: ModelUsage, before: ModelUsage) -> ModelUsage:
    return ModelUsage(
        **{name: max(0, getattr(now, name) - getattr(before, name)) for name in ModelUsage.__struct_fields__}
    )


def _plus(one: ModelUsage, other: ModelUsage) -> ModelUsage:
    return ModelUsage(**{name: getattr(one, name) + getattr(other, name) for name in ModelUsage.__struct_fields__})
