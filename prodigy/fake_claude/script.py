"""What the stand-in plays: a script of rules, chosen by the words of the prompt.

`PRODIGY_FAKE_CLAUDE` names a YAML or JSON file. Without it, and for a prompt that no rule wants, it says that it was
asked. A prompt may carry its own steps, which win over all rules: `[[fake [{"say": "hi"}]]]`.
"""

import json
import os
import re
from pathlib import Path
from typing import Any, NamedTuple

from prodigy.fake_claude.options import Refused

VERSION = "2.1.332"  # whose conversation it speaks
MODEL = "claude-stand-in"
COST_USD = 0.01
VARIABLE = "PRODIGY_FAKE_CLAUDE"
STEPS = frozenset(
    (
        "say", "bash", "deny", "wait", "stall", "flood", "line", "raw", "retry", "limit", "error", "fallback", "stderr",
        "leave", "exit", "kill", "structured", "result",
    )
)  # fmt: skip
_RULE = frozenset(("prompt", "resumed", "times", "cost", "model", "do", "deaf", "stays"))
_SCRIPT = frozenset(("rules", "commands", "version", "model", "cost"))


class Rule(NamedTuple):
    """How one conversation goes: `do` are its steps, each a mapping with one of `STEPS`.

    `cost_usd` is what it costs, `deaf` what it does not hear (interrupt, eof, SIGINT, SIGTERM), `stays_s` how long it
    stays after its end. `number` is its place in the script; it is played `times` times at most.
    """

    number: int
    do: list[dict[str, Any]]
    prompt: str = ""
    resumed: bool | None = None
    times: int | None = None
    cost_usd: float = COST_USD
    model: str = MODEL
    deaf: frozenset[str] = frozenset()
    stays_s: float = 0.0


class Script(NamedTuple):
    """All rules, and the slash commands that are known besides those of the folder."""

    rules: tuple[Rule, ...] = ()
    commands: tuple[str, ...] = ()
    version: str = VERSION
    otherwise: Rule = Rule(0, [])


def read_script() -> Script:
    """Return the script that the environment names.

    Raises:
        Refused: it cannot be read, or says what no script says.
    """
    path = os.environ.get(VARIABLE, "")
    if not path:
        return Script()
    try:
        written = _parsed(Path(path).read_bytes(), is_json=path.endswith(".json"))
    except (OSError, ValueError) as error:
        raise Refused(f"prodigy-fake-claude: {VARIABLE}={path} cannot be read: {error}") from None
    if isinstance(written, list):
        written = {"rules": written}
    if not isinstance(written, dict):
        raise Refused(f"prodigy-fake-claude: {path} is no script: it is a mapping with rules, or a list of them")
    _known(written, _SCRIPT, f"{path}")
    rules = tuple(_rule(rule, number, written, path) for number, rule in enumerate(written.get("rules") or [], 1))
    return Script(
        rules,
        tuple(written.get("commands") or ()),
        str(written.get("version", VERSION)),
        _rule({}, 0, written, path),
    )


def inline(prompt: str) -> Rule | None:
    """Return the rule that a prompt carries itself.

    Raises:
        Refused: it carries what is none.
    """
    at = prompt.find("[[fake ")
    if at < 0:
        return None
    try:
        written, _ = json.JSONDecoder().raw_decode(prompt[at + 7 :].lstrip())
    except ValueError as error:
        raise Refused(f"prodigy-fake-claude: the prompt's own steps are no JSON: {error}") from None
    rule = written if isinstance(written, dict) and "do" in written else {"do": written}
    return _rule(rule, 0, {}, "the prompt")


def _parsed(data: bytes, *, is_json: bool) -> Any:
    if is_json:
        return json.loads(data)
    import yaml  # half of a start

    try:
        return yaml.load(data, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None


def _rule(written: Any, number: int, script: dict[str, Any], path: str) -> Rule:
    where = f"{path}, rule {number}" if number else path
    if not isinstance(written, dict):
        raise Refused(f"prodigy-fake-claude: {where}: a rule is a mapping with do, not {written!r}")
    _known(written, _RULE, where)
    steps = written.get("do") or []
    steps = [steps] if isinstance(steps, dict) else [{"say": steps}] if isinstance(steps, str) else steps
    for step in steps:
        if not isinstance(step, dict) or len(set(step) & STEPS) != 1:
            raise Refused(f"prodigy-fake-claude: {where}: a step has one of {', '.join(sorted(STEPS))}, not {step!r}")
    try:
        re.compile(str(written.get("prompt", "")))
    except re.error as error:
        raise Refused(f"prodigy-fake-claude: {where}: prompt is no regular expression: {error}") from None
    deaf = written.get("deaf") or []
    return Rule(
        number=number,
        do=steps,
        prompt=str(written.get("prompt", "")),
        resumed=written.get("resumed"),
        times=written.get("times"),
        cost_usd=float(written.get("cost", script.get("cost", COST_USD))),
        model=str(written.get("model", script.get("model", MODEL))),
        deaf=frozenset([deaf] if isinstance(deaf, str) else deaf),
        stays_s=float(written.get("stays", 0)),
    )


def _known(written: dict[str, Any], names: frozenset[str], where: str) -> None:
    for name in written:
        if name not in names:
            raise Refused(f"prodigy-fake-claude: {where}: {name!r} is unknown; known: {', '.join(sorted(names))}")
