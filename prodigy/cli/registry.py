"""Which commands there are, in the order in which help shows them, and what it says of each.

Each is a file in `commands` that is named as it is typed, with a function of that name: `dlq retry` is `dlq_retry`. The
file is imported when its command is called: so each imports at its top what it needs, and `--help`, a shell's
completion and the other commands stay quick. The sentences are those of the commands' docstrings, as a test sees.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any

import typer

from prodigy.cli.framework import Command, Context
from prodigy.cli.option_conflicts import guarded
from prodigy.cli.program import Commands, with_names_in_capitals

REGISTRY = {
    "init": "Write a first workflow, with the line that gives editors its schema.",
    "validate": "Show all mistakes of workflow files, and what is legal but may not be meant.",
    "schema": "Print the JSON Schema of workflow files, or what a key means.",
    "cook": "Run a workflow from its beginning.",
    "run": "The same as cook.",
    "resume": "Go on with a run where it stopped.",
    "resume-job": "Say how far a mapreduce job is, and go on with it.",
    "approve": "Say yes to a stage or step that waits for confirmation, and go on with the run.",
    "fork": "Make a new run that shares another's history until a moment, and go on with it.",
    "ps": "List the runs that are live now, with the process that owns each.",
    "stop": "Stop a live run as Ctrl-C would; it can be resumed.",
    "status": "Show where a run stands; of one that is damaged the ways out of it, with exit 7.",
    "budget": "Show what a run may cost and has cost, and raise its budget, of a run that is live too.",
    "cost": (
        "Show what the claude steps of a run cost: spent, wasted on attempts that came to nothing, estimated, unknown."
    ),
    "logs": "Print what the steps of a run printed; of one step its last attempt, of what has several steps all.",
    "replay": "Fold the log of a run event by event, and show what changed at each.",
    "explain": "Tell why a step ran, was skipped, retried, handled or run again.",
    "diff": "Show two runs side by side: each step, and the items of maps and the variables that differ.",
    "doctor": "Compare the logs with reality and print what mends each difference; mends nothing itself.",
    "events ls": "List the events of a run, oldest first.",
    "events search": "Show the events of a run that match a pattern; exits with 1 where none does.",
    "events export": "Print the events of a run for another program.",
    "events stats": "Count the events of a run: by type, and for each step its attempts, retries, time and cost.",
    "events follow": "Print the events of a run as they happen, until it rests.",
    "events verify": (
        "Check every line of a run's log: its order, its chain, and that it can be read with the values it names."
    ),
    "checkpoints list": "List the runs of this project, the one cooked or resumed last first.",
    "checkpoints show": "Show where a run stands, or stood at one of its versions: its steps, variables and retries.",
    "checkpoints validate": "Check a run's log, stored values, checkpoint and mirror against each other.",
    "checkpoints clean": (
        "Remove checkpoints, stored values and outputs of runs that are over; their logs stay for the audit."
    ),
    "dlq list": "List the dead letters of a run.",
    "dlq show": "Show dead letters whole: the item, the error, where it failed.",
    "dlq retry": "Put dead letters back and go on with the run; a completed one runs its reduce again.",
    "dlq export": "Print dead letters for other programs.",
    "dlq stats": (
        "Count dead letters by the step and the cause that ended them; numbers, paths and ids make no other cause."
    ),
    "dlq purge": "Give dead letters up for good: they count as skipped, and nothing retries them.",
}
# Commands whose function is not by their own name: `file:function`.
ELSEWHERE = {"run": "cook:cook", "resume-job": "resume:resume_job"}
# Where no command is typed behind the first word, help shows what there is.
GROUPS = {
    "events": "Look at what happened: the event log of a run.",
    "checkpoints": "Look at where runs stand, check what is kept of them, clean up.",
    "dlq": "Look at dead letters, items that failed for good, and put them back.",
}


class Registered(Commands):
    """The commands of the registry, or those of one of its groups; each is imported when it is asked for."""

    def list_commands(self, ctx: Context) -> list[str]:
        """Return all names, in the order of help."""
        return list(self.names())

    def get_command(self, ctx: Context, cmd_name: str) -> Any:
        """Return a command, or None where there is none of that name."""
        return loaded(self._whole(cmd_name)) if cmd_name in self.names() else None

    def names(self) -> tuple[str, ...]:
        """Return what a slip of the hand may have meant."""
        start = self._whole("")
        return tuple(dict.fromkeys(name[len(start) :].split()[0] for name in REGISTRY if name.startswith(start)))

    def sentence(self, name: str) -> str:
        """Return what help says of a command, without its module."""
        whole = self._whole(name)
        return GROUPS[whole] if whole in GROUPS else REGISTRY[whole]

    def _whole(self, name: str) -> str:
        return f"{self.name} {name}" if self.name in GROUPS else name


def loaded(name: str) -> Command:
    """Return a command, or a group of them, ready to run; the module of a command is imported."""
    host = typer.Typer(rich_markup_mode=None)
    if name in GROUPS:
        below = typer.Typer(cls=Registered, help=GROUPS[name], no_args_is_help=True)
        below.callback()(_nothing)
        host.add_typer(below, name=name)
    else:
        said = REGISTRY[name] if name == "run" else None
        host.command(name, help=said)(_function(name))
        host.callback()(_nothing)
    group = typer.main.get_group(host)
    return guarded(with_names_in_capitals(group.commands[name.split()[-1] if name in GROUPS else name]), name)


def _function(name: str) -> Callable[..., None]:
    """Return the function of a command: both it and its file bear the words of the command."""
    own = name.replace(" ", "_")
    file, _, function = ELSEWHERE.get(name, f"{own}:{own}").partition(":")
    found: Callable[..., None] = getattr(import_module(f"prodigy.cli.commands.{file}"), function)
    return found


def _nothing() -> None:
    """Do nothing before a command: a group that has a callback stays one, however few commands it has."""
