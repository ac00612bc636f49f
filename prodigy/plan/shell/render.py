"""Put values beside a script: the script refers to variables, the variables travel in the environment.

A value is never part of the script's text (only `${name|raw}` is), so no quoting can go wrong. A value that
is too large for the environment travels in a private file and is loaded by a prelude on the script's first
line, so that the author's line numbers hold; it is not exported, or no program could be started any more.
"""

import re
from typing import Any

import msgspec

from prodigy.plan.phrases import clipped
from prodigy.plan.reference import Lookup, Reference, as_given, as_text, resolve
from prodigy.plan.shell.script import Quoting, Script, Slot
from prodigy.plan.spelling import unspelled

VARIABLE = "PRODIGY_VALUE_"
VALUE_BYTES_MAX = 100 * 1024
# The environment and the arguments share one limit, 1 MiB on macOS; the rest of it is the program's.
ENVIRONMENT_BYTES_MAX = 512 * 1024
FILES_MAX = 100
INTEGER_MAX = 2**63 - 1
SHOWN_CHARS_MAX = 40

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,18})")
_AROUND: dict[Quoting, tuple[str, str]] = {
    "unquoted": ('"', '"'),
    "inside": ("", ""),
    "single": ("'\"", "\"'"),
    "dollar": ("'\"", "\"$'"),
    "arithmetic": ("", ""),
}


class Rendered(msgspec.Struct, frozen=True, kw_only=True):
    """A script ready to run. `variables` are set in its environment.

    `files` maps further variables to contents: each is set to the path of a private file with that content.
    """

    script: str
    variables: dict[str, str] = {}
    files: dict[str, str] = {}


class Unrenderable(ValueError):
    """A value that cannot be given to the script; its text names the reference and says why."""


def render_script(script: Script, lookup: Lookup) -> Rendered:
    """Return `script` with the values that `lookup` has now beside it.

    Raises:
        Unrenderable: a value holds NUL or is not Unicode, is no decimal integer where the shell would evaluate
            it, or is a list too large to be words.
    """
    if len(script.pieces) == 1 and isinstance(script.pieces[0], str):
        return Rendered(script=script.pieces[0])
    values = _Values(lookup)
    body = "".join([piece if isinstance(piece, str) else values.place(piece) for piece in script.pieces])
    return Rendered(script=values.prelude() + body, variables=values.variables, files=values.files)


class _Values:
    """The values of one rendering; a reference that is used twice travels once."""

    def __init__(self, lookup: Lookup) -> None:
        self.lookup = lookup
        self.variables: dict[str, str] = {}
        self.files: dict[str, str] = {}
        self._loaded: list[str] = []
        self._numbers: dict[Reference, int] = {}
        self._resolved: dict[Reference, Any] = {}
        self._environment_bytes = 0

    def place(self, slot: Slot) -> str:
        """Return what stands in the script in place of `slot`."""
        reference = slot.reference
        if reference not in self._numbers:
            self._numbers[reference] = len(self._numbers) + 1
            self._resolved[reference] = resolve(reference, self.lookup)
        value = self._resolved[reference]
        variable = f"{VARIABLE}{self._numbers[reference]}"
        if "file" in reference.filters:
            return _refer(self._keep_file(variable, value, reference), slot.quoting)
        if slot.quoting == "raw":
            return _passable(as_given(value), reference)
        if slot.is_integer:
            return self._integer(variable, value, slot)
        if slot.is_alone and isinstance(value, list | tuple):
            return self._words(variable, value, reference)
        return _refer(self._keep(variable, as_given(value), reference), slot.quoting)

    def prelude(self) -> str:
        """Return the commands that load the values in files, byte for byte, on one line.

        `$(…)` drops trailing newlines, hence the `x` behind them. The variable may come exported from an outer
        run, and an exported one of this size would stop every program from starting: hence `unset`.
        """
        load = 'unset {0}; {0}=$(cat "${0}_FILE"; printf x); {0}=${{{0}%x}}; '
        return "".join([load.format(variable) for variable in self._loaded])

    def _integer(self, variable: str, value: Any, slot: Slot) -> str:
        text = as_text(unspelled(value))
        if not _INTEGER.fullmatch(text) or abs(int(text)) > INTEGER_MAX:
            raise Unrenderable(
                f"{slot.reference.text} stands where the shell evaluates it, so it must be a decimal integer "
                f"without leading zeros, and it is {clipped(text, SHOWN_CHARS_MAX)!r}"
            )
        own = variable if text == as_text(value) else f"{variable}_NUMBER"  # as text it is spelled otherwise
        referred = _refer(self._keep(own, text, slot.reference), slot.quoting)
        # `x-${n}` with -3 must not become `x--3`, which decrements.
        return f"({referred})" if slot.quoting == "arithmetic" and text.startswith("-") else referred

    def _words(self, variable: str, elements: list[Any] | tuple[Any, ...], reference: Reference) -> str:
        if not elements:
            # Unquoted and empty: no word, yet a word for the grammar, so that `${list} && x` still parses.
            return _refer(self._keep(variable, "", reference), "inside")
        names = [f"{variable}_{number}" for number in range(1, len(elements) + 1)]
        texts = map(as_given, elements)
        kept = [self._keep(name, text, reference) for name, text in zip(names, texts, strict=True)]
        return " ".join([_refer(name, "unquoted") for name in kept])

    def _keep(self, variable: str, text: str, reference: Reference) -> str:
        """Set `variable` to `text`, through a file where it is large or the environment is full."""
        if variable in self.variables or f"{variable}_FILE" in self.files:
            return variable
        size = len(_encoded(_passable(text, reference), reference)) + len(variable)
        is_full = self._environment_bytes + size > ENVIRONMENT_BYTES_MAX
        if size > VALUE_BYTES_MAX or (is_full and len(self.files) < FILES_MAX):
            self.files[f"{variable}_FILE"] = text
            self._loaded.append(variable)
        else:
            self._environment_bytes += size
            self.variables[variable] = text
        self._check_size(reference)
        return variable

    def _keep_file(self, variable: str, value: Any, reference: Reference) -> str:
        text = as_given(value)
        _encoded(text, reference)
        self.files[variable] = text
        return variable

    def _check_size(self, reference: Reference) -> None:
        if len(self.files) > FILES_MAX or self._environment_bytes > ENVIRONMENT_BYTES_MAX:
            inner = reference.text.removesuffix("}")
            raise Unrenderable(
                f"{reference.text} is too large to be passed as words: at most {ENVIRONMENT_BYTES_MAX // 1024} KiB "
                f"together; {inner}|lines|file}} is the path of a file with one element per line"
            )


def _refer(variable: str, quoting: Quoting) -> str:
    before, after = _AROUND[quoting]
    return f"{before}${{{variable}}}{after}"


def _passable(text: str, reference: Reference) -> str:
    if "\0" in text:
        raise Unrenderable(
            f"{reference.text} holds a NUL character (at offset {text.index(chr(0))}), "
            "which no shell variable or argument can hold"
        )
    return text


def _encoded(text: str, reference: Reference) -> bytes:
    try:
        return text.encode(errors="surrogateescape")  # the bytes of a folder's name go to the step as they are
    except UnicodeEncodeError as problem:
        raise Unrenderable(f"{reference.text} holds half a character (at offset {problem.start})") from None
