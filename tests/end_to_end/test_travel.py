"""Travel: from a version, a step, a stage, the mirror; forks; and what becomes of the history that was left."""

import json
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.house import House
from tests.end_to_end.test_confirmation import At, terminal
from tests.end_to_end.test_stages import stage, stages

__all__ = ["terminal"]


def three(house: House, last: str = ":") -> None:
    """Write a workflow that captures a count, traces it and does `last`; `count` is one more each time."""
    count = "echo x >> counted; wc -l < counted | tr -d ' '"
    house.workflow(
        {"shell": count, "id": "count", "capture": "n"},
        {"shell": "echo two-${n} >> trace", "id": "two"},
        {"shell": f"echo three-${{n}} >> trace; {last}", "id": "three"},
    )


def types(house: House, generation: int) -> list[str]:
    """Return the types of a generation's events."""
    return [json.loads(line)["type"] for line in house.log(generation).read_text().splitlines()]


def versions(house: House) -> list[int]:
    """Return the versions of all generations, in the order they were made."""
    generations = range(1, len(list(house.run.glob("events-*.jsonl"))) + 1)
    return [event["version"] for number in generations for event in house.events("checkpoint_marked", number)]


# Going back -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["v1", "1", "two"])
def test_back_to_the_middle_with_the_variables_of_then(house: House, where: str) -> None:
    """What came after it runs again, what came before stands; the old log stays as it was."""
    three(house)
    house.cook()
    before = house.log().read_bytes()
    code = house.prodigy("resume", house.run_id, "--from-checkpoint", where).code
    assert (0, ["two-1", "three-1", "two-1", "three-1"], before) == (code, house.trace, house.log().read_bytes())
    assert [1, 2, 3, 4, 5] == versions(house)


def test_back_to_the_last_version_of_a_completed_run(house: House) -> None:
    """Nothing is left to run."""
    three(house)
    house.cook()
    code = house.prodigy("resume", house.run_id, "--from-checkpoint", "v3").code
    assert (0, ["two-1", "three-1"], "completed") == (code, house.trace, house.status)


def test_back_to_a_version_of_an_older_generation(house: House) -> None:
    """After starting over and going back, its values are those of its own generation."""
    three(house)
    house.cook()
    house.prodigy("resume", house.run_id, "--force")
    house.prodigy("resume", house.run_id, "--from-checkpoint", "v5")
    code = house.prodigy("resume", house.run_id, "--from-checkpoint", "v2").code
    assert (0, ["two-1", "three-1", "two-2", "three-2", "three-2", "three-1"]) == (code, house.trace)
    assert list(range(1, 9)) == versions(house)


def test_back_to_the_version_of_a_failure_tries_it_again(house: House) -> None:
    """What failed is never passed over."""
    three(house, "[ -e ready ]")
    house.cook()
    house.write("ready", "")
    code = house.prodigy("resume", "--from-checkpoint", "v3").code
    assert (0, ["two-1", "three-1", "three-1"]) == (code, house.trace)


def test_back_to_a_step_of_a_retried_stage_begins_in_its_last_attempt(house: House) -> None:
    """The stage's second attempt stands up to that step."""
    flaky = {"shell": house.traced("two", "[ $(grep -c two trace) -ge 2 ]"), "id": "two"}
    again = {"attempts": 2, "initial_delay": 0.01}
    stages(house, stage("both", {"shell": house.traced("one")}, flaky, {"shell": house.traced("three")}, retry=again))
    house.cook()
    code = house.prodigy("resume", house.run_id, "--from-checkpoint", "two").code
    assert (0, ["one", "two", "one", "two", "three", "two", "three"]) == (code, house.trace)


def test_older_generations_stay_readable(house: House) -> None:
    """`events ls --generation 1` lists what was left behind."""
    three(house)
    house.cook()
    before = house.prodigy("events", "ls", "--job-id", house.run_id, "--json").out
    house.prodigy("resume", house.run_id, "--from-checkpoint", "v1")
    after = house.prodigy("events", "ls", "--job-id", house.run_id, "--generation", "1", "--json").out
    assert json.loads(before)["events"] == json.loads(after)["events"]


def test_what_there_is_not_is_refused_with_what_there_is(house: House) -> None:
    """Exit 2 with the versions and steps that there are, and no log has changed."""
    three(house)
    house.cook()
    before = _logs(house.snapshot())
    steps, marks = "count, two, three", "v1 to v3"
    named = {"v99": marks, "0": marks, "9" * 21: marks, "v": steps, "tow": "two", "-1": marks, "../../etc/x": steps}
    found = {}
    for where, words in named.items():
        code, _, err = house.prodigy("resume", house.run_id, f"--from-checkpoint={where}")
        found[where] = (code, words in err, "Traceback" in err)
    assert dict.fromkeys(named, (2, True, False)) == found
    assert before == _logs(house.snapshot())


def test_a_handler_that_never_began_is_no_place_to_begin(house: House) -> None:
    """A sentence, no traceback."""
    house.workflow({"shell": "true", "on_failure": {"shell": "clean", "id": "clean"}}, {"shell": "false"})
    house.cook()
    code, _, err = house.prodigy("resume", "--from-checkpoint", "clean")
    assert (2, True) == (code, "handlers" in err)


@pytest.mark.parametrize("entered", [True, False])
def test_a_stage_that_the_edited_file_lacks_is_refused(house: House, entered: bool) -> None:
    """Nothing is bypassed for the sake of something that is gone."""
    first = stage("first", {"shell": house.traced("one", "" if entered else "false")})
    stages(house, first, stage("second", {"shell": house.traced("two", "false")}))
    house.cook()
    stages(house, first)
    trace = house.trace
    code, _, err = house.prodigy("resume", "--from-checkpoint", "second")
    assert (6, True, trace) == (code, "second is not in the edited" in err, house.trace)


def test_a_kill_right_after_going_back_is_resumed(house: House) -> None:
    """In the new generation; nothing of the old one is taken up."""
    three(house)
    house.cook()
    three(house, house.gate("three"))
    live = house.start("resume", house.run_id, "--from-checkpoint", "v2", "--accept-changes")
    house.reached("three")
    live.kill()
    again = house.start("resume")
    house.reached("three")
    house.open("three")
    assert (0, ["two-1", "three-1", "three-1", "three-1"]) == (again.wait().code, house.trace)


@pytest.mark.parametrize("order", [("--from-checkpoint", "v2"), ("--force",)], ids=["going back", "force"])
def test_a_generation_without_its_first_turn_was_never_begun(house: House, order: tuple[str, ...]) -> None:
    """Who is killed before it leaves the run as it was, and the order can be given again."""
    three(house, "[ -e ready ]")
    house.cook()
    house.write("ready", "")
    (house.run / ".events-2.jsonl.new").write_bytes(b'{"seq":1,"time":"2026')
    (house.run / ".events-2.jsonl.new").chmod(0o600)
    assert 0 == house.prodigy("resume", *order).code
    assert "generation_started" == types(house, 2)[0]
    assert [] == list(house.run.glob(".events*"))


def test_a_step_of_a_stage_that_was_skipped_is_begun_where_it_was_skipped(house: House) -> None:
    """Its stage is entered for it; what stands before it in there is bypassed, what comes after runs again."""
    never = stage("never", {"shell": house.traced("one")}, {"shell": house.traced("two"), "id": "two"}, when="false")
    stages(house, never, stage("after", {"shell": house.traced("three")}))
    house.cook()
    code = house.prodigy("resume", house.run_id, "--from-checkpoint", "two").code
    assert (0, ["three", "two", "three"]) == (code, house.trace)
    assert ["never[0]"] == [event["at"] for event in house.events("node_bypassed", 2)]


# Damage and loss ------------------------------------------------------------------------------------------


def test_a_damaged_log_is_used_up_to_a_version_before_the_damage(house: House) -> None:
    """A plain resume is refused; going back before the damage works, and so do a kill and a resume after that."""
    three(house)
    house.cook()
    lines = house.log().read_bytes().splitlines(keepends=True)
    at = next(i for i, line in enumerate(lines) if b'"version":2' in line)
    lines[at] = lines[at].replace(b"two", b"TWO")
    house.log().write_bytes(b"".join(lines))
    assert 7 == house.prodigy("resume", house.run_id).code
    assert 7 == house.prodigy("resume", house.run_id, "--from-checkpoint", "v3").code
    code = house.prodigy("resume", house.run_id, "--from-checkpoint", "v1").code
    assert (0, ["two-1", "three-1", "two-1", "three-1"]) == (code, house.trace)
    assert [4, 5] == [event["version"] for event in house.events("checkpoint_marked", 2)]
    assert 0 == house.prodigy("resume", house.run_id).code


def lost(house: House) -> str:
    """Interrupt a run in its last step and remove the whole `.prodigy`; returns the run's id."""
    three(house, house.gate("three"))
    live = house.start("cook", "demo.yaml")
    house.reached("three")
    live.send(signal.SIGINT)
    live.wait()
    run_id = house.run_id
    shutil.rmtree(house.state)
    return run_id


def test_a_run_whose_folder_is_gone_is_listed_and_refused(house: House) -> None:
    """With the command that goes on from the mirror."""
    run_id = lost(house)
    assert run_id in house.prodigy("checkpoints", "list").out
    code, _, err = house.prodigy("resume", run_id)
    assert (6, True) == (code, "--from-checkpoint mirror" in err)


@pytest.mark.parametrize(("keys", "code", "taken"), [("\n", 1, False), ("y\n", 0, True)], ids=["no", "yes"])
def test_on_a_terminal_the_mirror_is_taken_only_after_a_question(
    house: House, terminal: At, keys: str, code: int, taken: bool
) -> None:
    """It may repeat what came after it. Until the answer, and after a no, nothing is made."""
    run_id = lost(house)
    (house.folder / "three.gate").unlink()
    house.write("three.gate", "")
    person = terminal("resume", run_id, "--from-checkpoint", "mirror")
    person.shows("from its mirror? What came after it may run again. [y/N]")
    assert not house.state.exists()
    person.types(keys)
    trace = ["two-1", "three-1", *["three-1"] * taken]
    assert (code, trace, taken) == (person.wait(), house.trace, house.state.exists())


def test_the_mirror_goes_on_through_kills(house: House) -> None:
    """What may run again is said first; then the run is a run like any other, whose versions can be gone back to."""
    run_id = lost(house)
    live = house.start("resume", run_id, "--from-checkpoint", "mirror")
    house.reached("three")
    assert "may run again" in live.err
    live.kill()
    again = house.start("resume", "demo")
    house.reached("three")
    house.open("three")
    assert (0, ["two-1", "three-1", "three-1", "three-1"]) == (again.wait().code, house.trace)
    back = house.start("resume", run_id, "--from-checkpoint", "v2")
    house.reached("three")
    back.kill()
    last = house.start("resume", run_id)
    house.reached("three")
    house.open("three")
    assert (0, 5) == (last.wait().code, house.trace.count("three-1"))
    assert 0 == house.prodigy("resume", run_id).code


def test_what_the_mirror_lost_is_no_place_to_go_back_to(house: House) -> None:
    """Where a step began is gone with the log; a sentence says so."""
    run_id = lost(house)
    live = house.start("resume", run_id, "--from-checkpoint", "mirror")
    house.reached("three")
    house.open("three")
    live.wait()
    code, _, err = house.prodigy("resume", run_id, "--from-checkpoint", "two")
    assert (6, True) == (code, "it was lost" in err)


def test_the_mirror_of_a_completed_run_completes_it_again(house: House) -> None:
    """Nothing runs."""
    three(house)
    house.cook()
    run_id = house.run_id
    shutil.rmtree(house.state)
    code = house.prodigy("resume", run_id, "--from-checkpoint", "mirror").code
    assert (0, ["two-1", "three-1"], "completed") == (code, house.trace, house.status)


# Forks ----------------------------------------------------------------------------------------------------


def forked(house: House, *arguments: str) -> tuple[dict[str, Any], str]:
    """Fork the first run; returns the summary of the fork, and what stderr said."""
    first = min((house.state / "runs").iterdir(), key=lambda path: path.stat().st_mtime).name
    result = house.prodigy("fork", first, *arguments, "--json")
    document: dict[str, Any] = json.loads(result.out) if result.out else {"exit_code": result.code}
    return document, result.err


@pytest.mark.parametrize("where", ["v1", "two", "EVENT"])
def test_a_fork_shares_history_and_goes_on_with_changed_variables(house: House, where: str) -> None:
    """At a version, a step, or an event: the end of the first command, with what came of it."""
    three(house)
    house.cook()
    event = house.events("command_finished")[0]["seq"]
    summary, _ = forked(house, "--at", where.replace("EVENT", str(event)), "--set", "n=changed")
    assert ("completed", ["two-1", "three-1", "two-changed", "three-changed"]) == (summary["status"], house.trace)


def test_a_fork_leaves_the_original_untouched(house: House) -> None:
    """Byte for byte, with its times, through a resume, a kill and a restart of the fork."""
    three(house)
    house.cook()
    original = house.run
    before = _under(original)
    summary, _ = forked(house, "--at", "v2")
    house.prodigy("resume", summary["workflow_id"], "--from-checkpoint", "v1")
    house.prodigy("resume", summary["workflow_id"], "--force")
    assert before == _under(original)


def test_a_fork_is_killed_and_resumed_by_itself(house: House) -> None:
    """With its changed value."""
    three(house)
    house.cook()
    three(house, house.gate("three"))
    house.write("demo.yaml", (house.folder / "demo.yaml").read_text())
    original = house.run_id
    live = house.start("fork", original, "--at", "v1", "--set", "n=other")
    assert 0 == live.wait().code  # a fork goes on with the recorded workflow
    (fork,) = [path.name for path in (house.state / "runs").iterdir() if path.name != original]
    again = house.start("resume", fork, "--from-checkpoint", "two")
    house.reached("three")
    again.kill()
    last = house.start("resume", fork)
    house.reached("three")
    house.open("three")
    assert 0 == last.wait().code
    assert ["two-1", "three-1", "two-other", "three-other", "two-other", "three-other", "three-other"] == house.trace


def test_after_the_project_was_lost_its_name_means_the_new_run(house: House) -> None:
    """Numbers go on from the mirror: a run that only it knows is no later one."""
    three(house)
    house.cook()
    house.cook()
    shutil.rmtree(house.state)
    house.cook()
    resumed = house.prodigy("resume", "demo")
    assert (resumed.code, f"nothing to do: {house.run_id} is completed" in resumed.err) == (0, True)


def test_a_fork_that_goes_back_before_it_was_forked_stays_itself(house: House) -> None:
    """History from then names the run that it was; a kill and a resume later it is still the fork."""
    three(house)
    house.cook()
    summary, _ = forked(house, "--at", "v2")
    fork = summary["workflow_id"]
    back = house.prodigy("resume", fork, "--from-checkpoint", "v1", "--json")
    assert json.loads(back.out)["workflow_id"] == fork
    assert json.loads(house.prodigy("status", fork, "--json").out)["workflow_id"] == fork


def test_a_fork_of_a_fork(house: House) -> None:
    """Shares both histories."""
    three(house)
    house.cook()
    first, _ = forked(house, "--at", "v1", "--set", "n=a")
    code = house.prodigy("fork", first["workflow_id"], "--at", "v2", "--set", "n=b").code
    assert (0, ["two-1", "three-1", "two-a", "three-a", "three-b"]) == (code, house.trace)


def test_a_fork_at_the_very_end_is_completed(house: House) -> None:
    """Nothing runs in it."""
    three(house)
    house.cook()
    last = house.events("run_completed")[0]["seq"]
    summary, _ = forked(house, "--at", str(last))
    assert ("completed", ["two-1", "three-1"]) == (summary["status"], house.trace)


def test_a_live_run_can_be_forked(house: House) -> None:
    """It goes on as if nothing had happened."""
    three(house, "[ ${n} != 1 ] || { " + house.gate("three") + "; }")
    live = house.start("cook", "demo.yaml")
    house.reached("three")
    summary, _ = forked(house, "--at", "v1", "--set", "n=2")
    house.open("three")
    assert ("completed", 0) == (summary["status"], live.wait().code)
    assert ["two-1", "three-1", "two-2", "three-2"] == house.trace


def test_a_variable_that_the_run_does_not_have_is_refused(house: House) -> None:
    """Exit 2, with those that it has, and no run was made."""
    three(house)
    house.cook()
    summary, err = forked(house, "--at", "v1", "--set", "m=1")
    assert (2, True, 1) == (summary["exit_code"], "n" in err, len(list((house.state / "runs").iterdir())))


def test_a_fork_at_no_moment_is_refused(house: House) -> None:
    """Exit 2, and no run was made."""
    three(house)
    house.cook()
    codes = [forked(house, "--at", where)[0]["exit_code"] for where in ("v99", "999", "nothing")]
    assert ([2, 2, 2], 1) == (codes, len(list((house.state / "runs").iterdir())))


def test_a_run_of_somebody_else_is_not_forked(house: House) -> None:
    """Its log holds commands of whoever wrote it: fork needs `--trust` as resume does."""
    three(house)
    house.cook()
    shutil.rmtree(house.path / "global")
    summary, err = forked(house, "--at", "v1")
    assert (6, True, ["two-1", "three-1"]) == (summary["exit_code"], "--trust" in err, house.trace)
    summary, _ = forked(house, "--at", "v1", "--trust")
    assert "completed" == summary["status"]


def _logs(seen: dict[str, tuple[int, int, bytes]]) -> dict[str, bytes]:
    """Return the logs among what was seen."""
    return {path: content for path, (_, _, content) in seen.items() if "/events-" in path}


def _under(path: Path) -> dict[str, tuple[int, int, bytes]]:
    """Return mode, time of change and content of every file of a run."""
    return {
        str(found.relative_to(path)): (found.stat().st_mode, found.stat().st_mtime_ns, found.read_bytes())
        for found in sorted(path.rglob("*"))
        if found.is_file()
    }
