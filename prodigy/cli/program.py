"""What to type: how this program was called, how commands are shown to people, and what a slip of the hand meant."""

import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import Any

from typer.core import TyperArgument, TyperGroup

from prodigy.cli.framework import (
    BadOptionUsage,
    BadParameter,
    Command,
    Context,
    HelpFormatter,
    IntRange,
    MissingParameter,
    NoSuchOption,
    UsageError,
)
from prodigy.errors import UsageProblem
from prodigy.plan.reference import suggestion

_MEANT = {
    "check": "validate FILE",
    "lint": "validate FILE",
    "continue": "resume",
    "restart": "resume REF --force",
    "start": "cook FILE",
    "exec": "cook FILE",
    "kill": "stop REF",
    "list": "checkpoints list",
    "ls": "checkpoints list",
    "show": "checkpoints show REF",
    "tail": "logs REF --follow",
    "new": "init",
    "version": "--version",
    "help": "--help",
}


class Commands(TyperGroup):
    """The commands of prodigy: help shows each with its whole sentence, and a slip of the hand finds the one meant."""

    def format_commands(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Write the list of commands, nothing of it cut."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, self.sentence(name)) for name in self.list_commands(ctx)])

    def resolve_command(self, ctx: Context, args: list[str]) -> Any:
        """Return the command that the arguments begin with.

        Raises:
            UsageProblem: there is none of that name; the hint has the nearest. A shell that completes is told nothing:
                what it printed would stand in the middle of the line that is typed.
        """
        name = args[0]
        if name not in self.names() and not name.startswith("-") and not ctx.resilient_parsing:
            words = f"{ctx.command_path} {name}".partition(" ")[2]
            raise UsageProblem(f"there is no command {words!r}", hint=self._meant(ctx.command_path, name))
        return super().resolve_command(ctx, args)

    def names(self) -> tuple[str, ...]:
        """Return the names of all commands."""
        return tuple(self.commands)

    def sentence(self, name: str) -> str:
        """Return what help says of a command."""
        return self.commands[name].get_short_help_str(1000)

    def _meant(self, path: str, name: str) -> str:
        if path == "prodigy" and name.endswith((".yaml", ".yml")):
            return f"To run a workflow file: `prodigy cook {shlex.quote(name)}`."
        if path == "prodigy" and (words := _MEANT.get(name.lower())):
            return f"did you mean `prodigy {words}`?"
        return suggestion(name, self.names(), form=f"`{path} {{}}`") or f"All there are: `{path} --help`."


def with_names_in_capitals(command: Command) -> Command:
    """Give the arguments of a command, and of all below it, names that look like places to fill in: `REF`."""
    for parameter in command.params:
        if isinstance(parameter, TyperArgument) and parameter.metavar is None:
            parameter.metavar = str(parameter.name).upper()
    for below in command.commands.values() if isinstance(command, TyperGroup) else ():
        with_names_in_capitals(below)
    return command


def usage_problem(error: UsageError) -> UsageProblem:
    """Return what is wrong with the command line in the words of all other errors."""
    path = error.ctx.command_path if error.ctx else "prodigy"
    hint = f"All it takes: `{path} --help`."
    match error:
        case NoSuchOption():
            message = f"`{path}` has no option {error.option_name}"
            return UsageProblem(message, hint=_nearest_option(error) or hint)
        case MissingParameter() if error.param:
            return UsageProblem(f"`{path}` needs {_name(error)}", hint=hint)
        case BadParameter() if error.param:
            return UsageProblem(f"{_name(error)}{_reason(error)}", hint=hint)
        case BadOptionUsage():
            return UsageProblem(f"{error.option_name} needs a value", hint=hint if error.ctx else None)
    return UsageProblem(f"`{path}`: {error.message[:1].lower()}{error.message[1:]}", hint=hint)


def _nearest_option(error: NoSuchOption) -> str | None:
    known = error.ctx.command.get_params(error.ctx) if error.ctx else []
    words = tuple(option.lstrip("-") for parameter in known for option in parameter.opts if option.startswith("--"))
    return suggestion(error.option_name.lstrip("-"), words, form="--{}")


def _name(error: BadParameter) -> str:
    return error.param.get_error_hint(error.ctx).replace("'", "") if error.param and error.ctx else ""


def _reason(error: BadParameter) -> str:
    kind = error.param.type if error.param else None
    if not isinstance(kind, IntRange):
        return f": {error.message.rstrip('.')}"
    return f" takes a whole number from {kind.min}" + (f" to {kind.max}" if kind.max is not None else " up")


def program(*, is_elsewhere: bool = False) -> str:
    """Return what starts this very program: `prodigy` where the PATH finds it, else its path or `python -m`.

    Args:
        is_elsewhere: it is to be typed in another folder, where a path relative to this one leads nowhere.
    """
    called = Path(sys.argv[0])
    if called.name == "__main__.py":
        return f"{shlex.quote(from_here(Path(sys.executable), is_elsewhere=is_elsewhere))} -m prodigy"
    found = shutil.which("prodigy")
    if found and os.path.realpath(found) == os.path.realpath(called):
        return "prodigy"
    return shlex.quote(from_here(called, is_elsewhere=is_elsewhere))


def in_our_words(hint: str) -> str:
    """Return a hint whose commands can be typed as they stand."""
    return hint.replace("`prodigy ", f"`{program()} ")


def from_here(path: Path, *, is_elsewhere: bool = False) -> str:
    """Return a path relative to the working directory where that is shorter, else the whole path.

    Args:
        is_elsewhere: it is to be used from another folder, so it must be whole.
    """
    try:
        path = Path(os.path.abspath(path))
        relative = os.path.relpath(path)
        is_whole = is_elsewhere or relative.startswith("..") or Path.cwd() == Path(path.anchor)
    except FileNotFoundError:  # the working directory was removed
        return str(path)
    return str(path) if is_whole else relative
