"""What commands inherit: what they would have under the caller's own shell, and nothing that prodigy set for itself.

A probe writes down all that a process can inherit on Linux. It is run by a shell, and by prodigy under the same shell.
"""

import sys
from pathlib import Path

import pytest

from tests.end_to_end.house import Command, House
from tests.end_to_end.mapped import mapreduce

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the probe reads /proc")

# A file with a line for each fact, `name value`. The processes that print them are children of the one that is asked.
PROBE = r"""#!/bin/sh
umask | sed 's/^/umask /'
pwd | sed 's/^/directory /'
nice | sed 's/^/nice /'
ls /proc/self/fd | sort -n | sed 's/^/descriptor /'
sed 's/^/status /' /proc/self/status
sed 's/^/limits /' /proc/self/limits
sed 's/^/cgroup /' /proc/self/cgroup
for name in oom_score_adj timerslack_ns personality coredump_filter; do
    sed "s/^/$name /" /proc/self/$name 2>/dev/null
done
cut -d')' -f2 /proc/self/stat | cut -d' ' -f17,18,39,40 | sed 's/^/scheduling /'
env | sed 's/^/environment /'
"""
# What differs between any two processes, and the signals, whose defaults are looked at on their own.
OWN = (
    "status Pid:", "status PPid:", "status Tgid:", "status NStgid:", "status NSpid:", "status NSpgid:",
    "status NSsid:", "status Vm", "status Rss", "status voluntary", "status nonvoluntary", "status Mems",
    "status SigQ:", "status SigIgn:", "status SigBlk:", "status Hugetlb", "environment _=", "environment PWD=",
    "environment OLDPWD=", "environment SHLVL=", "environment PRODIGY_",
)  # fmt: skip
ODD = "umask 027; ulimit -Sn 300; ulimit -c 0; trap '' USR1 TTOU; renice -n 5 $$ >/dev/null; exec 7</dev/null; "


def facts(path: Path) -> list[str]:
    """Return what the probe found, without what is a process's own."""
    return sorted(line for line in path.read_text().splitlines() if not line.startswith(OWN))


def signals(path: Path) -> list[str]:
    """Return the signals that the probe found ignored or blocked; two of them belong to the C library."""
    lines = [line.split() for line in path.read_text().splitlines() if line.startswith(("status SigI", "status SigB"))]
    return [f"{name} {int(mask, 16) & ~0x180000000:x}" for _, name, mask in lines]


# What a claude step adds unless the user has said otherwise.
OF_CLAUDE = ("environment DISABLE_AUTOUPDATER=1", "environment CLAUDE_CODE_MAX_RETRIES=3")


@pytest.fixture
def probed(house: House) -> House:
    """A house with the probe, and with what it finds under a shell in an odd mood in `expected`."""
    house.program("probe", PROBE)
    house.program("claude", "#!/bin/sh\nprobe > found\n")
    house.shell(ODD + "exec 7<&-; exec probe > expected </dev/null 2>/dev/null").wait()
    return house


@pytest.mark.parametrize(
    "steps",
    [
        [{"shell": "probe > found"}],
        [{"shell": "probe > ../found", "working_dir": "below"}],
        [{"shell": "false", "on_failure": {"shell": "probe > found"}}],
        [{"shell": "probe > found", "interpreter": "bash -eu"}],
        [{"claude": "look", "allow_failure": True}],
    ],
    ids=["step", "step elsewhere", "handler", "interpreter", "claude"],
)
def test_a_command_inherits_what_it_would_without_prodigy(probed: House, steps: list[Command]) -> None:
    """Its umask, limits, nice value, directory, descriptors, environment and all the rest; signals are at default."""
    (probed.folder / "below").mkdir()
    probed.workflow(*steps)
    probed.shell(ODD + "exec prodigy cook demo.yaml").wait()
    here = "" if "working_dir" not in steps[0] else "/below"
    expected = [line + here if line.startswith("directory ") else line for line in facts(probed.folder / "expected")]
    found = [line for line in facts(probed.folder / "found") if line not in OF_CLAUDE]
    assert expected == found
    assert ["SigBlk: 0", "SigIgn: 0"] == signals(probed.folder / "found")


def test_the_command_of_a_map_inherits_the_same(probed: House) -> None:
    """Though it is the first command of its run."""
    mapreduce(probed, {"shell": "true"}, input={"command": "probe > found; echo a"})
    probed.shell(ODD + "exec prodigy cook demo.yaml").wait()
    assert facts(probed.folder / "expected") == facts(probed.folder / "found")
    assert ["SigBlk: 0", "SigIgn: 0"] == signals(probed.folder / "found")


def test_a_locale_that_python_chose_for_itself_is_not_passed_on(probed: House) -> None:
    """In the C locale Python sets LC_CTYPE."""
    probed.workflow({"shell": "env | grep LC_ > found || :"})
    probed.shell("unset LC_ALL LANG LC_CTYPE; exec prodigy cook demo.yaml").wait()
    assert "" == (probed.folder / "found").read_text()


def test_what_steps_and_init_make_has_the_modes_of_the_callers_umask(house: House) -> None:
    """Only what is prodigy's own is private."""
    house.workflow({"shell": "echo x > file; mkdir folder"})
    assert 0 == house.shell("umask 002; prodigy init new.yaml && prodigy cook demo.yaml").wait().code
    modes = [(house.folder / name).stat().st_mode & 0o777 for name in ("file", "folder", "new.yaml")]
    assert [0o664, 0o775, 0o664] == modes
