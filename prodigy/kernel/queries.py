"""Questions to a state: what is held, tolerated, failed, enough. They change nothing and know no moves."""

from collections.abc import Iterable, Iterator

from prodigy.kernel import signals as sig
from prodigy.kernel.counts import count_of
from prodigy.kernel.items import Items
from prodigy.kernel.items import failures as failed_items
from prodigy.kernel.lifecycle import Status
from prodigy.kernel.retry import elapsed_s
from prodigy.kernel.scope import lookup_in
from prodigy.kernel.state import NodeState, State
from prodigy.plan.nodes import ROOT, ErrorPolicy, Map, Node, Run, Sequence, is_below
from prodigy.plan.phrases import counted
from prodigy.plan.reference import Template

PARALLEL_MAX = 1000
THRESHOLD_ITEMS_MIN = 10  # a share of fewer settled items says nothing while there are more to come
_AT_WORK = (Status.RUNNING, Status.WAITING, Status.HANDLING, Status.AWAITING)


# May anything begin or go on here? ---------------------------------------------------------------------------


def is_held(state: State, address: str) -> bool:
    """Whether nothing may begin here: the run is stopping or pausing, or something around has reached its timeout."""
    if state.stopping or state.pausing:
        return True
    return any(is_below(state.plan, address, expired) for expired in state.expired)


def is_open(state: State, address: str) -> bool:
    """Whether all that the node is in still works on it: a late timer or answer starts nothing in what timed out."""
    for around in state.plan.ancestors(address):
        is_handler = state.plan.is_handlers(address)
        if state.node(around).status is not (Status.HANDLING if is_handler else Status.RUNNING):
            return False
        address = around
    return True


def is_awaited(state: State, timer: sig.TimerFired | sig.LimitFired | sig.WakeFired) -> bool:
    """Whether anything would still come of a timer: what it is about goes on, and so does all around that."""
    here = state.node(timer.at)
    if is_held(state, timer.at) or not is_open(state, timer.at):
        return False
    if isinstance(timer, sig.WakeFired):
        return state.parked is not None and state.parked.number == timer.number and not state.parked.trying
    if isinstance(timer, sig.LimitFired):
        return state.parked is None and here.status is Status.RUNNING and here.attempt == timer.attempt
    is_pause = here.status is Status.RUNNING and timer.at in state.maps and state.maps[timer.at].is_open
    is_wait = here.status is Status.WAITING and not here.held_attempt
    return is_pause or (is_wait and here.attempt + 1 == timer.attempt)


def tries(here: NodeState) -> int:
    """Return how many attempts of its present budget a node has used."""
    return here.attempt - here.first + 1


def unfinished(state: State) -> list[str]:
    """Return the addresses of the commands that had started and have no result."""
    return sorted(
        at
        for at, node in state.nodes.items()
        if node.status is Status.RUNNING and isinstance(state.plan.template(at).body, Run)
    )


def questions(state: State) -> list[str]:
    """Return which of them may only run again with the operator's consent."""
    return [at for at in unfinished(state) if state.plan.template(at).policy.on_interrupt == "ask"]


# What has failed, and does it matter? ------------------------------------------------------------------------


def is_tolerated(owner: Node, child: Node) -> bool:
    """Whether the sequence goes on although `child` failed: it is allowed to, or a later sibling asks about it."""
    assert isinstance(owner.body, Sequence), "only a sequence has children"
    handlers = child.policy.on_failure
    fails_workflow = handlers is not None and handlers.fail_workflow
    return child.policy.allow_failure or (child.address in owner.body.answers and not fails_workflow)


def unanswered(state: State, node: Node) -> Iterator[str]:
    """Yield the children whose failure was tolerated for the sake of siblings, none of which ran and succeeded.

    While one of those siblings may still run, the question is open.
    """
    assert isinstance(node.body, Sequence), "only a sequence has children"
    for child, siblings in node.body.answers.items():
        if state.node(child).status is not Status.FAILED or state.plan.node(child).policy.allow_failure:
            continue
        answers = [state.node(sibling) for sibling in siblings]
        if all(answer.is_settled and answer.status is not Status.SUCCEEDED for answer in answers):
            yield child


def failures(state: State, node: Node) -> Iterator[str]:
    """Yield the children for which a sequence failed, in order: failed, and neither allowed to nor answered."""
    if not isinstance(node.body, Sequence):
        return
    open_ends = set(unanswered(state, node))
    for child in node.body.children:
        is_failed = state.node(child).status is Status.FAILED
        if is_failed and (child in open_ends or not is_tolerated(node, state.plan.node(child))):
            yield child


def undecided(state: State, node: Node) -> str | None:
    """Return the child whose failure would have failed this sequence in its next event: a moment may lie between."""
    assert isinstance(node.body, Sequence), "only a sequence has children"
    failed = (child for child in node.body.children if state.node(child).status is Status.FAILED)
    return next((child for child in failed if not is_tolerated(node, state.plan.node(child))), None)


def culprit_of(state: State, at: str = ROOT) -> str:
    """Return the address of the step whose failure failed a node: the deepest, one that nothing tolerated first."""
    while failed := list(failures(state, state.plan.node(at))):
        owner = state.plan.node(at)
        at = next((child for child in failed if not is_tolerated(owner, state.plan.node(child))), failed[0])
    return at


def at_fault(state: State, address: str) -> str | None:
    """Return the address of the step that failed a sequence, or was at work when its time was over, if there is one."""
    at = culprit_of(state, address)
    while not state.node(at).is_settled:
        body = state.plan.node(at).body
        children = body.children if isinstance(body, Sequence) else ()
        below = next((child for child in children if state.node(child).status in _AT_WORK), None)
        if below is None:
            break
        at = below
    return at if at != address else None


def is_in_vain(state: State, address: str) -> bool:
    """Whether a sequence was failed by a step that no further attempt can help."""
    return isinstance(state.plan.node(address).body, Sequence) and state.node(at_fault(state, address) or "").is_final


# How far is a map? -------------------------------------------------------------------------------------------


def next_item(state: State, node: Node) -> str | None:
    """Return the key of the item that may begin now, or None."""
    assert isinstance(node.body, Map), "only a map has items"
    items = state.maps[node.address]
    if state.node(node.address).status is not Status.RUNNING or items.is_open or is_held(state, node.address):
        return None
    room = 1 if items.is_trying else parallel(state, node)
    if items.working >= room:
        return None
    if items.held:
        return items.held[0]
    return None if has_enough(items, node.body.errors) else items.next_key()


def has_enough(items: Items, errors: ErrorPolicy) -> str | None:
    """Return why no further item may begin, or None while it may."""
    bad = failed_items(items, errors) - items.excused
    if items.failed:
        return "an item failed, and on_item_failure is stop"
    if errors.max_failures is not None and bad >= errors.max_failures:
        return f"{counted(bad, 'item')} failed, and max_failures is {errors.max_failures}"
    done = len(items.settled) - items.excused
    is_telling = done >= THRESHOLD_ITEMS_MIN or (done > 0 and not items.pending and not items.active)
    if errors.failure_threshold is not None and is_telling and bad / done > errors.failure_threshold:
        return f"{bad} of {counted(done, 'item')} failed, and failure_threshold is {errors.failure_threshold:g}"
    return None


def excused(state: State, at: str) -> int:
    """Return how many failed items will not count against the error policy of a map when it is taken up.

    All that failed before, unless nothing is left but dead letters: then it fails again, for they wait to be put back.
    """
    items, body = state.maps[at], state.plan.node(at).body
    assert isinstance(body, Map), "only a map has items"
    if not (items.pending or items.active or items.failed):
        return items.excused
    return failed_items(items, body.errors) - items.failed


def parallel(state: State, node: Node) -> int:
    """Return how many items may be at work at once.

    Raises:
        ValueError: a limit is a template that yields no count.
    """
    assert isinstance(node.body, Map), "only a map has items"
    wanted = state.max_parallel or _limit(state, node, node.body.max_parallel, "max_parallel")
    if node.body.max_processes is None:
        return wanted
    return min(wanted, _limit(state, node, node.body.max_processes, "max_processes"))


def _limit(state: State, node: Node, written: int | Template, name: str) -> int:
    if isinstance(written, int):
        return written
    return count_of(written, lookup_in(state, node.address), name=name, least=1, most=PARALLEL_MAX)


# What does a fork change? -------------------------------------------------------------------------------------


def overridden(state: State, variables: Iterable[str]) -> tuple[str, ...]:
    """Return which of these variables were captured by a step: a capture hides what the workflow calls by its name."""
    return tuple(name for name in variables if name in state.captures)


# How long has it worked? -----------------------------------------------------------------------------------------


def worked_s(state: State, until: str = "") -> float:
    """Return for how long somebody has played the run, in seconds: from its start to `until`, without its rest.

    Args:
        until: UTC, ISO 8601; when anything last happened without it.
    """
    return max(0.0, elapsed_s(state.run.started, until or state.time) - state.rested_s)
