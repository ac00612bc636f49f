"""Read the values of a file along the schema's table: each becomes the type that its key asks for.

A value that does not have the shape of its key is noted in the file's `Source` and left out. Reading goes on, so the
author sees all mistakes at once.
"""

import math
import re
from collections.abc import Callable
from enum import Enum
from typing import Any, Final, TypeVar

import msgspec

from prodigy.plan import schema
from prodigy.plan.advice import advice
from prodigy.plan.reference import suggestion
from prodigy.plan.schema import SHAPES, WHERE, Key, Shape, Where
from prodigy.plan.source import EXCERPT_CHARS_MAX, LINE_BREAK, Fields, Listing, Scalar, Source, Value, excerpt
from prodigy.plan.syntax import (
    KINDS,
    BreakerAsWritten,
    BudgetAsWritten,
    ClaudeAsWritten,
    Document,
    ErrorPolicyAsWritten,
    HandlersAsWritten,
    InputAsWritten,
    InputKind,
    MapAsWritten,
    RetryAsWritten,
    StageAsWritten,
    Step,
    is_template,
    seconds_of,
    share_of,
)

STAGE_EXAMPLE = "for example  - name: build, and below it  commands: [{shell: make}]"
STEP_EXAMPLE = "for example  - shell: make  or  - claude: /review"
EXAMPLE = "for example  commands: [{shell: make}, {claude: /review}]"
MAP_EXAMPLE = "for example  map: {input: files.json, agent_template: [{shell: 'wc ${item}'}]}"
INPUT_KINDS: tuple[InputKind, ...] = ("file", "glob", "command")
MAPREDUCE_WORDS = ("setup", "map", "reduce")
_BOOLEAN_WORDS = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}
_BOOLEAN_WORDS |= {"true": "true  without quotes", "false": "false  without quotes"}
_TOLERATING = frozenset({"skip", "next", "pass", "ignore", "continue", "none"})
_SIGNS = ("&", "!")
_TEXTS: tuple[Shape, ...] = ("command", "condition", "template", "text", "prose", "path")
_LISTED: dict[Shape, str] = {
    "command": "one command is one step; several lines of a script stand below  shell: |",
    "environment": "for example  env: {NAME: value}",
    "variables": "for example  variables: {name: value}",
}
_EXAMPLES: dict[Shape, str] = {"retry": "3", "count": "3", "integer": "3", "duration": "5m", "seconds": "30s"}
_AMOUNT = re.compile(r"(?P<amount>\d{1,9}(?:\.\d{1,9})?) *(?P<unit>[hms])[a-z]{0,8}")
_ASSIGNED = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]{0,99})=(?P<value>[\w./-]{0,100})")


class _Wrong(Enum):
    """A value that has not the shape of its key."""

    SHAPE = "wrong"


_WRONG: Final = _Wrong.SHAPE
# What the value of a key becomes: a scalar, a mapping or what is read of one, or several of them.
Word = msgspec.Struct | tuple[msgspec.Struct, ...]
Words = dict[str, Word]
Made = TypeVar("Made")


def as_document(source: Source, root: Value) -> Document:
    """Return the document that the values of a file make; what does not fit is noted in `source`."""
    match root:
        case Listing():
            return Document(file=source.file, commands=_steps(source, root))
        case Fields():
            words = _words(source, root, "workflow")
            _check_kind(source, root)
            return _made(Document, words, file=source.file)
        case Scalar():
            source.report(root, f"a workflow is a mapping with commands, not {_described(root)}", hint=EXAMPLE)
            return Document(file=source.file)


def _check_kind(source: Source, root: Fields) -> None:
    """Note a file that is not exactly one of: steps, stages, a map."""
    places = {key.text: key for key in root.keys}
    steps = places.get("commands") or places.get("steps")
    stages, mode = places.get("stages"), places.get("mode")
    if mode is not None:
        for at in filter(None, (steps, stages)):
            source.report(at, f"a workflow with a mode has no {at.text}", hint="its parts are setup, map and reduce")
        if "map" not in places:
            source.report(mode, "'mode: mapreduce' needs map", hint=MAP_EXAMPLE)
        return
    words = [places[word] for word in MAPREDUCE_WORDS if word in places]
    for at in words:
        source.report(at, f"{at.text!r} needs mode: mapreduce", hint="add the line  mode: mapreduce")
    if steps is not None and stages is not None:
        source.report(stages, "a workflow has commands or stages, not both", hint="make the commands a stage")
    elif steps is None and stages is None and not words and not source.problems:
        source.report(root, "a workflow without commands", hint=EXAMPLE)


def _made(form: type[Made], words: Words, at: Value | None = None, /, **more: Any) -> Made:
    """Return the struct that these words make, and where it stands if it knows that.

    Each reader has seen to it that its word has the type of its field.
    """
    place = {} if at is None else {"line": at.line, "column": at.column}
    return form(**{**place, **more, **words})


def _nothing_at(value: Value) -> Scalar:
    """Return the text that stands for one that is missing, which has been noted."""
    return Scalar(text="", value="", line=value.line, column=value.column)


def _words(source: Source, fields: Fields, where: Where) -> Words:
    """Return the values of a mapping that its schema knows and accepts, by field; all others are noted."""
    words: Words = {}
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
        hint = advice(where, name.text[:EXCERPT_CHARS_MAX])
        source.report(name, f"unknown key {excerpt(name.text)!r} in {WHERE[where]}", hint=hint)
    return key


def _word(source: Source, key: Key, name: Scalar, value: Value) -> Word | None:
    """Return the value if it has the shape of the key, else note that and return None."""
    if isinstance(value, Scalar) and value.value is None:
        sign = source.character(value.line, value.column)
        hint = f"a text that begins with {sign} needs quotes" if sign in _SIGNS else f"it takes {SHAPES[key.shape]}"
        source.report(name, f"{key.name!r} has no value", hint=hint)
        return None
    word = _READERS[key.shape](source, key, value)
    if word is _WRONG:
        source.report(value, f"{key.name!r} takes {_expected(key)}, not {_described(value)}", hint=_mend(key, value))
        return None
    return word


def _expected(key: Key) -> str:
    expected = SHAPES[key.shape]
    if key.choices:
        expected = f"one of {', '.join(key.choices)}" if len(key.choices) > 1 else f"only {key.choices[0]}"
    return expected if key.bounds is None else "{} ({:.9g} to {:.9g})".format(expected, *key.bounds)


def _mend(key: Key, value: Value) -> str | None:
    if isinstance(value, Fields):
        return _mend_fields(key, value)
    if isinstance(value, Listing):
        return _LISTED.get(key.shape, "a text that begins with [ needs quotes" if key.shape in _TEXTS else None)
    if key.name == "mode":
        if value.text.lower().startswith("map"):
            return "did you mean mapreduce?"
        return "steps and stages run in their order without a mode: remove the line"
    if key.shape == "boolean" and (word := _BOOLEAN_WORDS.get(value.text.lower())):
        return f"write {word}"
    if key.shape == "handlers" and value.text.strip().lower() in _TOLERATING:
        return "to go on after a failure, write  allow_failure: true  instead"
    if key.shape == "handlers" and value.text.strip() in KINDS:
        return f"write the command too, for example  {key.name}: {{claude: /fix}}"
    if key.shape == "handlers" and value.text.strip():
        return f"write  {key.name}: {{{_step_written(value.text).partition('- ')[2]}}}"
    if key.shape in ("steps", "phase", "agent_template"):
        return _step_written(value.text)
    if key.shape == "claude":
        return f"a prompt is a step:  commands: [{{claude: {excerpt(value.text.strip())}}}]"
    if key.shape == "word":
        return f"for example  {key.name}: result"
    if key.shape == "environment" and (given := _ASSIGNED.fullmatch(value.text)):
        return f"write  {key.name}: {{{given['name']}: {given['value'] or '...'}}}"
    if key.shape in ("environment", "variables"):
        return _LISTED[key.shape]
    if key.shape == "error_policy":
        policy = schema.find("error_policy", "on_item_failure")
        choice = value.text if policy and value.text in policy.choices else "dlq"
        return f"write  {key.name}: {{on_item_failure: {choice}}}"
    if example := _EXAMPLES.get(key.shape):
        return _example(key, value, example)
    if not key.choices:
        return None
    near = suggestion(value.text, key.choices, form="{}") if len(value.text) < 30 else None
    return near or f"for example  {key.name}: {key.choices[-1]}"


def _mend_fields(key: Key, value: Fields) -> str | None:
    """Return what to write where a mapping stands and should not."""
    glued = next((key.text for key in value.keys if key.text.startswith("-")), None)
    match key.shape:
        case "steps" | "stages" if glued:
            return f"a blank follows the dash of a list:  - {glued[1:]}: …"
        case "steps":
            return "each step begins with a dash:  - shell: make"
        case "stages":
            return f"each stage begins with a dash, {STAGE_EXAMPLE}"
        case shape if shape in _TEXTS:
            return "a text that begins with { needs quotes; a value is ${name}"
        case _:
            return None


def _example(key: Key, value: Scalar, example: str) -> str:
    """Return what to write instead of a text that is no number or duration, or of one that is out of bounds."""
    is_number = isinstance(value.value, str) and value.text.isdecimal() and len(value.text) < 10
    if is_number and key.shape in ("count", "integer", "retry") and _is_within(key, int(value.text)):
        return f"write it without quotes:  {key.name}: {value.text}"
    is_bad = seconds_of(value) is None
    if is_bad and key.shape in ("duration", "seconds") and (match := _AMOUNT.fullmatch(value.text.strip().lower())):
        example = match["amount"] + match["unit"]
    return f"for example  {key.name}: {example}"


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


def _read_prose(source: Source, key: Key, value: Value) -> Scalar | _Wrong:
    if not isinstance(value, Scalar) or value.text.strip() == "":
        return _WRONG
    if (at := value.text.find("${")) >= 0:
        source.report_inside(value, at, f"nothing is replaced in {key.name!r}", hint="write it without ${…}")
    return value


def _read_text(source: Source, key: Key, value: Value) -> Scalar | _Wrong:
    is_line = isinstance(value, Scalar) and not LINE_BREAK.search(value.text.rstrip("\n"))
    return _read_prose(source, key, value) if is_line else _WRONG


def _is_integer(key: Key, scalar: Scalar) -> bool:
    return type(scalar.value) is int and _is_within(key, scalar.value)


def _is_count(key: Key, scalar: Scalar) -> bool:
    return is_template(scalar) or _is_integer(key, scalar)


def _is_seconds(key: Key, scalar: Scalar) -> bool:
    return not isinstance(scalar.value, bool) and _is_within(key, seconds_of(scalar))


def _is_duration(key: Key, scalar: Scalar) -> bool:
    return is_template(scalar) or _is_seconds(key, scalar)


def _is_path(key: Key, scalar: Scalar) -> bool:
    return isinstance(scalar.value, str) and scalar.value.strip() != ""


def _scalar(accepts: Callable[[Key, Scalar], bool]) -> "Reader":
    """Return the reader of scalars that are accepted for their key."""

    def read(source: Source, key: Key, value: Value) -> Scalar | _Wrong:
        return value if isinstance(value, Scalar) and accepts(key, value) else _WRONG

    return read


def _read_choice(source: Source, key: Key, value: Value) -> Scalar | _Wrong | None:
    if not isinstance(value, Scalar):
        return _WRONG
    if value.text in key.later_choices:
        message = f"'{key.name}: {value.text}' is not available in this version yet"
        source.report(value, message, hint=f"until then it is one of {', '.join(key.choices)}, or remove the line")
        return None
    return value if value.text in key.choices else _WRONG


def _read_reasons(source: Source, key: Key, value: Value) -> tuple[Scalar, ...] | _Wrong:
    entries = value.entries if isinstance(value, Listing) else (value,)
    reasons = [entry for entry in entries if isinstance(entry, Scalar) and _is_reason(entry.value)]
    return tuple(reasons) if entries and len(reasons) == len(entries) else _WRONG


def _is_reason(value: object) -> bool:
    return type(value) is int or (isinstance(value, str) and value.strip() != "")


def _read_variables(source: Source, key: Key, value: Value) -> Fields | _Wrong:
    return value if isinstance(value, Fields) else _WRONG


def _read_environment(source: Source, key: Key, value: Value) -> Fields | _Wrong:
    if not isinstance(value, Fields):
        return _WRONG
    for name, entry in value.entries:
        if not isinstance(entry, Scalar):
            source.report(entry, f"{excerpt(name.text)!r} takes text, not {_described(entry)}")
    return msgspec.structs.replace(value, entries=tuple(e for e in value.entries if isinstance(e[1], Scalar)))


def _read_steps(source: Source, key: Key, value: Value) -> tuple[Step, ...] | _Wrong:
    return _steps(source, value) if isinstance(value, Listing) else _WRONG


def _read_stages(source: Source, key: Key, value: Value) -> tuple[StageAsWritten, ...] | _Wrong:
    if not isinstance(value, Listing):
        return _WRONG
    if not value.entries:
        source.report(value, "a list of stages without a stage", hint=STAGE_EXAMPLE)
    return tuple(stage for entry in value.entries for stage in _stage(source, entry))


def _read_retry(source: Source, key: Key, value: Value) -> Scalar | RetryAsWritten | _Wrong:
    if not isinstance(value, Fields):
        return value if isinstance(value, Scalar) and _is_count(key, value) else _WRONG
    words = _words(source, value, "retry")
    if "attempts" not in value.names:
        source.report(value, "'retry' needs attempts", hint="attempts counts all of them, the first included")
    return _made(RetryAsWritten, words, value)


def _read_handlers(source: Source, key: Key, value: Value) -> HandlersAsWritten | _Wrong:
    """A step, a list of steps, or the long form, which is known by its keys."""
    match value:
        case Listing():
            words: Words = {"commands": _steps(source, value)}
        case Fields():
            names = value.names
            is_step = bool(names & set(KINDS)) or not names & set(schema.names("on_failure"))
            if is_step:
                value = _without_words_beside(source, value)
            words = _words(source, value, "on_failure") if not is_step else {"commands": _only(source, value)}
            if not is_step and not names & {"commands", "steps"}:
                source.report(value, "'on_failure' needs commands")
        case Scalar():
            return _WRONG
    return _made(HandlersAsWritten, words, value)


def _without_words_beside(source: Source, step: Fields) -> Fields:
    """Return a handler that is a step without the words of the long form, which stand beside `commands` only."""
    words = set(schema.names("on_failure")) - set(schema.names("step")) - {"commands", "steps"}
    for name in step.keys:
        if name.text in words:
            hint = f"write  on_failure: {{commands: [{{…}}], {name.text}: …}}"
            source.report(name, f"{name.text!r} stands beside commands, not in a step", hint=hint)
    return msgspec.structs.replace(step, entries=tuple(e for e in step.entries if e[0].text not in words))


def _read_phase(source: Source, key: Key, value: Value) -> StageAsWritten | _Wrong:
    """Setup or reduce: a stage whose name is the key's."""
    match value:
        case Listing():
            words: Words = {"commands": _steps(source, value)}
        case Fields():
            words = _words(source, value, "phase")
            _need_commands(source, key, value)
        case Scalar():
            return _WRONG
    name = Scalar(text=key.name, value=key.name, line=value.line, column=value.column)
    return _made(StageAsWritten, words, value, name=name)


def _read_agent_template(source: Source, key: Key, value: Value) -> tuple[Step, ...] | _Wrong:
    if isinstance(value, Listing):
        return _steps(source, value)
    if not isinstance(value, Fields):
        return _WRONG
    words = _words(source, value, "agent_template")
    _need_commands(source, key, value)
    return _made(HandlersAsWritten, words, value).commands


def _need_commands(source: Source, key: Key, fields: Fields) -> None:
    if not fields.names & {"commands", "steps"}:
        source.report(fields, f"{key.name!r} needs commands", hint=STEP_EXAMPLE)


def _read_map(source: Source, key: Key, value: Value) -> MapAsWritten | _Wrong:
    if not isinstance(value, Fields):
        return _WRONG
    words = _words(source, value, "map")
    for missing in (name for name in ("input", "agent_template") if name not in value.names):
        source.report(value, f"'map' needs {missing}", hint=MAP_EXAMPLE)
    return _made(MapAsWritten, words, value, input=InputAsWritten(kind="auto", text=_nothing_at(value)))


def _read_input(source: Source, key: Key, value: Value) -> InputAsWritten | _Wrong | None:
    """A text, a list of the items themselves, or a mapping that says outright what the text is."""
    if isinstance(value, Listing):
        return InputAsWritten(kind="list", text=_nothing_at(value), elements=value)
    if not isinstance(value, Fields):
        return InputAsWritten(kind="auto", text=value) if _is_path(key, value) else _WRONG
    words = _words(source, value, "input")
    if len(value.entries) != 1:
        source.report(value, "'input' is one file, glob or command", hint="for example  input: {glob: 'src/**/*.py'}")
    named = ((kind, words.get(kind)) for kind in INPUT_KINDS)
    return next((InputAsWritten(kind=kind, text=text) for kind, text in named if isinstance(text, Scalar)), None)


def _read_order(source: Source, key: Key, value: Value) -> tuple[Scalar, ...] | _Wrong:
    entries = value.entries if isinstance(value, Listing) else (value,)
    paths = tuple(entry for entry in entries if isinstance(entry, Scalar) and _is_path(key, entry))
    return paths if entries and len(paths) == len(entries) else _WRONG


def _read_error_policy(source: Source, key: Key, value: Value) -> ErrorPolicyAsWritten | _Wrong:
    return _made(ErrorPolicyAsWritten, _words(source, value, "error_policy")) if isinstance(value, Fields) else _WRONG


def _read_circuit_breaker(source: Source, key: Key, value: Value) -> BreakerAsWritten | _Wrong:
    if not isinstance(value, Fields):
        return _WRONG
    words = _words(source, value, "circuit_breaker")
    if not value.names & {"failure_threshold", "failures"}:
        hint = "for example  {failure_threshold: 5, timeout: 1m}"
        source.report(value, "'circuit_breaker' needs failure_threshold", hint=hint)
    return _made(BreakerAsWritten, words)


def _read_claude(source: Source, key: Key, value: Value) -> ClaudeAsWritten | _Wrong:
    """What holds for all claude steps of a file."""
    if not isinstance(value, Fields):
        return _WRONG
    written = _made(ClaudeAsWritten, _words(source, value, "claude"))
    if written.prompt is not None:
        source.report(written.prompt, "'prompt' is for a step, not for the whole file", hint=STEP_EXAMPLE)
    return written


def _read_asked(source: Source, key: Key, value: Value) -> Word | _Wrong | None:
    """A prompt alone, or with what is told besides."""
    if not isinstance(value, Fields):
        return _COMMAND(source, key, value)
    written = _made(ClaudeAsWritten, _words(source, value, "claude"))
    if written.idle_timeout is not None:
        hint = "write it beside claude and timeout"
        source.report(written.idle_timeout, "'idle_timeout' is a key of the step", hint=hint)
    if "prompt" not in value.names:
        source.report(value, "'claude' needs a prompt", hint="for example  claude: {prompt: /review, model: sonnet}")
    return written if written.prompt else None


def _read_texts(source: Source, key: Key, value: Value) -> tuple[Scalar, ...] | _Wrong:
    entries = value.entries if isinstance(value, Listing) else (value,)
    texts = tuple(entry for entry in entries if isinstance(entry, Scalar) and entry.text.strip())
    return texts if len(texts) == len(entries) else _WRONG


def _read_budget(source: Source, key: Key, value: Value) -> BudgetAsWritten | _Wrong:
    return _made(BudgetAsWritten, _words(source, value, "budget")) if isinstance(value, Fields) else _WRONG


# The words `true` and `false` are commands too.
_COMMAND = _scalar(lambda key, it: isinstance(it.value, str | bool) and it.text.strip() != "")
Reader = Callable[[Source, Key, Value], Word | _Wrong | None]
_READERS: dict[Shape, Reader] = {
    "text": _read_text,
    "prose": _read_prose,
    "word": _scalar(lambda key, it: isinstance(it.value, str) and it.value != ""),
    "command": _COMMAND,
    "condition": _COMMAND,
    "template": _scalar(lambda key, it: it.text.strip() != ""),
    "boolean": _scalar(lambda key, it: isinstance(it.value, bool)),
    "integer": _scalar(_is_integer),
    "count": _scalar(_is_count),
    "seconds": _scalar(_is_seconds),
    "duration": _scalar(_is_duration),
    "choice": _read_choice,
    "reasons": _read_reasons,
    "variables": _read_variables,
    "environment": _read_environment,
    "steps": _read_steps,
    "stages": _read_stages,
    "retry": _read_retry,
    "handlers": _read_handlers,
    "phase": _read_phase,
    "map": _read_map,
    "input": _read_input,
    "path": _scalar(_is_path),
    "order": _read_order,
    "agent_template": _read_agent_template,
    "share": _scalar(lambda key, it: _is_within(key, share_of(it))),
    "error_policy": _read_error_policy,
    "circuit_breaker": _read_circuit_breaker,
    "claude": _read_claude,
    "asked": _read_asked,
    "texts": _read_texts,
    "json_schema": _read_variables,
    "budget": _read_budget,
    "money": _scalar(lambda key, it: _is_within(key, share_of(it) if isinstance(it.value, int | float) else None)),
}


def _is_within(key: Key, amount: float | None) -> bool:
    least, most = key.bounds or (-math.inf, math.inf)
    return amount is not None and least <= amount <= most


# Steps ------------------------------------------------------------------------------------------------------


def _steps(source: Source, listing: Listing) -> tuple[Step, ...]:
    if not listing.entries:
        source.report(listing, "a list of steps without a step", hint=STEP_EXAMPLE)
    return tuple(step for entry in listing.entries for step in _only(source, entry))


def _only(source: Source, value: Value) -> tuple[Step, ...]:
    """Return a value as a step, alone in a tuple; nothing if it is not one, or if there are enough mistakes already."""
    if source.is_full:
        return ()
    if isinstance(value, Fields):
        return (_step(source, value),)
    hint = _step_written(value.text) if isinstance(value, Scalar) else STEP_EXAMPLE
    source.report(value, f"a step is a mapping, not {_described(value)}", hint=hint)
    return ()


def _stage(source: Source, value: Value) -> tuple[StageAsWritten, ...]:
    """Return a value as a stage, alone in a tuple; nothing if it is not one, or there are enough mistakes already."""
    if source.is_full:
        return ()
    if not isinstance(value, Fields):
        source.report(value, f"a stage is a mapping, not {_described(value)}", hint=STAGE_EXAMPLE)
        return ()
    if name := _name_in_place_of_keys(value):
        hint = f"write  - name: {name.text} , and below it  commands: [{{shell: make}}]"
        source.report(name, f"a stage has its name under 'name', and {excerpt(name.text)!r} is no key of it", hint=hint)
        return ()
    noted = len(source.problems)
    words = _words(source, value, "stage")
    if len(source.problems) == noted:
        for missing in (name for name in ("name", "commands") if name not in words):
            source.report(value, f"a stage needs {missing}", hint=STAGE_EXAMPLE)
    return (_made(StageAsWritten, words, value, name=_nothing_at(value)),)


def _name_in_place_of_keys(stage: Fields) -> Scalar | None:
    """Return the name of a stage that is written as `build: …`, with all that is in it below."""
    if len(stage.entries) != 1:
        return None
    ((name, value),) = stage.entries
    is_name = not schema.keys_of(name.text) and isinstance(value, Fields | Listing)
    return name if is_name else None


def _step_written(text: str) -> str:
    if (glued := text.partition(":"))[0] in KINDS:
        return f"a blank follows the colon:  - {glued[0]}: {excerpt(glued[2].strip())}"
    kind = "claude" if text.startswith("/") else "shell"
    return f"write  - {kind}: {excerpt(text.strip())}" if text.strip() else STEP_EXAMPLE


def _step(source: Source, fields: Fields) -> Step:
    noted = len(source.problems)
    words = _words(source, fields, "step")
    found = {kind: words.pop(kind) for kind in KINDS if kind in words}
    if isinstance(asked := found.get("claude"), ClaudeAsWritten):
        found["claude"], words["options"] = asked.prompt or _nothing_at(fields), asked
    commands = {kind: text for kind, text in found.items() if isinstance(text, Scalar)}
    written = [name for name in fields.keys if name.text in KINDS]
    if len(written) > 1:
        source.report(written[1], "a step is shell or claude, not both", hint="make it two steps")
    elif not written and len(source.problems) == noted:
        source.report(fields, "a step needs a command", hint=STEP_EXAMPLE)
    # A step without a command never runs, its file is refused; it stands here so that its id stays known.
    kind = next(iter(commands), KINDS[0])
    return _made(Step, words, fields, kind=kind, command=commands.get(kind, _nothing_at(fields)))
