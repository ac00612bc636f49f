"""Moves: each has its rule, and is made in its order."""

from typing import get_args

from prodigy.kernel import moves as mv
from prodigy.kernel.decide import RULES


def test_every_move_has_a_rule() -> None:
    """And every rule a move."""
    assert set(RULES) == set(get_args(mv.Move))
