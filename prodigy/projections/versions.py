"""The checkpoint versions of a run, each a moment that can be gone back to."""

from collections.abc import Iterable, Iterator
from typing import Protocol

import msgspec

from prodigy.kernel import events as ev
from prodigy.plan.headline import headline
from prodigy.plan.nodes import Plan, Sequence

_OUTCOMES: dict[type, str] = {
    ev.NodeSucceeded: "succeeded",
    ev.NodeHandled: "handled",
    ev.NodeFailed: "failed",
}


class Told(Protocol):
    """An event, and where and when it happened."""

    @property
    def generation(self) -> int: ...
    @property
    def seq(self) -> int: ...
    @property
    def time(self) -> str: ...
    @property
    def event(self) -> ev.Event: ...


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """A checkpoint version: the state right after event `seq`, when the node at `at` had come to `outcome`.

    `command` is what the node runs, empty for a stage; `label` its name where it asked for a checkpoint.
    """

    version: int
    generation: int
    seq: int
    time: str
    at: str
    outcome: str
    command: str = ""
    label: str = ""


def versions(history: Iterable[Told]) -> Iterator[Version]:
    """Yield the versions that a history marks, oldest first; `history` is all of it, from the run's first event."""
    plan = Plan(name="", nodes={})
    settled, outcome = "", ""
    for told in history:
        match told.event:
            case ev.RunStarted() | ev.PlanChanged() | ev.RunRestored():
                plan = told.event.plan
            case ev.NodeSucceeded() | ev.NodeHandled() | ev.NodeFailed():
                settled, outcome = told.event.at, _OUTCOMES[type(told.event)]
            case ev.CheckpointMarked():
                at = told.event.at
                yield Version(
                    version=told.event.version,
                    generation=told.generation,
                    seq=told.seq,
                    time=told.time,
                    at=at,
                    outcome=outcome if settled == at else "in progress",  # a map marks some on its way
                    command=_command(plan, at),
                    label=told.event.label,
                )


def _command(plan: Plan, at: str) -> str:
    node = plan.nodes.get(at)
    return "" if node is None or isinstance(node.body, Sequence) else headline(node)
