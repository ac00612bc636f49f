"""`events stats`: how many events a run has, and what its steps took."""

import sys
from itertools import chain
from typing import Any

import msgspec

from prodigy.cli.event_filters import JobId, Number, Ref, records, run_meant
from prodigy.cli.options import Json
from prodigy.cli.output.answers import print_json, print_table
from prodigy.cli.output.formatting import duration, money
from prodigy.cli.output.sentences import print_prose
from prodigy.cli.output.times import local, since
from prodigy.cli.rescue import tell_lost_end
from prodigy.plan.phrases import counted
from prodigy.plan.spelling import as_number
from prodigy.projections.statistics import Statistics, statistics
from prodigy.store.history import present_generation

STEPS_SHOWN_MAX = 20


def events_stats(ref: Ref = None, job_id: JobId = None, generation: Number = None, json: Json = False) -> None:
    """Count the events of a run: by type, and for each step its attempts, retries, time and cost.

    Without --generation all of them count: what was gone back over has taken its time and cost, too.
    """
    project, workflow_id = run_meant(ref, job_id)
    folder = project.run(workflow_id)
    present_generation(folder)
    chosen = folder.generations() if generation is None else [generation]
    told = statistics(chain.from_iterable(records(folder, number) for number in chosen))
    if json:
        fields: dict[str, Any] = msgspec.to_builtins(told, enc_hook=as_number)
        print_json({"schema_version": 1, "workflow_id": workflow_id, "generations": chosen, **fields})
    else:
        _print_statistics(workflow_id, chosen, told)
    tell_lost_end(project, workflow_id, generation)


def _print_statistics(workflow_id: str, generations: list[int], told: Statistics) -> None:
    count = f"generation {generations[0]}" if len(generations) == 1 else counted(len(generations), "generation")
    print_prose(f"{workflow_id}  {counted(told.events, 'event')} in {count}")
    print_prose(f"{local(told.first)} to {local(told.last)}, {since(told.last)}")
    line = f"{counted(told.attempts, 'attempt')} took {duration(told.duration_s)}: {told.failed} failed, "
    line += f"{told.interrupted} interrupted, {counted(told.retries, 'retry')}, "
    line += counted(told.resumes, "resume")
    print_prose(f"{line}, {money(told.cost_usd, told.attempts_of_unknown_cost)}")
    print()
    print_table(("EVENT", "COUNT"), ((name, str(number)) for name, number in told.types.items()))
    if not told.steps:
        return
    print()
    shown = told.steps[:STEPS_SHOWN_MAX] if sys.stdout.isatty() else told.steps
    print_table(
        ("STEP", "ATTEMPTS", "FAILED", "RETRIES", "TIME", "LONGEST", "COST"),
        (
            (
                step.at,
                str(step.attempts),
                str(step.failed),
                str(step.retries),
                duration(step.duration_s),
                duration(step.longest_s),
                money(step.cost_usd, step.attempts_of_unknown_cost),
            )
            for step in shown
        ),
        cut="STEP",
        keeps_end=True,
    )
    if len(shown) < len(told.steps):
        print_prose(f"and {counted(len(told.steps) - len(shown), 'more step')}, which took less: --json has all")
