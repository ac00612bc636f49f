"""Which workflow file is meant by the name of one that does not exist."""

from pathlib import Path

import pytest

from prodigy.errors import WorkflowProblem
from prodigy.runtime.orders.nearby import nearest_file
from prodigy.runtime.orders.workflow import read_workflow


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("pipelin.yaml", "pipeline.yaml"),
        ("pipeline.yml", "pipeline.yaml"),
        ("pipeline", "pipeline.yaml"),
        ("pipeline.yam", "pipeline.yaml"),
        ("ed.yaml", None),
        ("nosuch.yaml", None),
    ],
)
def test_a_file_is_meant_by_its_name_and_not_by_its_ending(tmp_path: Path, typed: str, meant: str | None) -> None:
    """All workflow files share the ending, so that it says nothing."""
    for name in ("a.yaml", "st.yaml", "pipeline.yaml"):
        (tmp_path / name).touch()
    near = nearest_file(tmp_path / typed)
    assert meant == (near and near.name)


def test_a_workflow_that_is_not_there_is_refused_with_the_one_that_is_meant(tmp_path: Path) -> None:
    """One that cannot be read, such as a folder, is meant itself."""
    (tmp_path / "demo.yaml").write_text("commands: []")
    with pytest.raises(WorkflowProblem) as refused:
        read_workflow(tmp_path / "demo.yml")
    (problem,) = refused.value.problems
    assert problem.hint == f"did you mean {tmp_path / 'demo.yaml'}?"
    (tmp_path / "demo.yml").mkdir()
    with pytest.raises(WorkflowProblem) as folder:
        read_workflow(tmp_path / "demo.yml")
    (problem,) = folder.value.problems
    assert (problem.message.endswith("it is not a file"), problem.hint) == (True, None)
