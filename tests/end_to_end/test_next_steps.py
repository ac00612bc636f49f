"""The commands that are advised do what they say: each is typed as it stands."""

import json
import shlex

import pytest

from tests.end_to_end.house import House
from tests.end_to_end.mapped import mapreduce
from tests.end_to_end.test_stages import stage, stages

GOOD = {"id": "work", "shell": "[ -e mended ] || [ ${item} = ok ] || { echo no ${item} >&2; exit 3; }"}


def advised(house: House) -> list[tuple[str, str]]:
    """Return (why, command) of what `status` advises about the last run; the other commands say the same."""
    steps = [(step["why"], step["command"]) for step in json.loads(house.prodigy("status", "--json").out)["next"]]
    listed = json.loads(house.prodigy("checkpoints", "list", "--json").out)["checkpoints"][0]["next"]
    shown = house.prodigy("checkpoints", "show", house.run_id).out.splitlines()
    assert steps == [(step["why"], step["command"]) for step in listed]
    assert [f"{why}:  {command}" for why, command in steps] == shown[len(shown) - len(steps) :]
    return steps


def typed(house: House, command: str) -> tuple[int, str]:
    """Type a command that was advised; return its exit code and how the run stands then."""
    program, *words = shlex.split(command)
    assert program == "prodigy"
    return house.prodigy(*words).code, house.status


def reducing(house: House) -> None:
    """Write a map of which one item is bad, with a reduce that is bad too until all is mended."""
    reduce = [{"id": "sum", "shell": "[ -e mended ] || { echo no sum >&2; exit 1; }"}]
    mapreduce(house, GOOD, items=["ok", "bad"], reduce=reduce)


def test_a_failed_step_is_looked_at_and_mended(house: House) -> None:
    """`logs` has what it said, and resume goes on."""
    house.workflow({"id": "work", "shell": "[ -e mended ] || { echo no >&2; exit 3; }"})
    house.cook()
    (_, look), (_, on) = advised(house)
    assert (f"prodigy logs {house.run_id} work", "no\n") == (look, house.prodigy(*look.split()[1:]).err)
    house.write("mended", "")
    assert (0, "completed") == typed(house, on)


def test_when_reduce_failed_resume_goes_on_with_it(house: House) -> None:
    """The dead letters wait: they did not fail the run. Afterwards they are what is left to do."""
    reducing(house)
    house.cook()
    look, on = (command for _, command in advised(house))
    assert (f"prodigy logs {house.run_id} reduce.sum", f"prodigy resume {house.run_id}") == (look, on)
    house.write("mended", "")
    assert (4, "completed") == typed(house, on)
    see, retry = (command for _, command in advised(house))
    assert (0, "completed") == typed(house, see)
    assert (0, "completed") == typed(house, retry)
    assert [] == advised(house)


def test_a_map_with_nothing_left_but_dead_letters_is_put_back(house: House) -> None:
    """Resume would find nothing to do."""
    mapreduce(house, GOOD, items=["bad", "worse"])
    house.cook()
    look, retry = (command for _, command in advised(house))
    assert (f"prodigy logs {house.run_id} --failed", f"prodigy dlq retry {house.run_id}") == (look, retry)
    assert (0, "failed") == typed(house, look)
    house.write("mended", "")
    assert (0, "completed") == typed(house, retry)


@pytest.mark.parametrize(("place", "code"), [(1, 0), (2, 4)], ids=["put back", "left"])
def test_a_map_that_gave_up_has_two_ways_on(house: House, place: int, code: int) -> None:
    """With its dead letters, or without them."""
    mapreduce(house, GOOD, items=["bad", "ok"], error_policy={"max_failures": 1}, max_parallel=1)
    house.cook()
    steps = advised(house)
    house.write("mended", "")
    assert (3, (code, "completed")) == (len(steps), typed(house, steps[place][1]))


def test_an_item_that_stops_the_map_is_gone_on_with(house: House) -> None:
    """By resume, for it is no dead letter."""
    mapreduce(house, GOOD, items=["bad", "ok"], error_policy={"on_item_failure": "stop"}, max_parallel=1)
    house.cook()
    look, on = (command for _, command in advised(house))
    assert f"prodigy logs {house.run_id} --failed" == look
    house.write("mended", "")
    assert (0, "completed") == typed(house, on)


@pytest.mark.parametrize("place", [0, 1], ids=["resume", "approve"])
def test_a_question_is_answered_by_either_command(house: House, place: int) -> None:
    """As they are advised."""
    stages(house, stage("build", {"shell": "true"}), stage("ship", {"shell": "true"}, requires_confirmation=True))
    house.cook()
    assert (0, "completed") == typed(house, advised(house)[place][1])


def test_the_only_thing_that_waits_is_approved_without_its_name(house: House) -> None:
    """There is nothing else that could be meant."""
    stages(house, stage("ship", {"shell": "true"}, requires_confirmation=True))
    house.cook()
    assert (0, "completed") == typed(house, "prodigy approve demo")


def test_where_nothing_waits_there_is_nothing_to_approve(house: House) -> None:
    """A sentence, exit 2."""
    house.workflow({"shell": "true"})
    house.cook()
    code, out, err = house.prodigy("approve", "demo")
    assert (2, "", f"error: nothing waits for confirmation in {house.run_id}\n") == (code, out, err)


def test_nothing_to_put_back_is_no_error(house: House) -> None:
    """One sentence, and what goes on with the run where it is not completed."""
    house.workflow({"id": "work", "shell": "[ -e mended ]"})
    house.cook()
    code, out, _ = house.prodigy("dlq", "retry", "demo")
    assert (0, f"{house.run_id} has no dead letters: nothing to retry") == (code, out.splitlines()[0])
    house.write("mended", "")
    assert (0, "completed") == typed(house, out.splitlines()[-1].partition(":  ")[2])
    assert (0, f"{house.run_id} has no dead letters: nothing to retry\n") == house.prodigy("dlq", "retry", "demo")[:2]


def test_a_live_run_says_how_to_watch_and_to_stop_it(house: House) -> None:
    """In `ps` and in `status`."""
    house.workflow({"id": "work", "shell": house.gate("work")})
    live = house.start("cook", "demo.yaml")
    house.arrived("work")
    watch, stop = f"watch it:  prodigy status {house.run_id} --watch", f"stop it:  prodigy stop {house.run_id}"
    assert [watch, stop] == house.prodigy("ps").out.splitlines()[-2:]
    assert [f"  {watch}", f"  {stop}"] == house.prodigy("status", "demo").out.splitlines()[-2:]
    assert (0, "interrupted") == typed(house, stop.partition(":  ")[2])
    assert 130 == live.wait().code
