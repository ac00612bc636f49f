"""What resume does: retries, variables, edited and lost files, questions, starting over."""

import json
from datetime import datetime

from tests.end_to_end.house import House

THIRD_TIME = "[ $(grep -c flaky trace) -ge 3 ]"


def test_resume_after_a_kill_waits_only_the_rest_and_counts_on(house: House) -> None:
    """Killed while it waited for its second attempt, the step has its second attempt, at the time it was due."""
    house.workflow(
        {"shell": "echo 'a value'", "capture_output": "kept"},
        {
            "shell": house.traced("flaky", "[ ${kept} = 'a value' ] && " + THIRD_TIME),
            "id": "flaky",
            "retry": {"attempts": 3, "initial_delay": 1.5, "backoff": "fixed"},
        },
    )
    live = house.start("cook", "demo.yaml")
    live.says("attempt 2 in 1.5 s")
    live.kill()
    code, _, _ = house.prodigy("resume")
    first, rest, last = house.events("retry_scheduled")
    moved_s = (datetime.fromisoformat(rest["due"]) - datetime.fromisoformat(first["due"])).total_seconds()
    attempts = [event["attempt"] for event in house.events("command_started") if event["at"] == "flaky"]
    assert (0, [1, 2, 3], [2, 2, 3]) == (code, attempts, [event["attempt"] for event in (first, rest, last)])
    assert rest["delay_s"] < first["delay_s"] == 1.5
    assert abs(moved_s) < 0.01


def test_a_variable_survives_a_kill(house: House) -> None:
    """What an earlier step captured is there, byte for byte, after SIGKILL and resume."""
    value = 'it\'s "quoted"\n\t$(not run) ünï'
    house.write("value", value)
    house.workflow(
        {"shell": "cat value", "capture_output": "kept"},
        {"shell": house.gate("slow")},
        {"shell": "printf %s ${kept} > copy"},
    )
    live = house.start("cook", "demo.yaml")
    house.reached("slow")
    live.kill()
    again = house.start("resume")
    house.reached("slow")
    house.open("slow")
    assert (0, value) == (again.wait().code, (house.folder / "copy").read_text())


def test_a_large_variable_survives_a_kill(house: House) -> None:
    """What is too large for the log is kept as a file and given back whole."""
    house.workflow(
        {"shell": "head -c 3000000 /dev/zero | tr '\\0' v", "capture_output": "large"},
        {"shell": house.gate("slow")},
        {"shell": "printf %s ${large} | wc -c > size"},
    )
    live = house.start("cook", "demo.yaml")
    house.reached("slow")
    live.kill()
    again = house.start("resume")
    house.reached("slow")
    house.open("slow")
    assert (0, 3_000_000) == (again.wait().code, int((house.folder / "size").read_text()))


def test_who_mends_the_failed_step_and_resumes_simply_succeeds(house: House) -> None:
    """The edited file is followed from the step that failed; nothing needs to be accepted."""
    house.workflow({"shell": house.traced("one")}, {"shell": house.traced("broken", "false")})
    assert house.cook().code == 1
    house.workflow({"shell": house.traced("one")}, {"shell": house.traced("mended")}, {"shell": house.traced("more")})
    assert (0, ["one", "broken", "mended", "more"]) == (house.prodigy("resume").code, house.trace)


def test_a_failed_step_is_tried_again_by_resume(house: House) -> None:
    """What was mended outside the file needs no edit."""
    house.workflow({"shell": house.traced("one")}, {"shell": house.traced("two", "[ -e ready ]")})
    assert house.cook().code == 1
    house.write("ready", "")
    assert (0, ["one", "two", "two"]) == (house.prodigy("resume").code, house.trace)


def edited_after_a_failure(house: House) -> None:
    """Cook until the second step fails, then edit the first, which has finished."""
    house.workflow({"shell": house.traced("one")}, {"shell": house.traced("two", "[ -e ready ]"), "id": "two"})
    house.cook()
    house.write("ready", "")
    house.workflow({"shell": house.traced("other")}, {"shell": house.traced("two", "[ -e ready ]"), "id": "two"})


def test_an_edited_step_that_has_finished_stops_resume(house: House) -> None:
    """Exit 3; the message names the step and both ways on, and nothing ran."""
    edited_after_a_failure(house)
    before = house.log().read_bytes()
    code, _, err = house.prodigy("resume")
    assert (3, ["one", "two"], before) == (code, house.trace, house.log().read_bytes())
    named = [word in err for word in ("commands[0]", "--accept-changes", "--force")]
    assert named == [True] * 3, err


def test_accepted_changes_let_results_stand(house: House) -> None:
    """The edited step is not run again."""
    edited_after_a_failure(house)
    code, _, _ = house.prodigy("resume", "--accept-changes")
    assert (0, ["one", "two", "two"]) == (code, house.trace)


def test_force_starts_over_in_a_new_generation(house: House) -> None:
    """Today's file is run from its beginning under the same id; the old log stays as it was."""
    edited_after_a_failure(house)
    before = house.log().read_bytes()
    code, _, _ = house.prodigy("resume", house.run_id, "--force")
    assert (0, ["one", "two", "other", "two"]) == (code, house.trace)
    assert (before, 2, 2) == (
        house.log().read_bytes(),
        house.events("generation_started", 2)[0]["generation"],
        house.checkpoint["generation"],
    )


def test_force_runs_a_completed_workflow_again(house: House) -> None:
    """With the parameters it was cooked with."""
    house.workflow({"shell": "echo ${who} >> trace"}, variables={"who": "nobody"})
    house.prodigy("cook", "demo.yaml", "--param", "who=somebody")
    assert (0, ["somebody", "somebody"]) == (house.prodigy("resume", house.run_id, "--force").code, house.trace)


def test_a_completed_run_has_nothing_to_resume(house: House) -> None:
    """It says so, exits 0 and runs nothing."""
    house.workflow({"shell": house.traced("one")})
    house.cook()
    code, out, _ = house.prodigy("resume", house.run_id)
    assert (0, ["one"], True) == (code, house.trace, "completed" in out)


def test_a_workflow_file_that_is_gone_is_replaced_by_the_stored_text(house: House) -> None:
    """Resume says so and goes on."""
    house.workflow({"shell": house.traced("one")}, {"shell": house.traced("two", "[ -e ready ]")})
    house.cook()
    house.write("ready", "")
    (house.folder / "demo.yaml").unlink()
    code, _, err = house.prodigy("resume")
    assert (0, ["one", "two", "two"]) == (code, house.trace)
    assert "demo.yaml is gone" in err


def test_resume_works_from_another_folder_of_the_project(house: House) -> None:
    """Steps start where `cook` was called, wherever `resume` is called."""
    house.workflow({"shell": house.traced("one", "[ -e ready ]")})
    house.cook()
    house.write("ready", "")
    house.write("deep/below/file", "")
    house.folder /= "deep/below"
    code = house.prodigy("resume").code
    house.folder = house.folder.parents[1]
    assert (0, ["one", "one"]) == (code, house.trace)


def test_max_retries_of_resume_replaces_the_count(house: House) -> None:
    """Two attempts were not enough; resume with three retries has four more, and counts on."""
    house.workflow({"shell": "false", "id": "flaky", "retry": {"attempts": 2, "initial_delay": 0.01}})
    house.cook()
    code, _, _ = house.prodigy("resume", "--max-retries", "3")
    attempts = [event["attempt"] for event in house.events("command_started")]
    assert (1, [1, 2, 3, 4, 5, 6], 6) == (code, attempts, house.checkpoint["retry_state"]["max_attempts"])


def killed_in_flight(house: House, on_interrupt: str) -> None:
    """Kill a run in its only step."""
    house.workflow({"shell": house.traced("slow", house.gate("slow")), "id": "slow", "on_interrupt": on_interrupt})
    live = house.start("cook", "demo.yaml")
    house.reached("slow")
    live.kill()


def test_on_interrupt_ask_pauses_where_nobody_can_answer(house: House) -> None:
    """Exit 5, the step is named, and it has not run again."""
    killed_in_flight(house, "ask")
    code, out, _ = house.prodigy("resume")
    assert (5, ["slow"], True) == (code, house.trace, "slow was in flight" in out)


def test_on_interrupt_ask_goes_on_with_yes(house: House) -> None:
    """Also after it had paused."""
    killed_in_flight(house, "ask")
    house.prodigy("resume")
    again = house.start("resume", "--yes")
    house.reached("slow")
    house.open("slow")
    assert (0, ["slow", "slow"]) == (again.wait().code, house.trace)


def test_on_interrupt_fail_never_repeats_a_step_by_itself(house: House) -> None:
    """The step counts as failed, and the reason says why."""
    killed_in_flight(house, "fail")
    code, out, _ = house.prodigy("resume")
    assert (1, ["slow"], True) == (code, house.trace, "on_interrupt: fail" in out)


def test_a_bare_resume_takes_the_run_that_moved_last(house: House) -> None:
    """The older of two failed runs was resumed last, so it is the one."""
    for name in ("older", "newer"):
        house.workflow({"shell": house.traced(name, "false")}, name=name)
        house.cook(name)
    house.prodigy("resume", "older")
    house.prodigy("resume")
    assert house.trace == ["older", "newer", "older", "older"]


def test_a_resume_that_was_refused_leaves_the_run_as_it_was(house: House) -> None:
    """A file that is invalid now: exit 3 with its place, and after the mend the run goes on."""
    house.workflow({"shell": house.traced("one", "[ -e ready ]")})
    house.cook()
    good = (house.folder / "demo.yaml").read_text()
    house.write("demo.yaml", "name: demo\ncommands:\n  - shel: echo hello\n")
    refused = house.prodigy("resume")
    house.write("demo.yaml", good)
    house.write("ready", "")
    assert (3, True, 0) == (refused.code, "demo.yaml:3:5" in refused.err, house.prodigy("resume").code)


def test_the_summary_is_json_for_programs(house: House) -> None:
    """One document on stdout, with what to type next."""
    house.workflow({"shell": "false", "id": "broken"})
    code, out, _ = house.prodigy("cook", "demo.yaml", "--json")
    document = json.loads(out)
    chosen = {key: document[key] for key in ("status", "exit_code", "failed_at", "failure", "resume")}
    assert (1, chosen) == (
        code,
        {
            "status": "failed",
            "exit_code": 1,
            "failed_at": "broken",
            "failure": "exit code 1",
            "resume": f"prodigy resume {house.run_id}",
        },
    )
