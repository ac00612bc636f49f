"""How much memory a command takes, measured beside a small process.

The system counts the memory of whoever starts a program as the program's own, and that of the tests is large.
"""

import json
import subprocess
import sys
from typing import NamedTuple

from tests.end_to_end.house import House

_MEASURED = """
import json, resource, subprocess, sys
ended = subprocess.run([sys.executable, "-m", "prodigy", *sys.argv[1:]], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
kibibytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
json.dump([ended.returncode, kibibytes / 1024, ended.stdout.decode(), ended.stderr.decode()[-1000:]], sys.stdout)
"""


class Measured(NamedTuple):
    """How a command ended, and the most memory that it had, in MiB."""

    code: int
    mebibytes: float
    out: str
    err: str


def measured(house: House, *arguments: str) -> Measured:
    """Run a prodigy command of the house to its end."""
    command = (sys.executable, "-c", _MEASURED, *arguments)
    done = subprocess.run(command, cwd=house.folder, env=house.environment, capture_output=True, check=True)
    return Measured(*json.loads(done.stdout))
