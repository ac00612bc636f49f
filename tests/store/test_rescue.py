"""What is left of a run whose log cannot be trusted: the numbers of its versions are never used again."""

from pathlib import Path

import pytest

from prodigy.store.layout import Project, prepare_run
from prodigy.store.rescue import last_version


@pytest.mark.parametrize(
    ("logs", "last"),
    [
        ([[1, 2, 3], [4, 5], []], 5),
        ([[1, 2, 3], [], [4]], 4),
        ([[1, 2], [3, 4], [3]], 4),
        ([[]], 0),
    ],
    ids=["one that made none", "an older one", "one that reached further", "none"],
)
def test_the_versions_of_dropped_generations_are_used_up(tmp_path: Path, logs: list[list[int]], last: int) -> None:
    """Whichever the run goes on from, and where no copy of the checkpoint is left to tell."""
    project = Project(tmp_path)
    folder = prepare_run(project, "demo-aaaaaa")
    for generation, marked in enumerate(logs, start=1):
        lines = [f'{{"type":"checkpoint_marked","version":{version}}}\n' for version in marked]
        folder.events(generation).write_text("".join(lines))
    assert last == last_version(project, None, "demo-aaaaaa")


def test_a_torn_version_was_never_made(tmp_path: Path) -> None:
    """Its line has no end; what stands before it counts."""
    project = Project(tmp_path)
    folder = prepare_run(project, "demo-aaaaaa")
    folder.events(1).write_text('{"type":"checkpoint_marked","version":7}\n{"type":"checkpoint_marked","version":8')
    assert 7 == last_version(project, None, "demo-aaaaaa")
