"""What a command is called where people read it: one line, with the values that are known."""

from typing import Any

import pytest

from prodigy.plan.headline import LINE_CHARS_MAX, telling_line
from prodigy.plan.nodes import Plan
from prodigy.projections.telling import command_of
from tests.projections.test_diff import state
from tests.simulation.plans import compiled, mapped


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("make test", "make test"),
        ("make test\n", "make test"),
        ("make\nmake test", "make …"),
        ("\n# builds all of it\nset -euo pipefail\n\nmake\nmake test\n", "make …"),
        ("set -e\nmake", "make"),
        ("# nothing", "# nothing"),
        ("", ""),
        ("x" * 300, "x" * LINE_CHARS_MAX + "…"),
    ],
)
def test_a_script_is_called_by_its_first_line_that_says_something(text: str, expected: str) -> None:
    """With a mark where there are more."""
    assert telling_line(text) == expected


def told(plan: Plan, at: str) -> str:
    return command_of(state(plan), at, "as written")


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ({"shell": "cc ${source}"}, "shell: cc 'a b.c'"),
        ({"shell": 'cc "${source}"'}, 'shell: cc "a b.c"'),
        ({"shell": "cc ${files}"}, "shell: cc a.c 'b c.c'"),
        ({"shell": "cc ${files}\ndone"}, "shell: cc a.c 'b c.c' …"),
        ({"shell": "echo ${HOME} ${source|file}"}, "shell: echo ${HOME} ${source|file}"),
        ({"claude": "look at ${source}\nand mend it"}, "claude: look at a b.c …"),
    ],
)
def test_values_that_are_known_are_filled_in(command: dict[str, Any], expected: str) -> None:
    """As the shell reads them; what is the shell's own stays."""
    plan = compiled({"id": "build", **command}, variables={"source": "a b.c", "files": ["a.c", "b c.c"]})
    assert told(plan, "build") == expected


def test_what_cannot_be_told_stands_as_it_was_written() -> None:
    """A map's list, and a value without the part that is asked for."""
    assert told(mapped([], [{"shell": "x"}], []), "map") == "as written"
