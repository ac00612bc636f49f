"""Names that a workflow has, but not at the place where one is used."""

from prodigy.plan.compile_map import MAP
from prodigy.plan.symbols import OF_ITEMS, STAGE, Declared, groups
from prodigy.plan.syntax import Document
from prodigy.plan.variables import ENV

_VARIABLES = frozenset({"variables", "variable", "vars", "var", "params", "parameters", "inputs", "workflow_vars"})
_STEPS = frozenset({"steps", "step", "tasks", "task", "jobs", "needs", "outputs", "commands"})
_BACKWARD = "a reference looks back, never ahead"


def elsewhere(name: str, document: Document, declared: Declared, *, is_in_template: bool) -> tuple[str, str]:
    """Return where a name that is unknown here is known, and what to do, or nothing."""
    place = declared.where(name)
    if place is not None and name in declared.of_template and not is_in_template:
        return f"{name!r} is inside the map: the step on line {place.line} gives it", "use ${map.results}"
    if place is not None:
        return f"{name!r} comes later: the step on line {place.line} gives it", _BACKWARD
    if document.map is not None and name in OF_ITEMS:
        inside = "agent_template, filter and item_key" if name == "item" else "agent_template"
        return f"{name!r} is known for each item only: in {inside}", "use ${map.results} in reduce"
    if document.map is not None and name == MAP:
        return "'map' is known when the map is done: in reduce, and in on_failure of the map", _BACKWARD
    if name in {STAGE, *(group.name.text for group in groups(document))}:
        return f"why {name!r} failed is known in the on_failure of that stage only", "a step there may write it down"
    if document.map is None and name in (*OF_ITEMS, MAP):
        return f"{name!r} is known with  mode: mapreduce  only", "the same steps for many items are a map"
    if name in _VARIABLES:
        return f"unknown name {name!r}", "a variable is  ${name} , with nothing before its name"
    if name in _STEPS:
        return f"unknown name {name!r}", "the result of a step with  id: build  is  ${build.output}"
    if name == "last":
        return "unknown name 'last'", "the output of the last shell step is  ${shell.output}"
    if name == ENV:
        return "'env' is known under variables only", "make a variable of it, or read $NAME in the script"
    return "", ""
