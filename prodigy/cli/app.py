"""The command line: what the program is called with, and what becomes of errors."""

import os
import signal
import sys
from contextlib import suppress
from typing import Annotated, NoReturn

import typer

from prodigy import __version__
from prodigy.cli.framework import NoArgsIsHelpError, UsageError
from prodigy.cli.output import outlet
from prodigy.cli.output.complaints import complain
from prodigy.cli.output.streams import ReaderGone, lost_answer, open_streams
from prodigy.cli.program import usage_problem
from prodigy.cli.registry import Registered
from prodigy.errors import ExitCode, ProdigyError, UsageProblem

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
        code = complain(lost_answer() or _refused(error), is_answer=lost_answer() is None)
    except RecursionError:
        print("error: something is nested too deeply", file=sys.stderr)
        code = ExitCode.FAILED
    except SystemExit as end:
        code = end.code
    except Exception as failure:
        code = _unforeseen(failure)
    _leave(code)


def _refused(error: OSError) -> ProdigyError:
    """Return what the system refused as an error of ours."""
    try:
        os.getcwd()
    except FileNotFoundError:
        return UsageProblem("the working directory was removed", hint="Go to your project first: `cd FOLDER`.")
    return ProdigyError(f"{error.filename}: {error.strerror}" if error.filename else str(error))


def _unforeseen(failure: Exception) -> ExitCode:
    """Tell of a mistake of ours; a reader that went away while several tasks printed is none."""
    if isinstance(failure, ExceptionGroup) and failure.subgroup(ReaderGone):
        return ExitCode.COMPLETED

    from prodigy.runtime.host.defects import defect  # 23 ms that only a mistake of ours should cost

    return complain(defect(failure))


def _leave(code: int | str | None) -> NoReturn:
    """End the process at once; an answer that only now turns out to be lost is told, and makes a 0 a 1.

    All that Python would still do is to free memory piece by piece, which takes a short command a tenth of its time.
    """
    was_lost = lost_answer() is not None
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # if nobody reads what is left, Ctrl-C ends even the writing of it
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            lost = lost_answer()
            with suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
            if stream is sys.stdout and not was_lost and lost:
                code = code or complain(lost, is_answer=False)
    if isinstance(code, str):
        sys.exit(code)  # which prints it
    os._exit(code or 0)
