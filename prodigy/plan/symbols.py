"""The names that a workflow declares: variables, parameters, environment, ids and captures.

VALUES.md decides: an id is unique and is no variable's and no other step's capture's name; a capture may
replace a variable; a few names belong to the language.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Set
from typing import Any

import msgspec

from prodigy.errors import UsageProblem
from prodigy.plan.reference import NAME, Names
from prodigy.plan.source import Fields, Scalar, Source, excerpt
from prodigy.plan.syntax import Document, HandlersAsWritten, StageAsWritten, Step
from prodigy.plan.variables import Variables, resolved

RESERVED = frozenset({"item", "item_key", "item_index", "map", "shell", "claude", "workflow"})
NAMESPACES: dict[str, tuple[str, ...]] = {
    "shell": ("output",),
    "claude": ("output",),
    "workflow": ("id", "name", "path"),
}
OF_ITEMS = ("item", "item_key", "item_index")
OF_MAP = ("total", "successful", "failed", "results", "dead_letters", "error")
OF_STAGE = ("error", "step", "attempts")
STAGE = "stage"  # to the handlers of a stage that stage, unless something else has that name
RESULTS = (
    "output",
    "output_file",
    "stderr",
    "exit_code",
    "success",
    "partial_success",
    "error",
    "duration",
    "attempts",
)
PARTS_OF_MAPREDUCE = ("setup", "map", "reduce")
ENVIRONMENT_OF_ATTEMPTS = frozenset(
    f"PRODIGY_{name}" for name in ("RUN_ID", "RUN_DIR", "OWNER", "STEP", "ATTEMPT", "EPOCH", "ITEM_KEY")
)
_VERSION_LIKE = re.compile(r"v[0-9]+|mirror")
_ENVIRONMENT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,199}")
_NAME_HINT = "letters, digits, _ and -, at most 100, not beginning with a digit or -"


class Declared(msgspec.Struct, frozen=True, kw_only=True):
    """Every name of a workflow: variables as they are `resolved`, ids and captures with their places.

    `of_template` are the ids and captures that only the steps of a map's template give.
    """

    resolved: Variables
    environment: frozenset[str]
    ids: dict[str, Scalar]
    captures: dict[str, Scalar]
    of_template: frozenset[str] = frozenset()

    @property
    def variables(self) -> dict[str, Any]:
        """The variables with their values, parameters among them."""
        return self.resolved.values

    def where(self, name: str) -> Scalar | None:
        """Return the place of the step that makes `name` known, or None when no step does."""
        return self.ids.get(name) or self.captures.get(name)


def declare(
    source: Source,
    document: Document,
    parameters: Mapping[str, Any],
    *,
    environment: Mapping[str, str | None],
    given: Names = frozenset(),
) -> Declared:
    """Return the names of a document; what is wrong with any of them is noted in `source`.

    Raises:
        UsageProblem: a parameter whose name cannot be one, or one `given` now that is no list where the variable is.
    """
    _check_parameters(parameters, document)
    for name in document.variables.keys:
        _check_name(source, name, "a variable")
    names = document.variables.names
    ids, captures = _of_steps(source, document, names)
    _check_stages(source, document, names | ids.keys() | captures.keys())
    if document.mode is not None:
        _check_parts(source, (*document.variables.keys, *ids.values(), *captures.values()))
    for fields in environments(document):
        _check_environment(source, fields)
    return Declared(
        resolved=resolved(
            source,
            document.variables,
            parameters,
            environment=environment,
            of_steps=frozenset(ids) | frozenset(captures),
            given=given,
        ),
        environment=document.env.names,
        ids=ids,
        captures=captures,
        of_template=_of_template(document),
    )


def names_of_failure(stage: str, declared: Declared) -> Names:
    """Return the names by which the handlers of a stage know why it failed; `${stage}` alone stays the shell's."""
    taken = declared.variables.keys() | declared.environment | declared.ids.keys() | declared.captures.keys()
    return frozenset(f"{name}.{field}" for name in {stage, STAGE} - taken for field in OF_STAGE)


def every_step(document: Document) -> Iterator[Step]:
    """Yield all steps of a workflow, handlers among them, in document order."""
    yield from _with_handlers(document.commands)
    for group in (*document.stages, document.setup):
        yield from _of_group(group)
    if document.map is not None:
        yield from _with_handlers(document.map.agent_template)
        yield from _of_handlers(document.map.on_failure)
    yield from _of_group(document.reduce)


def groups(document: Document) -> Iterator[StageAsWritten]:
    """Yield the stages of a workflow, those of a mapreduce among them."""
    yield from (group for group in (*document.stages, document.setup, document.reduce) if group is not None)


def environments(document: Document) -> Iterator[Fields]:
    """Yield the environments of a workflow, of its stages and of its steps."""
    yield document.env
    yield from (group.env for group in groups(document))
    yield from (step.env for step in every_step(document))


def _of_group(group: StageAsWritten | None) -> Iterator[Step]:
    if group is not None:
        yield from _with_handlers(group.commands)
        yield from _of_handlers(group.on_failure)


def _of_handlers(handlers: HandlersAsWritten | None) -> Iterator[Step]:
    yield from _with_handlers(handlers.commands if handlers else ())


def _of_template(document: Document) -> frozenset[str]:
    """Return the names that the steps of the template give and no other step does."""
    inside = [*_with_handlers(document.map.agent_template)] if document.map else []
    places = {id(step) for step in inside}
    outside = [step for step in every_step(document) if id(step) not in places] if inside else []
    return frozenset(_given(inside)) - frozenset(_given(outside))


def _given(steps: list[Step]) -> Iterator[str]:
    """Yield the names that steps make known: their ids and captures."""
    for step in steps:
        yield from (name.text for name in (step.id, step.capture_output) if name is not None)


def _with_handlers(steps: tuple[Step, ...]) -> Iterator[Step]:
    """Yield steps and their handlers, which nest no deeper than the document does."""
    for step in steps:
        yield step
        if step.on_failure is not None:
            yield from _with_handlers(step.on_failure.commands)


def _of_steps(
    source: Source, document: Document, variables: frozenset[str]
) -> tuple[dict[str, Scalar], dict[str, Scalar]]:
    """Return the ids and the captures; of a name given twice the first place counts."""
    ids: dict[str, Scalar] = {}
    captures: dict[str, Scalar] = {}
    steps = list(every_step(document))
    for step in steps:
        if step.id is not None:
            _check_id(source, step.id, ids, variables)
            ids.setdefault(step.id.text, step.id)
    for step in steps:
        if step.capture_output is not None:
            _check_capture(source, step, step.capture_output, ids)
            captures.setdefault(step.capture_output.text, step.capture_output)
    return ids, captures


def _check_id(source: Source, name: Scalar, ids: Mapping[str, Scalar], variables: frozenset[str]) -> None:
    _check_name(source, name, "an id")
    if _VERSION_LIKE.fullmatch(name.text):
        source.report(name, f"{name.text!r} is no id: it names a checkpoint", hint="choose another word")
    elif earlier := ids.get(name.text):
        source.report(name, f"the id {name.text!r} is used twice", hint=f"the first is on line {earlier.line}")
    elif name.text in variables:
        source.report(name, f"{name.text!r} is a variable already", hint="give the step another id")


def _check_capture(source: Source, step: Step, name: Scalar, ids: Mapping[str, Scalar]) -> None:
    _check_name(source, name, "a capture")
    other = ids.get(name.text)
    if other is not None and other is not step.id:
        hint = f"that step is on line {other.line}"
        source.report(name, f"{name.text!r} is the id of another step", hint=hint)


def _check_parts(source: Source, names: Iterable[Scalar]) -> None:
    """The parts of a mapreduce workflow are stages, so their names are no values' names."""
    for name in names:
        if name.text in PARTS_OF_MAPREDUCE and name.text not in RESERVED:
            source.report(name, f"{name.text!r} is a part of the workflow already", hint="choose another name")


def _check_stages(source: Source, document: Document, taken: Set[str]) -> None:
    """A stage's name means one thing everywhere, in addresses and after `--from-checkpoint`."""
    first: dict[str, Scalar] = {}
    for name in (stage.name for stage in document.stages):
        _check_name(source, name, "a stage")
        if _VERSION_LIKE.fullmatch(name.text):
            source.report(name, f"{name.text!r} is no stage: it names a checkpoint", hint="choose another word")
        elif name.text in first:
            hint = f"the first is on line {first[name.text].line}"
            source.report(name, f"the stage {name.text!r} is there twice", hint=hint)
        elif name.text in taken:
            source.report(name, f"{name.text!r} is the name of a value already", hint="give the stage another name")
        first.setdefault(name.text, name)


def _check_name(source: Source, name: Scalar, what: str) -> None:
    if not NAME.fullmatch(name.text):
        source.report(name, f"{excerpt(name.text)!r} cannot be the name of {what}", hint=_NAME_HINT)
    elif name.text in RESERVED:
        source.report(name, f"{name.text!r} is a word of the language", hint="choose another name")


def _check_environment(source: Source, fields: Fields) -> None:
    for name in fields.keys:
        if not _ENVIRONMENT_NAME.fullmatch(name.text):
            hint = "letters, digits and _, not beginning with a digit"
            source.report(name, f"{excerpt(name.text)!r} cannot be an environment variable", hint=hint)
        elif name.text in ENVIRONMENT_OF_ATTEMPTS:
            source.report(name, f"{name.text!r} is set by prodigy itself", hint="choose another name")


def _check_parameters(parameters: Mapping[str, Any], document: Document) -> None:
    ids = {step.id.text for step in every_step(document) if step.id}
    for name in parameters:
        if not NAME.fullmatch(name):
            raise UsageProblem(f"--param {excerpt(name)!r} is no name", hint=_NAME_HINT)
        if name in RESERVED:
            raise UsageProblem(f"--param {name}: that is a word of the language", hint="choose another name")
        if name in ids:
            raise UsageProblem(f"--param {name}: the workflow has a step with that id", hint="rename one of them")
