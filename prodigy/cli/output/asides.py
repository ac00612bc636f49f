"""What is said to people on stderr, beside the answer: errors, hints and notes."""

import sys

from prodigy.cli.output.columns import columns_of_terminal, prose


def tell(text: str, *, more: str | None = None) -> None:
    """Print sentences to stderr, folded on a terminal, but not the commands that they have in backticks.

    Args:
        more: what stands before the lines that a line goes on in; as many blanks as begin it without.
    """
    print("\n".join(prose(text, columns_of_terminal(sys.stderr), more=more)), file=sys.stderr)
