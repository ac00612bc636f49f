"""`--since` with a duration counts back from now, in the unit that it names."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.cli import made
from tests.cli.looks import piped, settle

AGE_H = 30


@pytest.mark.parametrize(
    ("since", "is_shown"),
    [("2d", True), ("1d", False), ("31h", True), ("29h", False), ("1801m", True), ("1790m", False), ("108060s", True)],
)
def test_a_run_of_thirty_hours_ago(since: str, is_shown: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Days are not hours, and hours are not minutes."""
    house = settle(tmp_path, monkeypatch)
    monkeypatch.setattr(made, "BEGAN", datetime.now(UTC) - timedelta(hours=AGE_H))
    house.make("short-000001", made.SHORT)
    shown = piped("events", "ls", "--since", since, "--jsonl").out
    assert bool(shown) == is_shown
