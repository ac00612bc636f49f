"""What is known of the cost of a process of Claude Code: from what it said, else from what it left behind.

It says the cost with its result. Where it was ended before, its session file has where its counter stood, but not
after a SIGKILL; and its stream has the tokens of what was answered, which at list prices are the least that it cost.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from prodigy.kernel.ledger import NOTHING, UNKNOWN, ModelUsage, Spent
from prodigy.kernel.state import State
from prodigy.runtime.claude.protocol import LINE_BYTES_MAX, Result, Usage, understand
from prodigy.store.layout import RunFolder

CHUNK_BYTES = 1024 * 1024
SESSION_BYTES_MAX = 64 * 1024 * 1024
# US dollars for a million tokens (read, written), by what a model's name contains; the dearest where it has none.
_PRICES = {"haiku": (1.0, 5.0), "sonnet": (3.0, 15.0), "opus": (5.0, 25.0)}
_CACHE_READ, _CACHE_WRITTEN = 0.1, 1.25  # of the price of a token that is read


class _Usage(msgspec.Struct):
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_input_tokens: int = 0
    cache_creation_input_tokens: int = 0


class _Message(msgspec.Struct):
    id: str = ""
    model: str = ""
    usage: _Usage | None = None


class _Part(msgspec.Struct):
    type: str = ""
    message: _Message | None = None
    usage: _Usage | None = None


class _Line(msgspec.Struct):
    type: str = ""
    message: _Message | None = None
    event: _Part | None = None
    parent_tool_use_id: str | None = None


class _Counter(msgspec.Struct):
    total_usd: float = msgspec.field(default=0.0, name="totalCostUSD")


_line = msgspec.json.Decoder(_Line)
_counter = msgspec.json.Decoder(_Counter)


def spent_of(chunks: Iterable[bytes], session: str, environment: Mapping[str, str]) -> Spent:
    """Return what is known of the cost of a process that has ended.

    Args:
        chunks: its transcript.
        session: the id of its conversation, empty where it is not known.
        environment: what it was started with, as far as that says where its files are.
    """
    stream = _Stream()
    for line in _lines(chunks):
        stream.hear(line)
    if stream.result is not None:
        return stream.result
    own_usd, counted_usd = stream.cost_usd(), _counted(session, environment)
    if own_usd or counted_usd is not None:
        return Spent(kind="estimated", session_usd=counted_usd, own_usd=own_usd or None, models=stream.usage())
    return UNKNOWN


def exactly(session_usd: float, models: Mapping[str, Usage]) -> Spent:
    """Return the cost of a process that said it with its result."""
    used = {name: ModelUsage(**msgspec.structs.asdict(usage)) for name, usage in models.items()}
    return Spent(kind="exact", session_usd=session_usd, models=used)


def spent_in_flight(state: State, folder: RunFolder) -> dict[str, Spent]:
    """Return what can be found out about the attempts of claude whose coordinator died, by their addresses."""
    return {
        at: _left_by(folder.outputs / f"{epoch}.jsonl", state.node(at).conversation.id)
        for at, epoch in state.in_flight.items()
        if state.plan.template(at).is_claude
    }


def _left_by(transcript: Path, session: str) -> Spent:
    try:
        with transcript.open("rb") as file:
            return spent_of(iter(lambda: file.read(CHUNK_BYTES), b""), session, os.environ)
    except FileNotFoundError:
        return NOTHING  # its file is made before it is
    except OSError:
        return UNKNOWN


class _Stream:
    """What a transcript says of money: the result's last word, else the tokens of each message."""

    def __init__(self) -> None:
        self.result: Spent | None = None
        self._messages: dict[str, tuple[str, _Usage]] = {}
        self._open: dict[str | None, str] = {}  # the message that is being written, by whose it is

    def hear(self, data: bytes) -> None:
        """Take in a line."""
        try:
            line = _line.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return
        if line.type == "result":
            said = understand(data)
            if isinstance(said, Result) and said.total_cost_usd is not None:
                self.result = exactly(said.total_cost_usd, said.models)
        elif line.type == "assistant" and line.message:
            self._note(line.message.id, line.message)
        elif line.type == "stream_event" and line.event:
            self._take(line.event, line.parent_tool_use_id)

    def _take(self, part: _Part, whose: str | None) -> None:
        if part.message:
            name = part.message.id or f"#{len(self._messages)}"
            self._note(name, part.message)
            self._open[whose] = name
        elif part.usage and (known := self._messages.get(self._open.get(whose, ""))):
            known[1].output_tokens = max(known[1].output_tokens, part.usage.output_tokens)

    def _note(self, name: str, message: _Message) -> None:
        """Note a message once: its lines repeat what its first one says."""
        if message.usage and name and not message.model.startswith("<"):
            self._messages.setdefault(name, (message.model, message.usage))

    def usage(self) -> dict[str, ModelUsage]:
        """Return what each model was used for, at list prices."""
        found: dict[str, ModelUsage] = {}
        for model, usage in self._messages.values():
            before = found.get(model, ModelUsage())
            found[model] = ModelUsage(
                input_tokens=before.input_tokens + usage.input_tokens,
                output_tokens=before.output_tokens + usage.output_tokens,
                cache_read_input_tokens=before.cache_read_input_tokens + usage.cache_read_input_tokens,
                cache_creation_input_tokens=before.cache_creation_input_tokens + usage.cache_creation_input_tokens,
                cost_usd=before.cost_usd + _price(model, usage),
            )
        return found

    def cost_usd(self) -> float:
        """Return what all of it costs at list prices."""
        return sum(usage.cost_usd for usage in self.usage().values())


def _price(model: str, usage: _Usage) -> float:
    dearest = max(_PRICES.values())
    read, written = next((price for name, price in _PRICES.items() if name in model), dearest)
    cached = _CACHE_READ * usage.cache_read_input_tokens + _CACHE_WRITTEN * usage.cache_creation_input_tokens
    return (read * (usage.input_tokens + cached) + written * usage.output_tokens) / 1e6


def _counted(session: str, environment: Mapping[str, str]) -> float | None:
    """Return where the counter of a session stood when it was last written down."""
    if not session:
        return None
    found = None
    with suppress(OSError, msgspec.DecodeError, UnicodeDecodeError):
        for path in _configuration(environment).glob(f"projects/*/{session}.jsonl"):
            if path.stat().st_size > SESSION_BYTES_MAX:
                continue
            for line in path.read_bytes().split(b"\n"):
                if b'"cost-state"' in line[:200]:
                    found = _counter.decode(line).total_usd
    return found


def _configuration(environment: Mapping[str, str]) -> Path:
    """Return where Claude Code keeps its files: undocumented, and so only an estimate is made of them."""
    around = {**os.environ, **environment}
    return Path(around.get("CLAUDE_CONFIG_DIR") or Path(around.get("HOME", "/"), ".claude"))


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the lines of a transcript; one that is over the limit is left out."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from whole
        rest = rest if len(rest) <= LINE_BYTES_MAX else b""
    yield rest
