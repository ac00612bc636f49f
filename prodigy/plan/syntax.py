"""The workflow as its author wrote it: the types that a file is read into, every value with its place.

`reading` makes them. A value that does not have the shape of its key is left out and noted in the file's `Source`,
so a document is incomplete only if its source has problems.
"""

import re
from typing import Any, Literal, TypeGuard, get_args

import msgspec

from prodigy.plan import schema
from prodigy.plan.source import NO_FIELDS, Fields, Listing, Scalar, Value

_PERCENT = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,6})?) ?%")

Kind = Literal["shell", "claude"]
KINDS: tuple[Kind, ...] = get_args(Kind)
InputKind = Literal["auto", "file", "glob", "command", "list"]


class RetryAsWritten(msgspec.Struct, frozen=True, kw_only=True):
    """The long form of `retry`."""

    line: int
    column: int
    attempts: Scalar | None = None
    backoff: Scalar | None = None
    initial_delay: Scalar | None = None
    max_delay: Scalar | None = None
    jitter: Scalar | None = None
    retry_on: tuple[Scalar, ...] = ()


class HandlersAsWritten(msgspec.Struct, frozen=True, kw_only=True):
    """`on_failure` in any of its forms."""

    line: int
    column: int
    commands: tuple["Step", ...] = ()
    max_attempts: Scalar | None = None
    retry_original: Scalar | None = None
    fail_workflow: Scalar | None = None


class ClaudeAsWritten(msgspec.Struct, frozen=True, kw_only=True):
    """What Claude Code is told besides the prompt: beside it on a step, or for all steps of a file."""

    prompt: Scalar | None = None
    model: Scalar | None = None
    fallback_model: Scalar | None = None
    allowed_tools: tuple[Scalar, ...] | None = None
    disallowed_tools: tuple[Scalar, ...] | None = None
    permission_mode: Scalar | None = None
    append_system_prompt: Scalar | None = None
    json_schema: Fields | None = None
    max_turns: Scalar | None = None
    idle_timeout: Scalar | None = None
    args: tuple[Scalar, ...] | None = None
    claude_bin: Scalar | None = None
    on_denied: Scalar | None = None


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One step; `command` is the text of its `kind`, `options` what stands beside a prompt.

    Values have the shapes that the schema gives.
    """

    line: int
    column: int
    kind: Kind
    command: Scalar
    options: ClaudeAsWritten | None = None
    name: Scalar | None = None
    id: Scalar | None = None
    when: Scalar | None = None
    retry: Scalar | RetryAsWritten | None = None
    timeout: Scalar | None = None
    idle_timeout: Scalar | None = None
    on_failure: HandlersAsWritten | None = None
    allow_failure: Scalar | None = None
    capture_output: Scalar | None = None
    capture_format: Scalar | None = None
    checkpoint: Scalar | None = None
    requires_confirmation: Scalar | None = None
    on_interrupt: Scalar | None = None
    env: Fields = NO_FIELDS
    working_dir: Scalar | None = None
    interpreter: Scalar | None = None


class StageAsWritten(msgspec.Struct, frozen=True, kw_only=True):
    """One of the `stages`: steps with a name and with policy of their own."""

    line: int
    column: int
    name: Scalar
    commands: tuple[Step, ...] = ()
    when: Scalar | None = None
    retry: Scalar | RetryAsWritten | None = None
    timeout: Scalar | None = None
    on_failure: HandlersAsWritten | None = None
    checkpoint: Scalar | None = None
    requires_confirmation: Scalar | None = None
    env: Fields = NO_FIELDS


class BreakerAsWritten(msgspec.Struct, frozen=True, kw_only=True):
    """A map's `circuit_breaker`."""

    failure_threshold: Scalar | None = None
    timeout: Scalar | None = None


class BudgetAsWritten(msgspec.Struct, frozen=True, kw_only=True):
    """What claude may cost."""

    usd: Scalar | None = None
    per_step: Scalar | None = None
    per_item: Scalar | None = None
    warn_at: Scalar | None = None
    on_exceed: Scalar | None = None


class ErrorPolicyAsWritten(msgspec.Struct, frozen=True, kw_only=True):
    """A map's `error_policy`."""

    on_item_failure: Scalar | None = None
    max_retries: Scalar | None = None
    max_failures: Scalar | None = None
    failure_threshold: Scalar | None = None
    circuit_breaker: BreakerAsWritten | None = None


class InputAsWritten(msgspec.Struct, frozen=True, kw_only=True):
    """A map's `input`: its text, and what that is, which is found out later where it is `auto`; or a list."""

    kind: InputKind
    text: Scalar
    elements: Listing | None = None


class MapAsWritten(msgspec.Struct, frozen=True, kw_only=True):
    """A `map`: where its items come from, the steps for each, and policy of its own."""

    line: int
    column: int
    input: InputAsWritten
    agent_template: tuple[Step, ...] = ()
    json_path: Scalar | None = None
    filter: Scalar | None = None
    sort_by: tuple[Scalar, ...] = ()
    distinct: Scalar | None = None
    offset: Scalar | None = None
    max_items: Scalar | None = None
    item_key: Scalar | None = None
    max_parallel: Scalar | None = None
    max_processes: Scalar | None = None
    checkpoint_frequency: Scalar | None = None
    agent_timeout: Scalar | None = None
    timeout: Scalar | None = None
    error_policy: ErrorPolicyAsWritten | None = None
    when: Scalar | None = None
    retry: Scalar | RetryAsWritten | None = None
    on_failure: HandlersAsWritten | None = None
    checkpoint: Scalar | None = None


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A workflow file, exactly as its author wrote it: steps, or stages, or a map with what is around it."""

    file: str
    commands: tuple[Step, ...] = ()
    stages: tuple[StageAsWritten, ...] = ()
    mode: Scalar | None = None
    setup: StageAsWritten | None = None
    map: MapAsWritten | None = None
    reduce: StageAsWritten | None = None
    name: Scalar | None = None
    description: Scalar | None = None
    variables: Fields = NO_FIELDS
    env: Fields = NO_FIELDS
    working_dir: Scalar | None = None
    interpreter: Scalar | None = None
    grace: Scalar | None = None
    claude: ClaudeAsWritten | None = None
    budget: BudgetAsWritten | None = None
    on_limit: Scalar | None = None
    max_wait: Scalar | None = None


def is_template(value: Value) -> TypeGuard[Scalar]:
    """Whether a value is text with a `${` in it."""
    return isinstance(value, Scalar) and isinstance(value.value, str) and "${" in value.text


def seconds_of(scalar: Scalar) -> float | None:
    """Return the seconds that a number or a text such as `5m` means, or None."""
    value = scalar.value
    return schema.seconds(value) if isinstance(value, str) else None if value is None else float(value)


def share_of(scalar: Scalar) -> float | None:
    """Return the share that a number such as 0.2 or a text such as `20%` means, or None."""
    if isinstance(scalar.value, str):
        percent = _PERCENT.fullmatch(scalar.value.strip())
        return float(percent[1]) / 100 if percent else None
    return None if scalar.value is None or isinstance(scalar.value, bool) else float(scalar.value)


def text_of(scalar: Scalar | None) -> str | None:
    """Return the text of a scalar without the blanks around it."""
    return scalar.text.strip() if scalar else None


def is_true(scalar: Scalar | None) -> bool:
    """Whether a scalar is the boolean true."""
    return scalar is not None and scalar.value is True


def integer_of(scalar: Scalar | None, default: int) -> int:
    """Return the whole number that a scalar is, or the default."""
    return scalar.value if scalar is not None and isinstance(scalar.value, int) else default


def seconds_or(scalar: Scalar | None, default_s: float) -> float:
    """Return the seconds that a scalar means, or the default."""
    amount_s = seconds_of(scalar) if scalar else None
    return default_s if amount_s is None else amount_s


def choice_of(scalar: Scalar | None, default: str) -> Any:
    """Return the word that a scalar is, one of its key's choices as its reader has seen to, or the default."""
    return scalar.text if scalar else default
