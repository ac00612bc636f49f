"""Paths that a run gives its steps: each names a file, from any folder, after any way to go on."""

import os
import shutil
from pathlib import Path

import pytest

from tests.end_to_end.house import House
from tests.end_to_end.mapped import mapreduce
from tests.stand_in import install, rule

READS = """printf %s "$PROMPT" | sed 's/.* //' | xargs cat > read"""


def test_the_file_of_an_output_can_be_read_from_everywhere(house: House) -> None:
    """In a script, in another folder, in the environment, in a condition; the log names it relative to the run."""
    (house.folder / "sub").mkdir()
    house.workflow(
        {"shell": "seq 1 1000", "id": "a"},
        {"shell": "wc -l < ${a.output_file} >> counted"},
        {"shell": "wc -l < ${a.output_file} >> ../counted", "working_dir": "sub"},
        {"shell": 'wc -l < "$FILE" >> counted', "env": {"FILE": "${a.output_file}"}},
        {"shell": "echo absolute >> counted", "when": "${a.output_file} starts_with '/'"},
    )
    assert house.cook().code == 0
    assert (house.folder / "counted").read_text().split() == ["1000", "1000", "1000", "absolute"]
    assert next(event["output_file"] for event in house.events("command_finished")) == "outputs/3.out"


def test_the_file_of_an_output_stands_though_nothing_was_printed(house: House) -> None:
    """If anything in the workflow names it; that of another step, or of its stderr, does not."""
    mapreduce(
        house,
        {"shell": "true", "id": "own"},
        {"shell": "wc -c < ${own.output_file} >> counted"},
        setup=[{"shell": "true", "id": "a"}, {"shell": "true"}],
        reduce=[{"shell": "wc -c < ${a.output_file} >> counted"}],
        max_parallel=1,
        items=["x", "y"],
    )
    assert house.cook().code == 0
    assert (house.folder / "counted").read_text().split() == ["0"] * 3
    of = {event["output_file"]: event["at"] for event in house.events("command_finished")}
    kept = {of[f"outputs/{path.name}"] for path in (house.run / "outputs").iterdir()}
    assert kept == {"setup.a", "map[x].own", "map[y].own"}


def test_items_can_come_from_the_file_of_an_output(house: House) -> None:
    """Its lines, and the output of an item's own step."""
    say = {"shell": "cat ${own.output_file} >> said"}
    mapreduce(
        house,
        {"shell": "printf '%s ' ${item}", "id": "own"},
        say,
        setup=[{"shell": "seq 3", "id": "numbers"}],
        input="${numbers.output_file}",
        max_parallel=1,
    )
    assert house.cook().code == 0
    assert (house.folder / "said").read_text() == "1 2 3 "


def test_the_file_is_found_after_a_resume_in_a_moved_project_and_in_a_fork(house: House) -> None:
    """The path is made when it is needed, from where the run lies then; a fork has files of its own."""
    house.workflow(
        {"shell": "echo hello", "id": "a"},
        {"shell": "test -e open", "id": "gate"},
        {"shell": "cat ${a.output_file} >> said; echo ${a.output_file} > path"},
    )
    assert house.cook().code == 1
    run_id = house.run_id
    (house.folder / "open").touch()
    shutil.move(house.folder, house.home / "moved")
    house.folder = house.home / "moved"
    assert house.prodigy("resume", run_id, "--trust").code == 0
    assert (house.folder / "path").read_text() == f"{house.run}/outputs/3.out\n"
    assert house.prodigy("fork", run_id, "--at", "gate", "--trust").code == 0
    shutil.rmtree(house.state / "runs" / run_id)
    assert (house.folder / "said").read_text() == "hello\n" * 2
    assert house.run_id in (house.folder / "path").read_text()
    assert house.prodigy("resume", house.run_id, "--from-checkpoint", "gate").code == 0
    assert (house.folder / "said").read_text() == "hello\n" * 3


def test_a_reader_tells_the_path_as_the_step_saw_it(house: House) -> None:
    """`explain` and `checkpoints show` name a file that is there."""
    house.workflow({"shell": "echo hello", "id": "a"}, {"shell": "cat ${a.output_file}", "id": "b"})
    house.cook()
    path = f"{house.run}/outputs/3.out"
    assert f"b (shell: cat {path}) succeeded" in " ".join(house.prodigy("explain", "demo", "b").out.split())
    assert path in house.prodigy("checkpoints", "show", "demo").out


def test_in_a_folder_of_any_bytes_the_file_is_found(tmp_path: Path) -> None:
    """Its path goes to the step byte for byte, in a script and in the environment; what is told of it is text."""
    house = House(tmp_path, project=os.fsdecode(b"caf\xe9"))
    house.workflow(
        {"shell": "echo hello", "id": "a"},
        {"shell": 'cat ${a.output_file} "$FILE" > said', "env": {"FILE": "${a.output_file}"}},
    )
    try:
        assert house.cook().code == 0
        assert (house.folder / "said").read_text() == "hello\n" * 2
        house.workflow({"shell": "echo", "id": "a"}, {"shell": "false", "when": "${a.output_file} == 1"})
        assert house.cook().code == 0
        mapreduce(house, {"shell": "true"}, input="${a.output_file}x", setup=[{"shell": "echo", "id": "a"}])
        code, out, _ = house.cook()
        assert (code, "no such file" in out) == (1, True), out
    finally:
        house.close()


def test_a_value_as_a_file_is_a_path_in_every_text(house: House) -> None:
    """In a prompt, in `env` of step and workflow, in a script; each holds the value, and is gone with its attempt."""
    install(house.programs, rule({"bash": READS}))
    value = "x" * 200_000
    house.workflow(
        {"claude": "read ${big|file}"},
        {"shell": "cmp read value && cat $OWN $ALL ${ALL} ${big|file} > again; echo $OWN > path", "env": OWN},
        {"shell": 'test ! -e $(cat path) && test -z "$(ls .prodigy/runs/*/values-in-use | grep -v $PRODIGY_EPOCH)"'},
        variables={"big": value},
        env={"ALL": "${big|file}"},
    )
    house.write("value", value)
    assert house.cook().code == 0
    assert (house.folder / "again").read_text() == value * 4


OWN = {"OWN": "${big|file}"}


def test_the_command_that_lists_items_has_files_too(house: House) -> None:
    """Values of any size; the files are gone when the items are read."""
    command = 'cat ${big|file} | head -c 3; echo; printf %s "${big}" | tail -c 3'
    mapreduce(
        house,
        {"shell": "echo ${item} >> said; ls .prodigy/runs/*/values-in-use | wc -l >> left"},
        input={"command": command},
        variables={"big": "abc" + "x" * 200_000 + "xyz"},
        max_parallel=1,
    )
    assert house.cook().code == 0
    assert (house.folder / "said").read_text().split() == ["abc", "xyz"]
    assert (house.folder / "left").read_text().split() == ["0", "0"]


@pytest.mark.parametrize(
    "step",
    [
        {"shell": "true", "when": "${x|file} == 'a'"},
        {"shell": "true", "timeout": "${x|file}"},
        {"shell": "true", "retry": "${x|file}"},
        {"shell": "true", "working_dir": "${x|file}"},
    ],
    ids=["when", "timeout", "retry", "working_dir"],
)
def test_where_nothing_could_read_it_a_file_is_refused(house: House, step: dict[str, str]) -> None:
    """Before anything runs, with what to write."""
    house.workflow(step, variables={"x": "a"})
    code, _, err = house.cook()
    assert code == 3
    assert "${x|file} is the path of a file, and here is no command that could read it" in err
    assert "write ${x}" in err
