"""`events ls`: what happened in a run, oldest first."""

import sys

from prodigy.cli import event_filters as filters
from prodigy.cli.options import Json
from prodigy.cli.output.answers import print_table
from prodigy.cli.output.events import event_row, print_events
from prodigy.cli.output.sentences import tell_with_command
from prodigy.cli.program import program
from prodigy.cli.rescue import tell_lost_end
from prodigy.projections.timeline import DETAIL_CHARS_MAX
from prodigy.store.history import lineage
from prodigy.store.layout import RunFolder


def events_ls(
    ref: filters.Ref = None,
    job_id: filters.JobId = None,
    type_: filters.Types = None,
    step: filters.Step = None,
    since: filters.Since = None,
    after_seq: filters.AfterSeq = 0,
    generation: filters.Number = None,
    limit: filters.Limit = None,
    json: Json = False,
    jsonl: filters.Jsonl = False,
) -> None:
    """List the events of a run, oldest first."""
    project, workflow_id = filters.run_meant(ref, job_id)
    found = filters.last(filters.records_wanted(project, workflow_id, generation, type_, step, since, after_seq), limit)
    if json or jsonl:
        print_events(found, workflow_id, is_document=not jsonl)
    else:
        most = DETAIL_CHARS_MAX if sys.stdout.isatty() else None
        print_table(("SEQ", "TIME", "EVENT", "AT", "DETAILS"), (event_row(record, most) for record in found))
        _tell_earlier(project.run(workflow_id), generation)
    tell_lost_end(project, workflow_id, generation)


def _tell_earlier(folder: RunFolder, generation: int | None) -> None:
    """Say that the run has gone back, where the history before is, and how to see it."""
    generations = folder.generations()
    if generation is not None or len(generations) < 2:
        return
    *earlier, present = generations
    before, how = earlier[-1], "began anew"
    if continued := lineage(folder, present).parts[:-1]:
        parent, last_seq = continued[-1]
        before, how = parent.number, f"goes on after event {last_seq} of generation {parent.number}"
    command = f"{program()} events ls {folder.path.name} --generation {before}"
    why = f"note: this is generation {present}, which {how}; what was before"
    tell_with_command(why, command)
