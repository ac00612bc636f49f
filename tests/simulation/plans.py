"""Plans to crash: one workflow for each rule of the kernel, and stages made by hand until YAML has them."""

import json
from typing import Any

from msgspec.structs import replace

from prodigy.plan.compile import compile_workflow
from prodigy.plan.nodes import ROOT, Node, Plan, Policy, Sequence
from tests.simulation.world import OK, Ending

FAIL = Ending(exit_code=1, stderr="boom")
DIE = Ending(signal="SIGKILL")
SLOW = Ending(timed_out_s=9.0)
HANG = Ending(hangs=True)

Script = dict[str, list[Ending]]


def compiled(*steps: dict[str, Any], **keys: Any) -> Plan:
    """Return the plan of a workflow with these steps."""
    return compile_workflow(json.dumps({"name": "demo", **keys, "commands": steps}).encode(), file="demo.yaml")


def step(id_: str, **keys: Any) -> dict[str, Any]:
    """Return a shell step that does nothing but have an id."""
    return {"shell": f"do {id_}", "id": id_, **keys}


def in_stages(*stages: dict[str, Any], **keys: Any) -> Plan:
    """Return the plan of a workflow with these stages."""
    return compile_workflow(json.dumps({"name": "demo", **keys, "stages": stages}).encode(), file="demo.yaml")


def stage(name: str, *steps: dict[str, Any], **keys: Any) -> dict[str, Any]:
    """Return a stage with these steps."""
    return {"name": name, "commands": steps, **keys}


def staged(plan: Plan, stages: dict[str, list[str]], policies: dict[str, Policy]) -> Plan:
    """Return `plan` with its top-level steps grouped into named sequences."""
    nodes = dict(plan.nodes)
    for index, (name, children) in enumerate(stages.items()):
        nodes[name] = Node(
            address=name,
            body=Sequence(children=tuple(children)),
            parent=ROOT,
            index=index,
            name=name,
            policy=policies.get(name, Policy()),
        )
        for place, child in enumerate(children):
            nodes[child] = replace(nodes[child], parent=name, index=place)
    nodes[ROOT] = replace(nodes[ROOT], body=Sequence(children=tuple(stages)))
    return replace(plan, nodes=nodes)


def mapped(
    setup: list[dict[str, Any]], template: list[dict[str, Any]], reduce: list[dict[str, Any]], **keys: Any
) -> Plan:
    """Return the plan of a mapreduce workflow; `keys` are the map's own besides its input and template."""
    of_map = {"input": "items.txt", "agent_template": template, **keys}
    words = {"name": "demo", "mode": "mapreduce", "setup": setup, "map": of_map, "reduce": reduce}
    return compile_workflow(json.dumps(words).encode(), file="demo.yaml")


def cases() -> dict[str, tuple[Plan, Script]]:
    """Return every plan with the script of its world, by what it is about."""
    from prodigy.plan.nodes import Retry

    abc = compiled(step("a"), step("b"), step("c"))
    return {
        "three steps": (abc, {}),
        "captures": (
            compiled(step("a", capture="x"), {"shell": "echo ${x}", "id": "b"}),
            {"a": [Ending(output="one\n")]},
        ),
        "retry that succeeds": (compiled(step("a", retry=2), step("b")), {"a": [FAIL, DIE, OK]}),
        "retry that gives up": (compiled(step("a", retry=1), step("b")), {"a": [FAIL]}),
        "timeout, then success": (compiled(step("a", retry=1, timeout=9), step("b")), {"a": [SLOW, OK]}),
        "handled": (
            compiled(
                step("a", on_failure=[{"shell": "clean"}, {"shell": "tell ${a.error}"}]),
                step("b", when="${a.success}"),
                step("c", when="${a.partial_success}"),
            ),
            {"a": [FAIL]},
        ),
        "handler that fails": (
            compiled(step("a", on_failure={"shell": "clean"}), step("b")),
            {"a": [FAIL], "a.on_failure[0]": [FAIL]},
        ),
        "handler that repairs": (
            compiled(step("a", on_failure={"commands": [{"shell": "mend"}], "max_attempts": 2}), step("b")),
            {"a": [FAIL, FAIL, OK]},
        ),
        "repairs in vain": (
            compiled(step("a", on_failure={"commands": [{"shell": "mend"}], "max_attempts": 2}), step("b")),
            {"a": [FAIL]},
        ),
        "handled, but the workflow fails": (
            compiled(step("a", on_failure={"commands": [{"shell": "clean"}], "fail_workflow": True}), step("b")),
            {"a": [FAIL]},
        ),
        "tolerated and answered": (
            compiled(step("a"), step("b", when="${a.exit_code} != 0"), step("c")),
            {"a": [FAIL]},
        ),
        "tolerated, unanswered": (compiled(step("a"), step("b", when="${a.success}")), {"a": [FAIL]}),
        "tolerated, unanswered, and more to do": (
            compiled(step("a"), step("b", when="${a.success}"), step("c")),
            {"a": [FAIL]},
        ),
        "allowed to fail": (compiled(step("a", allow_failure=True), step("b")), {"a": [FAIL]}),
        "checkpoints": (compiled(step("a", checkpoint=True), step("b", checkpoint=True, retry=1)), {"b": [FAIL, OK]}),
        "stages": (staged(abc, {"one": ["a", "b"], "two": ["c"]}, {}), {}),
        "a stage tried again": (
            staged(abc, {"one": ["a", "b"], "two": ["c"]}, {"one": Policy(retry=Retry(attempts=2))}),
            {"b": [FAIL]},
        ),
        "a stage that repairs": (
            in_stages(
                stage("one", step("a"), step("b"), on_failure={"commands": [{"shell": "mend"}], "max_attempts": 1}),
                stage("two", step("c")),
            ),
            {"b": [FAIL]},
        ),
        "a stage that asks": (
            in_stages(
                stage("one", step("a"), checkpoint=True),
                stage("two", step("b", requires_confirmation=True, retry=1), step("c"), requires_confirmation=True),
            ),
            {"b": [FAIL, OK]},
        ),
        "a stage that is skipped": (
            in_stages(
                stage("one", step("a"), when="false"), stage("two", step("b"), when="true"), stage("three", step("c"))
            ),
            {},
        ),
        "a stage that times out twice and is handled": (
            in_stages(
                stage("one", step("a"), step("b"), timeout=30, retry=1, on_failure={"shell": "clean"}),
                stage("two", step("c")),
            ),
            {"b": [HANG]},
        ),
        "a stage that times out in a wait": (
            in_stages(stage("one", step("a", retry={"attempts": 2, "initial_delay": 29}), timeout=20)),
            {"a": [FAIL]},
        ),
        "a stage that times out in a handler": (
            in_stages(
                stage("one", step("a", on_failure={"shell": "hang"}), timeout=20, on_failure={"shell": "clean"}),
                stage("two", step("b")),
            ),
            {"a": [FAIL], "a.on_failure[0]": [HANG]},
        ),
    }
