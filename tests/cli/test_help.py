"""Help, and what a slip of the hand on the command line is answered with: plain text, in a pipe as on a terminal."""

import os
import select
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.core import TyperGroup

from prodigy.cli.framework import Command, Context, UsageError
from prodigy.cli.program import usage_problem
from prodigy.errors import UsageProblem
from tests.cli.whole import whole
from tests.end_to_end.house import DEADLINE_S, House, find

COLUMNS = 80
ROOT = whole()


def commands(command: Command = ROOT, path: str = "prodigy") -> Iterator[tuple[str, Command, Context]]:
    """Yield every command with what is typed to call it."""
    context = Context(command, info_name=path, terminal_width=COLUMNS, help_option_names=["-h", "--help"])
    yield path, command, context
    if isinstance(command, TyperGroup):
        for name, below in command.commands.items():
            yield from commands(below, f"{path} {name}")


def refused(*arguments: str) -> tuple[str, str | None]:
    """Return the message and the hint that a command line is refused with."""
    try:
        ROOT.main(list(arguments), prog_name="prodigy", standalone_mode=False)
    except UsageError as error:
        problem = usage_problem(error)
    except UsageProblem as error:
        problem = error
    else:
        raise AssertionError(f"{arguments} was not refused")
    return problem.message, problem.hint


@pytest.mark.parametrize(("path", "command", "context"), list(commands()), ids=[path for path, _, _ in commands()])
def test_help_is_plain_and_fits(path: str, command: Command, context: Context) -> None:
    """No boxes, no line over 80 columns, a sentence about the command, and nothing cut."""
    text = command.get_help(context)
    lines = text.splitlines()
    assert [line for line in lines if len(line) > COLUMNS or "─" in line] == []
    assert [line for line in lines[1:] if line.endswith("...")] == []
    assert lines[0].startswith(f"Usage: {path} [OPTIONS]")
    assert lines[2].startswith("  ") and lines[2].strip()[0].isupper()


@pytest.mark.parametrize(("path", "command", "context"), list(commands()), ids=[path for path, _, _ in commands()])
def test_every_argument_and_option_says_what_it_is_for(path: str, command: Command, context: Context) -> None:
    """In help; arguments have names in capitals."""
    del path, context
    silent = [parameter.name for parameter in command.params if not getattr(parameter, "help", None)]
    places = [str(parameter.metavar) for parameter in command.params if parameter.param_type_name == "argument"]
    small = [place for place in places if place != place.upper()]
    assert (silent, small) == ([], [])


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        ("cok w.yaml", "there is no command 'cok'", "did you mean `prodigy cook`?"),
        ("Cook", "there is no command 'Cook'", "did you mean `prodigy cook`?"),
        ("check", "there is no command 'check'", "did you mean `prodigy validate FILE`?"),
        ("list", "there is no command 'list'", "did you mean `prodigy checkpoints list`?"),
        ("w.yaml", "there is no command 'w.yaml'", "To run a workflow file: `prodigy cook w.yaml`."),
        ("frobnicate", "there is no command 'frobnicate'", "All there are: `prodigy --help`."),
        ("events folow", "there is no command 'events folow'", "did you mean `prodigy events follow`?"),
        ("checkpoints frob", "there is no command 'checkpoints frob'", "All there are: `prodigy checkpoints --help`."),
        ("cook --dryrun", "`prodigy cook` has no option --dryrun", "did you mean --dry-run?"),
        ("cook --param-fil x", "`prodigy cook` has no option --param-fil", "did you mean --param-file?"),
        ("status --frob", "`prodigy status` has no option --frob", "All it takes: `prodigy status --help`."),
        ("status -z", "`prodigy status` has no option -z", "All it takes: `prodigy status --help`."),
        ("logs", "`prodigy logs` needs REF", "All it takes: `prodigy logs --help`."),
        ("cook --max-retries x w.yaml", "--max-retries takes a whole number from 0 to 1000",
         "All it takes: `prodigy cook --help`."),
        ("events ls --limit 0", "--limit takes a whole number from 1 up", "All it takes: `prodigy events ls --help`."),
        ("cook --param", "--param needs a value", None),
        ("init a b", "`prodigy init`: got unexpected extra argument(s) (b)", "All it takes: `prodigy init --help`."),
        ("cook w.yaml --param x", "--param 'x' is not NAME=VALUE", "For example: --param batch_size=500"),
    ],
)  # fmt: skip
def test_a_slip_of_the_hand_finds_what_was_meant(line: str, message: str, hint: str | None) -> None:
    """Or where to read all there is."""
    assert refused(*line.split()) == (message, hint)


def test_alone_it_shows_what_there_is(tmp_path: Path) -> None:
    """On stdout, for a pager, with where to begin; exit 2, for a script that forgot its words."""
    code, out, err = House(tmp_path).prodigy()
    last = ["  First steps: `prodigy init`, `prodigy cook workflow.yaml`, and after any", "  stop `prodigy resume`."]
    assert (code, out.splitlines()[0], out.splitlines()[-2:], err) == (
        2,
        "Usage: prodigy [OPTIONS] COMMAND [ARGS]...",
        last,
        "",
    )


def test_a_mistake_is_two_lines_on_stderr(tmp_path: Path) -> None:
    """What is wrong and what to type; exit 2, and nothing on stdout."""
    ended = House(tmp_path).prodigy("stauts")
    assert ended == (2, "", "error: there is no command 'stauts'\n  did you mean `prodigy status`?\n")


@pytest.mark.parametrize("changes", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_a_plain_terminal_gets_plain_text(tmp_path: Path, changes: dict[str, str]) -> None:
    """Not one escape sequence where colour is not wanted."""
    house = House(tmp_path)
    house.write("w.yaml", "- {shell: 'echo hello'}\n")
    printed = _on_a_terminal(house, {"TERM": "xterm"} | changes, "cook", "w.yaml")
    assert (b"hello" in printed, b"\x1b" in printed) == (True, False)


def _on_a_terminal(house: House, changes: dict[str, str], *arguments: str) -> bytes:
    """Return what a command prints on a terminal."""
    ours, theirs = os.openpty()
    environment = house.environment | changes
    program = find("prodigy", environment["PATH"])
    process = subprocess.Popen(
        (program, *arguments), cwd=house.folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    printed = b""
    while chunk := _read(ours):
        printed += chunk
    os.close(ours)
    process.wait()
    return printed


def _read(descriptor: int) -> bytes:
    """Return the next bytes of a terminal; nothing when its last user is gone, which Linux calls an error."""
    assert select.select([descriptor], [], [], DEADLINE_S)[0], "nothing for so long"
    try:
        return os.read(descriptor, 65536)
    except OSError:
        return b""
