"""The flags of Claude Code, as far as they matter here; one that it does not know is refused as it refuses it."""

import json
import os
import re
import uuid
from typing import Any, NamedTuple

_WITH_VALUE = frozenset(
    (
        "--add-dir", "--agents", "--allowedTools", "--append-system-prompt", "--betas", "--debug-file",
        "--disallowedTools", "--effort", "--fallback-model", "--input-format", "--json-schema", "--max-budget-usd",
        "--max-turns", "--mcp-config", "--model", "--output-format", "--permission-mode", "--plugin-dir", "--resume",
        "--session-id", "--setting-sources", "--settings", "--system-prompt", "--tools",
    )
)  # fmt: skip
_ALONE = frozenset(
    (
        "--bare", "--dangerously-skip-permissions", "--disable-slash-commands", "--fork-session",
        "--include-partial-messages", "--no-session-persistence", "--print", "--replay-user-messages", "--safe-mode",
        "--strict-mcp-config", "--verbose", "--version",
    )
)  # fmt: skip
_SHORT = {"-p": "--print", "-r": "--resume", "-v": "--version"}
_MODES = ("acceptEdits", "auto", "bypassPermissions", "default", "dontAsk", "manual", "plan")
_TYPES = ("array", "boolean", "integer", "null", "number", "object", "string")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


class Refused(Exception):
    """It does not start, and says why on stderr."""


class Options(NamedTuple):
    """How it was called. `session` is the conversation's id, `resumed` that of the one it goes on with."""

    is_version: bool = False
    session: str = ""
    resumed: str = ""
    model: str = ""
    schema: dict[str, Any] | None = None
    max_turns: int | None = None
    max_budget_usd: float | None = None
    is_partial: bool = False


def read_options(arguments: list[str]) -> Options:
    """Return how it was called.

    Raises:
        Refused: as Claude Code would refuse it.
    """
    given = _given(arguments)
    if "--version" in given:
        return Options(is_version=True)
    _check(given)
    resumed = _last(given, "--resume")
    session = _last(given, "--session-id")
    if resumed and "--fork-session" not in given:
        session = resumed
    return Options(
        session=session or str(uuid.uuid4()),
        resumed=resumed,
        model=_last(given, "--model"),
        schema=_schema(_last(given, "--json-schema")),
        max_turns=int(_last(given, "--max-turns") or 0) or None,
        max_budget_usd=float(_last(given, "--max-budget-usd")) if "--max-budget-usd" in given else None,
        is_partial="--include-partial-messages" in given,
    )


def _given(arguments: list[str]) -> dict[str, list[str]]:
    given: dict[str, list[str]] = {}
    name = ""
    for argument in arguments:
        if argument.startswith("-") and argument != "-":
            name, equals, value = argument.partition("=")
            name = _SHORT.get(name, name)
            if name not in _WITH_VALUE | _ALONE:
                raise Refused(f"error: unknown option '{name}'")
            given.setdefault(name, []).extend([value] if equals else [])
        elif name in _WITH_VALUE:
            given[name].append(argument)
        else:
            raise Refused("Error: the stand-in takes its prompt from standard input only")
    return given


def _check(given: dict[str, list[str]]) -> None:
    if _last(given, "--output-format") != "stream-json" or _last(given, "--input-format") != "stream-json":
        raise Refused("Error: the stand-in knows --input-format stream-json and --output-format stream-json only")
    if "--verbose" not in given:
        raise Refused("Error: When using --print, --output-format=stream-json requires --verbose")
    for flag in ("--session-id", "--resume"):
        if flag in given and not _UUID.fullmatch(_last(given, flag)):
            raise Refused(f"Error: Invalid session ID for {flag}. Must be a valid UUID.")
    if "--resume" in given and "--session-id" in given and "--fork-session" not in given:
        raise Refused("Error: --session-id can only be used with --resume if --fork-session is also specified.")
    mode = _last(given, "--permission-mode")
    if mode and mode not in _MODES:
        raise Refused(f"error: option '--permission-mode <mode>' argument '{mode}' is invalid.")
    is_unbound = mode == "bypassPermissions" or "--dangerously-skip-permissions" in given
    if is_unbound and os.geteuid() == 0 and not os.environ.get("IS_SANDBOX"):
        raise Refused("--dangerously-skip-permissions cannot be used with root/sudo privileges for security reasons")


def _last(given: dict[str, list[str]], flag: str) -> str:
    return (given.get(flag) or [""])[-1]


def _schema(text: str) -> dict[str, Any] | None:
    if not text:
        return None
    try:
        schema = json.loads(text)
    except ValueError as error:
        raise Refused(f"Error: --json-schema is not valid JSON: {error}") from None
    types = schema.get("type", "object") if isinstance(schema, dict) else None
    for name in types if isinstance(types, list) else [types]:
        if name not in _TYPES:
            raise Refused(
                "Error: --json-schema is not a valid JSON Schema: data/type must be equal to one of the allowed values"
            )
    return dict(schema)
