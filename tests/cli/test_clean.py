"""`checkpoints clean`: what goes, what stays, who is asked, and what is never touched."""

import io
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from prodigy.cli.commands import checkpoints_clean
from prodigy.cli.commands.resume import resume
from prodigy.cli.output import display
from prodigy.cli.program import program
from prodigy.cli.projects import command_in
from prodigy.cli.rescue import hint_of
from prodigy.errors import DamagedState, RunNotFound
from prodigy.runtime import clock
from prodigy.store.lock import RunLock
from tests.cli.made import PROGRAM, STAGED, Ending, House, at, said
from tests.cli.whole import everywhere

LARGE = "x" * 20_000
SIZE = re.compile(r"[0-9]+(?:\.[0-9])? (?:kB|bytes)")


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """A project with a completed run, one that was killed and one that failed; nobody can be asked."""
    built = House(tmp_path)
    monkeypatch.setenv("PRODIGY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", f"{PROGRAM.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr("sys.argv", [str(PROGRAM)])
    everywhere(monkeypatch, display, "has_terminal", lambda: False)
    monkeypatch.chdir(built.root)
    built.make("done-aaaaaa", ends=lambda spawn: Ending(output=LARGE))
    built.make("killed-bbbbbb", STAGED, until=10)
    built.make("failed-cccccc", ends=lambda spawn: Ending(1))
    yield built


def left(house: House) -> list[str]:
    """Return the runs that `checkpoints list` still knows, by name."""
    out = house.checkpoints("list").out
    return sorted(line.split()[0] for line in out.splitlines()[1:])


def kept_of(house: House, workflow_id: str) -> list[str]:
    """Return the names in a run's folder."""
    folder = house.run(workflow_id).path
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def sizeless(text: str) -> str:
    """Return a text without its sizes, which change with every field that a checkpoint gains."""
    return SIZE.sub("SIZE", text)


def asked(monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    """Put somebody at the terminal who answers so."""
    everywhere(monkeypatch, display, "has_terminal", lambda: True)
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))


# What goes ------------------------------------------------------------------------------------------------


def test_all_means_what_is_over(house: House) -> None:
    """A failed run, and one that was killed, can still be resumed: they stay."""
    before = house.disk()
    cleaned = house.checkpoints("clean", "--all", "--force")
    assert (cleaned.code, left(house)) == (0, ["failed-cccccc", "killed-bbbbbb"])
    gone = [name for name in before if name not in house.disk()]
    assert all("done-aaaaaa" in name or "state/project/values/" in name for name in gone)


def test_what_is_freed_is_said(house: House) -> None:
    """For each run and for all."""
    assert sizeless(house.checkpoints("clean", "--all", "--force").out) == (
        "cleaned  done-aaaaaa  SIZE\n"
        "cleaned  values in the mirror that no other run needs  SIZE\n"
        "freed SIZE of 1 run; what happened stays in the log, until --purge\n"
    )


def test_what_is_shown_is_what_is_freed(house: House) -> None:
    """For the run, and with what the mirror held for it alone."""
    shown = house.checkpoints("clean", "--all", "--dry-run").out
    freed = house.checkpoints("clean", "--all", "--force").out
    assert SIZE.findall(shown) == SIZE.findall(freed)


def test_only_the_log_of_a_cleaned_run_is_left(house: House) -> None:
    """Checkpoint, mirror, values and outputs are gone, and the log says so at its end."""
    house.checkpoints("clean", "--workflow-id", "done-aaaaaa", "--force")
    copies = house.project.checkpoint("done-aaaaaa"), house.mirror.checkpoint("done-aaaaaa")
    assert (kept_of(house, "done-aaaaaa"), [path.exists() for path in copies]) == (
        ["events-1.jsonl", "lock"],
        [False, False],
    )
    last = house.run("done-aaaaaa").events(1).read_text().splitlines()[-1]
    assert '"type":"run_cleaned"' in last


def test_its_events_can_still_be_listed(house: House) -> None:
    """As they were logged, though the values that they name are gone."""
    house.checkpoints("clean", "--workflow-id", "done-aaaaaa", "--force")
    for reference in ("done-aaaaaa", "done"):
        listed = said("events", "ls", "--job-id", reference, "--jsonl")
        assert (listed.code, '"stored":{"' in listed.out, listed.out.count('"type":"run_cleaned"')) == (0, True, 1)


def test_the_log_of_a_cleaned_run_can_be_verified(house: House) -> None:
    """Its lines are all there; that the values which they name are gone is said, and no damage."""
    house.checkpoints("clean", "--workflow-id", "done-aaaaaa", "--force")
    verified = said("events", "verify", "done-aaaaaa")
    assert verified.code == 0
    assert verified.out.endswith("every one as it was written; its stored values were cleaned\n")


def test_it_cannot_be_resumed(house: House) -> None:
    """And says why, and what can be done instead."""
    house.checkpoints("clean", "--workflow-id", "done-aaaaaa", "--force")
    for reference in ("done-aaaaaa", "done-a"):
        with pytest.raises(RunNotFound) as refused:
            resume(reference)
        assert "done-aaaaaa was cleaned at " in refused.value.message
        assert "prodigy events ls --job-id done-aaaaaa" in str(refused.value.hint)


def test_what_was_cleaned_is_named_where_nothing_else_is_found(house: House) -> None:
    """By the workflow's name nothing is found any more, so the way to the log is said."""
    house.make("done-dddddd")
    for workflow_id in ("done-aaaaaa", "done-dddddd"):
        house.checkpoints("clean", "--workflow-id", workflow_id, "--force")
    with pytest.raises(
        RunNotFound, match="no run done; cleaned, with only the log left: done-aaaaaa, done-d"
    ) as refused:
        resume("done")
    assert "prodigy events ls --job-id" in str(refused.value.hint)


@pytest.mark.parametrize("command", [("show", "--"), ("validate", "--"), ("list", "--workflow-id")])
def test_it_is_found_no_more(command: tuple[str, ...], house: House) -> None:
    """By no command that looks at checkpoints."""
    house.checkpoints("clean", "--workflow-id", "done-aaaaaa", "--force")
    found = house.checkpoints(*command, "done-aaaaaa")
    assert (found.code, "done-aaaaaa was cleaned at " in found.err) == (6, True)


def test_a_run_that_is_named_is_cleaned_whatever_its_status(house: House) -> None:
    """By any reference that means it."""
    cleaned = house.checkpoints("clean", "--workflow-id", "killed", "--force")
    assert (cleaned.code, left(house)) == (0, ["done-aaaaaa", "failed-cccccc"])


def test_a_purge_leaves_nothing(house: House) -> None:
    """Neither here nor in the global folder, of runs that were cleaned before either."""
    house.checkpoints("clean", "--workflow-id", "killed-bbbbbb", "--force")
    house.checkpoints("clean", "--all", "--purge", "--force")
    assert (
        sorted({part for name in house.disk() for part in Path(name).parts if part.endswith(("aaaaaa", "bbbbbb"))})
        == []
    )
    assert left(house) == ["failed-cccccc"]


def test_a_run_without_its_folder_is_cleaned_from_the_mirror(house: House) -> None:
    """Where it is all that is left."""
    os.rename(house.project.state, house.path / "gone")
    house.checkpoints("clean", "--all", "--force")
    assert left(house) == ["failed-cccccc", "killed-bbbbbb"]


# What stays -----------------------------------------------------------------------------------------------


def test_a_dry_run_shows_and_changes_nothing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """What would go, and how much that is."""
    everywhere(monkeypatch, clock, "now", lambda: at(3 * 3600))
    before = house.disk()
    shown = house.checkpoints("clean", "--all", "--dry-run")
    assert sizeless(shown.out) == (
        "RUN          STATUS     UPDATED      FREES\n"
        "done-aaaaaa  completed  2 hours ago  SIZE\n"
        "(mirror)     values                  SIZE\n"
        "would free SIZE of 1 run; nothing was removed\n"
    )
    assert (shown.code, house.disk() == before) == (0, True)


def test_a_live_run_is_refused(house: House) -> None:
    """By name, exit 6; among all it is passed over."""
    with RunLock.acquire(house.run("done-aaaaaa").lock, command="resume"):
        before = house.disk()
        named = house.checkpoints("clean", "--workflow-id", "done-aaaaaa", "--force")
        everything = house.checkpoints("clean", "--all", "--force")
        assert (named.code, everything.code, house.disk() == before) == (6, 0, True)
    assert "prodigy stop done-aaaaaa" in named.err
    assert everything.out == "nothing to clean: no run here is completed or cancelled\n"


def test_what_is_younger_stays(house: House) -> None:
    """Ten years are enough for nobody, a second for all."""
    young = house.checkpoints("clean", "--all", "--older-than", "520w", "--force")
    assert young.out == "nothing to clean: no run here is completed or cancelled and older than 520w\n"
    house.checkpoints("clean", "--all", "--older-than", "1s", "--force")
    assert left(house) == ["failed-cccccc", "killed-bbbbbb"]


def test_what_people_wrote_stays(house: House) -> None:
    """The schema that `init` left, and the configuration."""
    for name in ("workflow.schema.json", "config.yml"):
        (house.project.state / name).write_text("{}")
    house.checkpoints("clean", "--all", "--purge", "--force")
    assert [(house.project.state / name).read_text() for name in ("workflow.schema.json", "config.yml")] == ["{}"] * 2


def test_nothing_to_clean(house: House) -> None:
    """It is said, and no failure."""
    house.checkpoints("clean", "--all", "--force")
    again = house.checkpoints("clean", "--all", "--force")
    named = house.checkpoints("clean", "--workflow-id", "done-aaaaaa", "--force")
    assert (again.code, again.out) == (0, "nothing to clean: no run here is completed or cancelled\n")
    assert (named.code, named.out) == (0, "nothing to clean: done-aaaaaa is cleaned already\n")


# Who is asked ---------------------------------------------------------------------------------------------


def test_where_nobody_can_be_asked_it_is_refused(house: House) -> None:
    """The command that would do it is printed, with all that was asked for."""
    before = house.disk()
    refused = house.checkpoints("clean", "--all", "--older-than", "1s", "--purge")
    assert (refused.code, refused.out, house.disk() == before) == (2, "", True)
    assert "`prodigy checkpoints clean --all --older-than 1s --purge --force`" in refused.err


@pytest.mark.parametrize(("answer", "code", "count"), [("y\n", 0, 2), ("n\n", 1, 3), ("\n", 1, 3), ("", 1, 3)])
def test_on_a_terminal_it_asks(
    answer: str, code: int, count: int, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Default no; what it is about to remove is shown first."""
    asked(monkeypatch, answer)
    cleaned = house.checkpoints("clean", "--all")
    assert (cleaned.code, len(left(house)), "done-aaaaaa  completed" in cleaned.out) == (code, count, True)
    assert sizeless(cleaned.err) == "Remove SIZE of 1 run (the log stays)? [y/N] "


def test_what_the_question_sums_stands_in_the_table(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Values in the mirror, which are of no run alone, too; and that is what was freed in the end."""
    monkeypatch.setattr(checkpoints_clean, "in_bytes", lambda size: f"{size} bytes")
    asked(monkeypatch, "y\n")
    cleaned = house.checkpoints("clean", "--all")
    table, said = cleaned.out.split("\ncleaned", 1)
    rows = [int(size.split()[0]) for size in SIZE.findall(table)]
    (question,), freed = SIZE.findall(cleaned.err), SIZE.findall(said)[-1]
    assert (len(rows), f"{sum(rows)} bytes", freed) == (2, question, question)


def test_the_question_says_what_would_be_lost(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that could still be resumed."""
    asked(monkeypatch, "n\n")
    cleaned = house.checkpoints("clean", "--workflow-id", "killed-bbbbbb", "--purge")
    assert "killed-bbbbbb is interrupted and cannot be resumed then" in cleaned.err
    assert cleaned.out.splitlines()[-1] == "nothing was removed"


@pytest.mark.parametrize("words", [(), ("--force",)])
def test_it_has_to_be_told_what(words: tuple[str, ...], house: House) -> None:
    """Both ways are shown."""
    refused = house.checkpoints("clean", *words)
    shown = [f"`prodigy checkpoints clean {way}`" in refused.err for way in ("--all", "--workflow-id REF")]
    assert (refused.code, shown, len(left(house))) == (2, [True, True], 3)


@pytest.mark.parametrize("age", ["7", "d", "-1d", "7 d", "99999d", "∞", "1y"])
def test_an_age_that_is_none(age: str, house: House) -> None:
    """Examples are shown."""
    refused = house.checkpoints("clean", "--all", "--older-than", age, "--force")
    assert (refused.code, "12h, 7d, 2w" in refused.err, len(left(house))) == (2, True, 3)


@pytest.mark.parametrize("reference", ["nobody", "..", "../..", "\x1b[2J", "", "a" * 200])
def test_a_reference_that_means_no_run(reference: str, house: House) -> None:
    """Exit 6, echoed escaped, and nothing changed."""
    before = house.disk()
    refused = house.checkpoints("clean", "--workflow-id", reference, "--purge", "--force")
    assert (refused.code, refused.out, "\x1b" in refused.err, house.disk() == before) == (6, "", False, True)
    assert refused.err.count("error: ") == 1


# From a crontab -------------------------------------------------------------------------------------------


def test_outside_any_project_it_is_every_project(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the guide's crontab line does from the home folder: they are listed, and cleaned."""
    other = House(house.path, "other")
    other.make("done-dddddd")
    monkeypatch.chdir(house.path)
    cleaned = house.checkpoints("clean", "--all", "--force")
    assert [(line.split()[0], line.split()[-1]) for line in cleaned.out.splitlines()[1:3]] == [
        ("done-dddddd", str(other.root)),
        ("done-aaaaaa", str(house.root)),
    ]
    assert (cleaned.code, kept_of(other, "done-dddddd"), kept_of(house, "done-aaaaaa")) == (
        0,
        ["events-1.jsonl", "lock"],
        ["events-1.jsonl", "lock"],
    )


def test_outside_any_project_the_ways_out_of_a_damaged_run_lead_into_its_own(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not into the one here, where there is no such run."""
    log = house.run("done-aaaaaa").events(1)
    log.write_bytes(log.read_bytes().replace(b"done-aaaaaa", b"done-aaaaab", 1))
    monkeypatch.chdir(house.path)
    refused = house.checkpoints("clean", "--all", "--force")
    there = f"cd {house.root} && prodigy"
    assert (refused.code, refused.err.splitlines()[1:]) == (
        7,
        [
            "  Nothing was removed. To remove the run with its log: "
            f"`{there} checkpoints clean --workflow-id done-aaaaaa --purge`.",
        ],
    )
    assert hint_of(DamagedState("", workflow_id="done-aaaaaa"), house.project) == (
        f"Go on from the mirror, which has seen event 9: `{there} resume done-aaaaaa --from-checkpoint mirror`\n"
        f"  or start it over: `{there} resume done-aaaaaa --force`\n"
        f"  or give it up and remove it: `{there} checkpoints clean --workflow-id done-aaaaaa --purge`"
    )


def test_outside_any_project_a_command_that_is_advised_leads_into_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By whole paths: in the root folder a relative one looks like one of another place."""
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.chdir("/")
    assert (command_in(house.project, "dlq list done-aaaaaa"), program()) == (
        f"cd {house.root} && {PROGRAM} dlq list done-aaaaaa",
        str(PROGRAM),
    )


def test_outside_any_project_nothing_to_clean_names_them(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a mail from cron says what was looked at; a project that is gone is none."""
    other = House(house.path, "other")
    other.make("failed-dddddd", ends=lambda spawn: Ending(1))
    os.rename(house.root, house.path / "elsewhere")
    monkeypatch.chdir(house.path)
    cleaned = house.checkpoints("clean", "--all", "--force")
    assert (cleaned.code, cleaned.out) == (0, f"nothing to clean: no run is completed or cancelled in {other.root}\n")


def test_in_a_repository_it_is_that_repository(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """One in which nothing was run yet has nothing to clean; other projects are not its business."""
    (house.path / "repository" / ".git").mkdir(parents=True)
    monkeypatch.chdir(house.path / "repository")
    cleaned = house.checkpoints("clean", "--all", "--force")
    assert (cleaned.code, "done-aaaaaa" in cleaned.out, kept_of(house, "done-aaaaaa").count("outputs")) == (0, False, 1)


def test_one_project_that_cannot_be_read_does_not_stop_the_others(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is named, and decides the exit code."""
    other = House(house.path, "other")
    other.make("done-dddddd")
    os.rename(other.project.state, house.path / "state")
    other.project.state.symlink_to(house.path / "state")
    monkeypatch.chdir(house.path)
    cleaned = house.checkpoints("clean", "--all", "--force")
    assert (cleaned.code, str(other.project.state) in cleaned.err) == (7, True)
    assert kept_of(house, "done-aaaaaa") == ["events-1.jsonl", "lock"]


def test_what_became_of_all_is_one_document(house: House) -> None:
    """On stdout; what people read goes to stderr. Sizes are bytes."""
    before = json.loads(house.checkpoints("clean", "--all", "--dry-run", "--json").out)
    said = house.checkpoints("clean", "--all", "--force", "--json")
    document = json.loads(said.out)
    assert [(run["workflow_id"], run["result"]) for run in before["runs"]] == [("done-aaaaaa", "would_go")]
    assert [(run["workflow_id"], run["result"]) for run in document["runs"]] == [("done-aaaaaa", "cleaned")]
    assert document["freed_bytes"] >= document["runs"][0]["size_bytes"] > len(LARGE)
    assert before["freed_bytes"] == 0
    assert document["exit_code"] == 0
    assert "cleaned  done-aaaaaa" in said.err


def test_one_run_that_there_is_not_is_an_error_as_everywhere(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """One document, and one message for people."""
    words = ["checkpoints", "clean", "--workflow-id", "nobody", "--force", "--json"]
    monkeypatch.setattr("sys.argv", ["prodigy", *words])
    refused = said(*words)
    document = json.loads(refused.out)
    assert (refused.code, sorted(document), document["exit_code"]) == (
        6,
        ["error", "exit_code", "hint", "schema_version"],
        6,
    )
    assert refused.err.count("there is no run nobody") == 1
