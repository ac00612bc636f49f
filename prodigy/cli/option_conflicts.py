"""Options that do not go together: each such pair is refused, with why. All others are honoured together.

The table is all there is to know; it is looked at before a command runs, so that no option is ever dropped in silence.
A parameter is known by its longest option, an argument by its name in capitals.
"""

from collections.abc import Callable
from itertools import combinations
from typing import Any

from typer.core import TyperGroup

from prodigy.cli.framework import Command, Parameter
from prodigy.errors import UsageProblem

_GOES_ON = "goes on with a run as it was begun"
_COOK = {
    ("FILE", "--resume"): f"--resume {_GOES_ON}, with its own file",
    ("--param", "--resume"): f"--resume {_GOES_ON}; `prodigy fork` begins another with a changed variable",
    ("--param-file", "--resume"): f"--resume {_GOES_ON}; `prodigy fork` begins another with a changed variable",
    ("--dry-run", "--resume"): "--dry-run is about a file, from its beginning",
    ("--durability", "--resume"): f"--resume {_GOES_ON}, as durable as then",
    ("--claude-bin", "--resume"): f"--resume {_GOES_ON}, with its own claude",
    ("--budget", "--resume"): f"--resume {_GOES_ON}, within its budget; `prodigy budget` raises that",
    ("--dry-run", "--max-retries"): "--dry-run shows each step once, however often it may be tried",
    ("--dry-run", "--durability"): "--dry-run writes nothing, so nothing has to last",
}
_SAME_RUN = {("REF", "--job-id"): "REF and --job-id are the same"}

# (command, the option that is named first there, the other): why they do not go together.
REFUSED: dict[str, dict[tuple[str, str], str]] = {
    "cook": _COOK,
    "run": _COOK,
    "resume": {
        ("--force", "--from-checkpoint"): "--force starts over and --from-checkpoint goes back",
        ("--force", "--accept-changes"): "--force starts over with today's file: no result stands",
    },
    "status": {("--watch", "--json"): "--watch shows a run until it rests, and --json is one document"},
    "logs": {
        ("--follow", "--failed"): "--follow goes on and --failed looks once",
        ("--follow", "--json"): "--follow goes on and --json looks once",
    },
    "replay": {
        ("--check", "--until"): "--check proves the whole run",
        ("--check", "--generation"): "--check proves the whole run",
        ("--check", "--step"): "--check proves the whole run",
        ("--check", "--jsonl"): "--check gives one answer, not a line per event",
        ("--json", "--jsonl"): "--json is one document and --jsonl a line per event",
        ("--step", "--json"): "--step is for a person at a terminal",
        ("--step", "--jsonl"): "--step is for a person at a terminal",
    },
    "events ls": _SAME_RUN | {("--json", "--jsonl"): "--json is one document and --jsonl a line per event"},
    "events search": _SAME_RUN | {("--json", "--jsonl"): "--json is one document and --jsonl a line per event"},
    "events export": _SAME_RUN,
    "events stats": _SAME_RUN,
    "events follow": _SAME_RUN | {("--json", "--jsonl"): "--json is one document and --jsonl a line per event"},
    "events verify": _SAME_RUN,
    "checkpoints clean": {("--all", "--workflow-id"): "--all and --workflow-id are two things"},
}


def guarded(command: Command, *path: str) -> Command:
    """Let a command, and all below it, refuse the pairs of the table before it runs; return it."""
    if isinstance(command, TyperGroup):
        for name, below in command.commands.items():
            guarded(below, *path, name)
    elif (callback := command.callback) and (refused := REFUSED.get(" ".join(path))):
        command.callback = _checked(callback, command.params, refused)
    return command


def name_of(parameter: Parameter) -> str:
    """Return how the table calls a parameter."""
    longest = max(parameter.opts, key=len)
    return longest if longest.startswith("-") else str(parameter.name).upper()


def _checked(
    run: Callable[..., Any], parameters: list[Parameter], refused: dict[tuple[str, str], str]
) -> Callable[..., Any]:
    def check_and_run(**values: Any) -> Any:
        given = [name_of(one) for one in parameters if _is_given(one, values.get(str(one.name)))]
        for pair in combinations(given, 2):
            reason = refused.get(pair) or refused.get(pair[::-1])
            if reason:
                is_told = all(name in reason for name in pair)
                lead = "" if is_told else f"{pair[0]} and {pair[1]} do not go together: "
                raise UsageProblem(f"{lead}{reason}", hint="Give one of them.")
        return run(**values)

    return check_and_run


def _is_given(parameter: Parameter, value: Any) -> bool:
    return value not in (None, False, [], ()) and value != parameter.default
