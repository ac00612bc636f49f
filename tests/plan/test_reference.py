"""References: which `${…}` are ours, what they name, and what they become."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prodigy.plan.reference import (
    DEPTH_MAX,
    Lookup,
    Reference,
    Syntax,
    Template,
    as_text,
    count,
    find,
    parse_template,
    read,
    references,
    render,
    resolve,
    suggestion,
)

VALUES: dict[str, Any] = {
    "item": "a b.js",
    "output_dir": "out",
    "data": {"list": [1, 2.0, None], "0": "zero", "a-b": "dashed", "x y": "spaced"},
    "rows": ["a", 'b"c', 3],
    "empty": "",
    "nothing": None,
    "a-b": "name with a dash",
}
NAMES = frozenset(VALUES)


def lookup(name: str) -> tuple[bool, Any]:
    return name in VALUES, VALUES.get(name)


def refusal(text: str, *, strict: bool) -> tuple[int, str, str | None]:
    with pytest.raises(Syntax) as caught:
        read(text, text.index("${"), NAMES, strict=strict)
    return caught.value.offset, caught.value.message, caught.value.hint


def rendered(text: str) -> str:
    return render(parse_template(text, NAMES), lookup)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${item}", Reference(path=("item",), text="${item}")),
        ("${data.list[0]}", Reference(path=("data", "list", 0), text="${data.list[0]}")),
        ("${rows[-1]}", Reference(path=("rows", -1), text="${rows[-1]}")),
        ('${data["x y"]}', Reference(path=("data", "x y"), text='${data["x y"]}')),
        ("${a-b}", Reference(path=("a-b",), text="${a-b}")),
        ("${item:-}", Reference(path=("item",), default=(), text="${item:-}")),
        ("${item:-a{b}c}", Reference(path=("item",), default=("a{b}c",), text="${item:-a{b}c}")),
        ("${item|raw}", Reference(path=("item",), filters=("raw",), text="${item|raw}")),
        (
            "${rows|lines | length}",
            Reference(path=("rows",), filters=("lines", "length"), text="${rows|lines | length}"),
        ),
        (
            "${item:-x ${empty}}",
            Reference(
                path=("item",),
                default=("x ", Reference(path=("empty",), text="${empty}")),
                text="${item:-x ${empty}}",
            ),
        ),
    ],
)
@pytest.mark.parametrize("strict", [True, False])
def test_forms_of_ours(text: str, expected: Reference, strict: bool) -> None:
    """A form with a name of ours is a reference, and reading ends behind its brace."""
    assert read(f">{text}<}}", 1, NAMES, strict=strict) == (expected, len(text) + 1)


@pytest.mark.parametrize(
    "text",
    [
        "${HOME}",
        "${#x}",
        "${x%.py}",
        "${x:0:3}",
        "${1}",
        "${a[@]}",
        "${x:-y}",
        "${!x}",
        "${?}",
        "${x[0]}",
        "${",
    ],
)
def test_forms_of_the_shell(text: str) -> None:
    """A form whose name is not ours is the shell's; its words are read on from behind `${`."""
    assert read(text, 0, NAMES, strict=False) == (None, 2)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x ${itm.a}", (2, "unknown name 'itm'", "did you mean ${item}?")),
        ("${itm|json}", (0, "unknown name 'itm'", "did you mean ${item}?")),
        ("${itm[0].a}", (0, "unknown name 'itm'", "did you mean ${item}?")),
        (
            "${item%.js}",
            (0, "${item%.js} is a shell form, but 'item' is no shell variable", 'f=${item}; echo "${f%.js}"'),
        ),
        (
            "${#item}",
            (0, "${#item} is a shell form, but 'item' is no shell variable", 'f=${item}; echo "${#f}"'),
        ),
        (
            "${item-x}",
            (0, "${item-x} is a shell form, but 'item' is no shell variable", 'f=${item}; echo "${f-x}"'),
        ),
        ("${item", (0, "${item is never closed", "add the missing }")),
        ("${item:-{}", (0, "${item:-{} is never closed", "add the missing }")),
        ("${item|jso}", (6, "unknown filter 'jso'", "did you mean |json?")),
        ("${item|}", (6, "unknown filter ''", "filters: raw, file, json, lines, csv, length")),
    ],
)
def test_refused_in_a_shell(text: str, expected: tuple[int, str, str | None]) -> None:
    """What would silently mean something else in the shell is refused with the mend."""
    assert refusal(text, strict=False) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${output_dr}", (0, "unknown name 'output_dr'", "did you mean ${output_dir}?")),
        ("${}", (0, "${} names nothing", "write ${name}; $${ writes a literal ${")),
        ("${1}", (0, "${1} names nothing", "write ${name}; $${ writes a literal ${")),
        (
            "${item%.js}",
            (
                0,
                "${item%.js} is not a form of ours",
                "write ${name}, ${name.key[0]}, ${name:-default} or ${name|filter}",
            ),
        ),
    ],
)
def test_refused_where_there_is_no_shell(text: str, expected: tuple[int, str, str | None]) -> None:
    """Outside shell code every `${…}` must be ours."""
    assert refusal(text, strict=True) == expected


def test_unknown_name_lists_what_is_known() -> None:
    """Where no name is near, the hint lists the names there are."""
    with pytest.raises(Syntax) as caught:
        read("${zzz}", 0, frozenset("abcdefghij"), strict=True)
    assert caught.value.hint == "a literal ${ is written $${; known here: a, b, c, d, e, f, g, h, …"


def test_long_excerpt_is_cut() -> None:
    """A message quotes no more than the beginning of a long form."""
    assert refusal("${" + "1" * 500 + "}", strict=True)[1] == "${" + "1" * 78 + "… names nothing"


def test_defaults_nested_too_deep() -> None:
    """Defaults nest to a limit and are refused beyond it, not by Python."""
    text = "${item:-" * 500 + "}" * 500
    assert refusal(text, strict=True)[1] == f"defaults nest deeper than {DEPTH_MAX}"


def test_defaults_nested_to_the_limit() -> None:
    """Defaults nest as deep as the limit says, and one more is refused."""
    at_limit = "${empty:-" * DEPTH_MAX + "${item}" + "}" * DEPTH_MAX
    assert rendered(at_limit) == "a b.js"
    assert refusal("${empty:-" + at_limit + "}", strict=True)[0] == len("${empty:-") * (DEPTH_MAX + 1)


def test_find_matches_braces() -> None:
    """The end of a form is the brace that matches its own."""
    assert find("x ${a:-{b}${c}} }", 2) == (15, "a:-{b}${c}")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ()),
        ("plain $x $(y) {z}", ("plain $x $(y) {z}",)),
        ("a${item}b", ("a", Reference(path=("item",), text="${item}"), "b")),
        ("$${item} ${item}", ("${item} ", Reference(path=("item",), text="${item}"))),
        ("${item}$${item}", (Reference(path=("item",), text="${item}"), "${item}")),
    ],
)
def test_template(text: str, expected: Template) -> None:
    """A template is its text and its references in order; `$${` is a literal `${`."""
    assert parse_template(text, NAMES) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${item}", "a b.js"),
        ("${data.list}", [1, 2.0, None]),
        ("${data.list[1]}", 2.0),
        ("${data.list.1}", 2.0),
        ("${data.list[-3]}", 1),
        ("${data.list[3]}", None),
        ("${data.list.x}", None),
        ("${data.list.length}", None),
        ("${data[0]}", "zero"),
        ("${data.a-b}", "dashed"),
        ('${data["x y"]}', "spaced"),
        ("${item.key}", None),
        ("${item[0]}", None),
        ("${nothing.a.b}", None),
        ("${nothing:-${data.list}}", [1, 2.0, None]),
        ("${nothing:-<${item}>}", "<a b.js>"),
        ("${empty:-x}", "x"),
        ("${item:-x}", "a b.js"),
        ("${nothing:-}", ""),
        ("${nothing:-$${x}}", "${x}"),
        ("${rows|json}", '["a","b\\"c",3]'),
        ("${rows|lines}", 'a\nb"c\n3'),
        ("${rows|csv}", 'a,"b""c",3'),
        ("${item|csv}", "a b.js"),
        ("${rows|length}", 3),
        ("${item|length}", 6),
        ("${nothing|length}", None),
        ("${item|raw}", "a b.js"),
        ("${nothing|json}", "null"),
    ],
)
def test_value_of_a_reference(text: str, expected: Any) -> None:
    """A path leads to a value or to null, the default stands in for null and empty, filters make values."""
    reference, _ = read(text, 0, NAMES, strict=True)
    assert reference is not None
    assert resolve(reference, lookup) == expected


def test_name_that_has_no_value_is_null() -> None:
    """A name that nothing has a value for is null, and its default stands in."""
    nothing: Lookup = lambda name: (False, "never seen")  # noqa: E731
    assert resolve(Reference(path=("item",), default=("d",)), nothing) == "d"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, ""),
        (True, "true"),
        (False, "false"),
        (3, "3"),
        (3.0, "3"),
        (-0.0, "0"),
        (0.1, "0.1"),
        (1e16, "1e+16"),
        (float("inf"), "inf"),
        ("é ${x}", "é ${x}"),
        ([1, "é", None], '[1,"é",null]'),
        ({"a": True}, '{"a":true}'),
        ((), "[]"),
    ],
)
def test_as_text(value: Any, expected: str) -> None:
    """In text null is empty, numbers have no needless `.0`, lists and mappings are compact JSON."""
    assert as_text(value) == expected


@pytest.mark.parametrize(("value", "expected"), [(None, None), ("é!", 2), ([1], 1), ({}, 0), (True, 4), (10.0, 2)])
def test_count(value: Any, expected: int | None) -> None:
    """Lists and mappings count their elements, all else the characters of its text; null has no length."""
    assert count(value) == expected


def test_references_inside_defaults() -> None:
    """All references of a template are found, those in defaults after their owner."""
    template = parse_template("a ${item:-${rows:-${empty}}} ${data.list}", NAMES)
    found = [reference.path for reference in references(template)]
    assert found == [("item",), ("rows",), ("empty",), ("data", "list")]


def test_suggestion_of_the_nearest() -> None:
    """The nearest name is suggested, and none where none is near."""
    assert (suggestion("itme", NAMES), suggestion("zzz", NAMES)) == ("did you mean ${item}?", None)


def test_values_are_never_read_again() -> None:
    """A value that looks like a reference stays as it is."""
    assert render(parse_template("${item}", NAMES), lambda name: (True, "${rows} $(x)")) == "${rows} $(x)"


@given(st.text(alphabet=st.sampled_from('ab ${}:-|.[]"$x'), max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Any text is a template or is refused at a place inside it."""
    try:
        outcome = isinstance(parse_template(text, frozenset("ab")), tuple)
    except Syntax as refused:
        outcome = 0 <= refused.offset <= len(text)
    assert outcome is True


@given(st.text(max_size=30))
def test_escaped_text_is_literal(text: str) -> None:
    """Text whose every `${` is doubled is rendered as it was."""
    assert rendered(text.replace("${", "$${")) == text
