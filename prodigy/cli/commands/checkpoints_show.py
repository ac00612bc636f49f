"""`checkpoints show`: where a run stands, or stood at one of its versions."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, NamedTuple

import msgspec
import typer

from prodigy.cli.kept_output import last_output
from prodigy.cli.options import RunReference
from prodigy.cli.output.advice import advice
from prodigy.cli.output.answers import print_json
from prodigy.cli.output.columns import MARGIN, columns_of_terminal, fact, folded, table
from prodigy.cli.output.times import clock, dated
from prodigy.cli.program import from_here, program
from prodigy.cli.projects import mirror_of, project_here
from prodigy.cli.version_list import fault
from prodigy.errors import UsageProblem
from prodigy.kernel.events import type_of
from prodigy.kernel.lifecycle import Status
from prodigy.kernel.state import State
from prodigy.plan.phrases import counted, portion
from prodigy.plan.reference import as_text
from prodigy.plan.spelling import as_number
from prodigy.projections.checkpoint import Checkpoint, CompletedStep, document
from prodigy.projections.failure import failure_of, node_cause
from prodigy.projections.next_steps import rest_of
from prodigy.projections.telling import told_later
from prodigy.runtime.terminal import visible
from prodigy.store.catalog import find_run, folder_gone, read_run
from prodigy.store.files import existing_folder
from prodigy.store.history import lineage
from prodigy.store.layout import Mirror, Project, RunFolder
from prodigy.store.restore_points import find_version, version_number
from prodigy.store.validation import examine_checkpoint, lost_where_missed

VALUE_CHARS_MAX = 200
EVENTS_SHOWN = 10


class Shown(NamedTuple):
    """A state to be shown. `status` is how people know the run's; `version` the earlier one that was asked for."""

    state: State
    status: str
    folder: RunFolder
    generation: int
    version: int | None = None


def checkpoints_show(
    ref: RunReference,
    version: Annotated[
        str | None, typer.Option("--version", metavar="VERSION", help="Show it as it was then: v3 or 3.")
    ] = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Variables in full, retries, handlers, outputs, events since.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the checkpoint document.")] = False,
) -> None:
    """Show where a run stands, or stood at one of its versions: its steps, variables and retries."""
    project = project_here()
    mirror = mirror_of(project)
    workflow_id = find_run(project, ref, mirror)
    shown = _now(project, mirror, workflow_id) if version is None else _then(project, mirror, workflow_id, version)
    checkpoint = document(shown.state, chain="", plan_digest="", keep=lambda name, value: None)
    validity = _validity(project, shown) if verbose else None
    if json:
        print_json(_public(checkpoint, shown) | (_details(shown) | {"checkpoint": validity} if verbose else {}))
        return
    print("\n".join(_overview(checkpoint, shown, validity)))
    _print_table(("STEP", "OUTCOME", "VERSION", "WHEN", "COMMAND"), _steps(checkpoint, shown.state), cut="COMMAND")
    if verbose:
        _print_in_full(checkpoint.variables)
        _print_details(shown)
    else:
        rows = [(name, _short(as_text(value))) for name, value in checkpoint.variables.items()]
        _print_table(("VARIABLE", "VALUE"), rows, cut="VALUE")
    if lines := list(_next(shown)):
        print("\n" + "\n".join(lines))


def _now(project: Project, mirror: Mirror | None, workflow_id: str) -> Shown:
    run = read_run(project, workflow_id, mirror)
    state = run.sound()
    return Shown(state, run.status, project.run(workflow_id), state.generation)


def _then(project: Project, mirror: Mirror | None, workflow_id: str, text: str) -> Shown:
    number = version_number(text)
    if number is None:
        raise UsageProblem(
            f"--version {text[:100]!a} is no version; versions are v1, v2, …",
            hint=f"List them: `prodigy checkpoints list --workflow-id {workflow_id}`.",
        )
    folder = project.run(workflow_id)
    if not existing_folder(folder.path):
        raise folder_gone(workflow_id)
    with lost_where_missed(project, mirror, workflow_id):
        found = find_version(folder, number)
    return Shown(found.state, found.state.status, folder, found.generation, number)


def _public(checkpoint: Checkpoint, shown: Shown) -> dict[str, Any]:
    """The document without what only resume needs, its status as people know it."""
    fields: dict[str, Any] = msgspec.to_builtins(checkpoint, enc_hook=as_number)
    for key in ("snapshot", "chain", "plan_digest", "stored_captures", "stored_items", "stored_scoped"):
        del fields[key]
    fields["execution_state"]["status"] = shown.status
    return fields


def _validity(project: Project, shown: Shown) -> dict[str, Any] | None:
    """Return what was found about the run's checkpoint file; nothing of an earlier version, or where no log is left."""
    if shown.version is not None or not shown.folder.generations():
        return None
    found = examine_checkpoint(project, shown.folder.path.name)
    return {"ok": not found.is_wrong, "says": found.says}


def _valid(validity: dict[str, Any] | None) -> str:
    """Return it for people: what is wrong with a checkpoint costs nothing, for this is shown from the log."""
    if validity is None:
        return ""
    if validity["ok"]:
        return f"the checkpoint is sound: {validity['says']}"
    return f"the checkpoint is of no use: {validity['says']}\nthe log stands in for it, here and when resumed"


def _overview(checkpoint: Checkpoint, shown: Shown, validity: dict[str, Any] | None) -> Iterator[str]:
    execution, retry = checkpoint.execution_state, checkpoint.retry_state
    stood = shown.status if shown.version is None else f"as it was at v{shown.version}"
    done = portion(len(checkpoint.completed_steps), execution.total_steps, "step")
    columns = columns_of_terminal()
    yield from folded(f"{checkpoint.workflow_id}  {stood}  {done}", columns, more=MARGIN)
    file = last_output(shown.folder, shown.state.culprit.output_file) if shown.state.status == "failed" else None
    facts = [
        ("workflow", checkpoint.workflow_path),
        ("updated", f"{dated(checkpoint.timestamp)}  v{checkpoint.version}, generation {checkpoint.generation}"),
        ("validity", _valid(validity)),
        ("stage", checkpoint.stage or ""),
        ("stands at", checkpoint.address),
        ("attempt", f"{retry.current_attempt} of {retry.max_attempts}" if retry else ""),
        (fault(shown.status), failure_of(shown.state)),
        ("output", from_here(file) if file else ""),
    ]
    for name, value in facts:
        if value:
            yield fact(name, value, columns)


def _steps(checkpoint: Checkpoint, state: State) -> list[tuple[str, ...]]:
    return [
        (
            step.address,
            step.outcome,
            f"v{step.version}" if step.version else "",
            clock(step.timestamp),
            _told(state, step),
        )
        for step in checkpoint.completed_steps
    ]


def _told(state: State, step: CompletedStep) -> str:
    """Return what a step ran, filled in as far as that is known; of a map, with its items."""
    is_step = step.address in state.plan.nodes and step.address not in state.maps
    return told_later(state, step.address) if is_step else step.command


def _print_in_full(variables: dict[str, Any]) -> None:
    for name, value in variables.items():
        print(f"\n{visible(name)}")
        for line in as_text(value).split("\n"):
            print(f"  {visible(line)}".rstrip())


def _print_details(shown: Shown) -> None:
    details = _details(shown)
    for key, headings in _DETAILS.items():
        _print_table(headings, [_cells(row) for row in details[key]], cut=headings[-1])
    events = details["events_since"]
    if events:
        since = f"v{details['since_version']}" if details["since_version"] else "the beginning"
        print(f"\n{counted(len(events), 'event')} since {since}; the last of them:")
        _print_table(
            ("SEQ", "EVENT", "AT"), [tuple(map(as_text, row.values())) for row in events[-EVENTS_SHOWN:]], cut="AT"
        )


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    """Return a row of the details as people read it, its times among them."""
    return tuple(clock(value) if key in ("due", "when") else as_text(value) for key, value in row.items())


_DETAILS = {
    "retries": ("RETRIED", "STATUS", "ATTEMPT", "DUE", "LAST ERROR"),
    "handlers": ("HANDLER", "STATUS", "EXIT CODE", "WHEN"),
    "outputs": ("STEP", "OUTPUT"),
}


def _details(shown: Shown) -> dict[str, Any]:
    """Return what `--verbose` shows besides: retries, handlers, where outputs are, what happened since the version."""
    nodes = sorted(shown.state.nodes.items())
    since = shown.state.version if shown.version is None else shown.version
    return {
        "retries": [
            {
                "step": at,
                "status": str(node.status),
                "attempt": node.attempt,
                "due": node.due,
                "last_error": node_cause(node),
            }
            for at, node in nodes
            if node.attempt > 1 or node.status is Status.WAITING
        ],
        "handlers": [
            {"step": at, "status": str(node.status), "exit_code": node.exit_code, "when": _time(node.since)}
            for at, node in nodes
            if ".on_failure[" in at
        ],
        "outputs": [
            {"step": at, "file": from_here(shown.folder.path / node.output_file)}
            for at, node in nodes
            if node.output_file and (shown.folder.path / node.output_file).exists()
        ],
        "since_version": since,
        "events_since": list(_events_since(shown, since)),
    }


def _events_since(shown: Shown, version: int) -> Iterator[dict[str, Any]]:
    """Yield what happened after a version was made, in the generation that is shown."""
    folder = shown.folder
    if not folder.generations():
        return
    is_since = version == 0
    for moment in lineage(folder, shown.generation).logged_events():
        if is_since:
            yield {"seq": moment.seq, "type": type_of(moment.event), "at": getattr(moment.event, "at", "")}
        is_since = is_since or getattr(moment.event, "version", None) == version


def _next(shown: Shown) -> Iterator[str]:
    workflow_id = shown.folder.path.name
    if shown.version is not None:
        yield f"go on after it with:  {program()} resume {workflow_id} --from-checkpoint v{shown.version}"
        return
    rest = rest_of(shown.state, shown.status, is_mirror_only=not shown.folder.generations())
    yield from advice(rest, columns_of_terminal())


def _print_table(headings: tuple[str, ...], rows: Sequence[tuple[str, ...]], *, cut: str) -> None:
    if rows:
        print()
        print("\n".join(table(headings, rows, columns=columns_of_terminal(), cut=cut)))


def _time(time: str) -> str:
    return time[:19] + "Z" if time else ""


def _short(text: str) -> str:
    return text if len(text) <= VALUE_CHARS_MAX else f"{text[:VALUE_CHARS_MAX]}… ({counted(len(text), 'character')})"
