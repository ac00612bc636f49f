"""Which dead letters of which run are meant: the options of `dlq`, and what is said of the letters that they choose."""

from typing import Annotated, Any

import typer
from msgspec.structs import replace

from prodigy.cli.projects import project_here, run_of
from prodigy.errors import RunNotFound
from prodigy.kernel.items import Item
from prodigy.kernel.state import State
from prodigy.projections.failure import item_cause
from prodigy.store.catalog import read_run
from prodigy.store.layout import Project

Ref = Annotated[
    str | None,
    typer.Argument(help="The run: id, name or beginning of an id; the last without.", show_default=False),
]
ItemKeys = Annotated[
    list[str] | None, typer.Option("--item", metavar="KEY", help="Only this item; may be given again.")
]
Filter = Annotated[str | None, typer.Option("--filter", metavar="EXPR", help="Only items such as severity == 'high'.")]


def run_meant(ref: str | None) -> tuple[Project, str, State]:
    """Return the project here, the id of the run that is meant, and where that stands.

    Raises:
        RunNotFound, DamagedState: there is none such, or its state cannot be known.
    """
    project = project_here()
    workflow_id = run_of(project, ref)
    return project, workflow_id, read_run(project, workflow_id).sound()


def none_of(workflow_id: str, *, is_narrowed: bool) -> str:
    """Return how it is said that a run has no dead letters, or none of those that were asked for."""
    return f"{workflow_id} has no dead letters{' like that' if is_narrowed else ''}"


def document(workflow_id: str, rows: list[tuple[str, Any, Item]]) -> dict[str, Any]:
    """Return dead letters as the one document of `--json`."""
    return {"schema_version": 1, "workflow_id": workflow_id, "dead_letters": [letter(*row) for row in rows]}


def letter(key: str, value: Any, item: Item) -> dict[str, Any]:
    """Return a dead letter as programs read it."""
    return {
        "key": key,
        "item": value,
        "step": item.step,
        "attempts": item.attempts,
        "exit_code": item.exit_code,
        "cause": item_cause(item),
        "error": item.error,
        "output_file": item.output_file or None,
    }


class Whereabouts:
    """What has become of dead letters in a run that is live; another order may have come before ours."""

    def __init__(self, dead: list[tuple[str, Any, Item]]) -> None:
        self._dead = dead
        self.put_back: list[str] = []
        self.given_up: list[str] = []

    def is_known(self, now: State) -> bool:
        """Sort the dead letters by where they are now; whether all have left their place."""
        if now.map_items is None:
            return False  # somebody has started the run over
        settled = now.map_items.settled
        if any(settled.get(key) == item for key, _, item in self._dead):
            return False
        self.given_up = [key for key, _, item in self._dead if _is_given_up(settled.get(key), item)]
        self.put_back = [key for key, _, _ in self._dead if key not in self.given_up]
        return True


def _is_given_up(now: Item | None, item: Item) -> bool:
    """Whether this very dead letter counts as skipped now; one that was put back and skipped then has other marks."""
    return now is not None and replace(now, disposition="dead", error=item.error) == item


def too_late(workflow_id: str, what: str) -> RunNotFound:
    """Return the error of an order that had nothing left to do when it was obeyed."""
    return RunNotFound(
        f"another order came first: what was meant was {what} meanwhile",
        hint=f"Look: `prodigy dlq list {workflow_id}`.",
    )
