"""`checkpoints`: where every run stands."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from prodigy.projections.checkpoint import Checkpoint
    from prodigy.store.catalog import Listed

app = typer.Typer(help="Look at where runs stand.", no_args_is_help=True)

VALUE_CHARS_MAX = 200


@app.command("list")
def list_(
    workflow_id: Annotated[str | None, typer.Option("--workflow-id", metavar="REF", help="Only this run.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """List the runs of this project, the one cooked or resumed last first."""
    from prodigy.cli.output import print_json, print_table
    from prodigy.cli.place import mirror_of, project_here
    from prodigy.cli.program import program
    from prodigy.store.catalog import find_run, list_runs, listed

    project = project_here()
    if workflow_id is None:
        runs = list_runs(project, mirror_of(project))
    else:
        runs = [listed(project, find_run(project, workflow_id))]
    if json:
        print_json({"schema_version": 1, "checkpoints": [_document(run) for run in runs]})
    elif not runs:
        print(f"no checkpoints here; begin with: {program()} cook FILE")
    else:
        print_table(("RUN", "STATUS", "STEP", "VERSION", "UPDATED"), (_row(run) for run in runs))


@app.command("show")
def show(
    ref: Annotated[str, typer.Argument(help="The run: its id, its workflow's name, or the beginning of an id.")],
    json: Annotated[bool, typer.Option("--json", help="Print the checkpoint document.")] = False,
) -> None:
    """Show where a run stands: its steps, variables and retries."""
    from prodigy.cli.output import print_json
    from prodigy.cli.place import project_here
    from prodigy.errors import DamagedState
    from prodigy.projections.checkpoint import document
    from prodigy.store.catalog import find_run, listed

    project = project_here()
    run = listed(project, find_run(project, ref))
    if run.state is None:
        raise DamagedState(
            f"{run.workflow_id} cannot be read: {run.problem}",
            hint=f"Start it over with `prodigy resume {run.workflow_id} --force`.",
        )
    checkpoint = document(run.state, chain="", plan_digest="", keep=lambda name, value: None)
    if json:
        print_json(_public(checkpoint, run))
    else:
        _print(checkpoint, run)


def _row(run: "Listed") -> tuple[str, str, str, str, str]:
    from prodigy.cli.progress import progress

    status = f"{run.status} (mirror only)" if run.is_mirror_only else run.status
    if run.state is None:
        return run.workflow_id, status, "", "", run.problem
    version = f"v{run.state.version}" if run.state.version else ""
    return run.workflow_id, status, progress(run.state), version, run.state.time[:19] + "Z"


def _document(run: "Listed") -> dict[str, Any]:
    from prodigy.cli.progress import progress

    state = run.state
    return {
        "workflow_id": run.workflow_id,
        "name": run.name,
        "status": run.status,
        "step": progress(state),
        "version": state.version if state else None,
        "updated": state.time if state else None,
        "pid": run.owner.pid if run.owner else None,
        "mirror_only": run.is_mirror_only,
        "problem": run.problem or None,
    }


def _public(checkpoint: "Checkpoint", run: "Listed") -> dict[str, Any]:
    """The document without what only resume needs, its status as people know it."""
    import msgspec

    fields: dict[str, Any] = msgspec.to_builtins(checkpoint)
    for key in ("snapshot", "chain", "plan_digest", "stored_captures"):
        del fields[key]
    fields["execution_state"]["status"] = run.status
    return fields


def _print(checkpoint: "Checkpoint", run: "Listed") -> None:
    from prodigy.cli.output import print_table
    from prodigy.runtime.terminal import visible

    execution = checkpoint.execution_state
    print(f"{checkpoint.workflow_id}  {run.status}  {len(checkpoint.completed_steps)} of {execution.total_steps} steps")
    print(f"workflow   {visible(checkpoint.workflow_path)}")
    print(f"updated    {checkpoint.timestamp}  version v{checkpoint.version}  generation {checkpoint.generation}")
    if checkpoint.address:
        print(f"stands at  {visible(checkpoint.address)}")
    if checkpoint.retry_state:
        retry = checkpoint.retry_state
        print(f"attempt    {retry.current_attempt} of {retry.max_attempts}")
    if checkpoint.failure:
        print("failure    " + "\n           ".join(visible(line) for line in checkpoint.failure.splitlines()))
    if checkpoint.completed_steps:
        print()
        print_table(
            ("STEP", "OUTCOME", "VERSION", "WHEN", "COMMAND"),
            (
                (
                    step.address,
                    step.outcome,
                    f"v{step.version}" if step.version else "",
                    step.timestamp[:19] + "Z",
                    step.command,
                )
                for step in checkpoint.completed_steps
            ),
        )
    if checkpoint.variables:
        print()
        print_table(("VARIABLE", "VALUE"), ((name, _value(value)) for name, value in checkpoint.variables.items()))


def _value(value: Any) -> str:
    from prodigy.plan.reference import as_text

    text = as_text(value)
    return text if len(text) <= VALUE_CHARS_MAX else f"{text[:VALUE_CHARS_MAX]}… ({len(text)} characters)"
