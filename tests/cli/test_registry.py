"""Commands are imported when they are called, and known before."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.core import TyperGroup

from prodigy.cli import commands
from prodigy.cli.registry import ELSEWHERE, REGISTRY
from tests.cli.whole import whole


def sentences(group: TyperGroup, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield every command by its words, with what it says of itself."""
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup):
            yield from sentences(command, f"{name} ")
        else:
            yield path + name, command.get_short_help_str(1000)


def test_help_says_what_the_command_says_of_itself() -> None:
    """The sentence is written twice: here it is read without the module."""
    assert REGISTRY == dict(sentences(whole()))


def test_each_command_has_a_file_that_is_named_as_it_is_typed() -> None:
    """And a file there that is no command belongs elsewhere."""
    files = {path.stem for path in Path(commands.__file__).parent.glob("*.py")} - {"__init__"}
    assert files == {name.replace(" ", "_") for name in REGISTRY.keys() - ELSEWHERE.keys()}


def test_help_imports_no_command() -> None:
    """Nor what commands need."""
    script = (
        "import sys, os; sys.argv = ['prodigy', '--help']\n"
        "from prodigy.cli import app\n"
        "app._leave = lambda code: None\n"
        "app.run()\n"
        "lower = ('prodigy.kernel', 'prodigy.store')\n"
        "print([name for name in sys.modules if name.startswith(lower)])"
    )
    printed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert "[]" == printed.splitlines()[-1]


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("prodigy dlq re", ["retry"]),
        ("prodigy checkpoints l", ["list"]),
        ("prodigy x y", []),
    ],
)
def test_a_shell_that_completes_is_offered_what_there_is_and_told_nothing_else(typed: str, offered: list[str]) -> None:
    """A complaint would stand in the middle of the line that is typed."""
    words = {"COMP_WORDS": typed, "COMP_CWORD": str(len(typed.split()) - 1), "_PRODIGY_COMPLETE": "complete_bash"}
    script = "import sys; sys.argv = ['prodigy']; from prodigy.cli.app import run; run()"
    done = subprocess.run([sys.executable, "-c", script], env=os.environ | words, capture_output=True, text=True)
    assert (0, "") == (done.returncode, done.stderr)
    assert offered == done.stdout.split()
