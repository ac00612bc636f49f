"""A reader that goes away, or an output that was closed from the start, changes no exit code and shows no traceback."""

import os
import subprocess
from collections.abc import Iterator

import pytest
from typer.core import TyperGroup

from tests.cli.whole import whole
from tests.end_to_end.house import House
from tests.end_to_end.mapped import mapreduce

# Every command, with arguments with which it has something to print.
COMMANDS = (
    "--version", "--help", "nonsense", "events", "checkpoints --help",
    "validate one.yaml", "validate one.yaml --json", "validate bad.yaml",
    "cook one.yaml", "cook one.yaml --json", "cook one.yaml --dry-run", "cook many.yaml", "run failing.yaml",
    "resume one", "resume failing", "resume-job many", "fork one --at v1", "approve one nobody", "stop one",
    "status one", "status many --json", "ps",
    "cost one", "cost many --by item", "budget one", "budget one --json",
    "logs one", "logs one --follow", "explain one", "diff one many",
    "replay one", "doctor", "doctor --json", "init new.yaml",
    "events ls --job-id one", "events ls --job-id one --jsonl", "events export --job-id one", "schema",
    "events export --job-id one --format csv", "events stats --job-id one", "events follow --job-id one",
    "events search started --job-id one", "events search absent --job-id one", "events verify one",
    "checkpoints list", "checkpoints list --json", "checkpoints show one", "checkpoints validate one",
    "checkpoints clean one --dry-run", "dlq list many", "dlq show many", "dlq stats many",
    "dlq export many --format csv", "dlq retry many", "dlq purge many", "dlq list nobody",
)  # fmt: skip
UNBUFFERED = {"PYTHONUNBUFFERED": "1"}
HOWS: dict[str, tuple[str, dict[str, str]]] = {
    "stdout unread": (">&9", {}),
    "stdout unread, unbuffered": (">&9", UNBUFFERED),
    "stdout and stderr unread": (">&9 2>&9", UNBUFFERED),
    "stderr unread": ("2>&9", {}),
    "stdout closed": (">&-", {}),
    "stderr closed": ("2>&-", UNBUFFERED),
    "all closed": ("<&- >&- 2>&-", {}),
}
ODD = ("Traceback", "rror: [", "Exception ignored", "prodigy itself")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A project with a run that completed, one that failed, and one with a dead letter."""
    house = House(tmp_path_factory.mktemp("readers"))
    house.workflow({"id": "a", "shell": "echo hello"}, {"shell": "echo there"}, name="one")
    house.workflow({"shell": "echo hello; exit 3"}, name="failing")
    mapreduce(house, {"shell": "echo ${item}; test ${item} != b"}, items=["a", "b"], name="many")
    house.write("bad.yaml", "commands:\n - shel: x\n")
    for name in ("one", "failing", "many"):
        house.cook(name)
    yield house
    house.close()


@pytest.mark.parametrize("command", COMMANDS)
def test_a_reader_that_goes_away_changes_no_exit_code(project: House, command: str) -> None:
    """With PYTHONUNBUFFERED and without, when stdout or stderr is a pipe without a reader, and when it is closed."""
    expected, _ = ended(project, command, "")
    new = project.folder / "new.yaml"
    for how, (redirected, changes) in HOWS.items():
        new.unlink(missing_ok=True)
        code, said = ended(project, command, redirected, **changes)
        assert (expected, []) == (code, [odd for odd in ODD if odd in said]), (how, said)


def ended(house: House, command: str, redirected: str, **changes: str) -> tuple[int, str]:
    """Run a command with descriptor 9 a pipe that nobody reads; return its exit code and what was printed elsewhere."""
    read_end, write_end = os.pipe()
    os.close(read_end)
    try:
        done = subprocess.run(
            ["sh", "-c", f"exec 9>&0 </dev/null; exec prodigy {command} {redirected}"],
            cwd=house.folder,
            env=house.environment | changes,
            stdin=write_end,
            capture_output=True,
            timeout=40,
            check=False,
        )
    finally:
        os.close(write_end)
    return done.returncode, (done.stdout + done.stderr).decode(errors="replace")


def test_the_table_has_every_command() -> None:
    """A new one must be tried, too."""
    names = set()
    for name, command in whole().commands.items():
        below = command.commands if isinstance(command, TyperGroup) else {}
        names |= {f"{name} {inner}" for inner in below} or {name}
    tried = {word for command in COMMANDS for word in (command.split()[0], " ".join(command.split()[:2]))}
    assert set() == {name for name in names if name not in tried}


@pytest.mark.parametrize("command", ["logs long --follow", "events follow --job-id long --jsonl"])
def test_who_follows_ends_when_nobody_reads(project: House, command: str) -> None:
    """At the next thing that would be printed, though the run goes on."""
    project.workflow({"shell": "until test -e enough; do echo more; sleep 0.05; done"}, name="long")
    (project.folder / "enough").unlink(missing_ok=True)
    live = project.start("cook", "long.yaml")
    live.says("more")
    code, _ = ended(project, command, ">&9")
    is_live = live.process.poll() is None
    project.write("enough", "")
    assert (0, True, 0) == (code, is_live, live.wait().code)


def test_what_was_wanted_is_read(project: House) -> None:
    """`head` gets its line, and nothing complains."""
    seen = project.shell("prodigy events export --job-id one | head -1").wait()
    assert (0, 1, "") == (seen.code, seen.out.count("\n"), seen.err)
