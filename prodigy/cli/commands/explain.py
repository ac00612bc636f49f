"""`explain`: why a step ran, was skipped, retried, handled or run again: one paragraph from the log."""

import shlex
from typing import Annotated

import typer

from prodigy.cli.options import Json, RunReference
from prodigy.cli.output.answers import print_json
from prodigy.cli.output.columns import columns_of_terminal, prose
from prodigy.cli.output.times import said
from prodigy.cli.program import in_our_words
from prodigy.cli.projects import project_here, run_of
from prodigy.cli.rescue import tell_lost_end
from prodigy.errors import UsageProblem
from prodigy.kernel.events import PlanChanged
from prodigy.kernel.state import State
from prodigy.plan.address import inside, is_template, item_address
from prodigy.projections.explain import Explanation, in_utc
from prodigy.projections.explain import explain as told
from prodigy.projections.naming import address_of
from prodigy.runtime.terminal import visible
from prodigy.store.history import begun_generation, lineage
from prodigy.store.layout import RunFolder

COLUMNS_MAX = 100


def explain(
    ref: RunReference,
    step: Annotated[str, typer.Argument(help="The step or stage: its id, name or address; or an item's key.")],
    json: Json = False,
) -> None:
    """Tell why a step ran, was skipped, retried, handled or run again."""
    project = project_here()
    workflow_id = run_of(project, ref, with_cleaned=True)
    explanation = explained(project.run(workflow_id), step, in_document=json)
    if json:
        print_json({"schema_version": 1, "workflow_id": workflow_id, "explanation": explanation})
    else:
        print(_paragraph(explanation))
    tell_lost_end(project, workflow_id)


def explained(folder: RunFolder, step: str, *, in_document: bool = False) -> Explanation:
    """Return the story of a step of the run's present history; its times are local, but in a document UTC.

    Raises:
        UsageProblem: the run has no such step; the hint has the nearest.
        DamagedState: the log cannot be trusted.
    """
    history = lineage(folder, begun_generation(folder).number)
    start = final = history.beginning
    moves = []
    for moment, _, state in history.steps():
        final = state
        if isinstance(moment.event, PlanChanged):
            moves.append(moment.event)
    events = ((moment.time, moment.event) for moment in history.logged_events())
    clock = in_utc if in_document else said
    return told(events, start, final, moves, _address(folder.path.name, final, step), clock=clock)


def _address(workflow_id: str, state: State, step: str) -> str:
    """Return the address of what an id, a name or an address means; a step of a template is named with its item."""
    address = address_of(workflow_id, state, step)
    if not is_template(address):
        return address
    item = min((item_address(at, key) for at, items in state.maps.items() for key in items.listed.keys), default="")
    like = shlex.quote(inside(item, address))
    hint = f"For example: `prodigy explain {workflow_id} {like}`." if item else "None has begun yet."
    raise UsageProblem(f"{step} runs once for each item; name one", hint=hint)


def _paragraph(explanation: Explanation) -> str:
    """Return the story as one paragraph, which is one line in a pipe."""
    what = f" ({explanation.what})" if explanation.what else ""
    stands = _standing(explanation.status)
    story = " ".join([f"{explanation.address}{what} {stands}.", *explanation.sentences])
    text = visible(in_our_words(story.replace(f"{stands}. It {stands}: ", f"{stands}: ", 1)))
    columns = columns_of_terminal()
    return "\n".join(prose(text, columns and min(COLUMNS_MAX, columns)))


def _standing(status: str) -> str:
    words = {"pending": "has not run", "awaiting": "waits for confirmation", "running": "is in flight"}
    words |= {"cancelled": "was not confirmed", "interrupted": "was in flight when the run stopped"}
    words |= {"waiting": "waits to be tried again", "handling": "is being handled", "skipped": "was skipped"}
    return words.get(status, status if status != "handled" else "failed and was handled")
