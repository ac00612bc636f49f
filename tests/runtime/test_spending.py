"""What an attempt of claude cost is found in its result, else in its session's file, else in its stream."""

import json
from pathlib import Path
from typing import Any

from prodigy.kernel.ledger import UNKNOWN, ModelUsage, Spent
from prodigy.runtime.processes.spending import spent_of

RESULT = {
    "type": "result",
    "total_cost_usd": 0.105,
    "modelUsage": {"claude-haiku-4-5": {"inputTokens": 100000, "outputTokens": 1000, "costUSD": 0.105}},
}
HAIKU = ModelUsage(input_tokens=100000, output_tokens=1000, cost_usd=0.105)


def began(message: str = "m1", model: str = "claude-haiku-4-5", read: int = 100000, **fields: Any) -> dict[str, Any]:
    usage = {"input_tokens": read, "output_tokens": 1}
    event = {"type": "message_start", "message": {"id": message, "model": model, "usage": usage}}
    return {"type": "stream_event", "event": event, **fields}


def wrote(tokens: int, **fields: Any) -> dict[str, Any]:
    return {
        "type": "stream_event",
        "event": {"type": "message_delta", "usage": {"output_tokens": tokens}},
        **fields,
    }


def spent(*lines: dict[str, Any], session: str = "", home: Path = Path("/nowhere")) -> Spent:
    data = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    pieces = [data[at : at + 37] for at in range(0, len(data), 37)]
    return spent_of(pieces, session, {"HOME": str(home), "CLAUDE_CONFIG_DIR": ""})


def with_session(home: Path, *counters: float) -> Path:
    folder = home / ".claude" / "projects" / "-the-project"
    folder.mkdir(parents=True)
    rows = [{"type": "cost-state", "totalCostUSD": usd} for usd in counters]
    lines = [json.dumps(row, separators=(",", ":")) for row in ({"type": "user"}, *rows, {"type": "assistant"})]
    (folder / "s1.jsonl").write_text("\n".join(lines))
    return home


def test_a_result_says_it_exactly() -> None:
    """The last one, in dollars and by model; other lines do not matter then."""
    said = spent({"type": "result", "total_cost_usd": 0.05}, began(read=7), RESULT)
    assert said == Spent(kind="exact", session_usd=0.105, models={"claude-haiku-4-5": HAIKU})


def test_without_a_result_the_tokens_of_the_stream_are_priced() -> None:
    """As the real program does: 100000 tokens read and 1000 written of Haiku are 0.105 dollars."""
    said = spent(began(), wrote(400), wrote(1000))
    assert said == Spent(kind="estimated", own_usd=0.105, models={"claude-haiku-4-5": HAIKU})


def test_a_message_is_counted_once() -> None:
    """Its lines repeat what its first one said."""
    repeated = {"type": "assistant", "message": began()["event"]["message"]}
    assert spent(began(), repeated, wrote(1000), repeated) == spent(began(), wrote(1000))


def test_messages_without_a_name_are_counted_one_by_one() -> None:
    """Each begins anew."""
    said = spent(began("", read=10), wrote(5), began("", read=20), wrote(7))
    used = said.models["claude-haiku-4-5"]
    assert (used.input_tokens, used.output_tokens) == (30, 12)


def test_what_sub_agents_write_at_the_same_time_is_kept_apart() -> None:
    """By the tool that each belongs to."""
    said = spent(began("m1"), began("m2", parent_tool_use_id="t"), wrote(5, parent_tool_use_id="t"), wrote(7))
    assert said.models["claude-haiku-4-5"].output_tokens == 12


def test_a_model_without_a_known_price_is_as_dear_as_the_dearest() -> None:
    """As the real program has it."""
    assert spent(began(model="nonsense", read=1000000), wrote(0)).own_usd == 5.000025


def test_the_counter_of_the_session_is_found_wherever_it_is_kept(tmp_path: Path) -> None:
    """The last of its rows counts."""
    said = spent(began(), wrote(1000), session="s1", home=with_session(tmp_path, 0.25, 0.5))
    assert (said.kind, said.session_usd, said.own_usd) == ("estimated", 0.5, 0.105)


def test_what_says_nothing_of_money_leaves_it_unknown(tmp_path: Path) -> None:
    """No result, no tokens, no session; lines that are no JSON, or an answer that we make up."""
    assert spent(session="s1", home=tmp_path) == UNKNOWN
    assert spent_of([b"nonsense\n{}\n[1]\n"], "", {}) == UNKNOWN
    assert spent(began(model="<synthetic>"), wrote(9)) == UNKNOWN
