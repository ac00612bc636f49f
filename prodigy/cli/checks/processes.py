"""Processes that a run left behind, and whether they can be seen at all."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from prodigy.cli.checks.finding import Examined, Finding, warning, wrong
from prodigy.runtime.processes.orphans import PROC, FoundProcess, find_marked, run_mark, why_blind
from prodigy.store.layout import Project

NAMED_MAX = 20


def left_processes(examined: Examined) -> Iterator[Finding]:
    """Yield the runs that nobody owns and whose processes still run."""
    for workflow_id, left in _left(examined.project, examined.ownerless).items():
        shown = ", ".join(map(str, left[:NAMED_MAX]))
        what = f"{workflow_id} has no owner, and these of its processes still run: {shown}"
        yield wrong("process", what, f"kill {' '.join(str(process.pid) for process in left)}")


def hidden_processes(_: Examined) -> Iterator[Finding]:
    """Yield why the processes of this machine cannot be seen."""
    if blind := why_blind():
        mend = "mount -t proc proc /proc" if sys.platform == "linux" else "Put `ps` on the PATH."
        yield warning("process", blind, mend)


def _left(project: Project, workflow_ids: list[str]) -> dict[str, list[FoundProcess]]:
    """Return the processes that carry the mark of one of these runs."""
    marks = {run_mark(project.run(workflow_id).path): workflow_id for workflow_id in workflow_ids}
    left: dict[str, list[FoundProcess]] = {}
    if not os.path.isdir(f"{PROC}/self"):
        for mark, workflow_id in marks.items():
            if found := find_marked((mark,), (os.getpid(),)):
                left[workflow_id] = found
        return left
    for process in find_marked((), (os.getpid(),)):
        for entry in _environment(process.pid):
            if owner := marks.get(entry):
                left.setdefault(owner, []).append(process)
    return left


def _environment(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []
