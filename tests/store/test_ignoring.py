"""What git is told about the state folder, in every kind of repository, asked of git itself."""

import os
import subprocess
from pathlib import Path

import pytest

from prodigy.store.ignoring import EXCLUDE, IGNORE, ignore, put_back

EARLIER = b"*\n!config.yml\n!templates/\n!templates/**\n!.gitignore\n"
ENVIRONMENT = {
    **os.environ,
    **{f"GIT_{who}_{what}": "a@b" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
}


def git(folder: Path, *words: str) -> str:
    """Run git and return what it prints."""
    command = ("git", "-c", "protocol.file.allow=always", *words)
    return subprocess.run(command, cwd=folder, env=ENVIRONMENT, check=True, capture_output=True, text=True).stdout


def repository(folder: Path) -> Path:
    folder.mkdir()
    git(folder, "init", "-q")
    (folder / "file").write_text("text\n")
    git(folder, "add", "file")
    git(folder, "commit", "-qm", "first")
    return folder


def plain(tmp_path: Path) -> Path:
    return repository(tmp_path / "plain")


def below(tmp_path: Path) -> Path:
    """A project in a folder of a repository, with a name that patterns would take for one of theirs."""
    project = repository(tmp_path / "below") / "a" / "[b]*"
    project.mkdir(parents=True)
    return project


def worktree(tmp_path: Path) -> Path:
    git(repository(tmp_path / "main"), "worktree", "add", "-q", "../worktree")
    return tmp_path / "worktree"


def submodule(tmp_path: Path) -> Path:
    repository(tmp_path / "library")
    above = repository(tmp_path / "above")
    git(above, "submodule", "--quiet", "add", "../library", "library")
    return above / "library"


KINDS = (plain, below, worktree, submodule)


def made(project: Path) -> Path:
    """Make the state folder of a project, with a run, and with what people write for each other."""
    state = project / ".prodigy"
    for name in ("runs/x/events-1.jsonl", "checkpoints/x.json", "config.yml", "templates/a/b.yml"):
        (state / name).parent.mkdir(parents=True, exist_ok=True)
        (state / name).touch()
    return state


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("guard", ["both", "the exclude file alone"])
def test_git_sees_what_people_write_and_nothing_else(tmp_path: Path, kind: object, guard: str) -> None:
    """Also while the `.gitignore` is away."""
    assert callable(kind)
    project = kind(tmp_path)
    state = made(project)
    ignore(state)
    if guard != "both":
        (state / ".gitignore").unlink()
    seen = git(project, "status", "--porcelain", "--untracked-files=all", "--", ".").splitlines()
    assert ["config.yml", "templates/a/b.yml"] == [line.partition(".prodigy/")[2].strip('"') for line in seen]


@pytest.mark.parametrize("kind", KINDS)
def test_the_exclude_file_is_told_once(tmp_path: Path, kind: object) -> None:
    """What was in it stays."""
    assert callable(kind)
    project = kind(tmp_path)
    path = Path(os.path.realpath(project / git(project, "rev-parse", "--git-path", "info/exclude").strip()))
    path.write_bytes(b"*.mine")
    state = made(project)
    for _ in range(2):
        ignore(state)
    assert b"*.mine\n" + EXCLUDE == path.read_bytes()


def test_a_repository_without_an_info_folder_is_told_too(tmp_path: Path) -> None:
    """Whoever has no templates of git's has none."""
    project = repository(tmp_path / "project")
    (project / ".git" / "info" / "exclude").unlink()
    (project / ".git" / "info").rmdir()
    ignore(made(project))
    assert (project / ".git" / "info" / "exclude").read_bytes() == EXCLUDE


def in_no_repository(project: Path) -> None:
    """Leave everything as it is."""


def whose_git_is_garbage(project: Path) -> None:
    (project / ".git").write_bytes(b"\xff\0gitdir")


def whose_git_leads_nowhere(project: Path) -> None:
    (project / ".git").write_bytes(b"gitdir: /nowhere/at/all\n")


def whose_exclude_file_is_a_folder(project: Path) -> None:
    git(project, "init", "-q")
    (project / ".git" / "info" / "exclude").unlink()
    (project / ".git" / "info" / "exclude").mkdir()


@pytest.mark.parametrize(
    "harm", [in_no_repository, whose_git_is_garbage, whose_git_leads_nowhere, whose_exclude_file_is_a_folder]
)
def test_a_repository_that_cannot_be_told_is_passed_over(tmp_path: Path, harm: object) -> None:
    """The first guard stands by itself."""
    assert callable(harm)
    state = made(tmp_path)
    harm(tmp_path)
    ignore(state)
    assert (state / ".gitignore").read_bytes() == IGNORE


def test_what_earlier_versions_wrote_is_brought_up_to_date(tmp_path: Path) -> None:
    """It did not ignore itself."""
    state = made(tmp_path)
    (state / ".gitignore").write_bytes(EARLIER)
    ignore(state)
    assert (state / ".gitignore").read_bytes() == IGNORE


def test_what_is_put_back_is_what_was_missing(tmp_path: Path) -> None:
    """What is there stays as it is, and a folder that is gone stays away."""
    state = made(tmp_path)
    put_back(state)
    (state / ".gitignore").write_bytes(b"mine\n")
    put_back(state)
    put_back(tmp_path / "gone")
    assert (b"mine\n", False) == ((state / ".gitignore").read_bytes(), (tmp_path / "gone").exists())


def test_the_repository_of_another_user_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written into what is not ours."""
    project = plain(tmp_path)
    before = (project / ".git" / "info" / "exclude").read_bytes()
    own = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: own + 1)
    ignore(made(project))
    assert (project / ".git" / "info" / "exclude").read_bytes() == before
