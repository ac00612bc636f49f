"""A house for real `prodigy` processes: a project in a temporary folder, with a home and programs of its own.

Nothing sleeps to pass. A step that has to be caught in the act stands at a gate, a FIFO that the test opens; a test
waits for what it can see, and a deadline turns waiting for ever into a failure. Whatever was started is ended by its
own pid when the house is closed.
"""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

DEADLINE_S = 40.0
LOOK_EVERY_S = 0.01
PROGRAMS = Path(sys.executable).parent

Found = TypeVar("Found")
Command = dict[str, Any]


class Result(NamedTuple):
    """How a process ended, and what it printed."""

    code: int
    out: str
    err: str


def eventually(look: Callable[[], Found], what: str, *, within_s: float = DEADLINE_S) -> Found:
    """Return what `look` finds as soon as it finds something; `what` names it where it never comes."""
    deadline = time.monotonic() + within_s
    while not (found := look()):
        assert time.monotonic() < deadline, f"not within {within_s:g} s: {what}"
        time.sleep(LOOK_EVERY_S)
    return found


def state_of(pid: int) -> str:
    """Return the state of a process in letters, empty when there is none; asked of `ps`, which every system has."""
    shown = subprocess.run(("ps", "-o", "stat=", "-p", str(pid)), capture_output=True, text=True, check=False)
    return shown.stdout.strip()


def lives(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    return state_of(pid)[:1] not in ("", "Z")


class Live:
    """A `prodigy` that runs. Its output goes to files, so it never waits for us."""

    def __init__(self, process: subprocess.Popen[bytes], out: Path, err: Path) -> None:
        self.process = process
        self._out = out
        self._err = err

    @property
    def pid(self) -> int:
        """The coordinator's pid."""
        return self.process.pid

    @property
    def err(self) -> str:
        """What it has printed to stderr so far."""
        return self._err.read_text(errors="replace")

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the coordinator alone."""
        os.kill(self.process.pid, number)

    def says(self, words: str) -> None:
        """Wait until stderr has these words."""
        eventually(lambda: words in self.err, f"{words!r} in {self.err!r}")

    def wait(self) -> Result:
        """Wait for its end."""
        code = self.process.wait(DEADLINE_S)
        return Result(code, self._out.read_text(errors="replace"), self.err)

    def kill(self) -> None:
        """SIGKILL, and collect it."""
        self.send(signal.SIGKILL)
        self.process.wait(DEADLINE_S)


class House:
    """One project with its own `HOME` and `PRODIGY_HOME`; `folder` is where commands are typed."""

    def __init__(self, path: Path, *, project: str = "project") -> None:
        self.path = path
        self.home = path / "home"
        self.programs = path / "programs"
        self.folder = self.home / project
        for folder in (self.home, self.programs, self.folder, path / "printed"):
            folder.mkdir(exist_ok=True)
        self._started: list[subprocess.Popen[bytes]] = []

    @property
    def environment(self) -> dict[str, str]:
        """All that processes here are told; nothing comes from whoever runs the tests."""
        return {
            "PATH": f"{self.programs}:{PROGRAMS}:/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self.home),
            "PRODIGY_HOME": str(self.path / "global"),
            "LC_ALL": "C.UTF-8",
        }

    def write(self, name: str, text: str) -> Path:
        """Write a file of the project."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def program(self, name: str, text: str) -> None:
        """Put a program first on the PATH."""
        path = self.programs / name
        path.write_text(text)
        path.chmod(0o755)

    def workflow(self, *commands: Command, name: str = "demo", **more: Any) -> None:
        """Write `demo.yaml`; JSON is YAML too."""
        self.write(f"{name}.yaml", json.dumps({"name": name, **more, "commands": commands}, indent=1))

    def prodigy(self, *arguments: str, **changes: str) -> Result:
        """Run a command to its end; `changes` are environment entries."""
        return self.start(*arguments, **changes).wait()

    def cook(self, name: str = "demo") -> Result:
        """Cook a workflow of this house to its end."""
        return self.prodigy("cook", f"{name}.yaml")

    def start(self, *arguments: str, **changes: str) -> Live:
        """Start a command."""
        return self._start(("prodigy", *arguments), changes)

    def shell(self, script: str) -> Live:
        """Start a script as `sh` runs it."""
        return self._start(("sh", "-c", script), {})

    def _start(self, arguments: tuple[str, ...], changes: dict[str, str]) -> Live:
        number = len(self._started)
        out, err = self.path / "printed" / f"{number}.out", self.path / "printed" / f"{number}.err"
        environment = self.environment | changes
        with out.open("wb") as stdout, err.open("wb") as stderr:
            process = subprocess.Popen(
                arguments,
                executable=find(arguments[0], environment["PATH"]),
                cwd=self.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
            )
        self._started.append(process)
        return Live(process, out, err)

    def close(self) -> None:
        """End what still runs: coordinators first, whose reapers then end their steps."""
        for process in self._started:
            if process.poll() is None:
                process.kill()
            process.wait(DEADLINE_S)

    def _is_busy(self) -> bool:
        return any(process.poll() is None for process in self._started)

    def _printed(self) -> str:
        """Return the end of what the last process printed to stderr."""
        return (self.path / "printed" / f"{len(self._started) - 1}.err").read_text(errors="replace")[-2000:]

    # Steps that leave a trace, and steps that stand at a gate.

    def traced(self, name: str, script: str = ":") -> str:
        """Return a script that writes `name` to the trace before anything else."""
        return f"echo {name} >> trace; {script}"

    @property
    def trace(self) -> list[str]:
        """The names of the steps that ran, in order."""
        path = self.folder / "trace"
        return path.read_text().split() if path.exists() else []

    def gate(self, name: str) -> str:
        """Return a script that says it is there and waits until the gate opens."""
        path = self.folder / f"{name}.gate"
        if not path.exists():
            os.mkfifo(path)
        return f": > {name}.up; read _ < {name}.gate || :"

    def arrived(self, name: str) -> None:
        """Wait until a step has said that it is there."""
        path = self.folder / f"{name}.up"
        eventually(lambda: path.exists() or not self._is_busy(), f"{name} at its gate")
        assert path.exists(), f"everything ended before {name} came to its gate: {self._printed()}"

    def printed(self, words: str) -> None:
        """Wait until a command that was started has printed these words to its stdout."""
        files = self.path / "printed"
        eventually(lambda: any(words in path.read_text() for path in files.glob("*.out")), repr(words))

    def reached(self, name: str) -> None:
        """Wait until a step stands at the gate; the next one who comes is a new arrival."""
        self.arrived(name)
        (self.folder / f"{name}.up").unlink()

    def open(self, name: str) -> None:
        """Open the gate for the one who waits there."""
        path = self.folder / f"{name}.gate"
        os.close(eventually(lambda: opened(path), f"somebody who waits at the gate {name}"))

    def pids(self, count: int) -> list[int]:
        """Return the pids that steps wrote to `pids`, when there are so many."""
        path = self.folder / "pids"
        eventually(lambda: path.exists() and path.read_text().count("\n") >= count, f"{count} pids")
        return [int(word) for word in path.read_text().split()]

    # What prodigy keeps.

    @property
    def state(self) -> Path:
        """The `.prodigy` folder."""
        return self.folder / ".prodigy"

    @property
    def run(self) -> Path:
        """The folder of the only run."""
        (path,) = (self.state / "runs").iterdir()
        return path

    @property
    def run_id(self) -> str:
        """The id of the only run."""
        return self.run.name

    @property
    def checkpoint_file(self) -> Path:
        """The checkpoint of the only run."""
        return self.state / "checkpoints" / f"{self.run_id}.json"

    @property
    def checkpoint(self) -> dict[str, Any]:
        """The checkpoint document of the only run."""
        document: dict[str, Any] = json.loads(self.checkpoint_file.read_text())
        return document

    @property
    def status(self) -> str:
        """What the checkpoint says the run is."""
        return str(self.checkpoint["execution_state"]["status"])

    def log(self, generation: int = 1) -> Path:
        """Return the path of a log of the only run."""
        return self.run / f"events-{generation}.jsonl"

    def events(self, kind: str, generation: int = 1) -> list[dict[str, Any]]:
        """Return the events of one type, in order."""
        records = map(json.loads, self.log(generation).read_text().splitlines())
        return [record for record in records if record["type"] == kind]

    def snapshot(self) -> dict[str, tuple[int, int, bytes]]:
        """Return everything on disk here: mode, time of change and content of every file, folder and link."""
        return {
            str(path.relative_to(self.path)): _seen(path)
            for top in (self.home, self.path / "global")
            for path in sorted(top.rglob("*"))
        }


def opened(gate: Path) -> int:
    """Return a descriptor that opens a gate where somebody waits, else 0."""
    try:
        return os.open(gate, os.O_WRONLY | os.O_NONBLOCK)
    except OSError:
        return 0


def find(program: str, path: str) -> str:
    """Return where the PATH finds a program."""
    for folder in path.split(":"):
        if (Path(folder) / program).is_file():
            return str(Path(folder) / program)
    raise FileNotFoundError(program)


def python(code: str) -> str:
    """Return a shell command that runs Python code."""
    return f"{shlex.quote(sys.executable)} -c {shlex.quote(code)}"


def _seen(path: Path) -> tuple[int, int, bytes]:
    status = path.lstat()
    if path.is_symlink():
        return status.st_mode, status.st_mtime_ns, os.fsencode(path.readlink())
    return status.st_mode, status.st_mtime_ns, path.read_bytes() if path.is_file() else b""
