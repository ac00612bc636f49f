"""What people are told where a command cannot do what it was asked."""

import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from prodigy.cli.output.answers import print_json, shown
from prodigy.cli.output.asides import tell
from prodigy.cli.output.times import spoken
from prodigy.cli.program import in_our_words
from prodigy.errors import DamagedState, ExitCode, ProdigyError, WorkflowProblem

if TYPE_CHECKING:
    from prodigy.store.layout import Project

_LEAD = "error: "


def complain(error: ProdigyError, *, is_answer: bool = True, project: "Project | None" = None) -> ExitCode:
    """Print an error as people need it: what happened, where, and what to type next.

    With --json it is a document on stdout too, where it is the command's answer and not a part of that.

    Args:
        project: the one that it is about, where that is not the one here.
    """
    with suppress(OSError):
        hint = _hint(error, project)
        if is_answer and _wants_json():
            _print_document(error, hint and _in_our_words(hint, project))
        if isinstance(error, WorkflowProblem):
            print("\n\n".join(f"{_LEAD}{shown(problem)}" for problem in error.problems), file=sys.stderr)
        else:
            tell(f"{_LEAD}{spoken(error.message)}", more=" " * len(_LEAD))
        if hint:
            tell(f"  {_in_our_words(hint, project)}")
    return error.exit_code


def _wants_json() -> bool:
    """Whether the command line asks for JSON: however wrong it is otherwise."""
    words = sys.argv[1:]
    return "--json" in (words[: words.index("--")] if "--" in words else words)


def _print_document(error: ProdigyError, hint: str | None) -> None:
    """Print an error to stdout as the document that a program expects there."""
    document = {"schema_version": 1, "error": error.message, "hint": hint or None}
    problems = {"problems": error.problems} if isinstance(error, WorkflowProblem) else {}
    print_json(document | {"exit_code": int(error.exit_code)} | problems)


def _hint(error: ProdigyError, project: "Project | None") -> str | None:
    if not isinstance(error, DamagedState):
        return error.hint

    from prodigy.cli.rescue import hint_of  # 24 ms that only a damaged run should cost

    return hint_of(error, project)


def _in_our_words(hint: str, project: "Project | None") -> str:
    """Return a hint whose commands can be typed as they stand, those about a project elsewhere too."""
    if project is None:
        return in_our_words(hint)

    from prodigy.cli.projects import command_in  # as much

    return hint.replace("`prodigy ", f"`{command_in(project, '')}")
