"""Start commands, watch them, end them, and report each end once.

Each attempt runs in a session of its own with its mark in its environment; its output goes into two files. On
Linux its end arrives on a pidfd in the event loop; elsewhere a thread waits for it. After the command has
ended, whatever else it started is ended too, and only then is its `Exited` sent.

One short step costs little more than the spawn itself, so everything that only some attempts need (a ladder
of signals, the search among leftovers, a transcript) is off the straight path `spawn`, `_start`, `_ended`,
`_report`.
"""

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from prodigy.errors import ProdigyError, StorageFailure
from prodigy.kernel.effects import VALUES_FOLDER, RenderedClaude, Spawn, values_folder
from prodigy.kernel.ledger import NOTHING, UNKNOWN, Spent
from prodigy.kernel.signals import Exited
from prodigy.plan.phrases import counted
from prodigy.runtime.claude.narration import narrate
from prodigy.runtime.claude.reading import Reading
from prodigy.runtime.claude.versions import Untested
from prodigy.runtime.processes import orphans
from prodigy.runtime.processes.attempts import STDERR_BYTES_MAX, Attempt, exit_of, with_answer
from prodigy.runtime.processes.backpressure import Backpressure
from prodigy.runtime.processes.child import Process, keep_descriptors, start
from prodigy.runtime.processes.commands import (
    DISK,
    EXHAUSTED,
    ROOM_S_MAX,
    CannotStart,
    Prepared,
    encode,
    give_children_default_signals,
    inherited_environment,
    prepare,
    remove_private,
    why_not,
)
from prodigy.runtime.processes.dialogue import Dialogue
from prodigy.runtime.processes.exits import Exits, Gather
from prodigy.runtime.processes.outputs import Outputs
from prodigy.runtime.processes.reaper import Reaper
from prodigy.runtime.timers import Timer, awake_s, go_on, rest

SHOW_EVERY_S = 0.1
ROOM_FIRST_DELAY_S = 0.1
ROOM_DELAY_S_MAX = 10.0
CROWDED_DELAY_S = 0.2
REAP_EVERY_TICKS = 10
LINGER_S = 0.2
JUST_S = 0.1  # what ended so long ago or less may have died of what we hear of now
LOOK_EVERY_S = 0.02
LEFT_GRACE_S_MIN = 0.5
FILES = ("out", "err")
CLAUDE_FILES = ("jsonl", "err", "out")
RUNGS = (signal.SIGTERM, signal.SIGKILL)
# Of the grace, what Claude Code has to answer an interrupt: up to 3.3 s were seen, and up to 1.6 s for a SIGTERM.
INTERRUPT_SHARE = 2 / 3
RESULT_GRACE_S = 10.0  # some versions never end after their result

Show = Callable[[str, bytes], None]


class Processes:
    """The running commands of one run.

    Everything is called on the thread of the running event loop, which should be the main thread. Create it
    after `orphans.end_marked`: it removes the private files that an earlier coordinator's commands may still
    have used.

    Args:
        workflow_id: told to commands as `PRODIGY_RUN_ID`.
        run_folder: where `outputs/` and `values-in-use/` are; its real path is the mark that sweeps look for.
        directory: what a relative `working_dir` starts from.
        emit: takes each `Exited`, never from within `spawn`.
        now: the reactor's clock.
        give_up: told why no command can be started for minutes now; the run should stop.
        show: takes (address, new output) while commands run and at their end, and never raises; None where
            nobody looks.
        reaper: told which groups run.
        gather: called with a function that emits what has ended at one moment.
    """

    def __init__(
        self,
        *,
        workflow_id: str,
        run_folder: Path,
        directory: Path,
        emit: Callable[[Exited], None],
        now: Callable[[], str],
        give_up: Callable[[str], None],
        show: Show | None,
        reaper: Reaper | None,
        gather: Gather = lambda emit_all: emit_all(),
    ) -> None:
        self._run_folder = Path(os.path.realpath(run_folder))
        self._directory = directory
        self._emit = emit
        self._now = now
        self._give_up = give_up
        self._backpressure = Backpressure()
        self._untested = Untested()
        self._show = show
        self._reaper = reaper
        self._marks = encode({"PRODIGY_RUN_ID": workflow_id, "PRODIGY_RUN_DIR": str(self._run_folder)})
        if reaper:
            self._marks |= encode({"PRODIGY_OWNER": reaper.owner})
        self._run_mark = orphans.run_mark(run_folder)
        self._inherited = inherited_environment()
        self._attempts: dict[int, Attempt] = {}
        self._known = {reaper.pid} if reaper else set()
        self._exits = Exits(gather)
        self._outputs = Outputs(self._run_folder)
        self._null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        self._ticker: asyncio.TimerHandle | None = None
        self._ticks = 0
        self._suspended: list[orphans.FoundProcess] = []
        self._is_hurried = False
        self._idle = asyncio.Event()
        self._is_ready = False
        _clear(self._run_folder / VALUES_FOLDER)

    @property
    def running(self) -> int:
        """Return how many attempts have not been reported yet."""
        return len(self._attempts)

    def spawn(self, effect: Spawn) -> None:
        """Start a command; whatever becomes of it, also when it cannot start, is told by its `Exited`."""
        self._be_ready()
        attempt = self._attempts[effect.epoch] = Attempt(effect)
        self._start(attempt)
        self._outputs.make_ahead()
        if self._ticker is None:
            self._ticker = asyncio.get_running_loop().call_later(SHOW_EVERY_S, self._tick)

    def _be_ready(self) -> None:
        """See to it that commands inherit what they should; once, and only where one starts.

        Whoever asks which signals were inherited as ignored has to ask before.
        """
        if not self._is_ready:
            give_children_default_signals()
            keep_descriptors()
            orphans.become_subreaper()
            self._is_ready = True

    def terminate(self, epoch: int) -> None:
        """End a command because the run is stopping; `Exited.stopped` is set unless it had ended by itself.

        SIGTERM, `grace_s`, SIGKILL; for claude its own interrupt first, all within the same grace. Unknown epochs
        are ignored.
        """
        attempt = self._attempts.get(epoch)
        if attempt is None:
            return
        if attempt.process is None and attempt.room_timer:
            attempt.room_timer.cancel()
            attempt.room_timer, attempt.stopped = None, True
            asyncio.get_running_loop().call_soon(self._report_unstarted, attempt, None)
        elif attempt.kill_at is None and not attempt.has_ended():
            attempt.outstayed = attempt.has_answered()
            attempt.stopped = not attempt.outstayed
            self._begin_ladder(attempt)

    def meet_stop(self) -> None:
        """Note what a signal to stop meets at work or just ended, before that comes to `terminate`.

        What was at work, as far as we know, was stopped, by whomever and whatever its exit status: many a program
        answers with 0 in the middle of its work. Where it had ended after all, and nobody was told, it runs again.
        Of what we know to have ended just now only a failure was stopped; a success is one.
        """
        for attempt in self._attempts.values():
            if attempt.ended_at is None:
                attempt.has_met_stop = attempt.was_at_work = True
            elif awake_s() - attempt.ended_at < JUST_S:
                attempt.has_met_stop = True

    def kill_all(self) -> None:
        """End everything now, with SIGKILL, and everything that is found left behind as well."""
        self._is_hurried = True
        for attempt in list(self._attempts.values()):
            if attempt.process is None:
                self.terminate(attempt.effect.epoch)
            elif not attempt.has_ended():
                attempt.stopped = attempt.stopped or not (attempt.timed_out or attempt.is_idle or attempt.outstayed)
                attempt.kill_at = awake_s()
                attempt.signal_group(signal.SIGKILL)

    def suspend(self) -> None:
        """Stop all groups, as Ctrl-Z does, and whatever else the run has started; no timer runs until `resume_all`."""
        rest()
        for attempt in self._attempts.values():
            attempt.signal_group(signal.SIGSTOP)
        self._suspended += orphans.suspend_marked(self._run_folder)

    def resume_all(self) -> float:
        """Let what was suspended go on; return how long it rested, in seconds, if nobody has asked before."""
        rested_s = go_on()
        for attempt in self._attempts.values():
            attempt.signal_group(signal.SIGCONT)
        for process in self._suspended:
            orphans.send(process, signal.SIGCONT)
        self._suspended.clear()
        return rested_s

    async def close(self) -> None:
        """End what is left, wait until all of it is reported, and let the files go. A second time is nothing."""
        if self._null < 0:
            return
        for epoch in list(self._attempts):
            self.terminate(epoch)
        while self._attempts:
            self._idle.clear()
            await self._idle.wait()
        if self._ticker:
            self._ticker.cancel()
            self._ticker = None
        self._exits.close()
        self._outputs.close()
        os.close(self._null)
        self._null = -1

    def abandon(self) -> None:
        """Kill whatever is left of anything and report none of it: something of ours failed or hangs."""
        for attempt in self._attempts.values():
            if attempt.process:
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(attempt.process.pid, signal.SIGKILL)
        with suppress(ProdigyError):  # what cannot be killed the next resume names
            orphans.end_marked(self._run_folder, grace_s=0.0)

    # The straight path: started, ended, reported.

    def _start(self, attempt: Attempt) -> None:
        effect = attempt.effect
        if not self._backpressure.has_room(self._started):
            attempt.asked_at = awake_s()  # a long wait for one's turn is no lack of room
            self._try_later(attempt, CROWDED_DELAY_S)
            return
        try:
            prepared = self._prepare(effect)
            attempt.has_folder = prepared.has_folder
            self._execute(attempt, prepared)
        except OSError as error:
            self._refused(attempt, error)
        except StorageFailure as error:
            self._abandon(attempt, str(error))
        except ValueError as error:
            self._fail(attempt, f"cannot start, its script or a value holds what no program can take: {error}")
        except (CannotStart, ProdigyError) as error:
            self._fail(attempt, f"cannot start: {error}")

    def _prepare(self, effect: Spawn) -> Prepared:
        marks = self._marks | {
            b"PRODIGY_STEP": os.fsencode(effect.at),
            b"PRODIGY_ATTEMPT": b"%d" % effect.attempt,
            b"PRODIGY_EPOCH": b"%d" % effect.epoch,
        }
        return prepare(
            effect, self._values_of(effect), inherited=self._inherited, marks=marks, directory=str(self._directory)
        )

    def _values_of(self, effect: Spawn) -> str:
        return values_folder(str(self._run_folder), effect.epoch)

    def _execute(self, attempt: Attempt, prepared: Prepared) -> None:
        extensions = CLAUDE_FILES if attempt.is_claude else FILES
        try:
            attempt.files = self._outputs.open(attempt.effect.epoch, extensions)
        except OSError as error:
            if error.errno in EXHAUSTED:
                raise
            raise StorageFailure(f"what {attempt.effect.at} prints cannot be kept: {error.strerror}") from error
        attempt.begun = awake_s()
        attempt.process = process = self._begin(attempt, prepared)
        self._known.add(process.pid)
        if self._reaper:
            self._reaper.add(process.pid)
        self._watch(attempt, process)
        if attempt.effect.timeout_s is not None:
            attempt.limit = self._later(attempt.effect.timeout_s, self._time_out, attempt)

    def _begin(self, attempt: Attempt, prepared: Prepared) -> Process:
        command, dialogue = attempt.effect.command, None
        if isinstance(command, RenderedClaude):
            dialogue = Dialogue(command, attempt.files[0])
        try:
            process = start(
                prepared,
                directory=self._working_dir(attempt.effect),
                stdin=dialogue.stdin if dialogue else self._null,
                stdout=attempt.files[0].descriptor,
                stderr=attempt.files[1].descriptor,
            )
        except BaseException:
            if dialogue:
                dialogue.abandon()
            raise
        if dialogue:
            attempt.dialogue = dialogue
            dialogue.begin()
        return process

    def _watch(self, attempt: Attempt, process: Process) -> None:
        loop = asyncio.get_running_loop()
        try:
            attempt.pidfd = self._exits.watch(process.pid, partial(self._ended, attempt, process))
        except OSError:
            waiter = threading.Thread(target=self._wait, args=(attempt, process, loop), daemon=True)
            waiter.start()

    def _wait(self, attempt: Attempt, process: Process, loop: asyncio.AbstractEventLoop) -> None:
        """Where there is no pidfd: wait in a thread."""
        process.wait()
        with suppress(RuntimeError):  # the loop is closed, and so are we
            loop.call_soon_threadsafe(self._ended, attempt, process)

    def _ended(self, attempt: Attempt, process: Process) -> None:
        """The command itself has ended; collect it, and look whether anything of it is left."""
        attempt.ended_at = awake_s()
        attempt.duration_s = attempt.ended_at - attempt.begun
        if attempt.pidfd >= 0:
            self._exits.forget(attempt.pidfd)
            attempt.pidfd = -1
        process.wait()
        self._known.discard(process.pid)
        for timer in (attempt.limit, attempt.ladder, attempt.linger):
            if timer:
                timer.cancel()
        if attempt.dialogue:
            attempt.dialogue.close()
            self._go_slowly(attempt)
        elif orphans.has_left_nothing(process.pid, self._known):
            self._report(attempt, is_alone=True)
        elif self._left_by(attempt):
            self._go_slowly(attempt)
        else:
            self._report(attempt)

    def _go_slowly(self, attempt: Attempt) -> None:
        attempt.task = asyncio.get_running_loop().create_task(self._end_slowly(attempt))

    def _report(
        self,
        attempt: Attempt,
        reading: Reading | None = None,
        ended: tuple[str, ...] = (),
        *,
        is_alone: bool = False,
    ) -> None:
        """Everything of the attempt is gone: read its output, put its files away, and say so.

        `is_alone`: surely nobody has its files open any more, not even a daemon that hides from sweeps.
        """
        assert attempt.process, "what never started is reported elsewhere"
        if self._reaper:
            self._reaper.discard(attempt.process.pid)
        try:
            for file in attempt.files:
                file.note_end()
            self._show_new(attempt, is_over=True)
            exited = exit_of(attempt, now=self._now(), ended=ended)
            if reading:
                exited = with_answer(exited, attempt, reading)
        except OSError as error:
            exited = self._unknown(attempt, f"its output cannot be read or stored: {error}")
        effect = attempt.effect
        is_read = effect.keeps_file or effect.printed_bytes_max is not None or exited.exit_code != 0
        self._outputs.put_away(attempt.files, is_free=is_alone, keeps_empty=is_read)
        self._forget(attempt)
        self._emit(exited)

    def _unknown(self, attempt: Attempt, error: str | None, *, spent: Spent = UNKNOWN) -> Exited:
        """Return the exit of an attempt of which nothing is known but `error`, and the cost of one that never began."""
        return Exited(
            time=self._now(),
            at=attempt.effect.at,
            epoch=attempt.effect.epoch,
            stopped=attempt.stopped,
            error=error,
            spent=spent,
        )

    def _forget(self, attempt: Attempt) -> None:
        if attempt.has_folder:
            remove_private(self._values_of(attempt.effect))
        del self._attempts[attempt.effect.epoch]
        if not self._attempts:
            self._idle.set()

    # Starts that fail, and those that wait for room.

    @property
    def _started(self) -> int:
        return sum(attempt.process is not None for attempt in self._attempts.values())

    def _refused(self, attempt: Attempt, error: OSError) -> None:
        """The system refused a start: the command's own failure, or a lack of room that the run sits out or not."""
        reason = why_not(error, self._working_dir(attempt.effect))
        if error.errno in DISK:
            self._abandon(attempt, f"{attempt.effect.at} cannot start: {error.strerror}")
            return
        if error.errno not in EXHAUSTED:
            self._fail(attempt, reason)
            return
        self._backpressure.refused(self._started)
        delay_s = attempt.room_delay_s or ROOM_FIRST_DELAY_S
        if awake_s() + delay_s > attempt.asked_at + ROOM_S_MAX:
            self._abandon(attempt, reason)
            return
        self._try_later(attempt, delay_s)
        attempt.room_delay_s = min(2 * delay_s, ROOM_DELAY_S_MAX)

    def _abandon(self, attempt: Attempt, reason: str) -> None:
        """Stop the run: it is not this command's fault that it cannot start, so nothing has failed."""
        attempt.stopped = True
        self._give_up(reason)
        self._fail(attempt, None)

    def _try_later(self, attempt: Attempt, delay_s: float) -> None:
        attempt.discard_files()
        attempt.room_timer = self._later(delay_s, self._start, attempt)

    def _fail(self, attempt: Attempt, error: str | None) -> None:
        attempt.discard_files()
        attempt.room_timer = None
        # Later, because the caller of `spawn` may not be ready for a signal yet.
        asyncio.get_running_loop().call_soon(self._report_unstarted, attempt, error)

    def _report_unstarted(self, attempt: Attempt, error: str | None) -> None:
        self._forget(attempt)
        self._emit(self._unknown(attempt, error, spent=NOTHING))

    def _later(self, delay_s: float, callback: Callable[..., None], *args: Any) -> Timer:
        return Timer(asyncio.get_running_loop(), delay_s, callback, *args)

    def _working_dir(self, effect: Spawn) -> str:
        return os.path.join(self._directory, effect.working_dir) if effect.working_dir else str(self._directory)

    # Ending commands before their time, and what they leave behind.

    def _time_out(self, attempt: Attempt) -> None:
        attempt.limit = None
        if attempt.kill_at is None and not attempt.has_ended():
            attempt.outstayed = attempt.has_answered()
            attempt.timed_out = not attempt.outstayed
            self._begin_ladder(attempt)

    def _begin_ladder(self, attempt: Attempt) -> None:
        """Have a command end: SIGTERM, and SIGKILL `grace_s` from now; of that time claude is left most to do it well.

        Claude that has said its result has not heard that it may end, or is deaf: no word will help.
        """
        grace_s = attempt.effect.grace_s
        attempt.kill_at = awake_s() + grace_s
        if attempt.dialogue is None or attempt.dialogue.heard.has_result:
            self._climb(attempt, RUNGS, grace_s)
            return
        attempt.signal_group(signal.SIGCONT)
        attempt.dialogue.interrupt()
        patience_s = grace_s * INTERRUPT_SHARE
        attempt.ladder = self._later(patience_s, self._climb, attempt, RUNGS, grace_s - patience_s)

    def _climb(self, attempt: Attempt, rungs: Sequence[signal.Signals], pause_s: float) -> None:
        attempt.signal_group(rungs[0])
        attempt.signal_group(signal.SIGCONT)  # a stopped process hears a signal only when it goes on
        if rungs[1:]:
            attempt.ladder = self._later(pause_s, self._climb, attempt, rungs[1:], pause_s)

    def _left_by(self, attempt: Attempt) -> list[orphans.FoundProcess]:
        assert attempt.process, "what never started leaves nothing"
        return orphans.find_orphans(
            group=attempt.process.pid,
            marks=(b"PRODIGY_EPOCH=%d" % attempt.effect.epoch, self._run_mark),
            known=self._known,
        )

    async def _end_slowly(self, attempt: Attempt) -> None:
        """End what the command left behind, read the transcript of claude, then report."""
        ended = await self._end_left(attempt)
        reading = await self._read_answer(attempt, attempt.dialogue) if attempt.dialogue else None
        self._report(attempt, reading, ended)

    async def _end_left(self, attempt: Attempt) -> tuple[str, ...]:
        """End what is left, and return the warnings that name it."""
        await self._linger(attempt)
        grace_s = attempt.effect.grace_s if attempt.kill_at is None else attempt.kill_at - awake_s()
        ladder = orphans.Ladder(max(LEFT_GRACE_S_MIN, grace_s), awake_s)
        while True:
            if self._is_hurried:
                ladder.hurry()
            if ladder.is_over(left := self._left_by(attempt)):
                break
            await asyncio.sleep(LOOK_EVERY_S)
        ended = [str(found) for found in ladder.seen.values() if found not in left]
        warnings = [f"left running and ended: {', '.join(ended)}"] if ended else []
        if left:
            warnings.append(f"left running and not to be killed: {', '.join(map(str, left))}")
        return tuple(warnings)

    async def _linger(self, attempt: Attempt) -> None:
        """Give what is just finishing a moment.

        The `tee` of a `>(tee log)` has lines left to write, and what we have killed needs a moment to be
        gone.
        """
        until = awake_s() + LINGER_S
        while awake_s() < until and self._left_by(attempt):
            await asyncio.sleep(LINGER_S / 20)

    # The answer of claude.

    async def _read_answer(self, attempt: Attempt, dialogue: Dialogue) -> Reading:
        """Read the rest of the transcript off the loop's thread: it may be long."""
        code = attempt.exit_status()
        stderr = attempt.files[1].tail(STDERR_BYTES_MAX).text
        try:
            said = await asyncio.to_thread(dialogue.reading, exit_code=code if code >= 0 else None, stderr=stderr)
            return self._untested.told(said)
        except OSError as error:
            return Reading(error=f"its transcript cannot be read: {error}")

    def _listen(self, attempt: Attempt, dialogue: Dialogue) -> None:
        """Go on with the conversation; begin to lose patience when all is said, but claude may also go on to work."""
        dialogue.listen()
        if not dialogue.has_nothing_left and attempt.linger:
            attempt.linger.cancel()
            attempt.linger = None
        elif dialogue.has_nothing_left and not attempt.linger:
            attempt.linger = self._later(RESULT_GRACE_S, self._end_answered, attempt)

    def _end_answered(self, attempt: Attempt) -> None:
        if attempt.kill_at is None and not attempt.has_ended():
            attempt.outstayed = True
            self._begin_ladder(attempt)

    # While commands run.

    def _tick(self) -> None:
        """Show what is new, look for results, and now and then collect the dead that commands have left to us."""
        self._ticker, self._ticks = None, self._ticks + 1
        if not self._attempts:
            return
        if self._ticks % REAP_EVERY_TICKS == 0:
            orphans.reap_dead(self._known)
        for attempt in self._attempts.values():
            if attempt.process:
                self._show_new(attempt, is_over=False)
                self._see_to_its_length(attempt)
                self._see_to_its_work(attempt)
            if attempt.dialogue and attempt.process and attempt.process.returncode is None:
                self._listen(attempt, attempt.dialogue)
        self._ticker = asyncio.get_running_loop().call_later(SHOW_EVERY_S, self._tick)

    def _see_to_its_length(self, attempt: Attempt) -> None:
        """End what prints more than anybody will read."""
        limit = attempt.effect.printed_bytes_max
        if limit is None or attempt.kill_at is not None or attempt.has_ended():
            return
        if any(file.size_bytes > limit for file in attempt.files):
            self._begin_ladder(attempt)

    def _see_to_its_work(self, attempt: Attempt) -> None:
        """End what has given no sign of work for too long; claude that has said its result is not at work."""
        limit_s, dialogue = attempt.effect.idle_timeout_s, attempt.dialogue
        if limit_s is None or attempt.kill_at is not None or attempt.idle_s() < limit_s or attempt.has_ended():
            return
        if dialogue is None or not dialogue.has_nothing_left:
            attempt.is_idle = True
            self._begin_ladder(attempt)

    def _show_new(self, attempt: Attempt, *, is_over: bool) -> None:
        if self._show is None or attempt.effect.printed_bytes_max is not None:
            return
        for index, file in enumerate(attempt.files[:2]):
            skipped, data = file.unseen(is_over=is_over)
            if attempt.is_claude and index == 0:
                skipped, data = 0, narrate(data)
            if skipped:
                whole = self._run_folder / file.path
                data = os.fsencode(f"… {counted(skipped, 'byte')} not shown; all of it is in {whole}\n") + data
            if data:
                self._show(attempt.effect.at, attempt.files[1 - index].cut() + data)


def _clear(values: Path) -> None:
    with suppress(FileNotFoundError, NotADirectoryError):
        for name in os.listdir(values):
            remove_private(f"{values}/{name}")
