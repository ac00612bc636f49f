"""A world without processes, disks or clocks, in which a run can be crashed at every append.

The kernel, the reactor, the framing of the log and its recovery are the real ones. What is played is
what they meet: commands end as a script says, time jumps to the next timer, the disk is a bytearray that
remembers what was synced. A command's end depends only on its address and attempt, so a run that was crashed
and resumed can be compared with one that was not. Which of several ends first is drawn from a seed; or, in a world with
`is_timed`, how long each takes is drawn, and commands end and timers fire when they are due. Timers are never taken
back: the kernel must know those that nobody awaits any more.
"""

import random
from binascii import crc32
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import msgspec

from prodigy.kernel import effects as fx
from prodigy.kernel import signals as sig
from prodigy.kernel.events import Event
from prodigy.kernel.evolve import fold
from prodigy.kernel.fault import Fault
from prodigy.kernel.ledger import NOTHING
from prodigy.kernel.state import State
from prodigy.plan.address import item_of
from prodigy.plan.nodes import Plan
from prodigy.plan.spelling import as_number
from prodigy.runtime.host.reactor import Reactor, Record
from prodigy.store.log import START, Position, Scan, frame
from tests.simulation.bank import Bank

CrashMode = Literal["before", "torn", "after", "power"]
CRASH_MODES: tuple[CrashMode, ...] = ("before", "torn", "after", "power")
STEPS_MAX = 10_000
LASTS_S_MAX = 20


class Crash(Exception):
    """The coordinator died here."""


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """How a scripted command ends; `hangs` until it is stopped; `is_final`: no further attempt can help.

    Claude meets first, once each, what is `no_fault` of its step.
    """

    exit_code: int | None = 0
    signal: str | None = None
    timed_out_s: float | None = None
    is_final: bool = False
    output: str = ""
    stderr: str = ""
    hangs: bool = False
    no_fault: tuple[Fault, ...] = ()


OK = Ending()


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """A command that the world was told to run; `text` is what it would have run."""

    at: str
    attempt: int
    epoch: int
    text: str
    variables: dict[str, str] = {}


class Disk:
    """One log file: its bytes, and how many of them would survive a power loss.

    It continues from `start`, where history had led to `base`.
    """

    def __init__(self, start: Position = START, base: State | None = None) -> None:
        self.start = start
        self.base = base or State()
        self.data = bytearray()
        self.synced = 0
        self.appends = 0
        self.crash_at: int | None = None
        self.crash_mode: CrashMode = "after"

    def append(self, data: bytes, *, sync: bool) -> None:
        self.appends += 1
        if self.appends == self.crash_at:
            self._crash(data)
        self.data += data
        if sync:
            self.synced = len(self.data)

    def _crash(self, data: bytes) -> None:
        match self.crash_mode:
            case "before":
                pass
            case "torn":
                self.data += data[: len(data) * 2 // 3]
            case "after":
                self.data += data
            case "power":
                del self.data[self.synced :]
        raise Crash

    def recover(self) -> None:
        """Cut an unfinished turn, as the store does, and sync."""
        torn = Scan([bytes(self.data)], self.start).verify().torn
        if torn:
            del self.data[torn.offset :]
        self.synced = len(self.data)


class FakeJournal:
    """The real framing on a fake disk."""

    def __init__(self, disk: Disk) -> None:
        self.disk = disk
        self.position: Position = Scan([bytes(disk.data)], disk.start).verify().end

    def append(self, turn: Sequence[Record], *, sync: bool) -> Sequence[Record]:
        data, position = frame(
            self.position, [(time, msgspec.json.encode(event, enc_hook=as_number)) for time, event in turn]
        )
        self.disk.append(data, sync=sync)
        self.position = position
        return turn


def history(disk: Disk) -> Iterator[Record]:
    """Yield the (time, event) of every committed record."""
    decoder = msgspec.json.Decoder(Event)
    for record in Scan([bytes(disk.data)], disk.start):
        yield record.time, decoder.decode(record.line)


def state_on(disk: Disk) -> State:
    """Return the state that a disk holds."""
    return fold(disk.base, history(disk))


class World:
    """Plays one run, over any number of crashes, stops and resumes."""

    def __init__(
        self, plan: Plan, script: dict[str, list[Ending]] | None = None, *, seed: int = 0, is_timed: bool = False
    ) -> None:
        self.plan = plan
        self.script = script or {}
        self.disk = Disk()
        self.starts: list[Start] = []
        self.turns = 0
        self.effects = 0
        self.number = 0
        self.bank = Bank()
        self.now = datetime(2026, 1, 31, 9, tzinfo=UTC)
        self.watch: Callable[[World, fx.Effect], None] = lambda world, effect: None
        self.orders: list[sig.Signal] = []
        self.answers: dict[str, bool | None] = {}
        self.items: list[Any] = []
        self.reached: Ending | None = None  # how a stop that reaches the commands too ends them
        self.reaches_commands_first = False
        self.look: Callable[[World], None] = lambda world: None  # after every turn, before anything else happens
        self._seed = seed
        self._is_timed = is_timed
        self._random = random.Random(seed)
        self._met: dict[str, int] = {}
        self._running: dict[int, fx.Spawn] = {}
        self._ends: dict[int, datetime] = {}  # in a timed world: when what runs will end
        self._waiting: list[tuple[datetime, fx.Sleep | fx.Limit | fx.Wake]] = []
        self._reactor: Reactor | None = None

    @property
    def state(self) -> State:
        assert self._reactor is not None, "nothing was cooked yet"
        return self._reactor.state

    def time(self) -> str:
        return self.now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def cook(self, **changes: Any) -> State:
        """Start the run and play until it rests."""
        self._reactor = self._boot(State())
        self.number += 1
        return self._play(
            sig.CookRequested(
                time=self.time(),
                workflow_id="demo-000001",
                workflow_path="demo.yaml",
                workflow_text="",
                directory="/project",
                number=self.number,
                plan=self.plan,
                prodigy_version="0",
                **changes,
            )
        )

    def resume(self, **changes: Any) -> State:
        """Recover from the disk alone, and play until the run rests; a run whose first turn was lost is cooked.

        What was running when the coordinator died ends late, and badly: those exits are nobody's any more.
        """
        self.orders = [
            sig.Exited(time=self.time(), at=spawn.at, epoch=spawn.epoch, exit_code=99, stderr="a late exit")
            for spawn in self._running.values()
        ]
        self._running.clear()
        self._waiting.clear()
        self.disk.recover()
        state = state_on(self.disk)
        if state.origin is None:
            return self.cook()
        self._reactor = self._boot(state)
        self.number += 1
        self.reached = None
        return self._play(
            sig.ResumeRequested(time=self.time(), number=self.number, spent=self.bank.left(state), **changes)
        )

    def travel(self, disk: Disk, **changes: Any) -> State:
        """Go on in another log file, as going back and forking do. A first turn that is lost leaves all as it was."""
        self.disk = disk
        return self.resume(**changes)

    def rest(self, seconds: float) -> None:
        """Let the coordinator stand still: limits rest with it, waits pass."""
        self.now += timedelta(seconds=seconds)
        self._waiting = [
            (due + timedelta(seconds=seconds) if isinstance(wait, fx.Limit) else due, wait)
            for due, wait in self._waiting
        ]
        self.orders.append(sig.Rested(time=self.time(), rested_s=seconds))

    def at_work(self) -> set[str]:
        """Return the addresses of what runs, waits to be tried again, or has an end that nobody has heard of."""
        asleep = {wait.at for _, wait in self._waiting if isinstance(wait, fx.Sleep)}
        ended = {order.at for order in self.orders if isinstance(order, sig.Exited)}
        return {spawn.at for spawn in self._running.values()} | asleep | ended

    def running(self) -> set[str]:
        """Return the addresses of the commands that run."""
        return {spawn.at for spawn in self._running.values()}

    def cut_off(self) -> None:
        """Take the state that the disk has, without going on: the run had come to rest before it crashed."""
        self._reactor = self._boot(state_on(self.disk))

    def _boot(self, state: State) -> Reactor:
        return Reactor(state, FakeJournal(self.disk), lambda state, turn: None)

    def _play(self, first: sig.Signal) -> State:
        assert self._reactor is not None
        signals: list[sig.Signal] = [first]
        while signals:
            self.turns += 1
            assert self.turns < STEPS_MAX, "the run does not come to rest"
            for effect in self._reactor.handle(signals):
                self._perform(effect)
                self.effects += 1
                self.watch(self, effect)
            self.look(self)
            signals = self._next()
        return self.state

    def _perform(self, effect: fx.Effect) -> None:
        match effect:
            case fx.Spawn():
                self._running[effect.epoch] = effect
                self.bank.begin(effect)
                self._ends[effect.epoch] = self.now + timedelta(seconds=self._lasts_s(effect))
                text = effect.command.script if isinstance(effect.command, fx.RenderedShell) else effect.command.prompt
                values = effect.command.variables if isinstance(effect.command, fx.RenderedShell) else {}
                self.starts.append(
                    Start(at=effect.at, attempt=effect.attempt, epoch=effect.epoch, text=text, variables=values)
                )
            case fx.Reject():
                self.orders.append(
                    sig.Exited(
                        time=self.time(),
                        at=effect.at,
                        epoch=effect.epoch,
                        error=effect.reason,
                        is_final=effect.is_final,
                        spent=NOTHING,
                    )
                )
            case fx.Terminate():
                if spawn := self._running.pop(effect.epoch, None):
                    self.orders.append(self._stopped(spawn))
            case fx.List():
                keys = tuple(map(str, self.items))
                note = "" if keys else "nothing matched"
                listed = sig.Listed(time=self.time(), at=effect.at, keys=keys, items=tuple(self.items), note=note)
                self.orders.append(listed)
            case fx.RejectList():
                self.orders.append(sig.Listed(time=self.time(), at=effect.at, error=effect.reason))
            case fx.Ask():
                self.orders.append(
                    sig.Answered(
                        time=self.time(), at=effect.at, is_confirmed=self.answers.get(effect.at, True), by="somebody"
                    )
                )
            case fx.Sleep() | fx.Limit() | fx.Wake():
                self._waiting.append((self.now + timedelta(seconds=effect.delay_s), effect))
            case fx.Finish():
                self._running.clear()
                self._waiting.clear()

    def _next(self) -> list[sig.Signal]:
        """Return what happens next: an order, else one of the ends that are possible now, else the next timer."""
        if self.reached and self.reaches_commands_first:
            self.reaches_commands_first = False
            dead, self._running = list(self._running.values()), {}
            return [*map(self._stopped, dead), sig.StopRequested(time=self.time(), by="SIGTERM")]
        if self.orders:
            return [self.orders.pop(0)]
        self._waiting.sort(key=lambda entry: entry[0])
        if spawn := self._next_end():
            del self._running[spawn.epoch]
            self.now = self._ends[spawn.epoch] if self._is_timed else self.now + timedelta(seconds=1)
            return [self._exited(spawn)]
        if self._waiting:
            due, wait = self._waiting.pop(0)
            self.now = max(self.now, due)
            if isinstance(wait, fx.Wake):
                return [sig.WakeFired(time=self.time(), at=wait.at, number=wait.number)]
            fired = sig.TimerFired if isinstance(wait, fx.Sleep) else sig.LimitFired
            return [fired(time=self.time(), at=wait.at, attempt=wait.attempt)]
        return []

    def _next_end(self) -> fx.Spawn | None:
        """Return the command that ends next, unless a timer of a timed world is due before it."""
        ending = [spawn for spawn in self._running.values() if not self._ending(spawn).hangs]
        if not ending or not self._is_timed:
            return self._random.choice(ending) if ending else None
        spawn = min(ending, key=lambda spawn: self._ends[spawn.epoch])
        return None if self._waiting and self._waiting[0][0] < self._ends[spawn.epoch] else spawn

    def _lasts_s(self, spawn: fx.Spawn) -> int:
        """Return how long a command takes in a timed world: the same whenever it begins again."""
        return 1 + crc32(f"{self._seed} {spawn.at} {spawn.attempt}".encode()) % LASTS_S_MAX

    def _stopped(self, spawn: fx.Spawn) -> sig.Exited:
        """Return the end of a command that the stop ended: by our own hand, or because it reached the command too."""
        if self.reached is None:
            return sig.Exited(
                time=self.time(),
                at=spawn.at,
                epoch=spawn.epoch,
                signal="SIGTERM",
                stopped=True,
                spent=self.bank.end(spawn, has_result=False),
            )
        code, signal = self.reached.exit_code, self.reached.signal
        return sig.Exited(
            time=self.time(),
            at=spawn.at,
            epoch=spawn.epoch,
            exit_code=None if signal else code,
            signal=signal,
            spent=self.bank.end(spawn, has_result=False),
        )

    def _ending(self, spawn: fx.Spawn) -> Ending:
        endings = self.script.get(spawn.at, [OK])
        item = item_of(spawn.at) if self._is_timed and spawn.at not in self.plan.nodes else None
        before = self.state.node(item).attempt - 1 if item else 0  # attempts of the item, each of which goes otherwise
        return endings[min(before + spawn.attempt, len(endings)) - 1]

    def _exited(self, spawn: fx.Spawn) -> sig.Exited:
        ending = self._ending(spawn)
        met = self._met.get(spawn.at, 0)
        if ending.no_fault[met:]:
            self._met[spawn.at] = met + 1
            return sig.Exited(
                time=self.time(),
                at=spawn.at,
                epoch=spawn.epoch,
                exit_code=1,
                error=f"met {ending.no_fault[met]}",
                fault=ending.no_fault[met],
                spent=self.bank.end(spawn, has_result=True),
            )
        return sig.Exited(
            time=self.time(),
            at=spawn.at,
            epoch=spawn.epoch,
            exit_code=ending.exit_code if ending.signal is None and ending.timed_out_s is None else None,
            signal=ending.signal or ("SIGTERM" if ending.timed_out_s is not None else None),
            timed_out_s=ending.timed_out_s,
            is_final=ending.is_final,
            output=ending.output,
            stderr=ending.stderr,
            output_file=f"outputs/{spawn.epoch}.out",
            duration_s=1.0,
            spent=self.bank.end(spawn, has_result=ending.signal is None),
        )


def meaning(state: State) -> dict[str, Any]:
    """Return what a run came to, without what legitimately differs after a crash: seqs, times, versions, files."""
    nodes = {
        at: {
            "status": str(node.status),
            "attempt": node.attempt,
            "exit_code": node.exit_code,
            "error": node.error,
            "output": node.output,
        }
        for at, node in sorted(state.nodes.items())
    }
    return {
        "status": state.status,
        "nodes": nodes,
        "captures": dict(state.captures),
        "outputs": dict(state.outputs),
        "failed_at": state.failed_at or "",
        "failure": state.failure,
    }


def reached_at(moment: int, ending: Ending, *, commands_first: bool) -> Callable[[World, fx.Effect], None]:
    """Return a watcher that stops the run once, at an effect, and every command with it: it dies of the same signal."""

    def watch(world: World, effect: fx.Effect) -> None:
        if world.effects - 1 == moment:
            world.reached, world.reaches_commands_first = ending, commands_first
            if not commands_first:
                world.orders.append(sig.StopRequested(time=world.time(), by="SIGTERM"))

    return watch


def stopped_at(at: str, attempt: int | None = None) -> Callable[[World, fx.Effect], None]:
    """Return a watcher that stops the run once, when the command at `at` starts (for its `attempt`-th try)."""
    is_due = True

    def watch(world: World, effect: fx.Effect) -> None:
        nonlocal is_due
        if is_due and isinstance(effect, fx.Spawn) and effect.at == at and attempt in (None, effect.attempt):
            is_due = False
            world.orders.append(sig.StopRequested(time=world.time(), by="SIGINT"))

    return watch
