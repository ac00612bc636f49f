"""What a workflow tells Claude Code besides the prompt."""

from typing import Any

import pytest

from prodigy.errors import WorkflowProblem
from prodigy.plan.compile import compile_workflow
from prodigy.plan.nodes import Claude, ClaudeOptions, Plan, Run
from prodigy.plan.reference import render

SCHEMA = "{type: object, properties: {n: {type: integer}}}"


def compiled(text: str) -> Plan:
    return compile_workflow(text.encode(), file="w.yaml")


def options(plan: Plan, at: str) -> dict[str, Any]:
    """Return what is told, templates as the texts that they are."""
    body = plan.nodes[at].body
    assert isinstance(body, Run) and isinstance(body.command, Claude)
    told = body.command.options
    values = {name: getattr(told, name) for name in ClaudeOptions.__struct_fields__}
    values = {name: value for name, value in values.items() if value != getattr(ClaudeOptions(), name)}
    return {name: written(value) for name, value in values.items()}


def written(value: Any) -> Any:
    """Return a template as text."""
    if not isinstance(value, tuple):
        return value
    if value and all(isinstance(part, tuple) for part in value):
        return [written(part) for part in value]
    return render(value, lambda name: (True, f"<{name}>"))


def said_of(text: str) -> list[tuple[str, str | None]]:
    """Return what is wrong with a file, each with its hint."""
    with pytest.raises(WorkflowProblem) as refused:
        compiled(text)
    return [(problem.message, problem.hint) for problem in refused.value.problems]


def test_a_step_tells_beside_its_prompt_and_the_file_tells_all_steps() -> None:
    """What a step says replaces what the file says, a list as a whole; a prompt alone is as it ever was."""
    plan = compiled(
        "variables: {m: haiku}\n"
        "claude: {model: '${m}', allowed_tools: [Read, 'Bash(git *)'], on_denied: fail, idle_timeout: 20m}\n"
        "commands:\n"
        "- {id: a, claude: look}\n"
        "- id: b\n"
        f"  claude: {{prompt: 'at ${{m}}', model: opus, allowed_tools: Edit, max_turns: 3, json_schema: {SCHEMA}}}\n"
        "- {id: c, claude: look, idle_timeout: 0}\n"
    )
    assert options(plan, "a") == {"model": "<m>", "allowed_tools": ["Read", "Bash(git *)"], "on_denied": "fail"}
    assert options(plan, "b") == {
        "model": "opus",
        "allowed_tools": ["Edit"],
        "on_denied": "fail",
        "max_turns": 3,
        "json_schema": {"type": "object", "properties": {"n": {"type": "integer"}}},
    }
    assert [plan.nodes[at].policy.idle_timeout for at in "abc"] == [1200, 1200, 0]


@pytest.mark.parametrize(
    ("argument", "message", "hint"),
    [
        ("--resume", "each attempt has a conversation of its own, which prodigy begins and goes on with", "remove it"),
        ("--output-format=text", "prodigy holds the conversation itself", "remove it"),
        ("--max-budget-usd", "prodigy keeps the budget", "remove it"),
        ("--bg", "a step ends when its work has", "remove it"),
        ("-w", "a step runs in its working_dir, where a resume finds it again", "remove it"),
        (
            "--fork-session",
            "each attempt has a conversation of its own, which prodigy begins and goes on with",
            "remove it",
        ),
    ],
)
def test_an_argument_that_is_ours_is_refused(argument: str, message: str, hint: str) -> None:
    """With why."""
    flag = argument.partition("=")[0]
    said = said_of(f"- claude: {{prompt: look, args: [--effort, high, {argument}]}}\n")
    assert said == [(f"{flag} is not for args: {message}", hint)]


def test_an_argument_that_has_a_key_is_written_as_that() -> None:
    """And a word with a blank in it is two."""
    assert said_of("- claude: {prompt: look, args: [--model=opus, '--effort high']}\n") == [
        ("--model has a key of its own", "write  model: …"),
        ("'--effort high' is one argument", "make each word an entry of its own"),
    ]


KINDS = "array, boolean, integer, null, number, object, string"
A_MAPPING = "a mapping such as {model: sonnet, allowed_tools: [Read, Edit]}"


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ("{type: objekt}", f"json_schema.type is 'objekt', not one of {KINDS}"),
        ("{properties: {n: {type: int}}}", f"json_schema.properties.n.type is 'int', not one of {KINDS}"),
        ("{properties: [n]}", "json_schema.properties takes a mapping of names to schemas"),
        ("{required: n}", "json_schema.required takes a list of names"),
        ("{items: {enum: 3}}", "json_schema.items.enum takes a list of values"),
        ("{anyOf: [3]}", "json_schema.anyOf[0] is no schema: a mapping, true or false"),
    ],
)  # fmt: skip
def test_a_schema_that_is_none_is_found_before_anything_runs(schema: str, message: str) -> None:
    """With its place."""
    assert [said for said, _ in said_of(f"- claude: {{prompt: look, json_schema: {schema}}}\n")] == [message]


def test_only_an_answer_in_a_form_is_structured() -> None:
    """A step without a schema has no such result."""
    form = f"- {{id: a, claude: {{prompt: look, json_schema: {SCHEMA}}}}}\n"
    compiled(f"{form}- shell: echo ${{a.structured.n}} ${{a.structured}}\n")
    said = said_of("- {id: a, claude: look}\n- shell: echo ${a.structured.n}\n")
    assert said == [("${a.structured.n} names no result of 'a'", "the step 'a' has no json_schema")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- claude: {model: opus}\n", "'claude' needs a prompt"),
        ("- claude: {prompt: look, idle_timeout: 5}\n", "'idle_timeout' is a key of the step"),
        ("claude: {prompt: look}\ncommands: [{shell: make}]\n", "'prompt' is for a step, not for the whole file"),
        ("claude: look\ncommands: [{shell: make}]\n", f"'claude' takes {A_MAPPING}, not the text 'look'"),
        ("- claude: {prompt: look, tools: [Edit]}\n", "unknown key 'tools' in claude"),
    ],
)  # fmt: skip
def test_what_stands_in_the_wrong_place_is_said(text: str, message: str) -> None:
    """Each with where it belongs."""
    ((said, hint),) = said_of(text)
    assert (said, hint is not None) == (message, True)
