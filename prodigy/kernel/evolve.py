"""Fold one event into the state. No rule lives here: what happens was decided before it was written.

Each fold says what its event changes; where the state then stands in the log is stamped once, for all of them.
The only judgement is the life cycle's: an event that is illegal for a node's status is an assertion, so a log
that this prodigy could not have written never folds into a state that nobody can explain.
"""

from collections.abc import Callable, Iterable
from typing import Any

import immutables
from msgspec.structs import replace

from prodigy.kernel import events as ev
from prodigy.kernel import evolve_gate as on_gate
from prodigy.kernel import evolve_map as on_map
from prodigy.kernel import evolve_money as on_money
from prodigy.kernel.ledger import EMPTY, rounded
from prodigy.kernel.lifecycle import Epoch, Status, after, is_repair
from prodigy.kernel.queries import overridden
from prodigy.kernel.retry import due_at, elapsed_s
from prodigy.kernel.snapshot import restored
from prodigy.kernel.state import NodeState, Origin, State, ids_of
from prodigy.plan.address import item_of
from prodigy.plan.nodes import ROOT, Run, Sequence, is_below


def fold(state: State, records: Iterable[tuple[str, ev.Event]]) -> State:
    """Return the state after all (time, event) of `records`."""
    for time, event in records:
        state = evolve(state, event, time)
    return state


def evolve(state: State, event: ev.Event, time: str) -> State:
    """Return the state after `event`, which happened at `time`; its seq is the state's next."""
    return replace(FOLDS[type(event)](state, event, time), seq=state.seq + 1, time=time)


def _run_started(state: State, event: ev.RunStarted, time: str) -> State:
    origin = Origin(
        workflow_id=event.workflow_id,
        workflow_path=event.workflow_path,
        directory=event.directory,
        started=time,
        parameters=event.parameters,
        synced=event.synced,
        prodigy_version=event.prodigy_version,
        claude_bin=event.claude_bin,
    )
    return replace(
        state,
        status="running",
        origin=origin,
        plan=event.plan,
        addresses=ids_of(event.plan),
        number=event.number,
        max_retries=event.max_retries,
        max_parallel=event.max_parallel,
        budget_usd=event.budget_usd,
        nodes=state.nodes.set(ROOT, NodeState(since=time)),
    )


def _generation_started(state: State, event: ev.GenerationStarted, time: str) -> State:
    origin = state.origin
    if origin is not None and event.workflow_id:
        origin = replace(origin, workflow_id=event.workflow_id)
    return replace(
        state,
        origin=origin,
        generation=event.generation,
        version=event.version,
        status="running",
        stopping=None,
        pausing=None,
        ledger=event.ledger or state.ledger,
        nodes=on_money.left_behind(state.nodes),
    )


def _run_resumed(state: State, event: ev.RunResumed, time: str) -> State:
    """Commands that were in flight ended with their coordinator."""
    stood = event.stood or state.time
    return replace(
        state,
        nodes=state.nodes.update(_used(state, stood)),
        rested_s=state.rested_s + elapsed_s(stood, time),
        status="running",
        stopping=None,
        pausing=None,
        reserved_usd=0.0,
        in_flight=immutables.Map(),
        expired=frozenset(),
        number=event.number,
        max_retries=event.max_retries,
        max_parallel=event.max_parallel,
        failed_at=None,
        failure="",
        maps=on_map.resumed(state.maps, time),
    )


def _used(state: State, stood: str) -> dict[str, NodeState]:
    """Return the nodes that have a limit, with the time used when the run came to rest.

    They may go on much later: an item waits for room, a question for its answer, and the run may rest meanwhile.
    """
    used = {}
    until = stood if state.parked is None else min(stood, state.parked.since)
    for at, node in state.nodes.items():
        if node.limit_since:
            used_s = elapsed_s(node.limit_since, until)
            used[at] = replace(node, spent_s=node.spent_s + used_s, left_s=node.left_s - used_s, limit_since="")
    return used


def _plan_changed(state: State, event: ev.PlanChanged, time: str) -> State:
    gone = set(event.moved) | set(event.dropped)
    nodes = {at: node for at, node in state.nodes.items() if at not in gone}
    nodes |= {new: state.nodes[old] for old, new in event.moved.items() if old in state.nodes}
    flying = {event.moved.get(at, at): epoch for at, epoch in state.in_flight.items() if at not in event.dropped}
    return replace(
        state,
        plan=event.plan,
        addresses=ids_of(event.plan),
        nodes=immutables.Map(nodes),
        in_flight=immutables.Map(flying),
        maps=immutables.Map({at: items for at, items in state.maps.items() if at in event.plan.nodes}),
    )


def _node_started(state: State, event: ev.NodeStarted, time: str) -> State:
    """A sequence is entered: what its children did in an earlier attempt is forgotten."""
    before, is_item = state.node(event.at), state.plan.is_item(event.at)
    node = replace(
        before,
        status=after("node_started", before.status),
        attempt=event.attempt,
        repairs=before.repairs + is_repair(before.status),
        since=time,
    )
    if event.attempt > 1:
        if is_item:
            node = replace(node, tried=on_map.tried(state, event.at))
        state = _forget(state, event.at)
    state = replace(state, nodes=state.nodes.set(event.at, node))
    return on_map.item_begun(state, event.at) if is_item else state


def _command_started(state: State, event: ev.CommandStarted, time: str) -> State:
    before = state.node(event.at)
    epoch = Epoch(state.seq + 1)
    node = NodeState(
        status=after("command_started", before.status),
        attempt=event.attempt,
        epoch=epoch,
        first=before.first,
        repairs=before.repairs + is_repair(before.status),
        reopened=before.reopened,
        since=time,
        error=before.error,
        conversation=on_money.begun(before.conversation, event),
        paid_usd=before.paid_usd,
        reserved_usd=event.reserved_usd or 0.0,
    )
    if before.conversation.is_cut and not event.resumes:
        state = on_money.wasted(state, before.conversation)
    if before.held_attempt:
        state = replace(state, held=state.held.delete(event.at))
    return replace(
        state,
        nodes=state.nodes.set(event.at, node),
        in_flight=state.in_flight.set(event.at, epoch),
        reserved_usd=rounded(state.reserved_usd + node.reserved_usd),
    )


def _command_finished(state: State, event: ev.CommandFinished, time: str) -> State:
    """A command that resume must not repeat is no longer in flight."""
    before = state.node(event.at)
    leaf = state.plan.template(event.at)
    assert isinstance(leaf.body, Run), "only a leaf has a command"
    kind = "claude" if leaf.is_claude else "shell"
    node = replace(
        before,
        status=after("command_finished", before.status),
        exit_code=event.exit_code,
        error=event.error,
        duration_s=event.duration_s,
        output=event.output if leaf.keeps_output else "",
        stderr=event.stderr if leaf.keeps_output else "",
        output_file=event.output_file,
        is_final=event.is_final,
        structured=event.structured,
    )
    in_item = state.plan.is_in_item(event.at)
    state = replace(
        state,
        nodes=state.nodes.set(event.at, node),
        in_flight=state.in_flight.delete(event.at) if event.at in state.in_flight else state.in_flight,
        outputs=state.outputs if in_item else state.outputs.set(kind, event.output),
        scoped=_scoped(state, event.at, kind, event.output) if in_item else state.scoped,
    )
    return on_money.booked(state, event, is_cut=False) if leaf.is_claude else state


def _command_interrupted(state: State, event: ev.CommandInterrupted, time: str) -> State:
    after("command_interrupted", state.node(event.at).status)
    state = replace(state, in_flight=state.in_flight.delete(event.at))
    is_claude = state.plan.template(event.at).is_claude
    return on_money.booked(state, event, is_cut=True) if is_claude else state


def _cost_booked(state: State, event: ev.CostBooked, time: str) -> State:
    after("cost_booked", state.node(event.at).status)
    return on_money.booked(state, event, is_cut=True)


def _value_captured(state: State, event: ev.ValueCaptured, time: str) -> State:
    if state.plan.is_in_item(event.at):
        return replace(state, scoped=_scoped(state, event.at, event.name, event.value))
    return replace(state, captures=state.captures.set(event.name, event.value))


def _scoped(state: State, address: str, name: str, value: Any) -> Any:
    """Return what is captured within items, with this added to the item that the address is in."""
    item = item_of(address)
    assert item is not None, "the address is in an item"
    return state.scoped.set(item, {**state.scoped.get(item, {}), name: value})


def _retry_scheduled(state: State, event: ev.RetryScheduled, time: str) -> State:
    return _turned(state, event, time, delay_s=event.delay_s, due=event.due)


def _handling_started(state: State, event: ev.HandlingStarted, time: str) -> State:
    """The handlers start afresh; what they did for an earlier failure is forgotten."""
    error = event.error or state.node(event.at).error
    return _turned(_unhandled(state, event.at), event, time, error=error, failed_step=event.step)


def _limit_started(state: State, event: ev.LimitStarted, time: str) -> State:
    return _turned(state, event, time, left_s=event.left_s, spent_s=event.spent_s, limit_since=time)


def _limit_reached(state: State, event: ev.LimitReached, time: str) -> State:
    return replace(_turned(state, event, time), expired=state.expired | {event.at})


def _node_bypassed(state: State, event: ev.NodeBypassed, time: str) -> State:
    """Nothing below the node is in flight any more, and resume will not go on with it."""
    flying = {at: epoch for at, epoch in state.in_flight.items() if not is_below(state.plan, at, event.at)}
    state = _unhandled(_forget(replace(state, in_flight=immutables.Map(flying)), event.at), event.at)
    state = on_map.map_bypassed(state, event.at)
    return _turned(state, event, time, reason=f"by {event.by}")


def _node_skipped(state: State, event: ev.NodeSkipped, time: str) -> State:
    return _turned(state, event, time, reason=event.reason)


def _node_failed(state: State, event: ev.NodeFailed, time: str) -> State:
    return _turned(state, event, time, error=event.error)


def _node_reopened(state: State, event: ev.NodeReopened, time: str) -> State:
    """What the node and everything below it did is forgotten."""
    before = state.node(event.at)
    state = _unhandled(_forget(state, event.at), event.at)
    node = NodeState(
        status=after("node_reopened", before.status),
        attempt=before.attempt,
        first=before.attempt + 1,
        reopened=before.status is Status.FAILED,
        since=time,
        error=before.error,
    )
    return replace(state, nodes=state.nodes.set(event.at, node))


def _node_continued(state: State, event: ev.NodeContinued, time: str) -> State:
    """Its budgets are new: of attempts, of repairs and of time; of a map, that of failures too."""
    first = state.node(event.at).attempt
    state = _unhandled(state, event.at)
    state = _turned(state, event, time, first=first, repairs=0, left_s=0.0, spent_s=0.0, limit_since="")
    if state.plan.is_item(event.at):
        return on_map.item_begun(state, event.at)
    return on_map.map_taken_up(state, event) if event.at in state.maps else state


def _checkpoint_marked(state: State, event: ev.CheckpointMarked, time: str) -> State:
    node = replace(state.node(event.at), version=event.version)
    state = replace(state, version=event.version, nodes=state.nodes.set(event.at, node))
    return on_map.marked(state, event.at) if event.at in state.maps else state


def _run_rested(state: State, event: ev.RunRested, time: str) -> State:
    """Every limit that is running began that much later."""
    later = {
        at: replace(node, limit_since=due_at(node.limit_since, event.rested_s))
        for at, node in state.nodes.items()
        if node.limit_since and not node.is_settled
    }
    return replace(state, rested_s=state.rested_s + event.rested_s, nodes=state.nodes.update(later))


def _stop_requested(state: State, event: ev.StopRequested, time: str) -> State:
    return replace(state, stopping=event.by)


def _run_interrupted(state: State, event: ev.RunInterrupted, time: str) -> State:
    return replace(state, status="interrupted")


def _run_paused(state: State, event: ev.RunPaused, time: str) -> State:
    return replace(state, status="paused", failed_at=event.at, failure=event.reason)


def _run_cancelled(state: State, event: ev.RunCancelled, time: str) -> State:
    return replace(state, status="cancelled", failed_at=event.at, failure=f"{event.by} said no")


def _run_forked(state: State, event: ev.RunForked, time: str) -> State:
    """Some of the changed variables replace what a step captured, the others the workflow's variables."""
    names = overridden(state, event.variables) if event.captured is None else event.captured
    plain = {name: value for name, value in event.variables.items() if name not in names}
    given = {**state.run.parameters, **plain}
    return replace(
        state,
        generation=1,
        status="running",
        stopping=None,
        origin=replace(state.run, workflow_id=event.workflow_id, parameters=given, spellings={}),
        plan=replace(state.plan, variables={**state.plan.variables, **plain}, spellings={}),
        captures=state.captures.update({name: event.variables[name] for name in names}),
        nodes=on_money.left_behind(state.nodes),
    )


def _run_restored(state: State, event: ev.RunRestored, time: str) -> State:
    kept = restored(event.snapshot, event.plan) | {"status": "running", "stopping": None}
    if state.ledger != EMPTY:  # its generation knows what the run cost until then
        kept["ledger"] = state.ledger
    return replace(state, **kept)


def _run_failed(state: State, event: ev.RunFailed, time: str) -> State:
    return replace(state, status="failed", failed_at=event.at, failure=event.error)


def _run_completed(state: State, event: ev.RunCompleted, time: str) -> State:
    return replace(state, status="completed")


def _nothing(state: State, event: ev.Event, time: str) -> State:
    """The event is history alone: the state stays what it was."""
    return state


def _turned(state: State, event: Any, time: str, **changes: Any) -> State:
    """The event's node takes the transition that its life cycle names."""
    before = state.node(event.at)
    node = replace(before, status=after(ev.type_of(event), before.status), since=time)
    if changes:
        node = replace(node, **changes)
    nodes = state.nodes.set(event.at, node)
    expired = state.expired - {event.at} if event.at in state.expired else state.expired
    return replace(state, nodes=nodes, expired=expired)


def _unhandled(state: State, address: str) -> State:
    """Return the state without what the handlers of a node did."""
    handlers = state.plan.node(address).policy.on_failure
    if handlers is None or handlers.address not in state.nodes:
        return state
    state = _forget(state, handlers.address)
    return replace(state, nodes=state.nodes.delete(handlers.address))


def _forget(state: State, address: str) -> State:
    """Return the state without any node below `address`, handlers of what is below among them; maps stand elsewhere."""
    with state.nodes.mutate() as nodes:
        stack = [address]
        while stack:
            node = state.plan.node(stack.pop())
            below = list(node.body.children) if isinstance(node.body, Sequence) else []
            if node.policy.on_failure and node.address != address:
                below.append(node.policy.on_failure.address)
            for child in below:
                if child in nodes:
                    del nodes[child]
            stack += below
        forgotten = nodes.finish()
    return replace(state, nodes=forgotten)


# Every event has one fold; a test holds the table to the union of events.
FOLDS: dict[type[Any], Callable[[State, Any, str], State]] = {
    ev.RunStarted: _run_started,
    ev.GenerationStarted: _generation_started,
    ev.RunResumed: _run_resumed,
    ev.PlanChanged: _plan_changed,
    ev.NodeStarted: _node_started,
    ev.CommandStarted: _command_started,
    ev.CommandFinished: _command_finished,
    ev.CommandInterrupted: _command_interrupted,
    ev.CostBooked: _cost_booked,
    ev.CommandHeld: on_gate.command_held,
    ev.ClaudeParked: on_gate.claude_parked,
    ev.ClaudeTried: on_gate.claude_tried,
    ev.ClaudeReleased: on_gate.claude_released,
    ev.PauseRequested: on_gate.pause_requested,
    ev.BudgetNeared: on_gate.budget_neared,
    ev.BudgetRaised: on_gate.budget_raised,
    ev.ValueCaptured: _value_captured,
    ev.RetryScheduled: _retry_scheduled,
    ev.HandlingStarted: _handling_started,
    ev.ConfirmationRequested: _turned,
    ev.ConfirmationAnswered: _turned,
    ev.LimitStarted: _limit_started,
    ev.LimitReached: _limit_reached,
    ev.NodeBypassed: _node_bypassed,
    ev.ListingStarted: _turned,
    ev.ItemsListed: on_map.listed,
    ev.ItemsHeld: on_map.items_held,
    ev.ItemSettled: on_map.item_settled,
    ev.ItemsRequeued: on_map.items_requeued,
    ev.DeadLettersPurged: on_map.dead_letters_purged,
    ev.BreakerOpened: on_map.breaker,
    ev.BreakerTried: on_map.breaker,
    ev.NodeSkipped: _node_skipped,
    ev.NodeSucceeded: _turned,
    ev.NodeHandled: _turned,
    ev.NodeFailed: _node_failed,
    ev.NodeReopened: _node_reopened,
    ev.NodeContinued: _node_continued,
    ev.CheckpointMarked: _checkpoint_marked,
    ev.RunRested: _run_rested,
    ev.StopRequested: _stop_requested,
    ev.RunInterrupted: _run_interrupted,
    ev.RunPaused: _run_paused,
    ev.RunCancelled: _run_cancelled,
    ev.RunForked: _run_forked,
    ev.RunRestored: _run_restored,
    ev.RunFailed: _run_failed,
    ev.RunCompleted: _run_completed,
    ev.RunCleaned: _nothing,
}
