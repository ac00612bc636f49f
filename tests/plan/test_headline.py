"""What a command is called: one line of it, the first that says something."""

import pytest

from prodigy.plan.headline import LINE_CHARS_MAX, READ_CHARS_MAX, headline
from tests.simulation.plans import compiled

CALLED = {
    "one line": ("make test", "shell: make test"),
    "several": ("make\nmake test\n", "shell: make …"),
    "a preamble": ("#!/bin/sh\nset -e\n\n# all of it\nmake all\n", "shell: make all"),
    "a preamble, and more": ("set -eu\nmake all\nmake check\n", "shell: make all …"),
    "comments alone": ("# nothing\n", "shell: # nothing"),
    "long": ("x" * 300, f"shell: {'x' * LINE_CHARS_MAX}…"),
    "endless": (f"{'# talk' * READ_CHARS_MAX}\nmake", f"shell: {('# talk' * 50)[:LINE_CHARS_MAX]}…"),
}


@pytest.mark.parametrize("name", CALLED)
def test_a_script_is_called_by_its_telling_line(name: str) -> None:
    """Comments, blank lines and options of the shell say nothing of it."""
    script, expected = CALLED[name]
    plan = compiled({"shell": script})
    assert headline(plan.nodes["commands[0]"]) == expected
