"""Commands are imported when they are called, and known before."""

import subprocess
import sys
from collections.abc import Iterator

from typer.core import TyperGroup

from prodigy.cli.registry import REGISTRY
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
    assert {name: entry.sentence for name, entry in REGISTRY.items()} == dict(sentences(whole()))


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
