"""The whole command line, every module of it imported: for what is to hold of each command."""

import typer
from typer.core import TyperGroup

from prodigy.cli.app import app
from prodigy.cli.registry import REGISTRY, loaded


def whole() -> TyperGroup:
    """Return the program with all its commands."""
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    group.commands = {name: loaded(name) for name in REGISTRY}
    return group
