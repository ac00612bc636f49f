"""What Claude Code would charge in a world without it, and what it would say of that.

It counts by conversation, as the real one does: the counter is kept after every end but a SIGKILL. How much a process
costs depends on its address and attempt, how it ends without a result on its epoch, so nothing is left out.
"""

from binascii import crc32

from prodigy.kernel import effects as fx
from prodigy.kernel.ledger import NOTHING, UNKNOWN, Spent
from prodigy.kernel.lifecycle import Epoch
from prodigy.kernel.state import State


class Bank:
    """All that was ever charged, by epoch, and what of it anybody can know."""

    def __init__(self) -> None:
        self.charged: dict[int, float] = {}
        self.known: dict[int, float] = {}
        self.sessions: dict[int, str] = {}
        self._counters: dict[str, float] = {}
        self._said: dict[int, Spent] = {}

    def begin(self, spawn: fx.Spawn) -> None:
        """A process begins to cost; nothing but claude does."""
        if isinstance(spawn.command, fx.RenderedClaude):
            self.charged[spawn.epoch] = 0.25 * (1 + crc32(f"{spawn.at} {spawn.attempt}".encode()) % 4)
            self.sessions[spawn.epoch] = spawn.command.session

    def end(self, spawn: fx.Spawn, *, has_result: bool) -> Spent:
        """Return what is known of a process at its end."""
        if spawn.epoch not in self.charged:
            return UNKNOWN
        return self._told(spawn.epoch, "result" if has_result else ("result", "counter", "stream")[spawn.epoch % 3])

    def left(self, state: State) -> dict[str, Spent]:
        """Return what can be found out about what was in flight when the coordinator died."""
        return {at: self._found(epoch) for at, epoch in state.in_flight.items() if state.plan.template(at).is_claude}

    def estimated(self) -> list[int]:
        """Return the epochs of which no result was heard."""
        return [epoch for epoch, spent in self._said.items() if spent.kind == "estimated"]

    def _found(self, epoch: Epoch) -> Spent:
        if epoch not in self.charged:
            return NOTHING
        return self._told(epoch, ("nothing", "stream", "counter", "result")[epoch % 4])

    def _told(self, epoch: int, how: str) -> Spent:
        if epoch not in self._said:
            self._said[epoch] = self._say(epoch, how)
        return self._said[epoch]

    def _say(self, epoch: int, how: str) -> Spent:
        """Say it once: what a process left behind stays as it is, whoever asks again."""
        session, usd = self.sessions[epoch], self.charged[epoch]
        if how == "nothing":
            return UNKNOWN
        self.known[epoch] = usd
        if how == "stream":
            return Spent(kind="estimated", session_usd=self._counters.get(session), own_usd=usd)
        self._counters[session] = self._counters.get(session, 0.0) + usd
        if how == "result":
            return Spent(kind="exact", session_usd=self._counters[session])
        return Spent(kind="estimated", session_usd=self._counters[session], own_usd=usd)
