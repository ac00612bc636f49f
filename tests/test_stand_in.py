"""The stand-in for Claude Code keeps its script, and refuses what is none; tests/real compares it with the real one."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

FLAGS = ["-p", "--input-format=stream-json", "--output-format=stream-json", "--verbose"]
MINE = "11111111-1111-4111-8111-111111111111"
OTHER = "22222222-2222-4222-8222-222222222222"


class Stage:
    """A folder in which conversations are had, one after another."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.err = ""
        self.code: int | None = None

    def converse(self, *prompts: str, flags: tuple[str, ...] = (), script: Any = None) -> list[dict[str, Any]]:
        """Ask these prompts and return what was said after the greeting was answered."""
        greeting = {"type": "control_request", "request_id": "g", "request": {"subtype": "initialize"}}
        asked = [{"type": "user", "message": {"role": "user", "content": prompt}} for prompt in prompts]
        environment = {"PATH": "/usr/bin:/bin", "CLAUDE_CONFIG_DIR": str(self.folder / "home")}
        if script is not None:
            path = self.folder / "script.yaml"
            path.write_text(script if isinstance(script, str) else json.dumps(script))
            environment["PRODIGY_FAKE_CLAUDE"] = str(path)
        ended = subprocess.run(
            [sys.executable, "-P", "-m", "prodigy.fake_claude", *FLAGS, *flags],
            input="".join(json.dumps(line) + "\n" for line in (greeting, *asked)),
            capture_output=True, text=True, env=environment, cwd=self.folder, timeout=60,
        )  # fmt: skip
        self.err, self.code = ended.stderr, ended.returncode
        return [json.loads(line) for line in ended.stdout.splitlines()][1:]

    def result(self, *prompts: str, **more: Any) -> dict[str, Any]:
        """Ask and return the last line that was said."""
        return self.converse(*prompts, **more)[-1]


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """A folder of its own."""
    return Stage(tmp_path)


def test_without_a_script_it_says_that_it_was_asked(stage: Stage) -> None:
    """For a cent."""
    said = stage.result("hello")
    assert (stage.code, said["result"], said["total_cost_usd"], said["is_error"]) == (
        0,
        "stand-in: I was asked 'hello'",
        0.01,
        False,
    )


def test_the_first_rule_whose_words_are_found_is_played(stage: Stage) -> None:
    """And a rule with a number of times only so often."""
    script = {"rules": [{"prompt": "^b", "times": 1, "do": [{"say": "once"}]}, {"do": [{"say": "else {{prompt}}"}]}]}
    said = [stage.result(prompt, script=script)["result"] for prompt in ("abc", "bcd", "bcd")]
    assert said == ["else abc", "once", "else bcd"]


def test_a_prompt_may_carry_its_own_steps(stage: Stage) -> None:
    """They win."""
    assert stage.result('x [[fake [{"say": "mine"}]]]', script={"rules": [{"do": [{"say": "no"}]}]})["result"] == "mine"


def test_a_conversation_contains_what_it_had_cost_before(stage: Stage) -> None:
    """Resumed or forked; one that was killed had written nothing down."""
    script = {
        "rules": [{"prompt": "die", "times": 1, "cost": 1, "do": [{"say": "x"}, {"kill": "SIGKILL"}]}],
        "cost": 0.25,
    }
    first = stage.result("a", flags=(f"--session-id={MINE}",), script=script)
    again = stage.result("b", flags=(f"--resume={MINE}",), script=script)
    forked = stage.result("b", flags=(f"--resume={MINE}", "--fork-session"), script=script)
    assert [first["total_cost_usd"], again["total_cost_usd"], forked["total_cost_usd"]] == [0.25, 0.5, 0.75]
    stage.converse("die", flags=(f"--session-id={OTHER}",), script=script)
    assert stage.code == -9
    assert stage.result("b", flags=(f"--resume={OTHER}",), script=script)["total_cost_usd"] == 0.25


def test_a_conversation_begins_once(stage: Stage) -> None:
    """An id that is in use, and one that nobody had, are refused."""
    stage.converse("a", flags=(f"--session-id={MINE}",))
    assert stage.converse("a", flags=(f"--session-id={MINE}",)) == []
    assert (stage.code, stage.err) == (1, f"Error: Session ID {MINE} is already in use.\n")
    stage.converse("a", flags=(f"--resume={OTHER}",))
    assert (stage.code, stage.err) == (1, f"No conversation found with session ID: {OTHER}\n")


def test_what_is_asked_for_in_a_form_comes_in_it(stage: Stage) -> None:
    """As the script has it; else the least that passes; never, where it says null."""
    schema = json.dumps(
        {"type": "object", "properties": {"n": {"type": "integer", "minimum": 2}, "s": {"enum": ["a"]}}}
    )
    flags = (f"--json-schema={schema}",)
    given = [
        stage.result("x", flags=flags, script=[{"do": do}]).get("structured_output")
        for do in ([{"structured": {"n": 3}}], [{"say": "hm"}], [{"structured": None}])
    ]
    assert given == [{"n": 3}, {"n": 2, "s": "a"}, None]


def test_limits_errors_and_denials_are_said_as_claude_code_says_them(stage: Stage) -> None:
    """With the words that class them."""
    limited = stage.converse("x", script=[{"do": [{"limit": 60}]}])
    event, fault, result = limited[-3:]
    assert (event["rate_limit_info"]["status"], fault["error"], result["api_error_status"], stage.code) == (
        "rejected",
        "rate_limit",
        429,
        1,
    )
    broke = stage.result("x", script=[{"do": [{"error": "billing_error", "status": 400, "text": "no credit"}]}])
    assert (broke["subtype"], broke["is_error"], broke["result"]) == ("success", True, "no credit")
    denied = stage.result("x", script=[{"do": [{"deny": "Bash"}, {"say": "done"}]}])
    assert [denial["tool_name"] for denial in denied["permission_denials"]] == ["Bash"]


def test_turns_and_budgets_are_kept(stage: Stage) -> None:
    """After the call that passes them, as Claude Code does."""
    two = [{"cost": 0.5, "do": [{"say": "a"}, {"say": "b"}]}]
    ends = [
        stage.result("x", flags=flags, script=two)["subtype"]
        for flags in (("--max-turns=1",), ("--max-budget-usd=0.1",))
    ]
    assert ends == ["error_max_turns", "error_max_budget_usd"]


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("rules: [", "cannot be read"),
        ("just words", "is no script"),
        ({"rulez": []}, "'rulez' is unknown; known: commands, cost, model, rules, version"),
        ([{"do": [{"sing": 1}]}], "a step has one of"),
        ([{"prompt": "(", "do": []}], "prompt is no regular expression"),
        ([3], "a rule is a mapping with do, not 3"),
    ],
)
def test_what_is_no_script_is_refused_with_a_sentence(stage: Stage, script: Any, words: str) -> None:
    """Nobody wonders why it does not do what it was told."""
    assert stage.converse("x", script=script) == []
    assert (stage.code, words in stage.err, "Traceback" in stage.err) == (1, True, False)


def test_a_conversation_that_goes_on_is_still_about_what_it_was_asked_first(stage: Stage) -> None:
    """A rule is chosen by that; what it is asked now is known too."""
    script = {
        "rules": [
            {"prompt": "^a", "do": [{"bash": 'echo "$PROMPT, $ASKED"'}, {"say": "{{output}}; {{prompt}}, {{asked}}"}]}
        ]
    }
    stage.converse("a", flags=(f"--session-id={MINE}",), script=script)
    assert stage.result("go on", flags=(f"--resume={MINE}",), script=script)["result"] == "a, go on; a, go on"
