"""The operator's log: silent unless asked for, and then a line for each thing that happened."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

FIELDS = ("event=checkpoint_saved", "run=demo-", "version=", "seq=", "size_bytes=", "took_ms=")


def said(folder: Path, level: str | None) -> str:
    """Cook a workflow of one step, and return what stderr has of the operator's log."""
    (folder / "demo.yaml").write_text("- shell: 'true'\n")
    environment = {key: value for key, value in os.environ.items() if key != "PRODIGY_LOG"}
    environment |= {"PRODIGY_HOME": str(folder / "home"), **({"PRODIGY_LOG": level} if level else {})}
    done = subprocess.run(
        (sys.executable, "-X", "importtime", "-m", "prodigy", "cook", "demo.yaml"),
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stderr


def test_without_a_word_nothing_is_logged_and_nothing_imported(tmp_path: Path) -> None:
    """A run that nobody examines pays nothing."""
    stderr = said(tmp_path, None)
    assert ("event=" in stderr, "structlog" in stderr) == (False, False)


@pytest.mark.parametrize(("level", "events"), [("info", {"checkpoint_saved"}), ("debug", {"checkpoint_saved", "turn"})])
def test_a_level_shows_what_is_worth_it(tmp_path: Path, level: str, events: set[str]) -> None:
    """Each line has its time, its level and its fields, units in their names."""
    lines = [line for line in said(tmp_path, level).splitlines() if " event=" in line]
    assert {line.partition(" event=")[2].partition(" ")[0] for line in lines} == events
    saved = next(line for line in lines if "checkpoint_saved" in line)
    assert [field for field in FIELDS if field not in saved] == []
