"""Nothing that a project holds drives a terminal: every command, in a pipe and on a terminal, over names that try.

The house is hostile wherever text can come from: file names and folders, the workflow's name, its mistakes, variables,
items and their keys, what steps print, error texts, forged checkpoints, the command line, the user's own name.
"""

import json
import os
import pty
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

import pytest
from typer.core import TyperGroup

from tests.cli.whole import whole
from tests.end_to_end.house import House, find

HOSTILE = "\x1b]0;title\x07\x1b]52;c;aGk=\x1b\\\x1b]8;;x\x1b\\\x1b[2J\x9b31m\x90q\x08\u202e\x1b[8m\u2066\x7f"
RAW = "\udc9b"  # a byte that is no UTF-8, and the beginning of a sequence to some terminals
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u206f]")
OURS = re.compile(r"\x1b\[(0|1|2|31|32|33|34|36)m")
COLOURS = re.compile(r"\x1b\[[0-9;]*m")
CURSOR = re.compile(r"\x1b\[(\?1049[hl]|\?25[hl]|H|K|J|\d+A)")

# Every command and what to call it with; `{id}` is the hostile run's. None of them may be missing here.
CALLS: dict[str, list[tuple[str, ...]]] = {
    "ps": [()],
    "status": [("{id}",), ("{id}", "--watch"), (HOSTILE,)],
    "cost": [("{id}",), ("{id}", "--by", "item"), ("{id}", "--json"), (HOSTILE,)],
    "budget": [("{id}",), ("{id}", "--raise", "1"), ("{id}", "--json")],
    "logs": [("{id}", "say"), ("{id}",), ("{id}", "--follow"), ("{id}", HOSTILE)],
    "events ls": [("--job-id", "{id}"), ("--job-id", "{id}", "--json"), ("--job-id", "{id}", "--jsonl")],
    "events search": [("title", "--job-id", "{id}"), (HOSTILE + "[", "--job-id", "{id}")],
    "events stats": [("--job-id", "{id}")],
    "events export": [("--job-id", "{id}", "--format", form) for form in ("json", "jsonl", "csv")],
    "events follow": [("--job-id", "{id}")],
    "events verify": [("{id}",)],
    "checkpoints list": [(), ("-v",), ("--json",), ("--workflow-id", "{id}")],
    "checkpoints show": [("{id}",), ("{id}", "-v"), ("{id}", "--json"), ("{id}", "--version", HOSTILE)],
    "checkpoints validate": [("{id}",), ("forged-000001",)],
    "checkpoints clean": [("--workflow-id", "{id}", "--dry-run"), ("--all", "--dry-run"), ("--workflow-id", HOSTILE)],
    "dlq list": [("{id}",), ("{id}", "--json"), ("{id}", "--filter", HOSTILE)],
    "dlq show": [("{id}",), ("{id}", "--item", HOSTILE)],
    "dlq stats": [("{id}",)],
    "dlq export": [("{id}", "--format", form) for form in ("json", "jsonl", "csv")],
    "dlq retry": [("{id}", "--item", HOSTILE)],
    "dlq purge": [("{id}",), ("{id}", "--item", HOSTILE)],
    "replay": [("{id}",), ("{id}", "--jsonl"), ("{id}", "--step"), ("{id}", "--until", HOSTILE)],
    "explain": [("{id}", "say"), ("{id}", "map"), ("{id}", HOSTILE)],
    "diff": [("{id}", "{id}"), ("{id}", "{other}"), ("{id}", "{other}", "--json")],
    "doctor": [(), ("--json",)],
    "validate": [("{file}",), ("{bad}",), ("{bad}", "--json")],
    "schema": [(HOSTILE,)],
    "init": [("{file}",), (f"{HOSTILE}/x.yaml",)],
    "cook": [("{file}",), ("{file}", "--dry-run"), ("{bad}",), ("{file}", "--param", HOSTILE), (HOSTILE + RAW,)],
    "run": [("{asks}",)],
    "resume": [("{id}",), (HOSTILE,), ("{id}", "--from-checkpoint", HOSTILE), ("{id}", f"--{HOSTILE}")],
    "resume-job": [("{id}",)],
    "approve": [("{id}", HOSTILE)],
    "stop": [("{id}",)],
    "fork": [("{id}", "--at", HOSTILE), ("{id}", "--at", "v1", "--set", f"{HOSTILE}=1")],
}
EXACT = ("events export", "dlq export", "logs")  # in a pipe these give what is stored, byte by byte


class Place(NamedTuple):
    """The hostile house, and what stands for the names in `CALLS`."""

    house: House
    names: dict[str, str]

    def words(self, command: str, arguments: tuple[str, ...]) -> list[str]:
        return [*command.split(), *(argument.format(**self.names) for argument in arguments)]


def commands(group: TyperGroup, path: str = "") -> Iterator[str]:
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup):
            yield from commands(command, f"{path}{name} ")
        else:
            yield f"{path}{name}"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    house = House(tmp_path_factory.mktemp("hostile"), project="p" + HOSTILE)
    names = {name: f"{name}{HOSTILE}.yaml" for name in ("file", "bad", "asks")}
    say = {"id": "say", "shell": "printf '%s\\n' ${v}; printf '\\233\\r%s' ${v} >&2", "capture_output": "c"}
    item = {"id": "check", "shell": "printf '%s\\n' ${item} >&2; exit 3"}
    mapped = {"input": "items.json", "item_key": "${item}", "agent_template": [item]}
    workflow = {"name": "n" + HOSTILE, "variables": {"v": HOSTILE}, "mode": "mapreduce", "setup": [say], "map": mapped}
    asks = {"name": "asks" + HOSTILE, "commands": [{"shell": f"echo '{HOSTILE}'", "requires_confirmation": True}]}
    house.write("items.json", json.dumps([f"{number}{HOSTILE}" for number in range(2)]))
    house.write(names["file"], json.dumps(workflow))
    house.write(names["asks"], json.dumps(asks))
    house.write(names["bad"], json.dumps({"name": "bad", HOSTILE: 1, "commands": [{"id": HOSTILE, "shel": HOSTILE}]}))
    runs = house.state / "runs"
    for key in ("id", "other"):
        before = set(runs.iterdir()) if runs.exists() else set()
        assert house.prodigy("cook", names["file"]).code == 1
        (names[key],) = (run.name for run in set(runs.iterdir()) - before)
    forge(house, names["id"])
    yield Place(house, names)
    house.close()


def forge(house: House, workflow_id: str) -> None:
    """Leave a checkpoint of a run that never was, every text of it hostile, and a damaged one."""
    text = (house.state / "checkpoints" / f"{workflow_id}.json").read_text().replace(workflow_id, "forged-000001")
    document = json.loads(text)
    document |= {"workflow_path": HOSTILE, "failure": HOSTILE, "address": HOSTILE, "stage": HOSTILE}
    document["execution_state"]["status"] = HOSTILE
    (house.state / "checkpoints/forged-000001.json").write_text(json.dumps(document))
    (house.state / "checkpoints/broken-000001.json").write_text(f'{{"{HOSTILE}"')
    (house.state / "runs/damaged-000001").mkdir(mode=0o700)
    (house.state / "runs/damaged-000001/events-1.jsonl").write_text(HOSTILE)


def test_every_command_is_tried() -> None:
    """A new one is added above."""
    assert set(commands(whole())) == set(CALLS)


@pytest.mark.parametrize("command", CALLS)
def test_in_a_pipe(command: str, place: Place) -> None:
    """Text is plain, JSON is escaped; of stderr the same where stdout is exact."""
    for arguments in CALLS[command]:
        result = place.house.start(*place.words(command, arguments), LOGNAME=HOSTILE, PRODIGY_LOG="debug")
        _, out, err = result.wait()
        seen = {"err": CONTROLS.findall(err)} if command != "logs" else {}
        seen |= {"out": CONTROLS.findall(out)} if command not in EXACT else {}
        assert {name: [] for name in seen} == seen, arguments


@pytest.mark.parametrize("command", CALLS)
def test_on_a_terminal(command: str, place: Place) -> None:
    """Only our own colours and cursor moves; of what steps printed colours."""
    for arguments in CALLS[command]:
        shown = on_terminal(place.house, place.words(command, arguments))
        is_drawn = bool({"--step", "--watch"} & set(arguments))
        has_output = command in ("logs", "cook", "run", "resume", "resume-job", "dlq retry", "fork")
        rest = (COLOURS if has_output else OURS).sub("", CURSOR.sub("", shown) if is_drawn else shown)
        assert [] == CONTROLS.findall(rest), arguments


def on_terminal(house: House, words: list[str]) -> str:
    """Return what a command prints on a terminal of its own, where questions are answered with no."""
    environment = house.environment | {"TERM": "xterm", "FORCE_COLOR": "1", "COLUMNS": "80", "LOGNAME": HOSTILE}
    program = find("prodigy", environment["PATH"])
    pid, above = pty.fork()
    if pid == 0:
        os.chdir(house.folder)
        os.execve(program, ["prodigy", *words], {os.fsencode(k): os.fsencode(v) for k, v in environment.items()})
    printed = b""
    with suppress(OSError):  # that is how a terminal ends on Linux
        while piece := os.read(above, 65536):
            printed += piece
            if printed.endswith((b"[y/N] ", b"quit\x1b[K\x1b[J", b"q quit\x1b[J")):
                os.write(above, b"q" if b"quit" in printed[-30:] else b"n\n")
    os.close(above)
    os.waitpid(pid, 0)
    return printed.decode(errors="surrogateescape").replace("\r\n", "\n")
