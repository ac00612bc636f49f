"""The guide's examples as printed, and equivalents of our own that need no guide, with all that they call.

The scripts that the examples name are small programs that leave a trace; `claude` is the stand-in, which keeps the
prompts it was given; `python -m pytest` finds a module of that name in the
project's folder.
"""

import json
import re
import sys
from pathlib import Path

from tests.end_to_end.house import House
from tests.stand_in import install as install_claude
from tests.stand_in import rule

GUIDE = Path(__file__).parents[3] / "shared" / "seed" / "resume-workflows-guide.md"
OURS = Path(__file__).parent / "workflows"
SOURCES = ("ours", "guide") if GUIDE.exists() else ("ours",)

_ASKED = f"""{sys.executable} -c 'import json, os
with open("prompts.jsonl", "a") as file:
    file.write(json.dumps(os.environ["PROMPT"]) + chr(10))'
printf 'did %s' "${{PROMPT%%[ ]*}}"
"""
_COMMAND = re.compile(r"/([a-z]+(?:-[a-z]+)*)\b")
_TRACE = "open('trace', 'a').write({name!r} + '\\n')\n"


def install(house: House, source: str, name: str, *, first: str = ":") -> str:
    """Put an example, as `<name>.yaml`, and a `claude` in place; returns the workflow's text.

    `first` is a script that `claude` runs before it is done with what it was asked.
    """
    text = yaml_of(name) if source == "guide" else (OURS / f"{name}.yaml").read_text()
    house.write(f"{name}.yaml", text)
    play(house, first=first)
    return text


def play(house: House, *, first: str = ":") -> None:
    """Put a `claude` in place that knows all commands of the workflows that are there."""
    text = "".join(path.read_text() for path in house.folder.glob("*.yaml"))
    done = rule({"bash": first}, {"bash": _ASKED}, {"say": "{{output}}"}, cost=0.25)
    install_claude(house.programs, done, commands=sorted(set(_COMMAND.findall(text))))


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
