"""The whole command line, every module of it imported: for what is to hold of each command."""

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
import typer
from typer.core import TyperGroup

from prodigy.cli.app import app
from prodigy.cli.framework import Context


def whole() -> TyperGroup:
    """Return the program with all its commands."""
    return _filled(typer.main.get_command(app))


def _filled(group: object) -> TyperGroup:
    assert isinstance(group, TyperGroup)
    context = Context(group)
    found = {name: group.get_command(context, name) for name in group.list_commands(context)}
    group.commands = {name: command for name, command in found.items() if command}
    for below in group.commands.values():
        if isinstance(below, TyperGroup):
            _filled(below)
    return group


def everywhere(monkeypatch: pytest.MonkeyPatch, home: ModuleType, name: str, other: Callable[..., Any]) -> None:
    """Put another function in the place of one of ours, in every module that has imported it from its home."""
    whole()
    function = getattr(home, name)
    for path, module in list(sys.modules.items()):
        if path.startswith("prodigy.") and getattr(module, name, None) is function:
            monkeypatch.setattr(module, name, other)
