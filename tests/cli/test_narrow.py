"""Commands that look at a run are readable on a terminal however narrow, and say nothing of a defect."""

from pathlib import Path

import pytest

from tests.cli.looks import on_terminal, settle, told

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
]


@pytest.mark.parametrize("columns", [20, 40, 80])
@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_terminal_may_be_narrow(
    words: tuple[str, ...], columns: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each command says what it has to say."""
    told(settle(tmp_path, monkeypatch))
    assert on_terminal(monkeypatch, columns, *words)
