"""A parameter is of the kind of the variable that it replaces."""

from typing import Any

import pytest

from prodigy.errors import UsageProblem
from prodigy.plan.compile import compile_with_notices

TEXT = b"variables: {parts: [a], table: {k: v}, word: x, n: 3}\ncommands: [{shell: 'true'}]\n"


def variables(given: dict[str, Any], *, now: bool = True) -> dict[str, Any]:
    """Return the variables of a workflow with these parameters, typed now or remembered."""
    names = frozenset(given) if now else frozenset()
    return compile_with_notices(TEXT, file="w.yaml", parameters=given, given=names)[0].variables


@pytest.mark.parametrize(
    ("name", "given", "value"),
    [
        ("parts", '["x", 1.50, {"a": null}]', ["x", 1.5, {"a": None}]),
        ("parts", "[]", []),
        ("parts", ["x"], ["x"]),
        ("table", '{"a": [1]}', {"a": [1]}),
        ("word", '["x"]', '["x"]'),
        ("n", "[3]", "[3]"),
    ],
)
def test_for_a_list_json_is_read(name: str, given: Any, value: Any) -> None:
    """For a mapping too; for anything else a text stays a text."""
    assert variables({name: given})[name] == value


@pytest.mark.parametrize(
    "given", ["x", "a,b", "", "[", "[1e999]", '["\\ud800"]', "[NaN]", '{"a": 1}', "1", 7, None, "[" * 9999]
)
def test_anything_else_for_a_list_is_refused_with_an_example(given: Any) -> None:
    """It would be one element, or the name of a file; what an old run remembers stays as it was."""
    with pytest.raises(UsageProblem) as refused:
        variables({"parts": given})
    assert refused.value.message == "parts is a list in the workflow, and --param gives it something else"
    assert refused.value.hint == """As JSON: --param 'parts=["a","b"]'"""
    assert variables({"parts": given}, now=False)["parts"] == given


def test_anything_else_for_a_mapping_is_refused_with_an_example() -> None:
    """In the same words."""
    with pytest.raises(UsageProblem) as refused:
        variables({"table": "[1]"})
    assert refused.value.hint == """As JSON: --param 'table={"key":"value"}'"""
