"""One process owns a run: simultaneous resumes, a live run, orders from another process."""

import json
import signal

from tests.end_to_end.house import House, Live, eventually

RESUMES = 4


def test_of_simultaneous_resumes_exactly_one_goes_on(house: House) -> None:
    """The others exit 6 and name its pid; the log knows one resume and the project counted one."""
    house.workflow({"shell": house.traced("slow", house.gate("slow"))})
    first = house.start("cook", "demo.yaml")
    house.reached("slow")
    first.kill()
    lives = [house.start("resume") for _ in range(RESUMES)]
    house.reached("slow")
    refused = [live.wait() for live in lives if live is not winner(house, lives)]
    owner = winner(house, lives)
    house.open("slow")
    assert (0, ["slow", "slow"]) == (owner.wait().code, house.trace)
    assert [(6, True)] * (RESUMES - 1) == [(code, f"process {owner.pid} " in err) for code, _, err in refused]
    assert (1, "2") == (len(house.events("run_resumed")), (house.state / "counter").read_text().strip())


def winner(house: House, lives: list[Live]) -> Live:
    """Return the one that owns the run."""
    owner = json.loads((house.run / "lock").read_text())["pid"]
    return next(live for live in lives if live.pid == owner)


def test_resume_of_a_live_run_is_refused(house: House) -> None:
    """Exit 6, the owner's pid and the way to stop it; the run goes on untouched."""
    house.workflow({"shell": house.traced("slow", house.gate("slow"))})
    live = house.start("cook", "demo.yaml")
    house.reached("slow")
    before = house.log().read_bytes()
    code, _, err = house.prodigy("resume", "demo")
    unchanged = house.log().read_bytes() == before
    house.open("slow")
    assert (6, True, True, 0) == (code, f"process {live.pid} " in err, unchanged, live.wait().code)
    assert f"prodigy stop {house.run_id}" in err


def test_force_does_not_start_a_live_run_over(house: House) -> None:
    """Not even on order."""
    house.workflow({"shell": house.gate("slow")})
    live = house.start("cook", "demo.yaml")
    house.reached("slow")
    code = house.prodigy("resume", "demo", "--force").code
    house.open("slow")
    assert (6, 0, False) == (code, live.wait().code, house.log(2).exists())


def test_resume_waits_for_a_run_that_is_stopping(house: House) -> None:
    """`kill -INT` and then `resume`, while the step still takes its time to end."""
    script = 'trap "sleep 0.5; exit 1" TERM; echo slow >> trace; : > slow.up; while :; do sleep 0.05; done'
    house.workflow({"shell": f"if [ -e slow.up ]; then echo again >> trace; else {script}; fi"})
    live = house.start("cook", "demo.yaml")
    house.arrived("slow")
    live.send(signal.SIGINT)
    live.says("SIGINT")
    code, _, err = house.prodigy("resume")
    assert (0, 130, ["slow", "again"], True) == (code, live.wait().code, house.trace, "waiting for it" in err)


def test_stop_ends_a_run_from_another_process(house: House) -> None:
    """As Ctrl-C does there; `stop` returns when the run has ended."""
    house.workflow({"shell": house.gate("slow")}, {"shell": house.traced("after")})
    live = house.start("cook", "demo.yaml")
    house.reached("slow")
    code, out, _ = house.prodigy("stop", "demo")
    assert (0, 130, "interrupted", []) == (code, live.wait().code, house.status, house.trace)
    assert f"prodigy resume {house.run_id}" in out


def test_a_stop_that_its_owner_never_heard_does_not_stop_the_next(house: House) -> None:
    """Both were killed with the order in the inbox: it was for that owner, and who resumes wants the run to go on."""
    house.workflow({"shell": house.traced("slow", house.gate("slow"))}, {"shell": house.traced("after")})
    live = house.start("cook", "demo.yaml")
    house.reached("slow")
    live.send(signal.SIGSTOP)
    stopping = house.start("stop", "demo")
    eventually(lambda: list((house.run / "inbox").glob("*.json")), "the order")
    stopping.kill()
    live.kill()
    again = house.start("resume", "demo")
    house.reached("slow")
    eventually(lambda: not list((house.run / "inbox").glob("*.json")), "the inbox without the order")
    house.open("slow")
    assert (0, ["slow", "slow", "after"]) == (again.wait().code, house.trace)


def test_a_stop_whose_owner_has_gone_is_over_although_another_goes_on(house: House) -> None:
    """It was asked of one process: it says who goes on, takes the order back, and stops nobody else."""
    house.workflow({"shell": house.traced("slow", house.gate("slow"))})
    live = house.start("cook", "demo.yaml")
    house.reached("slow")
    live.send(signal.SIGSTOP)
    stopping = house.start("stop", "demo")
    eventually(lambda: list((house.run / "inbox").glob("*.json")), "the order")
    stopping.send(signal.SIGSTOP)
    live.kill()
    again = house.start("resume", "demo")
    house.reached("slow")
    stopping.send(signal.SIGCONT)
    told = stopping.wait()
    house.open("slow")
    assert (0, True) == (told.code, f"stopped; process {again.pid} goes on with it" in told.out)
    assert (0, []) == (again.wait().code, list((house.run / "inbox").glob("*.json")))


def test_a_run_that_is_not_live_cannot_be_stopped(house: House) -> None:
    """Exit 6, and no order is left lying for its next owner."""
    house.workflow({"shell": "false"})
    house.cook()
    code = house.prodigy("stop", "demo").code
    assert (6, []) == (code, list((house.run / "inbox").iterdir()))


def test_ps_shows_who_runs_what(house: House) -> None:
    """The run, its owner's pid and the step in flight; nothing when it is over."""
    house.workflow({"shell": house.gate("slow"), "id": "slow"})
    live = house.start("cook", "demo.yaml")
    house.reached("slow")
    shown = json.loads(house.prodigy("ps", "--json").out)["runs"]
    house.open("slow")
    live.wait()
    after = json.loads(house.prodigy("ps", "--json").out)["runs"]
    chosen = [(run["workflow_id"], run["pid"], run["status"], run["running"]) for run in shown]
    assert ([(house.run_id, live.pid, "running", ["slow"])], []) == (chosen, after)


def test_two_runs_of_one_workflow_live_side_by_side(house: House) -> None:
    """Each is its own; the name means the one cooked last."""
    house.workflow({"shell": house.gate("slow")})
    lives = []
    for _ in range(2):
        lives.append(house.start("cook", "demo.yaml"))
        house.reached("slow")
    code = house.prodigy("stop", "demo").code
    assert (0, 130) == (code, lives[1].wait().code)
    house.open("slow")
    assert lives[0].wait().code == 0
