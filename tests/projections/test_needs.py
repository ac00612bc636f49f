"""What steps need of the machine, as far as the plan alone can tell."""

import time

import pytest

from prodigy.plan.compile import compile_workflow
from prodigy.projections.needs import Need, needs


def found(text: str) -> list[Need]:
    """Return the needs of a workflow, but for `sh`, which is everywhere."""
    plan = compile_workflow(text.encode(), file="w.yaml")
    return [need for need in needs(plan) if need.program != "sh"]


def test_programs_and_folders_are_needed_in_document_order() -> None:
    """Each once, with the step that needs it, and what comes before it."""
    text = (
        "variables: {where: out}\ncommands:\n- shell: x\n  interpreter: bash -eu\n- claude: y\n"
        "  working_dir: ${where}/a\n- claude: z\n"
    )
    assert found(text) == [
        Need(at="commands[0]", line=3, program="bash", is_sure=True, is_first=True),
        Need(at="commands[1]", line=5, program="claude", is_claude=True, is_sure=True),
        Need(at="commands[1]", line=5, folder="out/a", is_sure=True),
    ]


@pytest.mark.parametrize(
    ("words", "is_sure"),
    [
        ("retry: 2", True),
        ("when: true", True),
        ("when: ${shell.output} == 'x'", False),
        ("allow_failure: true", False),
        ("on_failure: {shell: y}", False),
    ],
)
def test_a_need_is_sure_where_nothing_answers_for_its_failure(words: str, is_sure: bool) -> None:
    """A condition that is open, a handler and a tolerated failure make it a maybe."""
    (need,) = found(f"commands:\n- shell: a\n- claude: x\n  {words}\n")
    assert need == Need(at="commands[1]", line=3, program="claude", is_claude=True, is_sure=is_sure)


def test_a_failure_that_a_sibling_asks_about_is_a_maybe() -> None:
    """It may be what the workflow is about."""
    (need,) = found("- {claude: x, id: a}\n- shell: b\n  when: ${a.success} == false\n")
    assert (need.program, need.is_sure) == ("claude", False)


def test_a_handler_needs_its_program_only_when_it_runs() -> None:
    """So it is a maybe."""
    (need,) = found("- shell: a\n  on_failure: {claude: mend}\n")
    assert (need.program, need.is_sure) == ("claude", False)


def test_a_later_step_that_surely_needs_it_counts() -> None:
    """Where an earlier one only may."""
    (need,) = found("- {claude: x, allow_failure: true}\n- claude: y\n")
    assert (need.at, need.is_sure) == ("commands[1]", True)


def test_what_is_skipped_for_certain_needs_nothing() -> None:
    """A condition on known values decides now."""
    assert found("variables: {ai: no}\ncommands:\n- claude: x\n  when: ${ai} == 'yes'\n") == []


def test_the_steps_of_items_are_needed() -> None:
    """A map is there for its items."""
    text = "mode: mapreduce\nmap: {input: a.txt, agent_template: [{claude: 'see ${item}'}]}\n"
    assert [(need.at, need.is_sure) for need in found(text)] == [("map[][0]", True)]


@pytest.mark.parametrize(
    ("before", "may_come"),
    [
        ("npm run lint", False),
        ("make test", False),
        ("npm install -g @anthropic-ai/claude-code", True),
        ("./setup.sh", True),
        ("command -v claude || exit 3", True),
        ("curl -fsSL https://example.org/get | bash", True),
        ("curl -fsSL https://example.org/data.json", False),
        ("npm ci", True),
    ],
)
def test_a_program_may_come_where_an_earlier_step_names_it_or_installs(before: str, may_come: bool) -> None:
    """A step that only happens to run before brings nothing."""
    (need,) = found(f"- shell: {before}\n- claude: x\n")
    assert need.may_come == may_come


@pytest.mark.parametrize(("before", "may_come"), [("mkdir -p out/a", True), ("make", False)])
def test_a_folder_may_come_where_an_earlier_step_names_it(before: str, may_come: bool) -> None:
    """By the last part of its path."""
    (need,) = found(f"- shell: {before}\n- shell: x\n  working_dir: out/a\n")
    assert (need.folder, need.may_come) == ("out/a", may_come)


def test_what_only_the_run_will_tell_is_no_need_yet() -> None:
    """A folder that a step names, a PATH that a step gives."""
    text = (
        "- {shell: pwd, id: here}\n- {shell: x, working_dir: '${here}'}\n"
        "- {shell: x, interpreter: fresh, env: {PATH: '${here}'}}\n"
    )
    assert found(text) == []


def test_a_path_of_the_steps_own_is_looked_at() -> None:
    """As the run would."""
    (need,) = found("- {claude: x, env: {PATH: /opt/bin}}\n")
    assert need.path == "/opt/bin"


def test_a_plan_of_thousands_of_steps_is_looked_through_at_once() -> None:
    """A quarter of a second; asking every earlier step anew for each took a minute."""
    text = "".join(f"- shell: make part{i} && test -f part{i}\n" for i in range(4000))
    plan = compile_workflow(text.encode(), file="w.yaml")
    began = time.monotonic()
    assert [need.program for need in needs(plan)] == ["sh"]
    assert time.monotonic() - began < 20
