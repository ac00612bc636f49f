"""The same steps in other tools, one after another and ten at once.

GNU make, GNU parallel, doit, huey, go-task, just, and bash with marker files. Each is given what its own documentation
shows for such work, with the state it keeps by default, and no sync. `make bench` installs what registries have into
`build/peers`; a tool that is neither there nor on PATH is left out, and its row says so.
"""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from bench.place import REPOSITORY, Place

Command = list[str]
Prepare = Callable[[Place, int], Command]

PARALLEL = 10
PEERS = REPOSITORY / "build" / "peers" / "bin"
NODE = REPOSITORY / "build" / "peers" / "node_modules" / ".bin"

_DOIT = """
def task_step():
    for i in range({steps}):
        before = [f"step:{{i - 1}}"] if i else []
        yield {{"name": str(i), "actions": ["true"], "task_dep": before}}
"""

_DOIT_ITEMS = """
def task_item():
    for i in range({items}):
        yield {{"name": str(i), "actions": ["true"]}}
"""

_HUEY = """
import subprocess, sys
from huey import SqliteHuey

queue = SqliteHuey(filename=sys.argv[1])

@queue.task()
def step(_=None):
    subprocess.run(["sh", "-c", "true"], check=True)
    return 1

for _ in range({steps}):
    step()
while (task := queue.dequeue()) is not None:
    queue.execute(task)
"""


_HUEY_ITEMS = """
import subprocess, sys
from concurrent.futures import ThreadPoolExecutor
from huey import SqliteHuey

queue = SqliteHuey(filename=sys.argv[1])

@queue.task()
def item(_=None):
    subprocess.run(["sh", "-c", "true"], check=True)
    return 1

def work(_):
    while (task := queue.dequeue()) is not None:
        queue.execute(task)

for _ in range({items}):
    item()
with ThreadPoolExecutor({parallel}) as workers:
    list(workers.map(work, range({parallel})))
"""


def rivals() -> dict[str, Prepare | None]:
    """Return what prepares a chain of steps in each tool and returns its command; None where a tool is missing."""
    return {
        "bash, a marker file a step": _bash if found("bash") else None,
        "GNU make": _make if found("make") else None,
        "doit": _doit if found("doit") else None,
        "huey": _huey if _has_huey() else None,
        "go-task": _task if found("task") else None,
        "just, which keeps no state": _just if found("just") else None,
    }


def rivals_at_once() -> dict[str, Prepare | None]:
    """Return the same for items that need nothing of each other, `PARALLEL` of them at once."""
    return {
        "GNU parallel --joblog": _parallel if found("parallel") else None,
        f"GNU make -j{PARALLEL}": _make_items if found("make") else None,
        f"doit -n {PARALLEL}": _doit_items if found("doit") else None,
        f"huey, {PARALLEL} workers": _huey_items if _has_huey() else None,
        f"go-task -C {PARALLEL}": _task_items if found("task") else None,
    }


def found(name: str) -> str | None:
    """Return the path of a tool, one of our own set-up before one that the machine has."""
    return shutil.which(name, path=str(PEERS)) or shutil.which(name, path=str(NODE)) or shutil.which(name)


def _has_huey() -> bool:
    return any(PEERS.parent.glob("lib/python*/site-packages/huey"))


def _bash(place: Place, steps: int) -> Command:
    """Write a script that runs a program for each step whose marker does not stand, and leaves one."""
    folder = Path(tempfile.mkdtemp(prefix="bash-", dir=place.folder))
    loop = f"for ((i = 0; i < {steps}; i++)); do [ -e done-$i ] || {{ sh -c true && : > done-$i; }} || exit; done"
    (folder / "steps.sh").write_text(f"cd {folder}\n{loop}\n")
    return ["bash", str(folder / "steps.sh")]


def _task(place: Place, steps: int) -> Command:
    """Write a file in which each task has a status, a marker file, as go-task's documentation shows."""
    return _taskfile(place, steps, lambda i: f"    deps: [step-{i - 1}]\n" if i else "", [f"step-{steps - 1}"])


def _task_items(place: Place, items: int) -> Command:
    return _taskfile(place, items, lambda i: "", [f"step-{i}" for i in range(items)])


def _taskfile(place: Place, count: int, needs: Callable[[int], str], wanted: list[str]) -> Command:
    folder = Path(tempfile.mkdtemp(prefix="task-", dir=place.folder))
    tasks = [
        f"  step-{i}:\n{needs(i)}    cmds: [': > step-{i}.done']\n    status: [test -e step-{i}.done]\n"
        for i in range(count)
    ]
    everything = f"  default:\n    deps: [{', '.join(wanted)}]\n"
    (folder / "Taskfile.yml").write_text("version: '3'\nsilent: true\ntasks:\n" + everything + "".join(tasks))
    return [str(found("task")), "-C", str(PARALLEL), "-d", str(folder)]


def _just(place: Place, steps: int) -> Command:
    folder = Path(tempfile.mkdtemp(prefix="just-", dir=place.folder))
    recipes = [f"step-{i}: {f'step-{i - 1}' if i else ''}\n\t@true\n" for i in range(steps)]
    (folder / "justfile").write_text(f"default: step-{steps - 1}\n" + "".join(recipes))
    return [str(found("just")), "--justfile", str(folder / "justfile"), "--working-directory", str(folder)]


def _make(place: Place, steps: int) -> Command:
    """Write a makefile in which every target is a file that its recipe leaves behind."""
    folder = Path(tempfile.mkdtemp(prefix="make-", dir=place.folder))
    rules = [f"step-{i}: {f'step-{i - 1}' if i else ''}\n\t@: > step-{i}\n" for i in range(steps)]
    (folder / "Makefile").write_text(f"SHELL = sh\nall: step-{steps - 1}\n" + "".join(rules))
    return ["make", "-s", "-C", str(folder)]


def _doit(place: Place, steps: int) -> Command:
    folder = Path(tempfile.mkdtemp(prefix="doit-", dir=place.folder))
    (folder / "dodo.py").write_text(_DOIT.format(steps=steps))
    return [str(found("doit")), "-d", str(folder), "-f", str(folder / "dodo.py")]


def _huey(place: Place, steps: int) -> Command:
    folder = Path(tempfile.mkdtemp(prefix="huey-", dir=place.folder))
    (folder / "steps.py").write_text(_HUEY.format(steps=steps))
    return [str(PEERS / "python"), str(folder / "steps.py"), str(folder / "queue.db")]


def _parallel(place: Place, items: int) -> Command:
    folder = Path(tempfile.mkdtemp(prefix="parallel-", dir=place.folder))
    (folder / "items").write_text("".join(f"item-{i}\n" for i in range(items)))
    log, listed = str(folder / "joblog"), str(folder / "items")
    return [str(found("parallel")), "--will-cite", f"-j{PARALLEL}", "--joblog", log, "-a", listed, "true"]


def _make_items(place: Place, items: int) -> Command:
    folder = Path(tempfile.mkdtemp(prefix="make-", dir=place.folder))
    targets = " ".join(f"item-{i}" for i in range(items))
    (folder / "Makefile").write_text(f"SHELL = sh\nall: {targets}\n{targets}:\n\t@: > $@\n")
    return ["make", "-s", f"-j{PARALLEL}", "-C", str(folder)]


def _doit_items(place: Place, items: int) -> Command:
    folder = Path(tempfile.mkdtemp(prefix="doit-", dir=place.folder))
    (folder / "dodo.py").write_text(_DOIT_ITEMS.format(items=items))
    return [str(found("doit")), "-n", str(PARALLEL), "-d", str(folder), "-f", str(folder / "dodo.py")]


def _huey_items(place: Place, items: int) -> Command:
    folder = Path(tempfile.mkdtemp(prefix="huey-", dir=place.folder))
    (folder / "items.py").write_text(_HUEY_ITEMS.format(items=items, parallel=PARALLEL))
    return [str(PEERS / "python"), str(folder / "items.py"), str(folder / "queue.db")]
