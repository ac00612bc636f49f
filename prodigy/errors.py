"""The errors people meet, split by whose fault they are, and the exit codes.

    ProdigyError
    ├── UsageProblem        2  the command line
    ├── WorkflowProblem     3  the author of the workflow: file, line, column, hint
    ├── Unprepared          1  the machine: a step needs what is not there; nothing was run
    ├── RunNotFound         6  unknown, ambiguous or owned by another process
    ├── DamagedState        7  the disk: a log or checkpoint that cannot be trusted
    ├── StorageFailure      1  the disk refused a write; the run stopped at once
    └── Defect              1  ourselves: something that nobody foresaw

A mistake of ours is any other exception, an assertion for example. It ends the program, and is told as a `Defect`:
a sentence, and a file with its traceback. Every message says what happened and where;
`hint` says what to type next.
"""

import enum
from collections.abc import Sequence
from typing import ClassVar

import msgspec


class ExitCode(enum.IntEnum):
    """What a command's exit status means."""

    COMPLETED = 0
    FAILED = 1
    USAGE = 2
    WORKFLOW = 3
    DEAD_LETTERS = 4
    PAUSED = 5
    NOT_FOUND = 6
    DAMAGED = 7
    HANGUP = 129
    INTERRUPT = 130
    QUIT = 131
    TERMINATE = 143


class ProdigyError(Exception):
    """Something a person has to know: what happened, and in `hint` what to type next."""

    exit_code: ClassVar[ExitCode] = ExitCode.FAILED

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageProblem(ProdigyError):
    """The command line asks for something that does not exist."""

    exit_code = ExitCode.USAGE


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One mistake in a workflow file. `line` and `column` are 1-based; 0 where there is no place."""

    message: str
    file: str = ""
    line: int = 0
    column: int = 0
    source: str = ""
    hint: str | None = None

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}: " if self.line else ""
        text = f"{place}{self.message}"
        if self.source:
            text += f"\n  {self.source}\n  {' ' * (self.column - 1)}^"
        return f"{text}\n  {self.hint}" if self.hint else text


class WorkflowProblem(ProdigyError):
    """A workflow file that cannot be run, with all its mistakes."""

    exit_code = ExitCode.WORKFLOW

    def __init__(self, problems: Sequence[Problem], *, hint: str | None = None) -> None:
        super().__init__("\n".join(map(str, problems)), hint=hint)
        self.problems = tuple(problems)


class Unprepared(ProdigyError):
    """The machine lacks what a step surely needs: it would fail when its time comes, so nothing was run."""


class RunNotFound(ProdigyError):
    """No such run, more than one, or one that another process owns."""

    exit_code = ExitCode.NOT_FOUND


class DamagedState(ProdigyError):
    """A log or a checkpoint that cannot be trusted; nothing was run.

    `workflow_id` is the run's where it is known: whoever prints this then says which ways out of it there are.
    """

    exit_code = ExitCode.DAMAGED

    def __init__(self, message: str, *, hint: str | None = None, workflow_id: str = "") -> None:
        super().__init__(message, hint=hint)
        self.workflow_id = workflow_id


class StorageFailure(ProdigyError):
    """A write or a sync failed; the run stopped at once and can be resumed when the cause is gone."""


class Defect(ProdigyError):
    """A mistake of ours ended the program; what it had done stands, and a run can be resumed."""
