"""Fold what events say of money: attempts are booked, conversations begin, go on, and come to nothing."""

from collections.abc import Iterable
from typing import Any, cast

import immutables
from msgspec.structs import replace

from prodigy.kernel import events as ev
from prodigy.kernel import ledger
from prodigy.kernel.fault import IS_CUT
from prodigy.kernel.ledger import BOOKED, NONE, UNKNOWN, Conversation, Cost, CostKind, Ledger, Spent
from prodigy.kernel.state import NodeState, State
from prodigy.plan.address import item_of

Booking = ev.CommandFinished | ev.CommandInterrupted | ev.CostBooked


def begun(before: Conversation, event: ev.CommandStarted) -> Conversation:
    """Return the conversation of an attempt that begins: the one before, which goes on, or a new one."""
    return replace(before, is_cut=False, is_resumed=True) if event.resumes else Conversation(id=event.session)


def wasted(state: State, conversation: Conversation) -> State:
    """What a conversation cost that was cut off came to nothing: it is begun anew."""
    wasted_usd = ledger.rounded(state.ledger.wasted_usd + conversation.paid_usd)
    return replace(state, ledger=replace(state.ledger, wasted_usd=wasted_usd))


def booked(state: State, event: Booking, *, is_cut: bool) -> State:
    """An attempt of claude has come to its end; where it `is_cut`, its conversation has not."""
    if event.cost_kind == BOOKED:
        return state
    node, cost = state.node(event.at), _cost(event)
    is_cut = is_cut or (isinstance(event, ev.CommandFinished) and event.fault in IS_CUT)
    is_cut = is_cut and (cost.kind != "nothing" or node.conversation.is_resumed)  # else there is none yet
    conversation = replace(ledger.counted(node.conversation, cost), is_cut=is_cut)
    has_failed = isinstance(event, ev.CommandFinished) and event.error is not None and not is_cut
    wasted_usd = conversation.paid_usd if has_failed else 0.0
    added = ledger.booked(state.ledger, cost, wasted_usd=wasted_usd, reserved_usd=node.reserved_usd)
    paid_usd = ledger.rounded(node.paid_usd + (cost.usd or 0.0))
    state = replace(state, ledger=added, reserved_usd=max(0.0, ledger.rounded(state.reserved_usd - node.reserved_usd)))
    node = replace(node, conversation=conversation, paid_usd=paid_usd, reserved_usd=0.0)
    return _paid_by_item(replace(state, nodes=state.nodes.set(event.at, node)), event.at, cost.usd or 0.0)


def _paid_by_item(state: State, at: str, usd: float) -> State:
    """The item that a step is in has cost so much more."""
    item = item_of(at)
    if item is None or item not in state.nodes:
        return state
    node = state.node(item)
    return replace(state, nodes=state.nodes.set(item, replace(node, paid_usd=ledger.rounded(node.paid_usd + usd))))


def closed(state: State, spent: dict[str, Spent]) -> Ledger:
    """Return the ledger once what is in flight is booked, of which this much is known."""
    result = state.ledger
    for at in state.in_flight:
        if state.plan.template(at).is_claude:
            cost = ledger.cost_of(state.node(at).conversation, spent.get(at, UNKNOWN))
            result = ledger.booked(result, cost, wasted_usd=0.0)
    return result


def left_behind(nodes: immutables.Map[str, NodeState]) -> immutables.Map[str, NodeState]:
    """Return nodes whose conversations nobody goes on with: another history does, or did."""
    talking: Iterable[tuple[str, Any]] = ((at, node) for at, node in nodes.items() if node.conversation is not NONE)
    return nodes.update({at: replace(node, conversation=NONE) for at, node in talking})


def _cost(event: Booking) -> Cost:
    """Return what an event books; one of an earlier version said only what it cost, if it was known."""
    kind = event.cost_kind or ("unknown" if event.cost_usd is None else "exact")
    return Cost(kind=cast(CostKind, kind), usd=event.cost_usd, session_usd=event.session_usd, models=event.models)
