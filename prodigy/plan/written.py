"""The workflow as its author wrote it: values checked against the schema, typed, each with its place.

`as_document` walks the values of a file along the schema's table. Whatever has not the shape of its key is
noted in the file's `Source` and left out, so a document may be incomplete only when its source has problems.
"""

from collections.abc import Callable
from typing import Any, Literal, get_args

import msgspec

from prodigy.plan import schema
from prodigy.plan.reference import suggestion
from prodigy.plan.schema import SHAPES, WHERE, Key, Shape, Where
from prodigy.plan.source import EXCERPT_CHARS_MAX, LINE_BREAK, Fields, Listing, Scalar, Source, Value, excerpt

STAGE_EXAMPLE = "for example  - name: build, and below it  commands: [{shell: make}]"
STEP_EXAMPLE = "for example  - shell: make  or  - claude: /review"
EXAMPLE = "for example  commands: [{shell: make}, {claude: /review}]"
_BOOLEAN_WORDS = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}
_WRONG: Any = object()

Kind = Literal["shell", "claude"]
KINDS: tuple[Kind, ...] = get_args(Kind)


class RetryAsWritten(msgspec.Struct, frozen=True, kw_only=True):
    """The long form of `retry`."""

    line: int
    column: int
    attempts: Scalar | None = None
    backoff: Scalar | None = None
    initial_delay: Scalar | None = None
    max_delay: Scalar | None = None
    jitter: Scalar | None = None
    retry_on: tuple[Scalar, ...] = ()


class HandlersAsWritten(msgspec.Struct, frozen=True, kw_only=True):
    """`on_failure` in any of its forms."""

    line: int
    column: int
    commands: tuple["Step", ...] = ()
    max_attempts: Scalar | None = None
    retry_original: Scalar | None = None
    fail_workflow: Scalar | None = None


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One step; `command` is the text of its `kind`. Values have the shapes that the schema gives."""

    line: int
    column: int
    kind: Kind
    command: Scalar
    name: Scalar | None = None
    id: Scalar | None = None
    when: Scalar | None = None
    retry: Scalar | RetryAsWritten | None = None
    timeout: Scalar | None = None
    on_failure: HandlersAsWritten | None = None
    allow_failure: Scalar | None = None
    capture_output: Scalar | None = None
    capture_format: Scalar | None = None
    checkpoint: Scalar | None = None
    requires_confirmation: Scalar | None = None
    on_interrupt: Scalar | None = None
    env: Fields | None = None
    working_dir: Scalar | None = None
    interpreter: Scalar | None = None


class StageAsWritten(msgspec.Struct, frozen=True, kw_only=True):
    """One of the `stages`: steps with a name and with policy of their own."""

    line: int
    column: int
    name: Scalar
    commands: tuple[Step, ...] = ()
    when: Scalar | None = None
    retry: Scalar | RetryAsWritten | None = None
    timeout: Scalar | None = None
    on_failure: HandlersAsWritten | None = None
    checkpoint: Scalar | None = None
    requires_confirmation: Scalar | None = None
    env: Fields | None = None


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A workflow file, exactly as its author wrote it."""

    file: str
    commands: tuple[Step, ...] = ()
    stages: tuple[StageAsWritten, ...] = ()
    name: Scalar | None = None
    description: Scalar | None = None
    variables: Fields | None = None
    env: Fields | None = None
    working_dir: Scalar | None = None
    interpreter: Scalar | None = None
    grace: Scalar | None = None


def as_document(source: Source, root: Value) -> Document:
    """Return the document that the values of a file make; what does not fit is noted in `source`."""
    match root:
        case Listing():
            return Document(file=source.file, commands=_steps(source, root))
        case Fields():
            words = _words(source, root, "workflow")
            if "commands" in words and "stages" in words:
                at = next(name for name, _ in root.entries if name.text == "stages")
                source.report(at, "a workflow has commands or stages, not both", hint="make the commands a stage")
            elif "commands" not in words and "stages" not in words and not source.problems:
                source.report(root, "a workflow without commands", hint=EXAMPLE)
            return Document(file=source.file, **words)
        case Scalar():
            source.report(root, f"a workflow is a mapping with commands, not {_described(root)}", hint=EXAMPLE)
            return Document(file=source.file)


def _words(source: Source, fields: Fields, where: Where) -> dict[str, Any]:
    """Return the values of a mapping that its schema knows and accepts, by field; all others are noted."""
    words: dict[str, Any] = {}
    given: dict[str, str] = {}
    for name, value in fields.entries:
        key = None if source.is_full else _known(source, name, where)
        if key is None:
            continue
        if key.field in given:
            source.report(name, f"{key.name!r} and {given[key.field]!r} are the same key", hint="keep one")
        elif (word := _word(source, key, name, value)) is not None:
            words[key.field] = word
        given[key.field] = key.name
    return words


def _known(source: Source, name: Scalar, where: Where) -> Key | None:
    key = schema.find(where, name.text)
    if key is None:
        hint = schema.advice(where, name.text[:EXCERPT_CHARS_MAX])
        source.report(name, f"unknown key {excerpt(name.text)!r} in {WHERE[where]}", hint=hint)
        return None
    if not key.is_available:
        source.report(name, f"{key.name!r} is a word of the language that this version does not run yet")
        return None
    return key


def _word(source: Source, key: Key, name: Scalar, value: Value) -> Any:
    """Return the value if it has the shape of the key, else note that and return None."""
    if isinstance(value, Scalar) and value.value is None:
        source.report(name, f"{key.name!r} has no value", hint=f"it takes {SHAPES[key.shape]}")
        return None
    word = _READERS[key.shape](source, key, value)
    if word is _WRONG:
        source.report(value, f"{key.name!r} takes {_expected(key)}, not {_described(value)}", hint=_mend(key, value))
        return None
    return word


def _expected(key: Key) -> str:
    expected = f"one of {', '.join(key.choices)}" if key.choices else SHAPES[key.shape]
    return expected if key.minimum is None else f"{expected} ({key.minimum:.9g} to {key.maximum:.9g})"


def _mend(key: Key, value: Value) -> str | None:
    if not isinstance(value, Scalar):
        return None
    if key.shape == "boolean" and (word := _BOOLEAN_WORDS.get(value.text.lower())):
        return f"write {word}"
    if key.shape in ("steps", "handlers"):
        return _step_written(value.text)
    return suggestion(value.text, key.choices, form="{}") if key.choices and len(value.text) < 30 else None


def _described(value: Value) -> str:
    match value:
        case Listing():
            return "a list"
        case Fields():
            return "a mapping"
        case Scalar(value=None):
            return "nothing"
        case Scalar(value=str()):
            return f"the text {excerpt(value.text)!r}" if value.text.strip() else "an empty text"
        case Scalar():
            return excerpt(value.text)


# The shapes: each reader returns the value as the document holds it, or `_WRONG` ----------------------------


def _read_prose(source: Source, key: Key, value: Value) -> Any:
    if not isinstance(value, Scalar) or value.text.strip() == "":
        return _WRONG
    if (at := value.text.find("${")) >= 0:
        source.report_inside(value, at, f"nothing is replaced in {key.name!r}", hint="write it without ${…}")
    return value


def _read_text(source: Source, key: Key, value: Value) -> Any:
    is_line = isinstance(value, Scalar) and not LINE_BREAK.search(value.text.rstrip("\n"))
    return _read_prose(source, key, value) if is_line else _WRONG


def _read_word(source: Source, key: Key, value: Value) -> Any:
    return value if isinstance(value, Scalar) and isinstance(value.value, str) and value.value else _WRONG


def _read_command(source: Source, key: Key, value: Value) -> Any:
    """Text; the words `true` and `false` are commands too."""
    is_command = isinstance(value, Scalar) and isinstance(value.value, str | bool) and value.text.strip()
    return value if is_command else _WRONG


def _read_template(source: Source, key: Key, value: Value) -> Any:
    return value if isinstance(value, Scalar) and value.text.strip() else _WRONG


def _read_boolean(source: Source, key: Key, value: Value) -> Any:
    return value if isinstance(value, Scalar) and isinstance(value.value, bool) else _WRONG


def _read_integer(source: Source, key: Key, value: Value) -> Any:
    if not isinstance(value, Scalar) or type(value.value) is not int:
        return _WRONG
    return value if _is_within(key, value.value) else _WRONG


def _read_count(source: Source, key: Key, value: Value) -> Any:
    return value if is_template(value) else _read_integer(source, key, value)


def _read_seconds(source: Source, key: Key, value: Value) -> Any:
    if not isinstance(value, Scalar) or isinstance(value.value, bool):
        return _WRONG
    amount_s = seconds_of(value)
    return value if amount_s is not None and _is_within(key, amount_s) else _WRONG


def _read_duration(source: Source, key: Key, value: Value) -> Any:
    return value if is_template(value) else _read_seconds(source, key, value)


def _read_choice(source: Source, key: Key, value: Value) -> Any:
    if not isinstance(value, Scalar):
        return _WRONG
    if value.text in key.later_choices:
        source.report(value, f"'{key.name}: {value.text}' is not available in this version yet")
        return None
    return value if value.text in key.choices else _WRONG


def _read_reasons(source: Source, key: Key, value: Value) -> Any:
    entries = value.entries if isinstance(value, Listing) else (value,)
    reasons = [entry for entry in entries if isinstance(entry, Scalar) and _is_reason(entry.value)]
    return tuple(reasons) if entries and len(reasons) == len(entries) else _WRONG


def _is_reason(value: object) -> bool:
    return type(value) is int or (isinstance(value, str) and value.strip() != "")


def _read_variables(source: Source, key: Key, value: Value) -> Any:
    return value if isinstance(value, Fields) else _WRONG


def _read_environment(source: Source, key: Key, value: Value) -> Any:
    if not isinstance(value, Fields):
        return _WRONG
    for name, entry in value.entries:
        if not isinstance(entry, Scalar):
            source.report(entry, f"{excerpt(name.text)!r} takes text, not {_described(entry)}")
    return msgspec.structs.replace(value, entries=tuple(e for e in value.entries if isinstance(e[1], Scalar)))


def _read_steps(source: Source, key: Key, value: Value) -> Any:
    return _steps(source, value) if isinstance(value, Listing) else _WRONG


def _read_stages(source: Source, key: Key, value: Value) -> Any:
    if not isinstance(value, Listing):
        return _WRONG
    if not value.entries:
        source.report(value, "a list of stages without a stage", hint=STAGE_EXAMPLE)
    return tuple(stage for entry in value.entries for stage in _stage(source, entry))


def _read_retry(source: Source, key: Key, value: Value) -> Any:
    if not isinstance(value, Fields):
        return _read_count(source, key, value)
    words = _words(source, value, "retry")
    if not any(name.text == "attempts" for name, _ in value.entries):
        source.report(value, "'retry' needs attempts", hint="attempts counts all of them, the first included")
    return RetryAsWritten(line=value.line, column=value.column, **words)


def _read_handlers(source: Source, key: Key, value: Value) -> Any:
    """A step, a list of steps, or the long form, which is known by its keys."""
    match value:
        case Listing():
            words: dict[str, Any] = {"commands": _steps(source, value)}
        case Fields():
            names = {name.text for name, _ in value.entries}
            is_step = bool(names & set(KINDS)) or not names & schema.names("on_failure")
            words = _words(source, value, "on_failure") if not is_step else {"commands": _only(source, value)}
            if not is_step and not names & {"commands", "steps"}:
                source.report(value, "'on_failure' needs commands")
        case Scalar():
            return _WRONG
    return HandlersAsWritten(line=value.line, column=value.column, **words)


_READERS: dict[Shape, Callable[[Source, Key, Value], Any]] = {
    "text": _read_text,
    "prose": _read_prose,
    "word": _read_word,
    "command": _read_command,
    "condition": _read_command,
    "template": _read_template,
    "boolean": _read_boolean,
    "integer": _read_integer,
    "count": _read_count,
    "seconds": _read_seconds,
    "duration": _read_duration,
    "choice": _read_choice,
    "reasons": _read_reasons,
    "variables": _read_variables,
    "environment": _read_environment,
    "steps": _read_steps,
    "stages": _read_stages,
    "retry": _read_retry,
    "handlers": _read_handlers,
}


def is_template(value: Value) -> bool:
    """Whether a value is text with a `${` in it."""
    return isinstance(value, Scalar) and isinstance(value.value, str) and "${" in value.text


def seconds_of(scalar: Scalar) -> float | None:
    """Return the seconds that a number or a text such as `5m` means, or None."""
    value = scalar.value
    return schema.seconds(value) if isinstance(value, str) else None if value is None else float(value)


def _is_within(key: Key, amount: Any) -> bool:
    return (key.minimum is None or key.minimum <= amount) and (key.maximum is None or amount <= key.maximum)


# Steps ------------------------------------------------------------------------------------------------------


def _steps(source: Source, listing: Listing) -> tuple[Step, ...]:
    if not listing.entries:
        source.report(listing, "a list of steps without a step", hint=STEP_EXAMPLE)
    return tuple(step for entry in listing.entries for step in _only(source, entry))


def _only(source: Source, value: Value) -> tuple[Step, ...]:
    """Return the step that a value is, alone in a tuple; nothing when it is none, or enough is wrong."""
    if source.is_full:
        return ()
    if isinstance(value, Fields):
        return (_step(source, value),)
    hint = _step_written(value.text) if isinstance(value, Scalar) else STEP_EXAMPLE
    source.report(value, f"a step is a mapping, not {_described(value)}", hint=hint)
    return ()


def _stage(source: Source, value: Value) -> tuple[StageAsWritten, ...]:
    """Return the stage that a value is, alone in a tuple; nothing when it is none, or enough is wrong."""
    if source.is_full:
        return ()
    if not isinstance(value, Fields):
        source.report(value, f"a stage is a mapping, not {_described(value)}", hint=STAGE_EXAMPLE)
        return ()
    noted = len(source.problems)
    words = _words(source, value, "stage")
    if len(source.problems) == noted:
        for missing in (name for name in ("name", "commands") if name not in words):
            source.report(value, f"a stage needs {missing}", hint=STAGE_EXAMPLE)
    nothing = Scalar(text="", value="", line=value.line, column=value.column)
    return (StageAsWritten(line=value.line, column=value.column, **{"name": nothing, **words}),)


def _step_written(text: str) -> str:
    kind = "claude" if text.startswith("/") else "shell"
    return f"write  - {kind}: {excerpt(text.strip())}" if text.strip() else STEP_EXAMPLE


def _step(source: Source, fields: Fields) -> Step:
    noted = len(source.problems)
    words = _words(source, fields, "step")
    commands: dict[Kind, Scalar | None] = {kind: words.pop(kind, None) for kind in KINDS}
    written = [name for name, _ in fields.entries if name.text in KINDS]
    if len(written) > 1:
        source.report(written[1], "a step is shell or claude, not both", hint="make it two steps")
    elif not written and len(source.problems) == noted:
        source.report(fields, "a step needs a command", hint=STEP_EXAMPLE)
    # A step without a command never runs, its file is refused; it stands here so that its id stays known.
    nothing = Scalar(text="", value="", line=fields.line, column=fields.column)
    kind = next((kind for kind in KINDS if commands[kind]), KINDS[0])
    return Step(line=fields.line, column=fields.column, kind=kind, command=commands[kind] or nothing, **words)
