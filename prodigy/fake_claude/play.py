"""The conversation: what is heard on standard input, what is said on standard output, and how it ends."""

import json
import os
import queue
import re
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from prodigy.fake_claude.acts import Acts, Ended, Failed, Interrupted
from prodigy.fake_claude.example import example_of
from prodigy.fake_claude.lines import Lines
from prodigy.fake_claude.options import Options, Refused
from prodigy.fake_claude.script import VARIABLE, Rule, Script, inline, read_script
from prodigy.fake_claude.sessions import Session, charge, played

_EOF = None
_COMMAND = re.compile(r"/([A-Za-z0-9][\w:.-]*)(?=\s|$)")


class Play:
    """One process: it may be asked several things, one after another, in one conversation."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.script: Script = read_script()
        self.session = Session(options.session)
        self.lines = Lines(options.session, is_partial=options.is_partial)
        self.heard: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self.interrupted = threading.Event()
        self.rule = Rule(0, [])
        self.about = ""  # what was asked first in a conversation that goes on
        self.base_usd = 0.0
        self.spent_usd = 0.0
        self.models: dict[str, float] = {}
        self.code = 0

    def run(self) -> int:
        """Converse until standard input ends, and return the exit code.

        Raises:
            Refused: it does not begin.
        """
        if (code := self._join()) is not None:
            return code
        signal.signal(signal.SIGTERM, self._terminated)
        signal.signal(signal.SIGINT, self._sent_sigint)
        threading.Thread(target=self._hear, daemon=True).start()
        while (message := self.heard.get()) is not _EOF:
            self._answer(message)
        if "eof" in self.rule.deaf:
            time.sleep(3600)
        time.sleep(self.rule.stays_s)
        return self.code

    def _join(self) -> int | None:
        """Find the conversation to go on with, or see that the new one is new."""
        resumed = self.options.resumed
        if not resumed:
            if self.session.is_there:
                raise Refused(f"Error: Session ID {self.session.id} is already in use.")
            return None
        before = Session(resumed)
        if before.is_there:
            self.base_usd, self.about = before.cost_usd, before.about
            return None
        said = f"No conversation found with session ID: {resumed}"
        self.lines.result(subtype="error_during_execution", is_error=True, errors=[said], total_usd=0.0, turns=0)
        print(said, file=sys.stderr)
        return 1

    def _hear(self) -> None:
        """Take in what is said, in a thread: an interrupt is heard at work too."""
        for line in sys.stdin.buffer:
            try:
                message = json.loads(line)
            except ValueError:
                print("Error parsing streaming input line", file=sys.stderr, flush=True)
                os._exit(1)
            if _request(message) == "interrupt" and "interrupt" not in self.rule.deaf:
                self.lines.answer(message, {"still_queued": []})
                self.interrupted.set()
            else:
                self.heard.put(message)
        self.heard.put(_EOF)

    def _answer(self, message: dict[str, Any]) -> None:
        if _request(message) == "initialize":
            commands = [{"name": name, "description": "", "argumentHint": ""} for name in self.commands()]
            self.lines.answer(message, {"commands": commands, "claude_code_version": self.script.version})
        elif message.get("type") == "user":
            content = message["message"]["content"]
            prompt = content if isinstance(content, str) else "".join(part.get("text", "") for part in content)
            self._play(prompt)

    def commands(self) -> list[str]:
        """Return the slash commands that are known here: of the folder, and of the script."""
        folder = Path(".claude/commands")
        found = [":".join(path.relative_to(folder).with_suffix("").parts) for path in sorted(folder.rglob("*.md"))]
        skills = [path.parent.name for path in sorted(Path(".claude/skills").glob("*/SKILL.md"))]
        return [*found, *skills, *self.script.commands, "clear", "compact", "context", "model", "usage"]

    def _play(self, prompt: str) -> None:
        self.rule = rule = self._chosen(prompt)
        if self.options.model:
            self.rule = rule = rule._replace(model=self.options.model)
        self.lines.init(model=rule.model, version=self.script.version, commands=self.commands())
        acts = Acts(self, prompt, self.about or prompt)
        for step in rule.do or [{"say": f"stand-in: I was asked {prompt[:200]!r}"}]:
            if not self._acted(acts, step):
                return
        self._succeed(acts)

    def _chosen(self, prompt: str) -> Rule:
        if (own := inline(prompt)) is not None:
            return own
        for rule in self.script.rules:
            if not re.search(rule.prompt, self.about or prompt) or rule.resumed not in (
                None,
                bool(self.options.resumed),
            ):
                continue
            if rule.times is None or played(os.environ[VARIABLE], rule.number) < rule.times:
                return rule
        return self.script.otherwise

    def _acted(self, acts: Acts, step: dict[str, Any]) -> bool:
        """Do a step; say whether the conversation goes on."""
        try:
            acts.do(step)
            if self.options.max_turns is not None and acts.turns > self.options.max_turns:
                reached = f"Reached maximum number of turns ({self.options.max_turns})"
                raise Failed("error_max_turns", [reached])
            if self.options.max_budget_usd is not None and self.spent_usd > self.options.max_budget_usd:
                raise Failed("error_max_budget_usd", [f"Reached maximum budget (${self.options.max_budget_usd:g})"])
        except Interrupted:
            self.lines.line({"type": "user", "message": {"role": "user", "content": "[Request interrupted by user]"}})
            self.end("error_during_execution", is_error=True, turns=acts.turns, code=1)
        except Failed as failed:
            said = {"errors": failed.errors} if failed.errors else {"result": failed.text}
            self.end(failed.subtype, is_error=True, turns=acts.turns, code=1, status=failed.status, **said)
        except Ended as ended:
            os._exit(ended.code)
        else:
            return True
        return False

    def _succeed(self, acts: Acts) -> None:
        more: dict[str, Any] = {"result": acts.text}
        if acts.denied:
            more["permission_denials"] = acts.denied
        if self.options.schema is not None and acts.structured is None and "structured" not in self.rule_words():
            acts.structured = example_of(self.options.schema)
        if self.options.schema is not None and acts.structured is not None:
            more |= {"result": self.lines.dump(acts.structured), "structured_output": acts.structured}
        self.end("success", is_error=False, turns=acts.turns, code=0, **(more | acts.ending))

    def rule_words(self) -> set[str]:
        """Return what the rule's steps do."""
        return {word for step in self.rule.do for word in step}

    def pay(self, model: str) -> None:
        """Book what this conversation costs, once: the first answer has it all."""
        if self.spent_usd:
            return
        self.spent_usd = self.rule.cost_usd
        self.models[model] = self.rule.cost_usd
        usage = {"input_tokens": 10, "output_tokens": 5}
        self.session.write({"type": "assistant", "message": {"model": model, "usage": usage}})
        charge({"session": self.session.id, "pid": os.getpid(), "usd": self.spent_usd, "has_result": False})

    def begin_session(self, prompt: str) -> None:
        """From the first request on there is something to go on with."""
        self.session.write({"type": "user", "message": {"role": "user", "content": prompt}})

    def end(self, subtype: str, *, is_error: bool, turns: int, code: int, **more: Any) -> None:
        """Say the result, and remember what the conversation has cost."""
        self._remember()
        if self.spent_usd:
            charge({"session": self.session.id, "pid": os.getpid(), "usd": 0.0, "has_result": True})
        models = {name: {"inputTokens": 10, "outputTokens": 5, "costUSD": usd} for name, usd in self.models.items()}
        total = self.base_usd + self.spent_usd
        self.lines.result(subtype=subtype, is_error=is_error, total_usd=total, models=models, turns=turns, **more)
        self.code = code
        self.interrupted.clear()

    def _remember(self) -> None:
        if self.session.is_there:
            self.session.write({"type": "cost-state", "totalCostUSD": self.base_usd + self.spent_usd})

    def _terminated(self, _number: int, _frame: object) -> None:
        """As it does: the cost is written down, nothing is said."""
        if "SIGTERM" not in self.rule.deaf:
            self._remember()
            os._exit(143)

    def _sent_sigint(self, _number: int, _frame: object) -> None:
        if "SIGINT" not in self.rule.deaf:
            self._remember()
            os._exit(0)


def _request(message: Any) -> str:
    if not isinstance(message, dict) or message.get("type") != "control_request":
        return ""
    return str(message.get("request", {}).get("subtype", ""))
