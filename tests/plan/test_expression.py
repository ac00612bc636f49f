"""Conditions: what they mean, what is refused and where, and what they refer to."""

import sys
from typing import Any

import pytest

from prodigy.plan.expression import (
    DEPTH_MAX,
    EXPLANATION_CHARS_MAX,
    TEXT_CHARS_MAX,
    evaluate,
    explain,
    parse,
    references,
)
from prodigy.plan.reference import Lookup, Reference, Syntax

VALUES: dict[str, Any] = {
    "text": "abc",
    "empty": "",
    "number": 3,
    "zero": 0,
    "digits": "10",
    "yes": True,
    "no": False,
    "nothing": None,
    "list": ["a", "b", 3],
    "void": [],
    "map": {"key": "value", "inner": {"n": 1}, "files": ["x.py", "y.py"]},
    "flag": "true",
    "quote": 'it\'s "quoted" ${text}',
    "pattern": "^a.c$",
    "broken": "(",
}
NAMES = frozenset(VALUES)


def lookup_in(values: dict[str, Any]) -> Lookup:
    return lambda name: (name in values, values.get(name))


def holds(text: str, values: dict[str, Any] = VALUES) -> bool:
    return evaluate(parse(text, frozenset(values)), lookup_in(values))


def refusal(text: str) -> tuple[int, str, str | None]:
    with pytest.raises(Syntax) as caught:
        parse(text, NAMES)
    return caught.value.offset, caught.value.message, caught.value.hint


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("true", True),
        ("false", False),
        ("null", False),
        ("0", False),
        ("0.0", False),
        ("-1", True),
        ("''", False),
        ("'false'", False),
        ("'0'", False),
        ("' '", True),
        ("'False'", True),
        ("[]", False),
        ("[false]", True),
        ("${yes}", True),
        ("${no}", False),
        ("${nothing}", False),
        ("${void}", False),
        ("${list}", True),
        ("${map.missing}", False),
    ],
)
def test_value_alone(text: str, expected: bool) -> None:
    """A value is true unless false, null, 0, empty, "false" or "0"."""
    assert holds(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${number} == 3", True),
        ("${number} == 3.0", True),
        ("${number} != 3", False),
        ("${number} < 3", False),
        ("${number} <= 3", True),
        ("${number} > 2.5", True),
        ("${number} >= 4", False),
        ("${number} >= 3", True),
        ("1e3 == 1000", True),
        ("-2 < -1", True),
        ("${text} == 'abc'", True),
        ('${text} == "abc"', True),
        ("${text} < 'abd'", True),
        ("'10' < '9'", True),
        ("${text}=='abc'&&${number}>2", True),
    ],
)
def test_comparison(text: str, expected: bool) -> None:
    """Numbers compare as numbers and texts as texts, by code point."""
    assert holds(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${digits} > 9", True),
        ("9 < ${digits}", True),
        ("${digits} == 10", True),
        ("' 10\n' == 10", True),
        ("'08' == 8", True),
        ("'1e1' == 10", True),
        ("${text} == 3", False),
        ("${text} != 3", True),
        ("${text} < 3", False),
        ("${text} >= 3", False),
        ("${empty} == 0", False),
        ("'nan' == 0", False),
        ("'1_0' == 10", False),
        ("'0x10' == 16", False),
        ("'1e999' > 1", False),
        ("'٣' == 3", False),
        (f"'{'1' * 100}' > 1", True),
        (f"'{'1' * 101}' > 1", False),
        ("${flag} == true", True),
        ("'false' == ${no}", True),
        ("${text} == true", False),
        ("true == 1", False),
        ("false < 1", False),
        ("true >= true", False),
    ],
)
def test_text_beside_another_kind(text: str, expected: bool) -> None:
    """Text is read as the number or boolean it writes, and is else unequal and unordered."""
    assert holds(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${nothing} == null", True),
        ("null == ${nothing}", True),
        ("${nothing} != null", False),
        ("${text} == null", False),
        ("null != ${text}", True),
        ("${map.missing} == (null)", True),
        ("null == null", True),
        ("${nothing} == ${map.missing}", False),
        ("${nothing} == 'a'", False),
        ("${nothing} != 'a'", False),
        ("'a' != ${nothing}", False),
        ("${nothing} < 1", False),
        ("${nothing} >= 0", False),
        ("${nothing} in ['a']", False),
        ("${nothing} not in ['a']", False),
        ("not ${nothing} in ['a']", True),
        ("${nothing} in ['a', null]", True),
        ("${nothing} contains ''", False),
        ("${nothing} not contains 'a'", False),
        ("'abc' contains ${nothing}", False),
        ("${nothing} starts_with ''", False),
        ("${nothing} ends_with ''", False),
        ("${nothing} matches ''", False),
        ("${nothing} not matches 'a'", False),
        ("length(${nothing}) < 1", False),
        ("\"${nothing}\" == ''", True),
    ],
)
def test_null(text: str, expected: bool) -> None:
    """A comparison with null is false, unless null itself is written."""
    assert holds(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${list} == ['a', 'b', 3]", True),
        ("${list} == ['a', 'b']", False),
        ("${list} != ['a', 'b']", True),
        ("[null] == [null]", True),
        ("[true] == [1]", False),
        ("${map.inner} == ${map.inner}", True),
        ("${map.inner} == ${map}", False),
        ("${list} == 'a'", False),
        ("[1] < [2]", False),
        ("[1] <= [1]", False),
    ],
)
def test_lists_and_mappings(text: str, expected: bool) -> None:
    """They are equal by their elements and have no order."""
    assert holds(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("'a' in ${list}", True),
        ("'3' in ${list}", True),
        ("'c' in ${list}", False),
        ("'c' not in ${list}", True),
        ("'b' in 'abc'", True),
        ("'key' in ${map}", True),
        ("'value' in ${map}", False),
        ("${text} in ['abc', 'd']", True),
        ("${text} in []", False),
        ("${text} contains 'bc'", True),
        ("${text} not contains 'bc'", False),
        ("contains(${text}, 'bc')", True),
        ("in('a', ${list})", True),
        ("${list} contains 'a'", True),
        ("${map} contains 'key'", True),
        ("123 contains 2", True),
        ("${text} starts_with 'ab'", True),
        ("${text} starts_with 'bc'", False),
        ("${text} ends_with 'bc'", True),
        ("ends_with(${text}, 'ab')", False),
        ("${text} matches 'B'", False),
        ("${text} matches 'b'", True),
        ("${text} matches '^b'", False),
        (r"${text} matches '^\w{3}$'", True),
        (r"matches(${digits}, '^\\d+$')", True),
        ("'é' matches '^.$'", True),
        ("'line\n' matches 'line$'", False),
        ("${text} not matches 'x'", True),
        ("${text} matches ${pattern}", True),
        ("${text} matches ${broken}", False),
        ("length(${list}) == 3", True),
        ("length ${text} > 3", False),
        ("length(${map}) == length(${list})", True),
        ("${list|length} > 2", True),
        ("${nothing} is_null", True),
        ("${text} not is_null", True),
        ("is_null(${text})", False),
        ("exists(${text})", True),
        ("exists ${map.missing}", False),
        ("${map.inner.n} exists", True),
        ("${nothing} not exists", True),
        ("exists(${void})", True),
    ],
)
def test_words(text: str, expected: bool) -> None:
    """Words compare between values, or called; tests stand before, after, or called."""
    assert holds(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("true || true && false", True),
        ("(true || true) && false", False),
        ("true or true and false", True),
        ("!false && !!true", True),
        ("not 1 == 2", True),
        ("not false and false", False),
        ("not (false and false)", True),
        ("(!${no}) == true", True),
        ("${yes} == !${no}", True),
        ("!exists(${nothing}) and ${text} == 'abc'", True),
        ("(${number} > 2) == true", True),
        ("not not true", True),
    ],
)
def test_precedence(text: str, expected: bool) -> None:
    """Or binds looser than and, and looser than not, not looser than a comparison, ! tightest."""
    assert holds(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"${text}" == "abc"', True),
        ("'x${text}-${number}' == 'xabc-3'", True),
        ('"${map["key"]}" == \'value\'', True),
        ("'${nothing:-it''s}' == 'x'", False),
        ('"${nothing:-"}" == \'"\'', True),
        ("'$${text}' contains '{text}'", True),
        (r"'it\'s' == " + '"it\'s"', True),
        (r"'a\\b\n\t\r\"' == ${quote}", False),
        (r"length('a\\b\n\t\r\"') == 7", True),
        (r"length('\d') == 2", True),
        ("'$5' == \"$\" ", False),
        ("'${list}' == '[\"a\",\"b\",3]'", True),
        ("${quote} == 'it\\'s \"quoted\" $${text}'", True),
    ],
)
def test_quoted_text(text: str, expected: bool) -> None:
    """Quotes hold text with escapes and references; a value in it is never read again."""
    assert holds(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("score >= 5", True),
        ("item.score >= 5", True),
        ("item >= 5", False),
        ("tags[0] == 'x' && nested.deep[\"k\"] == 1", True),
        ("'x' in tags", True),
        ("not-there is_null", True),
        ("${text} == name", True),
        ("order.by == 2", True),
        ("in.true == 3", True),
    ],
)
def test_bare_paths(text: str, expected: bool) -> None:
    """In a filter a word is a path into the item."""
    item = {
        "score": 7,
        "tags": ["x"],
        "nested": {"deep": {"k": 1}},
        "name": "abc",
        "order": {"by": 2},
        "in": {"true": 3},
    }
    expression = parse(text, NAMES, bare_paths=True)
    assert evaluate(expression, lookup_in({**VALUES, "item": item})) == expected


def test_bare_path_is_a_reference() -> None:
    """A bare path is the reference that its `${item…}` form would be, with the text as written."""
    expected = [Reference(path=("item", "a", "b", 0), text="a.b[0]")]
    assert list(references(parse("a.b[0] > 1", NAMES, bare_paths=True))) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", (0, "the condition is empty", "write true, or leave the key out")),
        ("  ", (0, "the condition is empty", "write true, or leave the key out")),
        ("abc == 1", (0, "'abc' is a bare word", "text needs quotes: 'abc'")),
        ("1 == text", (5, "'text' is a bare word", "text needs quotes: 'text'; the value is ${text}")),
        ("a/b.txt", (0, "'a/b.txt' is a bare word", "text needs quotes: 'a/b.txt'")),
        ("True", (0, "'True' is a bare word", "did you mean true? text needs quotes: 'True'")),
        (
            "${text} startsWith 'a'",
            (8, "'startsWith' is a bare word", "did you mean starts_with? text needs quotes: 'startsWith'"),
        ),
        ("1.2.3 == 1", (0, "'1.2.3' is a bare word", "text needs quotes: '1.2.3'")),
        ("__import__('os')", (0, "'__import__' is a bare word", "text needs quotes: '__import__'")),
        (
            "9**9**9",
            (1, "unexpected '*'", "there is no arithmetic here; compute it in a step and capture the result"),
        ),
        ("1 = 1", (2, "unexpected '='", "compare with ==; find a pattern with matches")),
        ("1 & 1", (2, "unexpected '&'", "both is written && or and")),
        ("1 | 1", (2, "unexpected '|'", "either is written || or or")),
        ("$text", (0, "unexpected '$'", "write ${name}")),
        ("1 ==", (4, "the condition ends where a value is expected", None)),
        ("(1", (2, "the condition ends where ')' is expected", None)),
        ("[1 2]", (3, "expected ',', found 2", None)),
        ("1 )", (2, "expected the end, or a word that joins or compares, found )", None)),
        ("1 == not 2", (5, "expected a value, found not", None)),
        ("1 not 2", (6, "expected a word that compares, found 2", None)),
        ("contains == 1", (0, "a value is missing before contains", "write a contains b")),
        ("1 < 2 < 3", (6, "comparisons do not chain", "join two of them with &&")),
        ("!1 == 2", (0, "! before a comparison reads two ways", "write !(a == b) or (!a) == b")),
        ("1 == 'abc", (5, "this quote is never closed", "add the missing '")),
        ("1 matches '(a'", (10, "the pattern cannot be read: missing ): (a", "patterns are those of RE2")),
        (
            "matches('a', '(?=b)')",
            (13, "the pattern cannot be read: invalid perl operator: (?=", "patterns are those of RE2"),
        ),
        ("1e999 > 1", (0, "the number 1e999 is too large", None)),
        ("99999999999999999999 > 1", (0, "the number 99999999999999999999 is too large", None)),
        ("1 == ${txt}", (5, "unknown name 'txt'", "did you mean ${text}?")),
        ("1 == 'a${txt}'", (7, "unknown name 'txt'", "did you mean ${text}?")),
    ],
)
def test_refusal(text: str, expected: tuple[int, str, str | None]) -> None:
    """A text that is no condition is refused with its place and its mend."""
    assert refusal(text) == expected


@pytest.mark.parametrize("characters", [TEXT_CHARS_MAX + 1, 50_000])
def test_too_long(characters: int) -> None:
    """A condition beyond the greatest length is refused unread."""
    expected = (TEXT_CHARS_MAX, f"a condition has at most 10000 characters, not {characters}", None)
    assert refusal("!" * characters) == expected


@pytest.mark.parametrize("opening", ["(", "[", "!", "not ", "length ", "contains(", "${text} == ("])
def test_nesting_too_deep(opening: str) -> None:
    """Whatever nests is refused beyond the limit, long before Python's own."""
    times = TEXT_CHARS_MAX // len(opening)
    assert refusal(opening * times)[1] == f"the condition is nested deeper than {DEPTH_MAX}"


def test_nesting_at_the_limit() -> None:
    """A condition nested as deep as is allowed is read and answered."""
    assert holds("(" * DEPTH_MAX + "true" + ")" * DEPTH_MAX) is True


def test_nesting_beyond_the_limit() -> None:
    """One level more is refused where it opens."""
    text = "(" * (DEPTH_MAX + 1) + "true" + ")" * (DEPTH_MAX + 1)
    assert refusal(text)[:2] == (DEPTH_MAX, f"the condition is nested deeper than {DEPTH_MAX}")


def test_groups_side_by_side_are_not_nested() -> None:
    """What stands side by side does not count as depth."""
    assert holds(" && ".join(["(!false)"] * (DEPTH_MAX + 1))) is True


def test_longest_condition() -> None:
    """A condition of the greatest length is read and answered."""
    text = "false||" * 1428 + "true"
    assert (len(text), holds(text)) == (TEXT_CHARS_MAX, True)


def test_no_name_reaches_python() -> None:
    """A path into a value sees its data and never its attributes."""
    assert holds("${text.__class__} is_null and ${list.append} is_null and ${map.keys} is_null") is True


def test_pattern_that_backtracks_elsewhere() -> None:
    """A pattern that is exponential for a backtracking engine is answered at once."""
    assert holds("${text} matches '^(a+)+$'", {"text": "a" * 5_000 + "!"}) is False


def test_pattern_against_a_lone_surrogate() -> None:
    """Text that is no valid Unicode is still searched."""
    assert holds("${text} matches 'b$'", {"text": "\ud800b"}) is True


def test_unreadable_pattern_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    """The pattern engine does not write to the terminal of a run."""
    assert (holds("${text} matches '${broken}['"), *capfd.readouterr()) == (False, "", "")


def test_re2_is_loaded_for_patterns_only() -> None:
    """A condition without `matches` does not load the pattern engine."""
    loaded = sys.modules.pop("re2", None)
    try:
        assert (holds("${text} contains 'a'"), "re2" in sys.modules) == (True, False)
    finally:
        if loaded is not None:
            sys.modules["re2"] = loaded


def test_references_in_order() -> None:
    """Every reference is named once for each time it stands, inside quotes, lists and defaults too."""
    expression = parse("${text} in ['${number} ${list[0]}', ${empty:-${zero}}]", NAMES)
    found = [reference.text for reference in references(expression)]
    assert found == ["${text}", "${number}", "${list[0]}", "${empty:-${zero}}", "${zero}"]


def test_explanation() -> None:
    """The explanation shows the condition and what it saw."""
    text = "${number} != 0 && ${text} == '${nothing}' && ${list} && ${map.inner} && ${number}"
    expected = (
        f'{text}, with ${{number}} = 3, ${{text}} = "abc", ${{nothing}} = null, '
        "${list} = a list of 3, ${map.inner} = a mapping of 1"
    )
    assert explain(parse(text, NAMES), lookup_in(VALUES)) == expected


def test_explanation_without_values() -> None:
    """Where nothing is referred to, the explanation is the condition."""
    assert explain(parse(" 1 == 1 ", NAMES), lookup_in(VALUES)) == "1 == 1"


def test_explanation_is_short() -> None:
    """Of a large value and of a long condition only the beginning is shown."""
    values = {"text": "x" * 1_000_000}
    shown = explain(parse("${text} == 'y'", frozenset(values)), lookup_in(values))
    long = explain(parse("1 || " * 900 + "1", NAMES), lookup_in(VALUES))
    assert shown == "${text} == 'y', with ${text} = \"" + "x" * 79 + '…"'
    assert (len(long), long[-1]) == (EXPLANATION_CHARS_MAX, "…")


def nested(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    "value",
    [nested(100_000), {"a": nested(100_000)}, 16**5000, float("nan"), float("-inf"), "\ud800"],
    ids=["deep list", "deep mapping", "long integer", "nan", "infinity", "surrogate"],
)
@pytest.mark.parametrize(
    "text",
    [
        "${a} == ${b}",
        "'${a}' == 'x'",
        "${a|json} contains 1",
        "${a} matches '^x'",
        "${a} < 1",
        "${a} in [${b}, 1]",
    ],
)
def test_values_nobody_can_write(text: str, value: Any) -> None:
    """Answering and explaining do not fail on values that Python cannot compare or write."""
    values = {"a": value, "b": value}
    expression = parse(text, frozenset(values))
    answer, explanation = evaluate(expression, lookup_in(values)), explain(expression, lookup_in(values))
    assert (isinstance(answer, bool), explanation.startswith(text)) == (True, True)
