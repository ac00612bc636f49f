"""Every check of `doctor`, in the order in which it tells what it found: what matters most first."""

from collections.abc import Iterator

from prodigy.cli.checks import claude, folders, processes, runs
from prodigy.cli.checks.finding import Check, Examined, Finding
from prodigy.cli.projects import mirror_of
from prodigy.errors import ProdigyError
from prodigy.store.catalog import workflow_ids
from prodigy.store.layout import Project
from prodigy.store.lock import holder

CHECKS: tuple[Check, ...] = (
    runs.strange_locks,
    processes.left_processes,
    runs.ownerless_runs,
    runs.lost_runs,
    processes.hidden_processes,
    folders.global_folder,
    folders.kept_folders,
    claude.untrusted_settings,
)


def examine(project: Project) -> Iterator[Finding]:
    """Yield everything that is not as it should be. Nothing is written, not even a lock is kept."""
    examined = _looked_at(project)
    for check in CHECKS:
        yield from check(examined)


def _looked_at(project: Project) -> Examined:
    """Return a project with the runs that nobody owns; a live one is left alone."""
    ownerless, strange_locks = list[str](), dict[str, Exception]()
    for workflow_id in _runs(project):
        try:
            if holder(project.run(workflow_id).lock) is None:
                ownerless.append(workflow_id)
        except (ProdigyError, OSError) as problem:
            strange_locks[workflow_id] = problem
    return Examined(project=project, mirror=mirror_of(project), ownerless=ownerless, strange_locks=strange_locks)


def _runs(project: Project) -> list[str]:
    """Return the runs that can be looked at; a link in the place of a folder is found as such."""
    if project.state.is_symlink() or not project.state.is_dir():
        return []
    try:
        return [workflow_id for workflow_id in workflow_ids(project) if not project.run(workflow_id).path.is_symlink()]
    except ProdigyError:
        return []
