"""Commands that look at a run are readable on a terminal however narrow, and say nothing of a defect."""

import contextlib
from pathlib import Path

import pytest

from tests.cli.looks import Terminal, on_terminal, settle, told

COMMANDS = [
    ("checkpoints", "list", "--workflow-id", "story"),
    ("checkpoints", "list"),
    ("checkpoints", "show", "story", "-v"),
    ("events", "ls", "story"),
    ("events", "stats", "story"),
    ("status", "story"),
    ("explain", "story", "flaky"),
    ("replay", "story"),
    ("diff", "story", "story"),
    ("dlq", "list", "story"),
    ("checkpoints", "clean", "--all", "--dry-run"),
    ("checkpoints", "show", "story"),
    ("checkpoints", "validate", "story"),
    ("checkpoints", "list", "-v"),
    ("events", "verify", "story"),
]
REFUSED = [("status", "nope"), ("explain", "story", "nope"), ("events", "ls", "--type", "nothing")]


@pytest.mark.parametrize("columns", [20, 40, 80])
@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_terminal_may_be_narrow(
    words: tuple[str, ...], columns: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each command says what it has to say."""
    told(settle(tmp_path, monkeypatch))
    assert on_terminal(monkeypatch, columns, *words)


@pytest.mark.parametrize("words", [*COMMANDS, *REFUSED], ids=" ".join)
def test_a_line_that_is_wider_than_the_terminal_is_a_command_to_type(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or one word: whatever can fold does, errors and their hints too."""
    told(settle(tmp_path, monkeypatch))
    errors = Terminal()
    with contextlib.redirect_stderr(errors):
        shown = on_terminal(monkeypatch, 40, *words) + errors.getvalue()
    wide = [line for line in shown.splitlines() if len(line) > 40 and " " in line.strip()]
    assert [line for line in wide if "prodigy " not in line] == []
