"""Commands that look at a run are readable on a terminal however narrow, and say nothing of a defect."""

import contextlib
import sys
from pathlib import Path

import pytest

from prodigy.cli.output import display
from prodigy.store.catalog import read_run
from prodigy.store.history import lineage
from tests.cli.looks import Terminal, on_terminal, settle, told
from tests.cli.made import House

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
    ("doctor",),
    ("logs", "story"),
    ("logs", "story", "--failed"),
    ("validate", "wrong.yaml"),
    ("ps",),
]
REFUSED = [
    ("status", "nope"),
    ("explain", "story", "nope"),
    ("events", "ls", "--type", "nothing"),
    ("cook", "wrong.yaml"),
]


@pytest.mark.parametrize("columns", [20, 40, 80])
@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_terminal_may_be_narrow(
    words: tuple[str, ...], columns: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each command says what it has to say."""
    begin(settle(tmp_path, monkeypatch))
    assert on_terminal(monkeypatch, columns, *words)


@pytest.mark.parametrize("words", [*COMMANDS, *REFUSED], ids=" ".join)
def test_a_line_that_is_wider_than_the_terminal_is_a_command_to_type(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or one word: whatever can fold does, errors and their hints too."""
    begin(settle(tmp_path, monkeypatch))
    errors = Terminal()
    with contextlib.redirect_stderr(errors):
        shown = on_terminal(monkeypatch, 40, *words) + errors.getvalue()
    assert too_wide(shown) == []


def test_the_lines_of_a_live_run_fold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever happens in it, below the word that says what did."""
    house = settle(tmp_path, monkeypatch)
    begin(house)
    shown = Terminal()
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setattr(sys, "stderr", shown)
    monkeypatch.setattr(display, "NonblockingWriter", lambda _: shown)
    live = display.Display()
    moments = lineage(house.run("story-000001"), 1).logged_events()
    live.observe(read_run(house.project, "story-000001").sound(), [(one.time, one.event) for one in moments])
    live.note("the mirror could not be written: No space left on device; the run goes on without it")
    assert too_wide(shown.getvalue()) == []
    assert shown.getvalue().endswith(
        "    note  the mirror could not be\n"
        "          written: No space left on\n"
        "          device; the run goes on\n"
        "          without it\n"
    )


def begin(house: House) -> None:
    """Play the story, and write a workflow with a mistake beside it."""
    told(house)
    (house.root / "wrong.yaml").write_text("name: wrong\ncommands:\n  - shel: echo a command with many words in it\n")


def too_wide(shown: str) -> list[str]:
    """Return the lines that are wider than 40 columns, have no word that fills one, and are no commands to type."""
    wide = [line for line in shown.splitlines() if len(line) > 40 and " " in line.strip()]
    return [line for line in wide if "prodigy " not in line and max(map(len, line.split())) < 30]
