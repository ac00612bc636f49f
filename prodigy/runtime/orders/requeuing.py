"""Choose the dead letters of a run that an operator wants put back, or given up."""

from itertools import islice
from typing import Any

from prodigy.errors import RunNotFound, UsageProblem
from prodigy.kernel.items import Item, Items, of
from prodigy.kernel.signals import Requeue
from prodigy.kernel.state import State
from prodigy.plan import expression
from prodigy.plan.reference import Syntax, as_given, suggestion
from prodigy.plan.spelling import shown
from prodigy.projections.item_fields import unknown_field
from prodigy.store.layout import is_text
from prodigy.store.orders import Purge, Retry

COMPARED_MAX = 10_000  # keys of which the nearest to a misspelt one is looked for


def requeue_of(state: State, order: Retry) -> Requeue:
    """Return which dead letters an order puts back.

    Raises:
        RunNotFound: the run has no map, or no dead letters, or none that is wanted.
        UsageProblem: a key that is no dead letter's, a filter that cannot be read or has a field of no item.
    """
    at, keys = chosen(state, order)
    return Requeue(at=at, keys=keys, reduces=order.reduces, by=order.by)


def chosen(state: State, order: Retry | Purge) -> tuple[str, tuple[str, ...]]:
    """Return the address of the map whose dead letters an order means, and their keys.

    Raises:
        RunNotFound: the run has no map, or no dead letters, or none that is wanted.
        UsageProblem: a key that is no dead letter's, or a filter that cannot be read.
    """
    letters = dead_letters(state, keys=order.keys, filter_=order.filter)
    if state.plan.map_at is None or not letters:
        raise RunNotFound(
            f"{state.run.workflow_id} has no dead letters" + (" like that" if order.keys or order.filter else ""),
            hint=f"Look: `prodigy dlq list {state.run.workflow_id}`.",
        )
    return state.plan.map_at, tuple(key for key, _, _ in letters)


def dead_letters(
    state: State, *, keys: tuple[str, ...] = (), filter_: str | None = None
) -> list[tuple[str, Any, Item]]:
    """Return (key, item, what became of it) of the dead letters that are wanted, in the list's order.

    Raises:
        UsageProblem: a key that is no dead letter's, a filter that cannot be read or has a field of no item.
    """
    condition = None if filter_ is None else _parsed(filter_)
    items = state.map_items
    if items is None:
        if keys:
            raise UsageProblem(f"{keys[0]!a} is no item's key: the run has listed no items")
        return []
    dead, wanted = list(of(items, "dead")), tuple(_key(items, key) for key in keys)
    _check_keys(state.run.workflow_id, items, {key for key, _, _ in dead}, wanted)
    if wanted:
        dead = [row for row in dead if row[0] in wanted]
    if condition is None:
        return dead
    if unknown := unknown_field(condition, items.listed.values):
        raise UsageProblem(f"--filter {filter_!r}: no item has the field {unknown.field}", hint=unknown.hint)
    return [row for row in dead if _matches(condition, row[1])]


def _key(items: Items, word: str) -> str:
    """Return the key that a word of the command line means: a name that is no UTF-8 means the item of these bytes."""
    if is_text(word):
        return word
    listed = zip(items.listed.keys, items.listed.values, strict=True)
    return next((key for key, value in listed if as_given(value) == word), shown(word))


def _check_keys(workflow_id: str, items: Items, dead: set[str], keys: tuple[str, ...]) -> None:
    for key in keys:
        if key not in dead:
            near = suggestion(key, tuple(islice(dead, COMPARED_MAX)), form="{}")
            what = "is no dead letter" if key in items.listed.places else "is no item's key"
            raise UsageProblem(f"{key!r} {what}", hint=near or f"List them: `prodigy dlq list {workflow_id}`.")


def _parsed(text: str) -> expression.Expression:
    try:
        return expression.parse(text, frozenset({"item"}), bare_paths=True)
    except Syntax as problem:
        raise UsageProblem(f"--filter {text!r}: {problem.message}", hint=problem.hint) from problem


def _matches(condition: expression.Expression, item: Any) -> bool:
    return expression.evaluate(condition, lambda name: (name == "item", item))
