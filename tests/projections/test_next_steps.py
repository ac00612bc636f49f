"""What to type next, for every situation in which a run can rest, and for one that is live."""

from typing import Any

import pytest

from prodigy.projections.next_steps import Rest, next_steps, way_on

LOOK = "look: logs demo-1 deploy"
LOOK_AT_ITEMS = "look: logs demo-1 --failed"
RETRY = "mend it, then put them back: dlq retry demo-1"
MEND = "mend it, then go on: resume demo-1"


def advised(**facts: Any) -> list[str]:
    """Return what is advised about a run, each as `why: command`."""
    return [f"{step.why}: {step.command}" for step in next_steps(Rest(workflow_id="demo-1", **facts))]


SITUATIONS: list[tuple[str, dict[str, Any], list[str]]] = [
    ("completed", {"status": "completed"}, []),
    (
        "completed with dead letters",
        {"status": "completed", "dead": 2},
        ["see what failed: dlq list demo-1", "put them back: dlq retry demo-1"],
    ),
    (
        "completed with one dead letter",
        {"status": "completed", "dead": 1},
        ["see what failed: dlq list demo-1", "put it back: dlq retry demo-1"],
    ),
    (
        "paused by the account",
        {"status": "paused", "failed_at": "a", "is_held": True},
        [MEND],
    ),
    (
        "paused by its budget",
        {"status": "paused", "failed_at": "a", "is_held": True, "needs_budget": True},
        ["let it cost more, for example $10: budget demo-1 --raise 10", "then go on: resume demo-1"],
    ),
    ("failed in a step", {"status": "failed", "failed_at": "deploy", "culprit": "step"}, [LOOK, MEND]),
    (
        "failed in a step that printed nothing, or in a stage",
        {"status": "failed", "failed_at": "map[a b].x", "culprit": "other"},
        ["look: explain demo-1 'map[a b].x'", MEND],
    ),
    (
        "failed in a step before anything was known of it",
        {"status": "failed"},
        [MEND],
    ),
    (
        "failed in reduce, with dead letters",
        {"status": "failed", "failed_at": "deploy", "culprit": "step", "dead": 1},
        [LOOK, MEND],
    ),
    (
        "failed in its map, with nothing left but dead letters",
        {"status": "failed", "failed_at": "map", "culprit": "map", "dead": 3},
        [LOOK_AT_ITEMS, RETRY],
    ),
    (
        "failed in its map, with items to come",
        {"status": "failed", "failed_at": "map", "culprit": "map", "dead": 3, "left": 5},
        [LOOK_AT_ITEMS, RETRY, "or go on without them: resume demo-1"],
    ),
    (
        "failed in its map, at an item that stops it",
        {"status": "failed", "failed_at": "map", "culprit": "map", "left": 5},
        [LOOK_AT_ITEMS, MEND],
    ),
    (
        "paused before a stage",
        {"status": "paused", "failed_at": "prod", "awaiting": ("prod",)},
        ["answer yes: approve demo-1 prod", "or answer yes to all that is asked: resume demo-1 --yes"],
    ),
    (
        "paused because of a step that may not run twice",
        {"status": "paused", "failed_at": "deploy"},
        ["answer yes: resume demo-1 --yes"],
    ),
    ("cancelled", {"status": "cancelled", "failed_at": "prod"}, ["to be asked again: resume demo-1"]),
    ("interrupted", {"status": "interrupted"}, ["go on with: resume demo-1"]),
    (
        "known to its mirror alone",
        {"status": "interrupted", "is_mirror_only": True},
        ["go on with: resume demo-1 --from-checkpoint mirror"],
    ),
    (
        "paused, and known to its mirror alone",
        {"status": "paused", "is_mirror_only": True},
        ["go on with: resume demo-1 --yes --from-checkpoint mirror"],
    ),
    ("completed, and known to its mirror alone", {"status": "completed", "is_mirror_only": True}, []),
    ("damaged", {"status": "damaged"}, ["look: checkpoints validate demo-1"]),
    ("running", {"status": "running"}, ["watch it: status demo-1 --watch", "stop it: stop demo-1"]),
    (
        "running, and asking",
        {"status": "running", "awaiting": ("prod",)},
        ["answer yes: approve demo-1 prod", "watch it: status demo-1 --watch", "stop it: stop demo-1"],
    ),
    ("stopping", {"status": "stopping"}, ["watch it: status demo-1 --watch"]),
]


@pytest.mark.parametrize(("facts", "expected"), [row[1:] for row in SITUATIONS], ids=[row[0] for row in SITUATIONS])
def test_what_to_type_next(facts: dict[str, Any], expected: list[str]) -> None:
    """The best comes first."""
    assert expected == advised(**facts)


@pytest.mark.parametrize("facts", [row[1] for row in SITUATIONS], ids=[row[0] for row in SITUATIONS])
def test_a_list_has_room_for_what_goes_on(facts: dict[str, Any]) -> None:
    """Never for a command that only looks."""
    on = way_on(Rest(workflow_id="demo-1", **facts))
    assert on is None or on.command.split()[0] in ("resume", "approve", "dlq")
