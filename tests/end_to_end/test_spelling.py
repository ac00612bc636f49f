"""What a number looks like to a command: as its author wrote it, from every source, and after every way to go on."""

import json

import pytest

from tests.end_to_end.house import House

SAY = 'printf "%s " ${python} ${matrix.rates[0]} ${given} ${seen.v} >> said'


def workflow(house: House) -> None:
    """Write a workflow that says its values, fails once, and says them again."""
    house.write(
        "demo.yaml",
        f"""
name: demo
variables: {{python: 3.10, matrix: {{rates: [1e3, 0xFF]}}, given: 1}}
env: {{VERSION: 1.10, ONE: 1.0, PORT: 8080, FLAG: true, EMPTY: }}
commands:
  - shell: printf '{{"v":2.50}}'
    capture: seen
    capture_format: json
  - shell: printf "%s " "$VERSION" "$ONE" "$PORT" "$FLAG" "[$EMPTY]" ${{VERSION}} > env
  - id: first
    shell: {SAY}
  - id: gate
    shell: test -e open
  - shell: {SAY}
""",
    )


def test_a_number_looks_as_it_was_written_before_and_after_a_resume(house: House) -> None:
    """Variables, nested values, a file of parameters, a capture, `env`; from the log, the checkpoint and a fork."""
    workflow(house)
    house.write("p.json", '{"given": 1.10}')
    assert house.prodigy("cook", "demo.yaml", "--param-file", "p.json").code == 1
    assert (house.folder / "env").read_text() == "1.10 1.0 8080 true [] 1.10 "
    assert (house.folder / "said").read_text() == "3.10 1e3 1.10 2.50 "
    (house.folder / "open").touch()
    house.checkpoint_file.rename(house.checkpoint_file.with_suffix(".kept"))
    run_id = house.run_id
    assert house.prodigy("resume").code == 0, "from the log alone"
    assert (house.folder / "said").read_text() == "3.10 1e3 1.10 2.50 " * 2
    assert house.prodigy("resume", run_id, "--from-checkpoint", "first").code == 0
    assert (house.folder / "said").read_text() == "3.10 1e3 1.10 2.50 " * 4
    assert house.prodigy("resume", run_id, "--force").code == 0
    assert (house.folder / "said").read_text() == "3.10 1e3 1.10 2.50 " * 6
    assert house.prodigy("fork", run_id, "--at", "first", "--set", "python=3.20").code == 0
    assert (house.folder / "said").read_text().endswith("3.20 1e3 1.10 2.50 " * 2)


@pytest.mark.parametrize("lost", [False, True], ids=["its checkpoint", "the mirror"])
def test_what_goes_on_from_a_checkpoint_keeps_the_spelling(house: House, lost: bool) -> None:
    """Also of a capture so large that it is kept in a file of its own."""
    house.write("many.json", f"[{','.join(['1.10'] * 10_000)}]")
    house.write(
        "demo.yaml",
        """
name: demo
variables: {python: 3.10}
commands:
  - {shell: cat many.json, capture: many, capture_format: json}
  - {shell: echo 2.50, capture: one, capture_format: number}
  - shell: test -e open
  - shell: printf "%s " ${python} ${many[9999]} ${one} > said
""",
    )
    assert house.cook().code == 1
    (house.folder / "open").touch()
    if lost:
        house.log().unlink()
    assert house.prodigy("resume", house.run_id, *(["--from-checkpoint", "mirror", "--yes"] if lost else [])).code == 0
    assert (house.folder / "said").read_text() == "3.10 1.10 2.50 "


def test_items_look_as_they_were_written_wherever_they_come_from(house: House) -> None:
    """A file of YAML, of JSON, of JSON Lines; what a command prints; and a dead letter that is put back."""
    house.write("a.yaml", "[{v: 3.10}, {v: 0xFF}]")
    house.write("b.json", '[{"v": 1.10}, {"v": 1e3}]')
    house.write("c.jsonl", '{"v": 2.50}\n{"v": -0}\n')
    for source in ("a.yaml", "b.json", "c.jsonl", "{command: cat b.json}"):
        house.write(
            "demo.yaml",
            f"""
name: demo
mode: mapreduce
map:
  input: {source}
  item_key: ${{item.v}}
  agent_template:
    - shell: printf "%s " ${{item.v}} >> said; test -e open
  max_parallel: 1
""",
        )
        (house.folder / "open").unlink(missing_ok=True)
        house.prodigy("cook", "demo.yaml")
        (house.folder / "open").touch()
        house.prodigy("dlq", "retry", "demo")
    said = (house.folder / "said").read_text()
    assert said == "3.10 0xFF " * 2 + "1.10 1e3 " * 2 + "2.50 -0 " * 2 + "1.10 1e3 " * 2


def test_every_command_reads_a_run_of_such_numbers(house: House) -> None:
    """What programs are given is JSON with numbers; nobody meets an error."""
    workflow(house)
    house.prodigy("cook", "demo.yaml", "--param", "given=1")
    run_id = house.run_id
    for command in (
        f"status {run_id} --json",
        f"explain {run_id} --json",
        f"checkpoints show {run_id} --json",
        f"checkpoints validate {run_id} --json",
        f"events ls --job-id {run_id} --json",
        f"events export {run_id}",
        f"replay {run_id} --summary",
        f"diff {run_id} {run_id} --json",
        f"doctor {run_id} --json",
    ):
        done = house.prodigy(*command.split())
        assert "Traceback" not in done.err and "unsupported" not in done.err, command
    assert house.checkpoint["variables"]["python"] == 3.1
    started = json.loads(house.log().read_text().splitlines()[0])
    assert started["plan"]["spellings"] == {
        "/variables/python": "3.10",
        "/variables/matrix/rates/0": "1e3",
        "/variables/matrix/rates/1": "0xFF",
    }
