"""How far a run is, in a few words."""

from prodigy.kernel.state import State
from prodigy.projections.steps import current_step, stage_of, steps_of


def progress(state: State | None) -> str:
    """Return `4/9 transform`: how many steps come up to the current one, of how many, and which it is."""
    if state is None:
        return ""
    steps = steps_of(state)
    current = current_step(state, steps)
    if stage := stage_of(state, current):
        return str(stage)
    if current is None:
        return f"{len(steps)}/{len(steps)}"
    return f"{current.index + 1}/{len(steps)} {current.leaf.address}"
