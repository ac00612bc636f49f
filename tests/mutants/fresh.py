"""A bug in a copy of the project: tried by new processes, in all that they start too.

So bugs are tried that are in what a module does when it is imported, and by tests that start whole runs. The copy has
an environment of its own, whose programs know no other project.
"""

import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.mutants.operators import Bug
from tests.mutants.trial import Tried

LEFT_BEHIND = shutil.ignore_patterns(".venv", ".git", "build", "__pycache__", ".*_cache", ".hypothesis")
PATIENCE_S = 120.0
CLOSING_S = 60.0
PYTEST = ("-m", "pytest", "-q", "-p", "no:cacheprovider")


class Fresh:
    """A copy of the project while it is entered; `calls` is where processes note what they call, if that exists."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._place = Path(os.path.realpath(tempfile.mkdtemp(prefix="mutants-")))
        self._copy = self._place / "project"
        self.calls = self._place / "calls"

    def __enter__(self) -> "Fresh":
        shutil.copytree(self._root, self._copy, ignore=LEFT_BEHIND)
        _make_environment(self._place / "venv", self._copy, self.calls)
        return self

    def __exit__(self, *error: object) -> None:
        shutil.rmtree(self._place, ignore_errors=True)

    def try_bug(self, bug: Bug, tests: Sequence[str], *, takes_s: float = 0.0) -> Tried:
        """Run tests with a bug until one fails, or takes far longer than the seconds that all of them should."""
        if not tests:
            return Tried("alive", "no test runs it")
        with self._planted(bug):
            code = self.run(("-x", *tests), within_s=PATIENCE_S + 5 * takes_s)
        if code is None:
            return Tried("caught", "without end")
        return Tried("caught", "in a new process") if code else Tried("alive", "in a new process")

    def has_wrong_types(self, bug: Bug) -> bool:
        """Whether the type checker refuses a bug, which nobody could land then."""
        with self._planted(bug) as place:
            command = (str(self._place / "venv" / "bin" / "python"), "-m", "mypy", "--no-error-summary", str(place))
            return subprocess.run(command, cwd=self._copy, capture_output=True, check=False).returncode == 1

    @contextmanager
    def _planted(self, bug: Bug) -> Iterator[Path]:
        source = bug.path.read_bytes()
        place = self._copy / bug.path.relative_to(self._root)
        try:
            place.write_bytes(bug.planted(source))
            yield place
        finally:
            place.write_bytes(source)

    def run(self, arguments: Sequence[str], *, within_s: float | None = None) -> int | None:
        """Run pytest in the copy and return its exit code, or None if it took too long; nothing of it is left."""
        own = {"PYTHONDONTWRITEBYTECODE": "1", "PRODIGY_HOME": f"{self._place}/home", "TMPDIR": str(self._place)}
        command = (str(self._place / "venv" / "bin" / "python"), *PYTEST, *arguments)
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | own
        with (self._place / "printed").open("wb") as printed:
            process = subprocess.Popen(command, cwd=self._copy, env=environment, stdout=printed, stderr=printed)
            code = _code_of(process, within_s)
        _end_what_knows(self._place)
        shutil.rmtree(self._place / f"pytest-of-{os.environ.get('USER', 'root')}", ignore_errors=True)
        return code


def _make_environment(folder: Path, project: Path, calls: Path) -> None:
    """Make a folder as `venv` does, with our packages and those of a copy of the project."""
    own = Path(sysconfig.get_path("purelib"))
    packages = folder / own.relative_to(sys.prefix)
    packages.mkdir(parents=True)
    (packages / "copy.pth").write_text(f"{project}\n{own}\nimport noticed\n")
    (packages / "noticed.py").write_text(_NOTICED.format(calls=str(calls), program=f"{project}/prodigy/"))
    shutil.copy(Path(sys.prefix) / "pyvenv.cfg", folder)
    (folder / "bin").mkdir()
    (folder / "bin" / "python").symlink_to(os.path.realpath(sys.executable))
    program = folder / "bin" / "prodigy"
    program.write_text(f"#!{folder}/bin/python\nimport sys\nfrom prodigy.__main__ import main\nsys.exit(main())\n")
    program.chmod(0o755)


# What every process of the environment runs when it begins: it notes the functions that are called, each once.
_NOTICED = """
import fcntl, os, sys, threading

calls, program, seen = {calls!r}, {program!r}, {{}}

def notice(frame, kind, value):
    code = frame.f_code
    if id(code) not in seen:
        seen[id(code)] = code  # kept, so that no other gets its place
        if code.co_filename.startswith(program):
            line = f"{{code.co_filename[len(program):]}}:{{code.co_qualname}}\\n".encode()
            try:
                os.write(out, line)
            except OSError:
                pass

if os.path.isdir(calls):
    out = os.open(f"{{calls}}/{{os.getpid()}}", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    out = fcntl.fcntl(out, fcntl.F_DUPFD_CLOEXEC, 200)  # none of those that a closed stream leaves free
    threading.settrace(notice)
    sys.settrace(notice)
"""


def _code_of(process: subprocess.Popen[bytes], within_s: float | None) -> int | None:
    try:
        return process.wait(within_s)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)  # so that it ends what it has started
    with suppress(subprocess.TimeoutExpired):
        process.wait(CLOSING_S)
    process.kill()
    process.wait()
    return None


def _end_what_knows(place: Path) -> None:
    """Kill what has a folder in its environment: what a run with a bug has left behind."""
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if os.fsencode(place) in (entry / "environ").read_bytes():
                os.kill(int(entry.name), signal.SIGKILL)
