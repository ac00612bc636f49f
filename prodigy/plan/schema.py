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

from prodigy.plan.reference import suggestion

Where = Literal["workflow", "stage", "step", "retry", "on_failure"]
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
}

WHERE: dict[Where, str] = {
    "workflow": "a workflow",
    "stage": "a stage",
    "step": "a step",
    "retry": "retry",
    "on_failure": "on_failure",
}

RETRIES_MAX = 1000
GRACE_S_MAX = 3600
DELAY_S_MAX = 7 * 86_400
TIMEOUT_S_MIN = 0.001
TIMEOUT_S_MAX = 366 * 86_400

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

KEYS: tuple[Key, ...] = (
    _workflow(name="name", shape="text", about="What its runs are called."),
    _workflow(name="description", shape="prose", about="What it is for."),
    _workflow(name="commands", shape="steps", about="The steps, in order."),
    _workflow(name="steps", shape="steps", about="The same as commands.", alias_of="commands"),
    _workflow(name="variables", shape="variables", about="Values, used as ${name}."),
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
    _workflow(name="mode", shape="text", about="How it runs.", is_available=False),
    _workflow(name="setup", shape="steps", about="Steps before a map.", is_available=False),
    _workflow(name="map", shape="variables", about="Items, and steps for each.", is_available=False),
    _workflow(name="reduce", shape="steps", about="Steps after a map.", is_available=False),
    _stage(name="name", shape="word", about="What it is called; --from-checkpoint takes it."),
    _stage(name="commands", shape="steps", about="Its steps, in order."),
    _stage(name="steps", shape="steps", about="The same as commands.", alias_of="commands"),
    _stage(name="when", shape="condition", about="The stage is skipped unless this is true."),
    _stage(
        name="retry",
        shape="retry",
        about="How often the whole stage is tried again.",
        minimum=0,
        maximum=RETRIES_MAX,
    ),
    _stage(
        name="timeout",
        shape="duration",
        about="Longest time it may take, over all resumes.",
        minimum=TIMEOUT_S_MIN,
        maximum=TIMEOUT_S_MAX,
    ),
    _stage(name="on_failure", shape="handlers", about="What runs after its last failed attempt."),
    _stage(name="checkpoint", shape="boolean", about="Its end is a version with its name."),
    _stage(name="requires_confirmation", shape="boolean", about="A person is asked before it begins."),
    _stage(name="env", shape="environment", about="Environment of its steps, over the workflow's."),
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
    _on_failure(name="fail_workflow", shape="boolean", about="The step has failed even so."),
)

_BY_PLACE = {(key.where, key.name): key for key in KEYS}


def find(where: Where, name: str) -> Key | None:
    """Return the key called `name` in that place, or None."""
    return _BY_PLACE.get((where, name))


def names(where: Where) -> frozenset[str]:
    """Return what every key in that place is called."""
    return frozenset(key.name for key in KEYS if key.where == where)


def advice(where: Where, name: str) -> str:
    """Return the hint for an unknown key: the nearest one, the place where it belongs, or all there are."""
    if near := suggestion(name, names(where), form="{}"):
        return near
    elsewhere = [WHERE[key.where] for key in KEYS if key.name == name]
    if elsewhere:
        return f"it is a key of {' and of '.join(elsewhere)}"
    available = [key.name for key in KEYS if key.where == where and key.is_available]
    return f"keys of {WHERE[where]}: {', '.join(available)}"


def seconds(text: str) -> float | None:
    """Return the seconds that `90`, `90s`, `5m`, `1h` or `1h30m` mean, or None when it is no duration."""
    match = _DURATION.fullmatch(text)
    if match is None or text == "":
        return None
    return sum(float(amount) * _UNITS_S[unit] for unit, amount in match.groupdict().items() if amount)
