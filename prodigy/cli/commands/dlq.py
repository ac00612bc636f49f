"""`dlq`: the dead letters of a map, items that failed for good."""

import sys
from typing import Annotated, Any

import typer
from msgspec.structs import replace

from prodigy.cli.foreground import go_on
from prodigy.cli.obeyed import is_obeyed
from prodigy.cli.options import MaxParallel
from prodigy.cli.output.advice import advice
from prodigy.cli.output.answers import as_json_too, print_json, print_json_line, print_table
from prodigy.cli.output.columns import columns_of_terminal
from prodigy.cli.output.display import confirmed, has_terminal, note, user
from prodigy.cli.output.formatting import counted
from prodigy.cli.output.spreadsheet import print_csv
from prodigy.cli.output.summary import summary
from prodigy.cli.program import program
from prodigy.cli.projects import project_here, run_of
from prodigy.cli.said import near, said_files
from prodigy.errors import RunNotFound, UsageProblem
from prodigy.kernel.items import Item
from prodigy.kernel.state import State
from prodigy.plan.phrases import agreeing
from prodigy.plan.reference import as_text
from prodigy.projections.failure import grouped, item_cause
from prodigy.projections.next_steps import rest_of
from prodigy.runtime.requeuing import dead_letters
from prodigy.runtime.terminal import visible
from prodigy.runtime.upkeep import purge as give_up
from prodigy.store.catalog import listed
from prodigy.store.layout import Project
from prodigy.store.orders import Purge, Retry

Ref = Annotated[
    str | None,
    typer.Argument(help="The run: id, name or beginning of an id; the last without.", show_default=False),
]
ItemKeys = Annotated[
    list[str] | None, typer.Option("--item", metavar="KEY", help="Only this item; may be given again.")
]
Filter = Annotated[str | None, typer.Option("--filter", metavar="EXPR", help="Only items such as severity == 'high'.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def list_(ref: Ref = None, filter_: Filter = None, json: Json = False) -> None:
    """List the dead letters of a run."""
    _, workflow_id, state = _run(ref)
    rows = _dead(state, filter_=filter_)
    if json:
        print_json(_document(workflow_id, rows))
    elif not rows:
        print(f"{workflow_id} has no dead letters{' like that' if filter_ else ''}")
    else:
        print_table(
            ("ITEM", "STEP", "ATTEMPTS", "ERROR"),
            ((key, item.step, str(item.attempts), item_cause(item)) for key, _, item in rows),
        )
        print(f"\nput {agreeing(len(rows), 'it', 'them')} back:  {program()} dlq retry {workflow_id}")


def show(ref: Ref = None, item: ItemKeys = None, filter_: Filter = None, json: Json = False) -> None:
    """Show dead letters whole: the item, the error, where it failed."""
    project, workflow_id, state = _run(ref)
    rows = _dead(state, keys=tuple(item or ()), filter_=filter_)
    if json:
        print_json(_document(workflow_id, rows))
        return
    if not rows:
        print(f"{workflow_id} has no dead letters{' like that' if item or filter_ else ''}")
    for key, value, dead in rows:
        print(f"{visible(key)}  failed at {visible(dead.step) or 'the item itself'}, attempt {dead.attempts}")
        print(f"  item   {visible(as_text(value))}")
        print(f"  why    {visible(item_cause(dead))}")
        print("  error  " + "\n         ".join(visible(line) for line in dead.error.splitlines()))
        for file in said_files(project.run(workflow_id), dead.output_file):
            print(f"  output {visible(near(file))}")


def retry(
    ref: Ref = None,
    item: ItemKeys = None,
    filter_: Filter = None,
    max_parallel: MaxParallel = None,
    no_reduce: Annotated[
        bool, typer.Option("--no-reduce", help="Let what came after a completed map stand as it is.")
    ] = False,
    trust: Annotated[bool, typer.Option("--trust", help="Take a run that this machine does not know.")] = False,
    json: Json = False,
) -> None:
    """Put dead letters back and go on with the run; a completed one runs its reduce again."""
    project, workflow_id, state = _run(ref)
    order = Retry(
        by=f"{user()} with prodigy dlq retry",
        keys=tuple(item or ()),
        filter=filter_,
        reduces=not no_reduce,
        max_parallel=max_parallel,
        trusted=trust,
    )
    # This refuses what it cannot mean, before a word is said.
    dead = _dead(state, keys=order.keys, filter_=filter_)
    if not dead:
        _print_nothing_to_retry(workflow_id, state, json=json, is_narrowed=bool(item or filter_))
        return
    if not state.stopping and _is_put_back(project, workflow_id, state, order, json=json):
        return
    if state.status == "completed" and not no_reduce:
        what = agreeing(len(dead), "this item has settled", "these items have settled")
        print(f"     dlq  {workflow_id} was completed: when {what}, reduce runs again", file=sys.stderr)
    go_on(project, workflow_id, order, json=json)


def _is_put_back(project: Project, workflow_id: str, state: State, order: Retry, *, json: bool) -> bool:
    """Have the owner of a live run put dead letters back, and say so; whether there is one."""
    dead = _dead(state, keys=order.keys, filter_=order.filter)
    named = replace(order, keys=tuple(key for key, _, _ in dead) if order.keys else (), trusted=False)

    now = Whereabouts(dead)
    if not is_obeyed(project, workflow_id, named, now.is_known):
        return False
    count = len(now.put_back)
    if count == 0:
        raise _too_late(workflow_id, f"{agreeing(len(dead), 'was', 'were')} given up")
    if json:
        print_json({"schema_version": 1, "workflow_id": workflow_id, "put_back": count})
    else:
        print(f"{counted(count, 'dead letter')} of {workflow_id} put back; the run is live and goes on with them")
    return True


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


def _too_late(workflow_id: str, what: str) -> RunNotFound:
    return RunNotFound(
        f"another order came first: what was meant {what} meanwhile",
        hint=f"Look: `prodigy dlq list {workflow_id}`.",
    )


def _print_nothing_to_retry(workflow_id: str, state: State, *, json: bool, is_narrowed: bool) -> None:
    """Say that there is nothing to put back, and what goes on with the run where it is not completed."""
    if json:
        print_json(summary(state) | {"exit_code": 0})
        return
    print(f"{workflow_id} has no dead letters{' like that' if is_narrowed else ''}: nothing to retry")
    if state.status != "completed":
        print("\n".join(advice(rest_of(state), columns_of_terminal(), indent="  ")))


def export(
    ref: Ref = None,
    format_: Annotated[
        str | None, typer.Option("--format", help="`json`, which is so without it, `jsonl` or `csv`.")
    ] = None,
    filter_: Filter = None,
    json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
) -> None:
    """Print dead letters for other programs.

    In CSV a text that a spreadsheet would take for a formula has a ' before it.
    """
    format_ = as_json_too(format_, json=json) or "json"
    _, workflow_id, state = _run(ref)
    rows = _dead(state, filter_=filter_)
    match format_:
        case "json":
            print_json(_document(workflow_id, rows))
        case "jsonl":
            for row in rows:
                print_json_line(_letter(*row))
        case "csv":
            cells = ((key, value, item.step, item.attempts, item.error) for key, value, item in rows)
            print_csv(("key", "item", "step", "attempts", "error"), cells)
        case _:
            raise UsageProblem(f"--format is json, jsonl or csv, not {format_!r}")


def stats(ref: Ref = None, filter_: Filter = None, json: Json = False) -> None:
    """Count dead letters by the step and the cause that ended them; numbers, paths and ids make no other cause."""
    _, workflow_id, state = _run(ref)
    rows = grouped(_dead(state, filter_=filter_))
    if json:
        print_json(
            {"schema_version": 1, "workflow_id": workflow_id, "total": sum(row.count for row in rows), "groups": rows}
        )
    elif not rows:
        print(f"{workflow_id} has no dead letters{' like that' if filter_ else ''}")
    else:
        print_table(("COUNT", "STEP", "ERROR"), ((str(row.count), row.step, row.error) for row in rows))


def purge(
    ref: Ref = None,
    item: ItemKeys = None,
    filter_: Filter = None,
    force: Annotated[bool, typer.Option("--force", help="Do not ask.")] = False,
    json: Json = False,
) -> None:
    """Give dead letters up for good: they count as skipped, and nothing retries them."""
    project, workflow_id, state = _run(ref)
    dead = _dead(state, keys=tuple(item or ()), filter_=filter_)
    count = len(dead)
    if count == 0:
        none = f"{workflow_id} has no dead letters{' like that' if item or filter_ else ''}"
        _print_purged(workflow_id, 0, none, json=json)
        return
    letters = counted(count, "dead letter")
    if not force and not has_terminal():
        raise UsageProblem(
            f"purge gives {letters} up for good", hint=f"Say so: `prodigy dlq purge {workflow_id} --force`."
        )
    if not confirmed(f"give {letters} of {workflow_id} up for good?", yes=force):
        raise typer.Exit(1)
    order = Purge(by=user(), keys=tuple(key for key, _, _ in dead) if item else (), filter=filter_)
    now = Whereabouts(dead)
    if is_obeyed(project, workflow_id, order, now.is_known):
        count = len(now.given_up)
    else:
        give_up(project, workflow_id, order, note)
    if count == 0:
        raise _too_late(workflow_id, f"{agreeing(len(dead), 'was', 'were')} put back")
    letters = counted(count, "dead letter")
    _print_purged(workflow_id, count, f"{letters} of {workflow_id} given up; the log keeps what they were", json=json)


def _print_purged(workflow_id: str, count: int, sentence: str, *, json: bool) -> None:
    if json:
        print_json({"schema_version": 1, "workflow_id": workflow_id, "given_up": count})
    else:
        print(sentence)


def _run(ref: str | None) -> tuple[Project, str, State]:
    project = project_here()
    workflow_id = run_of(project, ref)
    return project, workflow_id, listed(project, workflow_id).sound()


def _dead(state: State, *, keys: tuple[str, ...] = (), filter_: str | None = None) -> list[tuple[str, Any, Item]]:
    return dead_letters(state, keys=keys, filter_=filter_)


def _letter(key: str, value: Any, item: Item) -> dict[str, Any]:
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


def _document(workflow_id: str, rows: list[tuple[str, Any, Item]]) -> dict[str, Any]:
    return {"schema_version": 1, "workflow_id": workflow_id, "dead_letters": [_letter(*row) for row in rows]}
