"""`dlq stats`: what ended the items that failed for good."""

from prodigy.cli.dead_letters import Filter, Ref, none_of, run_meant
from prodigy.cli.options import Json
from prodigy.cli.output.answers import print_json, print_table
from prodigy.cli.output.sentences import print_prose
from prodigy.projections.failure import grouped
from prodigy.runtime.orders.requeuing import dead_letters


def dlq_stats(ref: Ref = None, filter_: Filter = None, json: Json = False) -> None:
    """Count dead letters by the step and the cause that ended them; numbers, paths and ids make no other cause."""
    _, workflow_id, state = run_meant(ref)
    rows = grouped(dead_letters(state, filter_=filter_))
    if json:
        print_json(
            {"schema_version": 1, "workflow_id": workflow_id, "total": sum(row.count for row in rows), "groups": rows}
        )
    elif not rows:
        print_prose(none_of(workflow_id, is_narrowed=bool(filter_)))
    else:
        print_table(("COUNT", "STEP", "ERROR"), ((str(row.count), row.step, row.error) for row in rows))
