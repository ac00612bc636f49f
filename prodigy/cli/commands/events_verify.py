"""`events verify`: whether a run's log is as it was written."""

from prodigy.cli.event_filters import JobId, Ref, run_meant
from prodigy.cli.options import Json
from prodigy.cli.output.answers import print_json
from prodigy.cli.output.sentences import print_prose
from prodigy.cli.projects import mirror_of
from prodigy.plan.phrases import counted
from prodigy.store.catalog import cleaning_of
from prodigy.store.validation import verified


def events_verify(
    ref: Ref = None,
    job_id: JobId = None,
    json: Json = False,
) -> None:
    """Check every line of a run's log: its order, its chain, and that it can be read with the values it names.

    A log that is gone, or ends before what a checkpoint has seen, is damaged: exit 7.
    """
    project, workflow_id = run_meant(ref, job_id)
    is_cleaned = bool(cleaning_of(project, workflow_id))
    logs = verified(project, mirror_of(project), workflow_id)
    if json:
        found = [log._asdict() | {"torn": log.torn._asdict() if log.torn else None} for log in logs]
        print_json({"schema_version": 1, "workflow_id": workflow_id, "is_cleaned": is_cleaned, "logs": found})
        return
    besides = "; its stored values were cleaned" if is_cleaned else ""
    for log in logs:
        if log.damage:
            print_prose(f"{log.name}: damaged, and left behind: the run has gone on from elsewhere ({log.damage})")
            continue
        print_prose(f"{log.name}: {counted(log.events, 'event')}, every one as it was written{besides}")
        if log.torn:
            at = f"{counted(log.torn.size_bytes, 'byte')} of an unfinished turn at offset {log.torn.offset}"
            print_prose(f"  behind them {at}: a crash leaves such; resume cuts them off and keeps them beside the log")
