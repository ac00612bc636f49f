"""Rows of a log for people, and cells for spreadsheets: made of records as they were logged."""

import json

import pytest

from prodigy.projections.timeline import CSV_COLUMNS, DETAIL_CHARS_MAX, cells_of, row_of, texts_in

RECORD = {"seq": 7, "time": "2026-01-31T09:00:00.123456Z", "type": "command_finished", "at": "a"}


def test_a_row_has_the_time_in_seconds_and_the_rest_as_details() -> None:
    """What is long, or says nothing to people, is left out."""
    record = {**RECORD, "epoch": 6, "exit_code": 0, "output": "long", "chain": "0" * 16, "commit": True}
    expected = ("7", "2026-01-31T09:00:00Z", "command_finished", "a", "epoch=6 exit_code=0")
    assert row_of(record) == expected


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("duration_s", 0.123456, "duration_s=0.123"),
        ("duration_s", 12.3456, "duration_s=12.3"),
        ("duration_s", 3600.0, "duration_s=3600"),
        ("cost_usd", 0.123456, "cost_usd=0.123456"),
        ("name", "plain", "name=plain"),
        ("command", "shell: make", 'command="shell: make"'),
        ("error", "two\nlines", "error=lines"),
        ("name", "", 'name=""'),
        ("again", ["a", "b"], 'again=["a", "b"]'),
        ("signal", None, "signal=null"),
    ],
)
def test_a_detail_is_one_word(key: str, value: object, expected: str) -> None:
    """Seconds are rounded, text is quoted where it would be several."""
    assert row_of({**RECORD, key: value})[4] == expected


def test_details_are_cut_for_people_and_whole_where_that_is_asked_for() -> None:
    """A pipe gets all."""
    record = {**RECORD, "error": "x" * 300}
    assert (row_of(record)[4], row_of(record, most=None)[4]) == (
        f"error={'x' * 300}"[:DETAIL_CHARS_MAX] + "…",
        f"error={'x' * 300}",
    )


def test_a_record_fills_the_columns_that_it_has() -> None:
    """The rest is JSON in the last one; framing is nobody's business there."""
    record = {**RECORD, "epoch": 6, "duration_s": 0.1234567, "output": "hi", "commit": True, "chain": "0" * 16}
    cells = dict(zip(CSV_COLUMNS, cells_of(record), strict=True))
    assert {name: cell for name, cell in cells.items() if cell} == {
        "seq": 7,
        "time": "2026-01-31T09:00:00.123456Z",
        "type": "command_finished",
        "at": "a",
        "epoch": 6,
        "duration_s": 0.1234567,
        "details": json.dumps({"output": "hi"}),
    }


def test_all_texts_of_a_value_are_found() -> None:
    """Keys, and however deep."""
    assert sorted(texts_in({"a": ["b", {"c": "d"}], "e": 1})) == ["a", "b", "c", "d", "e"]


def test_an_error_is_its_line_that_says_something_and_whole_where_nothing_is_cut() -> None:
    """Of a traceback that is not the first."""
    record = {**RECORD, "type": "node_failed", "error": "Traceback (most recent call last):\n  x\nE: y"}
    whole = 'error="Traceback (most recent call last):\\n  x\\nE: y"'
    assert ('error="E: y"', whole) == (row_of(record)[-1], row_of(record, most=None)[-1])
