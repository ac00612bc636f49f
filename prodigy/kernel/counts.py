"""Counts that a template yields: parallelism, offsets, limits of items."""

from prodigy.plan.reference import Lookup, Template, render_count


def count_of(template: Template, lookup: Lookup, *, name: str, least: int, most: int) -> int:
    """Return the whole number that a template yields now.

    Raises:
        ValueError: it yields none, or one below `least` or above `most`.
    """
    text = render_count(template, lookup)
    count = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1
    if not least <= count <= most:
        raise ValueError(f"{name} is {text[:60]!r}, not a number from {least} to {most}")
    return count
