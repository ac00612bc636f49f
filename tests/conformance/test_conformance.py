"""Does the fake tell the truth? The same workflows, on the scripted world and on real processes and a real disk.

Each step is a shell script that ends as the fake's script says it does, attempt by attempt. What both worlds come to,
and every event on the way but for times, durations and files, must be the same.
"""

import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from prodigy.kernel import effects as fx
from prodigy.kernel import events as ev
from prodigy.kernel import signals as sig
from prodigy.kernel.state import State
from prodigy.runtime.host.reactor import Record
from prodigy.runtime.orders.bootstrap import cook, go_on
from prodigy.store.generation import Generation
from prodigy.store.layout import Project
from prodigy.store.orders import Cook, Resume
from tests.simulation.plans import DIE, FAIL, Script, compiled
from tests.simulation.world import OK, Ending, World, history, meaning

SLOW = Ending(timed_out_s=0.2)
HANG = Ending(hangs=True)
NOW = {"initial_delay": 0}
VOLATILE = ("duration_s", "output_file", "due", "delay_s")

STEPS: dict[str, tuple[list[dict[str, Any]], Script]] = {
    "success with output": ([{"id": "a", "capture": "x"}, {"id": "b"}], {"a": [Ending(output="one\ntwo\n")]}),
    "failure, then success": (
        [{"id": "a", "retry": {"attempts": 3, **NOW}}],
        {"a": [FAIL, Ending(exit_code=7, output="only this"), OK]},
    ),
    "killed": ([{"id": "a", "allow_failure": True}, {"id": "b"}], {"a": [DIE]}),
    "timed out": ([{"id": "a", "timeout": 0.2, "allow_failure": True}, {"id": "b"}], {"a": [SLOW]}),
    "handled": (
        [{"id": "a", "on_failure": {"shell": "true"}}, {"id": "b", "when": "${a.partial_success}"}],
        {"a": [FAIL]},
    ),
    "repaired": ([{"id": "a", "on_failure": {"commands": [{"shell": "true"}], "max_attempts": 1}}], {"a": [FAIL, OK]}),
    "skipped and unanswered": ([{"id": "a"}, {"id": "b", "when": "${a.success}"}], {"a": [FAIL]}),
    "a capture that is no number": ([{"id": "a", "capture": "n", "capture_format": "number"}], {"a": [FAIL]}),
    "an output that is no number": (
        [{"id": "a", "capture": "n", "capture_format": "number"}],
        {"a": [Ending(output="many")]},
    ),
    "a value that no program can be given": (
        [{"id": "a", "capture": "x", "capture_format": "json"}, {"shell": "echo ${x}", "id": "b"}],
        {"a": [Ending(output='"a\\u0000b"')]},
    ),
}


class Quiet:
    """A display that shows nothing, and may do something when an event happens."""

    user = operator = "tester"

    def __init__(self) -> None:
        self.stops_at = ""

    def note(self, message: str) -> None:
        """Say nothing."""

    def observe(self, state: State, turn: Sequence[Record]) -> None:
        """Press Ctrl-C when the step that is waited for starts."""
        if any(isinstance(event, ev.CommandStarted) and event.at == self.stops_at for _, event in turn):
            os.kill(os.getpid(), signal.SIGINT)

    def show(self, at: str, chunk: bytes) -> None:
        """Show nothing."""

    def ask(self, question: str) -> bool | None:
        """Answer nothing."""


def script_of(endings: list[Ending]) -> str:
    """Return a shell script that ends so, attempt by attempt; the last ending holds for all further ones."""
    *first, last = [_ending(ending) for ending in endings]
    cases = [f"{attempt}) {text};;" for attempt, text in enumerate(first, start=1)]
    return f'case "$PRODIGY_ATTEMPT" in {" ".join(cases)} *) {last};; esac'


def _ending(ending: Ending) -> str:
    says = f"printf %s {_quoted(ending.output)}; printf %s {_quoted(ending.stderr)} >&2; "
    if ending.signal:
        return f"{says}kill -{ending.signal.removeprefix('SIG')} $$"
    return says + ("sleep 60" if ending.hangs or ending.timed_out_s else f"exit {ending.exit_code}")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def written(steps: list[dict[str, Any]], script: Script) -> list[dict[str, Any]]:
    """Return the steps with commands that do what the script says."""
    return [{"shell": script_of(script.get(step["id"], [OK])), **step} for step in steps]


def trace(records: Sequence[Record]) -> list[dict[str, Any]]:
    """Return the events, without what no two worlds share."""
    rows = []
    for _, event in records:
        fields = msgspec.to_builtins(event)
        if not isinstance(event, ev.RunStarted | ev.RunResumed):
            rows.append({key: value for key, value in fields.items() if key not in VOLATILE})
    return rows


def real(tmp_path: Path, steps: list[dict[str, Any]]) -> tuple[Project, Path]:
    """Write the workflow where it can be cooked."""
    file = tmp_path / "demo.yaml"
    file.write_bytes(msgspec.json.encode({"name": "demo", "grace": 0, "commands": steps}))
    return Project(tmp_path), file


def records_of(project: Project, state: State) -> list[Record]:
    """Return what a real run has logged."""
    return [(moment.time, moment.event) for moment in Generation(project.run(state.run.workflow_id), 1).logged_events()]


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRODIGY_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", STEPS)
def test_both_worlds_tell_the_same_story(name: str, tmp_path: Path) -> None:
    """Every event and the final state are the same, whoever plays the commands."""
    steps, script = STEPS[name]
    steps = written(steps, script)
    fake = World(compiled(*steps, grace=0), script)
    fake.cook()
    project, file = real(tmp_path, steps)
    state = cook(project, Cook(path=str(file)), Quiet())
    assert trace(records_of(project, state)) == trace(list(history(fake.disk)))
    assert meaning(state) == meaning(fake.state)


def test_both_worlds_stop_and_go_on_alike(tmp_path: Path) -> None:
    """Ctrl-C while a command runs, then resume: the same interruption, the same second start."""
    steps = written([{"id": "a"}, {"id": "b"}, {"id": "c"}], {"b": [HANG]})
    fake = World(compiled(*steps, grace=0), {"b": [HANG]})
    fake.watch = _stops_fake_at("b")
    fake.cook()
    fake.watch, fake.script = lambda world, effect: None, {}
    fake.resume()
    project, file = real(tmp_path, steps)
    display = Quiet()
    display.stops_at = "b"
    state = cook(project, Cook(path=str(file)), display)
    assert state.status == "interrupted"
    display.stops_at = ""
    file.write_bytes(file.read_bytes().replace(b"sleep 60", b"exit 0"))
    state = go_on(project, state.run.workflow_id, Resume(), display)
    told = [row for row in trace(records_of(project, state)) if row["type"] != "plan_changed"]
    expected = trace(list(history(fake.disk)))
    for row in (*told, *expected):
        row.pop("command", None)  # it was mended so that it ends
        row.pop("epoch", None)  # the edit is an event too
    assert told == expected


def _stops_fake_at(at: str) -> Any:
    def watch(world: World, effect: fx.Effect) -> None:
        if isinstance(effect, fx.Spawn) and effect.at == at:
            world.orders.append(sig.StopRequested(time=world.time(), by="SIGINT"))

    return watch
