"""`dlq retry`: put dead letters back, in a live run as in one that rests."""

from typing import Annotated

import typer
from msgspec.structs import replace

from prodigy.cli.dead_letters import Filter, ItemKeys, Ref, Whereabouts, none_of, run_meant, too_late
from prodigy.cli.foreground import go_on
from prodigy.cli.live_orders import is_carried_out
from prodigy.cli.options import Json, MaxParallel, Trust
from prodigy.cli.output.advice import advice
from prodigy.cli.output.answers import print_json
from prodigy.cli.output.columns import columns_of_terminal
from prodigy.cli.output.display import user
from prodigy.cli.output.sentences import print_prose, tell_beside
from prodigy.cli.output.summary import summary
from prodigy.kernel.state import State
from prodigy.plan.phrases import agreeing, counted
from prodigy.projections.next_steps import rest_of
from prodigy.runtime.orders.requeuing import dead_letters
from prodigy.store.layout import Project
from prodigy.store.orders import Retry


def dlq_retry(
    ref: Ref = None,
    item: ItemKeys = None,
    filter_: Filter = None,
    max_parallel: MaxParallel = None,
    no_reduce: Annotated[
        bool, typer.Option("--no-reduce", help="Let what came after a completed map stand as it is.")
    ] = False,
    trust: Trust = False,
    json: Json = False,
) -> None:
    """Put dead letters back and go on with the run; a completed one runs its reduce again."""
    project, workflow_id, state = run_meant(ref)
    order = Retry(
        by=f"{user()} with prodigy dlq retry",
        keys=tuple(item or ()),
        filter=filter_,
        reduces=not no_reduce,
        max_parallel=max_parallel,
        trusted=trust,
    )
    # This refuses what it cannot mean, before a word is said.
    dead = dead_letters(state, keys=order.keys, filter_=filter_)
    if not dead:
        _print_nothing_to_retry(workflow_id, state, json=json, is_narrowed=bool(item or filter_))
        return
    if not state.stopping and _is_put_back(project, workflow_id, state, order, json=json):
        return
    if state.status == "completed" and not no_reduce:
        what = agreeing(len(dead), "this item has settled", "these items have settled")
        tell_beside("     dlq  ", f"{workflow_id} was completed: when {what}, reduce runs again")
    go_on(project, workflow_id, order, json=json)


def _is_put_back(project: Project, workflow_id: str, state: State, order: Retry, *, json: bool) -> bool:
    """Have the owner of a live run put dead letters back, and say so; whether there is one."""
    dead = dead_letters(state, keys=order.keys, filter_=order.filter)
    named = replace(order, keys=tuple(key for key, _, _ in dead) if order.keys else (), trusted=False)

    now = Whereabouts(dead)
    if not is_carried_out(project, workflow_id, named, now.is_known):
        return False
    count = len(now.put_back)
    if count == 0:
        raise too_late(workflow_id, "given up")
    if json:
        print_json({"schema_version": 1, "workflow_id": workflow_id, "put_back": count})
    else:
        print_prose(f"{counted(count, 'dead letter')} of {workflow_id} put back; the run is live and goes on with them")
    return True


def _print_nothing_to_retry(workflow_id: str, state: State, *, json: bool, is_narrowed: bool) -> None:
    """Say that there is nothing to put back, and what goes on with the run where it is not completed."""
    if json:
        print_json(summary(state) | {"exit_code": 0})
        return
    print_prose(f"{none_of(workflow_id, is_narrowed=is_narrowed)}: nothing to retry")
    if state.status != "completed":
        print("\n".join(advice(rest_of(state), columns_of_terminal(), indent="  ")))
