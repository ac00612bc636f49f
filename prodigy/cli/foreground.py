"""Make a run move in the foreground: shown while it lives, then its summary, then the exit code of how it rests."""

import signal
from collections.abc import Callable
from contextlib import suppress

import typer

from prodigy.cli.output.display import Display
from prodigy.cli.output.streams import let_answer_decide_nothing
from prodigy.cli.output.summary import exit_code, print_summary
from prodigy.kernel.state import State
from prodigy.runtime.host.leaving import leave_soon
from prodigy.runtime.orders.bootstrap import go_on as carry_out
from prodigy.runtime.orders.trust import is_known
from prodigy.store.layout import Project
from prodigy.store.orders import GoingOn


def go_on(project: Project, workflow_id: str, order: GoingOn, *, yes: bool = False, json: bool = False) -> None:
    """Go on with a run as an order says, and end with the exit code of how it rests."""
    in_foreground(project, lambda display: carry_out(project, workflow_id, order, display), json=json, yes=yes)


def in_foreground(project: Project, start: Callable[[Display], State], *, json: bool, yes: bool = False) -> None:
    """Let a run be started and played before our eyes, and end with the exit code of how it rests."""
    display = Display(assume_yes=yes, needs_trust=lambda workflow_id: not is_known(project, workflow_id))
    try:
        state = start(display)
    except KeyboardInterrupt:  # before a run listens for the first Ctrl-C, or after it has heard it
        leave_soon(signal.SIGINT, display.note)
        raise
    finally:
        display.close()
    let_answer_decide_nothing()
    with suppress(OSError):  # whoever reads may be gone, or the disk behind stdout full: printing decides nothing
        workflow_id = state.run.workflow_id
        print_summary(state, project.run(workflow_id), json=json, needs_trust=not is_known(project, workflow_id))
    raise typer.Exit(exit_code(state))
