"""The rules of resume: find where a run that came to rest stood, and go on from there.

What was in flight runs again with the same attempt number and a new epoch; a wait waits for its rest; a failed step
gets a new budget, inside sequences that go on where they failed; whatever has settled otherwise stands.
"""

from collections.abc import Iterator

from prodigy.kernel import events as ev
from prodigy.kernel import signals as sig
from prodigy.kernel.gating import wait_again
from prodigy.kernel.items import of
from prodigy.kernel.ledger import BOOKED, UNKNOWN, Spent, cost_of
from prodigy.kernel.lifecycle import Status
from prodigy.kernel.limits import limit_of
from prodigy.kernel.moves import (
    Advance,
    AskAgain,
    Enter,
    Expire,
    Fail,
    Fill,
    GoBack,
    GoOn,
    HandlersSettled,
    Move,
    Moves,
    ReadOn,
    Rest,
    RunAgain,
    Settled,
    Start,
    TakeUp,
    WaitOn,
)
from prodigy.kernel.outcome import Outcome
from prodigy.kernel.queries import excused, failures, overridden, parallel, questions, undecided, unfinished
from prodigy.kernel.retry import due_at, remaining_s
from prodigy.kernel.state import State
from prodigy.kernel.turn import Turn
from prodigy.plan.address import item_address
from prodigy.plan.nodes import ROOT, Map, Node, Run, Sequence

NOT_REPEATED = "it was in flight when the run stopped, and on_interrupt: fail forbids to repeat it"


def resume(turn: Turn, signal: sig.ResumeRequested) -> Moves:
    """Answer a resume: go back first if that is asked. Otherwise a completed run has nothing left to do."""
    go_on = GoOn(signal, turn.state.time)
    if signal.rewind is not None:
        return (GoBack(signal.rewind), go_on)
    if signal.fork is not None:
        captured = overridden(turn.state, signal.fork.variables)
        turn.record(ev.RunForked, signal.fork, from_seq=turn.state.seq, captured=captured)
    elif turn.state.status == "completed" and signal.requeue is None:
        return ()
    return (go_on,)


def go_on(turn: Turn, move: GoOn) -> Moves:
    """Record the resume, with what was edited and put back, and go on where the run was."""
    signal, stood = move.signal, move.stood
    if signal.rewind is None and signal.fork is None:
        _book_what_was_in_flight(turn, signal.spent)
    if signal.revision is not None:
        turn.record(ev.PlanChanged, signal.revision)
    again = tuple(at for at in unfinished(turn.state) if _is_repeated(turn.node(at), signal.answers))
    turn.record(ev.RunResumed, signal, again=again, stood=stood if stood != turn.state.time else "")
    if pending := [question for question in questions(turn.state) if not signal.answers.get(question)]:
        turn.emit(ev.RunPaused(at=pending[0], reason=f"{pending[0]} was in flight; may it run again?"))
        return ()
    if signal.revision is not None:
        _give_up_unhandled(turn)
    if signal.requeue is not None:
        turn.record(ev.ItemsRequeued, signal.requeue)
    if turn.state.root.status is Status.FAILED:
        _reopen(turn, ROOT)
    if signal.requeue is not None:
        _continue_map(turn, signal.requeue)
    wait_again(turn)
    return (TakeUp(ROOT), Rest())


def _book_what_was_in_flight(turn: Turn, spent: dict[str, Spent]) -> None:
    """Book the attempts of claude whose end nobody heard: their coordinator died."""
    for at, epoch in sorted(turn.state.in_flight.items()):
        if turn.state.plan.template(at).is_claude:
            cost = cost_of(turn.state.node(at).conversation, spent.get(at, UNKNOWN))
            turn.emit(ev.CostBooked(at=at, epoch=epoch, **cost.fields()))


def _continue_map(turn: Turn, requeue: sig.Requeue) -> None:
    """Dead letters were put back: their map goes on if it had failed or settled, and what came after begins anew."""
    at = requeue.at
    while True:
        node = turn.node(at)
        if turn.state.node(at).is_settled or turn.state.node(at).status is Status.HANDLING:
            _continue(turn, at)
        if at == ROOT:
            break
        owner = turn.state.plan.owner_of(node)
        assert isinstance(owner.body, Sequence), "a map stands in sequences"
        for later in owner.body.children[node.index + 1 :] if requeue.reduces else ():
            if turn.state.node(later).status is not Status.PENDING:
                turn.emit(ev.NodeReopened(at=later))
        at = owner.address


def _continue(turn: Turn, at: str) -> None:
    """Go on inside a node; of a map, what failed before does not count against its error policy again."""
    turn.emit(ev.NodeContinued(at=at, excused=excused(turn.state, at) if at in turn.state.maps else None))


def take_up(turn: Turn, move: TakeUp) -> Moves:
    """Go on wherever a node, or anything below it, stood: all places are found before the first of them moves."""
    return tuple(_places(turn, move.at))


def _is_repeated(node: Node, answers: dict[str, bool]) -> bool:
    how = node.policy.on_interrupt
    return how in ("rerun", "continue") or (how == "ask" and answers.get(node.address, False))


def _give_up_unhandled(turn: Turn) -> None:
    """A node whose handlers an edit took away while they ran has failed, and is taken up as failed ones are."""
    for at, here in sorted(turn.state.nodes.items()):
        if here.status is Status.HANDLING and turn.node(at).policy.on_failure is None:
            turn.emit(ev.NodeFailed(at=at, error=here.failure))
            _reopen(turn, at)


def _reopen(turn: Turn, address: str) -> None:
    """Take the failed steps up again, and the later siblings that were skipped because of them."""
    stack = [address]
    while stack:
        node = turn.node(stack.pop())
        if isinstance(node.body, Run):
            turn.emit(ev.NodeReopened(at=node.address))
            continue
        failed = list(failures(turn.state, node))
        _continue(turn, node.address)
        stack += reversed(failed)
        if isinstance(node.body, Map):
            stack += reversed(_failed_items(turn.state, node.address))
            continue
        asking = {sibling for child in failed for sibling in node.body.answers.get(child, ())}
        for sibling in sorted(asking, key=lambda at: turn.node(at).index):
            if turn.state.node(sibling).status is Status.SKIPPED:
                turn.emit(ev.NodeReopened(at=sibling))


def _places(turn: Turn, address: str) -> Iterator[Move]:
    """Yield a move for every place where the node at `address` stood."""
    stack = [address]
    while stack:
        node = turn.node(stack.pop())
        here = turn.state.node(node.address)
        match here.status:
            case Status.PENDING:
                yield Enter(node.address)
            case Status.AWAITING:
                yield AskAgain(node.address)
            case Status.WAITING:
                yield WaitOn(node.address)
            case Status.HANDLING:
                handlers = node.policy.on_failure
                assert handlers is not None, "a node that is handled has handlers"
                if turn.state.node(handlers.address).is_settled:
                    yield HandlersSettled(node.address)
                else:
                    stack.append(handlers.address)
            case Status.RUNNING if isinstance(node.body, Run):
                yield RunAgain(node.address)
            case Status.RUNNING:
                if node.policy.timeout is not None and not _has_time(turn, node):
                    yield Expire(node.address)
                    continue
                if isinstance(node.body, Map):
                    stack += reversed(_with_room(turn, node))
                    yield ReadOn(node.address)
                    continue
                assert isinstance(node.body, Sequence), "the cases of the others stand above"
                if failed := undecided(turn.state, node):
                    _reopen(turn, failed)
                child = next((c for c in node.body.children if not turn.state.node(c).is_settled), None)
                if child is None:
                    yield Advance(node.address)
                else:
                    stack.append(child)
            case _:
                assert node.address == ROOT, f"{node.address} has settled: nothing stands there"
                yield Settled(ROOT)  # a moment at the very end: there is nothing to do but to say so


def run_again(turn: Turn, move: RunAgain) -> Moves:
    """Run a command that was in flight once more, or fail it where it must not be repeated."""
    here = turn.state.node(move.at)
    if turn.node(move.at).policy.on_interrupt != "fail":
        return (Start(move.at, here.attempt),)
    turn.emit(
        ev.CommandFinished(
            at=move.at,
            epoch=here.epoch,
            exit_code=None,
            duration_s=0.0,
            error=NOT_REPEATED,
            cost_kind=BOOKED if turn.node(move.at).is_claude else "",
        )
    )
    return (Fail(move.at, Outcome(error=NOT_REPEATED), may_retry=False),)


def _with_room(turn: Turn, node: Node) -> list[str]:
    """Return the addresses of the items that were at work and may go on at once; hold the others."""
    items = turn.state.maps.get(node.address)
    if items is None:
        return []
    active = tuple(sorted(items.active, key=items.listed.places.__getitem__))
    room = parallel(turn.state, node)
    if active[room:] != items.held:
        turn.emit(ev.ItemsHeld(at=node.address, keys=active[room:]))
    return [item_address(node.address, key) for key in active[:room]]


def _failed_items(state: State, at: str) -> list[str]:
    """Return the addresses of the items whose failure stopped the map."""
    return [item_address(at, key) for key, _, _ in of(state.maps[at], "failed")] if at in state.maps else []


def read_on(turn: Turn, move: ReadOn) -> Moves:
    """Go on with a map that was at work: read its items if that was not done, else begin what there is room for."""
    items = turn.state.maps.get(move.at)
    if items is None:
        turn.emit(ev.ListingStarted(at=move.at))
        return ()
    if items.is_open:
        turn.emit(ev.BreakerTried(at=move.at))
    return (Fill(move.at),)


def _has_time(turn: Turn, node: Node) -> bool:
    """Let the rest of a sequence's time run on; whether there is any."""
    here = turn.state.node(node.address)
    left_s = limit_of(turn.state, node) - here.spent_s
    if left_s > 0:
        turn.emit(ev.LimitStarted(at=node.address, attempt=here.attempt, left_s=left_s, spent_s=here.spent_s))
    return left_s > 0


def wait_on(turn: Turn, move: WaitOn) -> Moves:
    """Wait for the rest of the delay before a node's next attempt; one that was held asks again for its turn."""
    here = turn.state.node(move.at)
    if here.held_attempt:
        return (Start(move.at, here.held_attempt),)
    left_s = remaining_s(turn.time, due=here.due, delay_s=here.delay_s)
    due = due_at(turn.time, left_s)
    turn.emit(ev.RetryScheduled(at=move.at, attempt=here.attempt + 1, delay_s=left_s, due=due))
    return ()
