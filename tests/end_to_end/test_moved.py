"""Projects that were moved, renamed or copied: whose runs they are, and what nobody may smuggle in that way."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

from tests.end_to_end.house import House
from tests.end_to_end.mapped import mapreduce


def failed(house: House) -> str:
    """Cook a run that fails at its second step until `ready` exists; return its id."""
    house.workflow({"shell": house.traced("one")}, {"shell": house.traced("two", "[ -e ready ]")})
    house.cook()
    house.write("ready", "")
    return house.run_id


def moved(house: House, *, copies: bool = False) -> Path:
    """Rename the project, or copy it, and go there; return where it was."""
    old = house.folder
    house.folder = house.home / "renamed"
    shutil.copytree(old, house.folder) if copies else old.rename(house.folder)
    return old


def test_a_moved_project_goes_on(house: House) -> None:
    """It is said where it was, and nothing that had finished runs again."""
    failed(house)
    old = moved(house)
    code, _, err = house.prodigy("resume")
    assert (0, ["one", "two", "two"], True) == (code, house.trace, f"moved here from {old}" in err)


def test_what_goes_back_in_a_moved_project_needs_trust_and_says_why(house: House) -> None:
    """This machine has seen how the log ends; what it would leave that end for, it has not."""
    workflow_id = failed(house)
    old = moved(house)
    why = f"the project of {workflow_id} was moved here from {old}, and this machine knows only the end of its log"
    for order in (["fork", workflow_id, "--at", "v1"], ["resume", workflow_id, "--from-checkpoint", "v1"]):
        code, _, err = house.prodigy(*order)
        assert (6, True, True) == (code, why in err, f"`prodigy {' '.join(order)} --trust`" in err), err


def test_another_project_may_take_the_old_name(house: House) -> None:
    """The mirrors are not mixed: a run that has gone on elsewhere is not listed in its old place."""
    workflow_id = failed(house)
    old = moved(house)
    old.mkdir()
    house.prodigy("resume")
    house.folder = old
    house.workflow({"shell": "true"}, name="other")
    assert house.cook("other").code == 0
    listed = json.loads(house.prodigy("checkpoints", "list", "--json").out)["checkpoints"]
    assert [run["name"] for run in listed] == ["other"]
    assert house.prodigy("status", workflow_id).code == 6


def test_a_copy_is_not_taken_for_the_original(house: House) -> None:
    """It is said where that is, and what trusts it."""
    workflow_id = failed(house)
    old = moved(house, copies=True)
    code, _, err = house.prodigy("resume")
    assert (6, True, True) == (code, f"copy of the run in {old}" in err, f"resume {workflow_id} --trust`" in err)
    assert house.prodigy("resume", workflow_id, "--trust").code == 0


def test_the_command_that_trusts_a_copy_is_the_one_that_was_typed(house: House) -> None:
    """With all that chooses the dead letters to be put back."""
    mapreduce(house, {"shell": "false"}, items=["a", "b", "c d"])
    house.cook()
    workflow_id = house.run_id
    moved(house, copies=True)
    code, _, err = house.prodigy("dlq", "retry", "demo", "--item", "c d", "--no-reduce")
    typed = f"`prodigy dlq retry {workflow_id} --item 'c d' --no-reduce --trust`"
    assert (6, True) == (code, typed in err), err


def test_what_was_changed_on_the_way_needs_trust(house: House) -> None:
    """A log that says more than this machine wrote, a checkpoint that says something else, an order that waits."""
    failed(house)
    moved(house)
    original = house.path / "original"
    shutil.copytree(house.folder, original)
    changes: dict[str, Callable[[], object]] = {
        "log": lambda: house.log().write_bytes(house.log().read_bytes().rpartition(b'{"seq"')[0]),
        "checkpoint": lambda: house.checkpoint_file.write_text(house.checkpoint_file.read_text() + " "),
        "order": lambda: (house.run / "inbox" / "1").write_text("{}"),
    }
    refused = {}
    for name, change in changes.items():
        change()
        code, _, err = house.prodigy("resume")
        refused[name] = (code, "was moved here from" in err and "--trust" in err)
        shutil.rmtree(house.folder)
        shutil.copytree(original, house.folder)
    assert refused == dict.fromkeys(changes, (6, True))
    assert house.trace == ["one", "two"]
