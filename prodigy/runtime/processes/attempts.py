"""One attempt at a command: what is known of it while it runs, and what its end is called.

The attempt only holds facts and signals its own group; `processes` decides what happens to it.
"""

import asyncio
import errno
import os
import signal
from contextlib import suppress

import msgspec

from prodigy.kernel.effects import RenderedClaude, Spawn
from prodigy.kernel.fault import Fault, fault_of
from prodigy.kernel.ledger import NOTHING, Spent
from prodigy.kernel.outcome import end_of
from prodigy.kernel.signals import Exited
from prodigy.plan.phrases import counted
from prodigy.runtime.claude.reading import Reading
from prodigy.runtime.processes.child import Process
from prodigy.runtime.processes.commands import VALUE_TOO_LONG
from prodigy.runtime.processes.dialogue import Dialogue
from prodigy.runtime.processes.outputs import OutputFile, Tail
from prodigy.runtime.processes.spending import exactly, spent_of
from prodigy.runtime.timers import Timer, awake_s

STDERR_BYTES_MAX = 16 * 1024
OUTSTAYED = "Claude Code had said its result and did not end by itself"
CANNOT_EXECUTE = 126  # what shells exit with when `exec` refused

_ARGUMENTS_TOO_LONG = os.strerror(errno.E2BIG)


class Attempt:
    """One `Spawn` until its `Exited`. `process` is None while the start waits for room.

    `files` are the outputs: stdout, stderr, and for claude, whose stdout is a transcript, the answer.
    """

    __slots__ = (
        "asked_at",
        "begun",
        "dialogue",
        "duration_s",
        "effect",
        "ended_at",
        "files",
        "has_folder",
        "has_met_stop",
        "is_idle",
        "kill_at",
        "ladder",
        "limit",
        "linger",
        "outstayed",
        "pidfd",
        "process",
        "room_delay_s",
        "room_timer",
        "sign_at",
        "signs",
        "stopped",
        "task",
        "timed_out",
        "was_at_work",
    )  # fmt: skip

    def __init__(self, effect: Spawn) -> None:
        self.effect = effect
        self.process: Process | None = None
        self.files: list[OutputFile] = []
        self.has_folder = True  # of private files, until it is known that it needs none
        self.pidfd = -1
        self.begun = self.asked_at = awake_s()
        self.duration_s = 0.0
        self.ended_at: float | None = None
        self.limit: Timer | None = None
        self.ladder: Timer | None = None
        self.kill_at: float | None = None  # when a ladder has begun to end it: the moment of its SIGKILL
        self.room_timer: Timer | None = None
        self.room_delay_s = 0.0
        self.stopped = False
        self.has_met_stop = False  # it was at work when we heard that the run is to stop, and may have heard so too
        self.was_at_work = False  # then, not just ended
        self.timed_out = False
        self.is_idle = False  # it was ended because it gave no sign of work
        self.signs = -1  # of work, as they were counted when there was the last new one
        self.sign_at = self.begun
        self.dialogue: Dialogue | None = None  # with claude, when it has started
        self.linger: Timer | None = None  # when claude has said its result: until it has to have ended
        self.outstayed = False  # we ended claude after its result: that is what counts
        self.task: asyncio.Task[None] | None = None

    @property
    def is_claude(self) -> bool:
        """Whether its stdout is a transcript."""
        return isinstance(self.effect.command, RenderedClaude)

    def has_ended(self) -> bool:
        """Say whether the command has ended, without collecting its status."""
        if self.process is None or self.process.returncode is not None:
            return True
        if self.pidfd < 0:
            return False
        return os.waitid(os.P_PIDFD, self.pidfd, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def has_answered(self) -> bool:
        """Say whether claude has said that it succeeded, and only has to end."""
        if self.dialogue is None:
            return False
        if self.process and self.process.returncode is None:
            self.dialogue.catch_up()
        return self.dialogue.heard.has_succeeded

    def was_cut_short(self) -> bool:
        """Say whether a stop met it at work, which claude is until it has said that it succeeded."""
        return self.was_at_work and not self.has_answered()

    def exit_status(self) -> int:
        """Return the status of a command that has ended, negative for a signal; where we ended what was done, 0."""
        assert self.process, "what has ended was started"
        status = self.process.wait()
        return 0 if self.outstayed else status

    def signal_group(self, number: signal.Signals) -> None:
        """Signal the whole group, as long as its number is surely still the command's."""
        if self.process and self.process.returncode is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, number)

    def idle_s(self) -> float:
        """Return for how long it has given no sign of work: of claude a line, of all others anything that it prints."""
        signs = self.dialogue.heard.signs if self.dialogue else sum(file.size_bytes for file in self.files[:2])
        if signs != self.signs:
            self.signs, self.sign_at = signs, awake_s()
        return awake_s() - self.sign_at

    def discard_files(self) -> None:
        """Nothing was written: the next start begins with new files."""
        for file in self.files:
            file.close(is_kept=False)
        self.files = []


def exit_of(attempt: Attempt, *, now: str, ended: tuple[str, ...] = ()) -> Exited:
    """Return the exit of a command that has ended, with the ends of its outputs.

    Args:
        ended: warnings about what it left behind.

    Raises:
        OSError: an output cannot be read.
    """
    effect, code = attempt.effect, attempt.exit_status()
    out, err = attempt.files[0].tail(effect.output_bytes_max), attempt.files[1].tail(STDERR_BYTES_MAX)
    if attempt.has_met_stop and not (attempt.timed_out or attempt.is_idle) and (code != 0 or attempt.was_cut_short()):
        attempt.stopped = True
    was_ended = attempt.stopped or attempt.timed_out or attempt.is_idle
    return Exited(
        time=now,
        at=effect.at,
        epoch=effect.epoch,
        exit_code=code if code >= 0 else None,
        signal=_signal_name(-code) if code < 0 else None,
        timed_out_s=effect.timeout_s if attempt.timed_out else None,
        idle_s=effect.idle_timeout_s if attempt.is_idle else None,
        stopped=attempt.stopped,
        error=None if was_ended else _reason(effect, code, out, err),
        output=out.text,
        stderr=err.text,
        output_file=attempt.files[0].path,
        duration_s=attempt.duration_s,
        warnings=(*_encoding_warnings(out, err), *ended),
    )


def with_answer(exited: Exited, attempt: Attempt, reading: Reading) -> Exited:
    """Return the exit of claude: the answer in place of the transcript, stored in a file of its own.

    Raises:
        OSError: it cannot be stored.
    """
    answer, effect = attempt.files[2], attempt.effect
    size_bytes = answer.write(reading.result)
    was_ended = attempt.stopped or attempt.timed_out or attempt.is_idle
    fault = _fault(reading)
    return msgspec.structs.replace(
        exited,
        output=end_of(reading.result, effect.output_bytes_max),
        output_file=answer.path,
        error=None if was_ended else reading.error or _too_much(effect, size_bytes),
        is_final=reading.is_final or fault == "step",
        fault=fault,
        resets_at_s=reading.limit.resets_at_s if reading.limit and reading.limit.status == "rejected" else None,
        aborted=reading.aborted,
        structured=reading.structured,
        spent=_spent(attempt, reading),
        model=reading.model,
        claude_version=reading.version,
        warnings=exited.warnings
        + reading.warnings
        + ((OUTSTAYED,) if attempt.outstayed and attempt.dialogue and attempt.dialogue.heard.has_result else ()),
    )


def _fault(reading: Reading) -> Fault:
    """Return whose fault it is where claude failed."""
    if reading.is_unknown_session:
        return "conversation"
    return fault_of(reading.fault, reading.status, reading.subtype) if reading.error else ""


def _spent(attempt: Attempt, reading: Reading) -> Spent:
    """Return what is known of what claude cost: its own word, else what its transcript and its session say."""
    effect = attempt.effect
    assert isinstance(effect.command, RenderedClaude), "nothing else costs anything"
    if reading.cost_usd is None:
        return spent_of(attempt.files[0].chunks(), effect.command.session, effect.environment)
    if not reading.subtype:
        return NOTHING  # the prompt was never sent
    return exactly(reading.cost_usd, reading.models)


def _reason(effect: Spawn, code: int, out: Tail, err: Tail) -> str | None:
    """Return a reason that the exit status does not tell."""
    if code == CANNOT_EXECUTE and _ARGUMENTS_TOO_LONG in err.text:
        return VALUE_TOO_LONG
    return _too_much(effect, out.size_bytes)


def _too_much(effect: Spawn, size_bytes: int) -> str | None:
    if not effect.whole_output or size_bytes <= effect.output_bytes_max:
        return None
    return f"captured output is {counted(size_bytes, 'byte')}, more than the limit of {effect.output_bytes_max}"


def _encoding_warnings(out: Tail, err: Tail) -> tuple[str, ...]:
    if out.is_valid and err.is_valid:
        return ()
    return tuple(
        f"{name} is not all UTF-8; invalid bytes became U+FFFD"
        for name, tail in (("stdout", out), ("stderr", err))
        if not tail.is_valid
    )


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return f"signal {number}"
