"""Which project a command is about."""

import shlex
from contextlib import suppress
from pathlib import Path

from prodigy.cli.program import program
from prodigy.errors import ProdigyError
from prodigy.store.catalog import find_run, folder_gone, last_run
from prodigy.store.files import existing_folder
from prodigy.store.layout import Mirror, Project, find_mirror, find_project


def project_here() -> Project:
    """Return the project that the working directory belongs to."""
    return Project(find_project(Path.cwd()))


def command_in(project: Project, words: str) -> str:
    """Return a command as it can be typed here about a project, wherever that is."""
    with suppress(FileNotFoundError):  # the working directory was removed
        if project.root == project_here().root:
            return f"{program()} {words}"
    return f"cd {shlex.quote(str(project.root))} && {program(is_elsewhere=True)} {words}"


def run_of(project: Project, reference: str | None, *, with_cleaned: bool = False) -> str:
    """Return the id of the run that a reference means, or of the last one, for a command that reads its folder.

    Raises:
        RunNotFound: there is none such, or its folder is gone: then the hint leads back from its mirror.
    """
    mirror = mirror_of(project)
    if reference is None:
        workflow_id = last_run(project, mirror)
    else:
        workflow_id = find_run(project, reference, mirror, with_cleaned=with_cleaned)
    if not existing_folder(project.run(workflow_id).path):
        raise folder_gone(workflow_id)
    return workflow_id


def mirror_of(project: Project) -> Mirror | None:
    """Return the project's mirror, or None where it has none or it cannot be read."""
    try:
        return find_mirror(project)
    except (ProdigyError, OSError):
        return None
