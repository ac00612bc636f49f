"""Which runs there are: every run of a project, and the one that a reference means. Reads only.

A run is what its log says. One whose log says `running` but that nobody owns is `interrupted`; one whose folder is gone
is known by its mirror alone; one that cannot be read is listed as `damaged`, with the reason.
"""

import os
from collections.abc import Iterable

import msgspec

from prodigy.errors import ProdigyError, RunNotFound
from prodigy.kernel.state import State
from prodigy.store.checkpoints import read_own_checkpoint, restored
from prodigy.store.files import existing_folder
from prodigy.store.history import read_history
from prodigy.store.layout import Mirror, Project, check_id
from prodigy.store.lock import Holder, holder
from prodigy.store.values import Values

CANDIDATES_SHOWN = 10


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """One run. `state` is None where it is damaged; `problem` says why, `owner` who runs it now."""

    workflow_id: str
    state: State | None
    owner: Holder | None = None
    problem: str = ""
    is_mirror_only: bool = False

    @property
    def status(self) -> str:
        """The run's status as people know it."""
        if self.state is None:
            return "damaged"
        if self.state.status == "running" and self.owner is None:
            return "interrupted"
        return "stopping" if self.owner and self.state.stopping else self.state.status

    @property
    def number(self) -> int:
        """When it was last cooked or resumed, as the project counts."""
        return self.state.number if self.state else 0

    @property
    def name(self) -> str:
        """The workflow's name; of a damaged run, what its id makes of it."""
        return self.state.plan.name if self.state else self.workflow_id.rpartition("-")[0]


def listed(project: Project, workflow_id: str) -> Listed:
    """Return one run of the project, which exists."""
    folder = project.run(workflow_id)
    try:
        owner = holder(folder.lock)
        found = read_own_checkpoint(project.checkpoint(workflow_id), workflow_id)
        history = read_history(folder, found.checkpoint)
    except ProdigyError as problem:
        return Listed(workflow_id=workflow_id, state=None, problem=problem.message)
    except OSError as problem:
        return Listed(workflow_id=workflow_id, state=None, problem=str(problem))
    if history.state.origin is None:
        return Listed(workflow_id=workflow_id, state=None, problem="its log is empty: nothing was ever started")
    return Listed(workflow_id=workflow_id, state=history.state, owner=owner)


def list_runs(project: Project, mirror: Mirror | None = None) -> list[Listed]:
    """Return all runs of a project, the one cooked or resumed last first; `mirror` adds those it alone knows."""
    runs = [listed(project, workflow_id) for workflow_id in run_ids(project)]
    known = {run.workflow_id for run in runs}
    for workflow_id in mirrored_ids(mirror):
        if workflow_id not in known:
            runs.append(_mirrored(mirror, workflow_id))
    return sorted(runs, key=lambda run: (-run.number, run.workflow_id))


def run_ids(project: Project) -> list[str]:
    """Return the ids of the runs that have a folder, by name."""
    return _ids(os.listdir(project.runs)) if _exists(project) else []


def mirrored_ids(mirror: Mirror | None) -> list[str]:
    """Return the ids of the runs that have a mirrored checkpoint, by name."""
    if mirror is None or not existing_folder(mirror.checkpoints):
        return []
    names = os.listdir(mirror.checkpoints)
    return _ids(name.removesuffix(".json") for name in names if name.endswith(".json"))


def find_run(project: Project, reference: str, mirror: Mirror | None = None) -> str:
    """Return the id of the run that `reference` means: an id, a workflow's name (its most recent run), a unique prefix.

    Runs that only `mirror` knows count where it is given.

    Raises:
        RunNotFound: it is no reference, or means no run or several; the candidates are listed.
    """
    check_id(reference)
    ids = run_ids(project)
    if reference in ids:
        return reference
    runs = list_runs(project, mirror)
    named = [run for run in runs if run.name == reference]
    if named:
        return named[0].workflow_id
    matching = [run for run in runs if run.workflow_id.startswith(reference)]
    if len(matching) == 1:
        return matching[0].workflow_id
    raise _not_found(reference, matching, runs)


def last_number(project: Project) -> int:
    """Return the largest number that any run has, for a counter that was lost."""
    return max((run.number for run in list_runs(project)), default=0)


def _not_found(reference: str, matching: list[Listed], runs: list[Listed]) -> RunNotFound:
    if matching:
        return RunNotFound(f"{reference} may mean {_names(matching)}", hint="Type more of the one you mean.")
    if not runs:
        return RunNotFound(f"there is no run {reference}", hint="Nothing was cooked here yet: `prodigy cook FILE`.")
    return RunNotFound(
        f"there is no run {reference}; there are {_names(runs)}", hint="All: `prodigy checkpoints list`."
    )


def _names(runs: list[Listed]) -> str:
    shown = ", ".join(f"{run.workflow_id} ({run.status})" for run in runs[:CANDIDATES_SHOWN])
    return shown + (f" and {len(runs) - CANDIDATES_SHOWN} more" if len(runs) > CANDIDATES_SHOWN else "")


def _exists(project: Project) -> bool:
    return existing_folder(project.state) and existing_folder(project.runs)


def _ids(names: Iterable[str]) -> list[str]:
    found = []
    for name in sorted(names):
        try:
            found.append(check_id(name))
        except RunNotFound:
            continue
    return found


def _mirrored(mirror: Mirror | None, workflow_id: str) -> Listed:
    assert mirror is not None
    found = read_own_checkpoint(mirror.checkpoint(workflow_id), workflow_id)
    if found.checkpoint is None:
        return Listed(workflow_id=workflow_id, state=None, problem=found.problem, is_mirror_only=True)
    try:
        state = restored(found.checkpoint, Values(mirror.values))
    except (ProdigyError, msgspec.DecodeError) as problem:
        return Listed(workflow_id=workflow_id, state=None, problem=str(problem), is_mirror_only=True)
    return Listed(workflow_id=workflow_id, state=state, is_mirror_only=True)


def last_unfinished(project: Project) -> str:
    """Return the run that a bare `resume` means: of those that are neither completed nor cancelled, the last.

    Raises:
        RunNotFound: there is none.
    """
    runs = list_runs(project)
    for run in runs:
        if run.state is None or run.status not in ("completed", "cancelled"):
            return run.workflow_id
    if runs:
        raise RunNotFound(
            f"nothing to resume: the last run, {runs[0].workflow_id}, is {runs[0].status}",
            hint=f"Start it over with `prodigy resume {runs[0].workflow_id} --force`.",
        )
    raise RunNotFound("nothing to resume here", hint="Nothing was cooked here yet: `prodigy cook FILE`.")


def last_run(project: Project) -> str:
    """Return the run that was cooked or resumed last.

    Raises:
        RunNotFound: there is none.
    """
    runs = list_runs(project)
    if not runs:
        raise RunNotFound("there is no run here", hint="Nothing was cooked here yet: `prodigy cook FILE`.")
    return runs[0].workflow_id
