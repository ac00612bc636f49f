"""A project of the bench's own, on the disk where results are written, and the programs that are timed in it."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import msgspec

PRODIGY = str(Path(sys.executable).with_name("prodigy"))
PLAYER = (sys.executable, "-m", "bench.player")
REPOSITORY = Path(__file__).resolve().parent.parent


class Place(msgspec.Struct, frozen=True):
    """A folder with a project in `project` and the global folder in `home`."""

    folder: Path

    @property
    def project(self) -> Path:
        """Where programs run."""
        return self.folder / "project"

    @property
    def home(self) -> Path:
        """What `PRODIGY_HOME` names."""
        return self.folder / "home"

    def environment(self) -> dict[str, str]:
        """Return the environment of every program; byte code is kept, as it is for users."""
        kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        return kept | {"PYTHONPATH": _python_path()}

    def workflow(self, steps: int) -> str:
        """Write a workflow of that many steps which do nothing, and return its file's name."""
        name = f"steps-{steps}.yaml"
        (self.project / name).write_text('- shell: "true"\n' * steps)
        return name

    def written(self, text: str) -> str:
        """Write a workflow, and return its file's name, another one for another text."""
        name = f"written-{sha256(text.encode()).hexdigest()[:12]}.yaml"
        (self.project / name).write_text(text)
        return name

    def timed(self, command: Sequence[str]) -> float:
        """Run a program to its end and return the seconds it took; one that fails is an assertion."""
        began = time.perf_counter()
        self.answer(command)
        return time.perf_counter() - began

    def answer(self, command: Sequence[str]) -> bytes:
        """Run a program to its end and return what it printed to stdout; one that fails is an assertion."""
        process = self.begin(command)
        printed, _ = process.communicate()
        assert process.returncode == 0, f"{' '.join(command)}:\n{self.complaints}"
        return printed

    def begin(self, command: Sequence[str]) -> subprocess.Popen[bytes]:
        """Start a program in the project. Its stderr goes into a file, as nobody reads it but `complaints`."""
        with self._stderr.open("wb") as stderr:
            return subprocess.Popen(
                command,
                cwd=self.project,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=stderr,
            )

    @property
    def complaints(self) -> str:
        """What the last program printed to stderr."""
        return self._stderr.read_text(errors="replace")

    @property
    def _stderr(self) -> Path:
        return self.folder / "stderr"


@contextmanager
def new_place(parent: Path) -> Iterator[Place]:
    """Make a place below `parent` and remove it afterwards.

    Its project is found whatever is above it, and while it stands its global folder is this process's too.
    """
    parent.mkdir(parents=True, exist_ok=True)
    place = Place(Path(tempfile.mkdtemp(prefix="place-", dir=parent)))
    before = os.environ.get("PRODIGY_HOME")
    os.environ["PRODIGY_HOME"] = str(place.home)
    try:
        (place.project / ".prodigy").mkdir(parents=True, mode=0o700)
        yield place
    finally:
        del os.environ["PRODIGY_HOME"]
        if before is not None:
            os.environ["PRODIGY_HOME"] = before
        shutil.rmtree(place.folder)


def _python_path() -> str:
    inherited = os.environ.get("PYTHONPATH")
    return os.pathsep.join([str(REPOSITORY), inherited] if inherited else [str(REPOSITORY)])
