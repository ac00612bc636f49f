"""A number keeps the spelling of its author as text, and is a number in every other way."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prodigy.kernel import events as ev
from prodigy.kernel.outcome import parse
from prodigy.plan.compile import compile_workflow
from prodigy.plan.document import read_data, read_mapping
from prodigy.plan.expression import evaluate
from prodigy.plan.expression import parse as condition
from prodigy.plan.nodes import Plan
from prodigy.plan.reference import as_text
from prodigy.plan.shell.values import parse_script, render_script
from prodigy.plan.spelling import (
    as_number,
    as_spelled,
    exact,
    from_json,
    name_of,
    respelled,
    shown,
    spelled,
    spellings_of,
)

AS_TEXT = {
    "3.10": "3.10",
    "1.0": "1.0",
    "1e3": "1e3",
    "0xFF": "0xFF",
    "0o17": "0o17",
    "+5": "+5",
    "-0": "-0",
    ".5": ".5",
    "5.": "5.",
    "8080": "8080",
    "1.5": "1.5",
    "true": "true",
    "True": "true",
    "FALSE": "false",
    "yes": "yes",
    "on": "on",
    "null": "",
    "~": "",
    "2024-01-20": "2024-01-20",
    "1_000": "1_000",
    "010": "010",
    "1:30": "1:30",
    '"1.10"': "1.10",
    "!!float 1.10": "1.10",
}
IS_NUMBER = {"3.10": 3.1, "1.0": 1, "1e3": 1000, "0xFF": 255, "0o17": 15, "+5": 5, ".5": 0.5, "!!float 1.10": 1.1}

numbers = st.one_of(
    st.integers(-(2**63), 2**64 - 1).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.from_regex(r"-?(0|[1-9][0-9]{0,8})\.[0-9]{1,4}([eE][+-]?[0-9]{1,2})?", fullmatch=True),
)
values = st.recursive(
    st.one_of(numbers.map(from_json), st.text(max_size=3), st.booleans(), st.none()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text("a/~0", max_size=3), inner, max_size=4)
    ),
    max_leaves=20,
)


def texts(value: Any) -> Any:
    """Return a value with the text of each number in its place, for equal numbers are equal however written."""
    if isinstance(value, dict):
        return {key: texts(inside) for key, inside in value.items()}
    return list(map(texts, value)) if isinstance(value, list | tuple) else (type(value) is bool, as_text(value))


@pytest.mark.parametrize(("written", "text"), AS_TEXT.items(), ids=AS_TEXT.keys())
def test_a_plain_scalar_is_this_text(written: str, text: str) -> None:
    """Under `variables`, in lists and mappings, and in files of parameters and items; as the docs say."""
    plan = compile_workflow(
        f"variables: {{a: {written}, b: [{written}], c: {{d: {written}}}}}\ncommands: [{{shell: 'true'}}]".encode(),
        file="w.yaml",
    )
    parameters = read_mapping(f"a: {written}".encode(), file="p.yaml")
    (item,) = read_data(f"- {written}".encode(), file="i.yaml")
    found = plan.variables
    assert [as_text(v) for v in (found["a"], found["b"][0], found["c"]["d"], parameters["a"], item)] == [text] * 5


@pytest.mark.parametrize(("written", "number"), IS_NUMBER.items(), ids=IS_NUMBER.keys())
def test_a_spelled_number_is_a_number(written: str, number: float) -> None:
    """It equals, counts, is a key, and is JSON, like any other."""
    (value,) = read_data(f"- {written}".encode(), file="i.yaml")
    assert (value, hash(value), {value: 1}) == (number, hash(number), {number: 1})
    assert json.loads(as_text([value])) == json.loads(msgspec.json.encode([value], enc_hook=as_number)) == [number]
    assert evaluate(condition("${x} == " + str(number), frozenset({"x"})), lambda name: (True, value))


def test_in_a_file_of_json_the_spelling_is_kept_too() -> None:
    """Whoever writes 1.10 there means it."""
    found = read_mapping(b'{"version": 1.10, "rate": 1e3, "list": [2.50]}', file="p.json")
    assert texts(found) == texts({"version": "1.10", "rate": "1e3", "list": ["2.50"]})


@pytest.mark.parametrize(("text", "kind"), [("1.10", "number"), ("+5", "number"), ("1.10", "json"), ("1E5", "json")])
def test_a_captured_number_keeps_its_spelling(text: str, kind: Any) -> None:
    """What the step printed is what a later one is given."""
    assert as_text(parse(text, kind)) == text


@pytest.mark.parametrize(("written", "text"), [("0xFF", "255"), ("1e3", "1000"), ("+5", "5")])
def test_where_the_shell_counts_it_is_the_number(written: str, text: str) -> None:
    """`$((0xFF))` is the shell's own; ours is a decimal integer there, as it must be."""
    (value,) = read_data(f"- {written}".encode(), file="i.yaml")
    rendered = render_script(parse_script("echo $((${n} + 1))", frozenset({"n"})), lambda name: (True, value))
    assert rendered.variables == {"PRODIGY_VALUE_1_NUMBER": text}


@pytest.mark.parametrize("script", ["echo $((${n} + 1)) ${n}", "echo ${n} $((${n} + 1))"])
def test_in_one_script_it_is_both(script: str) -> None:
    """The number where the shell counts, the text beside it, whichever comes first."""
    (value,) = read_data(b"- 0x10", file="i.yaml")
    rendered = render_script(parse_script(script, frozenset({"n"})), lambda name: (True, value))
    assert rendered.variables == {"PRODIGY_VALUE_1": "0x10", "PRODIGY_VALUE_1_NUMBER": "16"}


@given(values)
def test_spellings_survive_a_record_of_the_log(value: Any) -> None:
    """Beside the value, by JSON Pointer; the value itself is plain JSON."""
    event = ev.ItemsListed(at="map", keys=("k",), items=(value,))
    data = msgspec.json.encode(event, enc_hook=as_number)
    assert texts(msgspec.json.decode(data, type=ev.ItemsListed).items) == texts([value])
    assert texts(from_json(msgspec.json.encode(value, enc_hook=as_spelled))) == texts(value)


def test_a_plan_is_written_with_its_spellings_beside_it() -> None:
    """The log's reader finds a number, and the text under a JSON Pointer."""
    plan = compile_workflow(b"variables: {python: 3.10, all: [1, 0xFF]}\ncommands: [{shell: 'true'}]", file="w.yaml")
    data = msgspec.json.decode(msgspec.json.encode(plan, enc_hook=as_number))
    assert data["variables"] == {"python": 3.1, "all": [1, 255]}
    assert data["spellings"] == {"/variables/python": "3.10", "/variables/all/1": "0xFF"}
    assert texts(msgspec.convert(data, Plan).variables) == texts(plan.variables)


def test_a_value_that_changed_since_does_not_take_an_old_spelling() -> None:
    """A fork replaces a variable: the text of the old number is not the new one's."""
    old = {"/python": "3.10"}
    assert texts(respelled({"python": 3.2}, old)) == texts({"python": 3.2})
    assert texts(respelled({"python": "3.1"}, old)) == texts({"python": "3.1"})
    assert spellings_of({"python": spelled(3.1, "3.1")}) == {}


@given(st.lists(st.binary(max_size=8)))
def test_a_name_that_is_no_utf8_comes_back_from_a_log_with_its_bytes(names: list[bytes]) -> None:
    """And the log holds only text: what people see of it, and its spelling beside it."""
    items = tuple(map(name_of, names))
    listed = ev.ItemsListed(at="map", keys=tuple(map(str, range(len(items)))), items=items)
    written = msgspec.json.encode(listed, enc_hook=as_number)
    read = msgspec.json.decode(written, type=ev.ItemsListed)
    given_ = [exact(item) for item in read.items]
    assert [text.encode(errors="surrogateescape") for text in given_] == names
    assert [shown(text) for text in given_] == [name.decode(errors="backslashreplace") for name in names]


def test_only_a_name_that_is_no_utf8_has_a_spelling() -> None:
    """Others are plain texts, which a log shows as they are."""
    assert spellings_of([name_of(b"a"), name_of("\u00e9".encode()), name_of(b"b\xe9")]) == {"/2": "b\xe9"}


def test_the_spelling_of_another_name_changes_nothing() -> None:
    """A value that was changed since is what it is now."""
    assert [type(value) for value in respelled(["a", "\u20ac"], {"/0": "b\xe9", "/1": "\u20ac"})] == [str, str]
