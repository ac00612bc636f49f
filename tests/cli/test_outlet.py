"""Everything that is printed leaves through one outlet, which knows who may use another door."""

import ast
import contextlib
import io
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import prodigy
from prodigy.cli.output import outlet

HOME = Path(prodigy.__file__).parent
# The stand-in is a program of its own, and its output no text for people.
FILES = {str(path.relative_to(HOME)): path for path in sorted(HOME.rglob("*.py")) if "fake_claude" not in path.parts}
# Who may print something else than text for people, and what that is.
DOORS = {
    "draw": {"cli/output/redrawn.py", "cli/commands/replay.py", "cli/replay_stepper.py"},
    "export": {"cli/output/spreadsheet.py"},
    "copy": {"cli/following.py", "cli/commands/logs.py"},
    "copy_lines": {"cli/following.py", "cli/commands/logs.py"},
}
BEHIND = frozenset({"buffer", "__stdout__", "__stderr__", "write_as_is"})


def bypasses(source: str) -> Iterator[str]:
    """Yield the ways around the outlet that a source takes: what is behind the streams, and their descriptors."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and node.attr in BEHIND:
            yield node.attr
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("os.write", "os.fdopen", "open", "io.open"):
            yield from (ast.unparse(node) for first in node.args[:1] if ast.unparse(first) in ("1", "2"))


def doors(source: str) -> Iterator[str]:
    """Yield the doors of the outlet that a source uses."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module == "prodigy.cli.output.outlet":
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.Attribute) and ast.unparse(node).startswith("outlet."):
            yield node.attr


def test_nobody_goes_around_the_outlet() -> None:
    """Print with `print`; what is no text for people has a door of its own."""
    found = {name: [*bypasses(path.read_text())] for name, path in FILES.items() if name != "cli/output/outlet.py"}
    assert {name: ways for name, ways in found.items() if ways} == {}


def test_each_door_has_its_users() -> None:
    """A new user of one says here that it knows what it does."""
    used: dict[str, set[str]] = {}
    for name, path in FILES.items():
        for door in doors(path.read_text()):
            used.setdefault(door, set()).add(name)
    assert used.pop("guard") == {"cli/app.py"}
    assert used == DOORS


def test_a_way_around_is_found() -> None:
    """In each of its forms."""
    source = (
        "import os, sys\nsys.stdout.buffer.write(b'')\nprint(file=sys.__stderr__)\nos.write(2, b'')\nos.fdopen(1)\n"
    )
    assert sorted(bypasses(source)) == ["__stderr__", "buffer", "os.fdopen(1)", "os.write(2, b'')"]


def printed(*acts: Callable[[], None]) -> bytes:
    """Return what comes out of a stdout that is an outlet."""
    data = io.BytesIO()
    beneath = io.TextIOWrapper(data, encoding="utf-8")
    with contextlib.redirect_stdout(outlet.guarded(beneath)) as stdout:
        for act in acts:
            act()
    stdout.flush()
    return data.getvalue()


def test_print_drives_no_terminal() -> None:
    """Nor does a byte that was no UTF-8; lines and tabs stay."""
    assert (
        printed(lambda: print("a\tb\x1b[31m\x1b]0;x\x07\n\x9b\udc9b\u202e")) == b"a\tb\\x1b]0;x\\a\n\\x9b\\x9b\\u202e\n"
    )


def test_what_is_drawn_and_exported_is_as_it_is() -> None:
    """In a pipe; and in the order in which it was printed."""
    acts = (
        lambda: outlet.draw("\x1b[2m1"),
        lambda: outlet.export("\x9b2"),
        lambda: outlet.copy(b"\xff3", 1),
        lambda: print("4"),
    )
    assert printed(*acts) == b"\x1b[2m1\xc2\x9b2\xff34\n"


def test_what_the_encoding_lacks_is_shown_in_letters(tmp_path: Path) -> None:
    """No traceback where a locale knows neither boxes nor umlauts."""
    environment = {"PATH": os.environ["PATH"], "PYTHONIOENCODING": "ascii", "PRODIGY_HOME": str(tmp_path)}
    program = Path(sys.executable).with_name("prodigy")
    done = subprocess.run(
        [program, "validate", "ü.yaml"], cwd=tmp_path, env=environment, capture_output=True, check=False
    )
    assert (3, True, b"Traceback" in done.stderr) == (done.returncode, b"\\xfc.yaml" in done.stderr, False)
