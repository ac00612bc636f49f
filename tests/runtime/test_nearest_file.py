"""Which workflow file is meant by the name of one that does not exist."""

from pathlib import Path

import pytest

from prodigy.runtime.orders.nearby import nearest_file


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
