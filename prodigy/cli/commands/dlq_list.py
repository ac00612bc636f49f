"""`dlq list`: which items failed for good, a line each."""

from prodigy.cli.dead_letters import Filter, Ref, document, none_of, run_meant
from prodigy.cli.options import Json
from prodigy.cli.output.answers import print_json, print_table
from prodigy.cli.output.sentences import print_prose, print_with_command
from prodigy.cli.program import program
from prodigy.plan.phrases import agreeing
from prodigy.projections.failure import item_cause
from prodigy.runtime.orders.requeuing import dead_letters


def dlq_list(ref: Ref = None, filter_: Filter = None, json: Json = False) -> None:
    """List the dead letters of a run."""
    _, workflow_id, state = run_meant(ref)
    rows = dead_letters(state, filter_=filter_)
    if json:
        print_json(document(workflow_id, rows))
    elif not rows:
        print_prose(none_of(workflow_id, is_narrowed=bool(filter_)))
    else:
        print_table(
            ("ITEM", "STEP", "ATTEMPTS", "ERROR"),
            ((key, item.step, str(item.attempts), item_cause(item)) for key, _, item in rows),
        )
        why = f"put {agreeing(len(rows), 'it', 'them')} back"
        print()
        print_with_command(why, f"{program()} dlq retry {workflow_id}")
