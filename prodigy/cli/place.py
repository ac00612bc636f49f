"""Which project a command is about."""

from pathlib import Path

from prodigy.store.layout import Mirror, Project, find_mirror, find_project


def project_here() -> Project:
    """Return the project that the working directory belongs to."""
    return Project(find_project(Path.cwd()))


def mirror_of(project: Project) -> Mirror | None:
    """Return the project's mirror, or None where it has none or it cannot be read."""
    from prodigy.errors import ProdigyError

    try:
        return find_mirror(project)
    except (ProdigyError, OSError):
        return None
