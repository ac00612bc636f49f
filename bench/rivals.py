"""The same steps in other tools, one after another and ten at once: GNU make, GNU parallel, doit and huey.

Each is given what its own documentation shows for such work, with the state it keeps by default, and no sync. Those
that are not installed are left out.
"""

import importlib.util
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from bench.place import Place

Command = list[str]

PARALLEL = 10

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


def rivals() -> dict[str, Callable[[Place, int], Command] | None]:
    """Return what prepares a chain of steps in each tool and returns its command; None where a tool is missing."""
    return {
        "GNU make": _make if shutil.which("make") else None,
        "doit": _doit if importlib.util.find_spec("doit") else None,
        "huey": _huey if importlib.util.find_spec("huey") else None,
    }


def rivals_at_once() -> dict[str, Callable[[Place, int], Command] | None]:
    """Return the same for items that need nothing of each other, `PARALLEL` of them at once."""
    return {
        "GNU parallel --joblog": _parallel if shutil.which("parallel") else None,
        f"GNU make -j{PARALLEL}": _make_items if shutil.which("make") else None,
        f"doit -n {PARALLEL}": _doit_items if importlib.util.find_spec("doit") else None,
        f"huey, {PARALLEL} workers": _huey_items if importlib.util.find_spec("huey") else None,
    }


def _make(place: Place, steps: int) -> Command:
    """Write a makefile in which every target is a file that its recipe leaves behind."""
    folder = Path(tempfile.mkdtemp(prefix="make-", dir=place.folder))
    rules = [f"step-{i}: {f'step-{i - 1}' if i else ''}\n\t@: > step-{i}\n" for i in range(steps)]
    (folder / "Makefile").write_text(f"SHELL = sh\nall: step-{steps - 1}\n" + "".join(rules))
    return ["make", "-s", "-C", str(folder)]


def _doit(place: Place, steps: int) -> Command:
    folder = Path(tempfile.mkdtemp(prefix="doit-", dir=place.folder))
    (folder / "dodo.py").write_text(_DOIT.format(steps=steps))
    return [sys.executable, "-m", "doit", "-d", str(folder), "-f", str(folder / "dodo.py")]


def _huey(place: Place, steps: int) -> Command:
    folder = Path(tempfile.mkdtemp(prefix="huey-", dir=place.folder))
    (folder / "steps.py").write_text(_HUEY.format(steps=steps))
    return [sys.executable, str(folder / "steps.py"), str(folder / "queue.db")]


def _parallel(place: Place, items: int) -> Command:
    folder = Path(tempfile.mkdtemp(prefix="parallel-", dir=place.folder))
    (folder / "items").write_text("".join(f"item-{i}\n" for i in range(items)))
    log, listed = str(folder / "joblog"), str(folder / "items")
    return ["parallel", "--will-cite", f"-j{PARALLEL}", "--joblog", log, "-a", listed, "true"]


def _make_items(place: Place, items: int) -> Command:
    folder = Path(tempfile.mkdtemp(prefix="make-", dir=place.folder))
    targets = " ".join(f"item-{i}" for i in range(items))
    (folder / "Makefile").write_text(f"SHELL = sh\nall: {targets}\n{targets}:\n\t@: > $@\n")
    return ["make", "-s", f"-j{PARALLEL}", "-C", str(folder)]


def _doit_items(place: Place, items: int) -> Command:
    folder = Path(tempfile.mkdtemp(prefix="doit-", dir=place.folder))
    (folder / "dodo.py").write_text(_DOIT_ITEMS.format(items=items))
    return [sys.executable, "-m", "doit", "-n", str(PARALLEL), "-d", str(folder), "-f", str(folder / "dodo.py")]


def _huey_items(place: Place, items: int) -> Command:
    folder = Path(tempfile.mkdtemp(prefix="huey-", dir=place.folder))
    (folder / "items.py").write_text(_HUEY_ITEMS.format(items=items, parallel=PARALLEL))
    return [sys.executable, str(folder / "items.py"), str(folder / "queue.db")]
