"""Lines that people read and commands that they type fit the terminal, and can be typed as they stand."""

import shlex

import pytest

from prodigy.cli.output.columns import folded, with_command
from prodigy.cli.output.width import cells

COMMAND = "prodigy approve staged-deployment-k3x9f2 'the stage with a long name'"


def test_a_command_stands_beside_its_reason_where_both_fit() -> None:
    """And in a pipe always."""
    for columns in (None, 100):
        assert [f"  answer yes:  {COMMAND}"] == with_command("answer yes", COMMAND, columns, indent="  ")


def test_a_command_that_does_not_fit_beside_its_reason_stands_below() -> None:
    """In one piece where it can."""
    assert with_command("answer yes", COMMAND, 75, indent="  ") == ["  answer yes:", f"      {COMMAND}"]


@pytest.mark.parametrize("columns", [20, 30, 40, 60])
def test_a_command_that_is_wider_than_the_terminal_can_still_be_typed(columns: int) -> None:
    """It goes on behind a backslash, between its words: pasted, it is the same command."""
    _, *lines = with_command("answer yes", COMMAND, columns, indent="  ")
    assert shlex.split("\n".join(lines).replace("\\\n", "")) == shlex.split(COMMAND)
    assert all(cells(line) <= max(columns, 40) for line in lines)


def test_a_line_that_does_not_fit_is_broken_at_blanks_only() -> None:
    """A path is not cut in two."""
    assert folded("its output: .prodigy/runs/a-very-long-name/outputs/3.err", 30, indent="  ", more="    ") == [
        "  its output:",
        "    .prodigy/runs/a-very-long-name/outputs/3.err",
    ]
