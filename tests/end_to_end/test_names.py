"""References and readers: what is no id reaches no path, and what only reads changes nothing."""

import json
import shutil
from collections.abc import Iterator

import pytest

from tests.end_to_end.house import House

STRANGE = {
    "unknown": ("nothing-here",),
    "a path": ("../../etc/passwd",),
    "absolute": ("/etc/passwd",),
    "dots": ("..",),
    "an escape": ("\x1b]0;title\x07",),
    "a newline": ("demo\nother",),
    "endless": ("x" * 5000,),
    "empty": ("",),
    "an option as a name": ("--", "--force"),
}
TAKING_A_REFERENCE = (
    ("resume", "--force"),
    ("cook", "--resume"),
    ("stop",),
    ("checkpoints", "show"),
    ("checkpoints", "list", "--workflow-id"),
    ("events", "ls", "--job-id"),
    ("events", "verify"),
)
READING = (
    "ps",
    "ps --json",
    "checkpoints list",
    "checkpoints list --json",
    "checkpoints show demo",
    "checkpoints show demo --json",
    "events ls",
    "events ls --jsonl --limit 3",
    "events verify",
)


@pytest.fixture(scope="module")
def crashed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A house whose only run was killed in flight, with half a record at the end of its log."""
    house = House(tmp_path_factory.mktemp("crashed"))
    house.workflow({"shell": "echo one"}, {"shell": house.gate("slow"), "id": "slow"})
    live = house.start("cook", "demo.yaml")
    house.reached("slow")
    live.kill()
    (house.folder / "slow.gate").unlink()
    count = house.log().read_bytes().count(b"\n")
    with house.log().open("ab") as log:
        log.write(b'{"seq":%d,"time":"' % (count + 1))
    yield house
    house.close()


@pytest.mark.parametrize("reference", STRANGE)
def test_what_is_no_run_is_refused_and_touches_nothing(crashed: House, reference: str) -> None:
    """Exit 6, one short message without a control character, and the disk is as it was."""
    before = crashed.snapshot()
    code, out, err = crashed.prodigy("resume", *STRANGE[reference])
    assert (6, "", before) == (code, out, crashed.snapshot())
    assert (True, False, False) == (len(err) < 600, "\x1b" in err, "Traceback" in err), err


@pytest.mark.parametrize("command", TAKING_A_REFERENCE, ids=" ".join)
def test_no_command_takes_a_path_for_a_run(crashed: House, command: tuple[str, ...]) -> None:
    """Exit 6 everywhere, and the disk is as it was."""
    before = crashed.snapshot()
    code, _, err = crashed.prodigy(*command, "../../../home/project")
    assert (6, True, before) == (code, "there is no run '../../../home/project'" in err, crashed.snapshot())


NAMES = ["Nightly build", "nightly/build", "夜間", "昼間", "a" * 300, "a" * 301, "it's $HOME", "v1.2", "-x", "é"]


def test_a_run_is_found_by_its_workflows_name_as_written(house: House) -> None:
    """Blanks, slashes, any script, any length: each name finds its own run, and no two fall together."""
    for number, name in enumerate(NAMES):
        house.write(f"{number}.yaml", json.dumps({"name": name, "commands": [{"shell": "true"}]}))
        assert house.cook(str(number)).code == 0
    found = {name: house.prodigy("status", "--json", "--", name) for name in NAMES}
    named = {name: json.loads(result.out)["name"] for name, result in found.items()}
    ids = {json.loads(result.out)["workflow_id"] for result in found.values()}
    assert (named, len(ids)) == ({name: name for name in NAMES}, len(NAMES))
    stems = {workflow_id.rpartition("-")[0] for workflow_id in ids}
    assert len(stems) == len(NAMES)


@pytest.mark.parametrize("command", TAKING_A_REFERENCE, ids=" ".join)
def test_every_command_takes_a_name_with_blanks(house: House, command: tuple[str, ...]) -> None:
    """None says that there is no such run."""
    house.write("demo.yaml", json.dumps({"name": "Nightly build: all", "commands": [{"shell": "true"}]}))
    house.cook()
    result = house.prodigy(*command, "Nightly build: all")
    assert ("Traceback" in result.err, "there is no run" in result.err) == (False, False)


def test_a_workflow_may_be_named_like_the_id_of_a_run(house: House) -> None:
    """The name as written comes first."""
    house.workflow({"shell": "true"})
    house.cook()
    first = house.run_id
    house.write("like.yaml", json.dumps({"name": first, "commands": [{"shell": "true"}]}))
    house.cook("like")
    assert json.loads(house.prodigy("status", first, "--json").out)["name"] == first


def test_an_unknown_option_is_a_matter_of_usage(crashed: House) -> None:
    """Exit 2, and the disk is as it was."""
    before = crashed.snapshot()
    assert (2, before) == (crashed.prodigy("resume", "--forced").code, crashed.snapshot())


def test_an_ambiguous_reference_names_its_candidates(house: House) -> None:
    """Exit 6, and nothing is run."""
    house.workflow({"shell": house.traced("one", "false")})
    house.cook()
    house.cook()
    names = sorted(path.name for path in (house.state / "runs").iterdir())
    code, _, err = house.prodigy("resume", "dem")
    assert (6, ["one", "one"], [True, True]) == (code, house.trace, [name in err for name in names])


@pytest.mark.parametrize("command", READING)
def test_reading_changes_nothing(crashed: House, command: str) -> None:
    """Not a byte, not a mode, not a time of change, even where a log's end is torn."""
    before = crashed.snapshot()
    assert (0, before) == (crashed.prodigy(*command.split()).code, crashed.snapshot())


def test_reading_makes_no_folder_where_there_is_no_project(house: House) -> None:
    """Asking in an empty folder leaves it empty."""
    before = house.snapshot()
    codes = [house.prodigy(*command.split()).code for command in ("checkpoints list", "ps", "events ls", "resume")]
    assert ([0, 0, 6, 6], before) == (codes, house.snapshot())


def test_a_cook_that_died_before_its_first_turn_left_no_run(house: House) -> None:
    """Its empty folder is neither listed as damaged nor what a bare resume means."""
    house.workflow({"shell": "false"})
    house.cook()
    (house.log()).write_bytes(b"")
    house.checkpoint_file.unlink()
    shutil.rmtree(house.run / "outputs")  # what has one had begun
    shutil.rmtree(house.path / "global")
    listed = json.loads(house.prodigy("checkpoints", "list", "--json").out)["checkpoints"]
    assert ([], 6) == (listed, house.prodigy("resume").code)


def test_a_workflow_whose_name_is_a_path_stays_inside(house: House) -> None:
    """What an id cannot hold becomes a dash."""
    house.write("demo.yaml", "name: ../../escape\ncommands: [{shell: 'true'}]\n")
    code = house.cook().code
    strays = [path for path in house.path.rglob("*escape*") if house.state not in path.parents]
    assert (0, [], True) == (code, [path for path in strays if "global" not in path.parts], "escape" in house.run_id)


@pytest.mark.parametrize(
    "bad", ["a: [", "commands: []", "commands: [{shell: 1, shell: 2}]", "\x00", "commands: [{shel: x}]"]
)
def test_an_invalid_workflow_leaves_nothing_behind(house: House, bad: str) -> None:
    """Exit 3, one message with the place, and no run."""
    house.write("demo.yaml", bad)
    before = house.snapshot()
    code, _, err = house.cook()
    assert (3, before, True) == (code, house.snapshot(), "demo.yaml" in err)
