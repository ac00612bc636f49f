"""Shell scripts with values: find `${…}` of ours in a script, and give it their values by reference.

`parse_script` runs once, when a workflow is loaded: it refuses what can be known to be wrong and stores in a
`Script` what every place demands of its value. `render_script` runs before each attempt and only fills in.
Neither ever runs a shell; which `${…}` is ours is decided in reference.py.
"""

import re
from functools import lru_cache
from typing import Any

import msgspec

from prodigy.plan.phrases import together
from prodigy.plan.reference import Lookup, Names, Syntax, as_text, read, resolve
from prodigy.plan.shell import rules as rules
from prodigy.plan.shell.dialect import only_in_bash, only_in_bash_options
from prodigy.plan.shell.frames import Unclear
from prodigy.plan.shell.interpreter import options_of, shell_of
from prodigy.plan.shell.render import Rendered, Unrenderable, render_script
from prodigy.plan.shell.scan import Scanner
from prodigy.plan.shell.script import SHELLS, Piece, Script, Slot, command_words, references, slots

__all__ = [
    "SHELLS",
    "Notice",
    "Rendered",
    "Script",
    "Slot",
    "Unrenderable",
    "command_words",
    "dialect_notices",
    "notices",
    "parse_script",
    "references",
    "render_script",
]

_OURS = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_-]{0,99})(?:[.\[|}]|:-)")
_SPLITS = re.compile(r"[\s*?\[]")


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """Something in a script that is legal and may not be meant. `offset` is 0-based, in characters."""

    offset: int
    message: str
    hint: str


def parse_script(text: str, names: Names, *, interpreter: str = "sh", environment: Names = frozenset()) -> Script:
    """Return `text` with the references of ours found.

    `names` are ours at this place, `environment` the variables that exist in the step's environment. With an
    interpreter that is no shell only `${name|raw}` can be used.

    Raises:
        Syntax: a reference that is wrong, or that stands where the shell would evaluate its value as a name or
            where the scanner cannot tell how it is quoted; a `${name}` of the shell's that is one letter from
            one of ours; an assignment to a name of ours that is used; nesting over 50 levels.
    """
    shell = shell_of(interpreter)
    if shell is None:
        return _foreign_script(text, names)
    if "${" not in text and ">" not in text:
        return Script(pieces=(text,) if text else ())
    scanner = Scanner(text, names, shell)
    try:
        scanner.scan()
    except Unclear as unclear:
        if first := _first_of_ours(text, names):
            raise _refusal(unclear, first) from None
        return Script(pieces=(text,))
    _refuse_near_misses(scanner, names, environment)
    _refuse_assigned(scanner)
    return Script(pieces=_merged(scanner.pieces), redirects_stdout=scanner.redirects_stdout)


def dialect_notices(text: str, script: Script, interpreter: str) -> list[Notice]:
    """Return what `validate` should warn about in a script for `sh`, `text` as authored: what bash alone knows.

    On a system where `sh` is bash too, for a workflow may move.
    """
    if shell_of(interpreter) not in ("sh", "dash"):
        return []
    found = only_in_bash(text, frozenset(str(reference.path[0]) for reference in references(script)))
    if option := only_in_bash_options(options_of(interpreter)):
        found = {option: 0, **found}
    if not found:
        return []
    message = f"not every sh knows {_joined([*found])}"
    return [Notice(offset=min(found.values()), message=message, hint="if bash is meant:  interpreter: bash")]


def _joined(words: list[str], most: int = 5) -> str:
    shown = [*words[:most], *(["more"] if len(words) > most else [])]
    return together(shown)


def notices(script: Script, variables: Lookup) -> list[Notice]:
    """Return what `validate` should warn about.

    That is: references in the code argument of another program, and text of the workflow's own `variables`
    with blanks or globs that stands unquoted, where a reader might expect it to be split.
    """
    found: list[Notice] = []
    for slot in slots(script):
        text = slot.reference.text
        if slot.code:
            message = f"{text} becomes part of the code that {slot.code!r} runs"
            found.append(Notice(offset=slot.offset, message=message, hint=_safe_code(slot)))
        elif slot.is_alone and _splits(slot, variables):
            message = f"{text} is one word here, blanks, globs and all"
            hint = f'quote it, "{text}", or make {slot.reference.path[0]} a list: [first, second] is two words'
            if slot.reference.filters:
                hint = f'quote it, "{text}"; a list without a filter is one word for each of its elements'
            elif slot.is_command:
                hint = f"a command and its arguments are a list, or code:  ${{{slot.reference.path[0]}|raw}}"
            found.append(Notice(offset=slot.offset, message=message, hint=hint))
    return found


def _safe_code(slot: Slot) -> str:
    if slot.code == "ssh":
        return f"pass it on standard input: printf %s \"{slot.reference.text}\" | ssh host 'cat'"
    if slot.code.rpartition(" ")[0] in SHELLS:
        return f"""pass it as an argument: sh -c 'printf "%s" "$1"' sh "{slot.reference.text}\""""
    return f'pass it by the environment: env: {{NAME: "{slot.reference.text}"}}, and read NAME in the code'


def _splits(slot: Slot, variables: Lookup) -> bool:
    if "file" in slot.reference.filters or not variables(str(slot.reference.path[0]))[0]:
        return False  # a file's path is a word in any case
    value: Any = resolve(slot.reference, variables)
    return isinstance(value, str) and _SPLITS.search(as_text(value)) is not None


def _first_of_ours(text: str, names: Names) -> re.Match[str] | None:
    return next((match for match in _OURS.finditer(text) if match[1] in names), None)


def _refusal(unclear: Unclear, first: re.Match[str]) -> Syntax:
    name = first[1]
    hint = f'give the value by the environment: env: {{FILE: "${{{name}}}"}} and "$FILE" in the script'
    return Syntax(unclear.offset, unclear.why, f"{unclear.hint}, or {hint}" if unclear.hint else hint)


def _merged(pieces: list[Piece]) -> tuple[Piece, ...]:
    """Join neighbouring texts."""
    merged: list[Piece] = []
    for piece in pieces:
        if isinstance(piece, str) and merged and isinstance(merged[-1], str):
            merged[-1] += piece
        else:
            merged.append(piece)
    return tuple(merged)


def _refuse_near_misses(scanner: Scanner, names: Names, environment: Names) -> None:
    for name, offset in scanner.foreign.items():
        if name in scanner.assigned or name in environment or name in rules.SHELL_VARIABLES:
            continue
        if near := _one_letter_off(name, names):
            message = f"${{{name}}} is neither ours nor assigned in the script nor in the environment"
            raise Syntax(offset, message, f"did you mean ${{{near}}}? a variable of the shell's own is ${name}")


def _refuse_assigned(scanner: Scanner) -> None:
    if scanner.assigned.keys().isdisjoint(scanner.names):
        return
    for piece in scanner.pieces:
        if isinstance(piece, Slot) and len(piece.reference.path) == 1 and not piece.reference.filters:
            name = str(piece.reference.path[0])
            if name in scanner.assigned:
                message = f"the script assigns {name}, and {piece.reference.text} is the workflow's value"
                raise Syntax(piece.offset, message, f"give the variable of the shell another name, or write ${name}")


def _foreign_script(text: str, names: Names) -> Script:
    """Read program text of an interpreter that is no shell: only splices can be made in it."""
    pieces: list[Piece] = []
    copied = 0
    for match in _OURS.finditer(text):
        start = match.start()
        if match[1] not in names or start < copied:
            continue
        if text[start - 1 : start] == "$":
            pieces.append(text[copied : start - 1])
            copied = start
            continue
        reference, end = read(text, start, names, strict=False)
        assert reference is not None, "its first name is ours"
        if "raw" not in reference.filters:
            hint = f'env: {{NAME: "{reference.text}"}}, and read NAME from the environment; ${{{match[1]}|raw}} splices'
            raise Syntax(start, f"{reference.text} in text that no shell reads", hint)
        pieces += [text[copied:start], Slot(reference=reference, quoting="raw", offset=start)]
        copied = end
    pieces.append(text[copied:])
    return Script(pieces=_merged([piece for piece in pieces if piece != ""]))


def _one_letter_off(name: str, names: Names) -> str | None:
    """Return the name of ours that differs from `name` in one letter: changed, missing, added or swapped."""
    by_rest = _by_rest(names)
    for rest in _rests(name):
        for near in by_rest.get(rest, ()):
            if _is_one_letter(name, near):
                return near
    return None


@lru_cache(maxsize=8)
def _by_rest(names: Names) -> dict[str, list[str]]:
    """Index `names` by what is left when one letter, or none, is taken away."""
    index: dict[str, list[str]] = {}
    for name in sorted(names):
        for rest in _rests(name):
            index.setdefault(rest, []).append(name)
    return index


def _rests(name: str) -> set[str]:
    return {name} | {name[:at] + name[at + 1 :] for at in range(len(name))}


def _is_one_letter(name: str, near: str) -> bool:
    # One letter is no likeness between names this short.
    if min(len(name), len(near)) < 3 or abs(len(name) - len(near)) > 1:
        return False
    pairs = zip(name, near, strict=False)
    start = next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(name), len(near)))
    a, b = name[start:], near[start:]
    return a[1:] == b[1:] or a[1:] == b or a == b[1:] or (a[:2] == b[1::-1] and a[2:] == b[2:])
