"""A disk that refuses: the run stops at once and says why, and goes on when there is room again."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.house import House

# Every step captures more than a kilobyte, so that the log grows beyond any small limit.
FILLING = {"shell": "head -c 1500 /dev/zero | tr '\\0' x", "capture_output": "filler"}
COUNT = 60


def filling(house: House) -> None:
    """Write a workflow of many steps, each of which traces its number and makes the log grow."""
    steps = [
        {"shell": house.traced(str(number), FILLING["shell"]), "capture_output": f"filler_{number}"}
        for number in range(COUNT)
    ]
    house.workflow(*steps)


def test_a_file_that_may_not_grow_stops_the_run_at_once(house: House) -> None:
    """Exit 1 with the cause and the path; nothing begins after the refused write."""
    filling(house)
    code, _, err = house.shell("ulimit -f 120; exec prodigy cook demo.yaml").wait()
    ran = house.trace
    assert (1, True) == (code, 0 < len(ran) < COUNT)
    assert [True, True, False] == [str(house.log()) in err, "File too large" in err, "Traceback" in err], err


def test_the_run_goes_on_when_files_may_grow_again(house: House) -> None:
    """What was acknowledged is not run again; at most the step in flight is, and it is named."""
    filling(house)
    house.shell("ulimit -f 120; exec prodigy cook demo.yaml").wait()
    code = house.prodigy("resume").code
    again = house.events("run_resumed")[0].get("again", [])
    assert (0, COUNT + len(again)) == (code, len(house.trace))
    assert list(map(str, range(COUNT))) == sorted(set(house.trace), key=int)
    assert 0 == house.prodigy("events", "verify").code


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[House]:
    """A house whose project lies on a disk of 768 KiB; an ordinary folder where this user cannot mount one."""
    house = House(tmp_path)
    command = ("mount", "-t", "tmpfs", "-o", "size=768k", "tmpfs", str(house.folder))
    is_mounted = sys.platform == "linux" and subprocess.run(command, capture_output=True, check=False).returncode == 0
    yield house
    house.close()
    if is_mounted:
        subprocess.run(("umount", str(house.folder)), check=True)


def test_a_full_disk_is_survived(small_disk: House) -> None:
    """A step fills the disk: the run ends with exit 1 and no success is lost; with room again it completes.

    Where nothing can be mounted the step does not fill anything, and the run fails by itself: the resume is the same.
    """
    house = small_disk
    fill = "head -c 3000000 /dev/zero > filler; [ $(wc -c < filler) -lt 3000000 ] && : > was-full; [ -e ready ]"
    house.workflow({"shell": house.traced("one")}, {"shell": fill}, {"shell": "echo last >> trace"})
    code, _, err = house.cook()
    was_full = (house.folder / "was-full").exists()
    house.write("filler", "")
    house.write("ready", "")
    assert (1, was_full, 0, ["one", "last"]) == (
        code,
        "No space left" in err,
        house.prodigy("resume").code,
        [name for name in house.trace if name],
    )


def test_a_global_folder_that_cannot_be_written_is_a_warning(house: House) -> None:
    """The run completes, and the warning says that resume will need --trust."""
    house.write("file", "")
    house.workflow({"shell": house.traced("one")})
    code, _, err = house.prodigy("cook", "demo.yaml", PRODIGY_HOME=str(house.folder / "file" / "global"))
    assert (0, ["one"], "completed") == (code, house.trace, house.status)
    assert "resume will need --trust" in err
    assert f"if it stops, go on with:  prodigy resume {house.run_id} --trust\n" in err


def test_a_run_without_a_global_folder_is_resumed_with_trust(house: House) -> None:
    """As the warning said."""
    environment = {"PRODIGY_HOME": str(house.write("file", "") / "global")}
    house.workflow({"shell": house.traced("one", "[ -e ready ]")})
    house.prodigy("cook", "demo.yaml", **environment)
    house.write("ready", "")
    codes = [house.prodigy(*command, **environment).code for command in (("resume",), ("resume", "--trust"))]
    assert ([6, 0], ["one", "one"]) == (codes, house.trace)


def test_a_project_that_cannot_be_written_is_an_error_with_the_path(house: House) -> None:
    """Exit 1 before anything runs, and no traceback."""
    house.workflow({"shell": house.traced("one")})
    script = "(ulimit -f 0; exec prodigy cook demo.yaml 2>&1) | cat"
    _, out, _ = house.shell(script).wait()
    assert [True, True, False, []] == ["error: cannot write" in out, ".prodigy" in out, "Traceback" in out, house.trace]
