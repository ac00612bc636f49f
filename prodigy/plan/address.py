"""Addresses: paths in the plan that a person can read, such as `deploy.on_failure[0]`.

A step is addressed by its id, or else by its 0-based place among its siblings. Steps of the root sequence
carry no prefix: `transform`, `commands[3]`. Ids hold neither dots nor brackets, so no two nodes share one.
"""


def of_step(identifier: str | None, index: int, *, parent: str | None) -> str:
    """Return the address of the step at `index` (0-based) under `parent`; None is the root sequence."""
    if parent is None:
        return identifier or f"commands[{index}]"
    return f"{parent}.{identifier}" if identifier else f"{parent}[{index}]"


def of_handlers(owner: str) -> str:
    """Return the address of the sequence that runs when the node at `owner` has failed."""
    return f"{owner}.on_failure"
