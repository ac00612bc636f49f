"""Variables may be made of the environment and of those above them, once, and are data from then on."""

from typing import Any

import pytest

from prodigy.errors import UsageProblem, WorkflowProblem
from prodigy.plan.compile import compile_with_notices, compile_workflow, workflow_notices
from prodigy.plan.nodes import Plan
from prodigy.plan.reference import as_text

STEPS = "commands: [{id: made, shell: make, capture: seen}]\n"
ENVIRONMENT = {"HOME": "/home/me", "EMPTY": "", "ODD": "${HOME} $(reboot) ${env.HOME}"}


def compiled(text: str, **parameters: Any) -> Plan:
    """Return the plan of a workflow with these variables."""
    return compile_workflow(
        f"variables:\n{text}{STEPS}".encode(), file="w.yaml", parameters=parameters, environment=ENVIRONMENT
    )


def refusals(text: str, **parameters: Any) -> list[str]:
    """Return what is wrong with these variables, a line each."""
    with pytest.raises(WorkflowProblem) as refused:
        compiled(text, **parameters)
    return [f"{p.line}:{p.column} {p.message} ({p.hint})" for p in refused.value.problems]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("${env.HOME}/x", "/home/me/x"),
        ('${env["HOME"]}', "/home/me"),
        ("${env.NONE:-none}", "none"),
        ("${env.EMPTY:-${env.HOME}}", "/home/me"),
        ("${env.EMPTY}", ""),
        ("${env.NONE:-${env.NO:-${word}}}", "w"),
        ("${word}-${n}", "w-3.10"),
        ("${n}", 3.1),
        ("${list}", ["a", 1]),
        ("${list}!", '["a",1]!'),
        ("${list[1]}", 1),
        ("${table.k}", "v"),
        ("${list|length}", 2),
        ("[x, '${word}', {y: '${list}'}]", ["x", "w", {"y": ["a", 1]}]),
        ("$${word}", "${word}"),
        ("${env.ODD}", "${HOME} $(reboot) ${env.HOME}"),
    ],
)
def test_a_value_is_made_of_the_environment_and_of_those_above(written: str, value: Any) -> None:
    """Alone a reference keeps its kind; what it yields is never read again."""
    written = written if written.startswith("[") else f"'{written}'"
    above = "  word: w\n  n: 3.10\n  list: [a, 1]\n  table: {k: v}\n"
    assert compiled(f"{above}  it: {written}\n").variables["it"] == value


def test_a_number_keeps_its_spelling_on_the_way() -> None:
    """However many variables it goes through."""
    found = compiled("  a: 3.10\n  b: ${a}\n  c: [0xFF, '${b}']\n").variables
    assert [as_text(value) for value in found["c"]] == ["0xFF", "3.10"]


def test_a_parameter_comes_first() -> None:
    """It replaces the value before others are made of it, and nobody asks what its own was made of."""
    text = "  a: ${env.NONE}\n  b: ${a}/x\n  c: ${new:-old}\n"
    found = compiled(text, a="${env.HOME}", new="n")
    assert found.variables == {"a": "${env.HOME}", "b": "${env.HOME}/x", "c": "n", "new": "n"}


def test_what_was_read_is_recorded() -> None:
    """Also that there was nothing: another day's environment does not change a run that has begun."""
    plan = compiled("  a: ${env.HOME}\n  b: ${env.NONE:-d}\n")
    assert plan.environment == {"HOME": "/home/me", "NONE": None}
    today = {"HOME": "/elsewhere", "NONE": "now"}
    text = f"variables: {{a: '${{env.HOME}}', b: '${{env.NONE:-d}}', c: 1}}\n{STEPS}".encode()
    again = compile_workflow(text, file="w.yaml", environment={**today, **plan.environment})
    assert again.variables == {"a": "/home/me", "b": "d", "c": 1}


def test_a_variable_named_env_is_that_variable() -> None:
    """From the line on which it stands; validate says that it usually means something else."""
    text = "  a: ${env.HOME}\n  env: {HOME: mine}\n  b: ${env.HOME}\n"
    assert compiled(text).variables == {"a": "/home/me", "env": {"HOME": "mine"}, "b": "mine"}
    (notice,) = workflow_notices(f"variables:\n{text}{STEPS}".encode(), file="w.yaml", environment=ENVIRONMENT)
    assert notice.message == "'env' usually means something else in workflows"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  dest: ${HOME}/x\n", ["2:9 'HOME' is no variable of the workflow (the environment's is ${env.HOME})"]),
        ("  dest: ${HOME%/}/x\n", ["2:9 'HOME' is no variable of the workflow (the environment's is ${env.HOME})"]),
        (
            "  d: ${DEST_DIR}\n",
            ["2:6 'DEST_DIR' is no variable of the workflow (the environment's is ${env.DEST_DIR})"],
        ),
        ("  a: ${a}\n", ["2:6 'a' refers to itself (a variable sees those above it)"]),
        ("  a: x${b}\n  b: ${a}\n", ["2:7 'b' comes later: it is on line 3 (a variable sees those above it)"]),
        (
            "  a: ${seen}\n",
            ["2:6 'seen' is given by a step, and variables are made before any runs (use it in the steps)"],
        ),
        ("  word: w\n  a: ${wrod}\n", ["3:6 'wrod' is no variable above this one (did you mean ${word}?)"]),
        (
            "  a: ${item}\n",
            ["2:6 'item' is no variable above this one (a literal ${ is written $${; see also ${env.NAME})"],
        ),
        (
            "  a: ${env.NONE}\n",
            ["2:6 the environment has no NONE (set it, give --param a=…, or write a default: ${env.NONE:-…})"],
        ),
        (
            "  a: ${env.EMPTY:-${env.NONE}}\n",
            ["2:19 the environment has no NONE (set it, give --param a=…, or write a default: ${env.NONE:-…})"],
        ),
        ("  a: ${env}\n", ["2:6 ${env} names nothing in the environment (write for example ${env.HOME})"]),
        ("  a: ${env.A.b}\n", ["2:6 ${env.A.b} names nothing in the environment (write for example ${env.HOME})"]),
        (
            "  a: w ${env.HOME} ${env.NONE}\n",
            ["2:20 the environment has no NONE (set it, give --param a=…, or write a default: ${env.NONE:-…})"],
        ),
        (
            "  a: w ${env.HOME} ${env}\n",
            ["2:20 ${env} names nothing in the environment (write for example ${env.HOME})"],
        ),
        (
            "  a: w\n  b: ${a|file}\n",
            ["3:6 ${a|file} is the path of a file, and here is no command that could read it (write ${a})"],
        ),
        (
            "  a: [x, {b: '${env.NONE}'}]\n  c: ${nope}\n",
            ["3:6 'nope' is no variable above this one (a literal ${ is written $${; see also ${env.NAME})"],
        ),
    ],
    ids=lambda value: value.strip().partition("\n")[0] if isinstance(value, str) else "",
)
def test_what_cannot_be_resolved_is_refused_with_its_place(text: str, expected: list[str]) -> None:
    """Before anything runs, with what to write."""
    assert refusals(text) == expected


def test_validate_only_notes_what_this_environment_lacks() -> None:
    """The file may be right where it will run, also where a count is made of it; a start refuses it."""
    text = f"variables: {{n: '${{env.WORKERS}}'}}\n{STEPS}".encode()
    (notice,) = workflow_notices(text, file="w.yaml")
    assert notice.message == "the environment has no WORKERS"
    with pytest.raises(WorkflowProblem):
        compile_with_notices(text, file="w.yaml")


def test_elsewhere_the_environment_is_the_shells() -> None:
    """The message says where `${env.NAME}` may stand."""
    with pytest.raises(WorkflowProblem) as refused:
        compile_workflow(b"commands: [{claude: 'read ${env.HOME}'}]", file="w.yaml")
    (problem,) = refused.value.problems
    assert problem.message == "'env' is known under variables only"
    assert problem.hint == "make a variable of it, or read $NAME in the script"


def test_bytes_of_the_environment_that_are_no_text_are_refused() -> None:
    """They could not be recorded."""
    with pytest.raises(WorkflowProblem) as refused:
        compile_workflow(
            f"variables: {{a: '${{env.ODD}}'}}\n{STEPS}".encode(), file="w.yaml", environment={"ODD": "caf\udce9"}
        )
    assert [p.message for p in refused.value.problems] == ["the environment's ODD is not UTF-8, and a variable is text"]


@pytest.mark.parametrize("form", ["${%s}${%s}", "['${%s}', '${%s}']", "{a: '${%s}', b: '${%s}'}"])
def test_variables_that_double_each_other_are_refused_in_time(form: str) -> None:
    """Measured before they are made; so are values that nest without end."""
    lines = ["  v0: 0123456789\n"] + [f"  v{n}: {form % (f'v{n - 1}', f'v{n - 1}')}\n" for n in range(1, 60)]
    (first, *_) = refusals("".join(lines))
    assert "the variables come to more than 4 MiB" in first


def test_variables_that_nest_in_each_other_are_bounded() -> None:
    """As values in a file are."""
    lines = ["  v0: x\n"] + [f"  v{n}: ['${{v{n - 1}}}']\n" for n in range(1, 60)]
    (first, *_) = refusals("".join(lines))
    assert "values nest deeper than 50" in first


def test_what_only_a_shell_would_expand_is_noted() -> None:
    """`$HOME` and `~/` in a value stay as they are."""
    text = f"variables: {{a: $HOME/x, b: ~/x, c: [$TMPDIR], d: $5, e: a$HOME, f: $home}}\n{STEPS}".encode()
    found = [(notice.message, notice.hint) for notice in workflow_notices(text, file="w.yaml")]
    assert found == [
        ("$HOME stays as it is: no shell reads a value", "write ${env.HOME}"),
        ("~ stays as it is: no shell reads a value", "write ${env.HOME}"),
        ("$TMPDIR stays as it is: no shell reads a value", "write ${env.TMPDIR}"),
    ]


def test_a_parameter_that_only_a_variable_uses_is_of_use() -> None:
    """It is referred to."""
    text = f"variables: {{a: '${{base}}/x'}}\n{STEPS}".encode()
    plan, _ = compile_with_notices(text, file="w.yaml", parameters={"base": "b"}, given=frozenset({"base"}))
    assert plan.variables["a"] == "b/x"
    with pytest.raises(UsageProblem):
        compile_with_notices(
            text, file="w.yaml", parameters={"base": "b", "bsae": "c"}, given=frozenset({"base", "bsae"})
        )
