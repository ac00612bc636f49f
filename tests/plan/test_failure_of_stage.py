"""What the handlers of a stage know of its failure: by the stage's name, and as `stage`."""

import json
from typing import Any

import pytest

from prodigy.errors import WorkflowProblem
from prodigy.plan.compile import compile_workflow
from prodigy.plan.nodes import Plan, Run, Shell
from prodigy.plan.shell.values import references


def compiled(handler: str, *, step: str = "true", then: str = "true", **keys: Any) -> Plan:
    """Return the plan of two stages, `build` with a handler and `deploy`."""
    build = {"name": "build", "commands": [{"shell": step}], "on_failure": [{"shell": handler}]}
    stages = [build, {"name": "deploy", "commands": [{"shell": then}]}]
    return compile_workflow(json.dumps({"name": "demo", "stages": stages, **keys}).encode(), file="demo.yaml")


def ours(plan: Plan, at: str = "build.on_failure[0]") -> list[str]:
    """Return the references in a step's script, as they were written."""
    body = plan.nodes[at].body
    assert isinstance(body, Run) and isinstance(body.command, Shell)
    return [reference.text for reference in references(body.command.script)]


@pytest.mark.parametrize("name", ["build", "stage"])
def test_a_handler_of_a_stage_may_ask_why_it_failed(name: str) -> None:
    """And which step did, and how often the stage was tried."""
    asked = [f"${{{name}.error}}", f"${{{name}.step}}", f"${{{name}.attempts}}"]
    assert asked == ours(compiled(f"echo {' '.join(asked)}"))


def test_a_variable_of_the_shell_may_have_the_name_of_a_stage() -> None:
    """Only a name with a dot, which no shell knows, is the stage's."""
    assert ["${build.error}"] == ours(compiled("build=1; stage=2; echo ${build} ${stage} ${stage%x} ${build.error}"))


@pytest.mark.parametrize(
    ("script", "keys", "message"),
    [
        ("step", "build", "why 'build' failed is known in the on_failure of that stage only"),
        ("then", "build", "why 'build' failed is known in the on_failure of that stage only"),
        ("then", "stage", "why 'stage' failed is known in the on_failure of that stage only"),
    ],
)
def test_elsewhere_it_is_not_known(script: str, keys: str, message: str) -> None:
    """The refusal says where it is."""
    with pytest.raises(WorkflowProblem) as refused:
        compiled("true", **{script: f"echo ${{{keys}.error}}"})
    assert [message] == [problem.message for problem in refused.value.problems]


def test_a_result_that_a_stage_has_not_is_refused() -> None:
    """With those that it has."""
    with pytest.raises(WorkflowProblem) as refused:
        compiled("echo ${build.eror}")
    (problem,) = refused.value.problems
    assert "did you mean ${build.error}?" == problem.hint


def test_a_variable_called_stage_is_that_variable() -> None:
    """As it was before."""
    plan = compiled("echo ${stage.error} ${stage}", variables={"stage": {"error": "mine"}})
    assert ["${stage.error}", "${stage}"] == ours(plan)


def test_the_handlers_of_a_map_may_ask_too() -> None:
    """Also why nothing was listed."""
    handler = {"shell": "echo ${map.error} ${stage.error}"}
    body = {"input": "a.json", "agent_template": [{"shell": "true"}], "on_failure": handler}
    text = json.dumps({"name": "demo", "mode": "mapreduce", "map": body})
    plan = compile_workflow(text.encode(), file="demo.yaml")
    assert ["${map.error}", "${stage.error}"] == ours(plan, "map.on_failure[0]")
