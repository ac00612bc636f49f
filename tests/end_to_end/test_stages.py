"""Stages: the guide's example 4 as printed, interrupted where it hurts, and what a stage can be told."""

import json
import signal
from datetime import datetime, timedelta
from typing import Any

import pytest

from prodigy.store.log import START, Scan, frame
from tests.end_to_end.guide import SOURCES, install, prompts
from tests.end_to_end.house import Command, House, Live, eventually, lives

NPM = """#!/bin/sh
echo "$2" >> trace
[ "$2" != deploy:staging ] || [ -e ready ] || { : > staging.up; read _ < staging.gate; }
"""
PROMPTS = ["/run-integration-tests staging", "/verify-staging-metrics"]


def stages(house: House, *written: dict[str, Any], **more: Any) -> None:
    """Write `demo.yaml` with stages."""
    house.write("demo.yaml", json.dumps({"name": "demo", **more, "stages": written}, indent=1))


def stage(name: str, *commands: Command, **more: Any) -> dict[str, Any]:
    """Return a stage."""
    return {"name": name, "commands": commands, **more}


def stopped_in_staging(house: House, source: str, number: signal.Signals = signal.SIGINT) -> Live:
    """Cook example 4 and end it while it deploys to staging; whoever comes there later passes."""
    install(house, source, "staged-deployment")
    house.program("npm", NPM)
    house.gate("staging")
    live = house.start("cook", "staged-deployment.yaml")
    house.reached("staging")
    live.send(number)
    live.wait()
    house.write("ready", "")
    return live


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize("source", SOURCES)
def test_example_4_is_seen_in_staging_and_goes_on_there(house: House, source: str, number: signal.Signals) -> None:
    """As printed; the build is not repeated."""
    stopped_in_staging(house, source, number)
    listed = house.prodigy("checkpoints", "list", "--workflow-id", "staged-deployment")
    code, _, _ = house.prodigy("resume", "staged-deployment", "--yes")
    assert "Stage 2/3 - staging (in progress)" in listed.out
    assert (0, ["build", "test", "deploy:staging", "deploy:staging", "deploy:production"], PROMPTS) == (
        code,
        house.trace,
        prompts(house),
    )


@pytest.mark.parametrize("source", SOURCES)
def test_example_4_skips_to_production(house: House, source: str) -> None:
    """What was skipped, and by whom, is in the log; a kill after that changes nothing of it."""
    stopped_in_staging(house, source)
    paused = house.prodigy("resume", "staged-deployment", "--from-checkpoint", "production")
    code, _, _ = house.prodigy("resume", "staged-deployment", "--yes")
    assert (5, 0, ["build", "test", "deploy:staging", "deploy:production"]) == (paused.code, code, house.trace)
    (bypassed,) = house.events("node_bypassed", 2)
    assert ("staging", True) == (bypassed["at"], bypassed["by"] != "")
    (begun,) = house.events("generation_started", 2)
    assert "resume --from-checkpoint production" == begun["reason"]


def test_a_stage_is_tried_again_as_a_whole(house: House) -> None:
    """Its second step failed once, so its first runs twice."""
    again = {"attempts": 2, "initial_delay": 0.01}
    flaky = house.traced("two", "[ $(grep -c two trace) -ge 2 ]")
    stages(house, stage("both", {"shell": house.traced("one")}, {"shell": flaky}, retry=again))
    assert (0, ["one", "two", "one", "two"]) == (house.cook().code, house.trace)


def test_max_retries_replaces_the_count_of_a_stage(house: House) -> None:
    """With 0 the stage is not tried again."""
    again = {"attempts": 3, "initial_delay": 0.01}
    stages(house, stage("both", {"shell": house.traced("one", "false")}, retry=again))
    assert (1, ["one"]) == (house.prodigy("cook", "demo.yaml", "--max-retries", "0").code, house.trace)


def test_a_stage_that_takes_too_long_is_ended_and_handled(house: House) -> None:
    """Its process is gone before its handler begins, and the next stage runs."""
    slow = {"shell": house.traced("slow", "echo $$ >> pids; sleep 1000")}
    clean = house.traced("clean", "! kill -0 $(cat pids) 2>&-")
    stages(
        house,
        stage("first", slow, timeout=0.3, on_failure={"shell": clean}),
        stage("second", {"shell": house.traced("next")}),
    )
    code, _, err = house.cook()
    assert (0, ["slow", "clean", "next"], False) == (code, house.trace, lives(house.pids(1)[0]))
    assert "its time is over" in err


def test_a_stage_that_timed_out_has_all_its_time_again_when_resumed(house: House) -> None:
    """A resume that would fail at once would be of no use."""
    slow = {"shell": house.traced("slow", "[ -e ready ] || sleep 1000")}
    stages(house, stage("first", slow, timeout=0.7))
    code, out, _ = house.cook()
    assert (1, True) == (code, "first failed: timed out after 0.7 s" in out)
    house.write("ready", "")
    assert (0, ["slow", "slow"]) == (house.prodigy("resume").code, house.trace)


def test_a_stage_whose_time_is_over_when_it_was_killed_fails_at_once(house: House) -> None:
    """Nobody waits for the command that the dead process had in flight."""
    late = {"shell": house.traced("late", house.gate("late"))}
    stages(house, stage("first", {"shell": "sleep 0.3"}, late, timeout=0.6))
    live = house.start("cook", "demo.yaml")
    house.reached("late")
    live.kill()
    stages(house, stage("first", {"shell": "sleep 0.3"}, late, timeout=0.1))
    code, out, _ = house.prodigy("resume")
    assert (1, ["late"], True) == (code, house.trace, "timed out after 0.1 s" in out)


def test_a_stage_that_is_skipped_counts_with_all_its_steps(house: House) -> None:
    """Three steps have settled, two of them skipped."""
    stages(
        house,
        stage("never", {"shell": "false"}, {"shell": "false"}, when="false"),
        stage("ever", {"shell": house.traced("ever")}, when="true"),
    )
    code, out, _ = house.prodigy("cook", "demo.yaml", "--json")
    steps = {"total": 3, "settled": 3, "succeeded": 1, "handled": 0, "skipped": 2, "failed": 0}
    assert (0, steps, ["ever"]) == (code, json.loads(out)["steps"], house.trace)


def test_the_environment_of_a_stage_is_that_of_its_steps(house: House) -> None:
    """And of no other stage's."""
    say = {"shell": 'echo "${WHERE:-nowhere}" >> trace'}
    stages(house, stage("one", say, env={"WHERE": "one"}), stage("two", say))
    assert (0, ["one", "nowhere"]) == (house.cook().code, house.trace)


def test_a_failed_stage_goes_on_where_it_failed(house: House) -> None:
    """Its finished step stands."""
    mended = house.traced("two", "[ -e ready ]")
    stages(house, stage("both", {"shell": house.traced("one")}, {"shell": mended}))
    assert 1 == house.cook().code
    assert "Stage 1/1 - both (failed)" in house.prodigy("checkpoints", "list", "--workflow-id", "demo").out
    house.write("ready", "")
    assert (0, ["one", "two", "two"]) == (house.prodigy("resume").code, house.trace)


def test_a_day_between_two_processes_is_no_time_of_a_stage(house: House) -> None:
    """Also where the file was edited meanwhile."""
    step = {"shell": house.traced("slow", house.gate("slow"))}
    stages(house, stage("first", step, timeout=3))
    live = house.start("cook", "demo.yaml")
    house.reached("slow")
    live.send(signal.SIGINT)
    live.wait()
    _age(house, days=1)
    stages(house, stage("first", step, {"shell": house.traced("more")}, timeout=3))
    again = house.start("resume")
    eventually(lambda: again.process.poll() is not None or (house.folder / "slow.up").exists(), "the step or the end")
    house.open("slow")
    assert (0, ["slow", "slow", "more"]) == (again.wait().code, house.trace)


def _age(house: House, *, days: int) -> None:
    """Make the run older, as its log tells: every record is framed anew with an earlier time."""
    position, data = START, b""
    for _, lines in Scan([house.log().read_bytes()]).turns():
        turn = []
        for line in lines:
            record = json.loads(line)
            time = datetime.fromisoformat(record["time"]) - timedelta(days=days)
            body = line[line.index(b'",', line.index(b'"time":')) + 2 : line.rindex(b',"chain":"')]
            body = body.removesuffix(b',"commit":true')
            turn.append((time.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), b"{" + body + b"}"))
        framed, position = frame(position, turn)
        data += framed
    house.log().write_bytes(data)
    house.checkpoint_file.unlink()
