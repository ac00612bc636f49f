"""Where a map's items are, with its values: a list is the items, a text is a name, a pattern is the author's."""

from typing import Any

import pytest

from prodigy.kernel.counts import count_of
from prodigy.kernel.limits import timeout_of
from prodigy.kernel.sources import Asked, asked_for
from prodigy.plan.nodes import Source, SourceKind
from prodigy.plan.reference import parse_template
from prodigy.plan.spelling import from_json, spelled

VALUES: dict[str, Any] = {"dir": "[x]*", "word": "w", "list": ["a", "*"], "table": {"k": [1]}, "n": 5, "nil": None}


def asked(text: str, kind: SourceKind = "auto") -> Asked:
    """Return what a text asks for."""
    source = Source(kind=kind, text=parse_template(text, frozenset(VALUES)))
    return asked_for(source, lambda name: (True, VALUES[name]))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("files.json", Asked("files.json")),
        ("src/*.py", Asked("src/*.py", "src/*.py")),
        ("${dir}", Asked("[x]*")),
        ("${dir}/*.py", Asked("[x]*/*.py", "[[]x][*]/*.py")),
        ("${word}/[ab]?", Asked("w/[ab]?", "w/[ab]?")),
        ("${dir|raw}", Asked("[x]*", "[x]*")),
        ("${word|raw}/x", Asked("w/x")),
        ("${list}", Asked("${list}", data=["a", "*"])),
        ("${table}", Asked("${table}", data={"k": [1]})),
        ("${table.k}", Asked("${table.k}", data=[1])),
        ("${nil:-${list}}", Asked("${nil:-${list}}", data=["a", "*"])),
        ("${list|json}", Asked('["a","*"]')),
    ],
)
def test_a_text_is_a_name_a_pattern_or_a_list(text: str, expected: Asked) -> None:
    """What the author wrote may be a pattern; what a value holds stands for itself."""
    assert asked(text) == expected


def test_a_glob_is_one_even_where_nothing_in_it_is_live() -> None:
    """Its author said so."""
    assert asked("${dir}", "glob") == Asked("[x]*", "[[]x][*]")


@pytest.mark.parametrize("text", ["${n}", "${nil}", "x${list}", "${table}/x"])
def test_anything_else_is_refused(text: str) -> None:
    """With a sentence that names it."""
    with pytest.raises(ValueError, match=r"^(map\.input )?\$\{\w+\} is "):
        asked(text)


def test_a_list_in_the_workflow_is_filled_in_where_it_has_values() -> None:
    """Alone a value keeps its kind; the list in the plan stays as it is."""
    elements = ("a", "${list}", {"k": "x${word}", "n": 3})
    pieces = {"/1": "${list}", "/2/k": "x${word}"}
    filled = {at: parse_template(text, frozenset(VALUES)) for at, text in pieces.items()}
    source = Source(kind="list", text=(), elements=elements, filled=filled)
    found = asked_for(source, lambda name: (True, VALUES[name]))
    assert found == Asked("the list", data=["a", ["a", "*"], {"k": "xw", "n": 3}])
    assert source.elements == elements


def test_a_number_that_counts_is_the_number_however_it_is_written() -> None:
    """As a count and as a time; in a text it is spelled as its author did."""
    values = {"hex": spelled(16, "0x10"), "power": from_json("1e2")}
    template = {name: parse_template(f"${{{name}}}", frozenset(values)) for name in values}

    def lookup(name: str) -> tuple[bool, Any]:
        return True, values[name]

    assert count_of(template["hex"], lookup, name="max_parallel", least=1, most=100) == 16
    assert timeout_of(template["power"], lookup) == 100
    with pytest.raises(ValueError, match="0x10s"):
        timeout_of((*template["hex"], "s"), lookup)


@pytest.mark.parametrize(("text", "what"), [("x/${table}", "a mapping"), ("x/${list}", "a list")])
def test_a_part_of_a_name_is_a_text(text: str, what: str) -> None:
    """A list or a mapping is items, and stands alone."""
    with pytest.raises(ValueError, match=f"is {what}, and map.input wants a name there"):
        asked(text)
