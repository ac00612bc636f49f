"""Counts as people say them."""


def counted(count: int, noun: str) -> str:
    """Return a count with its noun: `1 dead letter`, `2 dead letters`, `2 processes`."""
    if count == 1:
        return f"1 {noun}"
    return f"{count} {noun}{'es' if noun.endswith('s') else 's'}"


def ago(seconds: float) -> str:
    """Return how long ago something was, in one unit: `just now`, `5 minutes ago`, `3 hours ago`, `2 days ago`."""
    for unit_s, noun in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= unit_s:
            return f"{counted(int(seconds // unit_s), noun)} ago"
    return "just now"
