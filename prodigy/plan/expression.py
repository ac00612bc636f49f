r"""Read and answer the conditions of `when:` and `filter:`.

The language, loosest binding first:

    a || b, a or b                      either
    a && b, a and b                     both
    not a                               the opposite of a whole comparison: `not ${n} > 3`
    == != < <= > >=, in contains starts_with ends_with matches
                                        one comparison; before a word may stand `not`: `${x} not in ['a']`
    a is_null, a exists                 after a value
    !a  length a  is_null a  exists a   before a value, with parentheses or without: `length(${files}) > 3`
    contains(a, b)                      every word that compares may be called, too

    ${name}, ${a.b[0]}, ${x:-y}         a value, read where it stands and never pasted into the text
    'text', "text ${name}"              text; escapes are \\ \' \" \n \r \t, other backslashes plain
    3, -0.5, 1e3, true, false, null     literals
    ['a', 'b'], (a or b)                a list, a group
    a.b[0]                              in a `filter:` only: the same as ${item.a.b[0]}

What values mean:

- Alone, a value is true unless false, null, 0, empty, "false" or "0".
- A comparison with null is false, `!=` and `not in` too; only a written `== null` or `!= null` asks for it
  (`is_null` and `exists` are the same questions), and a list may hold null. Missing is null.
- Text beside a number is read as a number, beside a boolean as `true` or `false`; where it is neither, the
  two are unequal and unordered. Text beside text is compared as text, by code point.
- `a contains b` and `b in a`: a part of a text, an element of a list, a key of a mapping.
- `matches` finds its pattern anywhere in the text (RE2, linear time); `^` and `$` hold it to the ends. A
  written pattern that cannot be read is refused when it is parsed; one that is a value then matches nothing.

There is no arithmetic and no `eval`. A condition becomes a flat program in postfix order: it is plain JSON in
the plan, and answering it is one loop over a stack, however deep it was written.
"""

import json
import math
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, assert_never

import msgspec

from prodigy.plan.patterns import compiled, matches
from prodigy.plan.reference import (
    NAME,
    Lookup,
    Names,
    Piece,
    Reference,
    Syntax,
    Template,
    as_text,
    count,
    read_path,
    render,
    resolve,
    suggestion,
)
from prodigy.plan.reference import read as read_reference
from prodigy.plan.reference import references as references_in

DEPTH_MAX = 100
TEXT_CHARS_MAX = 10_000
NUMBER_CHARS_MAX = 100
EXPLANATION_CHARS_MAX = 500
SHOWN_CHARS_MAX = 80

Comparison = Callable[[Any, Any], bool]
Scalar = str | int | float | bool | None


class Push(msgspec.Struct, frozen=True, kw_only=True, tag="push", tag_field="do"):
    """Put a literal on the stack."""

    value: Scalar


class Load(msgspec.Struct, frozen=True, kw_only=True, tag="load", tag_field="do"):
    """Put the value of a reference on the stack."""

    reference: Reference


class Render(msgspec.Struct, frozen=True, kw_only=True, tag="render", tag_field="do"):
    """Put the text of a template on the stack."""

    template: Template


class Apply(msgspec.Struct, frozen=True, kw_only=True, tag="apply", tag_field="do"):
    """Replace the topmost `operands` values, the last one on top, by what `operator` makes of them."""

    operator: str
    operands: int


Instruction = Push | Load | Render | Apply


class Expression(msgspec.Struct, frozen=True, kw_only=True):
    """A condition: `text` as authored, `program` in postfix order; it leaves one value on the stack."""

    text: str
    program: tuple[Instruction, ...]


def parse(text: str, names: Names, *, bare_paths: bool = False) -> Expression:
    """Return the condition that `text` writes; every `${…}` must name one of `names`.

    Args:
        bare_paths: a word such as `a.b[0]` is a path into the item (`item.a` and `a` are the same).

    Raises:
        Syntax: anything else, more than `TEXT_CHARS_MAX` characters, nested deeper than `DEPTH_MAX`.
    """
    if len(text) > TEXT_CHARS_MAX:
        raise Syntax(TEXT_CHARS_MAX, f"a condition has at most {TEXT_CHARS_MAX} characters, not {len(text)}")
    return Expression(text=text, program=_Parser(text, _tokens(text, names, bare_paths=bare_paths)).program())


def evaluate(expression: Expression, lookup: Lookup) -> bool:
    """Return whether the condition holds now.

    Total: values that Python can neither compare nor write as text (a list nested a thousand deep, an integer
    of thousands of digits) make it false.
    """
    stack: list[Any] = []
    try:
        for instruction in expression.program:
            _execute(instruction, stack, lookup)
        return is_true(stack.pop())
    except _UNREADABLE:
        return False


def references(expression: Expression) -> Iterator[Reference]:
    """Yield every reference of the condition in the order of its text, those inside defaults included."""
    for instruction in expression.program:
        if isinstance(instruction, Load):
            yield from references_in((instruction.reference,))
        elif isinstance(instruction, Render):
            yield from references_in(instruction.template)


def explain(expression: Expression, lookup: Lookup) -> str:
    """Return the condition and the values it sees, in at most `EXPLANATION_CHARS_MAX` characters.

    For example `${test_suite.exit_code} != 0, with ${test_suite.exit_code} = 0`.
    """
    values = {reference.text: _shown(reference, lookup) for reference in references(expression)}
    listed = ", ".join(f"{text} = {value}" for text, value in values.items())
    text = expression.text.strip()
    return _clip(f"{text}, with {listed}" if listed else text, EXPLANATION_CHARS_MAX)


def is_true(value: Any) -> bool:
    """Return whether `value` is true on its own: not false, null, 0, empty, "false" or "0"."""
    return bool(value) and value not in ("false", "0")


# An integer beyond Python's limit of digits, or a list that holds itself, is a ValueError as text.
_UNREADABLE = (RecursionError, ValueError)
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")


def _execute(instruction: Instruction, stack: list[Any], lookup: Lookup) -> None:
    match instruction:
        case Load():
            stack.append(resolve(instruction.reference, lookup))
        case Push():
            stack.append(instruction.value)
        case Apply():
            first = len(stack) - instruction.operands
            stack[first:] = [_OPERATIONS[instruction.operator](*stack[first:])]
        case Render():
            stack.append(render(instruction.template, lookup))
        case _:
            assert_never(instruction)


def _is_same(left: Any, right: Any) -> bool:
    """Equality of JSON values: null is null, true is not 1, and text is read as what is beside it."""
    left, right = _aligned(left, right)
    kind = _kind(left)
    if kind != _kind(right):
        return False
    if kind == "list":
        return len(left) == len(right) and all(map(_is_same, left, right))
    if kind == "mapping":
        return left.keys() == right.keys() and all(_is_same(left[key], right[key]) for key in left)
    return bool(left == right)


def _contains(whole: Any, part: Any) -> bool:
    if isinstance(whole, list | tuple):
        return any(_is_same(element, part) for element in whole)
    if whole is None or part is None:
        return False
    return as_text(part) in (whole if isinstance(whole, Mapping) else as_text(whole))


def _aligned(left: Any, right: Any) -> tuple[Any, Any]:
    """Return both, one that is text read as the kind of the other where that is a number or a boolean."""
    if isinstance(left, str) and not isinstance(right, str):
        return _read_beside(left, right), right
    if isinstance(right, str) and not isinstance(left, str):
        return left, _read_beside(right, left)
    return left, right


def _read_beside(text: str, other: Any) -> Any:
    if isinstance(other, bool):
        return {"true": True, "false": False}.get(text.strip(), text)
    number = _number(text) if isinstance(other, int | float) else None
    return text if number is None else number


def _number(text: str) -> int | float | None:
    """Return the finite number that `text` writes in decimal, or None."""
    written = _NUMBER.fullmatch(text.strip()) if len(text) <= NUMBER_CHARS_MAX else None
    if written is None:
        return None
    number = float(text) if written.lastindex else int(text)
    return number if math.isfinite(number) else None


def _kind(value: Any) -> str:
    if isinstance(value, str):
        return "text"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, Mapping):
        return "mapping"
    return "list" if isinstance(value, list | tuple) else "null"


def _beside_values(comparison: Comparison, expected: bool = True) -> Comparison:
    """Return the comparison that is false beside null, else true where `comparison` is `expected`."""
    return lambda left, right: None not in (left, right) and comparison(left, right) is expected


def _in_order(relation: Comparison) -> Comparison:
    """Return the comparison that only two numbers or two texts can pass."""

    def compare(left: Any, right: Any) -> bool:
        left, right = _aligned(left, right)
        kind = _kind(left)
        return kind in ("text", "number") and kind == _kind(right) and relation(left, right)

    return compare


def _shown(reference: Reference, lookup: Lookup) -> str:
    """Return the value in one short line; of a list or mapping only how many elements it has."""
    try:
        value = resolve(reference, lookup)
        if isinstance(value, Mapping | list | tuple):
            return f"a {_kind(value)} of {len(value)}"
        if isinstance(value, str):
            return json.dumps(_clip(value, SHOWN_CHARS_MAX), ensure_ascii=False).encode(errors="replace").decode()
        return "null" if value is None else as_text(value)
    except _UNREADABLE:
        return "a value that cannot be written"


def _clip(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


_COMPARING_WORDS: dict[str, Comparison] = {
    "in": lambda part, whole: _contains(whole, part),
    "contains": _contains,
    "starts_with": _beside_values(lambda text, start: as_text(text).startswith(as_text(start))),
    "ends_with": _beside_values(lambda text, end: as_text(text).endswith(as_text(end))),
    "matches": _beside_values(lambda text, pattern: matches(as_text(text), as_text(pattern))),
}
_COMPARING_SIGNS: dict[str, Comparison] = {
    "==": _beside_values(_is_same),
    "!=": _beside_values(_is_same, expected=False),
    "<": _in_order(operator.lt),
    "<=": _in_order(operator.le),
    ">": _in_order(operator.gt),
    ">=": _in_order(operator.ge),
}
_TESTS: dict[str, Callable[[Any], bool]] = {
    "is_null": lambda value: value is None,
    "exists": lambda value: value is not None,
}
_OPERATIONS: dict[str, Callable[..., Any]] = {
    "or": lambda left, right: is_true(left) or is_true(right),
    "and": lambda left, right: is_true(left) and is_true(right),
    "not": lambda value: not is_true(value),
    "list": lambda *elements: elements,
    "length": count,
    **_TESTS,
    "not is_null": _TESTS["exists"],
    "not exists": _TESTS["is_null"],
    **_COMPARING_SIGNS,
    **_COMPARING_WORDS,
    **{f"not {word}": _beside_values(compare, expected=False) for word, compare in _COMPARING_WORDS.items()},
}

_SIGN = re.compile(r"&&|\|\||[=!<>]=|[!<>()\[\],]")
_WORD_END = re.compile(r"(?![\w.])")
_BARE_WORD = re.compile(r"[^\s()\[\],=!<>&|'\"$]+")
_TWO_BARE_WORDS = re.compile(r"([A-Za-z_][\w.-]{0,99}) *([=!]=) *([A-Za-z_][\w-]{0,99})(?![\w.])")
_QUOTED_PIECE = re.compile(r"[^\\'\"$]+|\\(?P<escape>[\\'\"nrt])|\$(?P<dollar>\$\{)|.", re.DOTALL)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}
_INTEGERS = range(-(2**63), 2**64)
_CONSTANTS: dict[str, Scalar] = {"true": True, "false": False, "null": None}
_CONNECTIVES = {"&&": "and", "||": "or", "and": "and", "or": "or", "not": "not"}
_KEYWORDS = (*_CONNECTIVES, *_COMPARING_WORDS, *_TESTS, "length")
_UNLIKE_PLAIN_WORDS = ("is_null", "contains", "starts_with", "ends_with", "matches")

_MENDS = {
    "=": "compare with ==; find a pattern with matches",
    "&": "both is written && or and",
    "|": "either is written || or or",
    "$": "write ${name}",
    **dict.fromkeys("+-*/%^", "there is no arithmetic here; compute it in a step and capture the result"),
}


class _Token(NamedTuple):
    """`kind` is the sign or word as the parser knows it, or "value"; `offset` is 0-based."""

    kind: str
    offset: int
    value: Instruction | None = None


def _tokens(text: str, names: Names, *, bare_paths: bool) -> list[_Token]:
    tokens: list[_Token] = []
    position = 0
    while position < len(text):
        if text[position].isspace():
            position += 1
            continue
        token, position = _token(text, position, names, bare_paths=bare_paths)
        tokens.append(token)
    return [*tokens, _Token("end", position)]


def _token(text: str, start: int, names: Names, *, bare_paths: bool) -> tuple[_Token, int]:
    if text.startswith("${", start):
        reference, end = read_reference(text, start, names, strict=True)
        assert reference is not None, "a strict reader returns a reference or raises"
        return _Token("value", start, Load(reference=reference)), end
    if text[start] in "'\"":
        return _quoted(text, start, names)
    if sign := _SIGN.match(text, start):
        return _Token(_CONNECTIVES.get(sign.group(), sign.group()), start), sign.end()
    if (number := _NUMBER.match(text, start)) and _WORD_END.match(text, number.end()):
        return _Token("value", start, Push(value=_written_number(number))), number.end()
    if word := NAME.match(text, start):
        return _word(text, word, names, bare_paths=bare_paths)
    raise _unexpected(text, start, names)


def _word(text: str, word: re.Match[str], names: Names, *, bare_paths: bool) -> tuple[_Token, int]:
    start, name = word.start(), word.group()
    if _WORD_END.match(text, word.end()):
        if name in _CONSTANTS:
            return _Token("value", start, Push(value=_CONSTANTS[name])), word.end()
        if name in _KEYWORDS:
            return _Token(_CONNECTIVES.get(name, name), start), word.end()
    if not bare_paths:
        raise _unexpected(text, start, names)
    path, end = read_path(text, word)
    path = path if name == "item" else ("item", *path)
    return _Token("value", start, Load(reference=Reference(path=path, text=text[start:end]))), end


def _written_number(match: re.Match[str]) -> int | float:
    number = _number(match.group())
    if number is None or (isinstance(number, int) and number not in _INTEGERS):
        raise Syntax(match.start(), f"the number {_clip(match.group(), SHOWN_CHARS_MAX)} is too large")
    return number


def _quoted(text: str, start: int, names: Names) -> tuple[_Token, int]:
    """Return the text up to the fellow of the quote at `start`; a quote inside a `${…}` is part of that."""
    pieces: list[Piece] = []
    literal: list[str] = []
    position = start + 1
    while not text.startswith(text[start], position):
        if position >= len(text):
            raise Syntax(start, "this quote is never closed", f"add the missing {text[start]}")
        if text.startswith("${", position):
            reference, position = read_reference(text, position, names, strict=True)
            assert reference is not None, "a strict reader returns a reference or raises"
            pieces += ["".join(literal), reference]
            literal.clear()
        else:
            characters, position = _literal(text, position)
            literal.append(characters)
    if not pieces:
        return _Token("value", start, Push(value="".join(literal))), position + 1
    template = tuple(piece for piece in (*pieces, "".join(literal)) if piece != "")
    return _Token("value", start, Render(template=template)), position + 1


def _literal(text: str, position: int) -> tuple[str, int]:
    """Return what the next characters inside quotes stand for, and the offset behind them."""
    piece = _QUOTED_PIECE.match(text, position)
    assert piece is not None, "any character is a piece"
    if escape := piece["escape"]:
        return _ESCAPES.get(escape, escape), piece.end()
    return piece["dollar"] or piece.group(), piece.end()


def _unexpected(text: str, start: int, names: Names) -> Syntax:
    found = _BARE_WORD.match(text, start)
    if found is None or text[start] in _MENDS:
        return Syntax(start, f"unexpected {text[start]!r}", _MENDS.get(text[start]))
    word = _clip(found.group(), SHOWN_CHARS_MAX)
    hint = f"text needs quotes: '{word}'" + (f"; the value is ${{{word}}}" if word.split(".")[0] in names else "")
    if compared := _TWO_BARE_WORDS.match(text, start):
        hint = compared.expand(r"a value has ${…} and text has quotes: ${\1} \2 '\3'")
    is_known = word.lower() in (*_CONSTANTS, *_KEYWORDS)
    meant = f"did you mean {word.lower()}?" if is_known else suggestion(word, _UNLIKE_PLAIN_WORDS, form="{}")
    return Syntax(start, f"{word!r} is a bare word", f"{meant} {hint}" if meant else hint)


_COMPARING = 3
_BINDING = {
    "or": 1,
    "and": 2,
    "not": _COMPARING,
    **dict.fromkeys((*_TESTS, *_COMPARING_WORDS, *_COMPARING_SIGNS), _COMPARING),
}
_PREFIXES = {"!": "not", "length": "length", **{word: word for word in _TESTS}}
_NULL = Push(value=None)
_NULL_TESTS = {"==": "is_null", "!=": "exists"}


class _Parser:
    """Turns tokens into a program by precedence climbing: what binds tighter than `floor` is read first.

    It calls itself once for each level of nesting, three frames at most, and there are `DEPTH_MAX` levels.
    """

    def __init__(self, text: str, tokens: list[_Token]) -> None:
        self._text = text
        self._tokens = tokens
        self._index = 0
        self._depth = 0
        self._program: list[Instruction] = []

    def program(self) -> tuple[Instruction, ...]:
        if self._next.kind == "end":
            raise Syntax(0, "the condition is empty", "write true, or leave the key out")
        self._expression(0)
        if self._next.kind != "end":
            raise self._unexpected("the end, or a word that joins or compares")
        return tuple(self._program)

    @property
    def _next(self) -> _Token:
        return self._tokens[self._index]

    def _advance(self) -> _Token:
        token = self._next
        self._index += 1
        return token

    def _expect(self, kind: str) -> None:
        if self._next.kind != kind:
            raise self._unexpected(repr(kind))
        self._advance()

    def _unexpected(self, wanted: str) -> Syntax:
        start = self._next.offset
        if self._next.kind == "end":
            return Syntax(start, f"the condition ends where {wanted} is expected")
        end = self._tokens[self._index + 1].offset
        found = _clip(self._text[start:end].rstrip(), SHOWN_CHARS_MAX)
        return Syntax(start, f"expected {wanted}, found {found}")

    def _apply(self, operator: str, operands: int) -> None:
        self._program.append(Apply(operator=operator, operands=operands))

    def _expression(self, floor: int) -> None:
        first, start = self._next, len(self._program)
        if first.kind == "not":
            self._nested(self._expression, _BINDING["and"])
            self._apply("not", 1)
        else:
            self._operand()
        while (binding := _BINDING.get(self._next.kind, 0)) > floor:
            if binding == _COMPARING:
                self._comparison(first, start)
                continue
            connective = self._advance().kind
            self._expression(binding)
            self._apply(connective, 2)

    def _nested(self, read: Callable[..., None], *arguments: int) -> None:
        """Consume the token that opens a level, and read what it holds."""
        if self._depth == DEPTH_MAX:
            raise Syntax(self._next.offset, f"the condition is nested deeper than {DEPTH_MAX}")
        self._depth += 1
        self._advance()
        read(*arguments)
        self._depth -= 1

    def _operand(self) -> None:
        token = self._next
        if token.value is not None:
            self._program.append(token.value)
            self._advance()
        elif token.kind == "(":
            self._nested(self._expression, 0)
            self._expect(")")
        elif token.kind == "[":
            self._nested(self._list)
        elif token.kind in _COMPARING_WORDS:
            self._nested(self._call)
        elif token.kind in _PREFIXES:
            self._nested(self._operand)
            self._apply(_PREFIXES[token.kind], 1)
        else:
            raise self._unexpected("a value")

    def _list(self) -> None:
        elements = 0
        while self._next.kind != "]":
            if elements:
                self._expect(",")
            self._expression(0)
            elements += 1
        self._advance()
        self._apply("list", elements)

    def _call(self) -> None:
        """Read `(a, b)` behind a comparing word, which is the token before it."""
        word = self._tokens[self._index - 1]
        if self._next.kind != "(":
            raise Syntax(word.offset, f"a value is missing before {word.kind}", f"write a {word.kind} b")
        self._advance()
        left = len(self._program)
        self._expression(0)
        self._expect(",")
        right, offset = len(self._program), self._next.offset
        self._expression(0)
        self._expect(")")
        self._compare(word.kind, left, right, offset)

    def _comparison(self, first: _Token, left: int) -> None:
        """Read on from a left side that began with `first` and is the program from `left` on."""
        if first.kind == "!":
            raise Syntax(first.offset, "! before a comparison reads two ways", "write !(a == b) or (!a) == b")
        kind = self._advance().kind
        if kind == "not":
            if self._next.kind not in (*_TESTS, *_COMPARING_WORDS):
                raise self._unexpected("a word that compares")
            kind = f"not {self._advance().kind}"
        if kind.removeprefix("not ") in _TESTS:
            self._apply(kind, 1)
        else:
            right, offset = len(self._program), self._next.offset
            self._operand()
            self._compare(kind, left, right, offset)
        if _BINDING.get(self._next.kind) == _COMPARING:
            raise Syntax(self._next.offset, "comparisons do not chain", "join two of them with &&")

    def _compare(self, kind: str, left: int, right: int, offset: int) -> None:
        """Finish a comparison; the right side is the program from `right` on, written at `offset`."""
        sides = self._program[left:right], self._program[right:]
        if kind in _NULL_TESTS and [_NULL] in sides:
            self._program[left:] = sides[1] if sides[0] == [_NULL] else sides[0]
            self._apply(_NULL_TESTS[kind], 1)
            return
        if kind.endswith("matches") and len(sides[1]) == 1 and isinstance(sides[1][0], Push):
            _, reason = compiled(as_text(sides[1][0].value))
            if reason:
                raise Syntax(offset, f"the pattern cannot be read: {reason}", "patterns are those of RE2")
        self._apply(kind, 2)
