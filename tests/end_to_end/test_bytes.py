"""Names and values that are no UTF-8: carried byte for byte, or refused before there is a run; never a traceback."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.end_to_end.house import PROGRAMS, House

BYTES = os.fsdecode(b"w\xe9")


def typed(
    house: House, *words: str, folder: Path | None = None, changes: dict[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run a command in some folder of the house."""
    command = [str(PROGRAMS / "prodigy"), *words]
    environment = house.environment | (changes or {})
    return subprocess.run(command, cwd=folder or house.folder, env=environment, capture_output=True, check=False)


def test_a_working_directory_is_carried_byte_for_byte(house: House) -> None:
    """By cook, and by resume from elsewhere."""
    house.workflow({"shell": "pwd >> ran; [ -e ready ]"})
    folder = house.folder / BYTES
    folder.mkdir()
    house.state.mkdir()
    assert typed(house, "cook", "../demo.yaml", folder=folder).returncode == 1
    (folder / "ready").touch()
    assert typed(house, "resume").returncode == 0
    assert (folder / "ran").read_bytes() == 2 * (os.fsencode(folder) + b"\n")


@pytest.mark.parametrize(
    ("words", "changes"),
    [
        (("cook", f"{BYTES}.yaml"), {}),
        (("cook", "demo.yaml", "--param", f"v={BYTES}"), {}),
        (("cook", "demo.yaml", "--param", f"{BYTES}=v"), {}),
        (("cook", "demo.yaml"), {"VALUE": BYTES}),
        (("status", BYTES), {}),
        (("resume", BYTES), {}),
        (("logs", BYTES), {}),
    ],
)
def test_what_is_no_text_is_refused_before_there_is_a_run(
    house: House, words: tuple[str, ...], changes: dict[str, str]
) -> None:
    """In a sentence: exit 2, of a variable of the file 3, or 6 where no run is so called."""
    house.workflow({"shell": "echo ${v}"}, variables={"v": "${env.VALUE}"})
    (house.folder / f"{BYTES}.yaml").write_bytes((house.folder / "demo.yaml").read_bytes())
    said = typed(house, *words, changes={"VALUE": "x"} | changes)
    code = 3 if changes else 2 if words[0] == "cook" else 6
    assert (said.returncode, said.stderr.count(b"error: "), b"Traceback" in said.stderr) == (code, 1, False)
    assert not (house.state / "runs").exists() or not list((house.state / "runs").iterdir())


NAMES = (b"g/a.txt", b"g/w\xe9.txt", b"g/w\\xe9.txt")  # the last has a backslash
SOURCES = ["g/*.txt", {"command": "ls -d g/*.txt"}]


def map_of_names(house: House, source: object, *agent: dict[str, object]) -> None:
    """Write a map over these files, which are made."""
    (house.folder / "g").mkdir()
    for name in NAMES:
        (house.folder / os.fsdecode(name)).touch()
    house.workflow(mode="mapreduce", map={"input": source, "max_parallel": 1, "agent_template": list(agent)})
    text = (house.folder / "demo.yaml").read_text().replace('"commands": []', '"description": "of names"')
    (house.folder / "demo.yaml").write_text(text)


@pytest.mark.parametrize("source", SOURCES)
def test_the_name_of_an_item_is_carried_byte_for_byte(house: House, source: object) -> None:
    """Into a script, the environment, a file and a folder's name; it hits no other file."""
    says = "printf '%s\\n' ${item} \"$NAME\" >> said; cat ${item|file} >> filed"
    map_of_names(
        house,
        source,
        {"shell": says, "env": {"NAME": "${item}"}},
        {"shell": "mv ${item} moved; mkdir ${item}"},
        {"shell": "pwd >> ../../been", "working_dir": "${item}"},
    )
    said = typed(house, "cook", "demo.yaml")
    assert said.returncode == 0, said.stderr
    assert sorted((house.folder / "said").read_bytes().splitlines()) == sorted(2 * NAMES)
    assert sorted((house.folder / "filed").read_bytes()) == sorted(b"".join(NAMES))
    been = [os.fsencode(house.folder) + b"/" + name for name in NAMES]
    assert sorted((house.folder / "been").read_bytes().splitlines()) == sorted(been)


@pytest.mark.parametrize("source", SOURCES)
def test_such_an_item_comes_back_from_the_log_byte_for_byte(house: House, source: object) -> None:
    """It is shown with its bytes in words, found by that, and tried again under its own name."""
    map_of_names(house, source, {"shell": "[ -e ready ] && rm ${item}"})
    assert typed(house, "cook", "demo.yaml").returncode == 1
    assert "g/w\\xe9.txt" in typed(house, "dlq", "list").stdout.decode()
    (house.folder / "ready").touch()
    [rest] = (house.folder / "g").glob("a*")
    said = typed(house, "dlq", "retry", "--filter", "item matches 'xe9'")
    assert (said.returncode, list((house.folder / "g").iterdir())) == (4, [rest]), said.stderr


def test_an_item_is_named_by_its_very_bytes(house: House) -> None:
    """As a shell's completion writes them; its twin with a backslash stays."""
    map_of_names(house, "g/*.txt", {"shell": "[ -e ready ] && rm ${item}"})
    assert typed(house, "cook", "demo.yaml").returncode == 1
    (house.folder / "ready").touch()
    said = typed(house, "dlq", "retry", "--item", os.fsdecode(NAMES[1]))
    kept = sorted(path.name for path in (house.folder / "g").iterdir())
    assert (said.returncode, kept) == (4, ["a.txt", "w\\xe9.txt"]), said.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("dlq", "retry", "--item", BYTES),
        ("dlq", "purge", "--item", BYTES),
        ("dlq", "retry", "--filter", f"item is {BYTES}"),
        ("resume", "--from-checkpoint", f"./{BYTES}"),
        ("fork", "demo", "--at", BYTES),
        ("fork", "demo", "--at", "v1", "--set", f"a={BYTES}"),
        ("logs", "demo", BYTES),
        ("events", "search", BYTES),
        ("events", "ls", "--step", BYTES),
        ("explain", "demo", BYTES),
        ("schema", BYTES),
        ("init", BYTES),
    ],
)
def test_a_word_that_is_no_text_is_refused_in_a_sentence(house: House, words: tuple[str, ...]) -> None:
    """By every command that finds nothing by it: exit 2, and no traceback kept for us."""
    map_of_names(house, "g/*.txt", {"shell": "false"})
    assert typed(house, "cook", "demo.yaml").returncode == 1
    said = typed(house, *words)
    assert (said.returncode, said.stderr.count(b"error: ")) == (2, 1), said.stderr


@pytest.mark.parametrize(
    "words", [("validate", f"{BYTES}.yaml"), ("validate", "--json", f"{BYTES}.yaml"), ("doctor", "--json"), ("ps",)]
)
def test_reading_commands_take_any_name(house: House, words: tuple[str, ...]) -> None:
    """Of a file, and of the project's folder."""
    folder = house.home / BYTES
    folder.mkdir()
    (folder / f"{BYTES}.yaml").write_text("name: demo\ncommands: [{shell: 'true'}]\n")
    assert typed(house, "cook", f"{BYTES}.yaml", folder=folder).returncode == 2
    said = typed(house, *words, folder=folder)
    assert (said.returncode, b"Traceback" in said.stderr + said.stdout) == (0, False), said.stderr


def test_a_project_in_such_a_folder_runs(house: House) -> None:
    """And its outputs are found by their names."""
    folder = house.home / BYTES
    folder.mkdir()
    (folder / "demo.yaml").write_text(
        "name: demo\ncommands:\n  - {id: one, shell: echo said}\n  - shell: cat ${one.output_file} > copied\n"
    )
    said = typed(house, "cook", "demo.yaml", folder=folder)
    assert (said.returncode, (folder / "copied").read_text()) == (0, "said\n"), said.stderr
    for words in (("status", "--json"), ("logs", "demo"), ("checkpoints", "list"), ("events", "verify"), ("doctor",)):
        assert typed(house, *words, folder=folder).returncode == 0
