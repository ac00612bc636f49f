"""The workflow file that was refused last, and that nothing more is remembered than that."""

import os
from pathlib import Path

from prodigy.store.layout import Project, prepare
from prodigy.store.refusal import forget_refusal, last_refusal, remember_refusal


def test_a_refusal_is_remembered_until_something_runs(tmp_path: Path) -> None:
    """The last one, whatever is in its name."""
    project = Project(tmp_path)
    prepare(project)
    assert last_refusal(project) is None
    remember_refusal(project, "a much longer name.yaml")
    strange = os.fsdecode(b"caf\xe9.yaml")
    remember_refusal(project, strange)
    assert last_refusal(project) == strange
    forget_refusal(project)
    assert last_refusal(project) is None
    forget_refusal(project)


def test_a_project_without_state_gets_none_by_a_refusal(tmp_path: Path) -> None:
    """Nothing is made, and what cannot be written is forgotten."""
    project = Project(tmp_path)
    remember_refusal(project, "demo.yaml")
    assert list(tmp_path.iterdir()) == []
    prepare(project)
    os.symlink("/dev/null", project.state / "refused")
    remember_refusal(project, "demo.yaml")
    assert last_refusal(project) is None
