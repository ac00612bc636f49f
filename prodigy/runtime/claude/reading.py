"""What a transcript says, while it grows and at the end.

Exit status 0 alone proves nothing (an interrupt, a lost output, an unknown slash command all exit 0). An attempt has
succeeded when it exited 0 *and* a result line was read *and* that says `is_error` false *and* `subtype` success *and*
the prompt's slash command was one that Claude Code knows *and* what was asked for in a given form came in it.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from prodigy.plan.json_schema import mismatch
from prodigy.plan.phrases import counted
from prodigy.runtime.claude import protocol
from prodigy.runtime.claude.protocol import Limit, Usage

PIECE_BYTES = 1024 * 1024

_SLASH_COMMAND = re.compile(r"\s*/(?P<name>[A-Za-z0-9][\w:.-]*)(?=\s|$)")
_UNTRUSTED = re.compile(r"Ignoring \d+ permissions\.allow entr.*has not been trusted", re.DOTALL)
_UNKNOWN_SESSION = "No conversation found with session ID"

Read = Callable[[int, int], bytes]


class Demands(msgspec.Struct, frozen=True, kw_only=True):
    """What an attempt was asked for: its prompt, in which form (a JSON Schema), and whether a denied tool fails it."""

    prompt: str = ""
    form: str = ""
    fails_on_denied: bool = False


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What a transcript says. `error` is None when it says success; `result` is the answer's text.

    `aborted`: it says that somebody interrupted Claude Code, or ends where a result should be, though all went well.
    `is_final`: to try the same again is in vain. `cost_usd` and `models` are the session's, as `protocol.Result` has
    them; a prompt that was never sent cost nothing, and of one that was and has no result nothing is known.
    `fault`, `status` and `subtype` class a failure: the word of the last failed request, its HTTP status where it is
    told, and the result's own word. `limit` is what was last said of the limits of a subscription. `retries` counts
    the requests that Claude Code itself repeated. `is_unknown_session`: there is no such conversation to go on with.
    """

    result: str = ""
    error: str | None = None
    aborted: bool = False
    is_final: bool = False
    cost_usd: float | None = None
    models: dict[str, Usage] = {}
    structured: Any = None
    model: str = ""
    version: str = ""
    session: str = ""
    fault: str = ""
    status: int | None = None
    subtype: str = ""
    limit: Limit | None = None
    denied: tuple[str, ...] = ()
    retries: int = 0
    fallback: str = ""
    is_unknown_session: bool = False
    warnings: tuple[str, ...] = ()


def slash_command(prompt: str) -> str | None:
    """Return the slash command that a prompt is, also after blanks; a path is none."""
    match = _SLASH_COMMAND.match(prompt)
    return match["name"] if match else None


def unknown_command(prompt: str, commands: Iterable[str] | None) -> str | None:
    """Return why a prompt is no command of these, or None where it is one, or none at all.

    A typo is a green step in some versions and a paid improvisation in others.
    """
    name = slash_command(prompt)
    known = None if commands is None else list(commands)
    if name is None or known is None or name in known:
        return None
    import difflib  # 3 ms, for the hint of an error

    near = difflib.get_close_matches(name, known, n=1)
    mend = f"did you mean /{near[0]}?" if near else f"it would be .claude/commands/{name}.md"
    return f"Claude Code knows no command /{name} here; {mend}"


class Transcript:
    """A transcript as it grows: what was said so far, and whether anything new is a sign of work.

    Each byte is read at most twice; memory is a piece of 1 MiB and one line of at most 32 MiB, longer ones are skipped.
    """

    def __init__(self) -> None:
        self.is_greeted = False  # it has answered the greeting
        self.commands: tuple[str, ...] | None = None  # as it has answered
        self.signs = 0  # grows with every sign of work
        self.result: protocol.Result | None = None
        self.is_at_work = False  # since the last result
        self._began: protocol.Began | None = None
        self._version = ""
        self._fault = ""
        self._limit: Limit | None = None
        self._retries = 0
        self._fallback = ""
        self._warnings: list[str] = []
        self._unreadable = 0
        self._seen = 0
        self._line_at = 0  # where the line begins that has not ended yet

    @property
    def has_result(self) -> bool:
        """Whether a result was said and nothing after it: Claude Code has nothing left to do but to end."""
        return self.result is not None and not self.is_at_work

    @property
    def has_succeeded(self) -> bool:
        """Whether that result says success."""
        return self.has_result and self.result is not None and self.result.has_succeeded

    def look(self, read: Read) -> bool:
        """Take in the next piece of what `read(start, end)` yields; return whether there was anything new."""
        data = read(self._seen, self._seen + PIECE_BYTES)
        begun, *lines = data.split(b"\n")
        if lines:
            end = self._seen + len(begun)
            self._take(read, begun, end)
            for line in lines[:-1]:
                self._hear(line)
            self._line_at = self._seen + len(data) - len(lines[-1])
        self._seen += len(data)
        if self._line_at < self._seen and data:
            self.signs += 1  # of a line that is not whole yet there is more
        return bool(data)

    def finish(self, read: Read) -> None:
        """Take in all that is left, also a line that was never ended."""
        while self.look(read):
            pass
        if self._line_at < self._seen:
            self._take(read, b"", self._seen)
            self._line_at = self._seen

    def _take(self, read: Read, begun: bytes, end: int) -> None:
        """Hear the line that began earlier and ends here."""
        if end - self._line_at > protocol.LINE_BYTES_MAX:
            self._unreadable += 1
        else:
            self._hear(begun if self._line_at == self._seen and begun else read(self._line_at, end))

    def _hear(self, line: bytes) -> None:
        if not line.strip():
            return
        said = protocol.understand(line)
        self.signs += not isinstance(said, protocol.AskedAgain)
        match said:
            case protocol.Ready():
                self.is_greeted, self.commands = True, said.commands
                self._version = self._version or said.version
            case protocol.Began() if self._began is None:
                self._began = said
                self._version = self._version or said.version
            case protocol.Said() | protocol.Heard():
                self.is_at_work = True
                self._fault = said.fault if isinstance(said, protocol.Said) else ""
            case protocol.Result():
                self.result, self.is_at_work = said, False
            case protocol.AskedAgain():
                self._retries += 1
            case protocol.Limit():
                self._limit = said
            case protocol.ModelChanged():
                self._fallback = said.fallback
                self._warnings.append(f"{said.fallback} answered in place of {said.original}")
            case protocol.Unreadable():
                self._unreadable += 1

    def reading(self, demands: Demands, *, exit_code: int | None, stderr: str, was_asked: bool = True) -> Reading:
        """Judge the whole.

        Args:
            was_asked: the prompt was sent.
        """
        result = self.result
        commands = self.commands if self._began is None or self._began.commands is None else self._began.commands
        unknown = unknown_command(demands.prompt, commands)
        denied = self._denied(stderr)
        failure = self._failure(exit_code, stderr) or self._formless(demands)
        if denied and demands.fails_on_denied:
            failure = failure or denied
        structured = result.structured if result else msgspec.UNSET
        return Reading(
            result=result.text if result else "",
            error=unknown or failure,
            aborted=exit_code == 0 if result is None else result.subtype == protocol.ABORTED,
            is_final=unknown is not None,
            cost_usd=result.total_cost_usd if result else None if was_asked else 0.0,
            models=result.models if result else {},
            structured=None if structured is msgspec.UNSET else structured,
            model=self._began.model if self._began else "",
            version=self._version,
            session=(self._began.session if self._began else "") or (result.session if result else ""),
            fault=self._fault,
            status=result.status if result else None,
            subtype=result.subtype if result else "",
            limit=self._limit,
            denied=result.denied if result else (),
            retries=self._retries,
            fallback=self._fallback,
            is_unknown_session=any(_UNKNOWN_SESSION in text for text in (stderr, *(result.errors if result else ()))),
            warnings=self._all_warnings(denied),
        )

    def _all_warnings(self, denied: str) -> tuple[str, ...]:
        unreadable = f"lines of Claude Code's output that are not JSON: {self._unreadable}" if self._unreadable else ""
        return tuple(dict.fromkeys(filter(None, (*self._warnings, denied, unreadable))))

    def _denied(self, stderr: str) -> str:
        """Say which tools were denied, and what would let them; empty where none was."""
        denied = self.result.denied if self.result else ()
        if not denied:
            return ""
        said = f"permission was denied {counted(len(denied), 'time')}, for {', '.join(sorted(set(denied)))}; "
        if _UNTRUSTED.search(stderr):
            return said + (
                "Claude Code ignores permissions.allow of .claude/settings.json in a folder that nobody has trusted: "
                "name the tools under allowed_tools of the step"
            )
        return said + "the step may have done less than it was asked to; allowed_tools of the step lets a tool be used"

    def _formless(self, demands: Demands) -> str | None:
        """A model that never gives what was asked for in a given form ends well all the same."""
        if not demands.form or self.result is None:
            return None
        if self.result.structured is msgspec.UNSET:
            return "Claude Code answered without the structured output that json_schema asks for"
        wrong = mismatch(self.result.structured, msgspec.json.decode(demands.form))
        return f"the structured output is not what json_schema asks for: {wrong}" if wrong else None

    def _failure(self, exit_code: int | None, stderr: str) -> str | None:
        result = self.result
        if result is None:
            return _last_line(stderr) or "Claude Code ended without a result; its transcript may say why"
        if exit_code == 0 and result.has_succeeded:
            return None
        said = "; ".join(result.errors) or (result.is_error and result.text) or _last_line(stderr)
        return said or f"Claude Code ended with {result.subtype or 'an error'}, exit code {exit_code}"


def _last_line(text: str) -> str:
    return text.strip().rpartition("\n")[2]
