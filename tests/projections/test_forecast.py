"""What a dry run can know: values, what they decide, and what only the run will tell."""

from typing import Any

import pytest

from prodigy.plan.compile import compile_workflow
from prodigy.projections.forecast import Forecast, forecast


def rows(text: str, **parameters: Any) -> list[Forecast]:
    return forecast(compile_workflow(text.encode(), file="w.yaml", parameters=parameters))


def commands(text: str, **parameters: Any) -> list[str]:
    return [row.command for row in rows(text, **parameters)]


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("make ${target}", "make 'all of it'"),
        ('make "${target}"', 'make "all of it"'),
        ("ls ${files}", "ls 'a b' c"),
        ('ls "${files}"', 'ls "["a b","c"]"'),
        ("head -${count}", "head -3"),
        ("${target|raw}", "all of it"),
        ("make ${target:-nothing}", "make 'all of it'"),
        ("make ${empty:-nothing}", "make nothing"),
        ("cat ${target|file}", "cat ${target|file}"),
        ("echo $HOME ${#x}", "echo $HOME ${#x}"),
    ],
)
def test_known_values_stand_in_the_command(script: str, expected: str) -> None:
    """As the shell would have to read them; what is the shell's own stays."""
    text = 'variables: {target: all of it, files: [a b, c], count: 3, empty: ""}\ncommands:\n- shell: |\n    '
    assert commands(text + script) == [expected]


def test_a_parameter_replaces_a_variable() -> None:
    """As in a run."""
    assert commands("variables: {a: 1}\ncommands: [{claude: '/do ${a}'}]", a="two words") == ["/do two words"]


def test_what_steps_give_is_known_only_when_they_have_run() -> None:
    """It stands as it was written, and is listed once, wherever in the step it is needed."""
    text = (
        "- shell: date\n  id: now\n  capture: today\n"
        "- shell: echo ${today} ${today} ${now.exit_code}\n  env: {LAST: '${now.error}'}\n"
        "  working_dir: /tmp/${today}\n"
    )
    assert rows(text)[1] == Forecast(
        address="commands[1]",
        kind="shell",
        command="echo ${today} ${today} ${now.exit_code}",
        unknown=("${today}", "${now.exit_code}", "${now.error}"),
    )


def test_a_variable_is_known_until_a_step_replaces_it() -> None:
    """From there on only the run will tell."""
    text = "variables: {a: 1}\ncommands:\n- shell: echo ${a}\n  capture: a\n- shell: echo ${a}\n"
    assert commands(text) == ["echo 1", "echo ${a}"]


def test_the_environment_of_the_workflow_is_known() -> None:
    """With the variables in it."""
    assert commands("variables: {a: 1}\nenv: {B: 'x${a}'}\ncommands: [{claude: '/do ${B}'}]") == ["/do x1"]


def test_a_condition_on_known_values_decides_now() -> None:
    """What is skipped says why, with the values."""
    text = "variables: {fast: true}\ncommands:\n- {shell: a, when: '${fast}'}\n- {shell: b, when: '!${fast}'}\n"
    assert rows(text) == [
        Forecast(address="commands[0]", kind="shell", command="a"),
        Forecast(address="commands[1]", kind="shell", command="b", skipped="!${fast}, with ${fast} = true"),
    ]


def test_any_other_condition_is_shown() -> None:
    """It hangs on what a step will do."""
    text = "- {shell: a, id: a}\n- {shell: b, when: '${a.success}'}\n"
    assert rows(text)[1] == Forecast(address="commands[1]", kind="shell", command="b", condition="${a.success}")


def test_the_results_of_a_skipped_step_are_known() -> None:
    """It did not succeed, it printed nothing, and what hangs on it is decided as well."""
    text = (
        "- {shell: a, id: a, capture: c, when: 'false'}\n"
        "- {shell: 'echo x${c}${a.exit_code}', when: '${a.success} == false'}\n"
        "- {shell: b, when: '${a.success}'}\n"
    )
    assert rows(text)[1:] == [
        Forecast(address="commands[1]", kind="shell", command="echo x''''"),
        Forecast(address="commands[2]", kind="shell", command="b", skipped="${a.success}, with ${a.success} = false"),
    ]


def test_a_capture_that_is_skipped_leaves_the_variable() -> None:
    """The value that it would have replaced is still the one."""
    text = "variables: {c: old}\ncommands:\n- {shell: a, capture: c, when: 'false'}\n- {shell: 'echo ${c}'}\n"
    assert commands(text) == ["a", "echo old"]


def test_handlers_follow_what_they_handle() -> None:
    """One deeper, those of a handler deeper still."""
    text = "- shell: a\n  on_failure:\n  - shell: b\n    on_failure: {shell: c}\n  - shell: d\n- shell: e\n"
    assert [(row.command, row.depth, row.is_handler) for row in rows(text)] == [
        ("a", 0, False),
        ("b", 1, True),
        ("c", 2, True),
        ("d", 1, True),
        ("e", 0, False),
    ]


def test_stages_stand_before_their_steps() -> None:
    """With their own condition and handlers."""
    text = (
        "stages:\n- name: build\n  commands: [{shell: a, id: a}]\n"
        "- name: ship\n  when: ${a.success}\n  on_failure: {shell: c}\n  commands: [{shell: b}]\n"
    )
    assert rows(text) == [
        Forecast(address="build", kind="stage"),
        Forecast(address="build.a", kind="shell", command="a", depth=1),
        Forecast(address="ship", kind="stage", condition="${a.success}"),
        Forecast(address="ship[0]", kind="shell", command="b", depth=1),
        Forecast(address="ship.on_failure[0]", kind="shell", command="c", depth=1, is_handler=True),
    ]


def test_everything_in_a_skipped_stage_is_skipped() -> None:
    """Its steps, their handlers, and what refers to them knows it."""
    text = (
        "stages:\n- name: never\n  when: false\n  commands: [{shell: a, id: a, on_failure: {shell: h}}]\n"
        "- name: after\n  commands: [{shell: b, when: '${a.success}'}]\n"
    )
    assert [(row.address, row.skipped) for row in rows(text)] == [
        ("never", "false"),
        ("never.a", "never is skipped"),
        ("never.a.on_failure[0]", "never is skipped"),
        ("after", ""),
        ("after[0]", "${a.success}, with ${a.success} = false"),
    ]


def test_a_map_stands_with_its_input_and_its_steps_once() -> None:
    """What an item is, only the run will tell."""
    text = (
        "mode: mapreduce\nvariables: {folder: src}\n"
        "map: {input: '${folder}/*.py', agent_template: [{shell: 'lint ${item}'}]}\n"
    )
    assert rows(text) == [
        Forecast(address="map", kind="map", command="src/*.py"),
        Forecast(address="map[][0]", kind="shell", command="lint ${item}", depth=1, unknown=("${item}",)),
    ]
