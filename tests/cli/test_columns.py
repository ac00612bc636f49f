"""Tables: aligned whatever is in them, and readable however narrow the terminal is."""

import pytest

from prodigy.cli.output.columns import blocks, table
from prodigy.cli.output.width import cells, cut, wrapped

HEADINGS = ("ITEM", "STEP", "ERROR")
ROWS = [("src/a.py", "check", "exit 3: no such file or folder: src/b.py"), ("b", "lint", "exit 1")]


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("abc", 3),
        ("日本", 4),
        ("ｆｕｌｌ", 8),
        ("e\u0301", 1),
        ("각", 2),
        ("\u1100\u1161\u11a8", 2),
        ("🚀", 2),
        ("❤\ufe0f", 2),
        ("❤", 1),
        ("👍🏽", 2),
        ("👨\u200d👩\u200d👧", 2),
        ("🇩🇪", 2),
        ("กำ", 2),
        ("a\u200bb", 2),
    ],
)
def test_the_columns_that_a_text_takes(text: str, columns: int) -> None:
    """Wide characters two, what combines none, a picture made of several two."""
    assert cells(text) == columns


@pytest.mark.parametrize("name", ["abc", "日本語", "e\u0301e\u0301", "🚀🚀", "👍🏽", "x\ty"])
def test_names_of_every_script_keep_a_table_aligned(name: str) -> None:
    """The next column begins at the same place in every row."""
    lines = table(("NAME", "NEXT"), [(name, "|"), ("plain name", "|")], columns=None)
    assert [cells(line.partition("|")[0]) for line in lines[1:]] == [12, 12]


def test_a_cut_text_fits_and_says_that_it_was_cut() -> None:
    """No wide character is cut in two."""
    assert [cut("日本語", columns) for columns in (6, 5, 4, 3)] == ["日本語", "日本…", "日…", "日…"]


def test_text_is_wrapped_at_blanks_and_else_where_it_must_be() -> None:
    """Nothing is lost."""
    assert wrapped("one two  three", 7) == ["one two", "three"]
    assert wrapped("abcdefgh 日本語", 5) == ["abcde", "fgh", "日本", "語"]
    assert wrapped("", 5) == [""]


def test_a_pipe_gets_all_of_it() -> None:
    """A row is a line."""
    assert table(HEADINGS, ROWS, columns=None) == [
        "ITEM      STEP   ERROR",
        "src/a.py  check  exit 3: no such file or folder: src/b.py",
        "b         lint   exit 1",
    ]


def test_the_last_column_goes_on_below_itself() -> None:
    """While so much of it fits that it can be read."""
    assert table(HEADINGS, ROWS, columns=45) == [
        "ITEM      STEP   ERROR",
        "src/a.py  check  exit 3: no such file or",
        "                 folder: src/b.py",
        "b         lint   exit 1",
    ]


def test_the_last_column_stands_below_the_others_where_it_must() -> None:
    """And beside them where it fits."""
    assert table(HEADINGS, ROWS, columns=40) == [
        "ITEM      STEP   ERROR",
        "src/a.py  check",
        "        exit 3: no such file or folder:",
        "        src/b.py",
        "b         lint   exit 1",
    ]


def test_cells_flow_where_not_even_the_others_fit() -> None:
    """Nothing is squeezed to nothing, and nothing is lost."""
    rows = [("src/some/very/long/path/of/an/item.py", "check", "exit 3")]
    assert table(HEADINGS, rows, columns=30) == [
        "ITEM  STEP  ERROR",
        "src/some/very/long/path/of",
        "    /an/item.py  check  exit 3",
    ]


def test_a_column_can_be_spared_and_one_is_cut() -> None:
    """In this order."""
    rows = [("a-run", "a step with a long address", "today")]
    shown = {
        columns: table(("RUN", "STEP", "UPDATED"), rows, columns=columns, spare=["UPDATED"], cut="STEP")[1]
        for columns in (42, 33, 21, 20)
    }
    assert shown == {
        42: "a-run  a step with a long address  today",
        33: "a-run  a step with a long address",
        21: "a-run  a step with a…",
        20: "a-run  a step with …",
    }


@pytest.mark.parametrize("columns", [20, 40, 80])
@pytest.mark.parametrize("cut_one", ["", "STEP"])
def test_no_line_is_wider_than_the_terminal(columns: int, cut_one: str) -> None:
    """Whatever is in the cells."""
    rows = [("日本語" * 20, "x" * 50, "e\u0301 " * 60), ("a", "b", "c"), ("", "", "")]
    assert max(map(cells, table(HEADINGS, rows, columns=columns, cut=cut_one))) <= columns


def test_the_end_of_an_address_tells_more_than_its_beginning() -> None:
    """So that is what is kept."""
    rows = [("map[src/some/folder/a.py].check", "1"), ("map[src/some/folder/日本.py].check", "2")]
    assert table(("STEP", "COUNT"), rows, columns=24, cut="STEP", keeps_end=True)[1:] == [
        "…lder/a.py].check  1",
        "…r/日本.py].check  2",
    ]


def test_lines_stay_with_their_row_however_many_there_are() -> None:
    """So that something can be put below each."""
    found = blocks(HEADINGS, [("src/some/very/long/path/of/an/item.py", "check", "exit 3")] * 2, columns=30)
    assert [len(block) for block in found] == [1, 2, 2]
