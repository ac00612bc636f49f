"""The wheel and the sdist build, and install into an environment that has nothing else."""

import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


class Environment:
    """A virtual environment without pip of its own; the one that runs the tests fills it."""

    def __init__(self, path: Path) -> None:
        venv.create(path)
        self.programs = path / "bin"

    def install(self, *wanted: str) -> None:
        """Install packages with what they require."""
        run(sys.executable, "-m", "pip", "--python", str(self.programs / "python"), "install", "--quiet", *wanted)

    def answer(self, program: str, *arguments: str) -> str:
        """Return what one of its programs prints."""
        return run(str(self.programs / program), *arguments)


def run(*command: str, cwd: Path | None = None) -> str:
    """Return what a command prints; it has to succeed."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The built sdist and the wheel, by kind."""
    top = tmp_path_factory.mktemp("packages")
    builder = Environment(top / "builder")
    builder.install("hatchling")
    run(str(builder.programs / "python"), "-m", "hatchling", "build", "-d", str(top), cwd=ROOT)
    (sdist,), (wheel,) = top.glob("*.tar.gz"), top.glob("*.whl")
    return {"sdist": sdist, "wheel": wheel}


@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_a_package_installs_and_works(packages: dict[str, Path], tmp_path: Path, kind: str) -> None:
    """The command and the module answer, and a workflow is cooked with nothing but what the package requires."""
    environment = Environment(tmp_path / "clean")
    environment.install(str(packages[kind]))
    version = environment.answer("prodigy", "--version")
    (tmp_path / "demo.yaml").write_text("commands: [{shell: echo hello}]\n")
    cooked = run(
        "env",
        f"HOME={tmp_path}",
        str(environment.programs / "python"),
        "-m",
        "prodigy",
        "cook",
        "demo.yaml",
        cwd=tmp_path,
    )
    assert (version, "completed") == (environment.answer("python", "-m", "prodigy", "--version"), cooked.split()[0])


def test_the_wheel_says_that_it_is_typed(packages: dict[str, Path]) -> None:
    """Type checkers look for `py.typed`; tests are not installed."""
    names = run(sys.executable, "-m", "zipfile", "-l", str(packages["wheel"]))
    assert (True, False) == ("prodigy/py.typed" in names, "tests/" in names)
