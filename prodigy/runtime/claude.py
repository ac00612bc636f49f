"""Run Claude Code headlessly: how it is called, and what its stream of JSON lines means.

The prompt is its standard input, so it meets no argument limit, no flag parsing and no `ps`. The answer is
read from the transcript file by fields, never by prefix or position: keys come in any order, lines may be
megabytes, unknown types come and go between versions, and the result is not always the last line.

Exit status 0 alone proves nothing (an interrupt, a lost output, an unknown slash command all exit 0). An
attempt has succeeded when it exited 0 *and* a result line was read *and* that says `is_error` false *and*
`subtype` success *and* the prompt's slash command was one that Claude Code knows.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import msgspec

from prodigy.plan.phrases import counted

PROGRAM = "claude"
ARGUMENTS = ("-p", "--output-format", "stream-json", "--verbose")
PROMPT_BYTES_MAX = 10_000_000
ABORTED = "error_during_execution"  # what SIGINT leads to, with exit code 0 or 1
LINE_BYTES_MAX = 32 * 1024 * 1024
PIECE_BYTES = 1024 * 1024
RESULT_GRACE_S = 10.0  # some versions never end after their result
NOT_FOUND = (
    "a claude step needs Claude Code, and there is no `claude` on PATH; install it and check with `claude --version`"
)
# How the user is signed in, not traces of a Claude Code that we run inside of.
_CREDENTIALS = (b"CLAUDE_CODE_OAUTH_TOKEN", b"CLAUDE_CODE_USE_BEDROCK", b"CLAUDE_CODE_USE_VERTEX")
_SLASH_COMMAND = re.compile(r"/(?P<name>[A-Za-z0-9][\w:.-]*)(?=\s|$)")
_TOOL_INPUTS = ("command", "file_path", "pattern", "description", "url", "prompt")


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What a transcript says. `error` is None when it says success; `result` is the answer's text.

    `aborted`: it says that somebody interrupted Claude Code, or ends where a result should be, though all went well.
    """

    result: str = ""
    error: str | None = None
    aborted: bool = False
    cost_usd: float | None = None
    warnings: tuple[str, ...] = ()


class _Kind(msgspec.Struct):
    type: str = ""
    subtype: str = ""


class _Init(msgspec.Struct):
    slash_commands: list[str] | None = None


class _Fallback(msgspec.Struct):
    original_model: str = "the model"
    fallback_model: str = "another model"


class _Denial(msgspec.Struct):
    tool_name: str = "a tool"


class _Result(msgspec.Struct):
    subtype: str = ""
    is_error: bool = True
    result: str | None = None
    errors: list[str] | None = None
    total_cost_usd: float | None = None
    permission_denials: list[_Denial] | None = None


class _Block(msgspec.Struct):
    type: str = ""
    text: str = ""
    name: str = ""
    input: dict[str, Any] = {}


class _Message(msgspec.Struct, frozen=True):
    content: list[_Block] = []


class _Assistant(msgspec.Struct):
    type: str = ""
    message: _Message = _Message()


_kind = msgspec.json.Decoder(_Kind)
_init = msgspec.json.Decoder(_Init)
_fallback = msgspec.json.Decoder(_Fallback)
_result = msgspec.json.Decoder(_Result)
_assistant = msgspec.json.Decoder(_Assistant)


def inheritable(environment: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    """Return `environment` without the traces of a Claude Code that we may run inside of."""
    return {
        name: value
        for name, value in environment.items()
        if not (name == b"CLAUDECODE" or name.startswith(b"CLAUDE_CODE_")) or name in _CREDENTIALS
    }


def read_transcript(chunks: Iterable[bytes], *, prompt: str, exit_code: int | None, stderr: str) -> Reading:
    """Return what a stream-json transcript says about the attempt that had this `prompt`.

    Memory: one chunk and one line of at most 32 MiB; longer lines are skipped.
    """
    found = _Found()
    for line in _lines(chunks):
        found.hear(line)
    return found.reading(prompt=prompt, exit_code=exit_code, stderr=stderr)


class ResultWatch:
    """Looks in a growing transcript for the result, after which Claude Code has nothing left to do but to end.

    Only a whole line is one, and when somebody speaks after it the work goes on. Each byte is read at most twice;
    memory is a piece of 1 MiB and one line.
    """

    def __init__(self) -> None:
        self.has_result = False
        self.has_succeeded = False
        self._seen = 0
        self._line_at = 0  # where the line begins that has not ended yet

    def look(self, read: Callable[[int, int], bytes]) -> bool:
        """Take in the next piece of what `read(start, end)` yields; return whether there was anything new."""
        data = read(self._seen, self._seen + PIECE_BYTES)
        begun, *lines = data.split(b"\n")
        if lines:
            end = self._seen + len(begun)
            if end - self._line_at <= LINE_BYTES_MAX:
                self._hear(begun if self._line_at == self._seen else read(self._line_at, end))
            for line in lines[:-1]:
                self._hear(line)
            self._line_at = self._seen + len(data) - len(lines[-1])
        self._seen += len(data)
        return bool(data)

    def _hear(self, line: bytes) -> None:
        try:
            match _kind.decode(line):
                case _Kind(type="result"):
                    result = _result.decode(line)
                    self.has_result, self.has_succeeded = True, _is_success(result)
                case _Kind(type="assistant" | "user"):
                    self.has_result = self.has_succeeded = False
        except (msgspec.DecodeError, UnicodeDecodeError):
            pass


def narrate(lines: bytes) -> bytes:
    """Return what a person wants to see of stream-json lines: the model's words, and the tools it uses."""
    said = []
    for line in lines.splitlines():
        try:
            assistant = _assistant.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue
        if assistant.type == "assistant":
            said += [text for block in assistant.message.content if (text := _narrated(block))]
    return "".join(f"{text}\n" for text in said).encode(errors="replace")


def _narrated(block: _Block) -> str:
    if block.type == "text":
        return block.text.rstrip("\n")
    if block.type != "tool_use":
        return ""
    subject = next((block.input[key] for key in _TOOL_INPUTS if isinstance(block.input.get(key), str)), "")
    return f"[{block.name}] {subject.partition(chr(10))[0]}".rstrip()


class _Found:
    """What was read so far: the first init, the last result, and what a person should be warned of."""

    def __init__(self) -> None:
        self.init: _Init | None = None
        self.result: _Result | None = None
        self.warnings: list[str] = []
        self.unreadable = 0

    def hear(self, line: bytes | None) -> None:
        """Take in one line; None stands for one that was too long."""
        if line is None:
            self.unreadable += 1
            return
        if not line.strip():
            return
        try:
            self._understand(line)
        except (msgspec.DecodeError, UnicodeDecodeError):
            self.unreadable += 1

    def _understand(self, line: bytes) -> None:
        match _kind.decode(line):
            case _Kind(type="result"):
                self.result = _result.decode(line)
            case _Kind(type="system", subtype="init") if self.init is None:
                self.init = _init.decode(line)
            case _Kind(type="system", subtype="model_fallback"):
                change = _fallback.decode(line)
                self.warnings.append(f"{change.fallback_model} answered in place of {change.original_model}")

    def reading(self, *, prompt: str, exit_code: int | None, stderr: str) -> Reading:
        """Judge the whole."""
        result = self.result
        if result is not None and result.permission_denials:
            tools = sorted({denial.tool_name for denial in result.permission_denials})
            self.warnings.append(
                f"permission was denied {counted(len(result.permission_denials), 'time')}, for {', '.join(tools)}; "
                "the step may have done less than it was asked to"
            )
        if self.unreadable:
            self.warnings.append(f"lines of Claude Code's output that are not JSON: {self.unreadable}")
        return Reading(
            result=(result.result if result else None) or "",
            error=self._unknown_command(prompt) or self._failure(exit_code, stderr),
            aborted=exit_code == 0 if result is None else result.subtype == ABORTED,
            cost_usd=result.total_cost_usd if result else None,
            warnings=tuple(dict.fromkeys(self.warnings)),
        )

    def _unknown_command(self, prompt: str) -> str | None:
        """A typo in a slash command is a green step in some versions and a paid improvisation in others."""
        match = _SLASH_COMMAND.match(prompt)
        if match is None or self.init is None or self.init.slash_commands is None:
            return None
        known = [name.removeprefix("/") for name in self.init.slash_commands]
        if match["name"] in known:
            return None
        import difflib  # 3 ms, for the hint of an error

        near = difflib.get_close_matches(match["name"], known, n=1)
        mend = f"did you mean /{near[0]}?" if near else f"it would be .claude/commands/{match['name']}.md"
        return f"Claude Code knows no command /{match['name']} here; {mend}"

    def _failure(self, exit_code: int | None, stderr: str) -> str | None:
        result = self.result
        if result is None:
            return _last_line(stderr) or "Claude Code ended without a result; its transcript may say why"
        if exit_code == 0 and _is_success(result):
            return None
        said = "; ".join(result.errors or ()) or (result.is_error and result.result) or _last_line(stderr)
        return said or f"Claude Code ended with {result.subtype or 'an error'}, exit code {exit_code}"


def _is_success(result: _Result) -> bool:
    return not result.is_error and result.subtype == "success"


def _last_line(text: str) -> str:
    return text.strip().rpartition("\n")[2]


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes | None]:
    """Yield the lines of a text, None in place of one that is over the limit."""
    parts: list[bytes] = []
    size = 0
    for chunk in chunks:
        *ended, rest = chunk.split(b"\n")
        for piece in ended:
            yield None if size + len(piece) > LINE_BYTES_MAX else b"".join([*parts, piece])
            parts, size = [], 0
        size += len(rest)
        parts = [*parts, rest] if size <= LINE_BYTES_MAX else []
    if size:
        yield None if size > LINE_BYTES_MAX else b"".join(parts)
