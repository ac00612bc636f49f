"""The text of a workflow file: its values with their places, and the mistakes found in it.

A value knows the line and column where it begins. Only here is it worked out where a character *inside* a
value stands, and what a message shows of the file.
"""

import re
from typing import Any, Protocol

import msgspec

from prodigy.errors import Problem, WorkflowProblem
from prodigy.plan.phrases import clipped
from prodigy.plan.spelling import spelled

PROBLEMS_MAX = 20
SOURCE_CHARS_MAX = 300
EXCERPT_CHARS_MAX = 60
EXACT_CHARS_MAX = 10_000

# All but what YAML 1.2 calls printable; said the other way round it takes eight times as long to compile.
UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")
LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_SINGLE_QUOTED = re.compile(r"''|[^']")
_DOUBLE_QUOTED = re.compile(r"\\x[0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\U[0-9a-fA-F]{8}|\\.|[^\\\"]")


class Placed(Protocol):
    """Anything that begins at a 1-based line and column."""

    @property
    def line(self) -> int: ...

    @property
    def column(self) -> int: ...


class Scalar(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One scalar: its `text` without quotes, the `value` it stands for, its 1-based place.

    `style` is the character it begins with: a quote, `|`, `>`, or nothing for a plain one.
    """

    text: str
    value: str | int | float | bool | None
    line: int
    column: int
    style: str = ""


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """A YAML list and its 1-based place."""

    entries: tuple["Value", ...]
    line: int
    column: int


class Fields(msgspec.Struct, frozen=True, kw_only=True):
    """A YAML mapping, keys in the author's order and never twice, and its 1-based place."""

    entries: tuple[tuple[Scalar, "Value"], ...]
    line: int
    column: int

    @property
    def keys(self) -> tuple[Scalar, ...]:
        """Its keys, in the author's order."""
        return tuple(key for key, _ in self.entries)

    @property
    def names(self) -> frozenset[str]:
        """What its keys are called."""
        return frozenset(key.text for key, _ in self.entries)


Value = Scalar | Listing | Fields
NO_FIELDS = Fields(entries=(), line=0, column=0)  # a mapping that is not in the file


class Source:
    """The text of one workflow file and the mistakes found in it so far."""

    def __init__(self, text: str, *, file: str) -> None:
        self.text = text
        self.file = file
        self.problems: list[Problem] = []
        self._lines: list[str] | None = None

    @property
    def is_full(self) -> bool:
        """True when so many mistakes are noted that looking for more helps nobody."""
        return len(self.problems) >= PROBLEMS_MAX

    def report(self, at: Placed, message: str, *, hint: str | None = None) -> None:
        """Note a mistake at the beginning of what stands at that place."""
        self.report_at(at.line, at.column, message, hint=hint)

    def report_inside(self, scalar: Scalar, offset: int, message: str, *, hint: str | None = None) -> None:
        """Note a mistake at the character `offset` (0-based) of a scalar's text, as near as can be known."""
        self.problems.append(self.notice(scalar, offset, message, hint=hint))

    def report_at(self, line: int, column: int, message: str, *, hint: str | None = None) -> None:
        """Note a mistake at a 1-based place."""
        self.problems.append(self._problem(line, column, message, hint))

    def notice(self, scalar: Scalar, offset: int, message: str, *, hint: str | None = None) -> Problem:
        """Return what is to be said of the character `offset` (0-based) of a scalar's text, with its place."""
        return self._problem(*self._place(scalar, offset), message, hint)

    def _problem(self, line: int, column: int, message: str, hint: str | None) -> Problem:
        source = self._shown(line, column)
        return Problem(message=message, file=self.file, line=line, column=column, source=source, hint=hint)

    def character(self, line: int, column: int) -> str:
        """Return the character at a 1-based place, or nothing behind the end."""
        return self.line(line)[column - 1 : column]

    def raise_problems(self) -> None:
        """Raise `WorkflowProblem` if there are mistakes: in the file's order, the first of each place."""
        if not self.problems:
            return
        places = {(problem.line, problem.column): problem for problem in reversed(self.problems)}
        ordered = [places[place] for place in sorted(places)]
        if self.is_full:
            ordered[PROBLEMS_MAX:] = [Problem(message="there may be more mistakes", file=self.file)]
        raise WorkflowProblem(ordered)

    def line(self, number: int) -> str:
        """Return a line by its 1-based number, or nothing outside the text."""
        if self._lines is None:
            self._lines = LINE_BREAK.split(self.text)
        return self._lines[number - 1] if 0 < number <= len(self._lines) else ""

    def _shown(self, line: int, column: int) -> str:
        """Return the line as it is printed above the caret: no control characters, not without bound."""
        text = UNPRINTABLE.sub("�", self.line(line)).replace("\t", " ").rstrip()
        if len(text) > SOURCE_CHARS_MAX:
            return text[:SOURCE_CHARS_MAX] + "…" if column <= SOURCE_CHARS_MAX else ""
        return text

    def _place(self, scalar: Scalar, offset: int) -> tuple[int, int]:
        """Return where a character of the scalar stands; where folding or length hides that, its beginning."""
        written = self.line(scalar.line)[scalar.column - 1 :][:EXACT_CHARS_MAX]
        column: int | None = None
        match scalar.style:
            case "" if written.startswith(scalar.text):
                column = scalar.column + offset
            case "'" if written.startswith("'"):
                column = _column_in_quotes(_SINGLE_QUOTED, written, scalar, offset)
            case '"' if written.startswith('"'):
                column = _column_in_quotes(_DOUBLE_QUOTED, written, scalar, offset)
            case "|" if written.startswith("|"):
                return self._place_in_block(scalar, offset)
        return scalar.line, column or scalar.column

    def _place_in_block(self, scalar: Scalar, offset: int) -> tuple[int, int]:
        """A literal block keeps its lines, so what a line is longer by than its text is the indentation."""
        above = scalar.text.count("\n", 0, offset)
        start = scalar.text.rfind("\n", 0, offset) + 1
        end = scalar.text.find("\n", start)
        length = (end if end >= 0 else len(scalar.text)) - start
        line = scalar.line + 1 + above
        return line, len(self.line(line)) - length + (offset - start) + 1


def plain(value: Value) -> Any:
    """Return a value as plain data: strings, numbers as they are written, booleans, None, lists and dictionaries."""
    match value:
        case Scalar(value=int() | float() as number) if not isinstance(number, bool):
            return spelled(number, value.text)
        case Scalar():
            return value.value
        case Listing():
            return [plain(entry) for entry in value.entries]
        case Fields():
            return {key.text: plain(entry) for key, entry in value.entries}


def excerpt(text: str) -> str:
    """Return the text, or its beginning, as a message quotes it."""
    return clipped(text, EXCERPT_CHARS_MAX)


def _column_in_quotes(characters: re.Pattern[str], written: str, scalar: Scalar, offset: int) -> int | None:
    """Return the column of a character of a quoted scalar, or None when the scalar goes on over the line."""
    columns = [scalar.column + 1]
    while character := characters.match(written, columns[-1] - scalar.column):
        columns.append(scalar.column + character.end())
    ends_here = written.startswith(scalar.style, columns[-1] - scalar.column)
    return columns[offset] if ends_here and len(columns) == len(scalar.text) + 1 else None
