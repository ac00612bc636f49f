"""The steps of a rule: what each does."""

import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from typing import Any, Protocol

from prodigy.fake_claude.lines import Lines
from prodigy.fake_claude.script import Rule
from prodigy.fake_claude.sessions import Session

_PROGRESS_EVERY_S = 30.0
_LOOK_EVERY_S = 0.01


class Interrupted(Exception):
    """Somebody has interrupted the conversation."""


class Ended(Exception):
    """The process ends here, without a result."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Failed(Exception):
    """The conversation fails with a result."""

    def __init__(self, subtype: str, errors: list[str] | None = None, *, text: str = "", status: int | None = None):
        super().__init__(subtype)
        self.subtype, self.errors, self.text, self.status = subtype, errors or [], text, status


class Stage(Protocol):
    """Where the steps are done: the conversation and what it costs."""

    rule: Rule
    session: Session
    lines: Lines
    interrupted: threading.Event

    def begin_session(self, prompt: str) -> None:
        """From the first request on there is something to go on with."""

    def pay(self, model: str) -> None:
        """Book what this conversation costs, once."""


class Acts:
    """Does the steps of one rule, and remembers what the result has to say."""

    def __init__(self, stage: Stage, prompt: str, about: str) -> None:
        self.text = ""
        self.turns = 0
        self.denied: list[dict[str, Any]] = []
        self.structured: Any = None
        self.ending: dict[str, Any] = {}
        self._stage = stage
        self._lines = stage.lines
        self._prompt = prompt
        self._about = about
        self._output = ""
        self._is_begun = False

    def do(self, step: dict[str, Any]) -> None:
        """Do one step.

        Raises:
            Interrupted, Ended, Failed: the conversation is over.
        """
        word = next(word for word in step if hasattr(self, f"_{word}"))
        getattr(self, f"_{word}")(step[word], step)
        self._pause(0.0)

    def _request(self) -> None:
        """Ask the model: from the first time on there is a session, and it costs."""
        if not self._is_begun:
            self._is_begun = True
            self._stage.begin_session(self._prompt)

    def _turn(self) -> str:
        self._request()
        self.turns += 1
        model = self._stage.rule.model
        self._lines.begin_message(model)
        self._stage.pay(model)
        return model

    def _pause(self, seconds: float) -> None:
        if self._stage.interrupted.wait(seconds):
            raise Interrupted

    def _filled(self, text: Any) -> str:
        filled = str(text).replace("{{asked}}", self._prompt).replace("{{prompt}}", self._about)
        return filled.replace("{{output}}", self._output)

    # What the model does.

    def _say(self, text: Any, step: dict[str, Any]) -> None:
        """`every`: the text comes word by word, with so many seconds between."""
        model = self._turn()
        self.text = self._filled(text)
        every_s = step.get("every")
        for part in self.text.split(" ") if every_s is not None else [self.text]:
            self._lines.part(part)
            self._pause(every_s or 0.0)
        self._lines.assistant(model, [{"type": "text", "text": self.text}])
        self._lines.end_message()

    def _bash(self, command: Any, step: dict[str, Any]) -> None:
        """Run a command, in a session of its own as Claude Code does, with what it is asked as `PROMPT`."""
        tool = self._use("Bash", {"command": self._filled(command)})
        inside = {
            "CLAUDECODE": "1",
            "CLAUDE_CODE_SESSION_ID": self._stage.session.id,
            "PROMPT": self._about,
            "ASKED": self._prompt,
        }
        try:
            process = subprocess.Popen(
                ["/bin/sh", "-c", self._filled(command)], env=os.environ | inside, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        except (OSError, ValueError) as error:
            self._lines.tool_result(tool, str(error), is_error=True)
            return
        data = self._watched(process)
        self._output = data.decode(errors="replace").removesuffix("\n")
        self._lines.tool_result(tool, self._output, is_error=process.returncode != 0)

    def _watched(self, process: subprocess.Popen[bytes]) -> bytes:
        began = told = time.monotonic()
        while True:
            try:
                return process.communicate(timeout=_LOOK_EVERY_S)[0]
            except subprocess.TimeoutExpired:
                pass
            if self._stage.interrupted.is_set():
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                raise Interrupted
            if time.monotonic() - told > _PROGRESS_EVERY_S:
                told = time.monotonic()
                self._lines.line({"type": "tool_progress", "tool_name": "Bash", "elapsed_time_seconds": told - began})

    def _deny(self, name: Any, step: dict[str, Any]) -> None:
        """A tool is denied, and the model goes on."""
        tool = self._use(str(name), step.get("input", {}))
        self._lines.system("permission_denied", tool_name=name, tool_use_id=tool, message=f"{name} needs approval.")
        self._lines.tool_result(tool, f"{name} needs approval.", is_error=True)
        self.denied.append({"tool_name": name, "tool_use_id": tool, "tool_input": step.get("input", {})})

    def _use(self, name: str, given: dict[str, Any]) -> str:
        model, tool = self._turn(), f"toolu_{uuid.uuid4().hex[:20]}"
        self._lines.assistant(model, [{"type": "tool_use", "id": tool, "name": name, "input": given}])
        self._lines.end_message("tool_use")
        return tool

    def _structured(self, value: Any, step: dict[str, Any]) -> None:
        """Give what `--json-schema` asks for; null never does."""
        self._use("StructuredOutput", value if isinstance(value, dict) else {})
        self.structured = value

    def _fallback(self, model: Any, step: dict[str, Any]) -> None:
        """Another model answers from now on."""
        original = self._stage.rule.model
        self._lines.system("model_fallback", trigger="overloaded", original_model=original, fallback_model=model)
        self._stage.rule = self._stage.rule._replace(model=str(model))

    # What goes wrong.

    def _wait(self, what: Any, step: dict[str, Any]) -> None:
        """Nothing comes for so many seconds, or until there is a file of this name."""
        self._request()
        while isinstance(what, str) and not os.path.exists(what):
            self._pause(_LOOK_EVERY_S)
        self._pause(0.0 if isinstance(what, str) else float(what))

    def _stall(self, seconds: Any, step: dict[str, Any]) -> None:
        """Nothing ever comes; or for so many seconds nothing but news of repeated requests, one each `every`."""
        self._request()
        until = time.monotonic() + (float("inf") if seconds is True else float(seconds))
        while time.monotonic() < until:
            self._pause(float(step.get("every", 3600)))
            self._retry(1, step)

    def _retry(self, times: Any, step: dict[str, Any]) -> None:
        """A request fails and is repeated."""
        self._request()
        for attempt in range(1, int(times) + 1):
            self._lines.system(
                "api_retry", attempt=attempt, max_retries=10, retry_delay_ms=500,
                error_status=step.get("status"), error=step.get("word", "unknown"),
            )  # fmt: skip

    def _flood(self, size_bytes: Any, step: dict[str, Any]) -> None:
        """So much comes in parts of `part` characters, `every` so many seconds a hundred of them."""
        self._turn()
        part = "x" * int(step.get("part", 100))
        for number in range(int(size_bytes) // (len(part) + 250) + 1):
            self._lines.part(part)
            if step.get("every") and number % 100 == 0:
                self._pause(float(step["every"]))

    def _line(self, size_bytes: Any, step: dict[str, Any]) -> None:
        """One line is so long."""
        model = self._turn()
        self._lines.assistant(model, [{"type": "text", "text": "x" * int(size_bytes)}])

    def _raw(self, text: Any, step: dict[str, Any]) -> None:
        """Anything, as it stands."""
        self._lines.raw(self._filled(text).encode())

    def _stderr(self, text: Any, step: dict[str, Any]) -> None:
        print(self._filled(text), file=sys.stderr, flush=True)

    def _limit(self, resets_in_s: Any, step: dict[str, Any]) -> None:
        """A subscription's limit is reached, until so many seconds from now."""
        resets_at = int(time.time() + float(resets_in_s))
        info = {"status": "rejected", "resetsAt": resets_at, "rateLimitType": step.get("kind", "five_hour")}
        self._request()
        self._lines.line({"type": "rate_limit_event", "rate_limit_info": info})
        self._error("rate_limit", {"status": 429, "text": "You've hit your 5-hour limit"})

    def _error(self, word: Any, step: dict[str, Any]) -> None:
        """A request fails for good: `word` classes it, `status` is that of HTTP, `text` what is said."""
        self._request()
        text, status = str(step.get("text", f"API Error: {word}")), step.get("status")
        self._lines.assistant("<synthetic>", [{"type": "text", "text": text}], error=word, api_error_status=status)
        raise Failed("success", text=text, status=status)

    def _result(self, fields: Any, step: dict[str, Any]) -> None:
        """The result has these fields; `subtype` and `errors` make it a failure."""
        fields = dict(fields)
        if fields.get("subtype", "success") != "success":
            raise Failed(str(fields["subtype"]), list(fields.get("errors", [])))
        self.ending |= fields

    def _leave(self, command: Any, step: dict[str, Any]) -> None:
        """Something is left running that nobody waits for."""
        subprocess.Popen(
            ["/bin/sh", "-c", self._filled(command)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip

    def _exit(self, code: Any, step: dict[str, Any]) -> None:
        """It ends without a result."""
        raise Ended(int(code))

    def _kill(self, name: Any, step: dict[str, Any]) -> None:
        """A signal ends it."""
        os.kill(os.getpid(), getattr(signal, str(name)))
        self._pause(60.0)
