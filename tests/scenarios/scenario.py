"""Read a scenario, play it, and tell what happened in words that a person can check.

A scenario is one text file. It begins with what to check, in prose; the rest are parts, each below a line `--- part`:

    workflow    the YAML
    world       ADDRESS: END, END, …   how attempts 1, 2, … end; the last END holds for all later ones
                END is  ok [TEXT] | exit N [TEXT] | killed SIGNAL | timeout SECONDS | hangs;  TEXT is what it prints
                or in-vain [TEXT]: no further attempt can help; or, of claude, meets FAULT …, once each, and then ok
    items       what a map's input lists, one a line; each is its own key
    edited      the YAML after `edit`
    actions     cook | resume [--max-retries N] [--yes ADDRESS] [--accept-changes] [--from-checkpoint WHERE]
                dlq retry KEY … [--no-reduce] | fork WHERE [NAME=VALUE …]
                answer ADDRESS yes|no|nobody | edit | wait SECONDS | mend ADDRESS: from now on it succeeds
                cook, resume and fork may end in  when ADDRESS[#ATTEMPT] starts|waits DO [and …], where
                DO is  stop | kill | rest SECONDS | purge KEY … | retry KEY …  (and from then on all succeeds)
                who is asked says yes, until `answer` says otherwise
    transcript  `>` is the operator, `$` a command that starts; everything else is an event

A workflow without a world succeeds throughout.
"""

import shlex
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from prodigy.kernel import effects as fx
from prodigy.kernel import events as ev
from prodigy.kernel import signals as sig
from prodigy.kernel.align import align
from prodigy.plan.compile import compile_workflow
from prodigy.plan.nodes import Plan
from prodigy.store.layout import RunFolder
from prodigy.store.log import Position
from prodigy.store.restore_points import RestorePoint, find_restore_point
from tests.simulation.world import Crash, Disk, Ending, Start, World, history, state_on

ANSWERS = {"yes": True, "no": False, "nobody": None}
SILENT = (ev.RunStarted, ev.NodeStarted, ev.CommandStarted, ev.NodeContinued)


class Scenario(NamedTuple):
    """A parsed file; parts are texts without their headings."""

    check: str
    workflow: str
    world: str
    actions: str
    items: str
    edited: str
    transcript: str


def read(path: Path) -> Scenario:
    """Return the parts of a scenario file."""
    return parse(path.read_text())


def parse(text: str) -> Scenario:
    """Return the parts of a scenario."""
    check, *rest = ("\n" + text).split("\n--- ")
    parts = dict(part.partition("\n")[::2] for part in rest)
    names = ("workflow", "world", "actions", "items", "edited", "transcript")
    assert parts.keys() <= set(names), f"unknown part in {sorted(parts)}"
    return Scenario(check.strip(), *(parts.get(name, "") for name in names))


def write(path: Path, scenario: Scenario, transcript: str) -> None:
    """Put a new transcript into a scenario's file."""
    head = path.read_text().partition("--- transcript\n")[0].rstrip("\n")
    path.write_text(f"{head}\n\n--- transcript\n{transcript}")


def play(scenario: Scenario) -> str:
    """Return the transcript of a scenario."""
    return Play(scenario).transcript()


class Play:
    """One scenario being played."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.plan = compiled(scenario.workflow)
        self.world = World(self.plan, endings(scenario.world))
        self.world.items = scenario.items.split()
        self.file: Plan | None = None
        self.told = 0
        self.logs = [self.world.disk]
        self.lines: list[str] = []

    def transcript(self) -> str:
        """Do what the operator does, and return what happened."""
        for action in self.scenario.actions.strip().splitlines():
            self.lines.append(f"> {action}")
            words, _, moment = action.partition(" when ")
            self._act(shlex.split(words), [one.split() for one in moment.split(" and ") if one])
        return "".join(f"{line}\n" for line in self.lines)

    def _act(self, words: list[str], moments: list[list[str]]) -> None:
        if words == ["edit"]:
            self.file = compiled(self.scenario.edited)
            return
        if words[0] == "mend":
            del self.world.script[words[1]]
            return
        if words[0] == "wait":
            self.world.now += timedelta(seconds=int(words[1]))
            return
        if words[0] == "answer":
            self.world.answers[words[1]] = ANSWERS[words[2]]
            return
        self.world.watch = self._watch(moments)
        try:
            if words[0] == "cook":
                self.world.cook()
            elif words[0] == "dlq":
                self._requeue([word for word in words[2:] if word != "--no-reduce"], reduces="--no-reduce" not in words)
            elif words[0] == "fork":
                self._fork(words[1], dict(word.split("=", 1) for word in words[2:]))
            else:
                self._resume(words[1:])
        except Crash:
            self.world.disk.recover()
            self._tell()
            self.lines.append("killed")
            return
        self._tell()

    def _resume(self, options: list[str]) -> None:
        retries = int(options[options.index("--max-retries") + 1]) if "--max-retries" in options else None
        answers = {options[options.index("--yes") + 1]: True} if "--yes" in options else {}
        state, travel = state_on(self.world.disk), dict[str, Any]()
        if "--from-checkpoint" in options:
            found = self._moment(options[options.index("--from-checkpoint") + 1])
            state, travel = found.state, {"disk": _disk(found), "rewind": self._rewind(found)}
        revision = None
        if self.file is not None and self.file.digest != state.plan.digest:
            alignment = align(state, self.file)
            if alignment.conflicts and "--accept-changes" not in options:
                self.lines += [f"refused: {sentence}" for sentence in alignment.conflicts]
                return
            revision = sig.Revision(plan=self.file, workflow_text="", moved=alignment.moved, dropped=alignment.dropped)
        order: dict[str, Any] = {"max_retries": retries, "answers": answers, "revision": revision}
        if not travel:
            self.world.resume(**order)
            return
        self._turn_to(travel["disk"])
        self.world.travel(**travel, **order)

    def _requeue(self, keys: list[str], *, reduces: bool) -> None:
        self.world.resume(requeue=sig.Requeue(at="map", keys=tuple(keys), reduces=reduces))

    def _fork(self, where: str, variables: dict[str, str]) -> None:
        found = self._moment(where)
        fork = sig.Fork(workflow_id="demo-000002", from_workflow_id="demo-000001", variables=variables)
        disk = _disk(found)
        self._turn_to(disk)
        self.world.travel(disk, fork=fork)

    def _turn_to(self, disk: Disk) -> None:
        self.logs.append(disk)
        self.told = disk.start.seq

    def _moment(self, where: str) -> RestorePoint:
        """Return a moment of the run, as the store finds it in its files."""
        with TemporaryDirectory() as path:
            folder = RunFolder(Path(path))
            for generation, disk in enumerate(self.logs, start=1):
                folder.events(generation).write_bytes(disk.data)
            return find_restore_point(folder, where)

    def _rewind(self, found: RestorePoint) -> sig.Rewind:
        return sig.Rewind(
            generation=len(self.logs) + 1,
            parent=found.generation,
            from_seq=found.seq,
            from_chain=found.chain,
            version=max(state_on(disk).version for disk in self.logs),
            reason="resume --from-checkpoint",
            by="somebody",
            target=found.target,
        )

    def _watch(self, moments: list[list[str]]) -> Callable[[World, fx.Effect], None]:
        due = list(moments)

        def watch(world: World, effect: fx.Effect) -> None:
            if not due or not isinstance(effect, fx.Spawn if due[0][1] == "starts" else fx.Sleep):
                return
            at, _, attempt = due[0][0].partition("#")
            assert isinstance(effect, fx.Spawn | fx.Sleep)
            if effect.at != at or (attempt and effect.attempt != int(attempt)):
                return
            what, *rest = due.pop(0)[2:]
            if what == "kill":
                raise Crash
            if what == "rest":
                world.rest(float(*rest))
                return
            if what in ("retry", "purge"):
                world.script = {} if what == "retry" else world.script
                world.orders.append(_about_dead_letters(what, world.time(), tuple(rest)))
                return
            world.orders.append(sig.StopRequested(time=world.time(), by="SIGINT"))

        return watch

    def _tell(self) -> None:
        """Add a line for every event since the last time; a command's line has what it was given."""
        given = {start.epoch: start for start in self.world.starts}
        disk = self.world.disk
        for seq, (_, event) in enumerate(history(disk), start=disk.start.seq + 1):
            if seq <= self.told:
                continue
            self.told = seq
            if isinstance(event, ev.CommandStarted):
                self.lines.append(command_line(event, given.get(seq)))
            elif line := sentence(event):
                self.lines.append(line)


def _about_dead_letters(what: str, time: str, keys: tuple[str, ...]) -> sig.Signal:
    """Return the order to a live run to put dead letters back, or to give them up."""
    if what == "retry":
        return sig.RequeueRequested(time=time, at="map", keys=keys, by="somebody")
    return sig.PurgeRequested(time=time, at="map", keys=keys, by="somebody", is_live=True)


def _disk(found: RestorePoint) -> Disk:
    return Disk(Position(found.seq, found.chain), found.state)


def compiled(text: str) -> Plan:
    return compile_workflow(text.encode(), file="workflow.yml")


def endings(text: str) -> dict[str, list[Ending]]:
    """Return how the commands of a world end."""
    lines = [line.partition(": ") for line in text.strip().splitlines()]
    return {at: [ending(word.strip()) for word in words.split(", ")] for at, _, words in lines}


def ending(words: str) -> Ending:
    kind, _, rest = words.partition(" ")
    match kind:
        case "ok":
            return Ending(output=unescaped(rest))
        case "exit":
            code, _, said = rest.partition(" ")
            return Ending(exit_code=int(code), stderr=unescaped(said))
        case "meets":
            return Ending(no_fault=tuple(rest.split()))  # type: ignore[arg-type]
        case "in-vain":
            return Ending(exit_code=1, stderr=unescaped(rest), is_final=True)
        case "killed":
            return Ending(signal=rest)
        case "hangs":
            return Ending(hangs=True)
        case "timeout":
            return Ending(timed_out_s=float(rest))
        case _:
            raise ValueError(f"no end of a command: {words}")


def unescaped(text: str) -> str:
    return text.replace("\\n", "\n")


def command_line(event: ev.CommandStarted, start: Start | None) -> str:
    """`$ address #attempt  text  {values}`: what starts, with the values beside its script."""
    head = f"$ {event.at} #{event.attempt}"
    if start is None:
        return head
    values = " ".join(f"[{value}]" for value in start.variables.values())
    return f"{head}  {start.text.splitlines()[-1]}" + (f"  {values}" if values else "")


def sentence(event: ev.Event) -> str:
    """Return an event in words; nothing for one that says nothing about the meaning of the run."""
    match event:
        case ev.CommandFinished():
            return f"  {event.at} ended: {_end(event)}"
        case ev.CommandHeld():
            return f"  {event.at} #{event.attempt} is held: {_line(event.reason)}"
        case ev.ClaudeParked():
            return f"  parked for {event.delay_s:g} s: {_line(event.reason)}"
        case ev.ClaudeTried():
            return f"  {event.at} goes first"
        case ev.PauseRequested():
            return f"  pausing for {event.at}: {_line(event.reason)}"
        case ev.CostBooked():
            return f"  {event.at} cost {event.cost_kind if event.cost_usd is None else event.cost_usd}"
        case ev.ValueCaptured():
            return f"  {event.name} = {event.value!r}"
        case ev.RetryScheduled():
            return f"  {event.at} waits {event.delay_s:g} s for attempt {event.attempt}"
        case ev.NodeSkipped():
            return f"  {event.at} skipped: {event.reason}"
        case ev.NodeFailed():
            return f"  {event.at} failed: {_line(event.error)}"
        case ev.RunFailed() | ev.RunPaused():
            what = "failed" if isinstance(event, ev.RunFailed) else "paused"
            return f"{what} at {event.at}: {_line(event.error if isinstance(event, ev.RunFailed) else event.reason)}"
        case ev.HandlingStarted():
            return f"  {event.at} is being handled"
        case ev.CheckpointMarked():
            return f"  v{event.version}" + (f" {event.label!r}" if event.label else "")
        case ev.RunRested():
            return f"rested for {event.rested_s:g} s"
        case ev.StopRequested():
            return "stop"
        case ev.ConfirmationRequested():
            return f"  {event.at} asks"
        case ev.ConfirmationAnswered():
            return f"  {event.at}: {'yes' if event.is_confirmed else 'no'}, says {event.by}"
        case ev.RunCancelled():
            return f"cancelled at {event.at} by {event.by}"
        case ev.LimitStarted():
            return f"  {event.at} has {event.left_s:g} s"
        case ev.LimitReached():
            return f"  {event.at} has used its time"
        case ev.NodeBypassed():
            return f"  {event.at} bypassed by {event.by}"
        case ev.GenerationStarted():
            return f"generation {event.generation} goes on from event {event.from_seq} of {event.parent}"
        case ev.RunForked():
            return f"forked at event {event.from_seq} with {event.variables}"
        case ev.ItemsListed():
            return f"  {event.at} has {len(event.keys)} items: {' '.join(event.keys) or event.note}"
        case ev.ItemSettled():
            return f"  {event.at}[{event.key}] {event.disposition}" + (
                f" at {event.step or 'the item'}: {_line(event.error)}" if event.error else ""
            )
        case ev.ItemsRequeued():
            return f"  put back: {' '.join(event.keys)}"
        case ev.DeadLettersPurged():
            return f"  given up: {' '.join(event.keys)}"
        case ev.BreakerOpened():
            return f"  {event.at} pauses for {event.delay_s:g} s"
        case ev.BreakerTried():
            return f"  {event.at} tries one item"
        case ev.RunResumed():
            return f"  resumed; again: {', '.join(event.again) or 'nothing'}"
        case ev.PlanChanged():
            return "  the edited workflow is used"
    if isinstance(event, SILENT):
        return ""
    words = ev.type_of(event).split("_")
    return f"  {event.at} {words[-1]}" if hasattr(event, "at") else " ".join(words[1:])


def _end(event: ev.CommandFinished) -> str:
    if event.error:
        return _line(event.error)
    return f"ok {event.output!r}" if event.output else "ok"


def _line(text: str) -> str:
    return text.replace("\n", " | ")
