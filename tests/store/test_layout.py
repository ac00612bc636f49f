"""Where everything is: the project, its folders, a run's, and the mirror; and no link leads out of them."""

import itertools
import os
import shutil
import stat
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from prodigy.errors import DamagedState, RunNotFound, StorageFailure
from prodigy.store.layout import (
    Mirror,
    Project,
    RunFolder,
    check_id,
    find_mirror,
    find_project,
    home,
    mirrors,
    new_id,
    prepare,
    prepare_mirror,
    prepare_run,
)


class Killed(BaseException):
    """The process is gone at this system call."""


@pytest.fixture(autouse=True)
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user whose home is the test's folder, so that no search leaves it."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("PRODIGY_HOME", raising=False)
    return tmp_path


@pytest.fixture
def project(user: Path) -> Project:
    return Project(folder(user / "code" / "app"))


def folder(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    return path


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.mark.parametrize("text", ["a", "7", "data-pipeline-k3x9f2", "A.b_c-d", "x" * 100])
def test_an_id_is_letters_digits_and_three_signs(text: str) -> None:
    """A good id passes unchanged."""
    assert check_id(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", "''"),
        (".", "'.'"),
        ("..", "'..'"),
        ("../../etc/passwd", "'../../etc/passwd'"),
        ("/etc/passwd", "'/etc/passwd'"),
        ("-h", "'-h'"),
        ("--force", "'--force'"),
        ("a/b", "'a/b'"),
        ("a\n", r"'a\n'"),
        ("a\0b", r"'a\x00b'"),
        ("\x1b[2J", r"'\x1b[2J'"),
        ("é", r"'\xe9'"),
        ("\u202e", r"'\u202e'"),
        ("x" * 101, "'" + "x" * 100 + "...'"),
        ("y" * 5000, "'" + "y" * 100 + "...'"),
    ],
)
def test_anything_else_is_no_id_and_reaches_no_path(project: Project, text: str, shown: str) -> None:
    """It is refused with exit 6 and echoed escaped and short."""
    for use in (check_id, project.run, project.checkpoint, Mirror(project.root).checkpoint):
        with pytest.raises(RunNotFound) as caught:
            use(text)
        assert caught.value.message.startswith(f"{shown} is no workflow id")


@pytest.mark.parametrize(
    ("name", "workflow_id"),
    [
        ("data-pipeline", "data-pipeline-k3x9f2"),
        ("My workflow: v2", "My-workflow--v2-9f7496-k3x9f2"),
        ("../../etc", "etc-d5994f-k3x9f2"),
        ("--force", "force-5e0ec8-k3x9f2"),
        ("日本", "workflow-4cb764-k3x9f2"),
        ("", "workflow-cec7ea-k3x9f2"),
        ("é", "workflow-092ff1-k3x9f2"),
        ("x" * 200, "x" * 60 + "-28d0d9-k3x9f2"),
    ],
)
def test_a_new_id_is_the_name_as_far_as_an_id_can_hold_it(name: str, workflow_id: str) -> None:
    """What an id cannot hold becomes `-`, and a digest of the name tells it from others; no sign stands first."""
    assert new_id(name, "k3x9f2") == workflow_id


def test_every_path_of_a_project(project: Project) -> None:
    """The layout that people are promised."""
    run = project.run("demo-k3x9f2")
    paths = {
        ".prodigy": project.state,
        ".prodigy/counter": project.counter,
        ".prodigy/counter.lock": project.counter_lock,
        ".prodigy/checkpoints": project.checkpoints,
        ".prodigy/checkpoints/demo-k3x9f2.json": project.checkpoint("demo-k3x9f2"),
        ".prodigy/runs": project.runs,
        ".prodigy/runs/demo-k3x9f2": run.path,
        ".prodigy/runs/demo-k3x9f2/events-2.jsonl": run.events(2),
        ".prodigy/runs/demo-k3x9f2/values": run.values,
        ".prodigy/runs/demo-k3x9f2/outputs": run.outputs,
        ".prodigy/runs/demo-k3x9f2/lock": run.lock,
        ".prodigy/runs/demo-k3x9f2/inbox": run.inbox,
    }
    assert {str(path.relative_to(project.root)): path for path in paths.values()} == paths


def test_generations_are_those_that_have_a_log_in_order(tmp_path: Path) -> None:
    """As numbers, not as text; other files beside the logs are none."""
    names = ["events-10.jsonl", "events-2.jsonl", "events-1.jsonl", "events-1.jsonl.torn-7-00000000"]
    for name in [*names, "events-03.jsonl", "events-x.jsonl", ".events-4.jsonl.0.tmp", "lock"]:
        (tmp_path / name).touch()
    assert RunFolder(tmp_path).generations() == [1, 2, 10]


def test_a_run_that_is_missing_has_no_generations(tmp_path: Path) -> None:
    """Asking makes nothing."""
    assert (RunFolder(tmp_path / "run").generations(), list(tmp_path.iterdir())) == ([], [])


def test_a_run_that_is_a_link_is_refused(tmp_path: Path) -> None:
    """A link planted in the place of a run is not listed."""
    folder(tmp_path / "victim")
    (tmp_path / "run").symlink_to(tmp_path / "victim")
    with pytest.raises(DamagedState, match="symlink"):
        RunFolder(tmp_path / "run").generations()


def test_the_global_folder_is_in_the_users_home(user: Path) -> None:
    """`~/.prodigy` where nothing else is said, and where the variable is empty."""
    assert home() == user / ".prodigy"


def test_prodigy_home_is_empty_means_unset(user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty variable chooses nothing."""
    monkeypatch.setenv("PRODIGY_HOME", "")
    assert home() == user / ".prodigy"


def test_prodigy_home_replaces_it(user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Relative to the working directory, and through a link if the user names one."""
    folder(user / "elsewhere")
    (user / "link").symlink_to(user / "elsewhere")
    monkeypatch.chdir(user)
    monkeypatch.setenv("PRODIGY_HOME", "link/state")
    assert home() == user / "elsewhere" / "state"


def test_a_user_without_a_home_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a container without a user there may be none: a failure that is only a warning."""
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(os, "getuid", lambda: 2**31 - 2)
    with pytest.raises(StorageFailure, match="no home folder"):
        home()


def test_the_nearest_folder_with_state_is_the_project(user: Path) -> None:
    """Not the outermost one, and not the folder itself."""
    folder(user / "a" / ".prodigy")
    folder(user / "a" / "b" / ".prodigy")
    assert find_project(folder(user / "a" / "b" / "c" / "d")) == user / "a" / "b"


def test_without_state_the_git_top_level_is_the_project(user: Path) -> None:
    """Which may be a folder or, in a worktree, a file."""
    folder(user / "a" / ".git")
    folder(user / "w").joinpath(".git").write_text("gitdir: elsewhere\n")
    assert find_project(folder(user / "a" / "b")) == user / "a"
    assert find_project(folder(user / "w" / "b")) == user / "w"


def test_without_either_the_folder_itself_is_the_project(user: Path) -> None:
    """A workflow runs anywhere."""
    assert find_project(folder(user / "a" / "b")) == user / "a" / "b"


def test_state_above_the_git_top_level_is_another_projects(user: Path) -> None:
    """A repository below another project's folder is its own project."""
    folder(user / "a" / ".prodigy")
    folder(user / "a" / "repo" / ".git")
    assert find_project(folder(user / "a" / "repo" / "b")) == user / "a" / "repo"


def test_state_above_the_home_folder_is_not_ours(user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The search ends at home; home itself may be a project when the global folder is elsewhere."""
    monkeypatch.setenv("HOME", str(folder(user / "me")))
    folder(user / ".prodigy")
    assert find_project(folder(user / "me" / "a")) == user / "me" / "a"
    folder(user / "me" / ".prodigy")
    monkeypatch.setenv("PRODIGY_HOME", str(user / "global"))
    assert find_project(user / "me" / "a") == user / "me"


def test_the_global_folder_makes_no_project(user: Path) -> None:
    """`~/.prodigy` does not turn home into a project, nor does a repository of home's own."""
    folder(user / ".prodigy")
    assert find_project(folder(user / "a")) == user / "a"
    folder(user / ".git")
    assert find_project(user / "a") == user / "a"


def test_the_search_ends_before_another_users_folder(user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What somebody else has put into a folder of theirs does not become our project."""
    for name in (".prodigy", ".git"):
        folder(user / "theirs" / name)
    start = folder(user / "theirs" / "mine" / "a")
    belongs_to_another(user / "theirs", monkeypatch)
    assert find_project(start) == start


def test_the_search_does_not_leave_another_users_folder(user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever works in somebody else's folder works there."""
    folder(user / "mine" / ".prodigy")
    start = folder(user / "mine" / "theirs")
    belongs_to_another(start, monkeypatch)
    assert find_project(start) == start


def belongs_to_another(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.stat

    def strange(path: Any, **named: Any) -> os.stat_result:
        status = list(real(path, **named))
        status[stat.ST_UID] += Path(path) == folder
        return os.stat_result(status)

    monkeypatch.setattr(os, "stat", strange)


def test_a_link_is_resolved_before_the_search(user: Path) -> None:
    """A project has one name, however one came there."""
    folder(user / "a" / ".prodigy")
    (user / "link").symlink_to(folder(user / "a" / "b"))
    assert find_project(user / "link") == user / "a"


def test_planted_state_is_found_and_then_refused(user: Path) -> None:
    """A `.prodigy` that is a link is not overlooked; its victim stays as it was."""
    folder(user / "victim")
    folder(user / "a").joinpath(".prodigy").symlink_to(user / "victim")
    found = find_project(folder(user / "a" / "b"))
    assert found == user / "a"
    with pytest.raises(DamagedState, match="symlink"):
        prepare(Project(found))
    assert list((user / "victim").iterdir()) == []


def test_the_folders_of_a_run_are_private(project: Project) -> None:
    """All of them exist afterwards with mode 0700, and it can be done again."""
    run = prepare_run(project, "demo-k3x9f2")
    assert prepare_run(project, "demo-k3x9f2") == run == project.run("demo-k3x9f2")
    made = [path for path in project.state.rglob("*") if path.is_dir()]
    assert {path: mode_of(path) for path in [project.state, *made]} == dict.fromkeys(
        [project.state, project.checkpoints, project.runs, run.path, run.values, run.outputs, run.inbox],
        0o700,
    )


def test_the_next_owner_puts_away_what_killed_writers_left(project: Project) -> None:
    """In every folder that files are replaced in, the mirror's too."""
    folder, mirror = prepare_run(project, "demo-1"), prepare_mirror(project)
    places = (project.state, project.checkpoints, folder.path, folder.values, folder.inbox)
    mirrored = (mirror.path, mirror.checkpoints, mirror.values)
    left = [place / ".x.0123456789abcdef.tmp" for place in places + mirrored]
    for path in left:
        path.touch()
    prepare_run(project, "demo-1")
    prepare_mirror(project)
    assert [] == [path for path in left if path.exists()]


@pytest.mark.parametrize("name", ["runs", "checkpoints", "runs/demo-k3x9f2", "runs/demo-k3x9f2/inbox"])
def test_a_link_at_any_level_is_refused(project: Project, user: Path, name: str) -> None:
    """Wherever in the state a link is planted, nothing is made behind it."""
    victim = folder(user / "victim")
    folder((project.state / name).parent)
    (project.state / name).symlink_to(victim)
    with pytest.raises(DamagedState, match="symlink"):
        prepare_run(project, "demo-k3x9f2")
    assert list(victim.iterdir()) == []


def test_state_that_a_checkout_made_becomes_private(project: Project) -> None:
    """git makes folders that others may read."""
    folder(project.state).chmod(0o755)
    prepare(project)
    assert mode_of(project.state) == 0o700


def test_git_sees_only_what_people_write(project: Project, user: Path) -> None:
    """As git itself says: the configuration and the templates, whatever lies between."""
    prepare(project)
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
    subprocess.run(["git", "init", "-q"], cwd=project.root, env=environment, check=True)
    files = ["config.yml", "templates/a.yml", "templates/b/c/d.yml", "counter", "runs/x/lock"]
    files += ["checkpoints/x.json", "runs/x/config.yml", "checkpoints/templates/a.yml"]
    for name in files:
        folder((project.state / name).parent)
        (project.state / name).touch()
    listing = subprocess.run(
        ["git", "status", "--porcelain", "--untracked-files=all"],
        cwd=project.root,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    seen = ["config.yml", "templates/a.yml", "templates/b/c/d.yml"]
    assert listing.stdout.splitlines() == [f"?? .prodigy/{name}" for name in seen]
    command = ["git", "check-ignore", "--no-index", *(f".prodigy/{name}" for name in files)]
    ignored = subprocess.run(command, cwd=project.root, env=environment, capture_output=True, text=True)
    assert ignored.stdout.splitlines() == [f".prodigy/{name}" for name in files if name not in seen]


def test_a_gitignore_that_is_there_is_the_users(project: Project) -> None:
    """It is not overwritten."""
    folder(project.state).joinpath(".gitignore").write_text("mine\n")
    prepare(project)
    assert (project.state / ".gitignore").read_text() == "mine\n"


def test_names_of_folders_are_synced_even_when_they_are_there(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process that made them may have died before it could."""
    prepare_run(project, "demo-k3x9f2")
    synced, real = list[int](), os.fsync

    def fsync(descriptor: int) -> None:
        synced.append(os.fstat(descriptor).st_ino)
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    run = prepare_run(project, "demo-k3x9f2")
    parents = [project.root, project.state, project.runs, run.path]
    assert set(synced) == {path.stat().st_ino for path in parents}


def test_the_mirror_has_the_projects_name(project: Project) -> None:
    """The guide's path, with the project's own written beside."""
    mirror = prepare_mirror(project)
    assert mirror == Mirror(home() / "state" / "app")
    assert mirror.checkpoint("demo-k3x9f2") == home() / "state" / "app" / "checkpoints" / "demo-k3x9f2.json"
    assert (mirror.project.read_text(), mode_of(mirror.project)) == (f"{project.root}\n", 0o600)
    assert {each: mode_of(each) for each in (mirror.path, mirror.checkpoints, mirror.values)} == dict.fromkeys(
        [mirror.path, mirror.checkpoints, mirror.values], 0o700
    )


def test_a_mirror_knows_the_runs_that_it_learned(project: Project) -> None:
    """A run that was neither started nor trusted here is not known, nor is one of a mirror that is not there."""
    assert Mirror(home() / "state" / "app").knows("demo-k3x9f2") is False
    mirror = prepare_mirror(project)
    mirror.learn("demo-k3x9f2")
    assert {workflow_id: mirror.knows(workflow_id) for workflow_id in ("demo-k3x9f2", "demo")} == {
        "demo-k3x9f2": True,
        "demo": False,
    }


def test_a_run_is_not_learned_through_a_link(project: Project, user: Path) -> None:
    """Its victim is not made, and what is no id is never looked for."""
    mirror = prepare_mirror(project)
    (mirror.known / "demo-k3x9f2").symlink_to(user / "victim")
    with pytest.raises(DamagedState, match="symlink"):
        mirror.learn("demo-k3x9f2")
    for use in (mirror.learn, mirror.knows):
        with pytest.raises(RunNotFound):
            use("../project")
    assert not (user / "victim").exists()


def test_a_second_project_of_the_same_name_gets_a_hash(project: Project, user: Path) -> None:
    """Both keep their mirrors, however often they are asked for."""
    other = Project(folder(user / "other" / "app"))
    first, second = prepare_mirror(project), prepare_mirror(other)
    assert (first.path.name, second.path.name[:4], len(second.path.name)) == ("app", "app-", 12)
    assert [prepare_mirror(each) for each in (project, other)] == [first, second]
    assert [find_mirror(each) for each in (project, other)] == [first, second]
    assert mirrors() == [first, second]
    assert [mirror.root() for mirror in mirrors()] == [project.root, other.root]


@pytest.mark.parametrize(
    "name", ["with space", "new\nline", "ends\n", " ", ".hidden", "x" * 255, "日" * 80, b"\xff\xfe"]
)
def test_any_folder_name_has_a_mirror(user: Path, name: str | bytes) -> None:
    """Also the second project of that name, and its path comes back exactly."""
    projects = [Project(folder(user / place / os.fsdecode(name))) for place in ("a", "b")]
    made = [prepare_mirror(each) for each in projects]
    assert [mirror.root() for mirror in made] == [each.root for each in projects]


def test_two_first_runs_at_once_do_not_collide(user: Path) -> None:
    """Of projects with one name each gets a mirror of its own."""
    projects = [Project(folder(user / str(number) / "app")) for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(prepare_mirror, projects * 2))
    assert made[:8] == made[8:]
    assert [mirror.root() for mirror in made[:8]] == [each.root for each in projects]
    assert mirrors() == sorted(made[:8], key=lambda mirror: mirror.path.name)


def test_a_mirror_claimed_by_a_process_that_died_is_claimed_again(
    user: Path, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed at any system call of its first run, a project ends with its plain name."""
    countdown = -1

    def faulty(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            nonlocal countdown
            countdown -= 1
            if countdown == -1:
                raise Killed
            return real(*arguments, **named)

        return call

    for name in ("mkdir", "open", "write", "fsync", "replace"):
        monkeypatch.setattr(os, name, faulty(getattr(os, name)))
    for nth in itertools.count():
        monkeypatch.setenv("PRODIGY_HOME", str(user / f"home-{nth}"))
        countdown = nth
        try:
            prepare_mirror(project)
            break
        except Killed:
            countdown = -1
        assert prepare_mirror(project).path.name == "app"
    assert nth > 10


def test_a_mirror_with_checkpoints_of_unknown_origin_is_not_taken(project: Project) -> None:
    """Somebody's checkpoints must not appear as ours."""
    folder(home() / "state" / "app" / "checkpoints")
    assert prepare_mirror(project).path.name.startswith("app-")


def test_looking_for_mirrors_makes_nothing(project: Project, user: Path) -> None:
    """A reader finds none and leaves none."""
    assert (find_mirror(project), mirrors(), home().exists()) == (None, [], False)


@pytest.mark.parametrize("name", ["", "state", "state/app", "state/app/checkpoints"])
def test_a_link_in_the_global_folder_is_refused(project: Project, user: Path, name: str) -> None:
    """Nothing is made behind it."""
    victim = folder(user / "victim")
    prepare_mirror(project)
    shutil.rmtree(home() / name)
    (home() / name).symlink_to(victim)
    with pytest.raises(DamagedState, match="symlink"):
        prepare_mirror(project)
    assert list(victim.iterdir()) == []


def test_a_mirror_that_is_a_link_is_not_read(project: Project, user: Path) -> None:
    """Not even one that leads to the project's own."""
    mirror = prepare_mirror(project)
    mirror.path.rename(user / "moved")
    mirror.path.symlink_to(user / "moved")
    with pytest.raises(DamagedState, match="symlink"):
        find_mirror(project)


def test_a_global_folder_that_cannot_be_written_is_a_storage_failure(
    project: Project, user: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which the caller makes a warning."""
    (user / "file").touch()
    monkeypatch.setenv("PRODIGY_HOME", str(user / "file" / "home"))
    with pytest.raises(StorageFailure, match="cannot write"):
        prepare_mirror(project)


def test_the_newest_output_of_an_epoch_is_the_last_that_was_made(tmp_path: Path) -> None:
    """Of its own number, and what it printed to stdout."""
    folder = RunFolder(tmp_path)
    folder.outputs.mkdir()
    assert folder.newest_output(1) is None
    for name in ("1.out", "1.err", "1-2.out", "1-10.out", "1-10.err", "12.out", "1-3.jsonl"):
        (folder.outputs / name).touch()
    assert folder.newest_output(1) == folder.outputs / "1-3.jsonl"
    (folder.outputs / "1-3.jsonl").unlink()
    assert folder.newest_output(1) == folder.outputs / "1-10.out"
    assert folder.newest_output(12) == folder.outputs / "12.out"
    assert folder.newest_output(2) is None


def test_the_newest_outputs_of_many_epochs_take_one_look_into_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A map may have had a thousand items at work, and a folder of a hundred thousand files."""
    folder, looks = RunFolder(tmp_path), list[Path]()
    folder.outputs.mkdir()
    for name in ("1.out", "1.err", "1-2.out", "2.out", "12.out", "12-2.err", "other"):
        (folder.outputs / name).touch()
    listdir = os.listdir

    def look(path: Path) -> list[str]:
        looks.append(path)
        return listdir(path)

    monkeypatch.setattr(os, "listdir", look)
    assert folder.newest_outputs({1, 3, 12}) == {1: folder.outputs / "1-2.out", 12: folder.outputs / "12.out"}
    assert looks == [folder.outputs]
