"""The file of a run's workflow: read, compiled, and compared with what the run has of it."""

import os
import shlex
import stat
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType
from typing import Any

from prodigy.errors import Problem, UsageProblem, WorkflowProblem
from prodigy.kernel import signals as sig
from prodigy.kernel.align import Alignment, align
from prodigy.kernel.state import State
from prodigy.plan.nodes import Map, Plan
from prodigy.plan.phrases import agreeing, counted, together
from prodigy.runtime.orders.nearby import nearest_file, workflows_near
from prodigy.store.layout import Project, written_path

WORKFLOWS_NAMED_MAX = 10
WORKFLOW_BYTES_MAX = 4 * 1024 * 1024


def read_workflow(path: Path) -> bytes:
    """Return the bytes of a workflow file.

    Raises:
        WorkflowProblem: it is missing, no plain file, or too large.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _unreadable(path, "it is not a file")
    with os.fdopen(descriptor, "rb") as file:
        data = file.read(WORKFLOW_BYTES_MAX + 1)
    if len(data) > WORKFLOW_BYTES_MAX:
        raise _unreadable(path, f"it is larger than {WORKFLOW_BYTES_MAX >> 20} MiB")
    return data


def compiled(
    text: bytes, path: Path, parameters: dict[str, Any], recorded: Mapping[str, str | None] = MappingProxyType({})
) -> Plan:
    """Return the plan of a workflow file. YAML is only imported here: an unchanged file is never parsed again.

    What variables took from the environment when the run started is `recorded`, and not read again.
    """
    from prodigy.plan.compile import compile_workflow  # 3 ms that a resume is spared

    environment = {**os.environ, **recorded}
    return compile_workflow(text, file=str(path), parameters=parameters, environment=environment)


def compiled_anew(text: bytes, path: Path, parameters: dict[str, Any]) -> tuple[Plan, str]:
    """Return the plan of a workflow file with parameters that were just given, and a sentence about its notices.

    The sentence is empty where `validate` has none.

    Raises:
        WorkflowProblem: the file has mistakes.
        UsageProblem: a parameter that nothing uses, or whose name cannot be one.
    """
    from prodigy.plan.compile import compile_with_notices  # 3 ms that a resume is spared

    given, environment = frozenset(parameters), dict(os.environ)
    plan, notices = compile_with_notices(
        text, file=str(path), parameters=parameters, environment=environment, given=given
    )
    if not notices:
        return plan, ""
    return plan, f"{counted(len(notices), 'thing')} may not be meant: `prodigy validate {shlex.quote(str(path))}`"


def revision_of(
    project: Project, workflow_id: str, state: State, *, accepts_changes: bool
) -> tuple[sig.Revision | None, tuple[str, ...]]:
    """Return the edited workflow, or None where the file is as it was or gone; and what there is to say of that.

    Raises:
        WorkflowProblem: the file is invalid now, or an edit changed what has finished and that is not accepted.
    """
    path = project.root / state.run.workflow_path
    if not path.exists():
        return None, (f"{path} is gone: the stored workflow is used",)
    if is_unedited(path, state):
        return None, ()
    text = read_workflow(path)
    plan = compiled(text, path, state.run.parameters, state.plan.environment)
    alignment = align(state, plan)
    if alignment.conflicts and not accepts_changes:
        raise _conflict(workflow_id, path, alignment)
    revision = sig.Revision(plan=plan, workflow_text=text.decode(), moved=alignment.moved, dropped=alignment.dropped)
    return revision, (f"{path.name} was edited: what has not finished follows the new text",)


def check_limit(plan: Plan, max_parallel: int | None) -> None:
    """Refuse a limit of how many items are at work at once where there are no items.

    Raises:
        UsageProblem: so it is.
    """
    if max_parallel is not None and not any(isinstance(node.body, Map) for node in plan.nodes.values()):
        raise UsageProblem(
            f"--max-parallel is for the items of a map, and {plan.name} has none", hint="Leave it out; nothing was run."
        )


def is_unedited(path: Path, state: State) -> bool:
    """Whether the workflow file is as it was when the run took it."""
    return sha256(read_workflow(path)).hexdigest() == state.plan.digest


def _conflict(workflow_id: str, path: Path, alignment: Alignment) -> WorkflowProblem:
    problems = [Problem(message=f"{path.name} was edited: {sentence}") for sentence in alignment.conflicts]
    return WorkflowProblem(
        problems,
        hint=f"Let the results stand: `prodigy resume {workflow_id} --accept-changes`. "
        f"Start over: `prodigy resume {workflow_id} --force`.",
    )


def remembered(project: Project, path: Path) -> str:
    """Return a path as runs remember it: relative to the project where it is inside, for projects move."""
    path = Path(os.path.realpath(path))
    return written_path(str(path.relative_to(project.root)) if path.is_relative_to(project.root) else str(path))


def _unreadable(path: Path, why: str) -> WorkflowProblem:
    near = None if os.path.lexists(path) else nearest_file(path)
    meant = f"did you mean {near}?" if near else None
    problem = Problem(message=f"cannot read the workflow {path}: {why}", hint=meant)
    if meant:
        return WorkflowProblem([problem])
    there = [str(name) for name in workflows_near(Path.cwd())]
    if not there:
        return WorkflowProblem([problem], hint="Write a first one: `prodigy init`.")
    more = [counted(len(there) - WORKFLOWS_NAMED_MAX, "other")] if len(there) > WORKFLOWS_NAMED_MAX else []
    are = agreeing(len(there), "Here is", "Here are")
    return WorkflowProblem([problem], hint=f"{are} {together([*there[:WORKFLOWS_NAMED_MAX], *more])}.")
