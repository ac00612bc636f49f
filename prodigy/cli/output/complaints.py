"""What people are told where a command cannot do what it was asked."""

import shutil
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from prodigy.cli.output.answers import print_json
from prodigy.cli.output.columns import columns_of_terminal, prose
from prodigy.cli.output.sentences import tell
from prodigy.cli.output.times import spoken
from prodigy.cli.output.width import cells
from prodigy.cli.program import in_our_words
from prodigy.errors import DamagedState, ExitCode, Problem, ProdigyError, WorkflowProblem
from prodigy.runtime.terminal import visible

if TYPE_CHECKING:
    from prodigy.store.layout import Project

COLUMNS_MIN = 40
COLUMNS_UNKNOWN = 100
_INDENT = "  "
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
            print("\n\n".join(shown(problem, _LEAD) for problem in error.problems), file=sys.stderr)
        else:
            tell(f"{_LEAD}{spoken(error.message)}", more=" " * len(_LEAD))
        if hint:
            tell(f"  {_in_our_words(hint, project)}")
    return error.exit_code


def shown(problem: Problem, lead: str = "") -> str:
    """Return a mistake as people read it: its place, the line as far as it fits, a caret, and what to write.

    Args:
        lead: what stands before it.
    """
    columns = max(COLUMNS_MIN, shutil.get_terminal_size((COLUMNS_UNKNOWN, 24)).columns) - len(_INDENT)
    place = f"{visible(problem.file)}:{problem.line}:{problem.column}: " if problem.line else ""
    lines = prose(f"{lead}{place}{visible(problem.message)}", columns_of_terminal(sys.stderr), more=" " * len(lead))
    if problem.source:
        text, before = _around(problem.source, problem.column - 1, columns)
        lines += [_INDENT + visible(text), _INDENT + " " * cells(visible(before)) + "^"]
    if problem.hint:
        lines += prose(visible(problem.hint), columns + len(_INDENT), indent=_INDENT)
    return "\n".join(lines)


def _around(line: str, offset: int, columns: int) -> tuple[str, str]:
    """Return what fits of a line around the character at `offset`, and the part of that before it."""
    start = 0
    while cells(line[start:offset]) > columns * 3 // 4:
        start = min(offset, start + max(1, columns // 4))
    end = len(line)
    head = "…" if start else ""
    while end > offset + 1 and cells(head + line[start:end]) > columns - 1:
        end -= max(1, (cells(line[start:end]) - columns) // 2)
    end = max(end, offset + 1)
    tail = "…" if end < len(line) else ""
    return head + line[start:end] + tail, head + line[start:offset]


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
