"""Patterns as `matches` and JSONPath have them: RE2, so that no pattern takes longer than its text is long."""

from functools import lru_cache
from typing import Any

PATTERNS_KEPT_MAX = 256


def matches(text: str, pattern: str) -> bool:
    """Whether a pattern is found anywhere in a text; one that cannot be read never is."""
    program, _ = compiled(pattern)
    return program is not None and bool(program.search(text.encode("utf-8", "replace")))


@lru_cache(maxsize=PATTERNS_KEPT_MAX)
def compiled(pattern: str) -> tuple[Any, str]:
    """Return the compiled pattern, or None and why it cannot be read."""
    import re2  # 3 ms, for the few conditions with a pattern

    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern.encode("utf-8", "replace"), options), ""
    except re2.error as refused:
        return None, refused.args[0].decode("utf-8", "replace")
