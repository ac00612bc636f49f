"""Compile what may be told to any node besides its body: how often it is tried, how long, and who handles a failure."""

from collections.abc import Callable

from prodigy.plan import address
from prodigy.plan.nodes import Budget, Handlers, Retry
from prodigy.plan.reference import Template
from prodigy.plan.source import Scalar, Source
from prodigy.plan.syntax import (
    BudgetAsWritten,
    HandlersAsWritten,
    RetryAsWritten,
    choice_of,
    integer_of,
    is_template,
    is_true,
    seconds_of,
    seconds_or,
    share_of,
)

INITIAL_DELAY_S = 1.0
MAX_DELAY_S = 30.0
WARN_AT = 0.8

Read = Callable[[Scalar], Template]


def retry_of(written: Scalar | RetryAsWritten | None, read: Read) -> Retry | None:
    """Return how often a node is tried again; `read` reads a count that is a template."""
    if written is None:
        return None
    if isinstance(written, Scalar):
        attempts = read(written) if is_template(written) else integer_of(written, 0) + 1
        return Retry(attempts=attempts, is_further=is_template(written))
    initial_delay_s = seconds_or(written.initial_delay, INITIAL_DELAY_S)
    return Retry(
        attempts=_count(written.attempts, read),
        backoff=choice_of(written.backoff, "exponential"),
        initial_delay_s=initial_delay_s,
        max_delay_s=seconds_or(written.max_delay, max(MAX_DELAY_S, initial_delay_s)),
        jitter=is_true(written.jitter),
        retry_on=tuple(reason.value for reason in written.retry_on if isinstance(reason.value, int | str)),
    )


def timeout_of(written: Scalar | None, read: Read) -> float | Template | None:
    """Return how long a node may take, in seconds; `read` reads one that is a template."""
    if written is None:
        return None
    return read(written) if is_template(written) else seconds_of(written)


def handlers_of(written: HandlersAsWritten | None, at: str, source: Source) -> Handlers | None:
    """Return what runs after the last failed attempt of the node at `at`; a contradiction is noted in `source`."""
    if written is None:
        return None
    repairs = integer_of(written.max_attempts, 1 if is_true(written.retry_original) else 0)
    if written.retry_original and written.max_attempts and not written.retry_original.value:
        message = "'max_attempts' tries the step again, and retry_original: false forbids it"
        source.report(written.max_attempts, message, hint="remove one of them")
    fail_workflow = is_true(written.fail_workflow)
    return Handlers(address=address.of_handlers(at), repairs=repairs, fail_workflow=fail_workflow)


def budget_of(written: BudgetAsWritten | None, source: Source) -> Budget | None:
    """Return what claude may cost; a bound that can never be met is noted in `source`."""
    if written is None:
        return None
    usd, per_step, per_item = (
        None if bound is None else share_of(bound) for bound in (written.usd, written.per_step, written.per_item)
    )
    for bound, own_usd in ((written.per_step, per_step), (written.per_item, per_item)):
        if bound is not None and own_usd is not None and usd is not None and own_usd > usd:
            source.report(bound, f"more than the whole budget of {usd:g}", hint="lower it, or raise usd")
    return Budget(
        usd=usd,
        per_step=per_step,
        per_item=per_item,
        warn_at=(share_of(written.warn_at) if written.warn_at else None) or WARN_AT,
        on_exceed=choice_of(written.on_exceed, "pause"),
    )


def goes_on(written: HandlersAsWritten | None) -> bool:
    """Whether `fail_workflow: false` is said outright: the run goes on, whatever handlers and repairs come to."""
    fail_workflow = written.fail_workflow if written else None
    return fail_workflow is not None and fail_workflow.value is False


def _count(written: Scalar | None, read: Read) -> int | Template:
    return read(written) if written and is_template(written) else integer_of(written, 1)
