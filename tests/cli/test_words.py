"""Numbers as people read them."""

import pytest

from prodigy.cli.output.formatting import money


@pytest.mark.parametrize(
    ("cost_usd", "unknown", "said"),
    [
        (0.0, 0, "$0"),
        (7.5, 0, "$7.50"),
        (0.25, 0, "$0.25"),
        (12.0, 0, "$12.00"),
        (0.0012, 0, "$0.0012"),
        (1234.5, 2, "$1234.50 and 2 attempts of unknown cost"),
        (0.0, 1, "$0 and 1 attempt of unknown cost"),
    ],
)
def test_money_has_cents(cost_usd: float, unknown: int, said: str) -> None:
    """And further digits only where there are any."""
    assert said == money(cost_usd, unknown)
