"""Given what happened, when the world says something, then this is decided: one sentence per rule.

`given(plan, …)` begins a run, so the first event told has seq 3: the epoch of the first command. Words for what
usually happens together return several events; `then` compares whole events, in order.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from prodigy.kernel import events as ev
from prodigy.kernel import signals as sig
from prodigy.kernel.decide import decide
from prodigy.kernel.evolve import fold
from prodigy.kernel.lifecycle import Epoch
from prodigy.kernel.state import State
from prodigy.plan.nodes import ROOT, Plan

NOW = "2026-01-31T09:00:00.000000Z"

Told = ev.Event | tuple[ev.Event, ...]


class Given(NamedTuple):
    """A run at some place in its life."""

    state: State

    def when(self, signal: sig.Signal) -> "When":
        """Let the world say something."""
        return When(*decide(self.state, signal))


class When(NamedTuple):
    """What was decided, and the state it leads to."""

    events: list[ev.Event]
    state: State

    def then(self, *expected: Told) -> State:
        """Assert that exactly this was decided; return the state after it."""
        assert self.events == list(flat(expected))
        return self.state


def given(plan: Plan, *told: Told, max_retries: int | None = None) -> Given:
    """Return a run of `plan` to which all this has happened, a moment ago."""
    return Given(fold(State(), ((NOW, event) for event in flat((*begun(plan, max_retries), *told)))))


def begun(plan: Plan, max_retries: int | None = None) -> tuple[ev.Event, ...]:
    """Return the events with which every run begins; two."""
    started = ev.RunStarted(
        format=1,
        workflow_id="demo-000001",
        workflow_path="demo.yaml",
        directory="/project",
        number=1,
        prodigy_version="0",
        plan=plan,
        workflow_text="",
        max_retries=max_retries,
    )
    return started, ev.NodeStarted(at=ROOT, attempt=1)


def flat(told: Iterable[Told]) -> Iterable[ev.Event]:
    for event in told:
        yield from event if isinstance(event, tuple) else (event,)


# Events ---------------------------------------------------------------------------------------------------


def starts(at: str, attempt: int = 1, *, text: str = "") -> ev.Event:
    return ev.CommandStarted(at=at, attempt=attempt, command=f"shell: {text or 'do ' + at}")


def ends(at: str, epoch: int, **fields: Any) -> ev.Event:
    return ev.CommandFinished(**{"at": at, "epoch": epoch, "exit_code": 0, "duration_s": 1.0, **fields})


def breaks(at: str, epoch: int, error: str = "boom") -> ev.Event:
    """The command exited 1 and said why."""
    return ends(at, epoch, exit_code=1, error=error, stderr=error)


def succeeds(at: str, version: int) -> tuple[ev.Event, ...]:
    return ev.NodeSucceeded(at=at), ev.CheckpointMarked(version=version, at=at)


def fails(at: str, version: int, error: str = "boom") -> tuple[ev.Event, ...]:
    return ev.NodeFailed(at=at, error=error), ev.CheckpointMarked(version=version, at=at)


def run_fails(at: str, error: str = "boom") -> tuple[ev.Event, ...]:
    return ev.NodeFailed(at=ROOT, error=error), ev.RunFailed(at=at, error=error)


def run_completes() -> tuple[ev.Event, ...]:
    return ev.NodeSucceeded(at=ROOT), ev.RunCompleted()


def waits(at: str, attempt: int, delay_s: float, *, since: str = NOW) -> ev.Event:
    return ev.RetryScheduled(at=at, attempt=attempt, delay_s=delay_s, due=later(delay_s, since=since))


def stops() -> ev.Event:
    return ev.StopRequested(by="SIGINT")


def interrupted(at: str, epoch: int) -> tuple[ev.Event, ...]:
    return ev.CommandInterrupted(at=at, epoch=Epoch(epoch), duration_s=1.0), ev.RunInterrupted()


def resumes(*again: str, max_retries: int | None = None) -> ev.Event:
    return ev.RunResumed(number=2, again=again, max_retries=max_retries)


# Signals --------------------------------------------------------------------------------------------------


def exited(at: str, epoch: int, **fields: Any) -> sig.Signal:
    return sig.Exited(**{"time": NOW, "at": at, "epoch": epoch, "exit_code": 0, "duration_s": 1.0, **fields})


def broke(at: str, epoch: int, error: str = "boom") -> sig.Signal:
    return exited(at, epoch, exit_code=1, stderr=f"{error}\n")


def fired(at: str, attempt: int) -> sig.Signal:
    return sig.TimerFired(time=NOW, at=at, attempt=attempt)


def stop() -> sig.Signal:
    return sig.StopRequested(time=NOW, by="SIGINT")


def resume(*, time: str = NOW, **fields: Any) -> sig.Signal:
    return sig.ResumeRequested(time=time, number=2, **fields)


def later(seconds: float, *, since: str = NOW) -> str:
    """Return the moment `seconds` after `since`."""
    return (datetime.fromisoformat(since) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
