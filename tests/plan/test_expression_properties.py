"""Conditions, by property: a tree means what its text means, any text is read or refused, any value answered.

The oracle reads no text: it answers the tree from which the text was written.
"""

import json
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from prodigy.plan.expression import Expression, evaluate, is_true, parse
from prodigy.plan.reference import Syntax

VALUES: dict[str, Any] = {
    "text": "abc",
    "empty": "",
    "number": 3,
    "zero": 0,
    "digits": "10",
    "yes": True,
    "nothing": None,
    "list": ["a", "b", 3],
    "void": [],
    "map": {"key": "value", "inner": {"n": 1}},
    "flag": "true",
    "quote": 'it\'s "quoted" ${text}',
}
NAMES = frozenset(VALUES)


def holds(text: str, values: dict[str, Any] = VALUES) -> bool:
    return evaluate(parse(text, frozenset(values)), lambda name: (name in values, values.get(name)))


Tree = tuple[Any, ...]
WRITTEN = {"or": "||", "and": "&&"}
LEAVES = st.one_of(
    st.sampled_from(sorted(NAMES)).map(lambda name: ("value", name)),
    st.one_of(
        st.none(), st.booleans(), st.integers(-5, 12), st.sampled_from([0.5, 3.0, 1e20]), st.text(max_size=4)
    ).map(lambda value: ("literal", value)),
    st.sampled_from(["10", "3", "abc", "true", "a", ""]).map(lambda value: ("literal", value)),
)
SIGNS = ("==", "!=", "<", "<=", ">", ">=", "in", "not in", "contains", "starts_with", "ends_with")
TREES: st.SearchStrategy[Tree] = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.tuples(st.sampled_from(["or", "and"]), inner, inner),
        st.tuples(st.sampled_from(SIGNS), inner, inner),
        st.tuples(st.sampled_from(["not", "length", "is_null", "exists"]), inner),
        st.lists(inner, max_size=3).map(lambda elements: ("list", *elements)),
    ),
    max_leaves=8,
)


def quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    return "'" + escaped.replace("${", "$${") + "'"


def written(tree: Tree) -> str:
    """Write a tree; every part in parentheses, so that the text has one reading."""
    match tree:
        case ("value", name):
            return f"${{{name}}}"
        case ("literal", value):
            return quoted(value) if isinstance(value, str) else json.dumps(value)
        case ("list", *elements):
            return "[" + ", ".join(map(written, elements)) + "]"
        case (operator, operand):
            return f"({operator} ({written(operand)}))"
        case (operator, left, right):
            return f"(({written(left)}) {WRITTEN.get(operator, operator)} ({written(right)}))"
    raise AssertionError(tree)


def answer(tree: Tree) -> Any:
    match tree:
        case ("value", name):
            return VALUES[name]
        case ("literal", value):
            return value
        case ("list", *elements):
            return [answer(element) for element in elements]
        case ("not", operand):
            return not truth(answer(operand))
        case ("length", operand):
            value = answer(operand)
            return None if value is None else len(value if isinstance(value, list | dict) else plain(value))
        case ("is_null" | "exists" as test, operand):
            return (answer(operand) is None) == (test == "is_null")
        case ("or", left, right):
            return truth(answer(left)) or truth(answer(right))
        case ("and", left, right):
            return truth(answer(left)) and truth(answer(right))
        case ("==" | "!=" as sign, left, right) if ("literal", None) in (left, right):
            other = answer(right if left == ("literal", None) else left)
            return (other is None) == (sign == "==")
        case (sign, left, right):
            return compared(sign, answer(left), answer(right))
    raise AssertionError(tree)


def truth(value: Any) -> bool:
    return not (value is None or value is False or value in ("", "false", "0", [], {}) or value == 0)


def plain(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer() and value < 1e16:
        return str(int(value))
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def compared(sign: str, left: Any, right: Any) -> bool:
    if sign in ("contains", "in", "not in"):
        whole, part = (left, right) if sign == "contains" else (right, left)
        if sign == "not in" and (part is None or whole is None):
            return False
        return held(whole, part) == (sign != "not in")
    if left is None or right is None:
        return False
    match sign:
        case "starts_with":
            return plain(left)[: len(plain(right))] == plain(right)
        case "ends_with":
            return plain(right) == "" or plain(left)[-len(plain(right)) :] == plain(right)
        case "==":
            return equal(left, right)
        case "!=":
            return not equal(left, right)
    return sign in order(left, right)


def held(whole: Any, part: Any) -> bool:
    if isinstance(whole, list):
        return any((element is None and part is None) or equal(element, part) for element in whole)
    if whole is None or part is None:
        return False
    return plain(part) in whole if isinstance(whole, dict) else plain(whole).find(plain(part)) >= 0


def equal(left: Any, right: Any) -> bool:
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(
            (a is None and b is None) or equal(a, b) for a, b in zip(left, right, strict=True)
        )
    left, right = number_or_self(left, right), number_or_self(right, left)
    same_kind = isinstance(left, bool) == isinstance(right, bool)
    return bool(same_kind and left is not None and left == right)


def number_or_self(value: Any, other: Any) -> Any:
    if isinstance(value, str) and isinstance(other, bool):
        return {"true": True, "false": False}.get(value.strip(), value)
    if not isinstance(value, str) or not isinstance(other, int | float):
        return value
    try:
        read = json.loads(value.strip().lstrip("0") or value.strip() or "x")
    except ValueError:
        return value
    return read if isinstance(read, int | float) and not isinstance(read, bool) else value


def order(left: Any, right: Any) -> tuple[str, ...]:
    left, right = number_or_self(left, right), number_or_self(right, left)
    texts = isinstance(left, str) and isinstance(right, str)
    numbers = all(isinstance(side, int | float) and not isinstance(side, bool) for side in (left, right))
    if not (texts or numbers):
        return ()
    return ("<=", ">=") if left == right else ("<", "<=") if left < right else (">", ">=")


@given(TREES)
def test_meaning_of_any_condition(tree: Tree) -> None:
    """Any condition means what an evaluator that never saw its text says."""
    assert holds(written(tree)) == truth(answer(tree))


@given(TREES)
def test_condition_survives_the_log(tree: Tree) -> None:
    """A condition written as JSON and read again is the same condition."""
    expression = parse(written(tree), NAMES)
    assert msgspec.json.decode(msgspec.json.encode(expression), type=Expression) == expression


FRAGMENTS = [
    *SIGNS,
    *"()[],!'\"\\$",
    "${text}",
    "${",
    "}",
    "${map.",
    "matches",
    "not",
    "and",
    "||",
    "1",
    "a",
    " ",
]


@given(
    st.one_of(st.text(max_size=60), st.lists(st.sampled_from(FRAGMENTS), max_size=40).map("".join)),
    st.booleans(),
)
def test_any_text_is_read_or_refused(text: str, bare_paths: bool) -> None:
    """Any text is a condition that keeps it, or is refused at a place inside it."""
    try:
        outcome = parse(text, NAMES, bare_paths=bare_paths).text == text
    except Syntax as refused:
        outcome = 0 <= refused.offset <= len(text)
    assert outcome is True


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(JSON, JSON)
def test_any_values_are_answered(left: Any, right: Any) -> None:
    """Every operator answers every pair of values, and what excludes each other is never both true."""
    values = {"a": left, "b": right}
    answers = {
        sign: holds(f"${{a}} {sign} ${{b}}", values) for sign in (*SIGNS, "not contains", "matches", "not matches")
    }
    exclusive = [("==", "!="), ("<", ">="), (">", "<="), ("in", "not in"), ("contains", "not contains")]
    assert [pair for pair in exclusive if answers[pair[0]] and answers[pair[1]]] == []


@given(JSON)
def test_not_is_the_opposite(value: Any) -> None:
    """A value and its negation are never alike."""
    assert holds("!${a}", {"a": value}) is not is_true(value)
