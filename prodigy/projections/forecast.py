"""What a run would do, as far as it can be known before anything has run.

Values of variables and parameters are known; what steps will print, or whether they succeed, is not. A condition
on known values decides now, and what it skips has known results: none. Any other condition is shown.
"""

import shlex
from collections.abc import Iterable
from functools import partial
from typing import Any, NamedTuple

import msgspec

from prodigy.plan import expression
from prodigy.plan.nodes import ROOT, Body, Claude, Command, Map, Node, Plan, Run, Sequence, Shell
from prodigy.plan.pointer import changed
from prodigy.plan.reference import (
    Lookup,
    Piece,
    Reference,
    Result,
    Template,
    as_text,
    fill,
    references,
    render,
    resolve,
)
from prodigy.plan.shell.values import Slot
from prodigy.plan.shell.values import references as script_references

_SKIPPED = Result(success=False, partial_success=False, output=None)


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """One step, stage or map: the `command` with its known values; `unknown` names what only the run will tell.

    `kind` is `shell`, `claude`, `stage` or `map`; a stage has no command, that of a map is its input. `skipped` says
    why it would not run, `condition` what that hangs on where it cannot be known yet. `depth` is 0 for the outermost,
    and one more for each stage, map and handler around it.
    """

    address: str
    kind: str
    command: str = ""
    depth: int = 0
    is_handler: bool = False
    unknown: tuple[str, ...] = ()
    skipped: str = ""
    condition: str = ""


class _Place(NamedTuple):
    """A node on the way: how deep it stands, whether it handles a failure, why everything around it is skipped.

    A list of handlers and a map's template are no rows of their own; their steps stand one deeper than the owner.
    """

    node: Node
    depth: int
    is_row: bool = True
    is_handler: bool = False
    skipped: str = ""


def forecast(plan: Plan) -> list[Forecast]:
    """Return every stage and step in document order, handlers after what they stand for."""
    walk = _Walk(plan)
    stack = [_Place(plan.nodes[ROOT], -1, is_row=False)]
    while stack:
        stack += reversed(walk.visit(stack.pop()))
    return walk.rows


class _Walk:
    """One way through a plan: the rows so far, and what is known at this place."""

    def __init__(self, plan: Plan) -> None:
        self.rows: list[Forecast] = []
        self._plan = plan
        self._told: set[str] = set()  # names that earlier steps give a value: known only when they have run
        self._idle: dict[str, Any] = {}  # what is known of the names that only a skipped step would give

    def visit(self, place: _Place) -> list[_Place]:
        """Note the node of a place and return what is inside it, in order."""
        node, depth, is_row, is_handler, skipped = place
        if is_row:
            row = self._row(place)
            self.rows.append(row)
            skipped = row.skipped and (skipped or f"{node.address} is skipped")
            self._remember(node, is_skipped=bool(skipped))
        inside: list[_Place] = []
        match node.body:
            case Sequence(children=children):
                inside = [_Place(self._plan.nodes[at], depth + 1, True, is_handler, skipped) for at in children]
            case Map(template=template):
                inside = [_Place(self._plan.nodes[template], depth, False, is_handler, skipped)]
        if node.policy.on_failure:
            inside.append(_Place(self._plan.nodes[node.policy.on_failure.address], depth, False, True, skipped))
        return inside

    def _remember(self, node: Node, *, is_skipped: bool) -> None:
        names = {name for name in (node.id, node.policy.capture) if name}
        if not is_skipped:
            self._told |= names
            return
        nothing = dict.fromkeys(names - self._told - self._plan.variables.keys())
        self._idle |= nothing | ({node.id: _SKIPPED} if node.id else {})

    def _row(self, place: _Place) -> Forecast:
        node, skipped = place.node, place.skipped
        when = node.policy.when
        is_open = when is not None and any(self._unknown(expression.references(when)))
        if when is not None and not is_open and not skipped and not expression.evaluate(when, self._lookup):
            skipped = expression.explain(when, self._lookup)
        return Forecast(
            address=node.address,
            kind=_kind(node),
            command=shown_command(node.body, self._lookup),
            depth=place.depth,
            is_handler=place.is_handler,
            unknown=tuple(dict.fromkeys(self._unknown(_references(node.body)))),
            skipped=skipped,
            condition=when.text.strip() if when is not None and is_open and not skipped else "",
        )

    def _lookup(self, name: str) -> tuple[bool, Any]:
        """Return whether a value is known before the run, and the value."""
        env = self._plan.env
        if name in self._idle and name not in self._told:
            return True, self._idle[name]
        if name in env and name not in self._plan.variables and name not in self._told:
            return True, render(env[name], self._variable)
        return self._variable(name)

    def _variable(self, name: str) -> tuple[bool, Any]:
        return name in self._plan.variables and name not in self._told, self._plan.variables.get(name)

    def _unknown(self, found: Iterable[Reference]) -> list[str]:
        return [reference.text for reference in found if not _is_known(reference, self._lookup)]


def _is_known(reference: Reference, lookup: Lookup) -> bool:
    """A value that is passed as a file has its path only when the step begins."""
    return lookup(str(reference.path[0]))[0] and "file" not in reference.filters


def _kind(node: Node) -> str:
    match node.body:
        case Run(command=command):
            return type(command).__name__.lower()
        case Map():
            return "map"
        case Sequence():
            return "stage"


def _references(body: Body) -> list[Reference]:
    """Return everything that must be known before what a body runs can be."""
    match body:
        case Run(command=Shell() as command):
            return [*script_references(command.script), *_around(command)]
        case Run(command=Claude() as command):
            return [*references(command.prompt), *_around(command)]
        case Map(source=source):
            return [found for text in (source.text, *source.filled.values()) for found in references(text)]
    return []


def _around(command: Command) -> list[Reference]:
    return [found for template in (*command.env.values(), command.working_dir) for found in references(template)]


def shown_command(body: Body, lookup: Lookup) -> str:
    """Return what will run, in one reading: values quoted where the shell would read them, unknown ones as written."""
    pieces: tuple[Piece | Slot, ...] = ()
    match body:
        case Run(command=Shell() as command):
            pieces = command.script.pieces
        case Run(command=Claude() as command):
            pieces = command.prompt
        case Map(source=source) if source.kind == "list":
            return as_text(changed(source.elements, source.filled, partial(_element, lookup)))
        case Map(source=source):
            pieces = source.text
    return "".join(_piece(piece, lookup) for piece in pieces)


def _element(lookup: Lookup, written: str, template: Template) -> Any:
    """Return what stands in a list of items: its value, or the text as written where that is not known yet."""
    return fill(template, lookup) if all(_is_known(found, lookup) for found in references(template)) else written


def _piece(piece: Piece | Slot, lookup: Lookup) -> str:
    if isinstance(piece, str):
        return piece
    reference = piece.reference if isinstance(piece, Slot) else piece
    if not _is_known(reference, lookup):
        return reference.text
    value = resolve(reference, lookup)
    if not isinstance(piece, Slot) or piece.quoting != "unquoted" or "raw" in reference.filters:
        return as_text(value)
    if piece.is_alone and isinstance(value, list | tuple):
        return " ".join(shlex.quote(as_text(entry)) for entry in value)
    return shlex.quote(as_text(value))
