"""What a run cost, as people read it."""

from prodigy.cli.output.formatting import money
from prodigy.kernel.ledger import Ledger


def cost_of(ledger: Ledger) -> str:
    """Return what a run cost and how well that is known; empty where no attempt of claude was booked."""
    if not ledger.attempts and not ledger.spent_usd:
        return ""
    return money(ledger.spent_usd, ledger.unknown, ledger.estimated_usd)
