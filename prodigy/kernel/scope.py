"""What a name means at a place in the plan, now.

Innermost first, as in a shell: the item, captures, results of steps by id, parameters and variables of the workflow,
its environment; and the namespaces `map`, `shell`, `claude` and `workflow`, which nothing may shadow. Inside an item,
captures, results and last outputs are the item's own where it has them.
"""

from typing import Any

from prodigy.kernel.items import Items, of
from prodigy.kernel.lifecycle import Status
from prodigy.kernel.state import NodeState, State
from prodigy.plan.address import in_item, inside, is_template, item_of, stage_of
from prodigy.plan.nodes import Map
from prodigy.plan.reference import Captured, KeepFile, Lookup, Result, render
from prodigy.plan.stored import whole

_NAMESPACES = frozenset({"shell", "claude", "workflow"})
_ITEM = ("item", "item_key", "item_index")
_OF_MAP = ("total", "successful", "failed", "results", "dead_letters")
_OWN_STAGE = "stage"
_MISSING = (False, None)


def lookup_in(state: State, at: str, keep_file: KeepFile | None = None) -> Lookup:
    """Return the function that yields (is known, value) of a name at an address; one without a value is unknown.

    `keep_file` is what `${name|file}` within the workflow's `env` becomes.
    """
    item = item_of(at) if state.plan.is_in_item(at) else None
    scoped = state.scoped.get(item, {}) if item else {}

    def lookup(name: str) -> tuple[bool, Any]:
        if name in _NAMESPACES:
            return True, _namespace(state, name, scoped)
        if name == "map":
            return True, _map(state)
        if item is not None and name in _ITEM:
            return True, _item(state, item, name)
        address = _address(state, item, name)
        if name in scoped or name in state.captures:
            value = whole(scoped[name] if name in scoped else state.captures[name])
            return True, value if address is None else Captured(value, result(state, address))
        if address is not None:
            return True, result(state, address)
        if name in state.plan.variables:
            return True, state.plan.variables[name]
        if name in state.plan.env:
            return _environment(state, name, keep_file)
        return _stage(state, at, name)

    return lookup


def _address(state: State, item: str | None, name: str) -> str | None:
    """Return where the step with this id is: of a template's, the item's own."""
    address = state.addresses.get(name)
    if address is None or not is_template(address):
        return address
    return None if item is None else inside(item, address)


def _item(state: State, item: str, name: str) -> Any:
    parts = in_item(item)
    items, key = state.maps[parts.map], parts.key
    place = items.listed.places[key]
    return {"item": items.listed.values[place], "item_key": key, "item_index": place}[name]


def _map(state: State) -> dict[str, Any]:
    """The map of the workflow: its counts, results and dead letters, null before its items are listed."""
    address, items = state.plan.map_at, state.map_items
    assert address is not None, "its name is known only where there is one"
    if items is None:
        return dict.fromkeys(_OF_MAP) | {"error": state.node(address).error}
    body = state.plan.nodes[address].body
    keeps = isinstance(body, Map) and body.keeps_results
    return {
        "total": items.total,
        "successful": items.succeeded,
        "failed": items.dead + items.failed,
        "results": results(items) if keeps else None,
        "dead_letters": dead_letters(items) if keeps else None,
        "error": state.node(address).error,
    }


def results(items: Items) -> list[dict[str, Any]]:
    """Return what became of the items that succeeded, or were skipped by policy, in the list's order."""
    return [
        {
            "item": value,
            "key": key,
            "status": item.disposition,
            "output": item.output,
            "outputs": item.outputs or {},
            "attempts": item.attempts,
            "duration": item.duration_s,
        }
        for key, value, item in of(items, "succeeded", "skipped")
    ]


def dead_letters(items: Items) -> list[dict[str, Any]]:
    """Return the items that failed for good, in the list's order."""
    return [
        {"item": value, "key": key, "error": item.error, "step": item.step, "attempts": item.attempts}
        for key, value, item in of(items, "dead", "failed")
    ]


def result(state: State, address: str) -> Result:
    """Return a step's result as `${id.…}` sees it; of a step that has not run, everything but success is null."""
    node = state.node(address)
    has_run = node.duration_s is not None
    return Result(
        output=node.output if has_run else None,
        output_file=_absolute(state, node.output_file) if has_run else None,
        stderr=node.stderr if has_run else None,
        exit_code=node.exit_code,
        success=node.status is Status.SUCCEEDED,
        partial_success=node.status is Status.HANDLED,
        error=node.error if has_run else None,
        duration=node.duration_s,
        attempts=node.attempt if has_run else None,
        structured=node.structured,
    )


def _stage(state: State, at: str, name: str) -> tuple[bool, Any]:
    """What failed a stage, for its handlers: by its name, or as `stage`."""
    address = stage_of(at) if name == _OWN_STAGE else name
    if address not in state.plan.nodes:
        return _MISSING
    node = state.node(address)
    return True, {"error": _located(node), "step": node.failed_step or None, "attempts": node.attempt}


def _located(node: NodeState) -> str | None:
    """Return why a stage failed, and which step of it."""
    return f"{node.failed_step}: {node.error}" if node.error and node.failed_step else node.error


def _absolute(state: State, path: str) -> str:
    """Return where a file of the run is now; the log names it relative to the run's folder, which may move."""
    return f"{state.folder}/{path}" if state.folder and path else path


def _namespace(state: State, name: str, scoped: dict[str, Any]) -> Any:
    if name == "workflow":
        run = state.run
        return {"id": run.workflow_id, "name": state.plan.name, "path": run.workflow_path}
    return {"output": whole(scoped[name]) if name in scoped else state.outputs.get(name)}


def _environment(state: State, name: str, keep_file: KeepFile | None) -> tuple[bool, Any]:
    """A name of the workflow's `env`; its own text sees variables and parameters."""
    template = state.plan.env[name]
    variables = state.plan.variables
    return True, render(template, lambda key: (key in variables, variables.get(key)), keep_file)
