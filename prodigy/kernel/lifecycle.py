"""The life cycle of a node, as a table. Every node has the same one, whatever its body.

                  when = false
     pending ───────────────────────▶ skipped
        │ start          ┌──────── retry scheduled ──────┐
        ▼                ▼                               │
     awaiting ─yes─▶ running ── body failed ──▶ attempts left? ─yes─▶ waiting (timer) ─▶ running
     (confirm)           │                              │no
                         │ body succeeded               ▼
                         ▼                       has on_failure? ─yes─▶ handling ─▶ handled | running | failed
                     succeeded                          │no                          (repaired)
                                                        ▼
                                                      failed

`decide` chooses which event happens; this table only says which status an event leads to, and from where it
is legal. An event that is not in the table for a node's status is a mistake of ours.
"""

from enum import StrEnum
from typing import NewType

Epoch = NewType("Epoch", int)  # the unique number of a start, the seq of its event: it fences late news of earlier ones


class Status(StrEnum):
    """Where a node stands."""

    PENDING = "pending"
    AWAITING = "awaiting"
    RUNNING = "running"
    WAITING = "waiting"
    HANDLING = "handling"
    SUCCEEDED = "succeeded"
    HANDLED = "handled"
    SKIPPED = "skipped"
    FAILED = "failed"


SETTLED = frozenset({Status.SUCCEEDED, Status.HANDLED, Status.SKIPPED, Status.FAILED})

_S = Status

# event type → {status before: status after}
TRANSITIONS: dict[str, dict[Status, Status]] = {
    # RUNNING again without leaving it: resume starts what was in flight; HANDLING: the handlers repaired it.
    "command_started": dict.fromkeys((_S.PENDING, _S.AWAITING, _S.RUNNING, _S.WAITING, _S.HANDLING), _S.RUNNING),
    "node_started": dict.fromkeys((_S.PENDING, _S.AWAITING, _S.WAITING, _S.HANDLING), _S.RUNNING),
    # AWAITING again: resume asks again.
    "confirmation_requested": {_S.PENDING: _S.AWAITING, _S.AWAITING: _S.AWAITING},
    "confirmation_answered": {_S.AWAITING: _S.AWAITING},
    "limit_started": {_S.RUNNING: _S.RUNNING},
    "limit_reached": {_S.RUNNING: _S.RUNNING},
    "node_bypassed": dict.fromkeys(
        (_S.PENDING, _S.AWAITING, _S.RUNNING, _S.WAITING, _S.HANDLING, _S.FAILED), _S.SKIPPED
    ),
    "command_finished": {_S.RUNNING: _S.RUNNING},
    "command_interrupted": {_S.RUNNING: _S.RUNNING},
    "cost_booked": {_S.RUNNING: _S.RUNNING},
    # RUNNING: its attempt was cut off; HANDLING: what the handlers repaired. WAITING: for a retry, which is due now.
    "command_held": dict.fromkeys((_S.PENDING, _S.AWAITING, _S.RUNNING, _S.WAITING, _S.HANDLING), _S.WAITING),
    # WAITING again: resume waits the rest.
    "retry_scheduled": {_S.RUNNING: _S.WAITING, _S.WAITING: _S.WAITING},
    "handling_started": {_S.RUNNING: _S.HANDLING},
    "node_skipped": {_S.PENDING: _S.SKIPPED},
    "node_succeeded": {_S.RUNNING: _S.SUCCEEDED},
    "node_handled": {_S.HANDLING: _S.HANDLED},
    "node_failed": {_S.RUNNING: _S.FAILED, _S.HANDLING: _S.FAILED},
    # All but FAILED (and SKIPPED, to be decided again) only when dead letters are put back: the map they are of goes on
    # whatever became of it, and what comes after it begins anew wherever it stood. What has succeeded is else for ever.
    "node_continued": dict.fromkeys((_S.FAILED, _S.SUCCEEDED, _S.HANDLED, _S.HANDLING, _S.SKIPPED), _S.RUNNING),
    "listing_started": {_S.RUNNING: _S.RUNNING},
    "items_listed": {_S.RUNNING: _S.RUNNING},
    "item_settled": {_S.RUNNING: _S.RUNNING},
    "breaker_opened": {_S.RUNNING: _S.RUNNING},
    "breaker_tried": {_S.RUNNING: _S.RUNNING},
    "node_reopened": dict.fromkeys(SETTLED | {_S.AWAITING, _S.RUNNING, _S.WAITING, _S.HANDLING}, _S.PENDING),
}


def is_repair(before: Status) -> bool:
    """Whether a start from here tries again what the handlers were to repair."""
    return before is Status.HANDLING


def after(event_type: str, before: Status) -> Status:
    """Return the status that an event leads to. An illegal one is an assertion: a mistake of ours."""
    status = TRANSITIONS[event_type].get(before)
    assert status is not None, f"{event_type} cannot happen to a node that is {before}"
    return status
