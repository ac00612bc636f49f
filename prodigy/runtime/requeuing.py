"""Choose the dead letters of a run that an operator wants put back."""

from itertools import islice
from typing import Any, NamedTuple

from prodigy.errors import RunNotFound, UsageProblem
from prodigy.kernel.items import Item, Items, of
from prodigy.kernel.signals import PurgeRequested, Requeue
from prodigy.kernel.state import State
from prodigy.plan import expression
from prodigy.plan.reference import Syntax, as_given, suggestion
from prodigy.plan.spelling import shown
from prodigy.projections.item_fields import unknown_field
from prodigy.runtime.clock import now
from prodigy.runtime.reactor import Reactor
from prodigy.store.checkpoints import read_own_checkpoint
from prodigy.store.history import open_journal, read_history
from prodigy.store.layout import Project, is_text
from prodigy.store.lock import RunLock

COMPARED_MAX = 10_000  # keys of which the nearest to a misspelt one is looked for


class Requeuing(NamedTuple):
    """Dead letters to be put back: those with these keys, all without, of which only what the filter wants.

    `reduces` says whether what follows a map that had settled runs again on the whole result.
    """

    keys: tuple[str, ...] = ()
    filter: str | None = None
    reduces: bool = True


def requeued(state: State, wanted: Requeuing, *, by: str) -> Requeue | None:
    """Return the order to put dead letters back, or None where none is wanted.

    Raises:
        RunNotFound: the run has no map, or no dead letters, or none that is wanted.
        UsageProblem: a key that is no dead letter's, a filter that cannot be read or has a field of no item.
    """
    chosen = dead_letters(state, wanted)
    if not chosen:
        raise RunNotFound(
            f"{state.run.workflow_id} has no dead letters" + (" like that" if wanted.keys or wanted.filter else ""),
            hint=f"Look: `prodigy dlq list {state.run.workflow_id}`.",
        )
    at = next(iter(state.maps))
    return Requeue(at=at, keys=tuple(key for key, _, _ in chosen), reduces=wanted.reduces, by=by)


def dead_letters(state: State, wanted: Requeuing) -> list[tuple[str, Any, Item]]:
    """Return (key, item, what became of it) of the dead letters that are wanted, in the list's order.

    Raises:
        UsageProblem: a key that is no dead letter's, a filter that cannot be read or has a field of no item.
    """
    condition = None if wanted.filter is None else _parsed(wanted.filter)
    items = next(iter(state.maps.values()), None)
    if items is None:
        if wanted.keys:
            raise UsageProblem(f"{wanted.keys[0]!a} is no item's key: the run has listed no items")
        return []
    dead, keys = list(of(items, "dead")), tuple(_key(items, key) for key in wanted.keys)
    _check_keys(items, {key for key, _, _ in dead}, keys)
    if keys:
        dead = [row for row in dead if row[0] in keys]
    if condition is None:
        return dead
    if unknown := unknown_field(condition, items.listed.values):
        raise UsageProblem(f"--filter {wanted.filter!r}: no item has the field {unknown.field}", hint=unknown.hint)
    return [row for row in dead if _matches(condition, row[1])]


def _key(items: Items, word: str) -> str:
    """Return the key that a word of the command line means: a name that is no UTF-8 means the item of these bytes."""
    if is_text(word):
        return word
    listed = zip(items.listed.keys, items.listed.values, strict=True)
    return next((key for key, value in listed if as_given(value) == word), shown(word))


def _check_keys(items: Items, dead: set[str], keys: tuple[str, ...]) -> None:
    for key in keys:
        if key not in dead:
            near = suggestion(key, tuple(islice(dead, COMPARED_MAX)), form="{}")
            what = "is no dead letter" if key in items.listed.places else "is no item's key"
            raise UsageProblem(f"{key!r} {what}", hint=near or "List them: `prodigy dlq list`.")


def _parsed(text: str) -> expression.Expression:
    try:
        return expression.parse(text, frozenset({"item"}), bare_paths=True)
    except Syntax as problem:
        raise UsageProblem(f"--filter {text!r}: {problem.message}", hint=problem.hint) from problem


def _matches(condition: expression.Expression, item: Any) -> bool:
    return expression.evaluate(condition, lambda name: (name == "item", item))


def purge(project: Project, workflow_id: str, wanted: Requeuing, *, by: str) -> None:
    """Give dead letters up for good, as the run's owner for a moment.

    Raises:
        RunNotFound: another process owns the run.
        DamagedState: its log cannot be trusted.
    """
    folder = project.run(workflow_id)
    with RunLock.acquire(folder.lock, command="dlq purge"):
        found = read_own_checkpoint(project.checkpoint(workflow_id), workflow_id)
        history = read_history(folder, found.checkpoint)
        keys = tuple(key for key, _, _ in dead_letters(history.state, wanted))
        journal, _ = open_journal(folder, history)
        reactor = Reactor(history.state, journal, lambda state, turn: None)
        reactor.handle([PurgeRequested(time=now(), at=next(iter(history.state.maps)), keys=keys, by=by)])
        journal.close()
