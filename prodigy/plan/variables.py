"""The values under `variables:`, resolved once, before a run starts.

In them `${…}` may name a variable above, or with `${env.NAME}` the environment of whoever starts the run; a parameter
replaces its variable first. What comes out is data: it is recorded, and never read again for another `${`.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from prodigy.errors import Problem, UsageProblem
from prodigy.plan.parameters import fitted
from prodigy.plan.reference import (
    NAME,
    Names,
    Reference,
    Syntax,
    Template,
    fill,
    parse_template,
    references,
    resolve,
    suggestion,
)
from prodigy.plan.source import Fields, Listing, Scalar, Source, Value, plain
from prodigy.plan.syntax import is_template

ENV = "env"
CHARS_MAX = 4 * 1024 * 1024
DEPTH_MAX = 50


class Variables(msgspec.Struct, frozen=True, kw_only=True):
    """The variables of a workflow with their `values`, parameters among them, and what made them.

    `read` has what the environment said of each name that they refer to, None where it has no such name; `referred` the
    names that they refer to. `unset` says of each variable that cannot have a value what its environment lacks.
    """

    values: dict[str, Any]
    read: dict[str, str | None] = {}
    referred: frozenset[str] = frozenset()
    unset: dict[str, Problem] = {}


def resolved(
    source: Source,
    fields: Fields,
    parameters: Mapping[str, Any],
    *,
    environment: Mapping[str, str | None],
    of_steps: Names,
    given: Names,
) -> Variables:
    """Return the variables of a workflow; what is wrong with them is noted in `source`.

    Args:
        environment: of whoever starts the run; None stands for a name that it did not have when it started.
        of_steps: the names that steps will give, to tell who refers to them.
        given: the parameters that were typed now; those that a run remembers are taken as they are.

    Raises:
        UsageProblem: a parameter `given` now is no list where its variable is one.
    """
    known = {name: value for name, value in parameters.items() if name not in fields.names}
    resolution = _Resolution(source, {key.text: key for key in fields.keys}, known, environment, of_steps)
    for name, value in fields.entries:
        resolution.take(name.text, value, parameters, given)
    return Variables(
        values=resolution.known,
        read={name: environment.get(name) for name in sorted(resolution.asked)},
        referred=frozenset(resolution.referred),
        unset=resolution.unset,
    )


class _Resolution:
    """One way through the variables, in their order: what is known so far."""

    def __init__(
        self,
        source: Source,
        places: Mapping[str, Scalar],
        known: dict[str, Any],
        environment: Mapping[str, str | None],
        of_steps: Names,
    ) -> None:
        self.known = known
        self.asked: set[str] = set()
        self.referred: set[str] = set()
        self.unset: dict[str, Problem] = {}
        self._source = source
        self._places = places
        self._environment = environment
        self._of_steps = of_steps
        self._name = ""
        self._sizes = {name: _size(value) for name, value in known.items()}
        self._heights = {name: _height(value) for name, value in known.items()}

    def take(self, name: str, value: Value, parameters: Mapping[str, Any], given: Names) -> None:
        """Make a variable known: its parameter, or else what its value comes to."""
        self._name = name
        templates = {id(scalar): self._template(scalar) for scalar in _templates(value)}
        if name in parameters:
            self.known[name] = _fitted(name, parameters[name], plain(value), given)
        else:
            self.known[name] = self._resolved(value, templates) if self._is_small(value, templates) else None
        if name in parameters or not templates:
            self._sizes[name], self._heights[name] = _size(self.known[name]), _height(self.known[name])

    def _resolved(self, value: Value, templates: Mapping[int, Template]) -> Any:
        match value:
            case Listing(entries=entries):
                return [self._resolved(entry, templates) for entry in entries]
            case Fields(entries=named):
                return {key.text: self._resolved(entry, templates) for key, entry in named}
            case Scalar() if id(value) in templates:
                template = templates[id(value)]
                for reference in self._lacking(template):
                    self._lack(value, reference)
                return fill(template, self._lookup)
        return plain(value)

    def _lookup(self, name: str) -> tuple[bool, Any]:
        if name == ENV and ENV not in self.known:
            return True, {key: value for key, value in self._environment.items() if key in self.asked}
        return name in self.known, self.known.get(name)

    # References -------------------------------------------------------------------------------------------

    def _template(self, scalar: Scalar) -> Template:
        """Return the pieces of a text, each reference checked; nothing where one is wrong, which is noted."""
        try:
            template = parse_template(scalar.text, frozenset(self.known) | {ENV})
        except Syntax as error:
            self._refuse(scalar, error)
            return ()
        for reference in references(template):
            if not self._is_right(scalar, reference):
                return ()
        return template

    def _is_right(self, scalar: Scalar, reference: Reference) -> bool:
        """Whether a reference can be resolved; what is wrong with it is noted."""
        first, offset = reference.path[0], max(scalar.text.find(reference.text), 0)
        self.referred.add(str(first))
        if "file" in reference.filters:
            message = f"{reference.text} is the path of a file, and here is no command that could read it"
            self._source.report_inside(scalar, offset, message, hint=f"write ${{{'.'.join(map(str, reference.path))}}}")
            return False
        if first != ENV or ENV in self.known:
            return True
        if len(reference.path) != 2 or not isinstance(reference.path[1], str):
            message = f"{reference.text} names nothing in the environment"
            self._source.report_inside(scalar, offset, message, hint="write for example ${env.HOME}")
            return False
        return self._ask(scalar, offset, reference.path[1])

    def _ask(self, scalar: Scalar, offset: int, name: str) -> bool:
        """Note that the environment is asked for a name; whether its value can be recorded."""
        self.asked.add(name)
        try:
            (self._environment.get(name) or "").encode()
        except UnicodeEncodeError:
            message = f"the environment's {name} is not UTF-8, and a variable is text"
            self._source.report_inside(scalar, offset, message, hint=f"in a script it is ${name}, whatever it holds")
            return False
        return True

    def _refuse(self, scalar: Scalar, error: Syntax) -> None:
        match = NAME.match(scalar.text, error.offset + 2)
        message, hint = self._elsewhere(match.group()) if match else ("", "")
        self._source.report_inside(scalar, error.offset, message or error.message, hint=hint or error.hint)

    def _elsewhere(self, name: str) -> tuple[str, str]:
        """Return why a name is unknown here, and what to do, or nothing."""
        if name in self.known or name == ENV:
            return "", ""
        if name == self._name:
            return f"{name!r} refers to itself", "a variable sees those above it"
        if name in self._places:
            return f"{name!r} comes later: it is on line {self._places[name].line}", "a variable sees those above it"
        if name in self._of_steps:
            return f"{name!r} is given by a step, and variables are made before any runs", "use it in the steps"
        if name in self._environment or name.isupper():
            return f"{name!r} is no variable of the workflow", f"the environment's is ${{env.{name}}}"
        near = suggestion(name, frozenset(self.known))
        return f"{name!r} is no variable above this one", near or "a literal ${ is written $${; see also ${env.NAME}"

    # What the environment lacks ---------------------------------------------------------------------------

    def _lacking(self, template: Iterable[str | Reference]) -> Iterator[Reference]:
        """Yield what the text needs of the environment and does not get; a default is needed for what is empty only."""
        for piece in template:
            if isinstance(piece, str):
                continue
            bare = msgspec.structs.replace(piece, default=None, filters=())
            value = resolve(bare, self._lookup)
            if piece.default is not None and value in (None, ""):
                yield from self._lacking(piece.default)
            elif piece.default is None and value is None and piece.path[0] == ENV and ENV not in self.known:
                yield piece

    def _lack(self, scalar: Scalar, reference: Reference) -> None:
        name = reference.path[1]
        message = f"the environment has no {name}"
        offset = max(scalar.text.find(reference.text), 0)
        hint = f"set it, give --param {self._name}=…, or write a default: ${{env.{name}:-…}}"
        self.unset.setdefault(self._name, self._source.notice(scalar, offset, message, hint=hint))

    # Limits -----------------------------------------------------------------------------------------------

    def _is_small(self, value: Value, templates: Mapping[int, Template]) -> bool:
        """Whether what a variable comes to can be held, measured before it is made: each may double the one above."""
        if not templates:
            return True
        size, height = self._measure(value, templates)
        self._sizes[self._name], self._heights[self._name] = size, height
        if sum(self._sizes.values()) > CHARS_MAX:
            self._source.report(value, f"the variables come to more than {CHARS_MAX >> 20} MiB")
        elif height > DEPTH_MAX:
            self._source.report(value, f"values nest deeper than {DEPTH_MAX}")
        else:
            return True
        return False

    def _measure(self, value: Value, templates: Mapping[int, Template]) -> tuple[int, int]:
        """Return how many characters and how deep a value will be, at most."""
        match value:
            case Listing(entries=entries):
                inside = [self._measure(entry, templates) for entry in entries]
            case Fields(entries=named):
                inside = [(len(key.text), 0) for key, _ in named]
                inside += [self._measure(entry, templates) for _, entry in named]
            case Scalar():
                template = templates.get(id(value), (value.text,))
                found = [*references(template)]
                names = [str(reference.path[0]) for reference in found]
                asked = [self._environment.get(str(r.path[-1])) or "" for r in found if r.path[0] == ENV]
                size = len(value.text) + sum(map(len, asked)) + sum(self._sizes.get(name, 0) for name in names)
                return size, max((self._heights.get(name, 0) for name in names), default=0)
        return sum(size for size, _ in inside), 1 + max((height for _, height in inside), default=0)


def _templates(value: Value) -> Iterator[Scalar]:
    """Yield the texts within a value that have a `${`, in their order."""
    stack: list[Value] = [value]
    while stack:
        match stack.pop():
            case Listing(entries=entries):
                stack += reversed(entries)
            case Fields(entries=named):
                stack += [entry for _, entry in reversed(named)]
            case Scalar() as scalar if is_template(scalar):
                yield scalar


def _fitted(name: str, parameter: Any, variable: Any, given: Names) -> Any:
    """Return a parameter as its variable wants it; what a run remembers is taken as it is where it cannot be."""
    try:
        return fitted(name, parameter, variable)
    except UsageProblem:
        if name in given:
            raise
        return parameter


def _size(value: Any) -> int:
    """Return about how many characters a value has as text."""
    if isinstance(value, dict):
        return sum(len(str(key)) + _size(inside) for key, inside in value.items())
    return sum(map(_size, value)) if isinstance(value, list) else len(str(value))


def _height(value: Any) -> int:
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return isinstance(value, dict | list) + max(map(_height, inside), default=0)
