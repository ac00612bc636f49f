"""What a person sees while a run runs: one line per thing that happened, and what steps print.

Everything goes to stderr, for stdout carries the answer. A line is made from an event and the state after it, so
nothing is shown that is not in the log.
"""

import getpass
import os
import sys
import termios
import time
from collections.abc import Callable, Sequence

from prodigy.cli.job import job_lines
from prodigy.cli.output.columns import beside, columns_of_terminal, prose, with_command
from prodigy.cli.output.formatting import dollars, duration, first_line
from prodigy.cli.output.nonblocking import NonblockingWriter
from prodigy.cli.output.sentences import tell_beside
from prodigy.cli.output.shared_screen import SharedScreen
from prodigy.cli.output.times import due, spoken
from prodigy.cli.program import in_our_words, program
from prodigy.kernel import events as ev
from prodigy.kernel.cause import cause
from prodigy.kernel.fault import IS_CUT
from prodigy.kernel.lifecycle import Status
from prodigy.kernel.retry import attempts_allowed
from prodigy.kernel.state import State
from prodigy.plan.nodes import Run
from prodigy.plan.phrases import counted
from prodigy.projections.telling import command_of
from prodigy.runtime.host.reactor import Record
from prodigy.runtime.terminal import Lines, harmless, visible

SUM_INTERVAL_S = 1.0
ANSWERS_MAX = 3
_BESIDE_WORD = " " * 10  # as wide as the word that a line begins with
_WORDS = {"y": True, "yes": True, "n": False, "no": False, "": False}

_BEGINS = {True: "go on", False: "start"}  # whether claude resumes its conversation
_ROUTINE = (ev.CommandStarted, ev.CommandFinished, ev.NodeSkipped, ev.CommandInterrupted)
_DISPOSITIONS = {"dead": "dead", "failed": "failed", "skipped": "skip", "succeeded": "done"}


class Display:
    """The lines of one run on stderr. `needs_trust` tells of a run whether this machine does not know it."""

    def __init__(self, *, assume_yes: bool = False, needs_trust: Callable[[str], bool] = lambda _: False) -> None:
        self._needs_trust = needs_trust
        self._writer = NonblockingWriter(2)
        self._screen = SharedScreen()
        self._colour = has_colour(2)
        self._is_terminal = sys.stderr.isatty()
        self._assume_yes = assume_yes
        self.user = user()
        self.operator = f"{self.user}{_manner(assume_yes)}"
        self._outputs: dict[str, Lines] = {}
        self._sum_due = 0.0

    def note(self, message: str) -> None:
        """Say something that is no event."""
        self._say("note", visible_lines(spoken(in_our_words(message))), "33")

    def observe(self, state: State, turn: Sequence[Record]) -> None:
        """Show each event of a turn that people care about; of items only what went wrong, and now and then the sum."""
        for _, event in turn:
            if isinstance(event, ev.CommandFinished | ev.CommandInterrupted):
                self._finish_output(event.at)
            if not (isinstance(event, _ROUTINE) and state.plan.is_in_item(event.at)) or _is_bad(event):
                self._show_wait(event)
                self._show_event(state, event)
        if state.maps and (time.monotonic() >= self._sum_due or _ends_map(state, turn)):
            self._sum_due = time.monotonic() + SUM_INTERVAL_S
            self._say("map", job_lines(state)[0], "36")

    def show(self, at: str, chunk: bytes) -> None:
        """Show what a step printed, the beginning of a line too: it is given only when the rest of it did not come."""
        lines = self._outputs.get(at)
        if lines is None:
            lines = self._outputs[at] = Lines(self._prefix(at), colour=self._colour)
        text = lines.feed(chunk)
        self._screen.write(text + lines.partial(), self._writer.write, lines)

    def ask(self, question: str) -> bool | None:
        """Ask on a terminal, default no. Without one, or without an answer that is clear, there is nobody to ask.

        What was typed before the question is no answer to it.
        """
        if self._assume_yes:
            return True
        if not has_terminal():
            return None

        termios.tcflush(0, termios.TCIFLUSH)
        return _answer(self._write, _question(question))

    def close(self) -> None:
        """Show what is still queued."""
        self._screen.close()
        self._writer.close()

    def _show_wait(self, event: ev.Event) -> None:
        """Show why claude steps wait, and what a budget comes to."""
        match event:
            case ev.ClaudeParked():
                self._say("parked", f"until {due(event.due)}: {visible(first_line(event.reason))}", "33")
            case ev.ClaudeTried():
                self._say("try", f"{visible(event.at)}  goes first", "33")
            case ev.ClaudeReleased():
                self._say("go on", "Claude is within reach again", "32")
            case ev.PauseRequested():
                self._say("pausing", f"{visible(event.at)}: {visible(first_line(event.reason))}", "31")
            case ev.BudgetNeared():
                self._say("budget", f"{dollars(event.spent_usd)} of {dollars(event.usd)} is spent", "33")
            case ev.BudgetRaised():
                self._say("budget", f"{dollars(event.usd)} more, says {visible(event.by)}", "36")

    def _show_end(self, state: State, event: ev.CommandFinished) -> None:
        for warning in event.warnings:
            self._say("note", f"{visible(event.at)}: {visible_lines(warning)}", "33")
        if event.error is None:
            self._say("done", f"{visible(event.at)}  {duration(event.duration_s)}", "32")
        elif event.fault in IS_CUT:
            self._say("held", self._why(state, event), "33")
        else:
            self._say("failed", self._why(state, event), "31")

    def _show_event(self, state: State, event: ev.Event) -> None:
        match event:
            case ev.RunStarted():
                self._begin(state, "")
            case ev.RunResumed():
                self._begin(state, "resumed")
                for at in event.again:
                    self._say("again", f"{visible(at)} (was in flight)", "33")
            case ev.CommandStarted():
                tries = f" (attempt {event.attempt})" if event.attempt > 1 else ""
                command = command_of(state, event.at, event.command)
                self._say(
                    "go on" if event.resumes else "start", f"{visible(event.at)}  {visible(command)}{tries}", "36"
                )
            case ev.CommandFinished():
                self._show_end(state, event)
            case ev.CommandInterrupted():
                self._say("stopped", visible(event.at), "33")
            case ev.RetryScheduled():
                self._say(
                    "retry",
                    f"{visible(event.at)}  attempt {event.attempt} in {duration(event.delay_s)}",
                    "33",
                )
            case ev.HandlingStarted():
                self._say("handle", f"{visible(event.at)}  on_failure begins", "33")
            case ev.NodeHandled():
                self._say("handled", f"{visible(event.at)}  the run goes on", "33")
            case ev.NodeSkipped():
                self._say("skip", f"{visible(event.at)}  {visible(first_line(event.reason))}", "2")
            case ev.ItemsListed():
                note = f": {visible(event.note)}" if event.note else ""
                self._say("items", f"{visible(event.at)}  {counted(len(event.keys), 'item')}{note}", "36")
            case ev.ItemSettled() if event.error:
                why = visible(cause(event.error, event.exit_code))
                self._say(_DISPOSITIONS[event.disposition], f"{visible(event.key)}  {why}", "31")
            case ev.ItemsRequeued():
                self._say("again", f"put back: {counted(len(event.keys), 'dead letter')}", "33")
            case ev.DeadLettersPurged():
                self._say("purge", f"given up: {counted(len(event.keys), 'dead letter')}", "33")
            case ev.BreakerOpened():
                self._say(
                    "pause", f"{visible(event.at)}  too many failed in a row; on in {duration(event.delay_s)}", "33"
                )
            case ev.LimitReached():
                self._say("timeout", f"{visible(event.at)}  its time is over; ending what runs in it", "31")
            case ev.NodeBypassed():
                self._say("bypass", f"{visible(event.at)}  by {visible(event.by)}", "33")
            case ev.ConfirmationAnswered():
                answer = "yes" if event.is_confirmed else "no"
                self._say("answer", f"{visible(event.at)}  {answer}, says {visible(event.by)}", "33")
            case ev.RunRested():
                self._say("rested", f"for {duration(event.rested_s)}; that counts for no timeout", "33")
            case ev.StopRequested():
                self._say("stop", f"{event.by}: ending what runs; once more ends it at once", "33")
            case _:
                pass

    def _begin(self, state: State, how: str) -> None:
        run = state.run
        self._say("run", f"{run.workflow_id}  {visible(run.workflow_path)}{'  ' + how if how else ''}", "1")
        trust = " --trust" if self._needs_trust(run.workflow_id) else ""
        command = f"{program()} resume {run.workflow_id}{trust}"
        columns = columns_of_terminal(sys.stderr)
        for line in with_command("if it stops, go on with", command, columns, indent=_BESIDE_WORD):
            self._write(f"{line}\n")
        if not run.synced:
            self._say(
                "note",
                "durability: process; finished steps survive a crash of prodigy, not a power loss",
                "33",
            )

    def _why(self, state: State, event: ev.CommandFinished) -> str:
        node = state.node(event.at)
        leaf = state.plan.node(event.at)
        allowed = node.first - 1 + attempts_allowed(state, leaf) if isinstance(leaf.body, Run) else 1
        is_told = allowed > 1 and node.attempt > 0 and node.status is not Status.RUNNING  # 0: its item has settled
        tries = f" (attempt {node.attempt} of {allowed})" if is_told else ""
        return f"{visible(event.at)}  {visible(cause(event.error or '', event.exit_code))}{tries}"

    def _finish_output(self, at: str) -> None:
        lines = self._outputs.pop(at, None)
        if lines:
            self._screen.write(lines.finish(), self._writer.write, lines)

    def _prefix(self, at: str) -> str:
        return self._paint(f"{visible(at)} │ ", "2")

    def _say(self, word: str, text: str, colour: str) -> None:
        label = f"{word:>8}"
        columns = columns_of_terminal(sys.stderr) if self._is_terminal else None
        line, *below = beside(f"{label}  ", harmless(text), columns)
        self._write("\n".join([self._paint(label, colour) + line[len(label) :], *below, ""]))

    def _write(self, text: str) -> None:
        self._screen.write(text, self._writer.write)

    def _paint(self, text: str, colour: str) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self._colour else text


def _is_bad(event: ev.Event) -> bool:
    return isinstance(event, ev.CommandFinished) and (event.error is not None or bool(event.warnings))


def _ends_map(state: State, turn: Sequence[Record]) -> bool:
    events = [event for _, event in turn]
    ends = (ev.NodeSucceeded, ev.NodeFailed)
    return any(isinstance(e, ev.RunInterrupted) or (isinstance(e, ends) and e.at in state.maps) for e in events)


def _manner(assume_yes: bool) -> str:
    """Return how the operator answers, as it stands behind their name in the log."""
    if assume_yes:
        return " with --yes"
    return " at the terminal" if has_terminal() else ""


def user() -> str:
    """Return the name of who runs this process."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"


def visible_lines(text: str) -> str:
    """Return a text of our own that may quote others', safe and with its lines kept."""
    return "\n".join(visible(line) for line in text.splitlines())


def note(sentence: str) -> None:
    """Say something on stderr that is no answer, beside a command that plays no run."""
    tell_beside("    note  ", visible_lines(in_our_words(sentence)))


def confirmed(question: str, *, yes: bool) -> bool:
    """Ask on a terminal, default no. Where nobody can be asked the command line is answer enough."""
    if yes or not has_terminal():
        return True
    return bool(_answer(_print_now, _question(question)))


def _question(text: str) -> str:
    asked = visible_lines(text).replace("\n", f"\n{_BESIDE_WORD}")
    return "\n".join(prose(f"{asked} [y/N] ", columns_of_terminal(sys.stderr)))


def _answer(write: Callable[[str], None], question: str) -> bool | None:
    """Ask until the answer is yes or no, nothing being no; None where it is neither so often, or the input ends."""
    write(question)
    for left in reversed(range(ANSWERS_MAX)):
        said = sys.stdin.readline()
        if not said:
            return None
        if (word := said.strip().lower()) in _WORDS:
            return _WORDS[word]
        write("please answer y or n: " if left else "that was no answer\n")
    return None


def _print_now(text: str) -> None:
    print(text, end="", file=sys.stderr, flush=True)


def has_colour(descriptor: int) -> bool:
    """Whether colour is wanted there: on a terminal that is not dumb, unless NO_COLOR or FORCE_COLOR says otherwise."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return os.environ.get("TERM") != "dumb" and os.isatty(descriptor)


def has_terminal() -> bool:
    """Whether there is somebody to ask: stdin and stderr are a terminal, and we are in its foreground."""
    try:
        return os.isatty(0) and os.isatty(2) and os.tcgetpgrp(0) == os.getpgrp()
    except OSError:
        return False
