"""`doctor`: compare what the logs say with what is there, and print what mends each difference. It mends nothing.

Looked at are the runs of this project (owners, checkpoints, mirror, left processes), its folder (modes, links,
leftovers), the global folder, and the programs that steps need. Nothing is written, not even a lock is kept.
"""

import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import typer

from prodigy import __version__
from prodigy.cli.output.answers import print_json
from prodigy.cli.program import program
from prodigy.cli.projects import mirror_of, project_here
from prodigy.cli.rescue import least_costly
from prodigy.errors import DamagedState, ExitCode, ProdigyError
from prodigy.plan.phrases import agreeing, counted
from prodigy.runtime.orphans import PROC, Found, find_marked, run_mark, why_blind
from prodigy.runtime.terminal import visible
from prodigy.store.catalog import cleaned_ids, mirrored_ids, workflow_ids
from prodigy.store.checkpoints import read_own_checkpoint
from prodigy.store.files import is_unfinished, read_private
from prodigy.store.generation import Generation
from prodigy.store.history import read_history
from prodigy.store.layout import Mirror, Project, RunFolder, home
from prodigy.store.lock import holder
from prodigy.store.moved import moved_from
from prodigy.store.unbegun import never_began
from prodigy.store.values import digests_in

VERSION_WAIT_S = 5.0
NAMED_MAX = 20
# Where a lock or a sync may mean less than it says.
REMOTE = frozenset(
    ["nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre", "fuse.sshfs", "drvfs", "v9fs"]
)
# Made for people, in `.prodigy`: they may have any mode.
PUBLIC = frozenset([".gitignore", "config.yml", "templates", "workflow.schema.json"])

_DIGEST = re.compile(r"[0-9a-f]{64}")


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One difference between what should be and what is; `mend` is the command that mends it, `check` its kind."""

    check: str
    severity: Literal["wrong", "warning"]
    what: str
    mend: str


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What the doctor looked at. A version is null where the program is not there."""

    project: str
    home: str
    runs: int
    versions: dict[str, str | None]


def doctor(json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False) -> None:
    """Compare the logs with reality and print what mends each difference; mends nothing itself.

    Exits with 0 when nothing is wrong, else with 1. A warning alone is nothing wrong.
    """
    project = project_here()
    facts, findings = _facts(project), list(examined(project))
    if json:
        print_json({"schema_version": 1, **msgspec.to_builtins(facts), "findings": findings})
    else:
        _print(facts, findings)
    if any(finding.severity == "wrong" for finding in findings):
        raise typer.Exit(ExitCode.FAILED)


def examined(project: Project) -> Iterator[Finding]:
    """Yield everything that is not as it should be, what matters most first."""
    mirror = mirror_of(project)
    is_usable = not project.state.is_symlink() and project.state.is_dir()
    if is_usable:
        yield from _of_runs(project, mirror)
    yield from _of_lost_runs(project, mirror)
    yield from _of_sight()
    yield from _of_home()
    for top in (project.state, mirror.path if mirror else None):
        if top is not None and os.path.lexists(top):
            yield from _of_folder(top)
            yield from _of_file_system(top)


# Runs -------------------------------------------------------------------------------------------------------


def _of_runs(project: Project, mirror: Mirror | None) -> Iterator[Finding]:
    try:
        ids = workflow_ids(project)
    except ProdigyError:
        return  # a link or the like in the place of a folder, which is found below
    ownerless = []
    for workflow_id in ids:
        try:
            if holder(project.run(workflow_id).lock) is None:
                ownerless.append(workflow_id)
        except (ProdigyError, OSError) as problem:
            lock = project.run(workflow_id).lock
            yield _wrong("lock", f"the lock of {workflow_id} cannot be read: {problem}", f"rm -r {_quoted(lock)}")
    yield from _of_left_processes(project, ownerless)
    for workflow_id in ownerless:
        yield from _of_run(project, mirror, workflow_id)


def _of_run(project: Project, mirror: Mirror | None, workflow_id: str) -> Iterator[Finding]:
    """A run that nobody owns: its log, its checkpoint, its mirror and its values should agree."""
    folder = project.run(workflow_id)
    if never_began(project, workflow_id, mirror):
        what = f"{workflow_id} was killed before anything was started; a later cook removes its empty folder"
        yield _warning("leftover", what, f"rm -r {_quoted(folder.path)}")
        return
    if not folder.generations():
        yield _of_lost_log(project, mirror, workflow_id)
        return
    found = read_own_checkpoint(project.checkpoint(workflow_id), workflow_id)
    try:
        history = read_history(folder, found.checkpoint)
    except (ProdigyError, OSError) as problem:
        yield _wrong("log", str(problem), _way_out(project, mirror, workflow_id) or _remove_run(workflow_id))
        return
    state = history.state
    if state.origin is None:
        mend = _way_out(project, mirror, workflow_id) or f"rm -r {_quoted(folder.path)}"
        yield _wrong("log", f"{workflow_id} was never started: its log is empty", mend)
        return
    if state.status == "running":
        what = f"{workflow_id} says running, and no process owns it: it was killed, or the machine stopped"
        yield _wrong("owner", what, _resume(workflow_id))
    else:
        reason = found.problem or ", ".join(history.notes)
        if found.checkpoint is None:
            reason = reason or "there is none"
        elif not history.is_current:
            reason = reason or "it is older than the log"
        if reason:
            yield _wrong("checkpoint", f"the checkpoint of {workflow_id}: {reason}", _repair(workflow_id))
    if mirror is not None and not mirror.knows(workflow_id) and state.status != "completed":
        yield _of_stranger(project, workflow_id)
    if found.checkpoint is not None:  # else what it would name is not known: it is made again first
        yield from _of_values(project, mirror, folder)


def _of_stranger(project: Project, workflow_id: str) -> Finding:
    """A run that the mirror here does not know: its project was moved, or it comes from elsewhere."""
    if (moved := moved_from(project, workflow_id)) is not None and moved.is_same and not moved.is_copy:
        return _warning("trust", f"the project of {workflow_id} was moved here from {moved.root}", _resume(workflow_id))
    what = f"{workflow_id} was not started on this machine by this user; resume asks whether you trust it"
    return _warning("trust", what, _resume(workflow_id, "--trust"))


def _of_lost_log(project: Project, mirror: Mirror | None, workflow_id: str) -> Finding:
    folder = project.run(workflow_id).path
    if way := _way_out(project, mirror, workflow_id):
        return _wrong("log", f"the log of {workflow_id} is gone; a copy of its checkpoint is left", way)
    return _wrong(
        "leftover",
        f"{workflow_id} has no log; what is left in its folder belongs to nothing",
        f"rm -r {_quoted(folder)}",
    )


def _way_out(project: Project, mirror: Mirror | None, workflow_id: str) -> str | None:
    return least_costly(project, mirror, workflow_id)


def _remove_run(workflow_id: str) -> str:
    return f"{program()} checkpoints clean --workflow-id {workflow_id} --purge"


def _of_values(project: Project, mirror: Mirror | None, folder: RunFolder) -> Iterator[Finding]:
    """Values that neither a log nor a checkpoint names: a crash came between them and their event."""
    if not (there := _names(folder.values)):
        return
    for generation in folder.generations():
        there -= Generation(folder, generation).digests()
    copies = [project.checkpoint(folder.path.name), *([mirror.checkpoint(folder.path.name)] if mirror else [])]
    for copy in copies:
        with suppress(OSError, DamagedState):
            there -= digests_in(read_private(copy))
    unnamed = sorted(there)
    if unnamed:
        what = f"{folder.path.name} keeps {_count(unnamed, 'value')} that nothing names"
        yield _warning("leftover", what, _remove(folder.values / name for name in unnamed))


def _names(folder: Path) -> set[str]:
    try:
        return {name for name in os.listdir(folder) if _DIGEST.fullmatch(name)}
    except OSError:
        return set()


def _of_lost_runs(project: Project, mirror: Mirror | None) -> Iterator[Finding]:
    """What is left of runs whose folder is gone: a copy in the mirror, or only a checkpoint."""
    try:
        there, mirrored = {*workflow_ids(project), *cleaned_ids(project)}, mirrored_ids(mirror)
    except ProdigyError:
        return
    for workflow_id in mirrored:
        if workflow_id not in there:
            what = f"the folder of {workflow_id} is gone; its mirror is left"
            yield _wrong("lost", what, _resume(workflow_id, "--from-checkpoint", "mirror"))
    for path in sorted(project.checkpoints.glob("*.json")) if project.checkpoints.is_dir() else []:
        if path.stem not in there and path.stem not in mirrored and not path.is_symlink():
            yield _wrong("leftover", f"{path.name} is the checkpoint of a run that is gone", _remove([path]))


# Processes --------------------------------------------------------------------------------------------------


def _of_left_processes(project: Project, workflow_ids: list[str]) -> Iterator[Finding]:
    for workflow_id, left in _left(project, workflow_ids).items():
        shown = ", ".join(map(str, left[:NAMED_MAX]))
        what = f"{workflow_id} has no owner, and these of its processes still run: {shown}"
        yield _wrong("process", what, f"kill {' '.join(str(process.pid) for process in left)}")


def _left(project: Project, workflow_ids: list[str]) -> dict[str, list[Found]]:
    """Return the processes that carry the mark of one of these runs."""
    marks = {run_mark(project.run(workflow_id).path): workflow_id for workflow_id in workflow_ids}
    left: dict[str, list[Found]] = {}
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


def _of_sight() -> Iterator[Finding]:
    if blind := why_blind():
        mend = "mount -t proc proc /proc" if sys.platform == "linux" else "Put `ps` on the PATH."
        yield _warning("process", blind, mend)


# Folders ----------------------------------------------------------------------------------------------------


def _of_home() -> Iterator[Finding]:
    """The global folder must take copies; without it a run can be lost with its project."""
    try:
        folder = home()
    except ProdigyError as problem:
        yield _wrong("home", problem.message, "export PRODIGY_HOME=/a/folder/of/yours")
        return
    there = folder
    while not os.path.lexists(there):
        there = there.parent
    if not there.is_dir():
        yield _wrong("home", f"{there} is no folder, so nothing is mirrored", f"rm {_quoted(there)}")
    elif not os.access(there, os.W_OK | os.X_OK):
        what = f"{there} cannot be written, so nothing is mirrored and resume will need --trust"
        yield _wrong("home", what, _owned(there, f"chmod u+rwx {_quoted(there)}"))


def _of_folder(top: Path) -> Iterator[Finding]:
    """Links, open modes, other people's files and half-written ones, anywhere below `top`."""
    strange, open_, foreign, temporary = list[Path](), list[Path](), list[Path](), list[Path]()
    for path, status in _below(top):
        mode = status.st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            strange.append(path)
        elif status.st_uid != os.geteuid():
            foreign.append(path)
        elif stat.S_IMODE(mode) & 0o077:
            open_.append(path)
        if is_unfinished(path):
            temporary.append(path)
    for path in strange:
        what = f"{path} is {'a symlink' if path.is_symlink() else 'no file'}; prodigy never makes such a thing"
        yield _wrong("link", what, f"ls -l {_quoted(path)}; rm {_quoted(path)}")
    if foreign:
        verb = agreeing(len(foreign), "belongs", "belong")
        what = f"{_count(foreign, 'file')} in {top} {verb} to somebody else, {foreign[0]} among them"
        yield _wrong("mode", what, f"sudo chown -R {os.geteuid()} {_quoted(top)}")
    if open_:
        what = f"others can read or change {_count(open_, 'file')} in {top}, {open_[0]} among them"
        yield _wrong("mode", what, f"chmod -R go= {_quoted(top)}")
    if temporary:
        what = f"{_count(temporary, 'file')} in {top} began to be written and never ended"
        yield _wrong("leftover", what, _remove(temporary))


def _below(top: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Yield every path from `top` down with its status. Links are not followed, what people may share is left out."""
    stack = [top]
    while stack:
        path = stack.pop()
        try:
            status = path.lstat()
            if stat.S_ISDIR(status.st_mode):
                stack += sorted((path / name for name in os.listdir(path)), reverse=True)
        except OSError:
            continue
        if not (path.parent == top and path.name in PUBLIC) and not _is_public(path, top):
            yield path, status


def _is_public(path: Path, top: Path) -> bool:
    return path != top and path.relative_to(top).parts[0] in PUBLIC


def _of_file_system(path: Path) -> Iterator[Finding]:
    kind = file_system(path)
    if kind in REMOTE:
        what = f"{path} is on {kind}: a lock or a sync may mean less there than it says, and two could own one run"
        yield _warning("file-system", what, "Keep the project, or PRODIGY_HOME, on a local disk.")


def file_system(path: Path) -> str | None:
    """Return the type of the file system that a path is on, where the system says so (Linux)."""
    try:
        mounts = Path("/proc/self/mountinfo").read_text(errors="surrogateescape").splitlines()
    except OSError:
        return None
    return file_system_in(mounts, os.path.realpath(path))


def file_system_in(mounts: list[str], path: str) -> str | None:
    """Return the type of the file system of `path` by the lines of a `mountinfo`, the last of the longest matching."""
    best, kind = -1, None
    for line in mounts:
        before, _, after = line.partition(" - ")
        fields = before.split()
        if len(fields) < 5 or not after:
            continue
        point = re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), fields[4])
        if (path == point or path.startswith(point.rstrip("/") + "/")) and len(point) >= best:
            best, kind = len(point), after.split()[0]
    return kind


# Facts and words --------------------------------------------------------------------------------------------


def _facts(project: Project) -> Facts:
    try:
        folder, count = str(home()), len(workflow_ids(project))
    except ProdigyError:
        folder, count = os.environ.get("PRODIGY_HOME", ""), 0
    versions: dict[str, str | None] = {"prodigy": __version__, "python": ".".join(map(str, sys.version_info[:3]))}
    versions |= {name: _version(name) for name in ("git", "claude")}
    return Facts(project=str(project.root), home=folder, runs=count, versions=versions)


def _version(program: str) -> str | None:
    """Return the version that a program says it has, and where it is where it says none; None where it is not there."""
    path = shutil.which(program)
    return path and (_said_version(path) or f"unknown, at {path}")


def _said_version(path: str) -> str | None:
    try:
        done = subprocess.run(
            (path, "--version"), stdin=subprocess.DEVNULL, capture_output=True, timeout=VERSION_WAIT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(r"\d+(\.\d+)+", done.stdout[:1000].decode(errors="replace"))
    return match[0] if match else None


def _print(facts: Facts, findings: list[Finding]) -> None:
    versions = (f"{name} {version or 'not found'}" for name, version in facts.versions.items())
    print("  ".join(versions))
    print(f"project  {visible(facts.project)}  {_count(range(facts.runs), 'run')}")
    print(f"home     {visible(facts.home)}")
    for finding in findings:
        print(f"\n{'✗' if finding.severity == 'wrong' else '!'} {visible(finding.what)}")
        print(f"    {visible(finding.mend)}")
    wrong = [finding for finding in findings if finding.severity == "wrong"]
    print(f"\n{_count(wrong, 'thing')} {agreeing(len(wrong), 'is', 'are')} wrong" if wrong else "\nnothing is wrong")


def _wrong(check: str, what: str, mend: str) -> Finding:
    return Finding(check=check, severity="wrong", what=what, mend=mend)


def _warning(check: str, what: str, mend: str) -> Finding:
    return Finding(check=check, severity="warning", what=what, mend=mend)


def _resume(workflow_id: str, *options: str) -> str:
    return " ".join([program(), "resume", workflow_id, *options])


def _repair(workflow_id: str) -> str:
    return f"{program()} checkpoints validate {workflow_id} --repair"


def _remove(paths: Iterable[Path]) -> str:
    return f"rm {' '.join(map(_quoted, paths))}"


def _owned(path: Path, command: str) -> str:
    """Return the command for a path of ours; one of somebody else must change hands first."""
    return command if path.lstat().st_uid == os.geteuid() else f"sudo chown {os.geteuid()} {_quoted(path)} && {command}"


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))


def _count(things: Iterable[object], name: str) -> str:
    number = sum(1 for _ in things)
    return counted(number, name)
