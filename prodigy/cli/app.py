"""The command line: what the program is called with, and what becomes of errors."""

import os
import signal
import sys
from contextlib import suppress
from typing import Annotated, NoReturn

import typer

from prodigy import __version__
from prodigy.cli import outlet
from prodigy.cli.framework import NoArgsIsHelpError, UsageError
from prodigy.cli.program import in_our_words, usage_problem
from prodigy.cli.registry import Registered
from prodigy.cli.streams import ReaderGone, open_streams
from prodigy.cli.when import spoken
from prodigy.errors import DamagedState, ExitCode, ProdigyError, WorkflowProblem

app = typer.Typer(
    name="prodigy",
    cls=Registered,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # help is plain text, the same on a terminal and in a pipe
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Run long, costly workflows of shell and Claude Code steps; kill them anywhere, resume exactly.",
    epilog="First steps: `prodigy init`, `prodigy cook workflow.yaml`, and after any stop `prodigy resume`.",
)


@app.callback()
def _options(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    if version:
        typer.echo(f"prodigy {__version__}")
        raise typer.Exit


def run() -> NoReturn:
    """Run the command line; every error is a sentence, and none a traceback."""
    if sys.platform == "win32":
        print("prodigy needs Linux or macOS; on Windows, run it inside WSL.", file=sys.stderr)
        sys.exit(ExitCode.USAGE)
    open_streams()
    outlet.guard()
    try:
        code = typer.main.get_command(app).main(prog_name="prodigy", standalone_mode=False)
    except NoArgsIsHelpError as help_wanted:
        print(help_wanted.format_message())
        code = ExitCode.USAGE
    except UsageError as error:
        code = complain(usage_problem(error))
    except ProdigyError as error:
        code = complain(error)
    except (KeyboardInterrupt, typer.Abort):
        code = ExitCode.INTERRUPT
    except ReaderGone:
        code = ExitCode.COMPLETED
    except OSError as error:  # of stdout, or of something that was only to be read: the store has named its own
        code = complain(ProdigyError(str(error)))
    except RecursionError:
        print("error: something is nested too deeply", file=sys.stderr)
        code = ExitCode.FAILED
    except SystemExit as end:
        code = end.code
    except Exception as failure:
        code = _unforeseen(failure)
    _leave(code)


def _unforeseen(failure: Exception) -> ExitCode:
    """Tell of a mistake of ours; a reader that went away while several tasks printed is none."""
    if isinstance(failure, ExceptionGroup) and failure.subgroup(ReaderGone):
        return ExitCode.COMPLETED
    from prodigy.runtime.defects import defect

    return complain(defect(failure))


def complain(error: ProdigyError, *, is_answer: bool = True) -> ExitCode:
    """Print an error as people need it: what happened, where, and what to type next.

    With --json it is a document on stdout too, where it is the command's answer and not a part of that.
    """
    with suppress(OSError):
        if is_answer and _wants_json():
            _print_document(error)
        if isinstance(error, WorkflowProblem):
            from prodigy.cli.output import shown

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
    from prodigy.cli.output import print_json

    hint = _hint(error)
    document = {"schema_version": 1, "error": error.message, "hint": in_our_words(hint) if hint else None}
    problems = {"problems": error.problems} if isinstance(error, WorkflowProblem) else {}
    print_json(document | {"exit_code": int(error.exit_code)} | problems)


def _hint(error: ProdigyError) -> str | None:
    if not isinstance(error, DamagedState):
        return error.hint
    from prodigy.cli.rescue import hint_of

    return hint_of(error)


def _leave(code: int | str | None) -> NoReturn:
    """End the process at once. That the disk behind stdout or stderr is full changes nothing of the exit code.

    All that Python would still do is to free memory piece by piece, which takes a short command a tenth of its time.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # if nobody reads what is left, Ctrl-C ends even the writing of it
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            with suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    if isinstance(code, str):
        sys.exit(code)  # which prints it
    os._exit(code or 0)
