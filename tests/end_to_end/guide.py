"""The guide's examples as printed, and equivalents of our own that need no guide, with all that they call.

The scripts that the examples name are small programs that leave a trace; `claude` is a stand-in that keeps the prompts
it was given and answers as Claude Code does, in lines of JSON; `python -m pytest` finds a module of that name in the
project's folder.
"""

import json
import re
import sys
from pathlib import Path

from tests.end_to_end.house import House

GUIDE = Path(__file__).parents[3] / "shared" / "seed" / "resume-workflows-guide.md"
OURS = Path(__file__).parent / "workflows"
SOURCES = ("ours", "guide") if GUIDE.exists() else ("ours",)

_CLAUDE = """#!{python}
import json, sys
prompt = sys.stdin.read()
with open("prompts.jsonl", "a") as file:
    file.write(json.dumps(prompt) + "\\n")
word = prompt.split()[0]
for line in (
    {{"type": "system", "subtype": "init", "slash_commands": [word.removeprefix("/")]}},
    {{"type": "assistant", "message": {{"content": [{{"type": "text", "text": f"working on {{word}}"}}]}}}},
    {{"duration_ms": 1, "type": "result", "subtype": "success", "is_error": False, "num_turns": 1,
      "result": f"did {{word}}", "total_cost_usd": 0.25, "permission_denials": []}},
    {{"type": "system", "subtype": "task_updated"}},
):
    print(json.dumps(line))
"""
_TRACE = "open('trace', 'a').write({name!r} + '\\n')\n"


def install(house: House, source: str, name: str) -> str:
    """Put an example, as `<name>.yaml`, and a `claude` in place; returns the workflow's text."""
    text = yaml_of(name) if source == "guide" else (OURS / f"{name}.yaml").read_text()
    house.write(f"{name}.yaml", text)
    house.program("claude", _CLAUDE.format(python=sys.executable))
    return text


def yaml_of(name: str) -> str:
    """Return the guide's workflow of that name, as printed."""
    return _block("yaml", f"name: {name}\n")


def shell_of(comment: str) -> str:
    """Return the guide's snippet that begins with this comment, as printed."""
    return _block("bash", f"# {comment}\n")


def script(house: House, path: str, body: str = "") -> None:
    """Write a Python script that leaves its name in the trace and then does `body`."""
    house.write(path, _TRACE.format(name=Path(path).stem) + body)


def prompts(house: House) -> list[str]:
    """Return what `claude` was asked, in order."""
    path = house.folder / "prompts.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def _block(language: str, beginning: str) -> str:
    match = re.search(rf"```{language}\n({re.escape(beginning)}.*?)```", GUIDE.read_text(), re.DOTALL)
    assert match, f"the guide has no {language} block that begins with {beginning!r}"
    return match[1]
