"""A map of real agents: killed again and again, stopped by Ctrl-C, short of room, and never wrong in its accounts."""

import json
import random
import re
import signal
import time
from contextlib import suppress
from subprocess import TimeoutExpired

from tests.end_to_end.house import DEADLINE_S, House, Live, eventually, lives
from tests.end_to_end.mapped import SAY_RESULTS, all_gone, at_work, begun, mapreduce, noted, results

ITEMS = 500
LIVES_MAX = 80
HOSTILE = [
    "; rm -rf ~",
    "../../x",
    "$(reboot)",
    "`touch never`",
    "two\nlines\n\n",
    'it\'s "quoted" \\ and 100 %',
    "-rf",
    "*",
    "${item}",
    "$HOME",
    "",
    " ",
    "é\u202e\x1b[31m",
    "x" * 90_000,
]


# Killed -------------------------------------------------------------------------------------------------------


def live_a_while(live: Live, house: House, dice: random.Random) -> int:
    """Let it begin a few dozen items and live a random moment more, then kill it; returns how it ended."""
    goal = begun(house).total() + dice.randint(0, 60)
    eventually(lambda: begun(house).total() >= goal or live.process.poll() is not None, "a few more items")
    with suppress(TimeoutExpired):
        return live.process.wait(dice.uniform(0, 0.05))
    live.kill()
    return -signal.SIGKILL


def test_five_hundred_items_survive_random_kills(house: House) -> None:
    """Each has one result; only those in flight at a kill ran again, and no two attempts of one were alive at once."""
    dice = random.Random(20)
    items = [f"i{number}" for number in range(ITEMS)]
    mapreduce(house, noted("sleep 0.02"), items=items, reduce=[SAY_RESULTS], checkpoint_frequency=50)
    code, lives_so_far = live_a_while(house.start("cook", "demo.yaml"), house, dice), 1
    while code != 0:
        assert (-signal.SIGKILL, True) == (code, lives_so_far < LIVES_MAX)
        code, lives_so_far = live_a_while(house.start("resume-job", "demo"), house, dice), lives_so_far + 1
    named = [re.sub(r"map\[(.*)]\[0]", r"\1", at) for event in house.events("run_resumed") for at in event["again"]]
    unexplained = {item: count for item, count in begun(house).items() if count > 1 + named.count(item)}
    assert (items, {}) == ([row["item"] for row in results(house)], unexplained)
    assert ("", True) == ((house.folder / "both").read_text(), lives_so_far > 5)
    assert ("completed", 0) == (house.status, house.prodigy("events", "verify").code)


def test_items_in_flight_at_a_kill_are_named_and_run_again(house: House) -> None:
    """The two that were at work, and the one that had not begun; the one that was done stands."""
    agent = noted('[ ${item} = quick ] || [ -e go ] || { : > "${item}.up"; exec sleep 1000; }')
    mapreduce(house, agent, items=["quick", "a", "b", "late"], max_parallel=2)
    live = house.start("cook", "demo.yaml")
    house.arrived("a")
    house.arrived("b")
    live.kill()
    house.write("go", "")
    code, _, err = house.prodigy("resume-job", "demo")
    again = re.findall(r"again  (\S+) \(was in flight\)", err)
    assert (0, ["map[a][0]", "map[b][0]"], {"quick": 1, "a": 2, "b": 2, "late": 1}) == (code, again, begun(house))


# Stopped ------------------------------------------------------------------------------------------------------


def test_ctrl_c_ends_fifty_agents_and_resume_starts_just_those(house: House) -> None:
    """All are gone in seconds and none has failed; resume starts them and the pending, and nothing that was done."""
    quick, slow, late = ([f"{word}{number}" for number in range(10)] for word in ("quick", "slow", "late"))
    slow += [f"slow{number}" for number in range(10, 50)]
    agent = noted("case ${item} in slow*) [ -e go ] || { sleep 1000 & wait; }; esac")
    mapreduce(house, agent, items=[*quick, *slow, *late], max_parallel=50)
    live = house.start("cook", "demo.yaml")
    pids = at_work(house, 60)
    eventually(lambda: len(house.events("item_settled")) == 10, "the quick ones are done")
    began = time.monotonic()
    live.send(signal.SIGINT)
    code = live.wait().code
    elapsed_s = time.monotonic() - began
    assert (130, True, set()) == (code, all_gone([pids[item] for item in slow]), {*late} & {*begun(house)})
    assert elapsed_s < 8.0
    assert [("succeeded", 10), 0] == [
        ({e["disposition"] for e in house.events("item_settled")}.pop(), len(house.events("item_settled"))),
        len(house.events("node_failed")),
    ]
    house.write("go", "")
    assert 0 == house.prodigy("resume-job", "demo").code
    assert dict.fromkeys(quick, 1) | dict.fromkeys(slow, 2) | dict.fromkeys(late, 1) == begun(house)


def test_resume_says_how_the_job_stands_before_it_goes_on(house: House) -> None:
    """Done, dead, in flight and pending are counted first; then there are more workers."""
    house.gate("slow")
    agent = noted("case ${item} in bad) exit 3;; good) ;; *) [ -e go ] || exec sleep 1000;; esac")
    mapreduce(house, agent, items=["good", "bad", "a", "b", "c", "d", "e"], max_parallel=2)
    live = house.start("cook", "demo.yaml")
    at_work(house, 4)
    eventually(lambda: len(house.events("item_settled")) == 2, "two have settled")
    live.send(signal.SIGINT)
    live.wait()
    again = house.start("resume-job", "demo", "--max-parallel", "20")
    at_work(house, 9)
    again.send(signal.SIGINT)
    err = again.wait().err
    first, *rest = err.splitlines()
    assert "     job  1 of 7 items done, 1 dead letter, 2 in flight, 3 pending" == first
    assert "     map  1 of 7 items done, 1 dead letter, 5 in flight" in rest


# The command that lists ---------------------------------------------------------------------------------------

LISTS = "echo $$ >> pids; setsid sleep 1000 & echo $! >> pids; : > listing.up; [ -e go ] || sleep 1000; kill $!; seq 3"


def test_ctrl_c_ends_a_command_that_lists_with_all_it_started(house: House) -> None:
    """Also what went into a session of its own; and resume asks for the items anew."""
    mapreduce(house, noted(":"), input={"command": LISTS})
    live = house.start("cook", "demo.yaml")
    house.arrived("listing")
    pids = house.pids(2)
    live.send(signal.SIGINT)
    assert (130, [False, False]) == (live.wait().code, [lives(pid) for pid in pids])
    house.write("go", "")
    assert (0, {"1": 1, "2": 1, "3": 1}) == (house.prodigy("resume", "demo").code, begun(house))


def test_a_run_killed_while_it_lists_lists_again(house: House) -> None:
    """Nothing of the dead one is left within 2 s."""
    mapreduce(house, noted(":"), input={"command": LISTS})
    live = house.start("cook", "demo.yaml")
    house.arrived("listing")
    pids = house.pids(2)
    live.kill()
    eventually(lambda: all_gone(pids), "all of the listing is gone", within_s=2.0)
    house.write("go", "")
    assert (0, {"1": 1, "2": 1, "3": 1}) == (house.prodigy("resume", "demo").code, begun(house))


def test_what_a_listing_command_leaves_running_is_ended(house: House) -> None:
    """When it has printed its items, before the first agent begins."""
    look = noted("ps -o stat= -p $(cat pids) | grep -v Z >> left")
    mapreduce(house, look, input={"command": "setsid sleep 1000 & echo $! > pids; echo only"})
    assert (0, {"only": 1}, "") == (house.cook().code, begun(house), (house.folder / "left").read_text())


def test_a_listing_command_that_fails_fails_the_map_and_can_be_mended(house: House) -> None:
    """With its exit code and what it said; resume lists anew."""
    mapreduce(house, noted(":"), input={"command": "[ -e go ] || { echo no such table >&2; exit 4; }; echo only"})
    code, out, _ = house.cook()
    assert (1, True) == (code, "map failed: the command for map.input failed: exit 4 · no such table\n" in out)
    house.write("go", "")
    assert (0, {"only": 1}) == (house.prodigy("resume", "demo").code, begun(house))


# Watched, and ended with dead letters -------------------------------------------------------------------------


def test_watching_shows_how_the_map_goes_on(house: House) -> None:
    """In a pipe a few lines for each change; the last ones say how it ended."""
    mapreduce(house, {"shell": house.gate("g")}, items=["a", "b"], max_parallel=1)
    cook = house.start("cook", "demo.yaml")
    house.reached("g")
    watcher = house.start("status", "demo", "--watch")
    printed = house.path / "printed" / "1.out"
    eventually(lambda: "0 of 2 items done, 1 in flight, 1 pending" in printed.read_text(), "the first look")
    house.open("g")
    house.reached("g")
    eventually(lambda: "1 of 2 items done, 1 in flight" in printed.read_text(), "the second look")
    house.open("g")
    assert 0 == cook.wait().code
    code, out, err = watcher.wait()
    assert (0, "", "  2 of 2 items done") == (code, err, out.splitlines()[-1])


def test_a_run_with_dead_letters_exits_4_and_says_what_to_type(house: House) -> None:
    """The reduce has run on what succeeded, and knows what did not."""
    mapreduce(house, {"shell": "test ${item} != bad"}, items=["a", "bad", "b"], reduce=[SAY_RESULTS])
    code, out, err = house.cook()
    assert 4 == code
    assert out.splitlines()[1:] == [
        "  2 of 3 items done, 1 dead letter",
        f"  see what failed:  prodigy dlq list {house.run_id}",
        f"  put it back:  prodigy dlq retry {house.run_id}",
    ]
    assert "    dead  bad  exit 1\n" in err
    assert (["a", "b"], [("bad", "exit code 1", "[0]")]) == (
        [row["item"] for row in results(house)],
        [(row["item"], row["error"], row["step"]) for row in results(house, "dead_letters")],
    )


def test_resume_of_a_run_with_dead_letters_runs_nothing(house: House) -> None:
    """It is completed; the exit code stays 4."""
    mapreduce(house, noted("test ${item} != bad || exit 1"), items=["a", "bad"])
    house.cook()
    code, _, err = house.prodigy("resume", "demo")
    assert (4, True, {"a": 1, "bad": 1}) == (code, f"prodigy dlq retry {house.run_id}" in err, begun(house))


# Hostile items, and no room -----------------------------------------------------------------------------------


def test_items_reach_agents_byte_for_byte(house: House) -> None:
    """As a word, within quotes, in a here-document and in the environment; nothing of them is ever executed."""
    script = 'set -- ${item}; { printf %s "$1"; printf \'|%s|\' "${item}"; cat <<END\n${item}\nEND\nprintf %s. "$X"; }'
    mapreduce(house, {"shell": script, "env": {"X": "${item}"}}, items=HOSTILE, reduce=[SAY_RESULTS])
    code, _, err = house.cook()
    shown = {row["item"]: row["output"] for row in results(house)}
    assert (0, {text: f"{text}|{text}|{text}\n{text}." for text in HOSTILE}) == (code, shown)
    assert ([], False) == ([*house.folder.glob("never")], "\x1b[31m" in err or "\u202e" in err)


def test_an_item_of_200_kb_comes_out_whole(house: House) -> None:
    """No program can be given it as one argument, but the shell's own commands can."""
    text = "$(reboot) " * 20_000
    mapreduce(house, {"shell": "cat <<END\n${item}\nEND"}, items=[text], reduce=[SAY_RESULTS])
    assert (0, [text]) == (house.cook().code, [row["output"] for row in results(house)])


def test_hostile_items_come_out_of_an_export_as_they_were(house: House) -> None:
    """The dead letters of programs are exact; those for people cannot drive a terminal."""
    items = [text for text in HOSTILE if len(text) < 1000]
    mapreduce(house, {"shell": "exit 1"}, items=items)
    assert 1 == house.cook().code
    exported = json.loads(house.prodigy("dlq", "export", "demo").out)["dead_letters"]
    listed = house.prodigy("dlq", "show", "demo").out
    assert (items, False) == ([letter["item"] for letter in exported], "\x1b" in listed or "\u202e" in listed)


def test_too_little_room_lacks_room(house: House) -> None:
    """With too few descriptors for so many agents fewer run at once, and no item is lost; stop still comes through."""
    items = [f"i{number}" for number in range(40)]
    mapreduce(house, {"shell": "exec sleep 0.5"}, items=items, reduce=[{"shell": house.gate("g")}], max_parallel=40)
    live = house.shell("ulimit -n 44; exec prodigy cook demo.yaml")
    house.arrived("g")
    dispositions = [event["disposition"] for event in house.events("item_settled")]
    stopped = house.prodigy("stop", "demo")
    code, _, err = live.wait()
    assert (["succeeded"] * 40, 0, 130) == (dispositions, stopped.code, code)
    assert "Traceback" not in err


def test_kills_leave_nothing_behind(house: House) -> None:
    """The agents of a killed coordinator are gone within 2 s, those in sessions of their own too."""
    mapreduce(house, noted("setsid sleep 1000 & echo $! >> pids; exec sleep 1000"), items=[*"abcdef"], max_parallel=6)
    live = house.start("cook", "demo.yaml")
    pids = [*at_work(house, 6).values(), *house.pids(6)]
    live.kill()
    assert live.process.wait(DEADLINE_S) == -signal.SIGKILL
    eventually(lambda: all_gone(pids), "all agents are gone", within_s=2.0)
