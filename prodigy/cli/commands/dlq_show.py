"""`dlq show`: dead letters whole."""

from prodigy.cli.dead_letters import Filter, ItemKeys, Ref, document, none_of, run_meant
from prodigy.cli.kept_output import last_output
from prodigy.cli.options import Json
from prodigy.cli.output.answers import print_json
from prodigy.cli.output.columns import MARGIN
from prodigy.cli.output.sentences import print_beside, print_prose
from prodigy.cli.program import from_here
from prodigy.plan.reference import as_text
from prodigy.projections.failure import item_cause
from prodigy.runtime.orders.requeuing import dead_letters
from prodigy.runtime.terminal import visible


def dlq_show(ref: Ref = None, item: ItemKeys = None, filter_: Filter = None, json: Json = False) -> None:
    """Show dead letters whole: the item, the error, where it failed."""
    project, workflow_id, state = run_meant(ref)
    rows = dead_letters(state, keys=tuple(item or ()), filter_=filter_)
    if json:
        print_json(document(workflow_id, rows))
        return
    if not rows:
        print_prose(none_of(workflow_id, is_narrowed=bool(item or filter_)))
    for key, value, dead in rows:
        place = visible(dead.step) or "the item itself"
        print_prose(f"{visible(key)}  failed at {place}, attempt {dead.attempts}", more=MARGIN)
        error = "\n".join(visible(line) for line in dead.error.splitlines())
        facts = [("item", visible(as_text(value))), ("why", visible(item_cause(dead))), ("error", error)]
        if file := last_output(project.run(workflow_id), dead.output_file):
            facts.append(("output", visible(from_here(file))))
        for name, text in facts:
            print_beside(f"  {name:<6} ", text)
