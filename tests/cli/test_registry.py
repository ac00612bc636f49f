"""Commands are imported when they are called, and known before."""

import subprocess
import sys

import pytest

from prodigy.cli.registry import REGISTRY
from tests.cli.whole import whole


@pytest.mark.parametrize("name", REGISTRY)
def test_help_says_what_the_command_says_of_itself(name: str) -> None:
    """The sentence is written twice: here it is read without the module."""
    assert REGISTRY[name].sentence == whole().commands[name].get_short_help_str(1000)


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
