"""`dlq purge`: give dead letters up."""

from typing import Annotated

import typer

from prodigy.cli.dead_letters import Filter, ItemKeys, Ref, Whereabouts, none_of, run_meant, too_late
from prodigy.cli.live_orders import is_carried_out
from prodigy.cli.options import Json
from prodigy.cli.output.answers import print_json
from prodigy.cli.output.display import confirmed, has_terminal, note, user
from prodigy.cli.output.sentences import print_prose
from prodigy.errors import UsageProblem
from prodigy.plan.phrases import counted
from prodigy.runtime.orders.requeuing import dead_letters
from prodigy.runtime.orders.upkeep import purge as give_up
from prodigy.store.orders import Purge


def dlq_purge(
    ref: Ref = None,
    item: ItemKeys = None,
    filter_: Filter = None,
    force: Annotated[bool, typer.Option("--force", help="Do not ask.")] = False,
    json: Json = False,
) -> None:
    """Give dead letters up for good: they count as skipped, and nothing retries them."""
    project, workflow_id, state = run_meant(ref)
    dead = dead_letters(state, keys=tuple(item or ()), filter_=filter_)
    count = len(dead)
    if count == 0:
        none = none_of(workflow_id, is_narrowed=bool(item or filter_))
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
    if is_carried_out(project, workflow_id, order, now.is_known):
        count = len(now.given_up)
    else:
        give_up(project, workflow_id, order, note)
    if count == 0:
        raise too_late(workflow_id, "put back")
    letters = counted(count, "dead letter")
    _print_purged(workflow_id, count, f"{letters} of {workflow_id} given up; the log keeps what they were", json=json)


def _print_purged(workflow_id: str, count: int, sentence: str, *, json: bool) -> None:
    if json:
        print_json({"schema_version": 1, "workflow_id": workflow_id, "given_up": count})
    else:
        print_prose(sentence)
