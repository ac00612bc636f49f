"""Give the reactor a world: an event loop, processes, timers, the operator's signals, the inbox.

Whatever happens becomes a signal in one queue. A callback drains it into one turn, and performs the effects that
the turn returned. Nothing awaits anything: between two callbacks the run is at rest, so Ctrl-C finds it in order.

    exits, timers, Ctrl-C, orders ─▶ queue ─▶ reactor.handle ─▶ effects ─▶ processes, timers, the end
"""

import asyncio
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import msgspec

from prodigy.errors import ProdigyError
from prodigy.kernel import effects as fx
from prodigy.kernel import signals as sig
from prodigy.kernel.events import CheckpointMarked, CommandFinished, Event, ItemSettled
from prodigy.kernel.ledger import NOTHING
from prodigy.kernel.queries import is_awaited
from prodigy.kernel.state import State
from prodigy.projections.steps import confirmation
from prodigy.runtime.clock import Leaps, now
from prodigy.runtime.host.alarms import Alarms
from prodigy.runtime.host.bell import Bell, Stops
from prodigy.runtime.host.defects import heard
from prodigy.runtime.host.deferred_exits import DeferredExits, is_doubtful
from prodigy.runtime.host.leaving import leave_soon
from prodigy.runtime.host.listing import Listing
from prodigy.runtime.host.reactor import Reactor, Record
from prodigy.runtime.operator_log import operator_log
from prodigy.runtime.orders.checkpointer import Checkpointer
from prodigy.runtime.orders.live_orders import signal_of
from prodigy.runtime.processes.commands import EXHAUSTED
from prodigy.runtime.processes.reaper import Reaper
from prodigy.runtime.processes.supervisor import Processes
from prodigy.runtime.timers import BEAT_S, beat, go_on
from prodigy.store.inbox import Taken, take
from prodigy.store.journal import Journal
from prodigy.store.layout import RunFolder

INBOX_INTERVAL_S = 0.25
CLOSING_S = 2.0  # for commands to be gone and told; what is left is then killed without being told
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


class Display(Protocol):
    """What a person sees of a run, and is asked. `user` is who they are, `operator` says how they answer too."""

    user: str
    operator: str

    def note(self, message: str) -> None:
        """Say something that is not an event."""

    def observe(self, state: State, turn: Sequence[Record]) -> None:
        """Show what happened; `state` is the state after it."""

    def show(self, at: str, chunk: bytes) -> None:
        """Show what a step printed."""

    def ask(self, question: str) -> bool | None:
        """Return the operator's yes or no, or None where there is nobody to ask."""


class Host:
    """One run, from the signals that make it move until it rests.

    Args:
        state: where the run stands, empty where it begins.
        folder: the run's own.
        directory: where relative names and commands begin.
        reaper: told which process groups run, where there is one.
        look_after: called as often as the inbox is looked into; what it raises ends the run.
    """

    def __init__(
        self,
        state: State,
        journal: Journal,
        *,
        folder: RunFolder,
        directory: Path,
        reaper: Reaper | None,
        checkpointer: Checkpointer,
        display: Display,
        look_after: Callable[[], None] = lambda: None,
    ) -> None:
        self._reactor = Reactor(state, journal, self._publish)
        self._journal = journal
        self._checkpointer = checkpointer
        self._inbox = folder.inbox
        self._display = display
        self._asked = ""
        self._look_after = look_after
        self._loop = asyncio.new_event_loop()
        self._end: asyncio.Future[None] = self._loop.create_future()
        self._alarms = Alarms(self._loop, ring=self.send, is_awaited=lambda alarm: is_awaited(self.state, alarm))
        self._deferred = DeferredExits(self._loop, self._judged)
        self._listing = Listing(directory, folder.path)
        self._processes = Processes(
            workflow_id=folder.path.name,
            run_folder=folder.path,
            directory=directory,
            emit=self._ended,
            now=now,
            give_up=self._give_up,
            show=display.show,
            reaper=reaper,
            gather=self._gather,
        )
        self._queue: deque[sig.Signal] = deque()
        self._is_turning = False
        self._unseen: list[tuple[State, Sequence[Record]]] = []
        self._holds = False
        self._unwitnessed: set[type[Event]] = {CommandFinished, ItemSettled}  # results of which there was none yet
        self._held: dict[int, fx.Spawn] = {}
        self._ignores_hangup = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        self._before: Any = signal.SIG_DFL
        self._stops = 0
        self._bell = Bell(self._rung, self._meet_stop)
        self._heard = Stops()
        self._leaps = Leaps()
        self._failure: BaseException | None = None

    @property
    def state(self) -> State:
        """Where the run stands, as its log has it."""
        return self._reactor.state

    def run(self, *orders: sig.Signal) -> State:
        """Play the run until it rests and return its state; its last checkpoint is written.

        The orders make it move, and are answered in one turn.

        Raises:
            StorageFailure: the log refused a turn; everything was ended at once.
            Exception: something of ours failed, wherever; everything was ended at once.
        """
        with heard(self._loop, self._crash):
            try:
                self._listen()
                for order in orders:
                    self.send(order)
                self._loop.run_until_complete(self._end)
            except BaseException:
                with suppress(Exception):
                    self._close()
                raise
            self._close()
        if self._failure is not None:
            raise self._failure
        return self.state

    def send(self, signal_: sig.Signal) -> None:
        """Queue a signal; it is answered in the next turn."""
        self._queue.append(signal_)
        if not self._is_turning:
            self._is_turning = True
            self._loop.call_soon(self._turn)

    def _gather(self, emit_all: Callable[[], None]) -> None:
        """Let everything be told that has ended at one moment, and answer all of it in one turn, now."""
        is_due, self._is_turning = self._is_turning, True  # nobody need ask for a turn
        try:
            emit_all()
        finally:
            self._is_turning = is_due
        if self._queue:
            self._turn()

    def _ended(self, end: sig.Exited) -> None:
        """Hear of a command's end at once, or in a moment where a stop on its way may explain it."""
        if is_doubtful(end) and not self.state.stopping:
            self._deferred.keep(end)
        else:
            self._tell(end)

    def _judged(self, end: sig.Exited) -> None:
        self._tell(msgspec.structs.replace(end, time=now()))

    def _tell(self, end: sig.Exited) -> None:
        if self._listing.awaits(end):
            self._listing.read(end, partial(self._soon, self._listed))
        else:
            self.send(end)

    def _give_up(self, reason: str) -> None:
        """Stop the run because nothing can be started for minutes now; what waits is interrupted, not failed."""
        self._display.note(reason)
        self.send(sig.StopRequested(time=now(), by="lack of resources"))

    def _meet_stop(self, number: signal.Signals) -> None:
        """Know of a stop before any end is heard: whoever signalled us may have signalled the commands too.

        So what has failed a moment ago, and is not in the log, was stopped. Called between any two steps of ours.
        """
        if number not in STOP_SIGNALS or (number == signal.SIGHUP and self._ignores_hangup):
            return
        self._processes.meet_stop()
        for place, end in enumerate(self._queue):
            if (
                isinstance(end, sig.Exited)
                and (end.timed_out_s or end.idle_s) is None
                and (end.exit_code or end.signal)
            ):
                self._queue[place] = msgspec.structs.replace(end, stopped=True)

    def _turn(self) -> None:
        self._is_turning = False
        signals = list(self._queue)
        self._queue.clear()
        if self._failure is not None:
            return  # nothing more is said in the log: what we see may be as broken as we are
        began = time.monotonic()
        effects = self._reactor.handle(signals)
        took_ms = round(1000 * (time.monotonic() - began), 3)
        operator_log().debug("turn", signals=len(signals), effects=len(effects), seq=self.state.seq, took_ms=took_ms)
        asked = [effect for effect in effects if isinstance(effect, fx.Ask)]
        for effect in effects:
            if not isinstance(effect, fx.Ask):
                self._perform(effect)
        self._observe()
        for question in asked:
            self._perform(question)

    def _crash(self, failure: BaseException) -> None:
        """End everything now: the log refused a turn, or something of ours is broken."""
        self._failure = self._failure or failure
        if not self._end.done():
            self._end.set_result(None)
        with suppress(Exception):  # that may be what is broken; closing does it once more, another way
            self._processes.kill_all()

    def _publish(self, state: State, turn: Sequence[Record]) -> None:
        self._holds = any(isinstance(event, CheckpointMarked) and event.label for _, event in turn)
        self._checkpointer.publish(state, self._journal.position.chain)
        if first := self._unwitnessed.intersection(type(event) for _, event in turn):
            self._unwitnessed -= first
            self._holds = True  # or what begins now might remove the state before anything else knows of the result
            self._checkpointer.when_written(state.seq, lambda: None, is_mirrored=True)
        self._unseen.append((state, turn))

    def _observe(self) -> None:
        """Show what has happened: after the starts, so that commands run while we print."""
        for state, turn in self._unseen:
            self._display.observe(state, turn)
        self._unseen.clear()

    def _perform(self, effect: fx.Effect) -> None:
        match effect:
            case fx.Spawn():
                self._spawn(effect)
            case fx.Reject():
                self.send(
                    sig.Exited(
                        time=now(),
                        at=effect.at,
                        epoch=effect.epoch,
                        error=effect.reason,
                        is_final=effect.is_final,
                        spent=NOTHING,
                    )
                )
            case fx.Terminate():
                self._terminate(effect)
            case fx.Sleep():
                self._alarms.set(sig.TimerFired(time="", at=effect.at, attempt=effect.attempt), effect.delay_s)
            case fx.List():
                self._listing.start(effect, partial(self._soon, self._listed))
            case fx.RejectList():
                self.send(sig.Listed(time=now(), at=effect.at, error=effect.reason))
            case fx.Limit():
                self._alarms.set(sig.LimitFired(time="", at=effect.at, attempt=effect.attempt), effect.delay_s)
            case fx.Wake():
                wake = sig.WakeFired(time="", at=effect.at, number=effect.number)
                self._alarms.set(wake, effect.delay_s)
            case fx.Ask():
                self._ask(effect.at)
            case fx.Finish():
                if not self._end.done():
                    self._end.set_result(None)

    def _spawn(self, effect: fx.Spawn) -> None:
        """Start a command, once the checkpoint file is current where the workflow asks for that."""
        if not (self._holds or effect.after_checkpoint):
            self._processes.spawn(effect)
            return
        self._held[effect.epoch] = effect
        self._checkpointer.when_written(self.state.seq, partial(self._soon, self._release, effect.epoch))

    def _soon(self, call: Callable[..., None], *arguments: object) -> None:
        """Call back from another thread; when the run is over nobody waits for it."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(call, *arguments)

    def _release(self, epoch: int) -> None:
        if effect := self._held.pop(epoch, None):
            self._processes.spawn(effect)

    def _terminate(self, effect: fx.Terminate) -> None:
        if self._held.pop(effect.epoch, None):
            self.send(sig.Exited(time=now(), at=effect.at, epoch=effect.epoch, stopped=True, spent=NOTHING))
        elif not self._deferred.release(effect.epoch):
            self._processes.terminate(effect.epoch)

    def _listed(self, answer: sig.Listed | fx.Spawn) -> None:
        if isinstance(answer, fx.Spawn):
            self._processes.spawn(answer)
        else:
            self.send(msgspec.structs.replace(answer, time=now()))

    def _ask(self, at: str) -> None:
        """Ask from a thread of its own, for a person may take all night and the run must hear Ctrl-C."""
        self._asked = at
        threading.Thread(target=self._listen_for_answer, args=(confirmation(self.state, at),), daemon=True).start()

    def _listen_for_answer(self, question: str) -> None:
        self._soon(self._hear, self._display.ask(question))

    def _hear(self, answer: bool | None) -> None:
        """Take a person's word as the answer to what was asked last, whoever listened for it.

        An earlier question may have been answered from elsewhere, and its thread hears the next word. If nothing is
        open the kernel passes it over.
        """
        self._answer(self._asked, answer, self._display.operator)

    def _answer(self, at: str, is_confirmed: bool | None, by: str) -> None:
        self.send(sig.Answered(time=now(), at=at, is_confirmed=is_confirmed, by=by))

    def _listen(self) -> None:
        """Hear the operator: signals, even where they were inherited as ignored (but for nohup's), and the inbox."""
        self._bell.start((*STOP_SIGNALS, signal.SIGTSTP))
        self._before = signal.signal(signal.SIGCONT, self._continued) or signal.SIG_DFL
        self._loop.call_later(INBOX_INTERVAL_S, self._look_into_inbox)
        self._beat()

    def _rung(self, number: signal.Signals) -> None:
        """Called by the bell's thread."""
        if number == signal.SIGTSTP:
            self._soon(self._suspend)
        elif (number != signal.SIGHUP or not self._ignores_hangup) and self._heard.take(number):
            self._soon(self._stop, number.name)
            if self._heard.count == 2:
                leave_soon(self._heard.first, self._display.note)

    def _stop(self, by: str) -> None:
        self._stops += 1
        if self._stops == 1:
            self.send(sig.StopRequested(time=now(), by=by))
        else:
            self._display.note("ending everything at once")
            self._processes.kill_all()

    def _suspend(self) -> None:
        """Ctrl-Z: whatever runs stops with us, and goes on with us; we may know of it before SIGCONT is heard."""
        self._processes.suspend()
        os.kill(os.getpid(), signal.SIGSTOP)
        self._rested(self._processes.resume_all())

    def _continued(self, _number: int, _frame: object) -> None:
        """SIGCONT: know of the rest before a timer does; called between any two steps of the main thread."""
        self._soon(self._rested, go_on())

    def _rested(self, rested_s: float) -> None:
        self.send(sig.Rested(time=now(), rested_s=round(rested_s, 3)))

    def _beat(self) -> None:
        beat()
        if leapt_s := self._leaps.leapt_s():
            self._rested(leapt_s)
        self._loop.call_later(BEAT_S, self._beat)

    def _look_into_inbox(self) -> None:
        self._look_after()
        try:
            taken = take(self._inbox)
        except (ProdigyError, OSError) as problem:
            if not _lacks_room(problem):
                self._display.note(f"the inbox cannot be read any more: {problem}")
                return
        else:
            self._obey(taken)
        self._loop.call_later(INBOX_INTERVAL_S, self._look_into_inbox)

    def _obey(self, taken: Taken) -> None:
        for sentence in taken.refused:
            self._display.note(sentence)
        for order in taken.orders:
            try:
                self.send(signal_of(order, self.state))
            except ProdigyError as problem:
                self._display.note(problem.message)

    def _close(self) -> None:
        """Leave nothing behind: no timer, no process, no handler; the checkpoint file is the last."""
        with ExitStack() as closing:
            closing.callback(self._bell.close)
            closing.callback(signal.signal, signal.SIGCONT, self._before)
            closing.callback(self._loop.close)
            closing.callback(self._checkpointer.close)
            closing.callback(self._end_processes)
            self._alarms.close()
            self._deferred.close()

    def _end_processes(self) -> None:
        """End what is left, in good order if that can be."""
        ending = self._loop.create_task(self._processes.close())
        self._loop.run_until_complete(asyncio.wait([ending], timeout=CLOSING_S))
        if not ending.done() or self._failure is not None:
            self._processes.abandon()


def _lacks_room(problem: Exception) -> bool:
    """Whether the system had no room just now, such as no free descriptor: the next look finds what waits."""
    cause = problem.__cause__ or problem
    return isinstance(cause, OSError) and cause.errno in EXHAUSTED
