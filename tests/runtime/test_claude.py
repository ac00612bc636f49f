"""A claude step succeeds only when everything says so, and tells what it cost."""

import json
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest

from prodigy.runtime import claude
from prodigy.runtime.claude import Reading, inheritable, narrate, read_transcript

INIT = {"type": "system", "subtype": "init", "slash_commands": ["analyze-file", "sub:deep"], "model": "m"}
RESULT = {
    "duration_api_ms": 25,
    "type": "result",
    "subtype": "success",
    "is_error": False,
    "result": "the answer",
    "total_cost_usd": 0.25,
    "permission_denials": [],
}


def transcript(*lines: Any) -> bytes:
    """Return the lines as stream-json; bytes go in as they are."""
    return b"".join((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n" for line in lines)


def read(data: bytes, *, prompt: str = "hello", exit_code: int | None = 0, stderr: str = "") -> Reading:
    """Read a transcript in pieces of an awkward size."""
    pieces = (data[start : start + 1000] for start in range(0, len(data), 1000))
    return read_transcript(pieces, prompt=prompt, exit_code=exit_code, stderr=stderr)


SUCCESS = Reading(result="the answer", cost_usd=0.25)


def test_success_is_a_result_that_says_so() -> None:
    """Exit status 0, a result line, no error, subtype success: the answer and its cost."""
    assert read(transcript(INIT, RESULT)) == SUCCESS


def test_the_result_need_not_be_the_last_line() -> None:
    """Background tasks report after it, and other lines may come before init."""
    late = {"type": "system", "subtype": "task_updated", "patch": {}}
    assert read(transcript({"type": "system", "subtype": "ui_invalidate"}, INIT, RESULT, late)) == SUCCESS


def test_the_last_of_several_results_counts() -> None:
    """Each group of messages has its result."""
    assert read(transcript(INIT, RESULT | {"result": "first"}, RESULT)) == SUCCESS


def test_exit_status_0_without_a_result_is_a_failure() -> None:
    """An interrupt and a lost output both end with 0."""
    assert read(transcript(INIT)) == Reading(
        error="Claude Code ended without a result; its transcript may say why", aborted=True
    )


def test_without_a_result_stderr_tells_why() -> None:
    """Usage errors stand only there; the cost is unknown and not 0."""
    assert read(b"", exit_code=1, stderr="note\nError: no such flag\n") == Reading(error="Error: no such flag")


@pytest.mark.parametrize("exit_code", [0, 1])
def test_subtype_success_with_is_error_is_a_failure(exit_code: int) -> None:
    """Every API error looks like this."""
    failed = RESULT | {"is_error": True, "result": "API Error: 401", "total_cost_usd": 0}
    assert read(transcript(INIT, failed), exit_code=exit_code) == Reading(
        result="API Error: 401", error="API Error: 401", cost_usd=0.0
    )


def test_the_errors_of_a_result_are_its_reason() -> None:
    """The error subtypes have no `result`."""
    failed = {
        "type": "result",
        "subtype": "error_max_turns",
        "is_error": True,
        "errors": ["Reached 1", "and 2"],
    }
    assert read(transcript(INIT, failed), exit_code=1) == Reading(error="Reached 1; and 2")


def test_another_exit_status_beats_a_good_result() -> None:
    """All signs must agree."""
    assert read(transcript(INIT, RESULT), exit_code=1).error == "Claude Code ended with success, exit code 1"


@pytest.mark.parametrize(
    ("prompt", "error"),
    [
        ("/analyze-file src/a.py", None),
        ("/sub:deep", None),
        ("/etc/foo is a file", None),
        ("please /nothing", None),
        ("/analyse-file x", "Claude Code knows no command /analyse-file here; did you mean /analyze-file?"),
        ("/zzz", "Claude Code knows no command /zzz here; it would be .claude/commands/zzz.md"),
    ],
)
def test_an_unknown_slash_command_is_a_failure(prompt: str, error: str | None) -> None:
    """Some versions call it success, others let the model improvise; a path is no command."""
    assert read(transcript(INIT, RESULT), prompt=prompt).error == error


def test_a_version_that_lists_no_commands_is_trusted() -> None:
    """Nothing can be said without the list."""
    assert read(transcript({"type": "system", "subtype": "init"}, RESULT), prompt="/zzz") == SUCCESS


def test_denied_permissions_are_a_warning() -> None:
    """The model just goes on, and the step may have done nothing."""
    denials = [{"tool_name": "Bash", "tool_input": {}}, {"tool_name": "Write"}, {"tool_name": "Bash"}]
    assert read(transcript(INIT, RESULT | {"permission_denials": denials})).warnings == (
        "permission was denied 3 times, for Bash, Write; the step may have done less than it was asked to",
    )


def test_another_model_is_a_warning() -> None:
    """Whoever asked for one model should know that another one answered."""
    change = {
        "type": "system", "subtype": "model_fallback", "original_model": "big", "fallback_model": "small",
    }  # fmt: skip
    assert read(transcript(INIT, change, change, RESULT)).warnings == ("small answered in place of big",)


def test_lines_that_are_no_json_are_counted() -> None:
    """They are no reason to fail, and no secret."""
    assert read(transcript(INIT, b"Warning: hm", b"\xff\xfe", b"", b"[1", RESULT)).warnings == (
        "lines of Claude Code's output that are not JSON: 3",
    )


def test_a_line_of_megabytes_is_read() -> None:
    """A long answer is one line."""
    answer = "long " * 600_000
    assert read_transcript(
        [transcript(INIT, RESULT | {"result": answer})], prompt="", exit_code=0, stderr=""
    ) == Reading(result=answer, cost_usd=0.25)


def test_a_line_over_the_limit_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded whatever a tool prints; what follows is still read."""
    monkeypatch.setattr(claude, "LINE_BYTES_MAX", 1 << 20)

    def pieces() -> Iterator[bytes]:
        for _ in range(160):
            yield b"x" * (1 << 16)
        yield b"\n" + transcript(INIT, RESULT)

    tracemalloc.start()
    reading = read_transcript(pieces(), prompt="", exit_code=0, stderr="")
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert reading == Reading(
        result="the answer", cost_usd=0.25, warnings=("lines of Claude Code's output that are not JSON: 1",)
    )
    assert peak_bytes < 2 << 20


def test_the_traces_of_an_outer_claude_are_not_inherited() -> None:
    """An agent that runs prodigy is not the agent that prodigy runs; how the user is signed in stays."""
    environment = {
        b"CLAUDECODE": b"1",
        b"CLAUDE_CODE_ENTRYPOINT": b"cli",
        b"CLAUDE_CODE_OAUTH_TOKEN": b"t",
        b"CLAUDE_CONFIG_DIR": b"/c",
        b"PATH": b"/bin",
    }
    assert inheritable(environment) == {
        b"CLAUDE_CODE_OAUTH_TOKEN": b"t",
        b"CLAUDE_CONFIG_DIR": b"/c",
        b"PATH": b"/bin",
    }


def test_a_person_sees_words_and_tools() -> None:
    """The stream is told as what the model says and does, all else left out."""
    content = [
        {"type": "text", "text": "I look.\n"},
        {"type": "tool_use", "name": "Bash", "input": {"command": "ls\npwd", "timeout": 3}},
        {"type": "tool_use", "name": "Task", "input": {}},
        {"type": "thinking", "thinking": "hm"},
    ]
    lines = transcript(INIT, {"type": "assistant", "message": {"content": content}}, b"half a li", RESULT)
    assert narrate(lines) == b"I look.\n[Bash] ls\n[Task]\n"
