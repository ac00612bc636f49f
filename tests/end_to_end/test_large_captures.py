"""Large captured values stay on disk until they are used, so a run holds few of them at a time."""

import shutil
import signal

from tests.end_to_end.house import House, eventually
from tests.end_to_end.mapped import mapreduce
from tests.end_to_end.measured import measured

LETTERS = "abcdefghijklmnopqrstuvwx"  # of which each value consists of another, so that no two are one
CAPTURES = len(LETTERS)
CAPTURE_BYTES = 8_000_000
# Beside what the program itself takes, and far below their sum: while a step ends, its output is there a few times.
MEBIBYTES_MAX = 120


def capturing(house: House, *last: dict[str, str]) -> None:
    """Write a workflow that captures much more than it may hold, and then runs `last`."""
    say = f"head -c {CAPTURE_BYTES} /dev/zero | tr '\\0' "
    captures = ({"shell": say + letter, "capture_output": f"v{number}"} for number, letter in enumerate(LETTERS))
    house.workflow(*captures, *last)


def capturing_items(house: House, then: str, *, at_once: int) -> None:
    """Write a map whose items capture much more than a run may hold, then do `then`, and use what they captured."""
    mapreduce(
        house,
        {"shell": f"head -c {CAPTURE_BYTES} /dev/zero | tr '\\0' ${{item}}", "capture_output": "own"},
        {"shell": then},
        {"shell": "echo ${own|length} >> sizes"},
        items=list(LETTERS),
        max_parallel=at_once,
        error_policy={"on_item_failure": "stop"},
    )


def test_a_run_holds_few_large_values_at_a_time(house: House) -> None:
    """So do its resume, its proof and what shows it, with and without a checkpoint; every value is there when used."""
    sums = [f"${{v{number}|length}}" for number in range(CAPTURES)]
    capturing(house, {"shell": f"echo {' '.join(sums)} > sizes; cat ${{v1|file}} > v1; test -e go"})
    base = measured(house, "validate", "demo.yaml").mebibytes
    most = {"cook": measured(house, "cook", "demo.yaml")}
    run_id = house.run_id
    most["show"] = measured(house, "checkpoints", "show", run_id)
    most["proof"] = measured(house, "replay", run_id, "--check")
    house.checkpoint_file.unlink()
    most["status"] = measured(house, "status")
    (house.folder / "go").touch()
    most["resume"] = measured(house, "resume", run_id)
    assert {name: told.code for name, told in most.items()} == {
        "cook": 1,
        "show": 0,
        "proof": 0,
        "status": 0,
        "resume": 0,
    }
    assert (house.folder / "sizes").read_text().split() == [str(CAPTURE_BYTES)] * CAPTURES
    assert (house.folder / "v1").read_text() == "b" * CAPTURE_BYTES
    assert {name: told.mebibytes for name, told in most.items() if told.mebibytes > base + MEBIBYTES_MAX} == {}


def test_a_large_value_can_be_used_wherever_a_small_one_can(house: House) -> None:
    """An element of it, its length, in a condition; and in a fork, which has a copy of its own."""
    house.workflow(
        {"shell": "seq 200000", "capture_output": "numbers", "capture_format": "lines"},
        {"shell": "echo ${numbers[199999]} ${numbers|length} >> said", "when": "${numbers|length} == 200000"},
        {"shell": "test -e go", "id": "gate"},
        {"shell": "echo ${numbers[7]} >> said"},
    )
    assert house.cook().code == 1
    (house.folder / "go").touch()
    forked = house.prodigy("fork", house.run_id, "--at", "v2")
    assert forked.code == 0, forked.err
    assert (house.folder / "said").read_text() == "200000 200000\n8\n"


def test_a_list_that_is_large_gives_the_items_of_a_map(house: House) -> None:
    """And what an item captures itself is its own."""
    say, fill = """printf '["x","y"'""", """printf ',"'; head -c 500000 /dev/zero | tr '\\0' z; printf '"'"""
    mapreduce(
        house,
        {"shell": "head -c 2000000 /dev/zero | tr '\\0' ${item}", "capture_output": "own"},
        {"shell": "echo ${item_index} ${own|length} >> sizes"},
        setup=[
            {
                "shell": f"{say}; {fill}; {fill}; {fill}; echo ]",
                "capture_output": "parts",
                "capture_format": "json",
            }
        ],
        input="${parts}",
        filter="length(${item}) == 1",
        max_parallel=1,
    )
    cooked = house.cook()
    assert cooked.code == 0, cooked.err
    assert (house.folder / "sizes").read_text() == "0 2000000\n1 2000000\n"


def test_what_many_items_capture_stays_on_disk_until_it_is_used(house: House) -> None:
    """While they are at work; and after a resume they have it still."""
    capturing_items(house, "test -e go", at_once=2)
    base = measured(house, "validate", "demo.yaml").mebibytes
    cooked = measured(house, "cook", "demo.yaml")
    (house.folder / "go").touch()
    resumed = measured(house, "resume", house.run_id)
    assert (cooked.code, resumed.code) == (1, 0)
    assert (house.folder / "sizes").read_text().split() == [str(CAPTURE_BYTES)] * CAPTURES
    most = {"cook": cooked.mebibytes, "resume": resumed.mebibytes}
    assert {name: size for name, size in most.items() if size > base + MEBIBYTES_MAX} == {}


def test_a_run_that_lost_its_log_holds_few_large_values_at_a_time(house: House) -> None:
    """Restored from the mirror, which loses them meanwhile: what steps captured is the run's own again."""
    sums = [f"${{v{number}|length}}" for number in range(CAPTURES)]
    lose = {"shell": f"test -e lost && find {house.path}/global -path '*/values/*' -delete"}
    capturing(house, lose, {"shell": f"echo {' '.join(sums)} > sizes; cat ${{v1|file}} > v1; test -e go"})
    base = measured(house, "validate", "demo.yaml").mebibytes
    assert house.cook().code == 1
    run_id = house.run_id
    shutil.rmtree(house.state)
    (house.folder / "lost").touch()
    most = {"restore": measured(house, "resume", run_id, "--from-checkpoint", "mirror")}
    (house.folder / "go").touch()
    most["status"] = measured(house, "status")
    most["proof"] = measured(house, "replay", run_id, "--check")
    most["resume"] = measured(house, "resume", run_id)
    most["validation"] = measured(house, "checkpoints", "validate", run_id)
    codes = {"restore": 1, "status": 0, "proof": 0, "resume": 0, "validation": 0}
    assert {name: told.code for name, told in most.items()} == codes, most
    assert (house.folder / "sizes").read_text().split() == [str(CAPTURE_BYTES)] * CAPTURES
    assert (house.folder / "v1").read_text() == "b" * CAPTURE_BYTES
    assert {name: told.mebibytes for name, told in most.items() if told.mebibytes > base + MEBIBYTES_MAX} == {}


def test_items_of_a_run_that_lost_its_log_leave_large_values_on_disk(house: House) -> None:
    """They have what they captured before, each its own; so says the proof."""
    capturing_items(house, "test -e go || { touch at-${item}; test -e no || sleep 600; exit 1; }", at_once=CAPTURES)
    base = measured(house, "validate", "demo.yaml").mebibytes
    live = house.start("cook", "demo.yaml")
    eventually(lambda: len(list(house.folder.glob("at-*"))) == CAPTURES, "what all items captured")
    live.send(signal.SIGINT)
    live.wait()
    run_id = house.run_id
    shutil.rmtree(house.state)
    (house.folder / "no").touch()
    most = {"restore": measured(house, "resume", run_id, "--from-checkpoint", "mirror")}
    shutil.rmtree(house.path / "global")
    most["proof"] = measured(house, "replay", run_id, "--check")
    (house.folder / "go").touch()
    most["resume"] = measured(house, "resume", run_id, "--trust")
    assert {name: told.code for name, told in most.items()} == {"restore": 1, "proof": 0, "resume": 0}, most
    assert (house.folder / "sizes").read_text().split() == [str(CAPTURE_BYTES)] * CAPTURES
    assert {name: told.mebibytes for name, told in most.items() if told.mebibytes > base + MEBIBYTES_MAX} == {}


def test_a_large_value_that_was_removed_is_said_with_the_way_out(house: House) -> None:
    """Its run stops; the mirror has a copy."""
    house.workflow(
        {"shell": "head -c 2000000 /dev/zero | tr '\\0' x", "capture_output": "v"},
        {"shell": "test -e again || rm .prodigy/runs/*/values/*; touch again"},
        {"shell": "echo ${v|length} > size"},
    )
    stopped = house.cook()
    assert (stopped.code, "Traceback" in stopped.err) == (7, False), stopped.err
    assert "--from-checkpoint mirror" in stopped.err
    rescued = house.prodigy("resume", house.run_id, "--from-checkpoint", "mirror")
    assert rescued.code == 0, rescued.err
    assert (house.folder / "size").read_text() == "2000000\n"
