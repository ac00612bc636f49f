"""What `interpreter:` names: a shell, perhaps with options of its own, or a program that reads a file.

A shell with options (`bash -euo pipefail`) reads values by reference as it does without any. Options that would take
the script's place are refused: the script is ours to give.
"""

import re
import shlex
from collections.abc import Iterator

from prodigy.plan.shell.script import SHELLS

_CLUSTER = re.compile(r"[-+][A-Za-z]+")
_LONG_WITH_VALUE = frozenset({"--rcfile", "--init-file", "--emulate"})
_MEND = "name the shell and its options only, as in  interpreter: bash -euo pipefail"


def shell_of(interpreter: str) -> str | None:
    """Return which shell reads a script, `bash` for `/usr/bin/env bash -eu`, or None where no shell does."""
    if interpreter in SHELLS:
        return interpreter
    words = _words(interpreter)
    return _name(words[0]) if words and _name(words[0]) in SHELLS else None


def program_of(interpreter: str) -> str:
    """Return the program that is started, the shell itself where `env` finds it; nothing where it cannot be read."""
    if interpreter in SHELLS:
        return interpreter
    words = _words(interpreter)
    return words[0] if words and not re.search(r"\s", words[0]) else ""


def options_of(interpreter: str) -> list[str]:
    """Return the options that a shell is given."""
    return _words(interpreter)[1:]


def refused(interpreter: str) -> tuple[str, str] | None:
    """Return why no script can be given to it, and the mend; None where one can."""
    if interpreter.isalnum():
        return None
    try:
        words = _split(interpreter)
    except ValueError as error:
        return f"the interpreter {interpreter!r} cannot be read: {error}", "quote it as in a shell"
    if not words:
        return "the interpreter is empty", "leave it away for sh"
    if shell_of(interpreter) is None:
        return None
    taken = next(_takes_script(options_of(interpreter)), None)
    return None if taken is None else (f"{taken!r} would take the place of the script", _MEND)


def _words(interpreter: str) -> list[str]:
    """Return the shell and its options, without the `env` that finds it; what cannot be read is one word."""
    try:
        words = _split(interpreter)
    except ValueError:
        return [interpreter]
    return words[1:] if len(words) > 1 and _name(words[0]) == "env" and _name(words[1]) in SHELLS else words


def _split(text: str) -> list[str]:
    return shlex.split(text)


def _name(word: str) -> str:
    return word.rpartition("/")[2]


def _takes_script(options: list[str]) -> Iterator[str]:
    """Yield what is a script, a file of one, or an order to read one: `-c`, `-s`, `--`, and any operand."""
    rest = iter(options)
    for option in rest:
        if option in _LONG_WITH_VALUE or (_CLUSTER.fullmatch(option) and option[-1] in "oO"):
            next(rest, None)
        is_letters = _CLUSTER.fullmatch(option) is not None
        if (is_letters and set(option) & set("cs")) or not (is_letters or re.fullmatch(r"--[A-Za-z-]+", option)):
            yield option
