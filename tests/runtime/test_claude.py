"""A claude step succeeds only when everything says so, and tells what it cost."""

import json
import tracemalloc
from typing import Any

import pytest

from prodigy.runtime.claude import protocol
from prodigy.runtime.claude.environment import inheritable
from prodigy.runtime.claude.narration import narrate
from prodigy.runtime.claude.protocol import Limit, Usage
from prodigy.runtime.claude.reading import Demands, Reading, Transcript, unknown_command
from prodigy.runtime.claude.versions import Untested, is_tested

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


def read(
    data: bytes,
    *,
    exit_code: int | None = 0,
    stderr: str = "",
    was_asked: bool = True,
    piece: int = 1000,
    **demands: Any,
) -> Reading:
    """Read a transcript that grew in pieces of an awkward size."""
    transcript = Transcript()
    for end in range(0, len(data), piece):
        while transcript.look(lambda start, stop, end=end: data[start : min(stop, end)]):  # type: ignore[misc]
            pass
    transcript.finish(lambda start, stop: data[start:stop])
    return transcript.reading(Demands(**demands), exit_code=exit_code, stderr=stderr, was_asked=was_asked)


SUCCESS = Reading(result="the answer", cost_usd=0.25, model="m", subtype="success")


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
        error="Claude Code ended without a result; its transcript may say why", aborted=True, model="m"
    )


def test_without_a_result_stderr_tells_why() -> None:
    """Usage errors stand only there; the cost is unknown and not 0."""
    assert read(b"", exit_code=1, stderr="note\nError: no such flag\n") == Reading(error="Error: no such flag")


@pytest.mark.parametrize("exit_code", [0, 1])
def test_subtype_success_with_is_error_is_a_failure(exit_code: int) -> None:
    """Every API error looks like this."""
    failed = RESULT | {"is_error": True, "result": "API Error: 401", "total_cost_usd": 0}
    assert read(transcript(INIT, failed), exit_code=exit_code) == Reading(
        result="API Error: 401", error="API Error: 401", cost_usd=0.0, model="m", subtype="success"
    )


def test_the_errors_of_a_result_are_its_reason() -> None:
    """The error subtypes have no `result`."""
    failed = {
        "type": "result",
        "subtype": "error_max_turns",
        "is_error": True,
        "errors": ["Reached 1", "and 2"],
    }
    assert read(transcript(INIT, failed), exit_code=1) == Reading(
        error="Reached 1; and 2", model="m", subtype="error_max_turns"
    )


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
        (" \n/sub:deep", None),
        ("/analyse-file x", "Claude Code knows no command /analyse-file here; did you mean /analyze-file?"),
        (" \n\t/analyse-file", "Claude Code knows no command /analyse-file here; did you mean /analyze-file?"),
        ("/zzz", "Claude Code knows no command /zzz here; it would be .claude/commands/zzz.md"),
    ],
)
def test_an_unknown_slash_command_is_a_failure_for_good(prompt: str, error: str | None) -> None:
    """Some versions call it success, others let the model improvise; a path is no command."""
    reading = read(transcript(INIT, RESULT), prompt=prompt)
    assert (reading.error, reading.is_final) == (error, error is not None)


def test_what_answers_the_greeting_lists_the_commands_too() -> None:
    """Before anything was asked: it cost nothing, and only the version is known."""
    said = {
        "commands": [{"name": "sub:deep"}, {"name": "usage", "aliases": ["cost"]}],
        "claude_code_version": "2.1.332",
    }
    answer = {
        "type": "control_response",
        "response": {"subtype": "success", "request_id": "greeting", "response": said},
    }
    assert read(transcript(answer), prompt="/sub:depe", was_asked=False) == Reading(
        error="Claude Code knows no command /sub:depe here; did you mean /sub:deep?",
        is_final=True,
        aborted=True,
        cost_usd=0.0,
        version="2.1.332",
    )
    assert unknown_command("/cost", ("sub:deep", "usage", "cost")) is None


def test_a_version_that_lists_no_commands_is_trusted() -> None:
    """Nothing can be said without the list."""
    assert read(transcript({"type": "system", "subtype": "init", "model": "m"}, RESULT), prompt="/zzz") == SUCCESS


DENIALS = [{"tool_name": "Bash", "tool_input": {}}, {"tool_name": "Write"}, {"tool_name": "Bash"}]
DENIED = (
    "permission was denied 3 times, for Bash, Write; the step may have done less than it was asked to; "
    "allowed_tools of the step lets a tool be used"
)
UNTRUSTED = (
    "Ignoring 1 permissions.allow entry from .claude/settings.json: this workspace has not been trusted. Run Claude "
    'Code interactively here once and accept the trust dialog, or set projects["/p"].hasTrustDialogAccepted: true.\n'
)


def test_denied_permissions_are_a_warning() -> None:
    """The model just goes on, and the step may have done nothing."""
    reading = read(transcript(INIT, RESULT | {"permission_denials": DENIALS}))
    assert (reading.error, reading.warnings, reading.denied) == (None, (DENIED,), ("Bash", "Write", "Bash"))


def test_denied_permissions_fail_where_they_should() -> None:
    """By `on_denied: fail`."""
    reading = read(transcript(INIT, RESULT | {"permission_denials": DENIALS}), fails_on_denied=True)
    assert reading.error == DENIED


def test_a_folder_that_nobody_trusts_is_named_as_the_cause_with_the_mend() -> None:
    """Its settings are ignored, and only stderr says so; where nothing was denied, that is no matter."""
    reading = read(transcript(INIT, RESULT | {"permission_denials": DENIALS[:1]}), stderr=UNTRUSTED)
    assert reading.warnings == (
        "permission was denied 1 time, for Bash; Claude Code ignores permissions.allow of .claude/settings.json in a "
        "folder that nobody has trusted: name the tools under allowed_tools of the step",
    )
    assert read(transcript(INIT, RESULT), stderr=UNTRUSTED).warnings == ()


def test_an_answer_without_the_form_that_was_asked_for_is_a_failure() -> None:
    """A model that never uses the form ends well all the same."""
    given = RESULT | {"structured_output": {"n": 3}}
    formless = "Claude Code answered without the structured output that json_schema asks for"
    assert read(transcript(INIT, RESULT), form='{"type":"object"}').error == formless
    assert (
        read(transcript(INIT, given), form='{"type":"object"}').error,
        read(transcript(INIT, given)).structured,
    ) == (
        None,
        {"n": 3},
    )


def test_an_answer_that_has_not_the_form_is_a_failure_with_the_place() -> None:
    """Whatever the program itself thinks of it."""
    given = RESULT | {"structured_output": {"n": [1, "x"]}}
    form = '{"properties":{"n":{"items":{"type":"integer"}}}}'
    said = "the structured output is not what json_schema asks for: n[1] is not of type integer"
    assert read(transcript(INIT, given), form=form).error == said


def test_everything_by_which_a_failure_is_classed_is_read() -> None:
    """The word, the status, the result's own, the limit and its end, how often Claude Code tried itself."""
    retry = {"type": "system", "subtype": "api_retry", "attempt": 1}
    limit = {"status": "rejected", "resetsAt": 1795902509, "rateLimitType": "five_hour"}
    usage = {"inputTokens": 10, "outputTokens": 2, "costUSD": 0.25, "contextWindow": 1}
    said = transcript(
        {**INIT, "claude_code_version": "2.1.332", "session_id": "s"},
        retry,
        retry,
        {"type": "rate_limit_event", "rate_limit_info": limit},
        {"type": "assistant", "message": {"model": "<synthetic>"}, "error": "rate_limit"},
        RESULT | {"is_error": True, "api_error_status": 429, "result": "limit", "modelUsage": {"m": usage}},
    )
    assert read(said, exit_code=1) == Reading(
        result="limit",
        error="limit",
        cost_usd=0.25,
        models={"m": Usage(input_tokens=10, output_tokens=2, cost_usd=0.25)},
        model="m",
        version="2.1.332",
        session="s",
        fault="rate_limit",
        status=429,
        subtype="success",
        limit=Limit(status="rejected", kind="five_hour", resets_at_s=1795902509),
        retries=2,
    )


def test_what_is_beside_the_point_may_have_any_form() -> None:
    """Only what decides is read strictly: versions change."""
    odd = RESULT | {"modelUsage": [1], "permission_denials": {"a": 1}}
    assert read(transcript(INIT, odd)) == SUCCESS


def test_a_conversation_that_is_not_there_is_known_as_such() -> None:
    """By its error, or by stderr alone."""
    said = "No conversation found with session ID: 1"
    failed = RESULT | {"subtype": "error_during_execution", "is_error": True, "errors": [said]}
    assert [True, True, False] == [
        read(transcript(failed), exit_code=1).is_unknown_session,
        read(b"", exit_code=1, stderr=said).is_unknown_session,
        read(transcript(INIT, RESULT)).is_unknown_session,
    ]


@pytest.mark.parametrize(
    ("version", "is_known"),
    [("2.1.330", True), ("2.1.332", True), ("2.1.329", False), ("2.2.0", False), ("", True), ("unknown", True)],
)
def test_a_version_that_nobody_has_tried_is_known(version: str, is_known: bool) -> None:
    """One that does not say its version is not said to be untried."""
    assert is_tested(version) == is_known


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
    reading = read(transcript(INIT, RESULT | {"result": answer}), piece=1 << 20)
    assert (reading.error, reading.result == answer) == (None, True)


def test_a_line_over_the_limit_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded whatever a tool prints; what follows is still read."""
    monkeypatch.setattr(protocol, "LINE_BYTES_MAX", 1 << 20)
    end = b"\n" + transcript(INIT, RESULT)
    size_bytes = 10 << 20

    def piece(start: int, stop: int) -> bytes:
        whole = b"x" * max(0, min(stop, size_bytes) - start)
        return whole + end[max(0, start - size_bytes) : max(0, stop - size_bytes)]

    grown = Transcript()
    tracemalloc.start()
    grown.finish(piece)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown.reading(Demands(), exit_code=0, stderr="") == Reading(
        result="the answer",
        cost_usd=0.25,
        model="m",
        subtype="success",
        warnings=("lines of Claude Code's output that are not JSON: 1",),
    )
    assert peak_bytes < 5 << 20


def test_a_last_line_without_its_end_is_read_too() -> None:
    """As where the program was killed in the middle; whole it counts, cut it does not."""
    whole = transcript(INIT, RESULT)
    assert read(whole[:-1]) == SUCCESS
    assert read(whole[:-20]).warnings == ("lines of Claude Code's output that are not JSON: 1",)


def test_a_line_that_another_cuts_is_passed_over() -> None:
    """Two that write at once; what stands by itself is read."""
    cut = transcript(INIT)[:40] + transcript(INIT) + transcript(RESULT)
    reading = read(cut)
    assert (reading.error, reading.warnings) == (None, ("lines of Claude Code's output that are not JSON: 1",))


def test_a_repeated_request_is_no_sign_of_work_and_all_else_is_one() -> None:
    """Also what is still on its way."""
    retry = {"type": "system", "subtype": "api_retry"}
    signs = []
    data = b""
    grown = Transcript()
    for more in (transcript(INIT), transcript(retry), transcript({"type": "tool_progress"}), b"half", b"more"):
        data += more
        grown.look(lambda start, stop, data=data: data[start:stop])  # type: ignore[misc]
        signs.append(grown.signs)
    assert signs == [1, 1, 2, 3, 4]


def test_the_traces_of_an_outer_claude_are_not_inherited() -> None:
    """An agent that runs prodigy is not the agent that prodigy runs; how the user is signed in, and tuned it, stays."""
    stays = {
        b"CLAUDE_CODE_OAUTH_TOKEN": b"t",
        b"CLAUDE_CODE_USE_FOUNDRY": b"1",
        b"CLAUDE_CODE_CLIENT_CERT": b"/c.pem",
        b"CLAUDE_CODE_MAX_RETRIES": b"2",
        b"CLAUDE_CONFIG_DIR": b"/c",
        b"ANTHROPIC_API_KEY": b"k",
        b"PATH": b"/bin",
        b"DISABLE_AUTOUPDATER": b"0",
    }
    outer = {
        b"CLAUDECODE": b"1",
        b"CLAUDE_CODE_ENTRYPOINT": b"cli",
        b"CLAUDE_CODE_SESSION_ID": b"s",
        b"CLAUDE_PID": b"1",
    }
    assert inheritable(stays | outer) == stays


def test_claude_code_does_not_replace_itself_in_the_night() -> None:
    """Unless somebody says so; and it does not try for minutes itself what we wait out."""
    assert inheritable({}) == {b"DISABLE_AUTOUPDATER": b"1", b"CLAUDE_CODE_MAX_RETRIES": b"3"}


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


def test_of_a_version_that_nobody_has_tried_is_warned_once() -> None:
    """Not with each of two hundred items."""
    untested = Untested()
    warned = [untested.told(Reading(version=version)).warnings for version in ("9.1.0", "9.1.0", "2.1.332", "9.1.1")]
    assert warned == [
        ("Claude Code 9.1.0 was not tried with prodigy, which knows 2.1.330 to 2.1.332",),
        (),
        (),
        ("Claude Code 9.1.1 was not tried with prodigy, which knows 2.1.330 to 2.1.332",),
    ]
