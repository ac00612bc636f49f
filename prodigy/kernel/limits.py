"""How long a node may take."""

from prodigy.plan.reference import Lookup, Template, render
from prodigy.plan.schema import TIMEOUT_S_MAX, TIMEOUT_S_MIN, seconds


def timeout_of(timeout: float | Template, lookup: Lookup) -> float:
    """Return a timeout in seconds: a number, or a template that yields a text such as `90s`, `5m`, `1h`.

    Raises:
        ValueError: the template yields nothing of the kind.
    """
    if isinstance(timeout, float | int):
        return timeout
    text = render(timeout, lookup).strip()
    limit_s = seconds(text)
    if limit_s is None or not TIMEOUT_S_MIN <= limit_s <= TIMEOUT_S_MAX:
        raise ValueError(f"timeout is {text[:60]!r}, not a time such as 90, 90s, 5m or 1h")
    return limit_s
