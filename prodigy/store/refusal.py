"""Which workflow file was refused last, until something is cooked or resumed.

A `resume` typed after a refused `cook` may mean a run that never began. So the refusal is remembered in a file of the
project's state, which may be lost at any time.
"""

import os
from contextlib import suppress

from prodigy.errors import ProdigyError
from prodigy.store.files import existing_folder, opened, read_private, write_all
from prodigy.store.layout import Project

PATH_BYTES_MAX = 4096


def remember_refusal(project: Project, workflow_path: str) -> None:
    """Remember that a file was refused, where the project has any state; what cannot be written is forgotten."""
    with suppress(ProdigyError, OSError):
        if not existing_folder(project.state):
            return
        with opened(project.state / "refused", os.O_WRONLY | os.O_CREAT | os.O_TRUNC) as descriptor:
            write_all(descriptor, os.fsencode(workflow_path))


def last_refusal(project: Project) -> str | None:
    """Return the workflow file that was refused since anything was cooked or resumed; None where none was."""
    with suppress(ProdigyError, OSError):
        return os.fsdecode(read_private(project.state / "refused", bytes_max=PATH_BYTES_MAX))
    return None


def forget_refusal(project: Project) -> None:
    """Forget the refusal: something was cooked or resumed."""
    with suppress(OSError):
        os.unlink(project.state / "refused")
