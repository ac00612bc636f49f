"""CSV for spreadsheets: exact, and never a formula, whichever command prints it."""

import csv
import io

import pytest

from prodigy.cli.output.spreadsheet import cell, print_csv

FORMULAS = ("=HYPERLINK(1)", "+1", "-1", "@sum", "\tx", "\rx", "\n=1", "＝1", "＋1", "－1", "＠sum")


@pytest.mark.parametrize("text", FORMULAS)
def test_no_text_becomes_a_formula(text: str) -> None:
    """What a step printed is data."""
    assert cell(text) == f"'{text}"


@pytest.mark.parametrize(
    ("value", "expected"),
    [(-3, "-3"), (0.5, "0.5"), (True, "true"), (None, ""), ("a=b", "a=b"), ({"=": 1}, '{"=":1}'), (["-1"], '["-1"]')],
)
def test_what_is_no_formula_stays_as_it_is(value: object, expected: str) -> None:
    """A number below zero is one."""
    assert cell(value) == expected


def test_cells_are_quoted_where_they_must_be(capsys: pytest.CaptureFixture[str]) -> None:
    """Commas, quotes and lines come back as they went in."""
    row = ['a, "b"', "c\nd", "e"]
    print_csv(("x", "y", "z"), [row])
    assert list(csv.reader(io.StringIO(capsys.readouterr().out))) == [["x", "y", "z"], row]
