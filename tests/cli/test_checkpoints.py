"""`checkpoints list`, `show` and `validate`: what they print, what they find wrong, what they mend."""

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.core import TyperGroup

from prodigy.cli.framework import Context
from prodigy.kernel import effects as fx
from prodigy.kernel import events as ev
from prodigy.store.lock import RunLock
from tests.cli.made import PROGRAM, STAGED, Ending, House, at, changed, said
from tests.cli.whole import whole

GOLDEN = Path(__file__).parent / "golden"
STANDING = "staged-deployment-k3x9f2"
LARGE = "x" * 20_000


def hardly(spawn: fx.Spawn) -> Ending:
    """The probe of the staging stage fails at first."""
    fails = spawn.at == "staging[1]" and spawn.attempt == 1
    return Ending(1, "no answer\n") if fails else Ending(0, f"{spawn.at} is done\n")


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """A project without runs, in which commands are typed as `prodigy`."""
    built = House(tmp_path)
    monkeypatch.setenv("PRODIGY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", f"{PROGRAM.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr("sys.argv", [str(PROGRAM)])
    monkeypatch.chdir(built.root)
    yield built


@pytest.fixture
def several(house: House) -> House:
    """A completed run, one that was killed while its second stage waited, a failed one, and one that is damaged."""
    house.make("short-aaaaaa")
    house.make(STANDING, STAGED, ends=hardly, until=22)
    house.make("short-bbbbbb", ends=lambda spawn: Ending(3, "no such file\n"))
    house.make("damaged-cccccc", STAGED)
    changed(house.run("damaged-cccccc").events(1), '"version":1', '"version":9')
    house.project.checkpoint("damaged-cccccc").unlink()
    return house


def golden(name: str, printed: str, rewrites: bool) -> None:
    """Compare what was printed with what a person has read and approved."""
    path = GOLDEN / f"{name}.txt"
    if rewrites:
        path.write_text(printed)
    assert printed == path.read_text()


def wrong(house: House, thing: str, *, run: str = STANDING) -> str:
    """Return what `validate` says is wrong with `thing`, which is all that is wrong."""
    said = house.checkpoints("validate", run, "--json")
    found = [finding for finding in json.loads(said.out)["findings"] if not finding["ok"]]
    assert (said.code, [finding["thing"] for finding in found]) == (7, [thing])
    return str(found[0]["says"]).replace(str(house.root), "PROJECT").replace(str(house.mirror.path), "MIRROR")


# What they print ------------------------------------------------------------------------------------------


SHOWN = {
    "list": ("list",),
    "list-verbose": ("list", "--verbose"),
    "list-versions": ("list", "--workflow-id", "staged-deployment"),
    "list-versions-verbose": ("list", "--workflow-id", "staged-deployment", "--verbose"),
    "show": ("show", "staged-deployment"),
    "show-version": ("show", "staged-deployment", "--version", "2"),
    "show-verbose": ("show", "staged-deployment", "--verbose"),
    "show-failed": ("show", "short-bbbbbb"),
    "show-completed": ("show", "short-aaaaaa"),
    "validate": ("validate", "staged-deployment"),
}


@pytest.mark.parametrize("name", SHOWN)
def test_it_is_printed_so_in_a_pipe(name: str, several: House, rewrites: bool) -> None:
    """Nothing is cut, and every command that is named can be typed."""
    said = several.checkpoints(*SHOWN[name])
    assert said.code == 0
    golden(name, (said.out + said.err).replace(str(several.root), "PROJECT"), rewrites)


@pytest.mark.parametrize("columns", [80, 140])
@pytest.mark.parametrize("name", ["list", "list-versions", "show"])
def test_it_fits_a_terminal(name: str, columns: int, several: House, rewrites: bool) -> None:
    """What does not fit beside goes below, or is cut with an ellipsis."""
    printed = several.on_terminal("checkpoints", *SHOWN[name], columns=columns)
    golden(f"{name}-{columns}", printed.replace(str(several.root), "PROJECT"), rewrites)


def test_no_run_at_all(house: House) -> None:
    """It says how to begin."""
    assert house.checkpoints("list").out == "no checkpoints here; begin with: prodigy cook FILE\n"


def test_a_staged_run_stands_in_a_stage(several: House) -> None:
    """As the guide prints it."""
    out = several.checkpoints("list", "--workflow-id", "staged-deployment").out
    assert "Stage 2/3 - staging (in progress)" in out


def test_the_newest_run_is_listed_first(house: House) -> None:
    """As the project counts them, whatever their names are."""
    for name in ("b-000001", "a-000001", "c-000001"):
        house.make(name)
    listed = json.loads(house.checkpoints("list", "--json").out)["checkpoints"]
    assert [run["workflow_id"] for run in listed] == ["c-000001", "a-000001", "b-000001"]


def test_a_checkpoint_that_the_log_has_left_behind_is_not_believed(house: House) -> None:
    """The run has come further than its checkpoint says."""
    house.make(STANDING, STAGED, checkpoint_at=9)
    listed = json.loads(house.checkpoints("list", "--json").out)["checkpoints"]
    assert [(run["status"], run["version"]) for run in listed] == [("completed", 7)]


def test_a_run_without_its_folder_is_known_by_its_mirror(house: House) -> None:
    """It is listed, shown, and the command that goes on from the mirror is printed."""
    house.make(STANDING, STAGED, until=22)
    os.rename(house.project.state, house.path / "gone")
    listed = json.loads(house.checkpoints("list", "--json").out)["checkpoints"]
    told = [(run["status"], run["mirror_only"], run["mirror"], run["resume"]) for run in listed]
    resume = f"prodigy resume {STANDING} --from-checkpoint mirror"
    assert told == [("interrupted", True, "all that is left", resume)]
    assert house.checkpoints("show", STANDING).out.endswith(f"go on with:  {resume}\n")


def test_versions_of_all_generations_are_listed(house: House) -> None:
    """What going back left behind can be gone back to as well."""
    house.make(STANDING, STAGED, ends=hardly, until=22)
    log = house.run(STANDING).events(1).read_text().splitlines()
    first = next(json.loads(line) for line in log if '"version":1' in line)
    house.append(
        STANDING,
        ev.GenerationStarted(
            generation=2, parent=1, from_seq=first["seq"], from_chain=first["chain"], version=4, reason="test"
        ),
        generation=2,
    )
    versions = json.loads(house.checkpoints("list", "--workflow-id", STANDING, "--json").out)["versions"]
    assert [(made["version"], made["generation"], made["is_left"]) for made in versions] == [
        (4, 1, True),
        (3, 1, True),
        (2, 1, True),
        (1, 1, False),
    ]


# JSON -----------------------------------------------------------------------------------------------------


RUN_KEYS = [
    "workflow_id",
    "workflow_path",
    "name",
    "status",
    "step",
    "version",
    "generation",
    "started",
    "updated",
    "variables",
    "cost_usd",
    "attempts_of_unknown_cost",
    "failure",
    "mirror",
    "mirror_only",
    "pid",
    "problem",
    "resume",
    "next",
]


def test_the_shape_of_the_list(several: House) -> None:
    """A damaged run has every key too."""
    document = json.loads(several.checkpoints("list", "--json").out)
    assert list(document) == ["schema_version", "checkpoints"]
    assert [list(run) for run in document["checkpoints"]] == [RUN_KEYS] * 4


def test_the_shape_of_the_list_of_versions(several: House) -> None:
    """The run, and its versions, newest first."""
    document = json.loads(several.checkpoints("list", "--workflow-id", STANDING, "--json").out)
    assert list(document) == ["schema_version", "checkpoints", "versions"]
    assert list(document["checkpoints"][0]) == RUN_KEYS
    assert document["versions"][0] == {
        "version": 4,
        "generation": 1,
        "seq": 19,
        "time": at(16),
        "at": "staging[0]",
        "outcome": "succeeded",
        "command": "shell: npm run deploy:staging",
        "label": "",
        "is_left": False,
        "resume": f"prodigy resume {STANDING} --from-checkpoint v4",
    }


def test_the_shape_of_a_run(several: House) -> None:
    """The guide's keys first, and nothing that only resume needs."""
    guide = ["workflow_id", "workflow_path", "timestamp", "execution_state", "variables", "completed_steps"]
    document = json.loads(several.checkpoints("show", STANDING, "--json").out)
    hidden = {"snapshot", "chain", "plan_digest", "stored_captures", "stored_items", "stored_scoped"}
    assert (list(document)[:6], hidden & set(document)) == (guide, set())
    assert document["execution_state"] == {"status": "interrupted", "current_step_index": 3, "total_steps": 5}


def test_the_shape_of_what_verbose_adds(several: House) -> None:
    """Retries, handlers, places of outputs, and what happened since."""
    short = json.loads(several.checkpoints("show", STANDING, "--json").out)
    document = json.loads(several.checkpoints("show", STANDING, "--verbose", "--json").out)
    more = {key: value for key, value in document.items() if key not in short}
    place = f".prodigy/runs/{STANDING}/outputs"
    assert more == {
        "retries": [
            {
                "step": "staging[1]",
                "status": "waiting",
                "attempt": 1,
                "due": at(21),
                "last_error": "exit 1 · no answer",
            },
        ],
        "handlers": [],
        "outputs": [
            {"step": "build[0]", "file": f"{place}/4.out"},
            {"step": "build[1]", "file": f"{place}/9.out"},
            {"step": "staging[0]", "file": f"{place}/16.out"},
            {"step": "staging[1]", "file": f"{place}/20.out"},
        ],
        "since_version": 4,
        "events_since": [
            {"seq": 20, "type": "command_started", "at": "staging[1]"},
            {"seq": 21, "type": "command_finished", "at": "staging[1]"},
            {"seq": 22, "type": "retry_scheduled", "at": "staging[1]"},
        ],
        "checkpoint": {"ok": True, "says": "event 22, v4: what the log folds to"},
    }


@pytest.mark.parametrize(("content", "says"), [(None, "FILE is missing"), ("no JSON", "FILE is not a checkpoint of")])
def test_verbose_says_that_a_checkpoint_is_of_no_use(several: House, content: str | None, says: str) -> None:
    """All else is shown as the log has it; without `--verbose` the file is not looked at."""
    file = several.project.checkpoint(STANDING)
    sound, short = (several.checkpoints("show", STANDING, *more).out for more in (["--verbose"], []))
    file.unlink() if content is None else file.write_text(content)
    shown = several.checkpoints("show", STANDING, "--verbose").out.replace(str(file), "FILE").splitlines()
    place = next(place for place, line in enumerate(shown) if line.startswith("  validity"))
    assert shown[place].startswith(f"  validity   the checkpoint is of no use: {says}")
    assert shown[place + 1] == "             the log stands in for it, here and when resumed"
    kept = [line for line in sound.splitlines() if not line.startswith("  validity")]
    assert kept == [*shown[:place], *shown[place + 2 :]]
    assert short == several.checkpoints("show", STANDING).out


def test_the_shape_of_a_validation(several: House) -> None:
    """One finding for each thing, in this order."""
    document = json.loads(several.checkpoints("validate", STANDING, "--json").out)
    assert list(document) == ["schema_version", "workflow_id", "ok", "repaired", "findings"]
    assert [finding["thing"] for finding in document["findings"]] == ["log", "values", "checkpoint", "mirror"]
    assert [list(finding) for finding in document["findings"]] == [["thing", "ok", "says"]] * 4


# Versions -------------------------------------------------------------------------------------------------


def test_a_version_is_what_was_known_then(several: House) -> None:
    """A capture that came later is not in it."""
    several.make("long-000001", STAGED, ends=lambda spawn: Ending(output=f"{spawn.at}\n"))
    document = json.loads(several.checkpoints("show", "long-000001", "--version", "v1", "--json").out)
    steps = [step["address"] for step in document["completed_steps"]]
    assert (document["version"], steps, document["variables"]) == (
        1,
        ["build[0]"],
        {"region": "north", "built": "build[0]", "shell": {"output": "build[0]"}},
    )


@pytest.mark.parametrize(
    ("version", "code"), [("v9", 2), ("0", 2), ("999999999", 2), ("v", 2), ("-1", 2), ("", 2), ("9" * 30, 2), ("x", 2)]
)
def test_a_version_that_is_not_there(version: str, code: int, several: House) -> None:
    """A sentence, and the command that lists those that are."""
    said = several.checkpoints("show", STANDING, "--version", version)
    assert (said.code, said.out) == (code, "")
    assert f"prodigy checkpoints list --workflow-id {STANDING}" in said.err


def test_a_log_that_is_damaged_later_shows_its_versions(house: House) -> None:
    """And says that some may be missing."""
    house.make(STANDING, STAGED, until=22)
    changed(house.run(STANDING).events(1), '"at":"staging[0]","attempt":1', '"at":"staging[0]","attempt":7')
    said = house.checkpoints("list", "--workflow-id", STANDING)
    assert [line.split()[0] for line in said.out.splitlines() if line.startswith("v")] == ["v1"]
    assert "note: versions of generation 1 may be missing" in said.err


@pytest.mark.parametrize("more", [("--workflow-id", STANDING), ("--verbose",), ("--workflow-id", STANDING, "--json")])
def test_a_completed_run_with_a_damaged_log_is_called_damaged(more: tuple[str, ...], house: House) -> None:
    """Wherever the damage is: its newest line alone proves nothing."""
    house.make(STANDING, STAGED)
    changed(house.run(STANDING).events(1), '"at":"staging[0]","attempt":1', '"at":"staging[0]","attempt":7')
    out = house.checkpoints("list", *more).out
    assert re.findall(r"\b(completed|damaged|is not what was written)\b", out) == ["damaged", "is not what was written"]


def test_versions_that_cannot_be_read_are_not_to_come(house: House) -> None:
    """Those of a log that is gone, and those of a run that only its mirror knows."""
    house.make(STANDING, STAGED)
    house.run(STANDING).events(1).unlink()
    gone = house.checkpoints("list", "--workflow-id", STANDING).out.splitlines()
    shutil.rmtree(house.run(STANDING).path)
    mirrored = house.checkpoints("list", "--workflow-id", STANDING).out.splitlines()
    assert (gone[-1], mirrored[-1]) == ("no version can be read", "its versions went with its log")
    assert mirrored[0].startswith(f"{STANDING}  completed (mirror only)  ")


def test_a_version_behind_the_end_of_a_log_that_lost_it_is_lost(house: House) -> None:
    """That is damage, and the ways out of it are named."""
    house.make(STANDING, STAGED)
    log = house.run(STANDING).events(1)
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:4]))
    for words in (("checkpoints", "show", STANDING, "--version", "3"), ("resume", STANDING, "--from-checkpoint", "v3")):
        missed = said(*words)
        assert (missed.code, "lost its end" in missed.err) == (7, True)


def test_a_question_that_waits_is_no_failure(house: House) -> None:
    """In a list and in the run itself."""
    text = "name: short\ncommands: [{id: a, shell: 'true', requires_confirmation: true}]\n"
    house.make("short-000001", text)
    shown = [house.checkpoints(*words).out for words in (("list", "-v"), ("show", "short"))]
    assert [re.findall("(?m)^  (waits|failure) +(.*)", out) for out in shown] == [
        [("waits", "a waits for confirmation")]
    ] * 2


# References -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reference", ["nobody", "..", "../../etc", "\x1b[2J", "", "a" * 200, "-x", "short"])
@pytest.mark.parametrize("command", [("list", "--workflow-id"), ("show", "--"), ("validate", "--")])
def test_a_reference_that_means_no_run(command: tuple[str, ...], reference: str, several: House) -> None:
    """It is echoed escaped, exit 6; a beginning that means two runs is one of them."""
    if reference == "short":
        reference = "shor"
    said = several.checkpoints(*command, reference)
    assert (said.code, said.out, "\x1b" in said.err) == (6, "", False)


# Reading changes nothing ----------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [*SHOWN.values(), ("validate", "damaged-cccccc"), ("show", "damaged-cccccc")])
def test_reading_changes_nothing(words: tuple[str, ...], several: House) -> None:
    """Neither in the project nor in the global folder: no file, no mode, no time of change."""
    with several.run(STANDING).events(1).open("ab") as log:
        log.write(b'{"seq":23,')  # a torn tail, which only the owner cuts
    several.project.checkpoint("short-aaaaaa").unlink()
    before = several.disk()
    several.checkpoints(*words)
    assert several.disk() == before


# Validation -----------------------------------------------------------------------------------------------


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def torn(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:700])


def of_another_run(path: Path) -> None:
    document: dict[str, Any] = json.loads(path.read_text())
    path.write_text(json.dumps(document | {"workflow_id": "other-000001"}))


def newer(path: Path) -> None:
    changed(path, '"schema_version":1', '"schema_version":999')


def linked(path: Path) -> None:
    os.rename(path, path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def told_otherwise(path: Path) -> None:
    changed(path, '"variables":{"region":"north"', '"variables":{"region":"south"')


def of_another_history(path: Path) -> None:
    document: dict[str, Any] = json.loads(path.read_text())
    changed(path, document["chain"], "0123456789abcdef")


def from_the_future(path: Path) -> None:
    changed(path, '"last_seq":22', '"last_seq":23')


CHECKPOINT = f"PROJECT/.prodigy/checkpoints/{STANDING}.json"
MISHAPS: dict[str, tuple[Callable[[Path], None], str]] = {
    "missing": (Path.unlink, f"{CHECKPOINT} is missing"),
    "empty": (emptied, f"{CHECKPOINT} is not a checkpoint of this prodigy: Input data was truncated"),
    "torn": (torn, f"{CHECKPOINT} is not a checkpoint of this prodigy: Input data was truncated"),
    "foreign": (of_another_run, f"{CHECKPOINT} is of another run, 'other-000001'"),
    "newer": (newer, f"{CHECKPOINT} was written by a newer prodigy"),
    "a link": (linked, f"{CHECKPOINT} is not a plain file but a symlink"),
    "altered": (told_otherwise, f"{CHECKPOINT} is not what the log folds to: variables"),
    "another history": (of_another_history, f"{CHECKPOINT} is of another history than event 22 of the log"),
}


def test_a_checkpoint_that_has_seen_more_than_the_log_is_its_witness(several: House) -> None:
    """So it is the log that is wrong, as resume says too: nothing is rewritten from it."""
    path = several.project.checkpoint(STANDING)
    from_the_future(path)
    before = path.read_bytes()
    said = several.checkpoints("validate", STANDING, "--repair")
    assert (said.code, path.read_bytes()) == (7, before)
    assert "lost its end: a checkpoint has seen event 23 of it" in said.out


@pytest.mark.parametrize("mishap", MISHAPS)
def test_what_is_wrong_with_a_checkpoint_is_said(mishap: str, several: House) -> None:
    """And nothing else, exit 7."""
    do, says = MISHAPS[mishap]
    do(several.project.checkpoint(STANDING))
    assert wrong(several, "checkpoint") == says


@pytest.mark.parametrize("mishap", MISHAPS)
def test_a_repair_mends_a_checkpoint(mishap: str, several: House) -> None:
    """From the log, which stays as it is."""
    path = several.project.checkpoint(STANDING)
    right, log = json.loads(path.read_text()), several.run(STANDING).events(1).read_bytes()
    MISHAPS[mishap][0](path)
    assert several.checkpoints("validate", STANDING, "--repair").code == 0
    assert (json.loads(path.read_text()), several.run(STANDING).events(1).read_bytes()) == (right, log)


def test_a_repair_follows_no_link(several: House) -> None:
    """What it leads to stays as it is."""
    path, victim = several.project.checkpoint(STANDING), several.path / "victim"
    victim.write_text("mine")
    path.unlink()
    path.symlink_to(victim)
    several.checkpoints("validate", STANDING, "--repair")
    assert (victim.read_text(), path.is_symlink()) == ("mine", False)


def test_a_mirror_that_is_gone_is_wrong_and_mended(several: House) -> None:
    """With the values that it names."""
    copy, value = several.mirror.checkpoint(STANDING), next(several.mirror.values.iterdir())
    right = json.loads(copy.read_text())
    copy.unlink()
    assert wrong(several, "mirror") == f"MIRROR/checkpoints/{STANDING}.json is missing"
    value.unlink()
    assert several.checkpoints("validate", STANDING, "--repair").code == 0
    assert json.loads(copy.read_text()) == right


def test_a_value_that_the_mirror_names_is_missed(several: House) -> None:
    """It could not be resumed from."""
    digest = json.loads(several.mirror.checkpoint(STANDING).read_text())["plan_digest"]
    (several.mirror.values / digest).unlink()
    says = wrong(several, "mirror")
    assert f"the stored value MIRROR/values/{digest} cannot be read: No such file or directory" in says


def test_a_checkpoint_that_is_behind_is_not_wrong(house: House) -> None:
    """Resume reads the rest from the log."""
    house.make(STANDING, STAGED, checkpoint_at=9)
    said = house.checkpoints("validate", STANDING)
    assert (said.code, "event 9, v1: what the log folds to; the log has 24 more" in said.out) == (0, True)


def test_a_damaged_log_is_wrong_and_nothing_is_rebuilt_from_it(several: House) -> None:
    """Whatever is asked; the ways out are named."""
    changed(several.run(STANDING).events(1), '"version":3', '"version":8')
    several.project.checkpoint(STANDING).unlink()
    before = several.disk()
    said = several.checkpoints("validate", STANDING, "--repair")
    assert (said.code, several.disk() == before) == (7, True)
    assert f"prodigy resume {STANDING} --from-checkpoint mirror" in said.out


def test_a_stored_value_that_is_gone_is_wrong(house: House) -> None:
    """The log names it."""
    house.make("short-000001", ends=lambda spawn: Ending(output=LARGE))
    values = house.run("short-000001").values
    named = {path.name for path in values.iterdir() if path.read_bytes().strip(b'"') == LARGE.encode()}
    for name in named:
        (values / name).unlink()
    document = json.loads(house.checkpoints("validate", "short-000001", "--json").out)
    (found,) = (finding for finding in document["findings"] if finding["thing"] == "values")
    assert (document["ok"], found["ok"], all(name in found["says"] for name in named)) == (False, False, True)


def test_a_live_run_is_not_repaired(several: House) -> None:
    """Its owner writes the checkpoint; where nothing is wrong nothing is refused."""
    several.project.checkpoint(STANDING).write_text("{}")
    with RunLock.acquire(several.run(STANDING).lock, command="cook"):
        refused = several.checkpoints("validate", STANDING, "--repair")
    assert (refused.code, several.project.checkpoint(STANDING).read_text()) == (6, "{}")
    with RunLock.acquire(several.run("short-aaaaaa").lock, command="cook"):
        assert several.checkpoints("validate", "short-aaaaaa", "--repair").code == 0


def test_a_live_run_may_have_no_checkpoint_yet(several: House) -> None:
    """It was only just begun."""
    several.project.checkpoint(STANDING).unlink()
    with RunLock.acquire(several.run(STANDING).lock, command="cook"):
        assert several.checkpoints("validate", STANDING).code == 0


def test_the_run_is_gone_and_only_mirrored(house: House) -> None:
    """There is nothing to compare."""
    house.make(STANDING, STAGED, until=22)
    os.rename(house.project.state, house.path / "gone")
    said = house.checkpoints("validate", STANDING)
    assert (said.code, f"prodigy resume {STANDING} --from-checkpoint mirror" in said.err) == (7, True)


def test_all_that_there_is_has_a_command() -> None:
    """The four commands of the guide and of the issue."""
    below = whole().commands["checkpoints"]
    assert isinstance(below, TyperGroup)
    assert below.list_commands(Context(below)) == ["list", "show", "validate", "clean"]
