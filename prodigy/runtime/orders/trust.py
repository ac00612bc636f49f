"""Which runs may be resumed: those that this user started on this machine, and others only with `--trust`."""

from collections.abc import Callable

from prodigy.errors import DamagedState, ProdigyError, RunNotFound, StorageFailure
from prodigy.store.layout import Mirror, Project, find_mirror, prepare_mirror
from prodigy.store.relocation import hand_over, relocated_from


def check_trust(project: Project, workflow_id: str, *, trusted: bool, command: str) -> None:
    """Refuse a run that this machine does not know and the operator does not trust.

    Args:
        command: what was typed, with what it takes to trust the run left out.

    Raises:
        RunNotFound: so it is; the hint says how to trust it.
    """
    if not trusted and not is_known(project, workflow_id):
        raise RunNotFound(
            f"{_whose(project, workflow_id)}; it lies in {project.run(workflow_id).path}",
            hint="A log can hold commands of whoever wrote it. If you trust it, give `--trust`: "
            f"`prodigy {command} --trust`.",
        )


def _whose(project: Project, workflow_id: str) -> str:
    moved = relocated_from(project, workflow_id)
    if moved is None:
        return f"{workflow_id} was not started on this machine by this user"
    if moved.is_copy:
        return f"{workflow_id} is a copy of the run in {moved.root}, which this machine knows"
    limit = "this machine knows only the end of its log" if moved.is_same else "not all is as this machine saw it last"
    return f"the project of {workflow_id} was moved here from {moved.root}, and {limit}"


def is_known(project: Project, workflow_id: str) -> bool:
    """Whether this machine's global folder has seen the run."""
    try:
        mirror = find_mirror(project)
        return mirror is not None and mirror.knows(workflow_id)
    except (ProdigyError, OSError):
        return False


def mirror_for(project: Project, workflow_id: str, note: Callable[[str], None]) -> Mirror | None:
    """Return the project's mirror, which knows the run from now on; one that cannot be written is a warning."""
    try:
        return known_mirror(project, workflow_id)
    except (StorageFailure, DamagedState) as problem:
        note(f"{problem.message}; resume will need --trust")
        return None


def mirror_that_knows(project: Project, workflow_id: str, note: Callable[[str], None]) -> Mirror | None:
    """Return the project's mirror where it knows the run already; of a run that it does not know it learns nothing."""
    return mirror_for(project, workflow_id, note) if is_known(project, workflow_id) else None


def known_mirror(project: Project, workflow_id: str) -> Mirror:
    """Return the project's mirror, made where it is missing, which knows the run from now on.

    Raises:
        DamagedState, StorageFailure: as for `prepare_mirror`.
    """
    mirror = prepare_mirror(project)
    mirror.learn(workflow_id)
    return mirror


def trusted_mirror(
    project: Project, workflow_id: str, note: Callable[[str], None], *, trusted: bool, command: str, follows_log: bool
) -> Mirror | None:
    """Return the mirror of a run that this machine knows, or that the operator trusts; it knows the run then.

    Args:
        command: what was typed, with what it takes to trust the run left out.
        follows_log: the run goes on from the end of its log, as this machine saw it last.

    Raises:
        RunNotFound: this machine does not know the run, and the operator does not trust it.
    """
    moved = None if is_known(project, workflow_id) else relocated_from(project, workflow_id)
    if moved is not None and moved.is_same and not moved.is_copy and follows_log:
        note(f"the project was moved here from {moved.root}")
    else:
        check_trust(project, workflow_id, trusted=trusted, command=command)
    mirror = mirror_for(project, workflow_id, note)
    if moved is not None and mirror is not None and not moved.is_copy:
        hand_over(moved, mirror, workflow_id)
    return mirror
