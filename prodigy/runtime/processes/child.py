"""Start one program in a session of its own, and collect its end.

`posix_spawn` costs a step a tenth less than `Popen`, but cannot change the directory: it serves the many steps that run
where the coordinator stands, `Popen` all others and all other systems. Either way the program gets its three
descriptors and no other, and every signal at its default.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress

from prodigy.runtime.processes.commands import Prepared

_FIRST_OTHER = 3  # after stdin, stdout and stderr
_NUMBERS_MAX = 1 << 16
_IGNORED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)


class Child:
    """A program that `posix_spawn` started. `returncode` is None until `wait` has collected it, then as `Popen`'s."""

    __slots__ = ("pid", "returncode")

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def wait(self) -> int:
        """Wait for its end and return its exit status: negative for a signal."""
        if self.returncode is None:
            status = 0
            with suppress(ChildProcessError):  # somebody else has collected it: how it ended is not known
                status = os.waitpid(self.pid, 0)[1]
            self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode


Process = Child | subprocess.Popen[bytes]


def keep_descriptors() -> None:
    """Keep from later children what we have inherited ourselves; what Python opens is never passed on."""
    for number in _descriptors():
        if number >= _FIRST_OTHER:
            with suppress(OSError):  # the descriptor that listed them is gone
                os.set_inheritable(number, False)


def _descriptors() -> Iterable[int]:
    try:
        return map(int, os.listdir("/dev/fd"))
    except OSError:  # as where /proc is not mounted
        return range(min(os.sysconf("SC_OPEN_MAX"), _NUMBERS_MAX))


def start(prepared: Prepared, *, directory: str, stdin: int, stdout: int, stderr: int) -> Process:
    """Start a program in `directory`, with these descriptors as its first three.

    Raises:
        OSError: no such program or directory, or the system has no room for it now.
        ValueError: an argument or the environment holds a NUL.
    """
    if sys.platform == "linux" and _is_here(directory):
        return Child(
            os.posix_spawn(
                prepared.program,
                prepared.arguments,
                prepared.environment,
                file_actions=[(os.POSIX_SPAWN_DUP2, own, its) for its, own in enumerate((stdin, stdout, stderr))],
                setsid=True,
                setsigdef=_IGNORED_BY_PYTHON,
            )
        )
    return subprocess.Popen(
        prepared.arguments,
        executable=prepared.program,
        env=prepared.environment,
        cwd=directory,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,
    )


def _is_here(directory: str) -> bool:
    """Say whether we stand in `directory`; one that was removed, or replaced since, is not the same."""
    try:
        return os.getcwd() == directory
    except FileNotFoundError:
        return False
