"""What an attempt's end means: success or failure, the reason in words, and the value it captured."""

import json
import re
from typing import Any

import msgspec

from prodigy.kernel.cause import BARE_EXIT
from prodigy.kernel.signals import Exited
from prodigy.plan.nodes import CaptureFormat, Node, Run, Shell
from prodigy.plan.phrases import clipped
from prodigy.plan.reference import Lookup, resolve
from prodigy.plan.shell.values import command_words
from prodigy.plan.spelling import spelled

ERROR_BYTES_MAX = 2048
NESTING_MAX = 500  # well below what makes a JSON reader refuse it, however deep in our own calls that reader is
SHOWN_CHARS_MAX = 60
NOT_FOUND = 127  # a shell's exit code
# What a service manager, a shutdown, the end of a container or a terminal send to all they know. A shell whose command
# died of signal n exits with 128 + n.
STOP_SIGNALS = {"SIGHUP": 129, "SIGINT": 130, "SIGQUIT": 131, "SIGKILL": 137, "SIGTERM": 143}

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,4})?")
_BOOLEANS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How an attempt ended; `error` says why it failed, None when it succeeded. `is_final`: no further one can help."""

    error: str | None = None
    exit_code: int | None = None
    is_timeout: bool = False
    is_final: bool = False
    signal: str | None = None
    warnings: tuple[str, ...] = ()

    @property
    def failure(self) -> str:
        """Why it failed; asked only of an attempt that did."""
        assert self.error is not None, "it succeeded"
        return self.error


def judge(exited: Exited) -> Outcome:
    """Return how the attempt ended; `error` is what `${id.error}` will say."""
    is_ok = exited.exit_code == 0 and not exited.error and not _took_too_long(exited)
    return Outcome(
        error=None if is_ok else _reason(exited),
        exit_code=exited.exit_code,
        is_timeout=_took_too_long(exited),
        is_final=exited.is_final and not is_ok,
        signal=exited.signal,
    )


def _took_too_long(exited: Exited) -> bool:
    return exited.timed_out_s is not None or exited.idle_s is not None


def end_of(text: str, bytes_max: int) -> str:
    """Return the last `bytes_max` bytes of `text`, no character cut in two."""
    data = text.encode(errors="replace")
    return data[-bytes_max:].decode(errors="ignore") if len(data) > bytes_max else text


def may_be_stopped(exited: Exited) -> bool:
    """Whether an attempt ended the way a stop of the whole system ends it; its own timeout does not count."""
    if _took_too_long(exited):
        return False
    return exited.aborted or exited.signal in STOP_SIGNALS or exited.exit_code in STOP_SIGNALS.values()


def explained(node: Node, outcome: Outcome, lookup: Lookup) -> Outcome:
    """Add to "command not found" that its first word came from a value with blanks, if that is so."""
    command = node.body.command if isinstance(node.body, Run) else None
    if not isinstance(command, Shell):
        return outcome
    for reference in command_words(command.script):
        value = resolve(reference, lookup)
        if isinstance(value, str) and len(value.split()) > 1:
            name = ".".join(map(str, reference.path))
            hint = f"{reference.text} is one word, blanks and all; if it is code, splice it: ${{{name}|raw}}"
            return msgspec.structs.replace(outcome, error=f"{outcome.failure}\n{hint}")
    return outcome


def captured(node: Node, exited: Exited, outcome: Outcome) -> tuple[Any, Outcome]:
    """Return the value a successful step captures; one that cannot be read so fails the attempt."""
    if not node.policy.capture or outcome.error is not None:
        return None, outcome
    text = exited.output.removesuffix("\n")
    try:
        value = parse(text, node.policy.capture_format)
    except ValueError as problem:
        return None, msgspec.structs.replace(outcome, error=f"capture_format {node.policy.capture_format}: {problem}")
    if text == "" and _redirects_stdout(node):
        name = node.policy.capture
        warning = f"{name} is empty: the script sends its output to a file, so there was nothing to capture"
        return value, msgspec.structs.replace(outcome, warnings=(warning,))
    return value, outcome


def parse(text: str, capture_format: CaptureFormat) -> Any:
    """Return `text` as the format has it.

    Raises:
        ValueError: the text is not of that format; the message says what it is instead.
    """
    match capture_format:
        case "text":
            return text
        case "lines":
            return text.split("\n") if text else []
        case "json":
            return _json(text)
        case "number":
            return _number(text.strip())
        case "boolean":
            return _boolean(text.strip())


def _json(text: str) -> Any:
    """JSON, strictly: NaN, infinities (1e400 is one) and lone surrogates would not survive being written again."""
    try:
        value = json.loads(text, parse_constant=_no_constant, parse_float=_number, parse_int=_number)
        json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        raise ValueError(f"{error.msg} at line {error.lineno}, column {error.colno} of the output") from error
    except RecursionError:
        raise ValueError("the output is nested too deeply") from None
    except UnicodeEncodeError:
        raise ValueError("the output has a lone surrogate, which is no text") from None
    if text.count("[") + text.count("{") > NESTING_MAX and _is_too_deep(value):
        raise ValueError("the output is nested too deeply")
    return value


def _is_too_deep(value: Any) -> bool:
    """Whether a value could be written now but not read again by a resume."""
    level = [value]
    for _ in range(NESTING_MAX + 1):
        parents = [parent for parent in level if isinstance(parent, dict | list)]
        level = [child for parent in parents for child in (parent.values() if isinstance(parent, dict) else parent)]
        if not parents:
            return False
    return True


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _number(text: str) -> int | float:
    if not _NUMBER.fullmatch(text) or len(text) > 400:
        raise ValueError(f"{clipped(text, SHOWN_CHARS_MAX)!r} is not a number")
    value = int(text) if text.lstrip("+-").isdigit() else float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"{clipped(text, SHOWN_CHARS_MAX)!r} is too large")
    return spelled(value, text)


def _boolean(text: str) -> bool:
    if text.lower() not in _BOOLEANS:
        raise ValueError(f"{clipped(text, SHOWN_CHARS_MAX)!r} is not one of true, false, yes, no, 1, 0")
    return _BOOLEANS[text.lower()]


def _reason(exited: Exited) -> str:
    if exited.error:
        return exited.error
    last = _last_lines(exited.stderr) or _last_lines(exited.output)
    if exited.timed_out_s is not None:
        return f"timed out after {exited.timed_out_s:g} s\n{last}".strip()
    if exited.idle_s is not None:
        return f"gave no sign of work for {exited.idle_s:g} s\n{last}".strip()
    if exited.signal:
        return f"killed by {exited.signal}\n{last}".strip()
    return last or f"{BARE_EXIT}{exited.exit_code}"


def _last_lines(text: str) -> str:
    """Return the end of `text`, at most `ERROR_BYTES_MAX` bytes of whole lines where they fit."""
    text = text.strip()
    data = text.encode()[-ERROR_BYTES_MAX:]
    cut = data.decode(errors="ignore")
    return cut if len(cut) == len(text) else cut.partition("\n")[2] or cut


def _redirects_stdout(node: Node) -> bool:
    command = node.body.command if isinstance(node.body, Run) else None
    return isinstance(command, Shell) and command.script.redirects_stdout
