"""What a run cost adds up to the same, by whatever it is told."""

from typing import Any

from prodigy.projections.costs import Costs, costs

OPUS = {"opus": {"output_tokens": 10, "cost_usd": 1.0}}


def starts(at: str, attempt: int = 1, **fields: Any) -> dict[str, Any]:
    return {"type": "command_started", "at": at, "attempt": attempt, "command": "claude: look", **fields}


def ends(at: str, cost_usd: float | None, kind: str = "exact", **fields: Any) -> dict[str, Any]:
    known = {} if cost_usd is None else {"cost_usd": cost_usd}
    return {"type": "command_finished", "at": at, "cost_kind": kind, **known, **fields}


def stopped(at: str, cost_usd: float) -> dict[str, Any]:
    return ends(at, cost_usd) | {"type": "command_interrupted"}


LOG = [
    starts("a"),
    ends("a", 1.0, error="boom", models=OPUS),
    starts("a", 2),
    ends("a", 0.5, "estimated"),
    starts("map[p].x"),
    starts("map[q].x"),
    ends("map[p].x", 0.25),
    {"type": "cost_booked", "at": "map[q].x", "cost_kind": "unknown"},
    {"type": "command_started", "at": "sh", "attempt": 1, "command": "shell: true"},
    {"type": "command_finished", "at": "sh"},
]
TOTAL = Costs(name="all", attempts=4, spent_usd=1.75, wasted_usd=1.0, estimated_usd=0.5, unknown=1, output_tokens=10)


def test_by_step_the_items_of_a_map_are_one_row() -> None:
    """The costliest step comes first."""
    assert costs(LOG, "step") == (
        TOTAL,
        [
            Costs(name="a", attempts=2, spent_usd=1.5, wasted_usd=1.0, estimated_usd=0.5, output_tokens=10),
            Costs(name="map[].x", attempts=2, spent_usd=0.25, unknown=1),
        ],
    )


def test_by_item_every_item_is_a_row() -> None:
    """A step that is in none stands by itself."""
    assert [(row.name, row.spent_usd, row.unknown) for row in costs(LOG, "item")[1]] == [
        ("a", 1.5, 0),
        ("p", 0.25, 0),
        ("q", 0.0, 1),
    ]


def test_by_model_what_no_model_explains_is_not_told() -> None:
    """The sum is the same."""
    total, rows = costs(LOG, "model")
    assert total == TOTAL
    assert [(row.name, row.spent_usd, row.wasted_usd, row.output_tokens) for row in rows] == [
        ("opus", 1.0, None, 10),
        ("not told", 0.75, None, 0),
    ]


def test_by_attempt_they_stand_as_they_came() -> None:
    """With the number of the try."""
    assert [row.name for row in costs(LOG, "attempt")[1]] == ["a #1", "a #2", "map[p].x #1", "map[q].x #1"]


def test_a_conversation_that_is_begun_anew_was_wasted() -> None:
    """One that is gone on with was not."""
    anew = [starts("a"), stopped("a", 1.0), starts("a"), ends("a", 0.5)]
    on = [starts("a"), stopped("a", 1.0), starts("a", resumes=True), ends("a", 0.5)]
    assert (costs(anew, "step")[0].wasted_usd, costs(on, "step")[0].wasted_usd) == (1.0, 0.0)


def test_a_conversation_that_failed_at_last_was_wasted_whole() -> None:
    """Its earlier attempts too."""
    log = [starts("a"), stopped("a", 1.0), starts("a", resumes=True), ends("a", 0.5, error="boom")]
    assert costs(log, "step")[0].wasted_usd == 1.5


def test_what_was_booked_before_is_not_added_again() -> None:
    """A step that may not be repeated fails without another attempt."""
    log = [starts("a"), {"type": "cost_booked", "at": "a", "cost_kind": "exact", "cost_usd": 1.0}]
    log.append(ends("a", None, "booked", error="it may not"))
    assert costs(log, "step")[0] == Costs(name="all", attempts=1, spent_usd=1.0)


def test_a_log_of_an_earlier_version_is_counted() -> None:
    """It said only what an attempt cost, or nothing."""
    log = [starts("a"), {"type": "command_finished", "at": "a"}, starts("b"), ends("b", 1.0, "")]
    assert costs(log, "step")[0] == Costs(name="all", attempts=2, spent_usd=1.0, unknown=1)


def test_sums_are_amounts_of_money() -> None:
    """Three times ten cents are thirty, and not 0.30000000000000004."""
    log = [record for at in ("a", "b", "c") for record in (starts(at), ends(at, 0.1, error="boom"))]
    total = costs(log, "step")[0]
    assert total.spent_usd == 0.3
    assert total.wasted_usd == 0.3
