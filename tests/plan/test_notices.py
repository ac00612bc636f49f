"""What is legal and may not be meant is said, with its place and what to write instead."""

import json

import pytest

from prodigy.plan.compile import workflow_notices

TEXTS = 'variables: {greeting: "hello big world", pattern: "*.py", files: [a b, c], one: word}\n'


def notices(text: str) -> list[str]:
    """Return each notice as `line:column message (hint)`."""
    found = workflow_notices(text.encode(), file="w.yaml")
    return [
        f"{notice.line}:{notice.column} {notice.message}" + (f" ({notice.hint})" if notice.hint else "")
        for notice in found
    ]


def test_a_tolerated_failure_is_told_with_who_tolerates_it() -> None:
    """At the id of the step that may fail."""
    text = (
        "- shell: pytest\n  id: tests\n- shell: ./repair\n  when: ${tests.exit_code} != 0\n"
        "- shell: ./tell\n  id: tell\n  when: ${tests.success} == false\n"
    )
    assert notices(text) == [
        "2:7 if tests fails, the run goes on: the condition of commands[1] (line 3) or tell (line 5) refers to it "
        "(unless such a step then runs and succeeds, the run fails in the end)"
    ]


def test_a_failure_that_is_allowed_needs_no_notice() -> None:
    """Its author said so."""
    assert notices("- shell: a\n  id: a\n  allow_failure: true\n- shell: b\n  when: ${a.success}\n") == []


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (
            "echo ${greeting}",
            [
                "2:26 ${greeting} is one word here, blanks, globs and all "
                '(quote it, "${greeting}", or make greeting a list: [first, second] is two words)'
            ],
        ),
        (
            "ls ${pattern}",
            [
                "2:24 ${pattern} is one word here, blanks, globs and all "
                '(quote it, "${pattern}", or make pattern a list: [first, second] is two words)'
            ],
        ),
        ('echo "${greeting}"', []),
        ("cat ${greeting|file}", []),
        ("ls ${files} ${one}", []),
    ],
)
def test_text_of_ones_own_that_stands_unquoted_is_one_word(script: str, expected: list[str]) -> None:
    """Where a reader of shell scripts would expect several; quoted text and lists are plain."""
    assert notices(f"{TEXTS}commands: [{{shell: '{script}'}}]\n") == expected


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ('sh -c "echo ${one}"', "3:22 ${one} becomes part of the code that 'sh -c' runs"),
        ("bash -c 'echo ${one}'", "3:24 ${one} becomes part of the code that 'bash -c' runs"),
        ("eval ${one}", "3:15 ${one} becomes part of the code that 'eval' runs"),
        ("ssh host ls ${one}", "3:22 ${one} becomes part of the code that 'ssh' runs"),
        ('python3 -c "print(${one})"', "3:28 ${one} becomes part of the code that 'python3 -c' runs"),
    ],
)
def test_a_value_that_becomes_code_elsewhere_is_told(script: str, message: str) -> None:
    """With the program that would run it, and a way that keeps it data."""
    (notice,) = notices(f"{TEXTS}commands:\n- shell: {script}\n")
    assert (notice.partition(" (pass it ")[0], "(pass it " in notice) == (message, True)


def test_a_name_that_means_something_elsewhere_is_told() -> None:
    """A variable, an id and a capture alike."""
    text = "variables: {env: 1}\ncommands:\n- shell: a\n  id: last\n- shell: b\n  capture: error\n"
    usual = "usually means something else in workflows"
    assert notices(text) == [
        f"1:13 'env' {usual} (a name such as my_env says that it is yours)",
        f"4:7 'last' {usual} (a name such as my_last says that it is yours)",
        f"6:12 'error' {usual} (a name such as my_error says that it is yours)",
    ]


def test_notices_stand_in_the_order_of_the_file() -> None:
    """Whatever they are about."""
    text = f"{TEXTS}commands:\n- shell: eval ${{one}}\n  id: step\n- shell: echo ${{greeting}}\n"
    assert [notice.partition(" ")[0] for notice in notices(text)] == ["3:15", "4:7", "5:15"]


def test_a_plain_workflow_has_none() -> None:
    """Silence is an answer."""
    assert notices("- shell: make\n  id: build\n- shell: echo ${build.duration}\n") == []


@pytest.mark.parametrize(
    "script",
    [
        "docker ps --format '{{.Names}}'",
        "gh api x --template '{{range .}}{{.name}}{{end}}'",
        "echo '{{ other }}'",
        'echo "it’s “done”"',
    ],
)
def test_braces_and_letters_of_other_programs_are_left_alone(script: str) -> None:
    """Templates of other programs, and curly quotes inside a quoted text."""
    text = f"{TEXTS}commands:\n- shell: |\n    {script}\n"
    assert [notice for notice in notices(text) if "value here" in notice or "quote to" in notice] == []


@pytest.mark.parametrize(
    "script",
    [
        "one=2; echo $one",
        "for one in a b; do echo $one; done",
        "while read -r one; do echo $one; done",
        "awk '{print $one}' file",
        r"echo \$one $$one",
        "echo $one_more ${HOME} ${#HOME}x $(date)",
    ],
)
def test_a_variable_of_the_scripts_own_is_left_alone(script: str) -> None:
    """Also where a value of the workflow has the same name."""
    assert notices(f"variables: {{one: word}}\nenv: {{other: x}}\ncommands:\n  - shell: {json.dumps(script)}\n") == []


def test_a_name_in_an_environment_is_what_the_shell_reads() -> None:
    """`$one` is that one."""
    assert notices("variables: {one: word}\ncommands:\n  - shell: echo $one\n    env: {one: '${one}'}\n") == []


@pytest.mark.parametrize("script", ["cd src && make", "cd src; make", "export A=1\n    make", ". ./env.sh; make"])
def test_a_folder_or_environment_that_is_used_in_the_step_is_left_alone(script: str) -> None:
    """It is what `cd` and `export` are for."""
    assert notices(f"- shell: |\n    {script}\n") == []


def test_a_list_that_a_filter_made_one_text_is_told_how_it_is_many_words() -> None:
    """It is a list already, so making it one is no advice."""
    assert notices(TEXTS + "commands:\n  - shell: echo ${files|lines}\n") == [
        "3:17 ${files|lines} is one word here, blanks, globs and all "
        '(quote it, "${files|lines}"; a list without a filter is one word for each of its elements)'
    ]
