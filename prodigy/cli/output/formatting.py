"""Numbers and texts as people read them."""

from prodigy.plan.phrases import agreeing as agreeing
from prodigy.plan.phrases import counted as counted
from prodigy.plan.phrases import portion as portion


def duration(seconds: float) -> str:
    """Return a duration as people say it: `0.4 s`, `12 s`, `3 m 05 s`, `2 h 04 m`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} m {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} m"


def first_line(text: str) -> str:
    """Return the first line of a text, with a mark where there are more."""
    head, _, rest = text.strip().partition("\n")
    return f"{head} …" if rest else head


def money(cost_usd: float, unknown: int) -> str:
    """Return what a run cost, as far as it is known."""
    whole, _, cents = f"{cost_usd:.4f}".partition(".")
    known = f"${whole}.{cents[:2]}{cents[2:].rstrip('0')}" if cost_usd else "$0"
    return f"{known} and {counted(unknown, 'attempt')} of unknown cost" if unknown else known
