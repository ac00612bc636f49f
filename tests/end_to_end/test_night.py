"""A night in small: agents that fail, die, meet a limit twice and an expired key once, killed with their coordinator.

Every item is done; the money in the ledger is what the stand-in charged; nothing is paid again that succeeded. Set
PRODIGY_NIGHT_ITEMS to make it a long one.
"""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.house import DEADLINE_S, PROGRAMS, House, eventually

ITEMS = int(os.environ.get("PRODIGY_NIGHT_ITEMS", "20"))
RULES = [
    {"prompt": "work i3$", "times": 1, "do": [{"limit": 2}]},
    {"prompt": f"work i{ITEMS - 2}$", "times": 1, "do": [{"limit": 2}]},
    {"prompt": "work i7$", "times": 1, "do": [{"error": "authentication_failed", "status": 401}]},
    {"prompt": "work i5$", "times": 1, "do": [{"result": {"subtype": "error_during_execution", "is_error": True}}]},
    {"prompt": "work i9$", "times": 1, "do": [{"say": "so far"}, {"kill": "SIGKILL"}]},
    {"resumed": True, "cost": 0.02, "do": [{"say": "went on"}]},
    {"cost": 0.01, "do": [{"say": "thinking"}, {"bash": "sleep 0.1"}, {"say": "did it"}]},
]
WORKFLOW = """
name: night
mode: mapreduce
map:
  input: items.json
  max_parallel: 4
  agent_template:
    - {claude: "work ${item}", id: work, retry: 3}
"""


class Night:
    """The run, the coordinators that were killed, and what the stand-in charged."""

    def __init__(self, house: House) -> None:
        self.house = house
        self._charged = house.path / "charges"
        (house.folder / "items.json").write_text(json.dumps([f"i{number}" for number in range(1, ITEMS + 1)]))
        (house.folder / "night.yaml").write_text(WORKFLOW)
        (house.path / "script.json").write_text(json.dumps({"rules": RULES}))

    def lives(self, *words: str, charges: int | None = None) -> int:
        """Let a coordinator live until so many charges more were made, then kill it; else until it ends."""
        environment = self.house.environment | {
            "PRODIGY_FAKE_CLAUDE": str(self.house.path / "script.json"),
            "CLAUDE_CONFIG_DIR": str(self.house.path / "claude"),
            "PRODIGY_FAKE_CLAUDE_LEDGER": str(self._charged),
        }
        with (self.house.path / "said").open("ab") as said:
            command = [str(PROGRAMS / "prodigy"), *words]
            live = subprocess.Popen(command, cwd=self.house.folder, env=environment, stdout=said, stderr=said)
        try:
            if charges is None:
                return live.wait(DEADLINE_S + 2 * ITEMS)
            goal = len(self.charges()) + charges
            eventually(lambda: len(self.charges()) >= goal or live.poll() is not None, "more charges")
        finally:
            if live.poll() is None:
                live.kill()
            live.wait()
        return live.returncode

    def charges(self) -> list[dict[str, Any]]:
        """Return what was charged so far, and which attempts were told their result."""
        return [json.loads(line) for line in _lines(self._charged)]


def _lines(path: Path) -> list[str]:
    text = path.read_text() if path.exists() else ""
    return text[: text.rfind("\n") + 1].splitlines()


def test_a_night_in_small(house: House) -> None:
    """Killed three times, paused by the expired key: all is done, and the money is right to the cent."""
    night = Night(house)
    night.lives("cook", "night.yaml", "--claude-bin", "prodigy-fake-claude", charges=3)
    for more in (4, 5):
        night.lives("resume", "night", charges=more)
    codes = [night.lives("resume", "night")]
    while codes[-1] != 0:
        assert codes.count(5) <= 2, codes
        codes.append(night.lives("resume", "night"))
    items = {event["key"]: event["disposition"] for event in house.events("item_settled")}
    assert items == {f"i{number}": "succeeded" for number in range(1, ITEMS + 1)}
    check_money(house, night)
    check_order(house)


def check_money(house: House, night: Night) -> None:
    """Exact is what was charged to processes with a result; every start is booked once."""
    told = {row["pid"] for row in night.charges() if row["has_result"]}
    with_result = sum(row["usd"] for row in night.charges() if row["pid"] in told)
    booked = list(bookings(house))
    exact = sum(event.get("cost_usd", 0.0) for event in booked if event["cost_kind"] == "exact")
    assert exact == pytest.approx(with_result, abs=0.001)
    assert len(booked) == len(house.events("command_started"))
    total = json.loads(house.prodigy("cost", "night", "--json").out)["total"]
    assert total["spent_usd"] == pytest.approx(sum(event.get("cost_usd", 0.0) for event in booked))


def bookings(house: House) -> Iterator[dict[str, Any]]:
    """Yield every event that books an attempt."""
    for kind in ("command_finished", "command_interrupted", "cost_booked"):
        yield from (event for event in house.events(kind) if event.get("cost_kind", "booked") != "booked")


def check_order(house: House) -> None:
    """Nothing is begun again that has succeeded."""
    done = {event["at"]: event["seq"] for event in house.events("command_finished") if "error" not in event}
    begun = {event["at"]: event["seq"] for event in house.events("command_started")}
    assert [at for at, seq in begun.items() if seq > done[at]] == []
