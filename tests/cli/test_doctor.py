"""`doctor`: what is not as the logs say, and what mends it. Each sickness is made by hand, found, mended and gone."""

import fcntl
import inspect
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from prodigy.cli.checks import claude, folders, processes, runs
from prodigy.cli.checks.finding import Examined, Finding
from prodigy.cli.checks.folders import file_system_in
from prodigy.cli.checks.table import CHECKS, examine
from prodigy.cli.commands import doctor
from prodigy.kernel import events as ev
from prodigy.store.lock import RunLock
from tests.cli.looks import begin, golden, looks, piped, private, settle, told
from tests.cli.made import House, changed

RUN = "story-000001"
LONG_AGO = 1_700_000_000


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    """A project in which the story has run, and nothing is wrong."""
    built = settle(tmp_path, monkeypatch)
    told(built)
    monkeypatch.setattr(doctor, "_version", lambda program: None)  # what this machine has is no part of the story
    return built


def found(house: House) -> list[tuple[str, str]]:
    """Return the kind of each finding and its remedy, paths from the house on."""
    return [(finding.check, finding.mend.replace(str(house.path) + "/", "")) for finding in examine(house.project)]


def mended(house: House) -> list[tuple[str, str]]:
    """Type every remedy that is a plain shell command, and return what is left."""
    for finding in examine(house.project):
        subprocess.run(finding.mend, shell=True, check=True, cwd=house.root, stdout=subprocess.DEVNULL)
    return found(house)


def killed(house: House, workflow_id: str = "killed-1") -> None:
    """Leave a run that was killed in its second step."""
    house.make(workflow_id, until=3)
    private(house)


def test_a_healthy_project_has_nothing_wrong(house: House) -> None:
    """Exit 0."""
    said = piped("doctor")
    assert (found(house), said.code, said.out.endswith("\nnothing is wrong\n")) == ([], 0, True)


def test_a_folder_in_which_nothing_was_cooked_has_nothing_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is nothing yet that could be."""
    built = settle(tmp_path, monkeypatch)
    assert (found(built), piped("doctor").code) == ([], 0)


def test_every_check_is_in_the_table_once() -> None:
    """One that is not there finds nothing."""
    written = [
        function
        for module in (claude, runs, processes, folders)
        for name, function in vars(module).items()
        if inspect.isfunction(function)
        and function.__module__ == module.__name__
        and not name.startswith("_")
        and list(inspect.get_annotations(function).values()) == [Examined, Iterator[Finding]]
    ]
    assert sorted(CHECKS, key=str) == sorted(written, key=str)


def test_it_looks_like_this(house: House, monkeypatch: pytest.MonkeyPatch, rewrites: bool) -> None:
    """What was found, and below it what to type."""
    killed(house)
    (house.root / ".prodigy" / "checkpoints").chmod(0o755)
    monkeypatch.setattr(doctor, "_facts", lambda project: FACTS)
    found = msgspec.json.encode(list(examine(house.project))).replace(str(house.path).encode(), b"/home/ann")
    monkeypatch.setattr(doctor, "examine", lambda project: msgspec.json.decode(found, type=list[Finding]))
    golden("doctor", looks(monkeypatch, "doctor"), rewrites=rewrites)


FACTS = doctor.Facts(
    project="/home/ann/project",
    home="/home/ann/global",
    runs=2,
    versions={"prodigy": "1.2.3", "python": "3.11.2", "git": "2.39.5", "claude": None},
)


def test_the_document_is_a_contract(house: House) -> None:
    """Its keys, and those of a finding."""
    killed(house)
    document = json.loads(piped("doctor", "--json").out)
    assert [list(document), list(document["versions"])] == [
        ["schema_version", "project", "home", "runs", "versions", "findings"],
        ["prodigy", "python", "git", "claude"],
    ]
    assert document["findings"] == [
        {
            "check": "owner",
            "severity": "wrong",
            "what": "killed-1 says running, and no process owns it: it was killed, or the machine stopped",
            "mend": "prodigy resume killed-1",
        }
    ]


# Runs --------------------------------------------------------------------------------------------------------


def test_a_run_without_an_owner_is_to_be_resumed(house: House) -> None:
    """Its log says running; exit 1."""
    killed(house)
    assert (found(house), piped("doctor").code) == ([("owner", "prodigy resume killed-1")], 1)


def test_a_live_run_is_left_alone(house: House) -> None:
    """Whatever it is just doing."""
    killed(house)
    house.project.checkpoint("killed-1").write_text("half of one")
    with RunLock.acquire(house.run("killed-1").lock):
        assert found(house) == []


@pytest.mark.parametrize("how", ["torn", "gone", "older", "of another run", "of another history"])
def test_a_checkpoint_that_is_not_the_logs_is_to_be_made_again(house: House, how: str) -> None:
    """Whatever is wrong with it."""
    path = house.project.checkpoint(RUN)
    text = path.read_text()
    match how:
        case "torn":
            path.write_text(text[:100])
        case "gone":
            path.unlink()
        case "older":
            house.make("older-1", checkpoint_at=6)
            private(house)
            path.unlink()
            path = house.project.checkpoint("older-1")
            assert path.exists()
        case "of another run":
            path.write_text(text.replace(RUN, "story-000009"))
        case _:
            changed(path, f'"chain":"{json.loads(text)["chain"]}"', '"chain":"0123456789abcdef"')
    run = path.stem
    assert ("checkpoint", f"prodigy checkpoints validate {run} --repair") in found(house)


def test_a_damaged_log_has_a_way_out(house: House) -> None:
    """Its mirror, else its checkpoint file, else a version before the damage, or at last its beginning."""
    changed(house.run(RUN).events(1), '"name":"greeting"', '"name":"greedily"')
    ways = [found(house)]
    house.mirror.checkpoint(RUN).unlink()
    ways.append(found(house))
    house.project.checkpoint(RUN).unlink()
    ways.append(found(house))
    assert [way for ((check, way),) in ways if check == "log"] == [
        f"prodigy resume {RUN} --from-checkpoint mirror",
        f"prodigy resume {RUN} --from-checkpoint .prodigy/checkpoints/{RUN}.json",
        f"prodigy resume {RUN} --force",
    ]


def test_a_run_whose_log_alone_is_gone_goes_on_from_a_copy(house: House) -> None:
    """Its folder is not to be removed."""
    house.run(RUN).events(1).unlink()
    assert found(house) == [("log", f"prodigy resume {RUN} --from-checkpoint mirror")]


def test_what_is_left_of_a_run_without_a_log_is_removed(house: House) -> None:
    """Its outputs belong to nothing."""
    (house.run("gone-1").path / "outputs").mkdir(mode=0o700, parents=True)
    house.run("gone-1").path.chmod(0o700)
    assert found(house) == [("leftover", "rm -r project/.prodigy/runs/gone-1")]
    assert mended(house) == []


def test_a_run_that_only_the_mirror_has_is_to_be_taken_from_it(house: House) -> None:
    """As after `git clean -fdx`."""
    house.run(RUN).path.rename(house.path / "elsewhere")
    assert found(house) == [("lost", f"prodigy resume {RUN} --from-checkpoint mirror")]


def test_what_a_lost_checkpoint_would_name_is_not_to_be_removed(house: House) -> None:
    """Where its mirror is lost too: the value is the plan, which the checkpoint that is made again names."""
    house.project.checkpoint(RUN).unlink()
    house.mirror.checkpoint(RUN).unlink()
    house.run(RUN).values.mkdir(mode=0o700, exist_ok=True)
    (house.run(RUN).values / ("0" * 64)).touch(mode=0o600)
    assert found(house) == [("checkpoint", f"prodigy checkpoints validate {RUN} --repair")]


def test_a_checkpoint_that_only_is_left_is_removed(house: House) -> None:
    """Nothing can go on from it."""
    house.run(RUN).path.rename(house.path / "elsewhere")
    house.mirror.checkpoint(RUN).unlink()
    assert found(house) == [("leftover", f"rm project/.prodigy/checkpoints/{RUN}.json")]


def test_a_cleaned_run_is_not_lost(house: House) -> None:
    """Even while its mirror is still there."""
    house.append(RUN, ev.RunCleaned(by="ann", size_bytes=1))
    house.project.checkpoint(RUN).unlink()
    assert found(house) == []


def test_a_cleaned_run_is_nothing_wrong(house: House) -> None:
    """All but its log was removed on purpose."""
    house.append(RUN, ev.RunCleaned(by="ann", size_bytes=1))
    house.project.checkpoint(RUN).unlink()
    house.mirror.checkpoint(RUN).unlink()
    for value in house.run(RUN).values.iterdir():
        value.unlink()
    assert found(house) == []


def test_a_run_of_another_machine_is_a_warning(house: House) -> None:
    """Which alone is nothing wrong."""
    start = ev.RunInterrupted()
    begin(house, "foreign-1", *_interrupted(), start)
    house.project.checkpoint("foreign-1").touch(mode=0o600)
    assert ("trust", "prodigy resume foreign-1 --trust") in found(house)
    severities = {finding.check: finding.severity for finding in examine(house.project)}
    assert severities == {"trust": "warning", "checkpoint": "wrong"}


def _interrupted() -> list[ev.Event]:
    from tests.kernel.story import begun
    from tests.simulation.plans import compiled, step

    return list(begun(compiled(step("a"))))


def test_a_warning_alone_exits_with_0(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a remote disk."""
    monkeypatch.setattr(folders, "file_system", lambda path: "nfs4")
    said = piped("doctor")
    assert (said.code, said.out.count("is on nfs4"), said.out.endswith("\nnothing is wrong\n")) == (0, 2, True)


def test_values_that_nothing_names_are_removed(house: House) -> None:
    """Those that a log or a checkpoint names stay."""
    values = house.run(RUN).values
    kept = set(os.listdir(values))
    (values / ("0" * 64)).touch(mode=0o600)
    (values / ("f" * 64)).touch(mode=0o600)
    expected = f"rm project/.prodigy/runs/{RUN}/values/{'0' * 64} project/.prodigy/runs/{RUN}/values/{'f' * 64}"
    assert found(house) == [("leftover", expected)]
    assert (mended(house), set(os.listdir(values))) == ([], kept)


def test_values_that_only_the_checkpoint_names_stay(house: House) -> None:
    """The plan, for one; where there is no mirror they have no other name."""
    assert house.run(RUN).values.exists()
    house.mirror.checkpoint(RUN).unlink()
    assert found(house) == []


# Processes ---------------------------------------------------------------------------------------------------


def test_a_process_that_a_dead_run_left_is_named_and_can_be_ended(house: House) -> None:
    """By its mark; those of a run with an owner are its owner's."""
    environment = {**os.environ, "PRODIGY_RUN_DIR": os.path.realpath(house.run(RUN).path)}
    with subprocess.Popen(
        [sys.executable, "-c", "print(flush=True); input()"],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with RunLock.acquire(house.run(RUN).lock):
            owned = found(house)
        left = found(house)
        process.terminate()
    assert (owned, left, found(house)) == ([], [("process", f"kill {process.pid}")], [])


# Folders -----------------------------------------------------------------------------------------------------


def test_open_modes_are_closed(house: House) -> None:
    """Of folders and files; what is made for people may be open."""
    (house.project.state / "config.yml").touch(mode=0o644)
    (house.project.state / "templates").mkdir(mode=0o755)
    (house.project.state / "templates" / "one").touch(mode=0o644)
    (house.project.state / "workflow.schema.json").touch(mode=0o644)
    house.run(RUN).events(1).chmod(0o640)
    assert found(house) == [("mode", "chmod -R go= project/.prodigy")]
    assert mended(house) == []


def test_the_mirror_is_looked_at_too(house: House) -> None:
    """It holds the same values."""
    house.mirror.checkpoint(RUN).chmod(0o604)
    assert found(house) == [("mode", "chmod -R go= global/state/project")]


@pytest.mark.parametrize("kind", ["link", "fifo"])
def test_a_link_is_shown_and_removed(house: House, kind: str) -> None:
    """Prodigy never makes one; where it leads to is not touched."""
    path = house.run(RUN).outputs / "a b"
    victim = house.path / "victim"
    victim.write_text("mine")
    path.symlink_to(victim) if kind == "link" else os.mkfifo(path)
    quoted = shlex.quote(f"{house.path}/project/.prodigy/runs/{RUN}/outputs/a b")
    assert [(f.check, f.mend) for f in examine(house.project)] == [("link", f"ls -l {quoted}; rm {quoted}")]
    assert (mended(house), victim.read_text()) == ([], "mine")


def test_a_link_in_the_place_of_a_run_is_shown_and_removed(house: House) -> None:
    """The other runs are looked at all the same."""
    killed(house)
    (house.project.runs / "link-1").symlink_to(house.run(RUN).path)
    path = "project/.prodigy/runs/link-1"
    assert found(house) == [("owner", "prodigy resume killed-1"), ("link", f"ls -l {path}; rm {path}")]


def test_a_project_that_is_a_link_is_said(house: House) -> None:
    """Nothing behind it is looked at."""
    house.project.state.rename(house.path / "elsewhere")
    house.project.state.symlink_to(house.path / "elsewhere")
    assert ("link", "ls -l project/.prodigy; rm project/.prodigy") in found(house)


def test_files_that_were_never_finished_are_removed(house: House) -> None:
    """Not one that somebody is just writing, who has it locked."""
    left, written = (house.project.checkpoints / f".{name}.json.0123456789abcdef.tmp" for name in ("left", "written"))
    for path in (left, written):
        path.touch(mode=0o600)
    with written.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        seen = found(house)
    assert seen == [("leftover", "rm project/.prodigy/checkpoints/.left.json.0123456789abcdef.tmp")]
    written.unlink()
    assert mended(house) == []


def test_a_global_folder_that_is_a_file_is_said(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing can be mirrored there."""
    path = house.path / "plain"
    path.touch()
    monkeypatch.setenv("PRODIGY_HOME", str(path / "global"))
    assert ("home", "rm plain") in found(house)


def test_a_global_folder_that_cannot_be_written_is_said(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what opens it again; who may write is asked of the system."""
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert found(house) == [("home", "chmod u+rwx global")]


MOUNTS = [
    "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw",
    "30 22 0:40 / /home rw,relatime - nfs4 server:/home rw",
    "31 30 0:41 / /home/ann/local\\040disk rw - ext4 /dev/sdb rw",
    "32 22 0:42 / /hom rw - tmpfs tmpfs rw",
    "nonsense",
]


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "ext4"),
        ("/var/x", "ext4"),
        ("/home", "nfs4"),
        ("/home/ann/project", "nfs4"),
        ("/home/ann/local disk/project", "ext4"),
        ("/homes", "ext4"),
    ],
)
def test_the_file_system_is_that_of_the_nearest_mount(path: str, kind: str) -> None:
    """Blanks in its name are written in octal."""
    assert file_system_in(MOUNTS, path) == kind


def test_nothing_is_changed_by_looking(house: House) -> None:
    """The disk is the same before and after, however sick it is."""
    killed(house)
    house.project.checkpoint(RUN).write_text("half of one")
    (house.run(RUN).outputs / "link").symlink_to("/nowhere")
    (house.run(RUN).values / ("0" * 64)).touch(mode=0o644)
    before = house.disk()
    assert [piped("doctor", *words).code for words in ((), ("--json",))] == [1, 1]
    assert house.disk() == before


def test_versions_are_asked_of_the_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is not there has none; of one that says nothing it is said where it is."""
    for name, script in {"git": "echo git version 2.39.5", "claude": "exit 3"}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    found = [doctor._version(name) for name in ("git", "claude", "nobody")]
    assert found == ["2.39.5", f"unknown, at {tmp_path}/claude", None]


ALLOWS = '{"permissions": {"allow": ["Bash(touch *)", "Edit"]}}'


@pytest.mark.parametrize("trusted", ["", "itself", "its repository", "what it is a worktree of"])
def test_settings_that_claude_code_ignores_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trusted: str
) -> None:
    """Where nobody has trusted the folder, nor its repository; the mend holds everywhere."""
    built = settle(tmp_path, monkeypatch)
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(tmp_path))
    (built.root / ".claude").mkdir()
    (built.root / ".claude" / "settings.json").write_text(ALLOWS)
    (built.root / ".git").unlink(missing_ok=True)
    if trusted == "its repository":
        (built.root.parent / ".git").mkdir()
    if trusted == "what it is a worktree of":
        (built.root / ".git").write_text(f"gitdir: {tmp_path}/main/.git/worktrees/w\n")
    folders = {
        "itself": built.root, "its repository": built.root.parent, "what it is a worktree of": tmp_path / "main",
    }  # fmt: skip
    projects = {str(folders[trusted]): {"hasTrustDialogAccepted": True}} if trusted else {}
    (tmp_path / ".claude.json").write_text(json.dumps({"projects": projects}))
    what = (
        "Claude Code ignores 2 entries of permissions.allow in .claude/settings.json: nobody has trusted "
        f"{built.root}, so in claude steps those tools are denied"
    )
    expected = [] if trusted else [("trust", "warning", what)]
    assert [(finding.check, finding.severity, finding.what) for finding in examine(built.project)] == expected
    assert piped("doctor").code == 0


@pytest.mark.parametrize(("version", "count"), [(None, 0), ("2.1.332", 0), ("2.0.1", 1), ("unknown, at /x", 0)])
def test_a_version_of_claude_code_that_was_not_tried_is_a_warning(version: str | None, count: int) -> None:
    """With how to get one that was."""
    said = doctor._untested(version)
    expected = Finding(
        check="version",
        severity="warning",
        what="Claude Code 2.0.1 was not tried with prodigy, which knows 2.1.330 to 2.1.332",
        mend="npm install -g @anthropic-ai/claude-code@2.1.332",
    )
    assert said == [expected] * count
