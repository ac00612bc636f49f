"""The data between the shell scanner and the renderer: a script whose references have been found.

A script is stored in the plan, so all of it is JSON. Literal text stands between slots; a slot is one
reference of ours together with everything that the place where it stands demands of its value.
"""

from collections.abc import Iterator
from typing import Literal

import msgspec

from prodigy.plan.reference import Reference

SHELLS = frozenset({"sh", "bash", "dash", "ksh", "zsh"})

# How the place is quoted. "unquoted" is a word or a part of one; "inside" is "…" or a here-document;
# "single" and "dollar" are '…' and $'…'; "arithmetic" is text that the shell evaluates; "raw" is spliced.
Quoting = Literal["unquoted", "inside", "single", "dollar", "arithmetic", "raw"]


class Slot(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One `${…}` of ours in a script.

    `offset` is its place in the author's text, in characters. `is_alone`: it is a whole unquoted word where a
    list may become several. `is_integer`: the shell would evaluate the value, so it must be a decimal integer.
    `is_command`: it is the word that names the command. `code` names the program that reads it as code.
    """

    reference: Reference
    quoting: Quoting = "unquoted"
    offset: int = 0
    is_alone: bool = False
    is_integer: bool = False
    is_command: bool = False
    code: str = ""


Piece = str | Slot


class Script(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A shell script, or another interpreter's program text, in `pieces`.

    `redirects_stdout`: somewhere outside command substitutions stdout goes to a file, so that nothing may be
    left to capture.
    """

    pieces: tuple[Piece, ...] = ()
    redirects_stdout: bool = False


def slots(script: Script) -> Iterator[Slot]:
    """Yield the slots of `script` in the order of the text."""
    return (piece for piece in script.pieces if isinstance(piece, Slot))


def references(script: Script) -> Iterator[Reference]:
    """Yield every reference of `script`, and after each one those inside its default."""
    for slot in slots(script):
        pending = [slot.reference]
        while pending:
            reference = pending.pop()
            yield reference
            inner = [piece for piece in reference.default or () if isinstance(piece, Reference)]
            pending.extend(reversed(inner))


def command_words(script: Script) -> Iterator[Reference]:
    """Yield the references that name a command: `${tool} --version` runs exactly one word of that name."""
    return (slot.reference for slot in slots(script) if slot.is_command)
