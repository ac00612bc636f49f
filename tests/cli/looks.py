"""How commands look: in a pipe, and on a terminal of so many columns. All in this process, in a house of their own."""

import contextlib
import io
import sys
from pathlib import Path

import pytest
import typer

from prodigy.cli.app import app
from prodigy.cli.output.complaints import complain
from prodigy.errors import ProdigyError
from prodigy.kernel import effects as fx
from prodigy.kernel.events import Event
from prodigy.runtime import clock
from prodigy.store.journal import Journal
from prodigy.store.layout import prepare_run
from prodigy.store.log import Log
from prodigy.store.values import Values
from tests.cli.made import Ending, House, Said, at, said
from tests.cli.whole import everywhere

STORY = """
name: story
variables: {who: world}
stages:
  - name: build
    commands:
      - id: greet
        shell: echo hello ${who}
        capture_output: greeting
        checkpoint: true
      - id: flaky
        shell: make all
        retry: 2
  - name: check
    checkpoint: true
    commands:
      - id: lint
        shell: lint
        on_failure: {shell: mend}
      - id: never
        shell: echo never
        when: ${flaky.attempts} > 5
"""


GOLDEN = Path(__file__).parent / "golden"


class Terminal(io.StringIO):
    """A stream to a terminal."""

    def isatty(self) -> bool:
        """Whether it is one."""
        return True


def settle(path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    """Return a house, and go to its project."""
    monkeypatch.setenv("HOME", str(path))
    monkeypatch.setenv("PRODIGY_HOME", str(path / "global"))
    monkeypatch.setattr(sys, "argv", ["prodigy"])
    everywhere(monkeypatch, clock, "now", lambda: at(2 * 3600))
    house = House(path)
    monkeypatch.chdir(house.root)
    return house


def played(spawn: fx.Spawn) -> Ending:
    """The story's commands: `flaky` fails once, `lint` always."""
    if spawn.at == "build.greet":
        return Ending(output="hello world\n")
    is_failure = spawn.at == "check.lint" or (spawn.at == "build.flaky" and spawn.attempt == 1)
    return Ending(exit_code=3) if is_failure else Ending()


def told(house: House, workflow_id: str = "story-000001") -> str:
    """Play the story, and return the run's id."""
    house.make(workflow_id, STORY, ends=played)
    private(house)
    return workflow_id


def begin(house: House, workflow_id: str, *events: Event, generation: int = 1) -> None:
    """Begin a log with one turn: that of a new run, or of a generation that continues from nothing."""
    folder = prepare_run(house.project, workflow_id)
    journal = Journal(Log.create(folder.events(generation)), Values(folder.values))
    journal.append([(at(1000), event) for event in events], sync=False)
    journal.close()


def private(house: House) -> None:
    """Give what commands printed the modes that a real run gives it."""
    for output in house.root.glob(".prodigy/runs/*/outputs/*"):
        output.chmod(0o600)


def piped(*words: str) -> Said:
    """Run `prodigy …` in a pipe."""
    return said(*words)


def looks(monkeypatch: pytest.MonkeyPatch, *words: str) -> str:
    """Return what `prodigy …` prints in a pipe and on a narrow and a wide terminal, one below the other."""
    shown = {"in a pipe": piped(*words).out}
    shown |= {f"{columns} columns": on_terminal(monkeypatch, columns, *words) for columns in (80, 140)}
    return "".join(f"──── {' '.join(words)} · {where}\n{text}" for where, text in shown.items())


def golden(name: str, text: str, *, rewrites: bool) -> None:
    """Assert that a text is what the golden file of this name holds, or write that anew."""
    path = GOLDEN / f"{name}.txt"
    if rewrites:
        path.write_text(text)
    assert path.read_text() == text


def on_terminal(monkeypatch: pytest.MonkeyPatch, columns: int, *words: str) -> str:
    """Return what `prodigy …` prints on a terminal of so many columns, without colours."""
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("NO_COLOR", "1")
    out = Terminal()
    with contextlib.redirect_stdout(out):
        try:
            typer.main.get_command(app).main(list(words), prog_name="prodigy", standalone_mode=False)
        except ProdigyError as problem:
            complain(problem)
    return out.getvalue()
