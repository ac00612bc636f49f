"""Does an answer have the form that was asked for? What we say agrees with a validator of the whole standard."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from prodigy.plan.json_schema import TYPES, fault, mismatch

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.5, 2.0]) | st.text("ab", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=6,
)
SCHEMAS = st.recursive(
    st.booleans()
    | st.fixed_dictionaries({}, optional={"type": st.sampled_from(TYPES), "enum": st.lists(VALUES, min_size=1)}),
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "type": st.lists(st.sampled_from(TYPES), min_size=1, unique=True),
            "properties": st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
            "required": st.lists(st.sampled_from("ab"), unique=True),
            "additionalProperties": inner,
            "items": inner,
            "allOf": st.lists(inner, min_size=1, max_size=2),
            "minimum": st.integers(-2, 2),
            "maximum": st.integers(-2, 2),
            "minLength": st.integers(0, 2),
            "maxItems": st.integers(0, 2),
        },
    ),
    max_leaves=5,
)


@settings(max_examples=300, deadline=None)
@given(schema=SCHEMAS, value=VALUES)
def test_it_judges_as_the_standard_does(schema: Any, value: Any) -> None:
    """For the words that it looks at; none of these schemas is called none."""
    assert fault(schema) is None
    assert (mismatch(value, schema) is None) == _strictly(schema).is_valid(value)


def _strictly(schema: Any) -> Draft202012Validator:
    return Draft202012Validator(schema)


@pytest.mark.parametrize(
    ("schema", "value", "said"),
    [
        ({"required": ["n"]}, {}, "it has no 'n'"),
        ({"properties": {"a": {"items": {"required": ["n"]}}}}, {"a": [{"n": 1}, {}]}, "a[1] has no 'n'"),
        ({"additionalProperties": False}, {"n": 1}, "n should not be there"),
        ({"properties": {"n": {"minimum": 2}}}, {"n": 1}, "n is less than 2"),
        ({"type": ["string", "null"]}, 3, "it is not of type string or null"),
        ({"enum": [[1]]}, [True], "it is not one of the values that enum has"),
        ({"const": {"a": 1}}, {"a": 1.0}, None),
        ({"$ref": "#/x"}, 3, None),
    ],
)
def test_it_says_what_is_wrong_and_where(schema: Any, value: Any, said: str | None) -> None:
    """In the words of a path."""
    assert mismatch(value, schema) == said


WORDS = [
    *("type", "enum", "const", "properties", "required", "additionalProperties", "items", "prefixItems", "allOf"),
    *("anyOf", "patternProperties", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems"),
]


@settings(max_examples=400, deadline=None)
@given(schema=st.dictionaries(st.sampled_from(WORDS), VALUES, max_size=3), value=VALUES)
def test_what_is_not_called_wrong_can_be_judged_by(schema: dict[str, Any], value: Any) -> None:
    """Whatever stands behind a word: it is told when the file is read, and not when the answer has been paid for."""
    if fault(schema) is None:
        mismatch(value, schema)


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"minimum": "2"}, "json_schema.minimum takes a number"),
        ({"properties": {"n": {"maxLength": True}}}, "json_schema.properties.n.maxLength takes a number"),
    ],
)
def test_a_bound_is_a_number(schema: Any, said: str) -> None:
    """As JSON has numbers: true is none."""
    assert fault(schema) == said
