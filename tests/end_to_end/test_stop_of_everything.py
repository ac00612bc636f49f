"""A stop that signals the commands as well as the coordinator: a shutdown, `systemctl stop`, a container's end."""

import os
import shlex
import signal

import pytest

from prodigy.store.inbox import send
from prodigy.store.orders import Stop
from tests.end_to_end.house import House, Live, eventually
from tests.end_to_end.mapped import mapreduce

EXIT_CODES = {signal.SIGTERM: 143, signal.SIGINT: 130, signal.SIGHUP: 129, signal.SIGQUIT: 131}
SAYS_SO = shlex.quote('{"type":"result","subtype":"error_during_execution","is_error":true}')
ORDERS = ["owner first", "commands first"]


def stop_everything(live: Live, pids: list[int], order: str, number: signal.Signals = signal.SIGTERM) -> None:
    """Send a signal to the coordinator and to these processes; where they are first, they are dead before it hears."""
    if order == "owner first":
        live.send(number)
    for pid in pids:
        os.kill(pid, number)
    if order == "commands first":
        eventually(lambda: not any(map(is_known, pids)), "the coordinator has collected them")
        live.send(number)


def is_known(pid: int) -> bool:
    """Whether there is such a process, dead or alive; quickly, for the stop has to come soon."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def ends_of(house: House) -> list[str]:
    """Return what became of commands, handlers, retries and items, in order."""
    kinds = ("command_finished", "command_interrupted", "handling_started", "retry_scheduled", "item_settled")
    found = [event for kind in kinds for event in house.events(kind)]
    return [event["type"] for event in sorted(found, key=lambda event: int(event["seq"]))]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("number", EXIT_CODES, ids=lambda number: number.name)
def test_a_step_that_dies_with_us_runs_again(house: House, number: signal.Signals, order: str) -> None:
    """It has not failed: no retry is spent, its handler never runs, and resume runs it as the same attempt."""
    script = f"echo $PRODIGY_ATTEMPT >> trace; echo $$ >> pids; {house.gate('slow')}"
    roll_back = {"shell": house.traced("rolled-back")}
    house.workflow({"shell": script, "retry": 1, "on_failure": roll_back}, {"shell": house.traced("after")})
    live = house.start("cook", "demo.yaml")
    house.reached("slow")
    stop_everything(live, house.pids(1), order, number)
    assert (EXIT_CODES[number], ["command_interrupted"]) == (live.wait().code, ends_of(house))
    again = house.start("resume")
    house.reached("slow")
    house.open("slow")
    assert (0, ["1", "1", "after"]) == (again.wait().code, house.trace)


def test_a_step_that_dies_long_before_any_stop_has_failed(house: House) -> None:
    """Somebody killed it and nobody stopped the run: that is judged after a moment."""
    house.workflow({"shell": "kill -TERM $$", "on_failure": {"shell": house.traced("rolled-back")}})
    assert (0, ["rolled-back"], ["command_finished", "handling_started", "command_finished"]) == (
        house.cook().code,
        house.trace,
        ends_of(house),
    )


def test_a_step_that_answers_the_same_stop_with_a_failure_was_interrupted(house: House) -> None:
    """As make does, and many a program: it hears the signal after us and exits with a code of its own."""
    script = f"trap 'exit 2' TERM; echo $$ >> pids; {house.gate('slow')}; while :; do sleep 0.05; done"
    house.workflow({"shell": script, "retry": 1, "on_failure": {"shell": house.traced("rolled-back")}})
    live = house.start("cook", "demo.yaml")
    house.reached("slow")
    house.open("slow")
    stop_everything(live, house.pids(1), "owner first")
    assert (143, ["command_interrupted"], []) == (live.wait().code, ends_of(house), house.trace)


def test_an_order_to_stop_that_comes_after_a_death_finds_it_interrupted(house: House) -> None:
    """`prodigy stop` is heard a moment later than a signal."""
    house.workflow({"shell": f"echo $$ >> pids; {house.gate('slow')}; exit 143", "retry": 1})
    live = house.start("cook", "demo.yaml")
    house.reached("slow")
    house.open("slow")
    send(house.run / "inbox", Stop(by="SIGINT"))
    assert (130, ["command_interrupted"]) == (live.wait().code, ends_of(house))


@pytest.mark.parametrize("order", ORDERS)
def test_a_handler_that_dies_with_us_is_gone_on_with(house: House, order: str) -> None:
    """And its owner is not run again."""
    clean = f"echo clean >> trace; echo $$ >> pids; {house.gate('clean')}"
    house.workflow({"shell": house.traced("a", "exit 1"), "on_failure": {"shell": clean}})
    live = house.start("cook", "demo.yaml")
    house.reached("clean")
    stop_everything(live, house.pids(1), order)
    assert 143 == live.wait().code
    again = house.start("resume")
    house.reached("clean")
    house.open("clean")
    assert (0, ["a", "clean", "clean"]) == (again.wait().code, house.trace)


@pytest.mark.parametrize("order", ORDERS)
def test_items_that_die_with_us_are_no_dead_letters(house: House, order: str) -> None:
    """All of them run again."""
    template = [{"shell": "echo ${item} >> trace; echo $$ >> pids; test -e go || sleep 1000"}]
    mapreduce(house, *template, input={"command": "seq 1 4"}, max_parallel=2)
    live = house.start("cook", "demo.yaml")
    stop_everything(live, house.pids(2), order)
    assert (143, ["command_interrupted"] * 2) == (live.wait().code, ends_of(house))
    house.write("go", "")
    assert 0 == house.prodigy("resume").code
    assert ["1", "1", "2", "2", "3", "4"] == sorted(house.trace)


@pytest.mark.parametrize("order", ORDERS)
def test_a_listing_that_dies_with_us_is_made_again(house: House, order: str) -> None:
    """The command of `map.input` has not failed either."""
    script = f"echo listing >> trace; echo $$ >> pids; {house.gate('list')}; seq 1 2"
    mapreduce(house, {"shell": "echo ${item} >> trace"}, input={"command": script}, max_parallel=1)
    live = house.start("cook", "demo.yaml")
    house.reached("list")
    stop_everything(live, house.pids(1), order)
    assert (143, "interrupted") == (live.wait().code, house.status)
    again = house.start("resume")
    house.reached("list")
    house.open("list")
    assert (0, ["listing", "listing", "1", "2"]) == (again.wait().code, house.trace)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("last_words", ["exit 143", "exit 0", f"echo {SAYS_SO}; exit 1"])
def test_claude_that_ends_with_us_runs_again(house: House, order: str, last_words: str) -> None:
    """Whatever its exit code: it ends without a result, or with one that says it was interrupted."""
    script = f"die() {{ {last_words}; }}; trap die INT TERM; echo $$ >> pids; while :; do sleep 0.05; done"
    house.program("claude", f"#!/bin/sh\n{script}\n")
    house.workflow({"claude": "do it", "on_failure": {"shell": house.traced("rolled-back")}})
    live = house.start("cook", "demo.yaml")
    stop_everything(live, house.pids(1), order, signal.SIGINT)
    assert (130, ["command_interrupted"], []) == (live.wait().code, ends_of(house), house.trace)
