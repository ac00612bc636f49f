"""What people are told where a command cannot do what it was asked."""

import sys
from contextlib import suppress

from prodigy.cli.output.answers import print_json, shown
from prodigy.cli.output.times import spoken
from prodigy.cli.program import in_our_words
from prodigy.errors import DamagedState, ExitCode, ProdigyError, WorkflowProblem


def complain(error: ProdigyError, *, is_answer: bool = True) -> ExitCode:
    """Print an error as people need it: what happened, where, and what to type next.

    With --json it is a document on stdout too, where it is the command's answer and not a part of that.
    """
    with suppress(OSError):
        if is_answer and _wants_json():
            _print_document(error)
        if isinstance(error, WorkflowProblem):
            print("\n\n".join(f"error: {shown(problem)}" for problem in error.problems), file=sys.stderr)
        else:
            print(f"error: {spoken(error.message)}", file=sys.stderr)
        if hint := _hint(error):
            print(f"  {in_our_words(hint)}", file=sys.stderr)
    return error.exit_code


def _wants_json() -> bool:
    """Whether the command line asks for JSON: however wrong it is otherwise."""
    words = sys.argv[1:]
    return "--json" in (words[: words.index("--")] if "--" in words else words)


def _print_document(error: ProdigyError) -> None:
    """Print an error to stdout as the document that a program expects there."""
    hint = _hint(error)
    document = {"schema_version": 1, "error": error.message, "hint": in_our_words(hint) if hint else None}
    problems = {"problems": error.problems} if isinstance(error, WorkflowProblem) else {}
    print_json(document | {"exit_code": int(error.exit_code)} | problems)


def _hint(error: ProdigyError) -> str | None:
    if not isinstance(error, DamagedState):
        return error.hint

    from prodigy.cli.rescue import hint_of  # 24 ms that only a damaged run should cost

    return hint_of(error)
