"""What a name means at a place in the plan, now.

Innermost first, as in a shell: captures, results of steps by id, parameters and variables of the workflow, its
environment; and the namespaces `shell`, `claude` and `workflow`, which nothing may shadow.
"""

from typing import Any

from prodigy.kernel.lifecycle import Status
from prodigy.kernel.state import NodeState, State
from prodigy.plan.reference import Lookup, Result, render

_NAMESPACES = frozenset({"shell", "claude", "workflow"})
_MISSING = (False, None)


def lookup_in(state: State) -> Lookup:
    """Return the function that yields (is known, value) of a name; a name that has no value yet is unknown."""

    def lookup(name: str) -> tuple[bool, Any]:
        if name in _NAMESPACES:
            return True, _namespace(state, name)
        address = state.addresses.get(name)
        if name in state.captures:
            value = state.captures[name]
            return True, value if address is None else _captured(state, address, value)
        if address is not None:
            return True, result(state.node(address))
        if name in state.plan.variables:
            return True, state.plan.variables[name]
        return _environment(state, name)

    return lookup


def result(node: NodeState) -> Result:
    """Return a step's result as `${id.…}` sees it; of a step that has not run, everything but success is null."""
    has_run = node.duration_s is not None
    return Result(
        output=node.output if has_run else None,
        output_file=node.output_file if has_run else None,
        stderr=node.stderr if has_run else None,
        exit_code=node.exit_code,
        success=node.status is Status.SUCCEEDED,
        partial_success=node.status is Status.HANDLED,
        error=node.error if has_run else None,
        duration=node.duration_s,
        attempts=node.attempt if has_run else None,
    )


def _captured(state: State, address: str, value: Any) -> Result:
    """A step that captures into its own id: alone it is the captured value, and its results stay reachable."""
    own = result(state.node(address))
    own["output"] = value
    return own


def _namespace(state: State, name: str) -> Any:
    if name == "workflow":
        run = state.run
        return {"id": run.workflow_id, "name": state.plan.name, "path": run.workflow_path}
    return {"output": state.outputs.get(name)}


def _environment(state: State, name: str) -> tuple[bool, Any]:
    """A name of the workflow's `env`; its own text sees variables and parameters."""
    template = state.plan.env.get(name)
    if template is None:
        return _MISSING
    variables = state.plan.variables
    return True, render(template, lambda key: (key in variables, variables.get(key)))
