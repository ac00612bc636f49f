"""What a run would do, as far as it can be known before anything has run.

Values of variables and parameters are known; what steps will print, or whether they succeed, is not. A condition
on known values decides now; any other is shown.
"""

import shlex
from collections.abc import Iterable
from typing import Any

import msgspec

from prodigy.plan import expression
from prodigy.plan.nodes import Claude, Command, Node, Plan, Run, Sequence, Shell
from prodigy.plan.reference import Lookup, Piece, Reference, as_text, references, render, resolve
from prodigy.plan.shell import Slot
from prodigy.plan.shell import references as script_references


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """One step: the `command` with its known values; `unknown` names what only the run will tell.

    `skipped` says why the step would not run, `condition` what that hangs on where it cannot be known yet.
    `depth` is 0 for steps, 1 for their handlers, and so on.
    """

    address: str
    kind: str
    command: str
    depth: int = 0
    unknown: tuple[str, ...] = ()
    skipped: str = ""
    condition: str = ""


def forecast(plan: Plan) -> list[Forecast]:
    """Return every step in document order, handlers after their step."""
    rows: list[Forecast] = []
    told: set[str] = set()  # names that steps before this one give a value: known only when they have run
    stack = [(plan.nodes[next(iter(plan.nodes))], -1)]
    while stack:
        node, depth = stack.pop()
        below = list(node.body.children) if isinstance(node.body, Sequence) else []
        if isinstance(node.body, Run):
            rows.append(_row(plan, node, node.body.command, depth, told))
            told |= {name for name in (node.id, node.policy.capture) if name}
        if node.policy.on_failure:
            stack.append((plan.nodes[node.policy.on_failure.address], depth))
        stack += [(plan.nodes[child], depth + 1) for child in reversed(below)]
    return rows


def _row(plan: Plan, node: Node, command: Command, depth: int, told: set[str]) -> Forecast:
    lookup = _lookup(plan, told)
    when = node.policy.when
    is_open = when is not None and any(_unknown(expression.references(when), lookup))
    is_false = when is not None and not is_open and not expression.evaluate(when, lookup)
    return Forecast(
        address=node.address,
        kind=type(command).__name__.lower(),
        command=_shown(command, lookup),
        depth=depth,
        unknown=tuple(dict.fromkeys(_unknown(_references(command), lookup))),
        skipped=expression.explain(when, lookup) if when is not None and is_false else "",
        condition=when.text if when is not None and is_open else "",
    )


def _lookup(plan: Plan, told: set[str]) -> Lookup:
    """Return what yields the values that are known before the run: variables, parameters, the workflow's env."""

    def variables(name: str) -> tuple[bool, Any]:
        return name in plan.variables and name not in told, plan.variables.get(name)

    def lookup(name: str) -> tuple[bool, Any]:
        if name in plan.env and name not in plan.variables and name not in told:
            return True, render(plan.env[name], variables)
        return variables(name)

    return lookup


def _references(command: Command) -> list[Reference]:
    templates = [*command.env.values(), command.working_dir]
    found = [reference for template in templates for reference in references(template)]
    if isinstance(command, Claude):
        return [*references(command.prompt), *found]
    return [*script_references(command.script), *found]


def _unknown(found: Iterable[Reference], lookup: Lookup) -> list[str]:
    return [reference.text for reference in found if not lookup(str(reference.path[0]))[0]]


def _shown(command: Command, lookup: Lookup) -> str:
    """Return the command as it will run, in one reading: values quoted where the shell would read them."""
    pieces: tuple[Piece | Slot, ...] = command.script.pieces if isinstance(command, Shell) else command.prompt
    return "".join(_piece(piece, lookup) for piece in pieces)


def _piece(piece: "Piece | Slot", lookup: Lookup) -> str:
    if isinstance(piece, str):
        return piece
    reference = piece.reference if isinstance(piece, Slot) else piece
    if not lookup(str(reference.path[0]))[0]:
        return reference.text
    value = resolve(reference, lookup)
    if not isinstance(piece, Slot) or piece.quoting != "unquoted":
        return as_text(value)
    if piece.is_alone and isinstance(value, list | tuple):
        return " ".join(shlex.quote(as_text(entry)) for entry in value)
    return shlex.quote(as_text(value))
