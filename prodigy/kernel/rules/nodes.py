"""The rules that every node has, whatever its body: it is entered, tried, settled, and its parent is told."""

from prodigy.kernel import events as ev
from prodigy.kernel.digest import digest_of
from prodigy.kernel.lifecycle import Status
from prodigy.kernel.limits import timeout_of
from prodigy.kernel.moves import (
    Advance,
    BeginClaude,
    Enter,
    Fail,
    Fill,
    FinishRun,
    GiveUp,
    HandlersSettled,
    Mark,
    Moves,
    Settled,
    SettleItem,
    Start,
    Succeed,
    TakeUp,
)
from prodigy.kernel.outcome import Outcome
from prodigy.kernel.queries import at_fault, is_held, is_in_vain, is_tolerated, tries
from prodigy.kernel.retry import attempts_allowed, delay_before, due_at, is_retried
from prodigy.kernel.scope import lookup_in
from prodigy.kernel.turn import Turn
from prodigy.plan import expression
from prodigy.plan.headline import headline
from prodigy.plan.nodes import ROOT, Map, Node, Run, Sequence


def enter(turn: Turn, move: Enter) -> Moves:
    """Begin a node, unless its `when` is false or what it is in does not go on.

    One that has begun, because an edit put another before it, is taken up where it stood.
    """
    at = move.at
    if is_held(turn.state, at):
        return ()
    here = turn.state.node(at)
    if here.status is not Status.PENDING:
        return (TakeUp(at),)
    policy = turn.node(at).policy
    if policy.when is not None and not expression.evaluate(policy.when, lookup_in(turn.state, at)):
        turn.emit(ev.NodeSkipped(at=at, reason=expression.explain(policy.when, lookup_in(turn.state, at))))
        return (Settled(at),)
    if policy.requires_confirmation:
        turn.emit(ev.ConfirmationRequested(at=at))
        return ()
    return (Start(at, here.attempt + 1),)


def start(turn: Turn, move: Start) -> Moves:
    """Begin an attempt of a node: its command, its first child, or its items."""
    node = turn.node(move.at)
    if isinstance(node.body, Run):
        if node.is_claude:
            return (BeginClaude(move.at, move.attempt),)
        turn.emit(ev.CommandStarted(at=move.at, attempt=move.attempt, command=headline(node)))
        return ()
    turn.emit(ev.NodeStarted(at=move.at, attempt=move.attempt))
    if node.policy.timeout is not None:
        try:
            limit_s = timeout_of(node.policy.timeout, lookup_in(turn.state, move.at))
        except ValueError as problem:
            return (Fail(move.at, Outcome(error=str(problem))),)
        turn.emit(ev.LimitStarted(at=move.at, attempt=move.attempt, left_s=limit_s))
    return _open(turn, node)


def _open(turn: Turn, node: Node) -> Moves:
    """Begin with the children of a sequence; or ask for the items of a map, or put back those that did not succeed."""
    if not isinstance(node.body, Map):
        return (Advance(node.address),)
    items = turn.state.maps.get(node.address)
    if items is None:
        turn.emit(ev.ListingStarted(at=node.address))
        return ()
    bad = [key for key, item in items.settled.items() if item.disposition in ("dead", "failed")]
    if again := sorted((*bad, *items.active), key=items.listed.places.__getitem__):
        turn.emit(ev.ItemsRequeued(at=node.address, keys=tuple(again)))
    return (Fill(node.address),)


def succeed(turn: Turn, move: Succeed) -> Moves:
    """Settle a node whose body succeeded."""
    if turn.state.plan.is_item(move.at):
        return (SettleItem(move.at),)
    turn.emit(ev.NodeSucceeded(at=move.at))
    return (Mark(move.at), Settled(move.at))


def fail(turn: Turn, move: Fail) -> Moves:
    """Answer a failed attempt: try again, handle it, or give up."""
    node, here, outcome = turn.node(move.at), turn.state.node(move.at), move.outcome
    is_final = outcome.is_final or is_in_vain(turn.state, move.at)
    is_tried_again = move.may_retry and not is_final and is_retried(node, outcome)
    if is_tried_again and tries(here) < attempts_allowed(turn.state, node):
        delay_s = delay_before(node, tries=tries(here))
        due = due_at(turn.time, delay_s)
        turn.emit(ev.RetryScheduled(at=move.at, attempt=here.attempt + 1, delay_s=delay_s, due=due))
        return ()
    handlers = node.policy.on_failure
    if handlers is None or (handlers.repairs and here.repairs >= handlers.repairs):
        return (GiveUp(move.at, outcome.failure),)
    if isinstance(node.body, Run):
        turn.emit(ev.HandlingStarted(at=move.at))
    else:
        turn.emit(ev.HandlingStarted(at=move.at, error=outcome.failure, step=at_fault(turn.state, move.at) or ""))
    return (Enter(handlers.address),)


def give_up(turn: Turn, move: GiveUp) -> Moves:
    """Settle a node as failed."""
    if turn.state.plan.is_item(move.at):
        return (SettleItem(move.at, move.error),)
    turn.emit(ev.NodeFailed(at=move.at, error=move.error))
    return (Mark(move.at), Settled(move.at))


def mark(turn: Turn, move: Mark) -> Moves:
    """Make a checkpoint version: of every settled step outside items, of a map, and of what asks for one."""
    node = turn.node(move.at)
    if turn.state.plan.is_in_item(move.at) or (isinstance(node.body, Sequence) and not node.policy.checkpoint):
        return ()
    label = (node.id or node.name or node.address) if node.policy.checkpoint else ""
    digest = digest_of(turn.state) if label else ""
    turn.emit(ev.CheckpointMarked(version=turn.state.version + 1, at=move.at, label=label, digest=digest))
    return ()


def settled(turn: Turn, move: Settled) -> Moves:
    """Tell the parent of a node that it has settled: the run, the owner of handlers, or a sequence."""
    if move.at == ROOT:
        return (FinishRun(),)
    node = turn.node(move.at)
    owner = turn.state.plan.owner_of(node)
    if owner.policy.on_failure and owner.policy.on_failure.address == move.at:
        return (HandlersSettled(owner.address),)
    here = turn.state.node(move.at)
    if here.status is Status.FAILED and not is_tolerated(owner, node):
        return (Fail(owner.address, Outcome(error=here.failure)),)
    return (Advance(owner.address, node.index),)
