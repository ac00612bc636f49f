"""A bug is planted into the living code: every function of its module takes the code of its edited twin.

So nothing is imported anew, and whoever holds a function by name has the bug too. It is done in a forked process,
which is thrown away.
"""

import gc
from collections.abc import Iterator
from types import CodeType, FunctionType

from tests.mutants.operators import Bug

Living = dict[CodeType, list[FunctionType]]


class CannotPlantError(Exception):
    """The bug is in what a module does when it is imported, or changes what a function encloses."""


def living_functions(root: str) -> Living:
    """Return the functions that exist now and whose source is below a folder, by their code."""
    found: Living = {}
    for thing in gc.get_objects():
        if isinstance(thing, FunctionType) and thing.__code__.co_filename.startswith(root):
            found.setdefault(thing.__code__, []).append(thing)
    return found


def plant(bug: Bug, living: Living) -> None:
    """Give the living functions the code that they would have with the bug in their source.

    Raises:
        CannotPlantError: only a new process could have this bug.
    """
    source, name = bug.path.read_bytes(), str(bug.path)
    right = compile(source, name, "exec", dont_inherit=True)
    wrong = compile(bug.planted(source), name, "exec", dont_inherit=True)
    if right.co_code != wrong.co_code or _plain(right) != _plain(wrong):
        raise CannotPlantError
    for old, new in _pairs(right, wrong):
        for function in living.get(old, ()):
            try:
                function.__code__ = new
            except ValueError as error:
                raise CannotPlantError from error


def _pairs(right: CodeType, wrong: CodeType) -> Iterator[tuple[CodeType, CodeType]]:
    inside, edited = _nested(right), _nested(wrong)
    if [code.co_qualname for code in inside] != [code.co_qualname for code in edited]:
        return
    for old, new in zip(inside, edited, strict=True):
        if old != new:
            is_class = not old.co_flags & 2  # CO_OPTIMIZED: all code but that of modules and classes
            if is_class and (old.co_code != new.co_code or _plain(old) != _plain(new)):
                raise CannotPlantError
            yield old, new
            yield from _pairs(old, new)


def _nested(code: CodeType) -> list[CodeType]:
    return [constant for constant in code.co_consts if isinstance(constant, CodeType)]


def _plain(code: CodeType) -> list[str]:
    """Return the constants and names of a code; constants by their letters, for 1 equals True."""
    return [repr(constant) for constant in code.co_consts if not isinstance(constant, CodeType)] + [*code.co_names]
