"""Compile what may be told to Claude Code, on a step or for all steps of a file."""

from collections.abc import Callable

import msgspec

from prodigy.plan.claude_flags import why_refused
from prodigy.plan.json_schema import fault
from prodigy.plan.nodes import ClaudeOptions
from prodigy.plan.reference import Template
from prodigy.plan.source import Scalar, Source, plain
from prodigy.plan.syntax import ClaudeAsWritten, choice_of, integer_of, is_template, text_of

Read = Callable[[Scalar | None], Template]


def options_of(written: ClaudeAsWritten | None, above: ClaudeOptions, read: Read, source: Source) -> ClaudeOptions:
    """Return the options of a step, or of a file: those of `above` that are not `written`, which replaces them whole.

    `read` reads a text with `${…}`; what is wrong is noted in `source`.
    """
    if written is None:
        return above
    _check(written, source)
    told: dict[str, object] = {}
    for name in ("model", "fallback_model", "append_system_prompt", "claude_bin"):
        if (scalar := getattr(written, name)) is not None:
            told[name] = read(scalar)
    for name in ("allowed_tools", "disallowed_tools", "args"):
        if (scalars := getattr(written, name)) is not None:
            told[name] = tuple(map(read, scalars))
    for name in ("permission_mode", "on_denied"):
        if (scalar := getattr(written, name)) is not None:
            told[name] = choice_of(scalar, "")
    if written.max_turns is not None:
        told["max_turns"] = (
            read(written.max_turns) if is_template(written.max_turns) else integer_of(written.max_turns, 1)
        )
    if written.json_schema is not None:
        told["json_schema"] = plain(written.json_schema)
    return msgspec.structs.replace(above, **told)


def _check(written: ClaudeAsWritten, source: Source) -> None:
    for argument in written.args or ():
        if (why := why_refused(text_of(argument) or "")) is not None:
            source.report(argument, why[0], hint=why[1])
        elif argument.text.startswith("--") and " " in argument.text.partition("=")[0]:
            source.report(argument, f"{argument.text!r} is one argument", hint="make each word an entry of its own")
    if written.json_schema is not None and (why_not := fault(plain(written.json_schema))):
        source.report(
            written.json_schema, why_not, hint="for example  {type: object, properties: {n: {type: integer}}}"
        )
