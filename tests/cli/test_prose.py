"""Sentences on a terminal: they fold at blanks, and what is to be typed stays as it can be pasted."""

import sys

import pytest

from prodigy.cli.output import redrawn
from prodigy.cli.output.columns import prose
from prodigy.cli.output.complaints import complain
from prodigy.cli.output.redrawn import LiveLines
from prodigy.errors import RunNotFound
from tests.cli.looks import Terminal

HINT = "Go on with it as it stands: `prodigy resume story-000001 --accept-changes`. Or begin anew."


def test_a_sentence_folds_but_a_command_in_it_does_not() -> None:
    """Even one that is wider than the terminal: that breaks it where a paste does not see it."""
    assert prose(f"  {HINT}", 40) == [
        "  Go on with it as it stands:",
        "  `prodigy resume story-000001 --accept-changes`.",
        "  Or begin anew.",
    ]


def test_in_a_pipe_a_line_is_a_line() -> None:
    """However long."""
    assert prose(f"{HINT}\n  {HINT}", None) == [HINT, f"  {HINT}"]


def test_a_mark_without_its_other_half_quotes_nothing() -> None:
    """It may come from a script."""
    assert prose("one ` two three", 9) == ["one ` two", "three"]


def test_an_error_folds_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its hint too, below itself."""
    monkeypatch.setattr(sys, "argv", ["prodigy", "status", "nope"])
    monkeypatch.setattr(sys, "stderr", shown := Terminal())
    monkeypatch.setenv("COLUMNS", "40")
    complain(RunNotFound("there is no run nope; there are story-1 (completed), story-2 (failed)", hint="Look again."))
    assert shown.getvalue() == (
        "error: there is no run nope; there are\n       story-1 (completed), story-2\n       (failed)\n  Look again.\n"
    )


def test_lines_that_are_drawn_again_are_not_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is wider than the terminal takes two rows of it, and the cursor goes back over both."""
    drawn = list[str]()
    monkeypatch.setattr(redrawn, "draw", drawn.append)
    monkeypatch.setenv("COLUMNS", "10")
    monkeypatch.setenv("LINES", "24")
    live = LiveLines()
    live.show(["a" * 10, "b" * 11])
    live.show(["c"])
    assert drawn == [f"\x1b[J{'a' * 10}\n{'b' * 11}\n", "\x1b[3A\x1b[Jc\n"]


def test_no_more_is_drawn_than_there_are_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """What scrolled away could not be drawn again."""
    drawn = list[str]()
    monkeypatch.setattr(redrawn, "draw", drawn.append)
    monkeypatch.setenv("COLUMNS", "10")
    monkeypatch.setenv("LINES", "4")
    LiveLines().show(["a" * 15, "b", "c"])
    assert drawn == [f"\x1b[J{'a' * 15}\nb\n"]
