"""The moves of a turn: what is to be done next because of what has just been decided. Plain data, like events.

A rule answers a signal, or makes a move: it emits events and returns the moves that follow. `decide` keeps those on an
agenda and makes them depth first, so the moves that a rule returns are made in order, each with all that follows from
it before the next. Moves live for one turn. They are never logged.
"""

import msgspec

from prodigy.kernel import signals as sig
from prodigy.kernel.outcome import Outcome


class _Move(msgspec.Struct, frozen=True, gc=False):
    """`at` is the address of the node that the move is about."""


class Enter(_Move, frozen=True):
    """Begin a node, unless its `when` is false or what it is in does not go on."""

    at: str


class Start(_Move, frozen=True):
    """Begin an attempt (1-based) of a node: its command, its first child, or its items."""

    at: str
    attempt: int


class BeginClaude(_Move, frozen=True):
    """Begin an attempt of a claude step, or hold it until it may."""

    at: str
    attempt: int


class Succeed(_Move, frozen=True):
    """Settle a node whose body succeeded."""

    at: str


class Fail(_Move, frozen=True):
    """Answer a failed attempt of a node: try again, handle it, or give up."""

    at: str
    outcome: Outcome
    may_retry: bool = True


class GiveUp(_Move, frozen=True):
    """Settle a node as failed."""

    at: str
    error: str


class Mark(_Move, frozen=True):
    """Make a checkpoint version because a node has settled, where it is one that makes versions."""

    at: str


class Settled(_Move, frozen=True):
    """Tell the parent of a node that it has settled."""

    at: str


class Advance(_Move, frozen=True):
    """Enter the next unsettled child of a running sequence behind the one at `after_index`, or settle the sequence."""

    at: str
    after_index: int = -1


class Fill(_Move, frozen=True):
    """Begin the next item of a map if there is room, or settle the map when nothing is left to wait for.

    One that is on the agenda stands for all: another of the same map is dropped. `begun` is the item before.
    """

    at: str
    begun: str | None = None


class SettleItem(_Move, frozen=True):
    """Settle an item of a map; `error` says why it failed, None where it succeeded."""

    at: str
    error: str | None = None


class HandlersSettled(_Move, frozen=True):
    """Settle a node by what its handlers came to, or try it again when they were to repair it."""

    at: str


class GoBack(_Move, frozen=True):
    """Begin a new generation at the moment that the state is of, and bypass what stands before the target."""

    rewind: sig.Rewind


class GoOn(_Move, frozen=True):
    """Record a resume and take the run up; it came to rest at `stood`."""

    signal: sig.ResumeRequested
    stood: str


class TakeUp(_Move, frozen=True):
    """Go on where a node, or anything below it, was."""

    at: str


class RunAgain(_Move, frozen=True):
    """Run a command that was in flight once more, or fail it where it must not be repeated."""

    at: str


class ReadOn(_Move, frozen=True):
    """Go on with a map that was at work: read its items if that was not done, else begin what there is room for."""

    at: str


class WaitOn(_Move, frozen=True):
    """Wait for the rest of the delay before a node's next attempt."""

    at: str


class AskAgain(_Move, frozen=True):
    """Ask once more for the confirmation that a node awaits."""

    at: str


class Expire(_Move, frozen=True):
    """End a sequence whose time was over when the run stopped."""

    at: str


class EndExpired(_Move, frozen=True):
    """Fail the sequences that have reached their timeout and have nothing in flight any more, inner ones first."""


class Park(_Move, frozen=True):
    """Wait for better weather because of what a claude step met; `resets_at_s` is when a limit ends, if told."""

    at: str
    reason: str
    resets_at_s: int | None = None


class Release(_Move, frozen=True):
    """Let claude steps begin again: the way is free."""


class Admit(_Move, frozen=True):
    """Begin the claude steps that were held and may begin now."""


class PauseRun(_Move, frozen=True):
    """Begin nothing more because of the step at `at`; then pause, or fail."""

    at: str
    reason: str
    fails: bool = False


class FinishRun(_Move, frozen=True):
    """End the run: its root has settled."""


class Rest(_Move, frozen=True):
    """Interrupt a run that is stopping, or pause one that is about to, once nothing of it is in flight."""


Move = (
    Enter
    | Start
    | BeginClaude
    | Succeed
    | Fail
    | GiveUp
    | Mark
    | Settled
    | Advance
    | Fill
    | SettleItem
    | HandlersSettled
    | GoBack
    | GoOn
    | TakeUp
    | RunAgain
    | ReadOn
    | WaitOn
    | AskAgain
    | Expire
    | EndExpired
    | Park
    | Release
    | Admit
    | PauseRun
    | FinishRun
    | Rest
)
Moves = tuple[Move, ...]
