"""Damage of every kind, met by every command that takes a run: an exit code, a sentence, and hints that work.

The run has stopped at its third of four steps, which succeeds now. Whatever is done to what is kept of it, no command
ends with a traceback, and each command that a hint names is typed here, in a house of its own, and does what it says.
"""

import re
import shlex
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.made import Said, said
from tests.end_to_end.house import House, Result

Harm = Callable[[House], object]

_TYPED = re.compile(r"(?<![\w/.])prodigy ((?:resume|fork|checkpoints|events|dlq|cook|logs) [^`\n]+)")


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A run that failed at its third step; its first captured a value that is too large for the log."""
    house = House(tmp_path_factory.mktemp("original"))
    large = "head -c 20000 /dev/zero | tr '\\0' x"
    house.workflow(
        {"id": "one", "shell": house.traced("one", f"echo said-one; {large}"), "capture_output": "large"},
        {"id": "between", "shell": house.traced("between")},
        {"id": "two", "shell": house.traced("two", "echo said-two; [ -e ready ] && [ ${large|length} -gt 20000 ]")},
        {"id": "three", "shell": house.traced("three")},
    )
    assert house.cook().code == 1
    house.write("ready", "")
    yield house
    house.close()


@pytest.fixture
def harmed(original: House, tmp_path: Path) -> Iterator[Callable[[str], House]]:
    """Return how to get a copy of that house in which something was harmed."""
    houses: list[House] = []

    def copy(harm: str) -> House:
        path = tmp_path / str(len(houses))
        shutil.copytree(original.path, path, symlinks=True)
        house = House(path)
        (path / "global/state/project/project").write_text(f"{house.folder}\n")
        HARMS[harm](house)
        houses.append(house)
        return house

    yield copy
    for house in houses:
        house.close()


def of_log(change: Callable[[bytes], bytes]) -> Harm:
    """Return the harm that changes the bytes of the log."""
    return lambda house: house.log().write_bytes(change(house.log().read_bytes()))


def flipped(data: bytes) -> bytes:
    """Change a byte in the third turn, which is behind the first version and not the last."""
    lines = data.splitlines(keepends=True)
    place = _turn_ends(lines)[1] + 1
    lines[place] = lines[place][:40] + bytes([lines[place][40] ^ 1]) + lines[place][41:]
    return b"".join(lines)


def cut_between_turns(data: bytes) -> bytes:
    """Keep the first two turns."""
    lines = data.splitlines(keepends=True)
    return b"".join(lines[: _turn_ends(lines)[1] + 1])


def _turn_ends(lines: list[bytes]) -> list[int]:
    return [number for number, line in enumerate(lines) if b'"commit":true' in line]


def remove_mirror(house: House) -> None:
    """Forget this run's copy, and not that this machine has run it."""
    shutil.rmtree(house.path / "global/state/project/checkpoints")
    shutil.rmtree(house.path / "global/state/project/values")


def remove_home(house: House) -> None:
    """Lose the global folder."""
    shutil.rmtree(house.path / "global")


def both(*harms: Harm) -> Harm:
    """Return several harms as one."""
    return lambda house: [harm(house) for harm in harms]


def remove_log(house: House) -> None:
    """Lose the log alone."""
    house.log().unlink()


def remove_checkpoint(house: House) -> None:
    """Lose the run's own checkpoint."""
    house.checkpoint_file.unlink()


SOUND = 0  # a checkpoint is a cache: whoever reads the log does not need it
DAMAGED = 7
LOST = 6  # only the mirror is left

HARMS: dict[str, Harm] = {
    "a torn tail": of_log(lambda data: data + b'{"seq":%d,"time":"20' % (data.count(b"\n") + 1)),
    "checkpoint gone": remove_checkpoint,
    "checkpoint garbage": lambda house: house.checkpoint_file.write_bytes(b"\x00\xff{]" * 99),
    "mirror gone": remove_mirror,
    "log missing": remove_log,
    "log empty": of_log(lambda data: b""),
    "log zeroed": of_log(lambda data: bytes(len(data))),
    "cut between turns": of_log(cut_between_turns),
    "a byte flipped": of_log(flipped),
    "values gone": lambda house: shutil.rmtree(house.run / "values"),
    "log and mirror gone": both(remove_log, remove_mirror),
    "log and global folder gone": both(remove_log, remove_home),
    "log and checkpoint gone": both(remove_log, remove_checkpoint),
    "log and values gone": both(remove_log, lambda house: shutil.rmtree(house.run / "values")),
    "flipped, without copies": both(of_log(flipped), remove_mirror, remove_checkpoint),
    "nothing left": both(remove_log, remove_mirror, remove_checkpoint),
    "folder gone": lambda house: shutil.rmtree(house.run),
}
KIND = dict.fromkeys(HARMS, DAMAGED) | dict.fromkeys(list(HARMS)[:4], SOUND) | {"folder gone": LOST}

# What each command ends with where the run is sound, damaged, or lost with its folder.
COMMANDS: dict[str, tuple[int, tuple[int, ...], int]] = {
    "status REF": (0, (7,), 0),
    "logs REF": (0, (7,), 6),
    "logs REF two": (0, (7,), 6),
    "logs REF --failed": (0, (7,), 6),
    "logs REF --json": (0, (7,), 6),
    "events ls --job-id REF": (0, (0, 7), 6),  # what is there is listed: a lost end, or lost values, it does not see
    "events stats --job-id REF": (0, (0, 7), 6),
    "events search said --job-id REF": (0, (0, 7), 6),
    "events export --job-id REF": (0, (0, 7), 6),
    "events follow --job-id REF": (0, (0, 7), 6),
    "events verify REF": (0, (7,), 6),
    "checkpoints list": (0, (0,), 0),
    "checkpoints list --verbose": (0, (0,), 0),
    "checkpoints list --json": (0, (0,), 0),
    "checkpoints list --workflow-id REF": (0, (0,), 0),
    "checkpoints show REF": (0, (7,), 0),
    "checkpoints show REF --version v1": (0, (0, 7), 6),
    "checkpoints clean --workflow-id REF --dry-run": (0, (0,), 0),
    "explain REF one": (0, (0, 7), 6),
    "replay REF": (0, (0, 7), 6),
    "replay REF --until v1": (0, (0, 7), 6),
    "diff REF REF": (0, (7,), 6),
    "dlq list REF": (0, (7,), 6),
    "dlq stats REF": (0, (7,), 6),
    "approve REF one": (2, (7,), 6),
    "stop REF": (6, (6,), 6),
    "ps": (0, (0,), 0),
}


@pytest.mark.parametrize("harm", HARMS)
def test_every_command_says_what_is_wrong(
    harm: str, harmed: Callable[[str], House], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its exit code is that of the run's kind of damage, and no hint names a run that is none."""
    house = harmed(harm)
    ended = {command: typed(house, command, monkeypatch) for command in COMMANDS}
    kind = KIND[harm]
    expected = {
        command: (codes[0],) if kind == SOUND else (codes[2],) if kind == LOST else codes[1]
        for command, codes in COMMANDS.items()
    }
    assert {command: ended[command].code for command in COMMANDS if ended[command].code not in expected[command]} == {}
    assert [command for command in COMMANDS if "<id>" in ended[command].out + ended[command].err] == []


def typed(house: House, command: str, monkeypatch: pytest.MonkeyPatch) -> Said:
    """Type a command in a house, in this process."""
    for name, value in house.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.argv", ["prodigy"])
    monkeypatch.chdir(house.folder)
    run_id = next((house.state / "checkpoints").glob("*.json"), None) or next(
        (house.path / "global/state/project/checkpoints").glob("*.json"), None
    )
    runs = sorted((house.state / "runs").iterdir())
    reference = runs[0].name if runs else run_id.stem if run_id else "none"
    return said(*shlex.split(command.replace("REF", reference)))


@pytest.mark.parametrize("harm", [harm for harm, kind in KIND.items() if kind != SOUND])
def test_a_list_never_says_go_on_of_what_resume_refuses(
    harm: str, harmed: Callable[[str], House], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bare `resume ID` is named nowhere."""
    house = harmed(harm)
    listed = [typed(house, command, monkeypatch) for command in COMMANDS if command.startswith("checkpoints list")]
    text = "".join(said.out + said.err for said in listed)
    assert re.findall(r"prodigy resume [\w.-]+(?![\w.-]| --)", text) == []


@pytest.mark.parametrize("harm", HARMS)
def test_every_hint_works_when_it_is_typed(
    harm: str, harmed: Callable[[str], House], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What goes on goes on to the end; a hint that leads to another, which adds what it takes, is followed."""
    house = harmed(harm)
    ended = [typed(house, command, monkeypatch) for command in (*COMMANDS, "doctor")]
    ended += [
        Said(*harmed(harm).prodigy(*shlex.split(command.replace("REF", run_id(house)))))
        for command in ("resume REF", "resume", "resume-job REF", "fork REF --at v1", "checkpoints validate REF")
    ]
    hints = sorted({hint for said in ended if said.code != 0 for hint in hints_in(said.out + said.err)})
    assert {hint: code for hint in hints if (code := followed(harmed(harm), hint)) != 0} == {}


def run_id(house: House) -> str:
    """Return the run's id, from whatever is left of it."""
    runs = sorted((house.state / "runs").iterdir())
    return runs[0].name if runs else next((house.state / "checkpoints").iterdir()).stem


def hints_in(text: str) -> list[str]:
    """Return the commands that a text names and that can be typed as they stand."""
    found = (match.strip() for match in _TYPED.findall(text))
    return [hint for hint in found if not re.search(r"\b(FILE|REF|ID)\b", hint) and "checkpoints list" not in hint]


def followed(house: House, hint: str) -> int:
    """Type a hint, and what is said to be missing; return the exit code of the last. Looking is no failure."""
    for _ in range(3):
        result = house.prodigy(*shlex.split(hint))
        there = hints_in(result.err)
        more = [other for other in there if other.startswith(hint) and other != hint]
        if hint.endswith("--trust") and result.code == 7:  # whom to trust is asked before the log is looked at
            more = there
        if not more:
            break
        (hint,) = more[:1]
    if hint.startswith("resume") and result.code == 0:
        return 0 if house.trace[-1] == "three" and house.trace.count("three") == 1 else 99
    return _looked(hint, result)


def _looked(hint: str, result: Result) -> int:
    is_look = hint.startswith(("checkpoints validate", "events ls", "logs")) and "--repair" not in hint
    return 0 if is_look and "Traceback" not in result.err else result.code


@pytest.mark.parametrize(
    ("harm", "first"),
    {
        "log missing": "--from-checkpoint mirror",
        "log empty": "--from-checkpoint mirror",
        "a byte flipped": "--from-checkpoint mirror",
        "log and mirror gone": "--from-checkpoint .prodigy/checkpoints/ID.json",
        "flipped, without copies": "--from-checkpoint v1",
        "values gone": "--from-checkpoint mirror",
        "folder gone": "--from-checkpoint mirror",
    }.items(),
)
def test_the_way_that_loses_least_comes_first(harm: str, first: str, harmed: Callable[[str], House]) -> None:
    """And what ran before is not run again, where a copy of its results is left."""
    house = harmed(harm)
    workflow_id = run_id(house)
    (hint, *_) = hints_in(house.prodigy("resume", workflow_id).err)
    assert hint == f"resume {workflow_id} {first.replace('ID', workflow_id)}"
    house.prodigy(*shlex.split(hint))
    again = ["between"] if first.endswith("v1") else []
    assert house.trace == ["one", "between", "two", *again, "two", "three"]


def test_repair_never_takes_the_witness_of_a_log_that_lost_its_end(harmed: Callable[[str], House]) -> None:
    """The checkpoint is right and the log is not: nothing is rewritten from that."""
    house = harmed("cut between turns")
    before = house.checkpoint_file.read_bytes()
    code, out, _ = house.prodigy("checkpoints", "validate", house.run_id, "--repair")
    assert (7, before) == (code, house.checkpoint_file.read_bytes())
    assert "wrong  log" in out


def test_verify_names_torn_bytes(harmed: Callable[[str], House]) -> None:
    """How many there are and where; a crash leaves such, and nothing is lost."""
    house = harmed("a torn tail")
    size = len(house.log().read_bytes().rpartition(b"\n")[0]) + 1
    code, out, _ = house.prodigy("events", "verify")
    assert (0, True) == (code, f"20 bytes of an unfinished turn at offset {size}" in out)


def test_what_is_left_of_outputs_is_shown_without_a_log(harmed: Callable[[str], House]) -> None:
    """With the step that a checkpoint says printed it."""
    house = harmed("log missing")
    code, out, err = house.prodigy("logs", house.run_id, "two")
    assert (7, "said-two\n") == (code, out)
    assert "has no log" in err
