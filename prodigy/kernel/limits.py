"""How long a node may take."""

from prodigy.kernel.scope import lookup_in
from prodigy.kernel.state import State
from prodigy.plan.nodes import Node
from prodigy.plan.reference import Lookup, Template, render_count
from prodigy.plan.schema import TIMEOUT_S_MAX, TIMEOUT_S_MIN, seconds


def limit_of(state: State, node: Node) -> float:
    """Return the time that a node with a timeout may take now, in seconds.

    What began with a time keeps it where the template means none any more: a step inside may have changed a variable.
    """
    assert node.policy.timeout is not None, "only a timeout is a limit"
    try:
        return timeout_of(node.policy.timeout, lookup_in(state, node.address))
    except ValueError:
        here = state.node(node.address)
        return here.spent_s + here.left_s


def timeout_of(
    timeout: float | Template, lookup: Lookup, *, name: str = "timeout", least_s: float = TIMEOUT_S_MIN
) -> float:
    """Return a timeout in seconds: a number, or a template that yields a text such as `90s`, `5m`, `1h`.

    Raises:
        ValueError: the template yields nothing of the kind.
    """
    if isinstance(timeout, float | int):
        return timeout
    text = render_count(timeout, lookup)
    limit_s = seconds(text)
    if limit_s is None or not least_s <= limit_s <= TIMEOUT_S_MAX:
        raise ValueError(f"{name} is {text[:60]!r}, not a time such as 90, 90s, 5m or 1h")
    return limit_s
