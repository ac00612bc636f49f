"""The project's folder and its mirror: modes, links, leftovers, and the file system that they are on."""

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from prodigy.cli.checks.finding import Examined, Finding, quoted, remove, warning, wrong
from prodigy.errors import ProdigyError
from prodigy.plan.phrases import agreeing, counted
from prodigy.store.files import is_unfinished
from prodigy.store.layout import home

# Where a lock or a sync may mean less than it says.
REMOTE = frozenset(
    ["nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre", "fuse.sshfs", "drvfs", "v9fs"]
)
# Made for people, in `.prodigy`: they may have any mode.
PUBLIC = frozenset([".gitignore", "config.yml", "templates", "workflow.schema.json"])


def global_folder(_: Examined) -> Iterator[Finding]:
    """Yield why the global folder takes no copies: without them a run can be lost with its project."""
    try:
        folder = home()
    except ProdigyError as problem:
        yield wrong("home", problem.message, "export PRODIGY_HOME=/a/folder/of/yours")
        return
    there = folder
    while not os.path.lexists(there):
        there = there.parent
    if not there.is_dir():
        yield wrong("home", f"{there} is no folder, so nothing is mirrored", f"rm {quoted(there)}")
    elif not os.access(there, os.W_OK | os.X_OK):
        what = f"{there} cannot be written, so nothing is mirrored and resume will need --trust"
        yield wrong("home", what, _once_ours(there, f"chmod u+rwx {quoted(there)}"))


def kept_folders(examined: Examined) -> Iterator[Finding]:
    """Yield what should not be in the project's folder or in its mirror, and where locks may mean little there."""
    for top in (examined.project.state, examined.mirror.path if examined.mirror else None):
        if top is not None and os.path.lexists(top):
            yield from _files(top)
            yield from _remote(top)


def _files(top: Path) -> Iterator[Finding]:
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
        yield wrong("link", what, f"ls -l {quoted(path)}; rm {quoted(path)}")
    if foreign:
        verb = agreeing(len(foreign), "belongs", "belong")
        what = f"{counted(len(foreign), 'file')} in {top} {verb} to somebody else, {foreign[0]} among them"
        yield wrong("mode", what, f"sudo chown -R {os.geteuid()} {quoted(top)}")
    if open_:
        what = f"others can read or change {counted(len(open_), 'file')} in {top}, {open_[0]} among them"
        yield wrong("mode", what, f"chmod -R go= {quoted(top)}")
    if temporary:
        what = f"{counted(len(temporary), 'file')} in {top} began to be written and never ended"
        yield wrong("leftover", what, remove(temporary))


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
        if path == top or path.relative_to(top).parts[0] not in PUBLIC:
            yield path, status


def _remote(path: Path) -> Iterator[Finding]:
    kind = file_system(path)
    if kind in REMOTE:
        what = f"{path} is on {kind}: a lock or a sync may mean less there than it says, and two could own one run"
        yield warning("file-system", what, "Keep the project, or PRODIGY_HOME, on a local disk.")


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


def _once_ours(path: Path, command: str) -> str:
    """Return the command for a path of ours; one of somebody else must change hands first."""
    return command if path.lstat().st_uid == os.geteuid() else f"sudo chown {os.geteuid()} {quoted(path)} && {command}"
