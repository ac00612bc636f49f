"""The words of the language: every key a workflow may hold, as a table.

The reader checks a file against this table and `prodigy schema` prints it, so a new capability begins with a
line here. A key has one shape, which says what its value may be; `SHAPES` has each in words. Keys that are
part of the language but that this version does not run are in the table too, so that an author hears exactly
that and not "unknown key".
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
}

RETRIES_MAX = 1000
GRACE_S_MAX = 3600
DELAY_S_MAX = 7 * 86_400
TIMEOUT_S_MIN = 0.001
TIMEOUT_S_MAX = 366 * 86_400
PARALLEL_MAX = 1000
ITEMS_MAX = 1_000_000

_DURATION = re.compile(
    r"(?:(?P<h>\d{1,9}(?:\.\d{1,9})?)h)?(?:(?P<m>\d{1,9}(?:\.\d{1,9})?)m)?(?:(?P<s>\d{1,9}(?:\.\d{1,9})?)s?)?",
    re.ASCII,
)
_UNITS_S = {"h": 3600, "m": 60, "s": 1}


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """One key: where it may stand, what it takes, and one line about it.

    `minimum` and `maximum` bound a number (seconds for durations), both included. `alias_of` names the key
    this one is another spelling of. `is_available` is false for words that this version does not run yet,
    `later_choices` are such words among the choices.
    """

    where: Where
    name: str
    shape: Shape
    about: str
    choices: tuple[str, ...] = ()
    later_choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    alias_of: str | None = None
    is_available: bool = True

    @property
    def field(self) -> str:
        """Return the name under which the value is kept: the key's own, or that of the key it spells."""
        return self.alias_of or self.name


_workflow = partial(Key, where="workflow")
_stage = partial(Key, where="stage")
_step = partial(Key, where="step")
_retry = partial(Key, where="retry")
_on_failure = partial(Key, where="on_failure")
_map = partial(Key, where="map")
_input = partial(Key, where="input")
_agent_template = partial(Key, where="agent_template")
_error_policy = partial(Key, where="error_policy")
_breaker = partial(Key, where="circuit_breaker")


def _of_group(where: Where, what: str) -> tuple[Key, ...]:
    """Return the keys of a named group of steps, its name not among them."""
    key = partial(Key, where=where)
    return (
        key(name="commands", shape="steps", about="Its steps, in order."),
        key(name="steps", shape="steps", about="The same as commands.", alias_of="commands"),
        key(name="when", shape="condition", about=f"The {what} is skipped unless this is true."),
        key(
            name="retry",
            shape="retry",
            about=f"How often the whole {what} is tried again.",
            minimum=0,
            maximum=RETRIES_MAX,
        ),
        key(
            name="timeout",
            shape="duration",
            about="Longest time it may take, over all resumes.",
            minimum=TIMEOUT_S_MIN,
            maximum=TIMEOUT_S_MAX,
        ),
        key(name="on_failure", shape="handlers", about="What runs after its last failed attempt."),
        key(name="checkpoint", shape="boolean", about="Its end is a version with its name."),
        key(name="requires_confirmation", shape="boolean", about="A person is asked before it begins."),
        key(name="env", shape="environment", about="Environment of its steps, over the workflow's."),
    )


KEYS: tuple[Key, ...] = (
    _workflow(name="name", shape="text", about="What its runs are called."),
    _workflow(name="description", shape="prose", about="What it is for."),
    _workflow(name="commands", shape="steps", about="The steps, in order."),
    _workflow(name="steps", shape="steps", about="The same as commands.", alias_of="commands"),
    _workflow(
        name="variables", shape="variables", about="Values, used as ${name}; made of ${env.NAME} and each other."
    ),
    _workflow(name="env", shape="environment", about="Environment of every step."),
    _workflow(name="working_dir", shape="template", about="Folder in which steps run."),
    _workflow(name="interpreter", shape="text", about="What runs shell steps: sh unless told."),
    _workflow(
        name="grace",
        shape="seconds",
        about="Time between SIGTERM and SIGKILL: 5 seconds unless told.",
        minimum=0,
        maximum=GRACE_S_MAX,
    ),
    _workflow(name="stages", shape="stages", about="Named groups of steps, in order, instead of commands."),
    _workflow(name="mode", shape="choice", about="mapreduce: the same steps for many items.", choices=("mapreduce",)),
    _workflow(name="setup", shape="phase", about="Steps before a map."),
    _workflow(name="map", shape="map", about="Items, and the steps for each of them."),
    _workflow(name="reduce", shape="phase", about="Steps after a map."),
    _stage(name="name", shape="word", about="What it is called; --from-checkpoint takes it."),
    *_of_group("stage", "stage"),
    *_of_group("phase", "part"),
    _step(name="shell", shape="command", about="A command for the shell."),
    _step(name="claude", shape="command", about="A prompt for Claude Code."),
    _step(name="name", shape="text", about="What the step is called where people read."),
    _step(name="id", shape="word", about="Name of its results: ${id.output}, ${id.success}."),
    _step(name="when", shape="condition", about="The step is skipped unless this is true."),
    _step(name="retry", shape="retry", about="Further attempts after a failure.", minimum=0, maximum=RETRIES_MAX),
    _step(
        name="timeout",
        shape="duration",
        about="Longest time one attempt may take.",
        minimum=TIMEOUT_S_MIN,
        maximum=TIMEOUT_S_MAX,
    ),
    _step(name="on_failure", shape="handlers", about="What runs after the last failed attempt."),
    _step(name="allow_failure", shape="boolean", about="The run goes on if the step fails."),
    _step(name="capture_output", shape="word", about="Name under which its output is kept."),
    _step(name="capture", shape="word", about="The same as capture_output.", alias_of="capture_output"),
    _step(
        name="capture_format",
        shape="choice",
        about="How a captured output is read.",
        choices=("text", "json", "lines", "number", "boolean"),
    ),
    _step(name="checkpoint", shape="boolean", about="The checkpoint file is current before and after."),
    _step(
        name="on_interrupt",
        shape="choice",
        about="What resume does if the step was in flight.",
        choices=("rerun", "ask", "fail"),
        later_choices=("continue",),
    ),
    _step(name="env", shape="environment", about="Environment of the step, over the workflow's."),
    _step(name="working_dir", shape="template", about="Folder in which it runs."),
    _step(name="interpreter", shape="text", about="What runs a shell step: bash, python3 …"),
    _step(name="requires_confirmation", shape="boolean", about="A person is asked before it begins."),
    _retry(name="attempts", shape="count", about="All attempts.", minimum=1, maximum=RETRIES_MAX + 1),
    _retry(
        name="backoff",
        shape="choice",
        about="How waits grow: exponential unless told.",
        choices=("fixed", "linear", "exponential", "fibonacci"),
    ),
    _retry(name="initial_delay", shape="seconds", about="First wait.", minimum=0, maximum=DELAY_S_MAX),
    _retry(name="max_delay", shape="seconds", about="Longest wait.", minimum=0, maximum=DELAY_S_MAX),
    _retry(name="jitter", shape="boolean", about="Waits are varied at random."),
    _retry(name="retry_on", shape="reasons", about="Failures after which it is tried again."),
    _on_failure(name="commands", shape="steps", about="The handlers, in order."),
    _on_failure(name="steps", shape="steps", about="The same as commands.", alias_of="commands"),
    _on_failure(
        name="max_attempts",
        shape="integer",
        about="How often the handlers repair and the step is tried again.",
        minimum=1,
        maximum=RETRIES_MAX,
    ),
    _on_failure(name="retry_original", shape="boolean", about="The step is tried again after them."),
    _on_failure(
        name="fail_workflow",
        shape="boolean",
        about="It has failed even so; if false, the run goes on even if they fail.",
    ),
    _map(name="input", shape="input", about="Where the items come from; they are read once."),
    _map(name="json_path", shape="path", about="Which values of a JSON or YAML file are the items: $.files[*]."),
    _map(name="filter", shape="condition", about="Items for which it is true: severity == 'high'."),
    _map(name="sort_by", shape="order", about="Their order."),
    _map(name="distinct", shape="path", about="Of items with the same value there, only the first."),
    _map(name="offset", shape="count", about="How many items are left out first.", minimum=0, maximum=ITEMS_MAX),
    _map(name="max_items", shape="count", about="How many items at most.", minimum=0, maximum=ITEMS_MAX),
    _map(name="item_key", shape="template", about="What an item is known by: ${item.id}."),
    _map(name="agent_template", shape="agent_template", about="The steps for each item."),
    _map(
        name="max_parallel",
        shape="count",
        about="How many items at once: 10 unless told.",
        minimum=1,
        maximum=PARALLEL_MAX,
    ),
    _map(
        name="max_processes",
        shape="count",
        about="How many processes at once in the whole run.",
        minimum=1,
        maximum=PARALLEL_MAX,
    ),
    _map(
        name="checkpoint_frequency",
        shape="integer",
        about="A version every so many items: 100 unless told.",
        minimum=1,
        maximum=ITEMS_MAX,
    ),
    _map(
        name="agent_timeout",
        shape="duration",
        about="Longest time one item may take.",
        minimum=TIMEOUT_S_MIN,
        maximum=TIMEOUT_S_MAX,
    ),
    _map(
        name="timeout",
        shape="duration",
        about="Longest time the map may take, over all resumes.",
        minimum=TIMEOUT_S_MIN,
        maximum=TIMEOUT_S_MAX,
    ),
    _map(name="error_policy", shape="error_policy", about="What a failed item means, and when there are too many."),
    _map(name="when", shape="condition", about="The map is skipped unless this is true."),
    _map(
        name="retry",
        shape="retry",
        about="How often the map is tried again, its failed items only.",
        minimum=0,
        maximum=RETRIES_MAX,
    ),
    _map(name="on_failure", shape="handlers", about="What runs after its last failed attempt."),
    _map(name="checkpoint", shape="boolean", about="Its end is a version with its name."),
    _input(name="file", shape="template", about="A file of JSON, JSON Lines, YAML, CSV or text."),
    _input(name="glob", shape="template", about="A pattern of file names: src/**/*.py."),
    _input(name="command", shape="template", about="A shell command that prints the items."),
    _agent_template(name="commands", shape="steps", about="The steps for each item, in order."),
    _agent_template(name="steps", shape="steps", about="The same as commands.", alias_of="commands"),
    _error_policy(
        name="on_item_failure",
        shape="choice",
        about="A failed item is a dead letter (dlq), tried again (retry), let go (skip), or ends the map (stop).",
        choices=("dlq", "retry", "skip", "stop"),
    ),
    _error_policy(
        name="max_retries",
        shape="count",
        about="How often on_item_failure: retry tries an item again: 3 unless told.",
        minimum=0,
        maximum=RETRIES_MAX,
    ),
    _error_policy(
        name="max_failures",
        shape="integer",
        about="After so many failed items no further one begins.",
        minimum=1,
        maximum=ITEMS_MAX,
    ),
    _error_policy(
        name="failure_threshold",
        shape="share",
        about="When more than this share of the items failed no further one begins.",
        minimum=0,
        maximum=1,
    ),
    _error_policy(name="circuit_breaker", shape="circuit_breaker", about="A pause after failures in a row."),
    _breaker(
        name="failure_threshold",
        shape="integer",
        about="After so many failed items in a row nothing begins for a while.",
        minimum=1,
        maximum=ITEMS_MAX,
    ),
    _breaker(
        name="failures",
        shape="integer",
        about="The same as failure_threshold.",
        minimum=1,
        maximum=ITEMS_MAX,
        alias_of="failure_threshold",
    ),
    _breaker(name="timeout", shape="seconds", about="For how long: 60 s unless told.", minimum=0, maximum=DELAY_S_MAX),
    _breaker(
        name="pause",
        shape="seconds",
        about="The same as timeout.",
        minimum=0,
        maximum=DELAY_S_MAX,
        alias_of="timeout",
    ),
)

_BY_PLACE = {(key.where, key.name): key for key in KEYS}


def find(where: Where, name: str) -> Key | None:
    """Return the key called `name` in that place, or None."""
    return _BY_PLACE.get((where, name))


def names(where: Where) -> tuple[str, ...]:
    """Return what every key in that place is called, in the table's order, but for those of later versions."""
    return tuple(key.name for key in KEYS if key.where == where and key.is_available)


def keys_of(name: str) -> tuple[Key, ...]:
    """Return the keys of that name, wherever they may stand."""
    return tuple(key for key in KEYS if key.name == name)


def seconds(text: str) -> float | None:
    """Return the seconds that `90`, `90s`, `5m`, `1h` or `1h30m` mean, or None when it is no duration."""
    match = _DURATION.fullmatch(text)
    if match is None or text == "":
        return None
    return sum(float(amount) * _UNITS_S[unit] for unit, amount in match.groupdict().items() if amount)
