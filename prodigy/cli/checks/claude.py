"""Claude Code as it is set up for the project's folder: whether what its settings allow is allowed."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from prodigy.cli.checks.finding import Examined, Finding, warning
from prodigy.plan.phrases import agreeing, counted

SETTINGS = (".claude/settings.json", ".claude/settings.local.json")


def untrusted_settings(examined: Examined) -> Iterator[Finding]:
    """Yield that tools which the project's settings allow are denied, because nobody has trusted its folder.

    Claude Code says so on stderr only, and ends well.
    """
    root = examined.project.root
    allowing = {name: rules for name in SETTINGS if (rules := _allowed(root / name))}
    if not allowing or any(_is_trusted(folder) for folder in _trusted_for(root)):
        return
    count = sum(map(len, allowing.values()))
    what = (
        f"Claude Code ignores {counted(count, 'entry')} of permissions.allow in {' and '.join(allowing)}: nobody has "
        f"trusted {root}, so in claude steps {agreeing(count, 'that tool is', 'those tools are')} denied"
    )
    yield warning(
        "trust", what, "Name the tools under allowed_tools of the steps, or run claude here once and trust the folder."
    )


def _allowed(path: Path) -> list[Any]:
    permissions = _read(path).get("permissions")
    allowed = permissions.get("allow") if isinstance(permissions, dict) else None
    return allowed if isinstance(allowed, list) else []


def _is_trusted(folder: Path) -> bool:
    home = os.environ.get("CLAUDE_CONFIG_DIR") or os.path.expanduser("~")
    projects = _read(Path(home) / ".claude.json").get("projects")
    project = projects.get(str(folder)) if isinstance(projects, dict) else None
    return isinstance(project, dict) and project.get("hasTrustDialogAccepted") is True


def _trusted_for(root: Path) -> Iterator[Path]:
    """Yield the folders whose trust counts for a folder: itself, its repository, and what that is a worktree of."""
    yield root
    for folder in (root, *root.parents):
        git = folder / ".git"
        if git.is_dir():
            yield folder
            return
        if git.is_file():
            yield folder
            common, is_worktree, _ = (
                git.read_text(errors="replace").strip().removeprefix("gitdir: ").partition("/.git/")
            )
            if is_worktree:
                yield Path(common)
            return


def _read(path: Path) -> dict[str, Any]:
    """Return what a file of JSON says, nothing where it cannot be read."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
