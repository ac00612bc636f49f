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


@pytest.mark.parametrize("source", ["g/*.txt", {"command": "ls -d g/*.txt"}])
def test_one_name_does_not_lose_the_map(house: House, source: object) -> None:
    """It is a dead letter under a name that shows its bytes; the others run."""
    (house.folder / "g").mkdir()
    for name in ("a.txt", "c.txt", f"{BYTES}.txt"):
        (house.folder / "g" / name).touch()
    agent = [{"shell": "ls -d ${item} >> items"}]
    house.workflow(mode="mapreduce", map={"input": source, "agent_template": agent})
    text = (house.folder / "demo.yaml").read_text().replace('"commands": []', '"description": "of names"')
    (house.folder / "demo.yaml").write_text(text)
    assert typed(house, "cook", "demo.yaml").returncode == 4
    assert sorted((house.folder / "items").read_text().split()) == ["g/a.txt", "g/c.txt"]
    assert "w\\xe9.txt" in typed(house, "dlq", "list").stdout.decode()


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
