"""Dead letters of a live run: put back and given up from another terminal, by whoever plays the run."""

import json
import signal
from typing import Any

from tests.end_to_end.house import House, Live, eventually
from tests.end_to_end.mapped import SAY_RESULTS, begun, mapreduce, noted, results


def cooking(house: House, *items: str, **more: Any) -> Live:
    """Return a live run: what is called bad fails until there is a file `go`, and `slow` stands at its gate."""
    script = f"case ${{item}} in bad*) [ -e go ] || exit 3 ;; slow) {house.gate('slow')} ;; esac"
    keys: dict[str, Any] = {"max_parallel": 2, "reduce": [SAY_RESULTS]} | more
    mapreduce(house, noted(script), items=items, **keys)
    live = house.start("cook", "demo.yaml")
    house.arrived("slow")
    dead = [item for item in items if item.startswith("bad")]
    eventually(lambda: len(house.events("item_settled")) >= len(dead), "the dead letters")
    return live


def orders_waiting(house: House) -> list[str]:
    """Return the orders in the inbox that nobody has taken."""
    return [path.name for path in (house.run / "inbox").glob("*.json")]


def test_a_dead_letter_is_put_back_while_the_map_is_at_work(house: House) -> None:
    """It runs beside what runs, and reduce waits for both."""
    live = cooking(house, "bad", "slow")
    house.write("go", "")
    told = f"1 dead letter of {house.run_id} put back; the run is live and goes on with them\n"
    assert (0, told, "") == house.prodigy("dlq", "retry", "demo")
    eventually(lambda: len(house.events("item_settled")) == 2, "the item that was put back")
    house.open("slow")
    assert (0, ["bad", "slow"], {"bad": 2, "slow": 1}) == (
        live.wait().code,
        [row["item"] for row in results(house)],
        begun(house),
    )
    assert ([], 1) == (orders_waiting(house), len(house.events("items_requeued")))
    assert 0 == house.prodigy("replay", "demo", "--check").code


def test_only_what_was_chosen_is_put_back(house: House) -> None:
    """By key or by what it is; for programs the answer is a document."""
    live = cooking(house, "bad 1", "bad 2", "slow")
    house.write("go", "")
    answer = json.loads(house.prodigy("dlq", "retry", "demo", "--item", "bad 2", "--json").out)
    house.open("slow")
    assert 4 == live.wait().code
    assert {"schema_version": 1, "workflow_id": house.run_id, "put_back": 1} == answer
    assert {"bad 1": 1, "bad 2": 2, "slow": 1} == {item: len(lines) for item, lines in starts(house).items()}


def starts(house: House) -> dict[str, list[int]]:
    """Return at which events each item's step began."""
    found = dict[str, list[int]]()
    for event in house.events("command_started"):
        if event["at"].startswith("map["):
            found.setdefault(event["at"][4:].partition("]")[0], []).append(event["seq"])
    return found


def test_what_is_given_up_in_a_live_run_is_no_blemish_at_its_end(house: House) -> None:
    """It counts as skipped from then on, so the exit code is 0."""
    live = cooking(house, "bad", "slow")
    told = f"1 dead letter of {house.run_id} given up; the log keeps what they were\n"
    assert (0, told, "") == house.prodigy("dlq", "purge", "demo", "--force")
    house.open("slow")
    assert (0, []) == (live.wait().code, orders_waiting(house))
    assert [("bad", "skipped"), ("slow", "succeeded")] == [(row["item"], row["status"]) for row in results(house)]


def test_giving_up_lets_a_map_go_on_that_had_enough_failures(house: House) -> None:
    """What had no room in its error policy begins at once."""
    live = cooking(house, "bad", "slow", "late", error_policy={"max_failures": 1})
    assert begun(house) == {"bad": 1, "slow": 1}
    house.prodigy("dlq", "purge", "demo", "--force")
    eventually(lambda: begun(house)["late"] == 1, "the item that had to wait")
    house.open("slow")
    assert 0 == live.wait().code


def test_when_the_map_is_done_retry_says_when_it_can_be(house: House) -> None:
    """What follows would have been built on a result without the item; nothing is sent."""
    live = cooking(house, "bad", "slow", reduce=[{"shell": house.gate("reduce")}])
    house.open("slow")
    house.arrived("reduce")
    code, out, err = house.prodigy("dlq", "retry", "demo")
    assert (6, "", True) == (code, out, "is live, and its map is done" in err)
    assert f"end it with `prodigy stop {house.run_id}`; then `prodigy dlq retry {house.run_id}`" in err
    house.open("reduce")
    assert (4, []) == (live.wait().code, house.events("items_requeued"))


def test_what_only_a_resume_can_do_is_refused_of_a_live_run(house: House) -> None:
    """Before anything is sent."""
    live = cooking(house, "bad", "slow")
    code, _, err = house.prodigy("dlq", "retry", "demo", "--max-parallel", "3")
    assert (2, True) == (code, "--max-parallel is for a run that is taken up" in err)
    house.open("slow")
    assert (4, []) == (live.wait().code, house.events("items_requeued"))


def test_an_order_that_nobody_took_is_carried_out_by_who_gave_it(house: House) -> None:
    """The owner was suspended, and is killed before it looks: the order is taken back, and nothing is done twice."""
    live = cooking(house, "bad", "slow")
    live.send(signal.SIGSTOP)
    purging = house.start("dlq", "purge", "demo", "--force")
    eventually(lambda: orders_waiting(house), "the order")
    live.kill()
    assert 0 == purging.wait().code
    assert ([], 1) == (orders_waiting(house), len(house.events("dead_letters_purged")))


def test_who_gives_up_waiting_takes_the_order_back(house: House) -> None:
    """It says that it waits; after Ctrl-C nothing is left to be obeyed later."""
    live = cooking(house, "bad", "slow")
    live.send(signal.SIGSTOP)
    purging = house.start("dlq", "purge", "demo", "--force")
    purging.says(f"has not taken the order yet; is process {live.pid} suspended?")
    purging.send(signal.SIGINT)
    assert (130, []) == (purging.wait().code, orders_waiting(house))
    live.send(signal.SIGCONT)
    house.open("slow")
    assert (4, []) == (live.wait().code, house.events("dead_letters_purged"))


def test_of_two_orders_the_second_does_not_claim_what_the_first_did(house: House) -> None:
    """Both wait for an owner that is suspended; given up first, nothing is put back, and who wanted it hears so."""
    live = cooking(house, "bad", "slow")
    live.send(signal.SIGSTOP)
    purging = house.start("dlq", "purge", "demo", "--force")
    eventually(lambda: len(orders_waiting(house)) == 1, "the first order")
    retrying = house.start("dlq", "retry", "demo")
    eventually(lambda: len(orders_waiting(house)) == 2, "the second order")
    live.send(signal.SIGCONT)
    assert (0, f"1 dead letter of {house.run_id} given up; the log keeps what they were\n") == purging.wait()[:2]
    code, out, err = retrying.wait()
    assert (6, "", True) == (code, out, "another order came first: what was meant was given up meanwhile" in err)
    house.open("slow")
    assert (0, {"bad": 1, "slow": 1}) == (live.wait().code, begun(house))


def test_what_was_put_back_first_is_not_said_to_be_given_up(house: House) -> None:
    """The other way round."""
    live = cooking(house, "bad", "slow")
    house.write("go", "")
    live.send(signal.SIGSTOP)
    retrying = house.start("dlq", "retry", "demo")
    eventually(lambda: len(orders_waiting(house)) == 1, "the first order")
    purging = house.start("dlq", "purge", "demo", "--force")
    eventually(lambda: len(orders_waiting(house)) == 2, "the second order")
    live.send(signal.SIGCONT)
    assert 0 == retrying.wait().code
    code, out, err = purging.wait()
    assert (6, "", True) == (code, out, "another order came first: what was meant was put back meanwhile" in err)
    house.open("slow")
    assert (0, {"bad": 2, "slow": 1}) == (live.wait().code, begun(house))
