"""The house that every test here gets: fresh, and empty of processes when the test is over."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.house import House


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A project in a temporary folder."""
    built = House(tmp_path)
    yield built
    built.close()
