"""Addresses within items."""

import pytest

from prodigy.plan.address import within


@pytest.mark.parametrize(
    ("step", "address"),
    [
        ("", "map[a]"),
        ("lint", "map[a].lint"),
        ("[0]", "map[a][0]"),
        ("lint.on_failure[0]", "map[a].lint.on_failure[0]"),
    ],
)
def test_where_an_item_failed_is_an_address(step: str, address: str) -> None:
    """With and without an id."""
    assert address == within("map[a]", step)
