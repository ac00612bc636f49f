"""What typer is built on and does not offer by name: its own copy of click. Only this module knows where that lies.

A typer that moves it breaks one import here, which the report of the newest versions shows before anybody meets it.
"""

from typer._click.core import Command, Context, Parameter
from typer._click.exceptions import (
    BadOptionUsage,
    BadParameter,
    MissingParameter,
    NoArgsIsHelpError,
    NoSuchOption,
    UsageError,
)
from typer._click.formatting import HelpFormatter
from typer._click.types import IntRange

__all__ = [
    "BadOptionUsage",
    "BadParameter",
    "Command",
    "Context",
    "HelpFormatter",
    "IntRange",
    "MissingParameter",
    "NoArgsIsHelpError",
    "NoSuchOption",
    "Parameter",
    "UsageError",
]
