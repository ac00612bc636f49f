"""The steps of a run as people count them: the plan's leaves in document order, and where each stands."""

import msgspec

from prodigy.kernel.lifecycle import SETTLED, Status
from prodigy.kernel.state import NodeState, State
from prodigy.plan.nodes import ROOT, Node, Sequence
from prodigy.plan.phrases import counted
from prodigy.projections.telling import told_later

CONFIRMED_STEPS_SHOWN = 10


class Step(msgspec.Struct, frozen=True):
    """A leaf, its 0-based place in document order, and what it has done. Under a skipped stage all is skipped."""

    index: int
    leaf: Node
    here: NodeState

    @property
    def is_settled(self) -> bool:
        return self.here.status in SETTLED


class Stage(msgspec.Struct, frozen=True):
    """A named part of a staged run: its 1-based `number` of `total`, and how it stands in words."""

    number: int
    total: int
    name: str
    standing: str

    def __str__(self) -> str:
        return f"Stage {self.number}/{self.total} - {self.name} ({self.standing})"


def steps_of(state: State) -> list[Step]:
    """Return every leaf in document order; handlers are not among them."""
    found: list[Step] = []
    stack: list[tuple[str, NodeState | None]] = [(ROOT, None)]
    while stack:
        address, inherited = stack.pop()
        node = state.plan.node(address)
        here = inherited or state.node(address)
        if not isinstance(node.body, Sequence):
            found.append(Step(len(found), node, here))
        else:
            below = here if here.status is Status.SKIPPED else None
            stack += [(child, below) for child in reversed(node.body.children)]
    return found


def current_step(state: State, steps: list[Step]) -> Step | None:
    """Return the first step that has not settled, or None when all have.

    For a failed run it is the step that failed it: resume goes on there.
    """
    return next((s for s in steps if not s.is_settled or s.leaf.address == state.failed_at), None)


def stage_of(state: State, current: Step | None) -> Stage | None:
    """Return the stage that a staged run stands in: the current step's, or the last one when all have settled."""
    root = state.plan.node(ROOT)
    if not isinstance(root.body, Sequence) or (current is None and state.status != "completed"):
        return None
    stages = list(root.body.children)
    if not any(isinstance(state.plan.node(at).body, Sequence) for at in stages):
        return None
    here = current.leaf.address if current else stages[-1]
    address = next((at for at in (here, *state.plan.ancestors(here)) if at in stages), None)
    if address is None:
        return None
    name = state.plan.node(address).name or address
    return Stage(stages.index(address) + 1, len(stages), name, _standing(state, address))


def progress(state: State) -> str:
    """Return `4/9 transform`: how many steps come up to the current one, of how many, and which it is; or the stage."""
    steps = steps_of(state)
    current = current_step(state, steps)
    if stage := stage_of(state, current):
        return str(stage)
    if current is None:
        return f"{len(steps)}/{len(steps)}"
    return f"{current.index + 1}/{len(steps)} {current.leaf.address}"


def confirmation(state: State, address: str) -> str:
    """Return the question before a node that requires confirmation: what is about to happen."""
    leaves = state.plan.leaves(address)
    shown = [f"  {told_later(state, leaf.address)}" for leaf in leaves[:CONFIRMED_STEPS_SHOWN]]
    if len(leaves) > CONFIRMED_STEPS_SHOWN:
        shown.append(f"  and {counted(len(leaves) - CONFIRMED_STEPS_SHOWN, 'more step')}")
    return "\n".join([f"{address} is about to run", *shown, "Go on?"])


def _standing(state: State, address: str) -> str:
    match state.node(address).status:
        case Status.AWAITING if state.status == "cancelled":
            return "cancelled"
        case Status.AWAITING:
            return "waiting for confirmation"
        case Status.FAILED:
            return "failed"
        case Status.SUCCEEDED | Status.HANDLED:
            return "completed"
        case Status.SKIPPED:
            return "skipped"
        case Status.PENDING:
            return "not begun"
        case _:
            return "in progress"
