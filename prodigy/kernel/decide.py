"""Decide what happens next: `decide(state, signal)` returns the events of one turn. Pure.

Every rule of the product is here or in `recover`. A settled node can only affect its ancestors: its sequence
enters the next child or settles, a handler settles its owner. So a signal is answered by a chain of moves, walked
in a loop: each move is a function that emits events and returns the next move, or None when the world has the word.

Events are folded as they are emitted, so every rule sees the state that its predecessor left.
"""

from collections.abc import Iterator
from typing import NamedTuple, assert_never

from prodigy.kernel import events as ev
from prodigy.kernel import mapping
from prodigy.kernel import signals as sig
from prodigy.kernel.cause import HANDLER_TOO
from prodigy.kernel.digest import digest_of
from prodigy.kernel.evolve import is_item
from prodigy.kernel.lifecycle import Status
from prodigy.kernel.limits import limit_of, timeout_of
from prodigy.kernel.outcome import Outcome, captured, explained, judge, may_be_stopped
from prodigy.kernel.retry import attempts_allowed, delay_before, due_at, is_retried
from prodigy.kernel.scope import lookup_in
from prodigy.kernel.state import NodeState, State
from prodigy.kernel.turn import Move, Turn, walk
from prodigy.plan import expression
from prodigy.plan.nodes import ROOT, Map, Node, Run, Sequence, is_below

COMMAND_CHARS_MAX = 200
_AT_WORK = (Status.RUNNING, Status.WAITING, Status.HANDLING, Status.AWAITING)


class Decision(NamedTuple):
    """The events of one turn, none where nothing happens, and the state after them."""

    events: list[ev.Event]
    state: State


def decide(state: State, signal: sig.Signal) -> Decision:
    """Return what happens because of `signal`. A signal that comes too late changes nothing."""
    turn = Turn(state, signal.time)
    match signal:
        case sig.CookRequested():
            walk(begin(turn, signal))
        case sig.ResumeRequested():
            from prodigy.kernel.recover import resume

            resume(turn, signal)
        case sig.Exited():
            _exited(turn, signal)
        case sig.PurgeRequested():
            turn.emit(ev.DeadLettersPurged(at=signal.at, keys=signal.keys, by=signal.by))
        case sig.Listed():
            mapping.listed(turn, signal)
        case sig.TimerFired():
            _timer_fired(turn, signal)
        case sig.LimitFired():
            _limit_fired(turn, signal)
        case sig.Answered():
            _answered(turn, signal)
        case sig.Rested():
            _rested(turn, signal)
        case sig.StopRequested():
            _stop_requested(turn, signal)
        case _:
            assert_never(signal)
    return Decision(turn.events, turn.state)


def begin(turn: Turn, signal: sig.CookRequested) -> Move:
    """Start a run, or start it over in a new generation."""
    if signal.generation > 1:
        turn.emit(
            ev.GenerationStarted(
                generation=signal.generation,
                parent=signal.generation - 1,
                from_seq=0,
                from_chain=signal.from_chain,
                version=signal.version,
                reason=signal.reason,
            )
        )
    turn.emit(
        ev.RunStarted(
            format=ev.FORMAT,
            workflow_id=signal.workflow_id,
            workflow_path=signal.workflow_path,
            directory=signal.directory,
            number=signal.number,
            prodigy_version=signal.prodigy_version,
            plan=signal.plan,
            workflow_text=signal.workflow_text,
            parameters=signal.parameters,
            max_retries=signal.max_retries,
            synced=signal.synced,
        )
    )
    return lambda: enter(turn, ROOT)


def enter(turn: Turn, address: str) -> Move | None:
    """Begin a node, unless its `when` is false or what it is in does not go on.

    One that has begun, before which an edit put another, is taken up where it stood.
    """
    if is_held(turn.state, address):
        return None
    if turn.state.node(address).status is not Status.PENDING:
        from prodigy.kernel.recover import take_up

        take_up(turn, address)
        return None
    node = turn.node(address)
    when = node.policy.when
    if when is not None and not expression.evaluate(when, lookup_in(turn.state, address)):
        turn.emit(ev.NodeSkipped(at=address, reason=expression.explain(when, lookup_in(turn.state, address))))
        return lambda: settled(turn, address)
    if node.policy.requires_confirmation:
        turn.emit(ev.ConfirmationRequested(at=address))
        return None
    return start(turn, node, turn.state.node(address).attempt + 1)


def is_held(state: State, address: str) -> bool:
    """Whether nothing may begin here: the run is stopping, or something around it has reached its timeout."""
    return bool(state.stopping) or any(is_below(state.plan, address, expired) for expired in state.expired)


def start(turn: Turn, node: Node, attempt: int) -> Move | None:
    """Begin an attempt of a node: its command, or its first child."""
    if isinstance(node.body, Run):
        turn.emit(ev.CommandStarted(at=node.address, attempt=attempt, command=headline(node)))
        return None
    turn.emit(ev.NodeStarted(at=node.address, attempt=attempt))
    if node.policy.timeout is not None:
        try:
            limit_s = timeout_of(node.policy.timeout, lookup_in(turn.state, node.address))
        except ValueError as problem:
            return fail(turn, node, Outcome(error=str(problem)))
        turn.emit(ev.LimitStarted(at=node.address, attempt=attempt, left_s=limit_s))
    if isinstance(node.body, Map):
        return lambda: mapping.begin(turn, node)
    return lambda: go_on(turn, node, after_index=-1)


def go_on(turn: Turn, node: Node, *, after_index: int) -> Move | None:
    """Enter the next unsettled child of a running sequence, or settle it."""
    assert isinstance(node.body, Sequence)
    for index in range(after_index + 1, len(node.body.children)):
        child = node.body.children[index]
        if not turn.state.node(child).is_settled:
            return lambda: enter(turn, child)
    return lambda: _finish_sequence(turn, node)


def settled(turn: Turn, address: str) -> Move | None:
    """Tell the parent of a node that has settled."""
    if address == ROOT:
        _finish_run(turn)
        return None
    node = turn.node(address)
    owner = turn.node(node.parent)
    if owner.policy.on_failure and owner.policy.on_failure.address == address:
        return handlers_settled(turn, owner)
    if turn.state.node(address).status is Status.FAILED and not is_tolerated(owner, node):
        error = turn.state.node(address).error or ""
        return lambda: fail(turn, owner, Outcome(error=error))
    return lambda: go_on(turn, owner, after_index=node.index)


def is_tolerated(owner: Node, child: Node) -> bool:
    """Whether the sequence goes on although `child` failed: it is allowed to, or a later sibling asks about it."""
    assert isinstance(owner.body, Sequence)
    handlers = child.policy.on_failure
    fails_workflow = handlers is not None and handlers.fail_workflow
    return child.policy.allow_failure or (child.address in owner.body.answers and not fails_workflow)


def unanswered(state: State, node: Node) -> Iterator[str]:
    """Yield the children whose failure was tolerated for the sake of siblings, none of which ran and succeeded.

    While one of those siblings may still run, the question is open.
    """
    assert isinstance(node.body, Sequence)
    for child, siblings in node.body.answers.items():
        if state.node(child).status is not Status.FAILED or state.plan.node(child).policy.allow_failure:
            continue
        answers = [state.node(sibling) for sibling in siblings]
        if all(answer.is_settled and answer.status is not Status.SUCCEEDED for answer in answers):
            yield child


def succeed(turn: Turn, node: Node) -> Move:
    """Settle a node whose body succeeded."""
    if is_item(turn.state, node.address):
        return mapping.settle_item(turn, node, "")
    turn.emit(ev.NodeSucceeded(at=node.address))
    mark(turn, node)
    return lambda: settled(turn, node.address)


def fail(turn: Turn, node: Node, outcome: Outcome, *, may_retry: bool = True) -> Move | None:
    """Answer a failed attempt: try again, handle it, or give up."""
    here = turn.state.node(node.address)
    if may_retry and _tries(here) < attempts_allowed(turn.state, node) and is_retried(node, outcome):
        _schedule(turn, node, here)
        return None
    handlers = node.policy.on_failure
    if handlers is None or (handlers.repairs and here.repairs >= handlers.repairs):
        return give_up(turn, node, outcome.error)
    if isinstance(node.body, Run):
        turn.emit(ev.HandlingStarted(at=node.address))
    else:
        step = _at_fault(turn.state, node.address)
        turn.emit(ev.HandlingStarted(at=node.address, error=outcome.error, step=step))
    return lambda: enter(turn, handlers.address)


def give_up(turn: Turn, node: Node, error: str) -> Move:
    """Settle a node as failed."""
    if is_item(turn.state, node.address):
        return mapping.settle_item(turn, node, error)
    turn.emit(ev.NodeFailed(at=node.address, error=error))
    mark(turn, node)
    return lambda: settled(turn, node.address)


def mark(turn: Turn, node: Node) -> None:
    """Make a checkpoint version: of every settled step outside items, of a map, and of what asks for one."""
    if turn.state.plan.is_in_item(node.address):
        return
    if not isinstance(node.body, Sequence) or node.policy.checkpoint:
        label = (node.id or node.name or node.address) if node.policy.checkpoint else ""
        digest = digest_of(turn.state) if label else ""
        turn.emit(ev.CheckpointMarked(version=turn.state.version + 1, at=node.address, label=label, digest=digest))


def rest(turn: Turn) -> None:
    """Interrupt a run that is stopping once nothing of it is in flight."""
    if turn.state.stopping and not turn.state.in_flight and not turn.state.is_over:
        turn.emit(ev.RunInterrupted())


def headline(node: Node) -> str:
    """Return what a leaf runs, in one line as its author wrote it: `shell: make test`, `map: files.json`."""
    if isinstance(node.body, Map):
        return f"map: {' '.join(as_source(node.body).split())[:COMMAND_CHARS_MAX]}"
    assert isinstance(node.body, Run), "a sequence runs nothing itself"
    command = node.body.command
    kind = type(command).__name__.lower()
    text = " ".join(command.text[: 2 * COMMAND_CHARS_MAX].split())
    return f"{kind}: {text if len(text) <= COMMAND_CHARS_MAX else text[:COMMAND_CHARS_MAX] + '…'}"


def as_source(body: Map) -> str:
    """Return where a map's items come from, as its author wrote it; of a list how long it is."""
    if body.source.kind == "list":
        return f"a list of {len(body.source.elements)}"
    return "".join(piece if isinstance(piece, str) else piece.text for piece in body.source.text)


def _finish_sequence(turn: Turn, node: Node) -> Move | None:
    failed = next(failures(turn.state, node), None)
    if failed is None:
        return succeed(turn, node)
    error = turn.state.node(failed).error or ""
    return fail(turn, node, Outcome(error=f"{error} (at {failed}; no later step answered it)"))


def _finish_run(turn: Turn) -> None:
    root = turn.state.root
    if root.status is Status.FAILED:
        culprit = culprit_of(turn.state)
        turn.emit(ev.RunFailed(at=culprit, error=turn.state.node(culprit).error or root.error or ""))
    else:
        turn.emit(ev.RunCompleted())


def culprit_of(state: State, at: str = ROOT) -> str:
    """Return the address of the step whose failure failed a node: the deepest, one that nothing tolerated first."""
    while failed := list(failures(state, state.plan.node(at))):
        owner = state.plan.node(at)
        at = next((child for child in failed if not is_tolerated(owner, state.plan.node(child))), failed[0])
    return at


def _at_fault(state: State, address: str) -> str:
    """Return the address of the step that failed a sequence, or was at work when its time was over, or nothing."""
    at = culprit_of(state, address)
    while at == address or not state.node(at).is_settled:
        body = state.plan.node(at).body
        children = body.children if isinstance(body, Sequence) else ()
        below = next((child for child in children if state.node(child).status in _AT_WORK), None)
        if below is None:
            break
        at = below
    return at if at != address else ""


def failures(state: State, node: Node) -> Iterator[str]:
    """Yield the children for which a sequence failed, in order: failed, and neither allowed to nor answered."""
    if not isinstance(node.body, Sequence):
        return
    open_ends = set(unanswered(state, node))
    for child in node.body.children:
        is_failed = state.node(child).status is Status.FAILED
        if is_failed and (child in open_ends or not is_tolerated(node, state.plan.node(child))):
            yield child


def handlers_settled(turn: Turn, owner: Node) -> Move | None:
    """Settle a node by what its handlers came to, or try it again when they were to repair it."""
    here = turn.state.node(owner.address)
    policy = owner.policy.on_failure
    assert policy is not None, "only handlers settle so"
    handlers = turn.state.node(policy.address)
    error = here.error or ""
    if handlers.status is Status.FAILED:
        return give_up(turn, owner, f"{error}\n{HANDLER_TOO}{handlers.error or ''}".strip())
    if policy.repairs:
        if is_held(turn.state, owner.address):
            return None
        return start(turn, owner, here.attempt + 1)
    if policy.fail_workflow:
        return give_up(turn, owner, error)
    turn.emit(ev.NodeHandled(at=owner.address))
    mark(turn, owner)
    return lambda: settled(turn, owner.address)


def _tries(here: NodeState) -> int:
    return here.attempt - here.first + 1


def _schedule(turn: Turn, node: Node, here: NodeState) -> None:
    """Wait before the next attempt; the delay grows with the tries of this budget."""
    delay_s = delay_before(node, tries=_tries(here))
    due = due_at(turn.time, delay_s)
    turn.emit(ev.RetryScheduled(at=node.address, attempt=here.attempt + 1, delay_s=delay_s, due=due))


def _exited(turn: Turn, signal: sig.Exited) -> None:
    """Fold a command's end; one of an older epoch is nobody's any more.

    What stops the run may reach its commands too, before we do: then they were interrupted as if by us.
    """
    if turn.state.in_flight.get(signal.at) != signal.epoch:
        return
    node = turn.node(signal.at)
    if signal.stopped or (turn.state.stopping and may_be_stopped(signal)):
        turn.emit(
            ev.CommandInterrupted(
                at=signal.at,
                epoch=signal.epoch,
                duration_s=signal.duration_s,
                output_file=signal.output_file,
                cost_usd=signal.cost_usd,
                warnings=signal.warnings,
            )
        )
    else:
        walk(_finished(turn, node, signal))
    end_expired(turn)
    rest(turn)


def _finished(turn: Turn, node: Node, signal: sig.Exited) -> Move | None:
    value, outcome = captured(node, signal, explained(node, judge(signal), lookup_in(turn.state, node.address)))
    turn.emit(
        ev.CommandFinished(
            at=node.address,
            epoch=signal.epoch,
            exit_code=signal.exit_code,
            duration_s=signal.duration_s,
            signal=signal.signal,
            timed_out_s=signal.timed_out_s,
            error=outcome.error or None,
            output=signal.output.removesuffix("\n"),
            stderr=signal.stderr.removesuffix("\n"),
            output_file=signal.output_file,
            cost_usd=signal.cost_usd,
            warnings=signal.warnings + outcome.warnings,
        )
    )
    if outcome.error:
        return fail(turn, node, outcome)
    if node.policy.capture:
        turn.emit(ev.ValueCaptured(at=node.address, name=node.policy.capture, value=value))
    return succeed(turn, node)


def is_awaited(state: State, timer: sig.TimerFired | sig.LimitFired) -> bool:
    """Whether anything would still come of a timer: what it is about goes on, and so does all around that."""
    here = state.node(timer.at)
    if is_held(state, timer.at) or not _is_open(state, timer.at):
        return False
    if isinstance(timer, sig.LimitFired):
        return here.status is Status.RUNNING and here.attempt == timer.attempt
    is_pause = here.status is Status.RUNNING and timer.at in state.maps and state.maps[timer.at].is_open
    return is_pause or (here.status is Status.WAITING and here.attempt + 1 == timer.attempt)


def _timer_fired(turn: Turn, signal: sig.TimerFired) -> None:
    if not is_awaited(turn.state, signal):
        return
    if turn.state.node(signal.at).status is Status.RUNNING:
        mapping.pause_over(turn, turn.node(signal.at))
    else:
        walk(start(turn, turn.node(signal.at), signal.attempt))


def _limit_fired(turn: Turn, signal: sig.LimitFired) -> None:
    """A sequence has used its time: end what runs in it, and fail it once nothing does."""
    if not is_awaited(turn.state, signal):
        return
    turn.emit(ev.LimitReached(at=signal.at, timeout_s=turn.state.node(signal.at).left_s))
    end_expired(turn)


def end_expired(turn: Turn) -> None:
    """Fail the sequences that have reached their timeout and have nothing in flight any more, inner ones first."""
    for address in sorted(turn.state.expired, key=len, reverse=True):
        if any(is_below(turn.state.plan, at, address) for at in turn.state.in_flight):
            continue
        node = turn.node(address)
        limit_s = limit_of(turn.state, node)
        walk(fail(turn, node, Outcome(error=f"timed out after {limit_s:g} s", is_timeout=True)))


def _answered(turn: Turn, signal: sig.Answered) -> None:
    """A person's word about a node that awaits it; without anybody to ask the run pauses."""
    here = turn.state.node(signal.at)
    if here.status is not Status.AWAITING or turn.state.is_over or is_held(turn.state, signal.at):
        return
    if not _is_open(turn.state, signal.at):
        return
    if signal.is_confirmed is None:
        turn.emit(ev.RunPaused(at=signal.at, reason=f"{signal.at} waits for confirmation"))
        return
    turn.emit(ev.ConfirmationAnswered(at=signal.at, is_confirmed=signal.is_confirmed, by=signal.by))
    if signal.is_confirmed:
        walk(start(turn, turn.node(signal.at), here.attempt + 1))
    else:
        turn.emit(ev.RunCancelled(at=signal.at, by=signal.by))


def _is_open(state: State, address: str) -> bool:
    """Whether all that the node is in still works on it: a late timer or answer starts nothing in what timed out."""
    while address != ROOT:
        owner = state.plan.node(state.plan.node(address).parent)
        handlers = owner.policy.on_failure
        is_handler = handlers is not None and handlers.address == address
        if state.node(owner.address).status is not (Status.HANDLING if is_handler else Status.RUNNING):
            return False
        address = owner.address
    return True


def _rested(turn: Turn, signal: sig.Rested) -> None:
    """Note a rest, for a resume counts what of a timeout was used by the times in the log."""
    if signal.rested_s > 0 and not turn.state.is_over and turn.state.origin is not None:
        turn.emit(ev.RunRested(rested_s=signal.rested_s))


def _stop_requested(turn: Turn, signal: sig.StopRequested) -> None:
    if turn.state.is_over or turn.state.stopping or turn.state.origin is None:
        return
    turn.emit(ev.StopRequested(by=signal.by))
    rest(turn)
