"""The words of the language: every key a workflow may hold, as a table.

The reader checks a file against this table and `prodigy schema` prints it, so a new capability begins with a
line here. A key has one shape, which says what its value may be; `SHAPES` has each in words.
"""

import re
from functools import partial
from typing import Literal

import msgspec

Where = Literal[
    "workflow",
    "stage",
    "step",
    "retry",
    "on_failure",
    "phase",
    "map",
    "input",
    "agent_template",
    "error_policy",
    "circuit_breaker",
    "claude",
    "budget",
]
Shape = Literal[
    "text",
    "prose",
    "word",
    "command",
    "condition",
    "template",
    "boolean",
    "integer",
    "count",
    "duration",
    "seconds",
    "choice",
    "reasons",
    "variables",
    "environment",
    "steps",
    "stages",
    "retry",
    "handlers",
    "phase",
    "map",
    "input",
    "path",
    "order",
    "agent_template",
    "share",
    "error_policy",
    "circuit_breaker",
    "claude",
    "asked",
    "texts",
    "json_schema",
    "budget",
    "money",
]

SHAPES: dict[Shape, str] = {
    "text": "one line of text",
    "prose": "text",
    "word": "a name: letters, digits, _ and -, not beginning with a digit or -",
    "command": "text",
    "condition": "a condition such as ${build.success}",
    "template": "text, in which ${…} may stand",
    "boolean": "true or false",
    "integer": "a whole number",
    "count": "a whole number or a ${…}",
    "duration": "seconds, 90s, 5m, 1h or a ${…}",
    "seconds": "seconds, 90s, 5m or 1h",
    "choice": "one of its words",
    "reasons": "exit codes, timeout, killed, or texts that the error contains",
    "variables": "a mapping of names to values",
    "environment": "a mapping of names to texts",
    "steps": "a list of steps",
    "stages": "a list of stages, each with a name and commands",
    "retry": "a number of further attempts, a ${…}, or a mapping",
    "handlers": "a step, a list of steps, or a mapping with commands",
    "phase": "a list of steps, or a mapping with commands",
    "map": "a mapping with input and agent_template",
    "input": "a file, a glob, a command, a list of items, or a mapping with file, glob or command",
    "path": "a path into the item such as a.b[0]",
    "order": "paths into the item such as a.b DESC NULLS LAST, c",
    "agent_template": "a list of steps, or a mapping with commands",
    "share": "a share such as 0.2 or 20%",
    "error_policy": "a mapping such as {on_item_failure: dlq, max_failures: 10}",
    "circuit_breaker": "a mapping such as {failure_threshold: 5, timeout: 1m}",
    "claude": "a mapping such as {model: sonnet, allowed_tools: [Read, Edit]}",
    "asked": "a prompt, or a mapping with prompt",
    "texts": "a list of texts, or one",
    "json_schema": "a JSON Schema as a mapping",
    "budget": "a mapping such as {usd: 50, per_step: 5}",
    "money": "an amount in US dollars such as 50 or 0.25",
}

WHERE: dict[Where, str] = {
    "workflow": "a workflow",
    "stage": "a stage",
    "step": "a step",
    "retry": "retry",
    "on_failure": "on_failure",
    "phase": "setup and reduce",
    "map": "map",
    "input": "input",
    "agent_template": "agent_template",
    "error_policy": "error_policy",
    "circuit_breaker": "circuit_breaker",
    "claude": "claude",
    "budget": "budget",
}

RETRIES_MAX = 1000
GRACE_S_MAX = 3600
DELAY_S_MAX = 7 * 86_400
TIMEOUT_S_MIN = 0.001
TIMEOUT_S_MAX = 366 * 86_400
PARALLEL_MAX = 1000
ITEMS_MAX = 1_000_000
PERMISSION_MODES = ("acceptEdits", "auto", "bypassPermissions", "default", "dontAsk", "manual", "plan")
MONEY_USD_MIN = 0.0001
MONEY_USD_MAX = 1_000_000

_DURATION = re.compile(
    r"(?:(?P<h>\d{1,9}(?:\.\d{1,9})?)h)?(?:(?P<m>\d{1,9}(?:\.\d{1,9})?)m)?(?:(?P<s>\d{1,9}(?:\.\d{1,9})?)s?)?",
    re.ASCII,
)
_UNITS_S = {"h": 3600, "m": 60, "s": 1}


# Between which numbers a value lies where its key does not say otherwise, both included; durations in seconds.
_BOUNDS: dict[Shape, tuple[float, float]] = {
    "retry": (0, RETRIES_MAX),
    "count": (0, ITEMS_MAX),
    "integer": (1, ITEMS_MAX),
    "duration": (TIMEOUT_S_MIN, TIMEOUT_S_MAX),
    "seconds": (0, DELAY_S_MAX),
    "share": (0, 1),
    "money": (MONEY_USD_MIN, MONEY_USD_MAX),
}


class Key(msgspec.Struct, frozen=True):
    """One key: where it may stand, what it takes, and one line about it.

    `later_choices` are words among the choices that this version does not run yet. `limits` are those of a number
    where they are not the usual ones of its shape. `alias_of` names the key this one is another spelling of.
    """

    where: Where
    name: str
    shape: Shape
    about: str
    choices: tuple[str, ...] = ()
    later_choices: tuple[str, ...] = ()
    limits: tuple[float, float] | None = None
    alias_of: str | None = None

    @property
    def field(self) -> str:
        """The name under which the value is kept: the key's own, or that of the key it spells."""
        return self.alias_of or self.name

    @property
    def bounds(self) -> tuple[float, float] | None:
        """The least and the greatest number that it takes, seconds for durations; None where it takes no number."""
        return self.limits or _BOUNDS.get(self.shape)


_workflow = partial(Key, "workflow")
_stage = partial(Key, "stage")
_step = partial(Key, "step")
_retry = partial(Key, "retry")
_on_failure = partial(Key, "on_failure")
_map = partial(Key, "map")
_input = partial(Key, "input")
_agent_template = partial(Key, "agent_template")
_error_policy = partial(Key, "error_policy")
_breaker = partial(Key, "circuit_breaker")
_claude = partial(Key, "claude")
_budget = partial(Key, "budget")


def _of_group(where: Where, what: str) -> tuple[Key, ...]:
    """Return the keys of a named group of steps, its name not among them."""
    key = partial(Key, where)
    return (
        key("commands", "steps", "Its steps, in order."),
        key("steps", "steps", "The same as commands.", alias_of="commands"),
        key("when", "condition", f"The {what} is skipped unless this is true."),
        key("retry", "retry", f"How often the whole {what} is tried again."),
        key("timeout", "duration", "Longest time it may take, over all resumes."),
        key("on_failure", "handlers", "What runs after its last failed attempt."),
        key("checkpoint", "boolean", "Its end is a version with its name."),
        key("requires_confirmation", "boolean", "A person is asked before it begins."),
        key("env", "environment", "Environment of its steps, over the workflow's."),
    )


KEYS: tuple[Key, ...] = (
    _workflow("name", "text", "What its runs are called."),
    _workflow("description", "prose", "What it is for."),
    _workflow("commands", "steps", "The steps, in order."),
    _workflow("steps", "steps", "The same as commands.", alias_of="commands"),
    _workflow("variables", "variables", "Values, used as ${name}; made of ${env.NAME} and each other."),
    _workflow("env", "environment", "Environment of every step."),
    _workflow("working_dir", "template", "Folder in which steps run."),
    _workflow("interpreter", "text", "What runs shell steps: sh unless told."),
    _workflow("grace", "seconds", "Time between SIGTERM and SIGKILL: 5 seconds unless told.", limits=(0, GRACE_S_MAX)),
    _workflow("claude", "claude", "What every claude step is told that does not say it itself."),
    _workflow("budget", "budget", "What its claude steps may cost."),
    _workflow(
        "on_limit",
        "choice",
        "What happens at a usage limit, an overload, or without a connection: wait unless told.",
        choices=("wait", "pause", "fail"),
    ),
    _workflow("max_wait", "seconds", "Longest such wait: 24 hours unless told."),
    _workflow("stages", "stages", "Named groups of steps, in order, instead of commands."),
    _workflow("mode", "choice", "mapreduce: the same steps for many items.", choices=("mapreduce",)),
    _workflow("setup", "phase", "Steps before a map."),
    _workflow("map", "map", "Items, and the steps for each of them."),
    _workflow("reduce", "phase", "Steps after a map."),
    _stage("name", "word", "What it is called; --from-checkpoint takes it."),
    *_of_group("stage", "stage"),
    *_of_group("phase", "part"),
    _step("shell", "command", "A command for the shell."),
    _step("claude", "asked", "A prompt for Claude Code."),
    _step("name", "text", "What the step is called where people read."),
    _step("id", "word", "Name of its results: ${id.output}, ${id.success}."),
    _step("when", "condition", "The step is skipped unless this is true."),
    _step("retry", "retry", "Further attempts after a failure."),
    _step("timeout", "duration", "Longest time one attempt may take."),
    _step(
        "idle_timeout",
        "duration",
        "Longest time without a sign of work: 10 minutes for claude unless told, 0 is for ever.",
        limits=(0, TIMEOUT_S_MAX),
    ),
    _step("on_failure", "handlers", "What runs after the last failed attempt."),
    _step("allow_failure", "boolean", "The run goes on if the step fails."),
    _step("capture_output", "word", "Name under which its output is kept."),
    _step("capture", "word", "The same as capture_output.", alias_of="capture_output"),
    _step(
        "capture_format",
        "choice",
        "How a captured output is read.",
        choices=("text", "json", "lines", "number", "boolean"),
    ),
    _step("checkpoint", "boolean", "The checkpoint file is current before and after."),
    _step(
        "on_interrupt",
        "choice",
        "What resume does if the step was in flight.",
        choices=("continue", "rerun", "ask", "fail"),
    ),
    _step("env", "environment", "Environment of the step, over the workflow's."),
    _step("working_dir", "template", "Folder in which it runs."),
    _step("interpreter", "text", "What runs a shell step: bash, python3 …"),
    _step("requires_confirmation", "boolean", "A person is asked before it begins."),
    _retry("attempts", "count", "All attempts.", limits=(1, RETRIES_MAX + 1)),
    _retry(
        "backoff",
        "choice",
        "How waits grow: exponential unless told.",
        choices=("fixed", "linear", "exponential", "fibonacci"),
    ),
    _retry("initial_delay", "seconds", "First wait."),
    _retry("max_delay", "seconds", "Longest wait."),
    _retry("jitter", "boolean", "Waits are varied at random."),
    _retry("retry_on", "reasons", "Failures after which it is tried again."),
    _on_failure("commands", "steps", "The handlers, in order."),
    _on_failure("steps", "steps", "The same as commands.", alias_of="commands"),
    _on_failure(
        "max_attempts", "integer", "How often the handlers repair and the step is tried again.", limits=(1, RETRIES_MAX)
    ),
    _on_failure("retry_original", "boolean", "The step is tried again after them."),
    _on_failure("fail_workflow", "boolean", "It has failed even so; if false, the run goes on even if they fail."),
    _map("input", "input", "Where the items come from; they are read once."),
    _map("json_path", "path", "Which values of a JSON or YAML file are the items: $.files[*]."),
    _map("filter", "condition", "Items for which it is true: severity == 'high'."),
    _map("sort_by", "order", "Their order."),
    _map("distinct", "path", "Of items with the same value there, only the first."),
    _map("offset", "count", "How many items are left out first."),
    _map("max_items", "count", "How many items at most."),
    _map("item_key", "template", "What an item is known by: ${item.id}."),
    _map("agent_template", "agent_template", "The steps for each item."),
    _map("max_parallel", "count", "How many items at once: 10 unless told.", limits=(1, PARALLEL_MAX)),
    _map("max_processes", "count", "How many processes at once in the whole run.", limits=(1, PARALLEL_MAX)),
    _map("checkpoint_frequency", "integer", "A version every so many items: 100 unless told."),
    _map("agent_timeout", "duration", "Longest time one item may take."),
    _map("timeout", "duration", "Longest time the map may take, over all resumes."),
    _map("error_policy", "error_policy", "What a failed item means, and when there are too many."),
    _map("when", "condition", "The map is skipped unless this is true."),
    _map("retry", "retry", "How often the map is tried again, its failed items only."),
    _map("on_failure", "handlers", "What runs after its last failed attempt."),
    _map("checkpoint", "boolean", "Its end is a version with its name."),
    _input("file", "template", "A file of JSON, JSON Lines, YAML, CSV or text."),
    _input("glob", "template", "A pattern of file names: src/**/*.py."),
    _input("command", "template", "A shell command that prints the items."),
    _agent_template("commands", "steps", "The steps for each item, in order."),
    _agent_template("steps", "steps", "The same as commands.", alias_of="commands"),
    _error_policy(
        "on_item_failure",
        "choice",
        "A failed item is a dead letter (dlq), tried again (retry), let go (skip), or ends the map (stop).",
        choices=("dlq", "retry", "skip", "stop"),
    ),
    _error_policy(
        "max_retries",
        "count",
        "How often on_item_failure: retry tries an item again: 3 unless told.",
        limits=(0, RETRIES_MAX),
    ),
    _error_policy("max_failures", "integer", "After so many failed items no further one begins."),
    _error_policy("failure_threshold", "share", "When more than this share of the items failed no further one begins."),
    _error_policy("circuit_breaker", "circuit_breaker", "A pause after failures in a row."),
    _budget("usd", "money", "All of the run, in US dollars."),
    _budget("per_step", "money", "Each step, all its attempts."),
    _budget("per_item", "money", "Each item, all its steps."),
    _budget("warn_at", "share", "The share of usd at which you are told: 80% unless told."),
    _budget("on_exceed", "choice", "At the limit the run pauses unless told, or it fails.", choices=("pause", "fail")),
    _breaker("failure_threshold", "integer", "After so many failed items in a row nothing begins for a while."),
    _breaker("failures", "integer", "The same as failure_threshold.", alias_of="failure_threshold"),
    _breaker("timeout", "seconds", "For how long: 60 s unless told."),
    _breaker("pause", "seconds", "The same as timeout.", alias_of="timeout"),
    _claude("prompt", "command", "What it is asked, on a step."),
    _claude("model", "template", "The model that answers."),
    _claude("fallback_model", "template", "The model that answers when that is overloaded."),
    _claude("allowed_tools", "texts", "Tools it may use without asking: Edit, Bash(git *)."),
    _claude("disallowed_tools", "texts", "Tools it may not use."),
    _claude("permission_mode", "choice", "What it may do without asking.", choices=PERMISSION_MODES),
    _claude("append_system_prompt", "template", "What is added to its instructions."),
    _claude("json_schema", "json_schema", "What the answer is like: ${id.structured.field}."),
    _claude("max_turns", "count", "How many turns it may take.", limits=(1, ITEMS_MAX)),
    _claude("idle_timeout", "duration", "For a whole file, what idle_timeout is on a step.", limits=(0, TIMEOUT_S_MAX)),
    _claude("args", "texts", "Other arguments of the program, each an entry."),
    _claude("claude_bin", "template", "The program: claude unless told."),
    _claude("on_denied", "choice", "What a tool that was denied means: warn unless told.", choices=("warn", "fail")),
)

_BY_PLACE = {(key.where, key.name): key for key in KEYS}


def find(where: Where, name: str) -> Key | None:
    """Return the key called `name` in that place, or None."""
    return _BY_PLACE.get((where, name))


def names(where: Where) -> tuple[str, ...]:
    """Return what every key in that place is called, in the table's order."""
    return tuple(key.name for key in KEYS if key.where == where)


def keys_of(name: str) -> tuple[Key, ...]:
    """Return the keys of that name, wherever they may stand."""
    return tuple(key for key in KEYS if key.name == name)


def seconds(text: str) -> float | None:
    """Return the seconds that `90`, `90s`, `5m`, `1h` or `1h30m` mean, or None when it is no duration."""
    match = _DURATION.fullmatch(text)
    if match is None or text == "":
        return None
    return sum(float(amount) * _UNITS_S[unit] for unit, amount in match.groupdict().items() if amount)
