"""A `claude` for tests: the stand-in that ships with prodigy, with a script of its own."""

import json
import os
import sys
from pathlib import Path
from typing import Any

PROGRAM = """#!/bin/sh
printf '%s\\n' "$@" > "$(dirname "$0")/arguments"
PRODIGY_FAKE_CLAUDE={script} exec {python} -P -m prodigy.fake_claude "$@"
"""
RESULT = {"type": "result", "subtype": "success", "is_error": False, "result": "42 €", "total_cost_usd": 0.5}

Step = dict[str, Any]


def raw(*lines: Step) -> list[Step]:
    """Return the steps that say these lines as they stand."""
    return [{"raw": json.dumps(line) + "\n"} for line in lines]


def rule(*steps: Step, **fields: Any) -> dict[str, Any]:
    """Return a rule of a script that does these steps."""
    return {"do": list(steps), **fields}


def install(folder: Path, *rules: dict[str, Any], name: str = "claude", **script: Any) -> Path:
    """Put a `claude` with these rules into a folder, which is made; return its path."""
    folder.mkdir(exist_ok=True)
    written = folder / f"{name}.json"
    written.write_text(json.dumps({"rules": rules, **script}))
    program = folder / name
    program.write_text(PROGRAM.format(script=written, python=sys.executable))
    program.chmod(0o755)
    return program


def fake_claude(directory: Path, *steps: Step, **fields: Any) -> dict[str, str]:
    """Put a `claude` that does these steps on a PATH and return the environment that finds it."""
    install(directory / "bin", rule(*steps, **fields))
    return {
        "PATH": f"{directory / 'bin'}:{os.environ['PATH']}",
        "CLAUDE_CONFIG_DIR": str(directory / "claude-home"),
    }


def arguments_of(directory: Path) -> list[str]:
    """Return how that `claude` was called the last time."""
    return (directory / "bin" / "arguments").read_text().splitlines()
