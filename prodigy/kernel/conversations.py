"""The conversation that an attempt of a claude step begins: a new one each, known before it does."""

from hashlib import sha256

from prodigy.kernel.state import State
from prodigy.plan.nodes import Claude, Node, Run

GO_ON = (
    "You were interrupted and now go on with the same task. Look first at what you have done already: the outcome of "
    "what you did last may be unknown. Then finish the task."
)


def session_of(state: State, node: Node, attempt: int, *, time: str) -> str:
    """Return the id of the conversation that this attempt begins now, a UUID; nothing where it begins none.

    It is made of what no two attempts have in common: the run, its place in the log, and the moment.
    """
    if not (isinstance(node.body, Run) and isinstance(node.body.command, Claude)):
        return ""
    what = f"{state.run.workflow_id} {state.run.directory} {state.seq} {node.address} {attempt} {time}"
    digits = sha256(what.encode(errors="surrogateescape")).hexdigest()
    variant = "89ab"[int(digits[16], 16) % 4]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:32]}"
