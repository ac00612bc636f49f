"""The checkpoint and its mirror bear witness of how far a log came, and lead back when all else is gone."""

import json
import shutil
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


SEEN = 'cp "$PRODIGY_HOME"/state/project/checkpoints/*.json seen.json'


def test_the_first_result_is_mirrored_before_anything_else_begins(house: House) -> None:
    """Whatever that does with the state."""
    house.workflow({"shell": "true", "id": "one"}, {"shell": SEEN})
    code = house.cook().code
    steps = json.loads((house.folder / "seen.json").read_text())["completed_steps"]
    assert (0, ["one"]) == (code, [step["address"] for step in steps])


def test_the_first_item_that_settled_is_mirrored_before_another_begins(house: House) -> None:
    """A job may be hours of items, and nothing else."""
    item = {"shell": f"[ ${{item}} != b ] || {SEEN}"}
    job = {"input": ["a", "b"], "agent_template": [{"shell": "true"}, item], "max_parallel": 1}
    house.write("demo.yaml", json.dumps({"name": "demo", "mode": "mapreduce", "map": job}))
    code = house.cook().code
    assert (0, 1) == (code, json.loads((house.folder / "seen.json").read_text())["map"]["succeeded"])


STOPS: dict[str, tuple[dict[str, object], int]] = {
    "completed": ({"shell": "true"}, 0),
    "failed": ({"shell": "false"}, 1),
    "interrupted": ({"shell": "kill -INT $PPID; sleep 60"}, 130),
    "paused": ({"shell": "true", "requires_confirmation": True}, 5),
}


@pytest.mark.parametrize("status", STOPS)
def test_every_stop_writes_the_checkpoint_and_its_mirror(house: House, status: str) -> None:
    """And both are the same."""
    step, expected = STOPS[status]
    house.workflow(step)
    code = house.cook().code
    is_mirrored = house.checkpoint_file.read_bytes() == mirror_of(house).read_bytes()
    assert (expected, status, True) == (code, house.status, is_mirrored)


KNOWN = (("status", "demo"), ("status",), ("checkpoints", "list"), ("checkpoints", "show", "demo"))
NEEDS_FOLDER = (
    ("resume",),
    ("resume", "demo"),
    ("resume-job", "demo"),
    ("logs", "demo"),
    ("events", "ls"),
    ("events", "ls", "--job-id", "demo"),
    ("events", "verify"),
    ("dlq", "list", "demo"),
    ("explain", "demo", "one"),
    ("replay", "demo"),
    ("diff", "demo", "demo"),
    ("fork", "demo", "--at", "v1"),
    ("approve", "demo", "one"),
    ("stop", "demo"),
)


def test_a_run_of_which_only_the_mirror_is_left_is_known_to_every_command(house: House) -> None:
    """Those that show it do, those that need its folder say that it is gone, and all of them how to go on."""
    house.workflow({"shell": house.traced("one"), "id": "one"}, {"shell": house.traced("two", "[ -e ready ]")})
    house.cook()
    run_id = house.run_id
    shutil.rmtree(house.state)
    way = f"prodigy resume {run_id} --from-checkpoint mirror"
    shown = {words: house.prodigy(*words) for words in KNOWN}
    refused = {words: house.prodigy(*words) for words in NEEDS_FOLDER}
    assert dict.fromkeys(KNOWN, (0, True)) == {words: (code, run_id in out) for words, (code, out, _) in shown.items()}
    assert way in shown[("status", "demo")].out
    assert dict.fromkeys(NEEDS_FOLDER, (6, True)) == {
        words: (code, way in err) for words, (code, _, err) in refused.items()
    }
    assert not house.state.exists()


def test_advice_has_the_trust_that_it_will_need(house: House) -> None:
    """Of a run that the global folder could not be told of."""
    house.workflow({"shell": "[ -e ready ]"})
    (house.path / "global").write_text("in the way")
    code, out, _ = house.cook()
    (command,) = [line.rpartition("prodigy ")[2] for line in out.splitlines() if "prodigy resume" in line]
    house.write("ready", "")
    assert (1, 0) == (code, house.prodigy(*command.split()).code), out


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


@pytest.mark.parametrize(
    "words",
    [
        ("events", "ls"),
        ("events", "ls", "--jsonl"),
        ("events", "search", "one"),
        ("events", "export"),
        ("events", "export", "--format", "csv"),
        ("events", "stats"),
        ("events", "follow"),
        ("explain", "demo", "one"),
        ("replay", "demo"),
    ],
)
def test_who_reads_a_log_that_lost_its_end_is_told_so(house: House, words: tuple[str, ...]) -> None:
    """On stderr, with what to type: as `events verify` says it; what is there is shown, as of the whole log."""
    house.workflow({"shell": "true", "id": "one"}, {"shell": "true", "id": "two"})
    assert house.cook().code == 0
    _, _, err = house.prodigy(*words)
    whole = house.log().read_bytes().splitlines(keepends=True)
    last = max(index for index, line in enumerate(whole[:-1], start=1) if b',"commit":true,' in line)
    house.log().write_bytes(b"".join(whole[:last]))
    refused = house.prodigy("events", "verify")
    shown = house.prodigy(*words)
    assert (err, refused.code, shown.code, bool(shown.out)) == ("", 7, 0, True)
    note, *ways = shown.err.splitlines()
    assert (note.startswith("note: "), "lost its end: a checkpoint has seen event" in note) == (True, True)
    assert (ways, f"resume {house.run_id} --from-checkpoint " in ways[0]) == (refused.err.splitlines()[1:], True)
