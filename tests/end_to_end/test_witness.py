"""The checkpoint and its mirror bear witness of how far a log came, and lead back when all else is gone."""

import json
from pathlib import Path

import pytest

from tests.end_to_end.house import House, eventually


def killed_between_steps_that_take_a_second(house: House) -> list[int]:
    """Kill a run some seconds after its start, and return where its log's turns end, in bytes."""
    house.workflow(*({"shell": house.traced(f"step{number}", "sleep 1")} for number in range(20)))
    live = house.start("cook", "demo.yaml")
    eventually(lambda: house.trace[3:], "the fourth step")
    eventually(lambda: seen(house) == {house.log().read_text().count("\n")}, "the witnesses")
    live.kill()
    lines = house.log().read_bytes().splitlines(keepends=True)
    ends = [index for index, line in enumerate(lines, start=1) if b',"commit":true,' in line]
    return [sum(map(len, lines[:end])) for end in ends]


def seen(house: House) -> set[int]:
    """Return the last event that the checkpoint has seen, and its mirror."""
    paths = (house.checkpoint_file, mirror_of(house))
    return {int(json.loads(path.read_text())["last_seq"]) for path in paths}


def mirror_of(house: House) -> Path:
    """Return the mirror of the only run's checkpoint."""
    return house.path / "global" / "state" / "project" / "checkpoints" / f"{house.run_id}.json"


@pytest.mark.parametrize("witness", ["checkpoint", "mirror"])
def test_a_log_cut_between_any_two_turns_is_refused(house: House, witness: str) -> None:
    """Of a run whose steps take seconds, killed in the middle; where the checkpoint is gone the mirror says it."""
    *cuts, end = killed_between_steps_that_take_a_second(house)
    whole, ran = house.log().read_bytes(), house.trace
    if witness == "mirror":
        house.checkpoint_file.unlink()
    refused = []
    for cut in cuts:
        house.log().write_bytes(whole[:cut])
        code, _, err = house.prodigy("resume")
        refused.append((code, "a checkpoint has seen event" in err, house.log().stat().st_size))
    assert (len(whole), [(7, True, cut) for cut in cuts], ran) == (end, refused, house.trace)
    assert len(cuts) >= 3


def test_a_log_of_a_later_generation_that_is_gone_is_refused(house: House) -> None:
    """The generation before it is not taken for the run."""
    house.workflow({"shell": house.traced("one")}, {"shell": house.traced("two", "[ -e ready ]")})
    house.cook()
    house.prodigy("resume", "demo", "--force")
    house.log(2).unlink()
    ran = house.trace
    code, _, err = house.prodigy("resume", "demo")
    assert (7, ran) == (code, house.trace)
    assert [True, True] == ["events-2.jsonl is gone" in err, "--from-checkpoint mirror" in err], err
