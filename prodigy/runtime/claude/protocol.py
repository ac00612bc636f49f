"""The conversation with Claude Code: the lines that we say, and what those mean that it says.

Nobody else knows the names of its JSON, but for the tokens of each message, which `processes/spending.py` counts. Lines
are understood by fields, never by prefix or position: keys come in any order, lines may be megabytes, and unknown types
come and go between versions.
"""

from typing import Any

import msgspec

LINE_BYTES_MAX = 32 * 1024 * 1024
ABORTED = "error_during_execution"  # what an interrupt leads to, with exit code 0 or 1


class Ready(msgspec.Struct, frozen=True):
    """It answers our greeting: the slash commands that it knows where it stands, None where it does not tell."""

    commands: tuple[str, ...] | None
    version: str = ""


class Began(msgspec.Struct, frozen=True, kw_only=True):
    """It has taken the prompt. `commands` is None where this version does not list them."""

    commands: tuple[str, ...] | None = None
    model: str = ""
    version: str = ""
    session: str = ""


class Said(msgspec.Struct, frozen=True):
    """The model has said or done something. `fault` is the word by which a failed request is classed."""

    fault: str = ""


class Heard(msgspec.Struct, frozen=True):
    """A tool or a person has answered the model: the work goes on."""


class AskedAgain(msgspec.Struct, frozen=True):
    """A request failed and is repeated: no sign of work."""


class ModelChanged(msgspec.Struct, frozen=True):
    """Another model answers."""

    original: str
    fallback: str


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """What a subscription says of its limits. `resets_at_s` is in seconds since 1970, None where it is not told."""

    status: str = ""
    kind: str = ""
    resets_at_s: int | None = None


class Usage(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What one model was used for, and what that cost."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_input_tokens: int = 0
    cache_creation_input_tokens: int = 0
    cost_usd: float = msgspec.field(default=0.0, name="costUSD")


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """The end of what was asked for.

    `total_cost_usd` and `models` are of the whole session, so of a resumed one they contain what it had cost before.
    `structured` is UNSET where nothing of the demanded form was given; `denied` has the tool of each denied permission.
    """

    subtype: str = ""
    is_error: bool = True
    text: str = ""
    errors: tuple[str, ...] = ()
    status: int | None = None
    session: str = ""
    total_cost_usd: float | None = None
    models: dict[str, Usage] = {}
    denied: tuple[str, ...] = ()
    structured: Any = msgspec.UNSET

    @property
    def has_succeeded(self) -> bool:
        """Whether it says so; every failed request looks like a success but for `is_error`."""
        return not self.is_error and self.subtype == "success"


class Other(msgspec.Struct, frozen=True):
    """Anything else: a sign of work."""


class Unreadable(msgspec.Struct, frozen=True):
    """A line that is no JSON object, or not of the form that its type has."""


Line = Ready | Began | Said | Heard | AskedAgain | ModelChanged | Limit | Result | Other | Unreadable

_OTHER, _HEARD, _ASKED_AGAIN, _UNREADABLE = Other(), Heard(), AskedAgain(), Unreadable()
_SAID = Said()


class _Kind(msgspec.Struct):
    type: str = ""
    subtype: str = ""


class _Command(msgspec.Struct):
    name: str = ""
    aliases: list[str] = []


class _Commands(msgspec.Struct):
    commands: list[_Command] | None = None
    claude_code_version: str = ""


class _Response(msgspec.Struct):
    request_id: str = ""
    response: _Commands | None = None


class _ControlResponse(msgspec.Struct):
    response: _Response = msgspec.field(default_factory=_Response)


class _Init(msgspec.Struct):
    slash_commands: list[str] | None = None
    model: str = ""
    claude_code_version: str = ""
    session_id: str = ""


class _Fallback(msgspec.Struct):
    original_model: str = "the model"
    fallback_model: str = "another model"


class _RateLimit(msgspec.Struct):
    status: str = ""
    rate_limit_type: str = msgspec.field(default="", name="rateLimitType")
    resets_at: float | None = msgspec.field(default=None, name="resetsAt")


class _RateLimitEvent(msgspec.Struct):
    rate_limit_info: _RateLimit = msgspec.field(default_factory=_RateLimit)


class _Fault(msgspec.Struct):
    error: str | None = None


class _Denial(msgspec.Struct):
    tool_name: str = "a tool"


class _Result(msgspec.Struct):
    """What decides is read strictly, all else as far as it can be."""

    subtype: str = ""
    is_error: bool = True
    result: str | None = None
    errors: list[str] | None = None
    api_error_status: int | None = None
    session_id: str | None = None
    total_cost_usd: float | None = None
    modelUsage: msgspec.Raw = msgspec.Raw()
    permission_denials: msgspec.Raw = msgspec.Raw()
    structured_output: Any = msgspec.UNSET


_kind = msgspec.json.Decoder(_Kind)
_control_response = msgspec.json.Decoder(_ControlResponse)
_init = msgspec.json.Decoder(_Init)
_fallback = msgspec.json.Decoder(_Fallback)
_rate_limit = msgspec.json.Decoder(_RateLimitEvent)
_fault = msgspec.json.Decoder(_Fault)
_result = msgspec.json.Decoder(_Result)
_models = msgspec.json.Decoder(dict[str, Usage])
_denials = msgspec.json.Decoder(list[_Denial])

# What we say ------------------------------------------------------------------------------------------------

GREETING = "greeting"


def greeting() -> bytes:
    """Return what is said first: it is answered with `Ready`, before anything costs money."""
    return _control(GREETING, {"subtype": "initialize"})


def prompt(text: str) -> bytes:
    """Return what the model is asked; a byte of a file's name that is no text is written as people see it, `\\xe9`."""
    return _line({"type": "user", "message": {"role": "user", "content": as_text(text)}})


def interrupt() -> bytes:
    """Return what ends its work: it ends its tools and says a result, with what that cost."""
    return _control("interrupt", {"subtype": "interrupt"})


def as_text(text: str) -> str:
    """Return a text that can be written as JSON."""
    try:
        return text.encode(errors="surrogateescape").decode(errors="backslashreplace")
    except UnicodeEncodeError:
        return text.encode(errors="backslashreplace").decode()


def _control(request_id: str, request: dict[str, str]) -> bytes:
    return _line({"type": "control_request", "request_id": request_id, "request": request})


def _line(message: dict[str, Any]) -> bytes:
    return msgspec.json.encode(message) + b"\n"


# What it says -----------------------------------------------------------------------------------------------


def understand(line: bytes) -> Line:
    """Return what one whole line means."""
    try:
        return _understood(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _UNREADABLE


def _understood(line: bytes) -> Line:
    match _kind.decode(line):
        case _Kind(type="stream_event"):
            return _OTHER
        case _Kind(type="result"):
            return _as_result(_result.decode(line))
        case _Kind(type="assistant"):
            return Said(fault) if (fault := _fault.decode(line).error) else _SAID
        case _Kind(type="user"):
            return _HEARD
        case _Kind(type="control_response"):
            said = _control_response.decode(line).response
            return _as_ready(said.response) if said.request_id == GREETING else _OTHER
        case _Kind(type="rate_limit_event"):
            info = _rate_limit.decode(line).rate_limit_info
            resets_at_s = None if info.resets_at is None else int(info.resets_at)
            return Limit(status=info.status, kind=info.rate_limit_type, resets_at_s=resets_at_s)
        case _Kind(type="system", subtype="init"):
            init = _init.decode(line)
            return Began(
                commands=None if init.slash_commands is None else _names(init.slash_commands),
                model=init.model,
                version=init.claude_code_version,
                session=init.session_id,
            )
        case _Kind(type="system", subtype="api_retry"):
            return _ASKED_AGAIN
        case _Kind(type="system", subtype="model_fallback"):
            change = _fallback.decode(line)
            return ModelChanged(change.original_model, change.fallback_model)
    return _OTHER


def _as_ready(answer: _Commands | None) -> Ready:
    """Return what the greeting was answered with; a version that only says no may still be asked."""
    if answer is None or answer.commands is None:
        return Ready(None)
    names = [name for command in answer.commands for name in (command.name, *command.aliases)]
    return Ready(_names(names), answer.claude_code_version)


def _names(commands: list[str]) -> tuple[str, ...]:
    return tuple(name.removeprefix("/") for name in commands)


def _as_result(said: _Result) -> Result:
    denials = _loosely(_denials, said.permission_denials) or []
    return Result(
        subtype=said.subtype,
        is_error=said.is_error,
        text=said.result or "",
        errors=tuple(said.errors or ()),
        status=said.api_error_status,
        session=said.session_id or "",
        total_cost_usd=said.total_cost_usd,
        models=_loosely(_models, said.modelUsage) or {},
        denied=tuple(denial.tool_name for denial in denials),
        structured=said.structured_output,
    )


def _loosely(decoder: msgspec.json.Decoder[Any], raw: msgspec.Raw) -> Any:
    """Return what a part of a line says, None where it cannot be read."""
    try:
        return decoder.decode(raw) if bytes(raw) else None
    except msgspec.DecodeError:
        return None
