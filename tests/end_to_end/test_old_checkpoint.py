"""A checkpoint of a version that did not count rest yet is not wrong, and one that counts it wrongly is."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.house import House


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A run that rested between its failure and its resume."""
    built = House(tmp_path)
    built.workflow({"id": "one", "shell": "test -e ok"})
    built.cook()
    built.write("ok", "")
    assert built.prodigy("resume").code == 0
    yield built
    built.close()


def rewritten(house: House, **changes: Any) -> None:
    """Write the checkpoint anew with changes of its snapshot; None takes a key away."""
    document = house.checkpoint
    document["snapshot"] |= changes
    document["snapshot"] = {key: value for key, value in document["snapshot"].items() if key not in changes or value}
    house.checkpoint_file.write_text(json.dumps(document))


def test_one_that_does_not_count_rest_is_not_wrong(house: House) -> None:
    """Nor is there anything to repair."""
    assert house.checkpoint["snapshot"]["rested_s"] > 0
    rewritten(house, rested_s=None)
    assert "rested_s" not in house.checkpoint["snapshot"]
    assert 0 == house.prodigy("checkpoints", "validate", "demo").code
    assert 0 == house.prodigy("resume", "demo").code


def test_one_that_counts_another_rest_is_wrong(house: House) -> None:
    """It is not what the log folds to."""
    rewritten(house, rested_s=99.5)
    said = house.prodigy("checkpoints", "validate", "demo")
    assert (7, True) == (said.code, "is not what the log folds to: snapshot" in said.out)
