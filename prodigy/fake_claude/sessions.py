"""The conversations that the stand-in has had, kept as Claude Code keeps its own: a file for each, in a folder for each
folder that it ran in.

They are in `CLAUDE_CONFIG_DIR` where that is set, else in `~/.cache/prodigy-fake-claude`, never among the real ones.
"""

import fcntl
import json
import os
import re
from pathlib import Path
from typing import Any

LEDGER = "PRODIGY_FAKE_CLAUDE_LEDGER"


def home() -> Path:
    """Return the folder of everything that the stand-in keeps."""
    if config := os.environ.get("CLAUDE_CONFIG_DIR"):
        return Path(config)
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(cache) / "prodigy-fake-claude"


class Session:
    """The file of one conversation. It exists once something was asked."""

    def __init__(self, session: str) -> None:
        self.id = session
        folder = re.sub(r"[^A-Za-z0-9]", "-", os.getcwd())
        self.path = home() / "projects" / folder / f"{session}.jsonl"

    @property
    def is_there(self) -> bool:
        return self.path.exists()

    @property
    def cost_usd(self) -> float:
        """What it has cost, by what it last wrote down: nothing if it was killed before it could."""
        rows = [json.loads(line) for line in self.path.read_text().splitlines()] if self.is_there else []
        return next((row["totalCostUSD"] for row in reversed(rows) if row["type"] == "cost-state"), 0.0)

    @property
    def about(self) -> str:
        """What was asked first in it."""
        rows = [json.loads(line) for line in self.path.read_text().splitlines()] if self.is_there else []
        return next((row["message"]["content"] for row in rows if row["type"] == "user"), "")

    def write(self, row: dict[str, Any]) -> None:
        """Add a row."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a") as file:
            file.write(json.dumps({"sessionId": self.id, "cwd": os.getcwd(), **row}) + "\n")


def played(script: str, number: int) -> int:
    """Count a rule as played once more and return how often it was before, in this run."""
    name = re.sub(r"[^A-Za-z0-9]", "-", f"{os.environ.get('PRODIGY_RUN_ID', '')}{os.path.abspath(script)}")[-200:]
    path = home() / f"played-{name}-{number}"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        before = len(file.read())
        file.write("x")
        return before


def charge(row: dict[str, Any]) -> None:
    """Write down what was charged, if the environment names a file for that."""
    if path := os.environ.get(LEDGER):
        with open(path, "a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.write(json.dumps(row) + "\n")
