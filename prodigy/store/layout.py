"""Where everything is: every path of a project, a run and the mirror, and nothing else knows one.

    <project>/.prodigy/                     Project
      .gitignore  counter  counter.lock
      checkpoints/<id>.json
      runs/<id>/                            RunFolder
        events-<generation>.jsonl  values/<sha256>  outputs/  lock  inbox/
    <PRODIGY_HOME>/state/<repo>/            Mirror
      project  checkpoints/<id>.json  values/<sha256>  known/<id>

Paths are computed without touching the disk; only the functions named `prepare…` make folders, each level by
itself: a link planted at any of them is refused. Only an id that `check_id` has passed reaches a path.
"""

import os
import pwd
import re
from collections.abc import Container, Iterator
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

import msgspec

from prodigy.errors import RunNotFound, StorageFailure
from prodigy.store.files import (
    existing_folder,
    locked,
    open_private,
    own_folders,
    private_folder,
    read_private,
    refused,
    remove_unfinished,
    write_atomically,
)
from prodigy.store.ignoring import ignore

STATE = ".prodigy"
NAME_CHARS_MAX = 60
PATH_BYTES_MAX = 64 * 1024
TRANSCRIPT = ".jsonl"  # ends the name of what claude prints while it is at work

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_EVENTS = re.compile(r"events-(0|[1-9][0-9]{0,8})\.jsonl")


def check_id(text: str) -> str:
    """Return `text` if it can be a workflow id or the beginning of one.

    Raises:
        RunNotFound: it is anything but `[A-Za-z0-9][A-Za-z0-9._-]{0,99}`; it is echoed escaped.
    """
    if not _ID.fullmatch(text):
        shown = ascii(text if len(text) <= 100 else text[:100] + "...")
        raise RunNotFound(
            f"{shown} is no workflow id: letters, digits, `.`, `_` and `-`, at most 100",
            hint="List the runs with `prodigy checkpoints list`.",
        )
    return text


def is_id(text: str) -> bool:
    """Whether `text` can be a workflow id or the beginning of one."""
    return _ID.fullmatch(text) is not None


def new_id(name: str, suffix: str) -> str:
    """Return the workflow id `<name>-<suffix>`; of a name that an id cannot hold, `stem_of` it and the suffix.

    Args:
        name: the workflow's name, or its file's stem.
        suffix: a few random letters and digits, which make the id unique.
    """
    return check_id(f"{stem_of(name)}-{suffix}")


def stem_of(name: str) -> str:
    """Return what the ids of a workflow of this name begin with: the name itself where an id can hold it.

    Else what an id cannot hold becomes `-`, at most `NAME_CHARS_MAX` characters are used, and a short digest of the
    name tells it from other names that look the same so.
    """
    plain = re.sub(r"[^A-Za-z0-9._-]", "-", name).lstrip("._-")[:NAME_CHARS_MAX]
    if plain and plain == name:
        return plain
    digest = blake2b(name.encode(errors="surrogatepass"), digest_size=3).hexdigest()
    return f"{plain.strip('-') or 'workflow'}-{digest}"


class RunFolder(msgspec.Struct, frozen=True):
    """The folder of one run."""

    path: Path

    def events(self, generation: int) -> Path:
        """Return the path of one generation's log."""
        return self.path / f"events-{generation}.jsonl"

    def generations(self) -> list[int]:
        """Return the generations that have a log, in order; none when the folder is missing.

        Raises:
            DamagedState: the folder is a symlink or somebody else's.
        """
        if not existing_folder(self.path):
            return []
        matches = map(_EVENTS.fullmatch, os.listdir(self.path))
        return sorted(int(match[1]) for match in matches if match)

    @property
    def values(self) -> Path:
        """The folder of values too large for the log."""
        return self.path / "values"

    @property
    def outputs(self) -> Path:
        """The folder of what steps printed."""
        return self.path / "outputs"

    def newest_output(self, epoch: int) -> Path | None:
        """Return the newest stdout file of an epoch: an earlier generation may have left one of the same number."""
        return self.newest_outputs({epoch}).get(epoch)

    def newest_outputs(self, epochs: Container[int]) -> dict[int, Path]:
        """Return the newest stdout file of each of these epochs that has one; the folder is listed once."""
        newest: dict[int, str] = {}
        with suppress(FileNotFoundError):
            for name in os.listdir(self.outputs):
                stem, _, suffix = name.partition(".")
                epoch = stem.partition("-")[0]
                if suffix == "err" or not epoch.isdecimal() or int(epoch) not in epochs:
                    continue
                newest[int(epoch)] = max(name, newest.get(int(epoch), ""), key=lambda one: (len(one), one))
        return {epoch: self.outputs / name for epoch, name in newest.items()}

    @property
    def lock(self) -> Path:
        """The file whose lock makes a process the run's owner."""
        return self.path / "lock"

    @property
    def inbox(self) -> Path:
        """The folder of orders to the run's owner."""
        return self.path / "inbox"


class Project(msgspec.Struct, frozen=True):
    """A project, known by the folder that holds its `.prodigy`."""

    root: Path

    @property
    def state(self) -> Path:
        """The `.prodigy` folder."""
        return self.root / STATE

    @property
    def counter(self) -> Path:
        """The file with the number of the last cook or resume."""
        return self.state / "counter"

    @property
    def counter_lock(self) -> Path:
        """The lock under which the counter changes."""
        return self.state / "counter.lock"

    @property
    def checkpoints(self) -> Path:
        """The folder of each run's latest checkpoint."""
        return self.state / "checkpoints"

    def checkpoint(self, workflow_id: str) -> Path:
        """Return the path of a run's latest checkpoint. An id that is none raises `RunNotFound`."""
        return self.checkpoints / f"{check_id(workflow_id)}.json"

    @property
    def runs(self) -> Path:
        """The folder of the runs' folders."""
        return self.state / "runs"

    def run(self, workflow_id: str) -> RunFolder:
        """Return the folder of a run, which need not exist. An id that is none raises `RunNotFound`."""
        return RunFolder(self.runs / check_id(workflow_id))


class Mirror(msgspec.Struct, frozen=True):
    """What the global folder keeps for one project: copies of its checkpoints and the values they name."""

    path: Path

    @property
    def checkpoints(self) -> Path:
        """The folder of the mirrored checkpoints."""
        return self.path / "checkpoints"

    def checkpoint(self, workflow_id: str) -> Path:
        """Return the path of a run's mirrored checkpoint. An id that is none raises `RunNotFound`."""
        return self.checkpoints / f"{check_id(workflow_id)}.json"

    @property
    def values(self) -> Path:
        """The folder of the values that mirrored checkpoints name."""
        return self.path / "values"

    @property
    def known(self) -> Path:
        """The folder with one empty file for each run that was started or trusted on this machine."""
        return self.path / "known"

    def knows(self, workflow_id: str) -> bool:
        """Whether the run was started or trusted on this machine by this user."""
        return existing_folder(self.known) and os.path.lexists(self.known / check_id(workflow_id))

    def learn(self, workflow_id: str) -> None:
        """Remember a run. It is not synced: after a power loss the operator may be asked for `--trust`.

        Raises:
            DamagedState: something that is no file of ours stands in its place.
            StorageFailure: the disk refused.
        """
        path = self.known / check_id(workflow_id)
        try:
            os.close(open_private(path, os.O_WRONLY | os.O_CREAT))
        except OSError as error:
            raise refused(path, error) from error

    @property
    def project(self) -> Path:
        """The file that holds the project's absolute path."""
        return self.path / "project"

    @property
    def lock(self) -> Path:
        """The lock under which mirrors are made and emptied; a run that begins waits for it."""
        return self.path.parent.with_name("state.lock")

    def root(self) -> Path | None:
        """Return the project's folder, or None when the mirror does not say.

        Raises:
            DamagedState: the folder or the file that says so is a symlink or no such thing, or absurdly long.
            OSError: what the system says otherwise.
        """
        if not existing_folder(self.path):
            return None
        try:
            data = read_private(self.project, bytes_max=PATH_BYTES_MAX)
        except FileNotFoundError:
            return None
        return Path(os.fsdecode(data.removesuffix(b"\n"))) if data.startswith(b"/") else None


def checkpoints_of(project: Project, mirror: Mirror | None, workflow_id: str) -> list[Path]:
    """Return the paths of a run's checkpoint: the project's own, then the mirrored copy where there is a mirror."""
    return [place.checkpoint(workflow_id) for place in (project, mirror) if place is not None]


def home() -> Path:
    """Return the global folder: `PRODIGY_HOME`, else `~/.prodigy`.

    Raises:
        StorageFailure: the user has no home folder.
    """
    if chosen := os.environ.get("PRODIGY_HOME"):
        return Path(os.path.realpath(chosen))  # whoever names it may name a link
    folder = _user_home()
    if folder is None:
        raise StorageFailure("this user has no home folder", hint="Set PRODIGY_HOME to a folder for global state.")
    return folder / STATE


def find_project(start: Path) -> Path:
    """Return the folder of the project that `start` belongs to, absolute and without links.

    That is the nearest folder upwards with a `.prodigy`, else the git top level, else `start` itself. The
    search ends at the git top level, at the home folder and before another user's folder. The global folder,
    which may be named `.prodigy` too, makes no project.
    """
    start = Path(os.path.realpath(start))
    for folder in _upwards(start):
        if _is_project(folder):
            return folder
        if os.path.lexists(folder / ".git"):
            return start if folder / STATE == _global_folder() else folder
    return start


def prepare(project: Project, *more: Path) -> None:
    """Make the project's folders, and `more` below them, durable and private, and have git ignore them.

    Raises:
        DamagedState: one of them is a symlink, no folder, or belongs to somebody else.
        StorageFailure: the disk refused.
    """
    own_folders(project.state, project.checkpoints, project.runs, *more)
    ignore(project.state)
    for path in (project.state, project.checkpoints):
        remove_unfinished(path)


def prepare_run(project: Project, workflow_id: str) -> RunFolder:
    """Make the folders of a run, and the project's, where they are missing, and return the run's.

    Raises:
        DamagedState, StorageFailure: as for `prepare`.
        RunNotFound: the id is none.
    """
    folder = project.run(workflow_id)
    prepare(project, folder.path, folder.values, folder.outputs, folder.inbox)
    for path in (folder.path, folder.values, folder.inbox):
        remove_unfinished(path)
    return folder


def find_mirror(project: Project) -> Mirror | None:
    """Return the project's mirror if it has one; nothing is made.

    Raises:
        DamagedState: a symlink stands in its place.
        StorageFailure: the user has no home folder.
    """
    return next((mirror for mirror in _candidates(project) if mirror.root() == project.root), None)


def prepare_mirror(project: Project) -> Mirror:
    """Return the project's mirror, made when missing, with its folders.

    It has the name of the project's folder, with a hash of its path when another project has that already.
    The choice is made under a lock, so that two first runs agree.

    Raises:
        DamagedState: a symlink or somebody else's folder stands in its place.
        StorageFailure: the global folder cannot be written. The run can go on without: a warning.
    """
    state = private_folder(home()) / "state"
    own_folders(state)
    with locked(state.with_name("state.lock")):
        try:
            mirror = find_mirror(project) or _claim(project)
        except OSError as error:
            raise refused(state, error) from error
    own_folders(mirror.path, mirror.checkpoints, mirror.values, mirror.known)
    for path in (mirror.path, mirror.checkpoints, mirror.values):
        remove_unfinished(path)
    return mirror


def mirrors() -> list[Mirror]:
    """Return the mirrors of all projects that this user has run, by name; nothing is made.

    Raises:
        DamagedState: the folder they are in is a symlink or somebody else's.
        StorageFailure: the user has no home folder.
    """
    state = home() / "state"
    if not existing_folder(state):
        return []
    with os.scandir(state) as entries:
        names = sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
    return [mirror for name in names if (mirror := Mirror(state / name)).root()]


def is_text(text: str) -> bool:
    """Whether a text from the command line or a folder is UTF-8, as all is that is written into a log."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def written_path(path: str) -> str:
    """Return a path as a log can hold it: one that is no UTF-8 byte for byte, behind a NUL, which no path has."""
    return path if is_text(path) else "\0" + os.fsencode(path).decode("latin-1")


def read_path(text: str) -> str:
    """Return the path that `written_path` has made a text of."""
    return os.fsdecode(text[1:].encode("latin-1")) if text.startswith("\0") else text


def _upwards(start: Path) -> Iterator[Path]:
    """Yield `start` and the folders above it, as far as a project is looked for."""
    boundary = _user_home()
    for folder in (start, *start.parents):
        if folder != start and not _is_mine(folder):
            return
        yield folder
        if folder == boundary or not _is_mine(folder):
            return


def _is_project(folder: Path) -> bool:
    """A link counts too: it is refused when it is used, rather than overlooked."""
    return os.path.lexists(folder / STATE) and folder / STATE != _global_folder()


def _is_mine(folder: Path) -> bool:
    try:
        return folder.stat().st_uid == os.geteuid()
    except OSError:
        return False


def _user_home() -> Path | None:
    try:
        folder = os.environ.get("HOME") or pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        return None
    return Path(os.path.realpath(folder))


def _global_folder() -> Path | None:
    try:
        return home()
    except StorageFailure:
        return None


def _candidates(project: Project) -> tuple[Mirror, Mirror]:
    """Return the two mirrors that a project may have: the plain name's, and the one with a hash."""
    state, name = home() / "state", project.root.name or "root"
    digest = blake2b(os.fsencode(project.root), digest_size=4).hexdigest()
    return Mirror(state / name), Mirror(state / f"{name[:NAME_CHARS_MAX]}-{digest}")


def _claim(project: Project) -> Mirror:
    """Take the first name that nobody has.

    A folder with checkpoints but no project is somebody's; an empty one is what a crash right here leaves.
    """
    plain, hashed = _candidates(project)
    mirror = hashed if plain.root() or os.path.lexists(plain.checkpoints) else plain
    own_folders(mirror.path)
    write_atomically(mirror.project, os.fsencode(project.root) + b"\n")
    return mirror
