"""Counts as people say them."""


def counted(count: int, noun: str) -> str:
    """Return a count with its noun: `1 dead letter`, `2 dead letters`, `2 processes`."""
    if count == 1:
        return f"1 {noun}"
    return f"{count} {noun}{'es' if noun.endswith('s') else 's'}"
