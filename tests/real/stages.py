"""The two that are tried alike: the stand-in, and the real Claude Code CLI against a stub of its API on loopback.

Nothing of the machine's own environment, home or credentials reaches the real one, and it reaches no network.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from prodigy.kernel.effects import RenderedClaude

VERSION = "2.1.332"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())
REAL = Path(
    os.environ.get("REAL_CLAUDE") or CACHE / "prodigy-real-claude" / VERSION / "node_modules" / ".bin" / "claude"
)
STUB = Path(__file__).with_name("claude_stub.py")
Script = list[dict[str, Any]]


class Stage:
    """A folder with commands, a `claude`, and the environment in which it runs."""

    is_real = False

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "project"
        self.home = folder / "home"
        (self.home / "tmp").mkdir(parents=True)
        (self.folder / ".claude" / "commands").mkdir(parents=True)
        (self.folder / ".claude" / "commands" / "analyze-file.md").write_text("Analyze $ARGUMENTS\n")

    def asked(self, steps: Script, replies: Script, words: str = "please", **told: Any) -> RenderedClaude:
        """Return a prompt that brings its own script: `steps` for the stand-in, `replies` for the real one's stub."""
        own = f"[[stub {json.dumps(replies)}]]" if self.is_real else f"[[fake {json.dumps(steps)}]]"
        return RenderedClaude(prompt=f"{words} {own}", program=self.program, **told)

    @property
    def program(self) -> str:
        """What stands for Claude Code."""
        return "prodigy-fake-claude"

    @property
    def environment(self) -> dict[str, str]:
        """What is set over the environment of the tests."""
        return {"CLAUDE_CONFIG_DIR": str(self.home / ".claude"), "HOME": str(self.home)}

    @property
    def requests(self) -> int | None:
        """How often the model was asked; not known of the stand-in."""
        return None

    def close(self) -> None:
        """End what was started."""


class RealStage(Stage):
    """The same with the real program, and a stub of the API."""

    is_real = True

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        port = folder / "port"
        command = [sys.executable, str(STUB), "--port-file", str(port), "--log", str(folder / "requests.jsonl")]
        self._stub = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 30
        while not port.exists():
            assert time.monotonic() < deadline, "the stub does not begin"
            time.sleep(0.02)
        self.url = f"http://127.0.0.1:{port.read_text()}"

    @property
    def program(self) -> str:
        return str(REAL)

    @property
    def environment(self) -> dict[str, str]:
        return super().environment | {
            "TMPDIR": str(self.home / "tmp"),
            "CLAUDE_CODE_TMPDIR": str(self.home / "tmp"),
            "ANTHROPIC_BASE_URL": self.url,
            "ANTHROPIC_API_KEY": "dummy",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "DISABLE_TELEMETRY": "1",
            "DISABLE_ERROR_REPORTING": "1",
        }

    @property
    def requests(self) -> int | None:
        with urlopen(f"{self.url}/__stub__/stats") as answer:
            return int(json.load(answer)["requests"])

    def close(self) -> None:
        """End the stub."""
        self._stub.terminate()
        self._stub.wait()
