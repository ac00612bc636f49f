"""Which commands there are, in the order in which help shows them, and the module of each.

A module is imported when its command is called: so each imports at its top what it needs, and `--help`, a shell's
completion and the other commands stay quick. The sentences are those of the commands' docstrings, as a test sees.
"""

from importlib import import_module
from typing import Any, NamedTuple

import typer

from prodigy.cli.framework import Command, Context
from prodigy.cli.pairs import guarded
from prodigy.cli.program import Commands, with_names_in_capitals


class Entry(NamedTuple):
    """A command, or a group of them, before it is imported."""

    module: str
    sentence: str


REGISTRY = {
    "init": Entry("init", "Write a first workflow, with the line that gives editors its schema."),
    "validate": Entry("validate", "Show all mistakes of workflow files, and what is legal but may not be meant."),
    "schema": Entry("validate", "Print the JSON Schema of workflow files, or what a key means."),
    "cook": Entry("cook", "Run a workflow from its beginning."),
    "run": Entry("cook", "The same as cook."),
    "resume": Entry("cook", "Go on with a run where it stopped."),
    "resume-job": Entry("cook", "Say how far a mapreduce job is, and go on with it."),
    "approve": Entry("cook", "Say yes to a stage or step that waits for confirmation, and go on with the run."),
    "fork": Entry("cook", "Make a new run that shares another's history until a moment, and go on with it."),
    "ps": Entry("runs", "List the runs that are live now, with the process that owns each."),
    "stop": Entry("runs", "Stop a live run as Ctrl-C would; it can be resumed."),
    "status": Entry("status", "Show where a run stands; of one that is damaged the ways out of it, with exit 7."),
    "logs": Entry(
        "logs",
        "Print what the steps of a run printed; of one step its last attempt, of a template's step every item's.",
    ),
    "replay": Entry("replay", "Fold the log of a run event by event, and show what changed at each."),
    "explain": Entry("explain", "Tell why a step ran, was skipped, retried, handled or run again."),
    "diff": Entry(
        "diff", "Show two runs side by side: each step, and the items of maps and the variables that differ."
    ),
    "doctor": Entry(
        "doctor", "Compare the logs with reality and print what mends each difference; mends nothing itself."
    ),
    "events": Entry("events", "Look at what happened: the event log of a run."),
    "checkpoints": Entry("checkpoints", "Look at where runs stand, check what is kept of them, clean up."),
    "dlq": Entry("dlq", "Look at dead letters, items that failed for good, and put them back."),
}
GROUPS = ("events", "checkpoints", "dlq")


def loaded(name: str) -> Command:
    """Return a command, ready to run; its module is imported."""
    module = import_module(f"prodigy.cli.{REGISTRY[name].module}")
    host = typer.Typer(rich_markup_mode=None)
    if name in GROUPS:
        host.add_typer(module.app, name=name, cls=Commands)
    else:
        module.register(host)
    group = typer.main.get_group(host)
    return guarded(with_names_in_capitals(group.commands[name]), name)


class Registered(Commands):
    """The commands of the registry, each imported when it is asked for."""

    def list_commands(self, ctx: Context) -> list[str]:
        """Return all names, in the order of help."""
        return list(REGISTRY)

    def get_command(self, ctx: Context, cmd_name: str) -> Any:
        """Return a command, or None where there is none of that name."""
        return loaded(cmd_name) if cmd_name in REGISTRY else None

    def names(self) -> tuple[str, ...]:
        """Return what a slip of the hand may have meant."""
        return tuple(REGISTRY)

    def sentence(self, name: str) -> str:
        """Return what help says of a command, without its module."""
        return REGISTRY[name].sentence
