"""Numbers and texts as people read them."""

from prodigy.plan.phrases import counted


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


def dollars(usd: float) -> str:
    """Return an amount with its cents, and what is below them: `$1.50`, `$0.0125`, `$0`."""
    if 0 < usd < 0.00005:
        return "under $0.0001"
    whole, _, cents = f"{usd:.4f}".partition(".")
    return f"${whole}.{cents[:2]}{cents[2:].rstrip('0')}" if usd else "$0"


def money(cost_usd: float, unknown: int, estimated_usd: float = 0.0) -> str:
    """Return what a run cost, as far as it is known, and how well."""
    known = dollars(cost_usd)
    if estimated_usd:
        known += " (estimated)" if estimated_usd >= cost_usd else f" ({dollars(estimated_usd)} of it estimated)"
    return f"{known} and {counted(unknown, 'attempt')} of unknown cost" if unknown else known
