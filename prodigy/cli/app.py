"""The command line: which commands there are, and what becomes of errors.

Commands import what they need when they run, so `--help` and a shell's completion stay quick.
"""

import gc
import os
import sys
from contextlib import suppress
from typing import Annotated, NoReturn

import typer

from prodigy import __version__
from prodigy.cli import checkpoints, cook, events, init, logs, runs, status, validate
from prodigy.cli.program import in_our_words
from prodigy.errors import ExitCode, ProdigyError

# Imports, plans and folds make many objects and no cycles; looking for garbage among them after every 700 is what
# Python does otherwise, and a quarter of the time that it takes to fold a long log.
OBJECTS_UNTIL_COLLECTED = 100_000

app = typer.Typer(
    name="prodigy",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Run long, costly workflows of shell and Claude Code steps; kill them anywhere, resume exactly.",
)
for group in (init, validate, cook, runs, status, logs):
    group.register(app)
app.add_typer(events.app, name="events")
app.add_typer(checkpoints.app, name="checkpoints")


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
    os.umask(0o077)
    gc.set_threshold(OBJECTS_UNTIL_COLLECTED)
    _fill_gaps()
    try:
        app(prog_name="prodigy", standalone_mode=True)
    except ProdigyError as error:
        code = complain(error)
    except KeyboardInterrupt:
        code = ExitCode.INTERRUPT
    except BrokenPipeError:
        code = ExitCode.COMPLETED
    except OSError as error:  # of stdout, or of something that was only to be read: the store has named its own
        code = complain(ProdigyError(str(error)))
    except RecursionError:
        print("error: something is nested too deeply", file=sys.stderr)
        code = ExitCode.FAILED
    except SystemExit as end:
        code = end.code  # type: ignore[assignment]
    _leave(code)


def complain(error: ProdigyError) -> ExitCode:
    """Print an error as people need it: what happened, where, and what to type next."""
    with suppress(OSError):
        print(f"error: {error.message}", file=sys.stderr)
        if error.hint:
            print(f"  {in_our_words(error.hint)}", file=sys.stderr)
    return error.exit_code


def _fill_gaps() -> None:
    """Give a closed stdin, stdout or stderr to /dev/null.

    The next file that is opened, the log even, would take its number, and get what is printed.
    """
    for descriptor, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:  # as Python says that it was closed
            null = os.open(os.devnull, os.O_RDWR)
            assert null == descriptor, "the lowest free number is taken first"
            os.set_inheritable(null, True)
            setattr(sys, name, os.fdopen(null, mode))


def _leave(code: int | str | None) -> NoReturn:
    """End the process at once. A reader that went away, of stdout or stderr, changes nothing of the exit code.

    All that Python would still do is to free memory piece by piece, which takes a short command a tenth of its time.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            with suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    if isinstance(code, str):
        sys.exit(code)  # which prints it
    os._exit(code or 0)
