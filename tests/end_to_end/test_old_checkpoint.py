"""A checkpoint of a version that did not count rest yet is not wrong, and one that counts it wrongly is."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.house import House
from tests.end_to_end.mapped import mapreduce

LARGE = 2_000_000  # characters, more than is held in memory for an item


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


@pytest.fixture
def mapped(tmp_path: Path) -> Iterator[House]:
    """A run that was killed while an item was at work that had captured much."""
    built = House(tmp_path)
    print_much = f"head -c {LARGE} /dev/zero | tr '\\0' x"
    mapreduce(built, {"shell": print_much, "capture_output": "much"}, {"shell": built.gate("slow")}, items=["a"])
    live = built.start("cook", "demo.yaml")
    built.arrived("slow")
    assert 0 == built.prodigy("stop", "demo").code
    live.wait()
    yield built
    built.close()


@pytest.mark.parametrize(("wrong", "expected"), [("", 0), ("y", 7)], ids=["as it was", "altered"])
def test_one_that_wrote_out_what_its_items_captured_is_wrong_only_where_it_is(
    mapped: House, wrong: str, expected: int
) -> None:
    """A version did that of which later ones write a digest."""
    document = mapped.checkpoint
    ((item, stored),) = document.pop("stored_scoped").items()
    document["snapshot"]["scoped"][item] |= dict.fromkeys(stored, "x" * (LARGE - len(wrong)) + wrong)
    mapped.checkpoint_file.write_text(json.dumps(document))
    assert expected == mapped.prodigy("checkpoints", "validate", "demo").code
