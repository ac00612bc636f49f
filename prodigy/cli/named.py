"""The nearest of what is known to a word of the command line that means nothing there.

Whatever names nothing is refused with the nearest that does: silence would look like "it has printed nothing".
"""

from collections.abc import Iterable
from itertools import islice

from prodigy.plan.reference import suggestion
from prodigy.runtime.terminal import visible

NAMED_CHARS_MAX = 100
COMPARED_MAX = 10_000


def nearest(name: str, known: Iterable[str], *, form: str = "{}") -> str | None:
    """Return the hint that names the nearest of what is known, as it can be printed, or None."""
    near = suggestion(name[:NAMED_CHARS_MAX], tuple(islice(known, COMPARED_MAX)), form=form)
    return near and visible(near)
