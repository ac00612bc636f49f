"""Rules of the file at their edges: the last number that is allowed, a name that is none, a file of another kind."""

import json
from typing import Any

import pytest

from prodigy.errors import WorkflowProblem
from prodigy.plan.compile import compile_workflow
from prodigy.plan.document import read_mapping
from prodigy.plan.nodes import Plan
from prodigy.plan.reference import Captured, Reference, Result, resolve


def compiled(**keys: Any) -> Plan:
    return compile_workflow(json.dumps({"name": "demo", **keys}).encode(), file="demo.yaml")


def refused(**keys: Any) -> list[str]:
    """Return what is wrong with a workflow."""
    with pytest.raises(WorkflowProblem) as problem:
        compiled(**keys)
    return [found.message for found in problem.value.problems]


def with_parallel(text: str) -> dict[str, Any]:
    items = {"input": "items.txt", "agent_template": [{"shell": "do"}], "max_parallel": "${most}"}
    return {"mode": "mapreduce", "variables": {"most": text}, "map": items}


@pytest.mark.parametrize("text", ["1", "1000"])
def test_the_first_and_the_last_number_of_a_range_are_in_it(text: str) -> None:
    """As a variable gives them."""
    assert compiled(**with_parallel(text)).variables["most"] == text


@pytest.mark.parametrize("text", ["0", "1001", "1.5", "many", "-1", ""])
def test_a_number_outside_its_range_is_refused(text: str) -> None:
    """Before anything runs, where the variable is known already."""
    [message] = refused(**with_parallel(text))
    assert "max_parallel" in message


@pytest.mark.parametrize("name", ["two words", "-a", "1st", "a b", "a.b"])
def test_a_capture_needs_a_name(name: str) -> None:
    """One that `${name}` can say."""
    [message] = refused(commands=[{"shell": "do", "capture_output": name}])
    assert "capture" in message


@pytest.mark.parametrize("word", ["ignore", "Continue", " none "])
def test_a_word_that_tolerates_a_failure_is_answered_by_the_key_that_does(word: str) -> None:
    """`on_failure` is what runs after it."""
    with pytest.raises(WorkflowProblem) as problem:
        compiled(commands=[{"shell": "do", "on_failure": word}])
    [found] = problem.value.problems
    assert found.hint == "to go on after a failure, write  allow_failure: true  instead"


@pytest.mark.parametrize(
    ("captured", "path", "expected"),
    [
        (["x", "y"], 1, "y"),
        (["x", "y"], "1", "y"),
        (["x", "y"], 2, None),
        (["x", "y"], -2, "x"),
        (["x", "y"], -3, None),
        (["x", "y"], "exit_code", 3),
        ({"exit_code": 9, "name": "n"}, "exit_code", 9),
        ({"exit_code": 9, "name": "n"}, "name", "n"),
        ({"exit_code": 9, "name": "n"}, "stderr", "e"),
        ({"name": "n"}, "output", {"name": "n"}),
        ("text", "exit_code", 3),
        ("text", "output", "text"),
        ("text", "0", None),
    ],
)
def test_what_a_step_captures_into_its_own_id_comes_before_its_result(captured: Any, path: Any, expected: Any) -> None:
    """A field of a mapping, an element of a list; whatever it lacks is the step's, and `output` is all of it."""
    value = Captured(captured, Result(output="o", exit_code=3, stderr="e"))
    reference = Reference(text="${x}", path=("x", path))
    assert resolve(reference, lambda name: (True, value)) == expected


@pytest.mark.parametrize("place", ["workflow", "step"])
def test_an_interpreter_that_takes_the_place_of_the_script_is_refused_wherever_it_stands(place: str) -> None:
    """For all steps, or for one."""
    of_step = {"interpreter": "bash -c"} if place == "step" else {}
    of_workflow = {"interpreter": "bash -c"} if place == "workflow" else {}
    [message] = refused(commands=[{"shell": "do", **of_step}], **of_workflow)
    assert message == "'-c' would take the place of the script"


@pytest.mark.parametrize("data", [b"- 1", b"text", b"3"])
def test_a_file_of_parameters_is_a_mapping(data: bytes) -> None:
    """Anything else is refused in words."""
    with pytest.raises(WorkflowProblem, match="this is no mapping"):
        read_mapping(data, file="parameters.yaml")
