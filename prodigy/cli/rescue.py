"""What to type when a run is damaged: the ways out of it, the one that loses least first."""

import shlex
import sys
from contextlib import suppress
from pathlib import Path

from prodigy.cli.output.sentences import tell
from prodigy.cli.projects import command_in, mirror_of, project_here
from prodigy.errors import DamagedState, ProdigyError
from prodigy.store.layout import Mirror, Project
from prodigy.store.lock import holder
from prodigy.store.rescue import Way, ways_out
from prodigy.store.validation import lost_end


def hint_of(problem: DamagedState, project: Project | None = None) -> str | None:
    """Return the hint of an error: what it says itself, and of a run that is damaged the ways out of it.

    Args:
        project: the run's; the one here without.
    """
    if not problem.workflow_id:
        return problem.hint
    project = project or project_here()
    return "\n  ".join(lines(project, mirror_of(project), problem.workflow_id))


def lines(project: Project, mirror: Mirror | None, workflow_id: str) -> list[str]:
    """Return a line for each way out, with the command to type."""
    if hindrance := _before_all(project.run(workflow_id).lock):
        return [hindrance]
    remove = f"`{command_in(project, f'checkpoints clean --workflow-id {workflow_id} --purge')}`"
    ways = [f"{way.says}: `{command(project, workflow_id, way)}`" for way in ways_out(project, mirror, workflow_id)]
    if not ways:
        return [
            f"Nothing is left to go on from: cook its workflow again with `{command_in(project, 'cook FILE')}`.",
            f"Remove what is left of it: {remove}",
        ]
    ways.append(f"give it up and remove it: {remove}")
    return [f"{ways[0][0].upper()}{ways[0][1:]}", *(f"or {way}" for way in ways[1:])]


def _before_all(lock: Path) -> str | None:
    """Return what has to be done before a run can go any way: its lock is no file."""
    try:
        holder(lock)
    except DamagedState as strange:
        return strange.hint
    except OSError as refused:
        return f"Repair {lock} first: {refused.strerror}."
    return None


def tell_lost_end(project: Project, workflow_id: str, generation: int | None = None) -> None:
    """Say on stderr where the present log has lost its end, and what to type; what was printed is what is left of it.

    Args:
        generation: the one whose log was printed; the present one without. Of an earlier one nothing is said.
    """
    sys.stdout.flush()  # the note stands behind what it is about
    with suppress(ProdigyError, OSError):  # another damage: whoever reads the log says it
        if generation not in (None, max(project.run(workflow_id).generations(), default=None)):
            return
        if short := lost_end(project, mirror_of(project), workflow_id):
            tell(f"note: {short.message}")
            for line in lines(project, mirror_of(project), workflow_id):
                tell(f"  {line}")


def least_costly(project: Project, mirror: Mirror | None, workflow_id: str) -> str | None:
    """Return the command of the way that loses least, or None where there is none but to remove the run."""
    ways = ways_out(project, mirror, workflow_id)
    return command(project, workflow_id, ways[0]) if ways else None


def command(project: Project, workflow_id: str, way: Way) -> str:
    """Return what to type to go a way."""
    return command_in(project, f"resume {workflow_id} {shlex.join(way.options)}")
