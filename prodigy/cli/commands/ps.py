"""`ps`: the runs that are live now."""

from prodigy.cli.options import Json
from prodigy.cli.output.advice import advice
from prodigy.cli.output.answers import print_json, print_table
from prodigy.cli.output.columns import columns_of_terminal
from prodigy.cli.output.costs import cost_of
from prodigy.cli.output.sentences import print_with_command
from prodigy.cli.output.times import dated
from prodigy.cli.program import program
from prodigy.cli.projects import project_here
from prodigy.store.catalog import list_runs


def ps(json: Json = False) -> None:
    """List the runs that are live now, with the process that owns each."""
    live = [(run, run.owner) for run in list_runs(project_here()) if run.owner]
    if json:
        runs = [
            {
                "workflow_id": run.workflow_id,
                "status": run.status,
                "pid": owner.pid,
                "since": owner.started,
                "running": run.running,
                "cost_usd": run.ledger.spent_usd,
                "attempts_of_unknown_cost": run.ledger.unknown,
            }
            for run, owner in live
        ]
        print_json({"schema_version": 1, "runs": runs})
    elif not live:
        print_with_command("no run is live here; all of them", f"{program()} checkpoints list")
    else:
        print_table(
            ("RUN", "PID", "STATUS", "STEP", "SINCE", "COST"),
            (
                (run.workflow_id, str(owner.pid), run.status, run.step, dated(owner.started), cost_of(run.ledger))
                for run, owner in live
            ),
        )
        for run, _ in live:
            if not run.is_damaged and (len(live) == 1 or run.rest.awaiting):
                print("\n" + "\n".join(advice(run.rest, columns_of_terminal())))
