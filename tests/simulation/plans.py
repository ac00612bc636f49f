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
    around = {name: steps for name, steps in (("setup", setup), ("reduce", reduce)) if steps}
    words = {"name": "demo", "mode": "mapreduce", "map": of_map, **around}
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


def map_cases() -> dict[str, tuple[Plan, Script]]:
    """Return plans with a map over the items a, b, c and d, by what they are about.

    Where it matters which item ends first, one is at work at a time: then a crashed run is like a calm one.
    """
    two = [step("x", capture="seen"), {"shell": "use ${seen} ${item} ${shell.output}", "id": "y"}]
    end = [{"shell": "sum ${map.results} ${map.dead_letters} ${map.total} ${map.successful} ${map.failed}", "id": "r"}]
    one: dict[str, Any] = {"max_parallel": 1}
    seen = {f"map[{key}].x": [Ending(output=f"saw {key}\n")] for key in "abcd"}
    return {
        "items": (mapped([step("s")], two, end, max_parallel=2), seen),
        "a dead letter": (mapped([], two, end, max_parallel=3), {**seen, "map[b].y": [FAIL], "map[d].x": [DIE]}),
        "a step tried again": (mapped([], [step("x", retry=1)], end, max_parallel=2), {"map[b].x": [FAIL, OK]}),
        "an item tried again": (
            mapped([], two, end, error_policy={"on_item_failure": "retry", "max_retries": 1}),
            {**seen, "map[b].y": [FAIL]},
        ),
        "items let go": (
            mapped([], two, end, error_policy={"on_item_failure": "skip"}),
            {**seen, "map[b].x": [FAIL], "map[c].y": [FAIL]},
        ),
        "an item that stops the map": (
            mapped([], two, end, error_policy={"on_item_failure": "stop"}, **one),
            {**seen, "map[b].y": [FAIL]},
        ),
        "too many failures": (
            mapped([], [step("x")], end, error_policy={"max_failures": 2}, **one),
            {"map[a].x": [FAIL], "map[c].x": [FAIL]},
        ),
        "a breaker": (
            mapped([], [step("x")], end, error_policy={"circuit_breaker": {"failure_threshold": 2}}, **one),
            {"map[a].x": [FAIL], "map[b].x": [FAIL]},
        ),
        "an item that hangs": (mapped([], two, end, agent_timeout=500), {**seen, "map[c].y": [HANG]}),
        "a map that hangs twice": (mapped([], [step("x")], end, timeout=500, retry=1), {"map[c].x": [HANG]}),
        "handlers and conditions in items": (
            mapped(
                [],
                [
                    step("x", on_failure={"shell": "mend ${x.error}"}),
                    step("y", when="${x.success}"),
                    step("z", when="${y.exit_code} == 3"),
                ],
                end,
                max_parallel=2,
            ),
            {"map[a].x": [FAIL], "map[b].y": [Ending(exit_code=3)], "map[c].y": [Ending(exit_code=4)]},
        ),
        "every item failed, and it is handled": (
            mapped([], [step("x")], end, on_failure={"shell": "tell"}),
            {f"map[{key}].x": [FAIL] for key in "abcd"},
        ),
        "every item failed, and repairs are in vain": (
            mapped([], [step("x")], end, on_failure={"commands": [{"shell": "mend"}], "max_attempts": 1}),
            {f"map[{key}].x": [FAIL] for key in "abcd"},
        ),
        "versions within a map": (mapped([step("s")], [step("x")], end, checkpoint_frequency=2, **one), {}),
    }
