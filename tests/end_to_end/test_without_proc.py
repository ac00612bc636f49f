"""Where /proc cannot be read: groups are ended all the same, and what is out of sight is said."""

import sys

import pytest

from tests.end_to_end.house import House, lives
from tests.end_to_end.mapped import mapreduce

BLIND = f"""#!{sys.executable}
from prodigy.__main__ import main
from prodigy.runtime.processes import orphans
orphans.PROC = "/nowhere"
main()
"""
LEAVES = "(echo $$ >> pids; exec sleep 1000) & until [ -s pids ]; do sleep 0.01; done"
SAID = "is not found when it ends"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is no /proc")


@pytest.fixture
def blind(house: House) -> House:
    """A house whose `prodigy` finds no /proc."""
    house.program("prodigy", BLIND)
    return house


def test_a_run_ends_the_groups_of_its_steps_and_says_what_it_cannot_see(blind: House) -> None:
    """What a step leaves in its group is named and gone."""
    blind.workflow({"shell": LEAVES.replace("$$", "$(sh -c 'echo $PPID')")})
    code, _, err = blind.cook()
    (pid,) = blind.pids(1)
    assert (0, False, True) == (code, lives(pid), "left running and ended: the rest of its process group" in err)
    assert SAID in err


def test_the_group_of_the_command_of_a_map_is_ended(blind: House) -> None:
    """By the same rules."""
    command = LEAVES.replace("$$", "$(sh -c 'echo $PPID')") + "; echo a"
    mapreduce(blind, {"shell": "true"}, input={"command": command})
    code = blind.cook().code
    (pid,) = blind.pids(1)
    assert (0, False) == (code, lives(pid))


def test_doctor_and_resume_say_so(blind: House) -> None:
    """A warning, for nothing is wrong yet."""
    blind.workflow({"shell": "test -e mended"})
    blind.cook()
    blind.write("mended", "")
    doctor, resume = blind.prodigy("doctor"), blind.prodigy("resume")
    assert (0, True, 0, True) == (doctor.code, SAID in doctor.out, resume.code, SAID in resume.err)
