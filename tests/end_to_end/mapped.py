"""Maps for the house: a workflow over `items.json`, and what its agents note about their lives.

An agent that is `noted` writes a line when it begins and one when it ends, and looks first whether an earlier attempt
of its item is still alive. Killed agents leave no second line.
"""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from tests.end_to_end.house import Command, House, Result, eventually, lives

SAY_RESULTS = {"shell": "cat ${map.results|file} > results.json; cat ${map.dead_letters|file} > dead_letters.json"}


class Life(NamedTuple):
    """One line of an agent: `start` or `end`, the item, and the pid of its shell."""

    word: str
    item: str
    pid: int


def mapreduce(house: House, *agent: Command, items: Sequence[Any] = (), name: str = "demo", **more: Any) -> None:
    """Write `demo.yaml`, a map over these items; `more` are keys of the map, or the workflow's own."""
    house.write("items.json", json.dumps(list(items)))
    parts = {key: more.pop(key) for key in ("setup", "reduce", "variables", "grace") if key in more}
    written = {"input": "items.json", "agent_template": list(agent)} | more
    house.write(f"{name}.yaml", json.dumps({"name": name, "mode": "mapreduce", "map": written, **parts}, indent=1))


def noted(script: str) -> Command:
    """Return a step of an agent that notes its life around `script`; where two of an item live at once, `both` says."""
    (before, after) = (f'echo "{word} ${{item}} $$" >> lives' for word in ("start", "end"))
    look = "f=at-work/${item}; [ -e $f ] && ps -o stat= -p $(cat $f) | grep -v Z >> both; echo $$ > $f"
    return {"shell": f"mkdir -p at-work; {look}; {before}; {script}; {after}; rm $f"}


def noted_lives(house: House) -> list[Life]:
    """Return the lines that agents have written, in order."""
    path = house.folder / "lives"
    rows = [line.split() for line in path.read_text().splitlines()] if path.exists() else []
    return [Life(word, item, int(pid)) for word, item, pid in rows]


def begun(house: House) -> Counter[str]:
    """Return how often each item has begun."""
    return Counter(life.item for life in noted_lives(house) if life.word == "start")


def at_work(house: House, count: int) -> dict[str, int]:
    """Wait until so many items have begun, and return the pids of those that have not ended, by item."""
    eventually(lambda: begun(house).total() >= count, f"{count} items at work")
    ended = {life.pid for life in noted_lives(house) if life.word == "end"}
    return {life.item: life.pid for life in noted_lives(house) if life.word == "start" and life.pid not in ended}


def all_gone(pids: Sequence[int]) -> bool:
    """Whether none of these processes lives."""
    return not any(map(lives, pids))


def document(result: Result) -> Any:
    """Return the document that a command with `--json` printed."""
    return json.loads(result.out)


def results(house: House, name: str = "results") -> list[dict[str, Any]]:
    """Return what a reduce with `SAY_RESULTS` was given."""
    found: list[dict[str, Any]] = json.loads((house.folder / f"{name}.json").read_text())
    return found
